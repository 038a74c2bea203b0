//! Charges and refunds that happen once, refusals, and who is asked to confirm.

use std::time::Duration;

use pollster::block_on;
use serde_json::json;
use shared::open::Open;
use stripe::{
    paypal::{event::hint, read},
    provider::{CallError, Charge, PaymentProvider, Refund},
};

use crate::desk::{Desk, charge, payment, told};

#[test]
fn a_charge_by_the_vault_is_paid_at_once() {
    let desk = Desk::open();
    desk.fake.leave("CUST1", "acme", "paypal", "wallet");

    let paid = desk.charge("pay_1", Some("wallet")).unwrap();

    let (id, it) = payment(&paid);
    assert_eq!(id, desk.fake.capture());
    assert_eq!((it.payment.as_deref(), it.succeeded, it.fee), (Some("pay_1"), true, Some(69)));
    assert_eq!(desk.fake.paid(), ["11.90"]);
    assert_eq!(read(&desk.fetch("capture", &id)), read(&paid));
}

#[test]
fn a_charge_that_is_captured_by_a_second_call_is_paid_as_well() {
    let desk = Desk::open();
    desk.fake.leave("CUST1", "acme", "card", "card-later");

    let (_, it) = payment(&desk.charge("pay_1", Some("card-later")).unwrap());

    assert!(it.succeeded);
    assert_eq!(desk.fake.calls("POST /v2/checkout/orders"), 2);
}

#[test]
fn an_answer_that_is_lost_does_not_charge_twice() {
    let desk = Desk::open();
    // The look at the method goes well, and then the last call's answer is lost.
    let all = [
        ("wallet", vec![(0, false), (500, true)]),
        ("wallet-later", vec![(0, false), (0, false), (500, true)]),
    ];
    for (number, (method, failures)) in all.into_iter().enumerate() {
        desk.fake.leave("CUST1", "acme", "paypal", method);
        let id = format!("pay_{number}");
        desk.fake.fail(&failures);
        let lost = desk.charge(&id, Some(method));
        assert!(matches!(lost, Err(CallError::Later { .. })), "{lost:?}");
        assert_eq!(desk.fake.paid().len(), number + 1, "the money is there, and nobody knows");

        let (_, it) = payment(&desk.charge(&id, Some(method)).unwrap());

        assert!(it.succeeded);
        assert_eq!(desk.fake.paid().len(), number + 1);
    }
}

#[test]
fn a_call_that_paypal_forgot_does_not_charge_twice() {
    let desk = Desk::open();
    desk.fake.leave("CUST1", "acme", "paypal", "wallet");
    let first = payment(&desk.charge("pay_1", Some("wallet")).unwrap());

    desk.fake.forget_calls();
    let found = block_on(desk.paypal().charged(&desk.at, "pay_1")).unwrap();
    assert_eq!(payment(&found.unwrap()), first);
    assert_eq!(block_on(desk.paypal().charged(&desk.at, "pay_2")), Ok(None));
    // Nor where nobody looks before.
    let again = payment(&desk.charge("pay_1", Some("wallet")).unwrap());

    assert_eq!(again, first);
    assert_eq!(desk.fake.paid().len(), 1);
}

#[test]
fn who_may_not_look_is_kept_from_charging_twice_by_the_invoice() {
    let desk = Desk::open();
    desk.fake.leave("CUST1", "acme", "paypal", "wallet");
    desk.charge("pay_1", Some("wallet")).unwrap();
    desk.fake.forbid("/v1/reporting");
    desk.fake.forget_calls();

    assert_eq!(block_on(desk.paypal().charged(&desk.at, "pay_1")), Ok(None));
    let again = desk.charge("pay_1", Some("wallet"));

    assert!(matches!(again, Err(CallError::Later { .. })), "it is no refusal: {again:?}");
    assert_eq!(desk.fake.paid().len(), 1);
}

#[test]
fn a_refusal_has_its_code() {
    let desk = Desk::open();
    desk.fake.leave("CUST1", "acme", "paypal", "declined");
    desk.fake.leave("CUST1", "acme", "paypal", "refused-later");
    desk.fake.leave("CUST1", "acme", "card", "poor");

    for method in ["declined", "refused-later"] {
        let refused = desk.charge(&format!("pay_{method}"), Some(method)).unwrap_err();
        assert!(
            matches!(&refused, CallError::Declined { code, .. } if code == "INSTRUMENT_DECLINED"),
            "{refused:?}"
        );
    }
    let (_, poor) = payment(&desk.charge("pay_3", Some("poor")).unwrap());
    assert_eq!(poor.refused.map(|it| it.1).as_deref(), Some("5120"));
    let gone = desk.charge("pay_4", Some("nobodys")).unwrap_err();
    assert!(matches!(gone, CallError::Declined { code, .. } if code == "METHOD_GONE"));
    assert!(desk.fake.paid().is_empty());
}

