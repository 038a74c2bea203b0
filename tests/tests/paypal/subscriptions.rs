//! What PayPal keeps of customers: their ways to pay, subscriptions, disputes.

use pollster::block_on;
use serde_json::json;
use shared::domain::Timestamp;
use stripe::{
    mirror::{DisputeState, Object},
    paypal::{
        plan_change::{Change, Tenures},
        read,
        subscription::{NewPlan, NewSubscription, Subject, Unit},
    },
    provider::{CallError, List, PaymentProvider, Refund},
};

use crate::desk::{Desk, payment, told};

#[test]
fn a_dispute_knows_its_payment() {
    let desk = Desk::open();
    desk.fake.leave("CUST1", "acme", "paypal", "wallet");
    let (capture, _) = payment(&desk.charge("pay_1", Some("wallet")).unwrap());
    let id = desk.fake.dispute(&capture, "CHARGEBACK");

    let Some((_, Object::Dispute(it))) = read(&desk.fetch("dispute", &id)) else { panic!() };

    assert_eq!((it.payment.as_deref(), it.state), (Some("pay_1"), DisputeState::Opened));
}

#[test]
fn a_customer_leaves_a_way_to_pay_and_takes_it_away() {
    let desk = Desk::open();
    let page = "https://example.com/back";
    let made = block_on(desk.paypal().set_up(&desk.at, "acme", None, page)).unwrap();
    let setup = made.url.rsplit('=').next().unwrap();
    assert!(told(&desk.fetch("setup", setup)).is_empty(), "nobody has agreed yet");

    desk.fake.agree("setup", setup);
    let facts = told(&desk.fetch("setup", setup));
    assert_eq!((facts[0].action, &facts[0].subject[..]), ("payment_method.changed", "acme"));
    let method = facts[0].data["method"].as_str().unwrap().to_owned();
    assert_eq!(told(&desk.fetch("setup", setup)), facts, "it is made once");
    let (_, paid) = payment(&desk.charge("pay_1", Some(&method)).unwrap());
    assert!(paid.succeeded);

    desk.fake.take_away(&method);
    let Some((_, Object::Customer(it))) = read(&desk.fetch("customer", &made.reference)) else {
        panic!()
    };
    assert_eq!(it.method, None);
}

#[test]
fn a_balance_is_in_minor_units() {
    let desk = Desk::open();

    let found = block_on(desk.paypal().balance(&desk.at)).unwrap();

    assert_eq!(found["available"], json!([{"amount": 1234, "currency": "EUR"}]));
}

#[test]
fn a_subscription_is_begun_changed_and_ended() {
    let desk = Desk::open();
    let (paypal, at) = (desk.paypal(), &desk.at);
    let product = block_on(paypal.make_product(at, "product", "Pro")).unwrap();
    let plan = |key: &str, tenures: Tenures| {
        let (name, currency) = ("Pro".to_owned(), "EUR".to_owned());
        let (key, product) = (key.to_owned(), product.clone());
        let new = NewPlan { key, product, name, currency, tenures, unit: Unit::Month, count: 1 };
        block_on(paypal.make_plan(at, &new)).unwrap()
    };
    let pro = plan("pro", Tenures { trials: Vec::new(), price: 3000 });
    let new = NewSubscription {
        key: "sub_1".to_owned(),
        plan: pro.clone(),
        quantity: 3,
        customer: "acme".to_owned(),
        starts_at: Some(Timestamp(1_900_000_000_000)),
    };
    let agreed = block_on(paypal.subscribe(at, &new)).unwrap();
    assert_eq!(block_on(paypal.subscribe(at, &new)).unwrap(), agreed, "it is made once");
    let id = agreed.subscription.as_str();
    assert!(agreed.url.is_some());
    let status = || told(&desk.fetch("subscription", id))[0].data["status"].clone();
    assert_eq!(status(), "incomplete");
    desk.fake.agree("subscription", id);
    assert_eq!(status(), "active");

    // A downgrade with a credit of two periods and a bit.
    let change = Change {
        currency: "EUR".to_owned(),
        plan: pro,
        quantity: 1,
        price: 1000,
        now: 0,
        carried: -2300,
        restarts: None,
    };
    let subject = Subject {
        subscription: id.to_owned(),
        product: product.clone(),
        name: "Basic".to_owned(),
        unit: Unit::Month,
        count: 1,
        customer: "acme".to_owned(),
    };
    let revised = block_on(paypal.change_plan(at, "change_1", &subject, &change)).unwrap();
    assert!(revised.url.is_some(), "the customer agrees");
    let item = told(&desk.fetch("subscription", id))[0].data["items"][0].clone();
    let made = item["price"].as_str().unwrap();
    let cycles = desk.fake.object("plan", made).unwrap()["billing_cycles"].clone();
    let prices: Vec<_> = cycles
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["pricing_scheme"]["fixed_price"]["value"])
        .collect();
    assert_eq!(prices, ["0.00", "7.00", "10.00"]);

    // Another interval begins anew: a new subscription, and the old one is left until it is active.
    let restarts = Some(Timestamp(1_900_000_000_000));
    let yearly = Change { price: 10_000, now: 9_000, carried: 0, restarts, ..change };
    let begun = block_on(paypal.change_plan(at, "change_2", &subject, &yearly)).unwrap();
    assert_ne!(begun.subscription, id);
    assert_eq!(status(), "active");
    block_on(paypal.cancel(at, &begun.subscription, "changed my mind")).unwrap_err();

    block_on(paypal.suspend(at, id, "unpaid")).unwrap();
    assert_eq!(status(), "paused");
    block_on(paypal.suspend(at, id, "unpaid")).unwrap();
    block_on(paypal.activate(at, id, "paid")).unwrap();
    assert_eq!(status(), "active");
    let (from, to) = (Timestamp(0), Timestamp(1));
    assert_eq!(block_on(paypal.transactions(at, id, from, to)).unwrap().len(), 1);
    desk.fake.fail(&[(500, true)]);
    assert!(block_on(paypal.cancel(at, id, "leaves")).is_err());
    block_on(paypal.cancel(at, id, "leaves")).unwrap();
    assert_eq!(status(), "cancelled");
    let late = block_on(paypal.activate(at, id, "comes back"));
    assert!(matches!(late, Err(CallError::Refused(_))), "{late:?}");
    assert_eq!(block_on(paypal.list(at, List::Subscriptions, None, None)).unwrap().items.len(), 2);
}

#[test]
fn an_id_that_leads_elsewhere_is_not_followed() {
    let desk = Desk::open();
    let (paypal, at) = (desk.paypal(), &desk.at);
    let path = "../../v1/oauth2/token";

    assert!(block_on(paypal.fetch(at, "capture", path)).is_err());
    assert!(block_on(paypal.cancel(at, path, "x")).is_err());
    let refund = Refund {
        refund: "rfd_1".to_owned(),
        reference: path.to_owned(),
        amount: 1,
        currency: "EUR".to_owned(),
    };
    assert!(block_on(paypal.refund(at, &refund)).is_err());
    assert!(matches!(desk.charge("pay_1", Some(path)), Err(CallError::Declined { .. })));
    assert_eq!(desk.fake.calls(""), 0, "nothing was sent");
}
