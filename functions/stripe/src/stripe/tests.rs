//! Stripe's shapes, as their public schema has them.

use serde_json::Value;

use super::{event::hint, read};
use crate::mirror::{Object, facts};

fn fixture(name: &str) -> Value {
    let path = format!("{}/../../fixtures/stripe/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn both_shapes_of_a_subscription_say_the_same() {
    let (old, new) = (fixture("subscription-acacia"), fixture("subscription-basil"));

    assert_eq!(read(&old), read(&new));
    let Some((_, Object::Subscription(it))) = read(&new) else { panic!("no subscription") };
    assert_eq!((it.period_from, it.period_to), (Some(1_893_456_000), Some(1_896_134_400)));
    assert_eq!((it.items[0].quantity, it.customer.as_deref()), (3, Some("acme")));
}

#[test]
fn an_event_is_a_hint_of_what_to_fetch() {
    let of = |name: &str| hint(&fixture(name)).unwrap();

    let subscription = of("event-subscription-acacia");
    assert_eq!(subscription.api_version.as_deref(), Some("2024-11-20.acacia"));
    assert_eq!(subscription.object, Some(("subscription".to_owned(), "sub_P1".to_owned())));
    let refunded = of("event-charge-refunded");
    assert_eq!(refunded.object, Some(("payment_intent".to_owned(), "pi_1".to_owned())));
    assert_eq!(refunded.connect.as_deref(), Some("acct_9"));
    let thin = of("event-thin");
    assert_eq!(thin.object, Some(("customer".to_owned(), "cus_1".to_owned())));
    assert_eq!(thin.created, 1_893_456_000);
}

#[test]
fn what_is_no_event_gives_no_hint_and_a_strange_id_is_not_fetched() {
    assert_eq!(hint(&serde_json::json!({"id": "evt_1"})), None);
    assert_eq!(hint(&serde_json::json!([])), None);
    let strange = serde_json::json!({
        "id": "evt_1", "type": "customer.updated", "created": 1,
        "data": {"object": {"id": "../v1/balance", "object": "customer"}},
    });
    assert_eq!(hint(&strange).unwrap().object, None);
}

#[test]
fn a_payment_tells_its_fee_its_refunds_and_why_it_was_refused() {
    let Some((id, paid)) = read(&fixture("payment-succeeded")) else { panic!("no payment") };
    let Some((_, declined)) = read(&fixture("payment-declined")) else { panic!("no payment") };

    let told: Vec<_> = facts(&id, Some(&declined), &paid).iter().map(|it| it.action).collect();
    assert_eq!(told, ["payment.succeeded", "payment.refunded"]);
    let refused = facts(&id, None, &declined);
    assert_eq!(refused[0].action, "payment.failed");
    assert_eq!(refused[0].data["code"], "insufficient_funds");
}

#[test]
fn a_customer_tells_how_it_pays() {
    let Some((id, customer)) = read(&fixture("customer")) else { panic!("no customer") };

    let facts = facts(&id, None, &customer);

    assert_eq!(facts[0].subject, "acme");
    assert_eq!(facts[0].data["method"], "pm_1");
    assert_eq!(facts[0].data["expires"], "2031-04");
}