#[test]
fn an_amount_that_paypal_does_not_take_is_never_sent() {
    let desk = Desk::open();
    desk.fake.leave("CUST1", "acme", "paypal", "wallet");
    let forints =
        Charge { amount: 150, currency: "HUF".to_owned(), ..charge("pay_1", Some("wallet")) };

    let refused = block_on(desk.paypal().charge(&desk.at, &forints)).unwrap_err();

    assert!(matches!(refused, CallError::Refused(why) if why.contains("without decimals")));
    assert_eq!(desk.fake.calls("POST"), 0);
}

#[test]
fn a_charge_without_a_method_waits_for_its_customer() {
    let desk = Desk::open();

    let made = desk.charge("pay_1", None).unwrap();

    let facts = told(&made);
    assert_eq!(facts[0].action, "payment.action_required");
    let (order, _) = payment(&made);
    assert!(facts[0].data["url"].as_str().unwrap().ends_with(&order));
    assert_eq!(desk.fetch("order", &order)["status"], "PAYER_ACTION_REQUIRED");

    desk.fake.approve(&order);
    let event = desk.fake.events().pop().unwrap();
    let (kind, id) = hint(&event).unwrap().object.unwrap();
    let (_, it) = payment(&desk.fetch(&kind, &id));
    assert!(it.succeeded, "who looks at an order that is approved captures it");
    let (_, again) = payment(&desk.fetch(&kind, &id));
    assert_eq!((again, desk.fake.paid().len()), (it, 1));
}

#[test]
fn a_method_that_asks_its_customer_says_where() {
    let desk = Desk::open();
    desk.fake.leave("CUST1", "acme", "card", "action");

    let facts = told(&desk.charge("pay_1", Some("action")).unwrap());

    assert_eq!(facts[0].action, "payment.action_required");
}

#[test]
fn a_refund_is_made_once_and_told_with_its_payment() {
    let desk = Desk::open();
    desk.fake.leave("CUST1", "acme", "paypal", "wallet");
    let (reference, _) = payment(&desk.charge("pay_1", Some("wallet")).unwrap());
    let refund = |id: &str, amount: i64| Refund {
        refund: id.to_owned(),
        reference: reference.clone(),
        amount,
        currency: "EUR".to_owned(),
    };

    desk.fake.fail(&[(500, true)]);
    assert!(block_on(desk.paypal().refund(&desk.at, &refund("rfd_1", 300))).is_err());
    let paid = block_on(desk.paypal().refund(&desk.at, &refund("rfd_1", 300))).unwrap();

    let facts = told(&paid);
    assert_eq!((facts[1].action, &facts[1].data["refund"]), ("payment.refunded", &json!("rfd_1")));
    let event = desk.fake.events().pop().unwrap();
    let (kind, id) = hint(&event).unwrap().object.unwrap();
    assert_eq!(read(&desk.fetch(&kind, &id)), read(&paid), "its event leads to the same");
    let too_much = block_on(desk.paypal().refund(&desk.at, &refund("rfd_2", 900)));
    assert!(matches!(too_much, Err(CallError::Refused(why)) if why.contains("EXCEEDED")));
}

#[test]
fn a_token_is_kept_and_replaced_when_it_is_not_taken() {
    let desk = Desk::open();
    desk.fake.leave("CUST1", "acme", "paypal", "wallet");
    desk.charge("pay_1", Some("wallet")).unwrap();
    desk.charge("pay_2", Some("wallet")).unwrap();
    assert_eq!(desk.fake.calls("POST /v1/oauth2/token"), 1);

    desk.fake.revoke_tokens();
    desk.charge("pay_3", Some("wallet")).unwrap();
    assert_eq!(desk.fake.calls("POST /v1/oauth2/token"), 2);

    // Nine hours are over before the day is.
    desk.memory.advance(Duration::from_secs(9 * 3_600));
    let at = block_on(Open::system(&desk.memory, &desk.memory.store("ten_1"), "ten_1", false));
    let it = charge("pay_4", Some("wallet"));
    block_on(desk.paypal().charge(&at.unwrap(), &it)).unwrap();
    assert_eq!(desk.fake.calls("POST /v1/oauth2/token"), 3);

    // Another secret has no use of the token of the old one.
    let it = block_on(desk.paypal_of("another").charge(&desk.at, &charge("pay_5", None)));
    assert!(matches!(it, Err(CallError::Later { .. })), "a key is no word on a payment: {it:?}");
}

#[test]
fn a_wait_that_paypal_asks_for_is_told() {
    let desk = Desk::open();
    desk.fake.fail(&[(429, false)]);

    let later = desk.charge("pay_1", None).unwrap_err();

    assert!(matches!(later, CallError::Later { after: Some(7), .. }), "{later:?}");
}
