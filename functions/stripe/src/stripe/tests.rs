//! Stripe's shapes, as their public schema has them.

use serde_json::Value;

use shared::{
    http::{HeaderMap, StatusCode},
    ports::HttpResponse,
};

use super::{client::understood, event::hint, read};
use crate::mirror::{Fact, Object, news};
use crate::provider::CallError;

fn fixture(name: &str) -> Value {
    let path = format!("{}/../../fixtures/stripe/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn told(id: &str, known: Option<&Object>, fetched: Object) -> Vec<Fact> {
    news(id, known, fetched).map(|it| it.1).unwrap_or_default()
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

    let actions: Vec<_> = told(&id, Some(&declined), paid).iter().map(|it| it.action).collect();
    assert_eq!(actions, ["payment.succeeded", "payment.refunded"]);
    let refused = told(&id, None, declined);
    assert_eq!(refused[0].action, "payment.failed");
    assert_eq!(refused[0].data["code"], "insufficient_funds");
}

#[test]
fn a_payment_that_is_cancelled_has_failed() {
    let cancelled = serde_json::json!({
        "id": "pi_1", "object": "payment_intent", "status": "canceled", "amount": 1000,
        "currency": "eur", "cancellation_reason": "abandoned", "metadata": {"payment": "pay_1"},
    });
    let Some((id, cancelled)) = read(&cancelled) else { panic!("no payment") };

    let facts = told(&id, None, cancelled);
    assert_eq!((facts[0].action, &facts[0].data["code"]), ("payment.failed", &"abandoned".into()));
}

#[test]
fn a_fee_in_another_currency_is_no_part_of_a_payment() {
    let fee = |settled: &str| {
        let paid = serde_json::json!({
            "id": "pi_1", "object": "payment_intent", "status": "succeeded", "amount": 500,
            "currency": "isk", "metadata": {"payment": "pay_1"}, "latest_charge": {
                "id": "ch_1", "balance_transaction": {"fee": 100, "currency": settled}},
        });
        match read(&paid) {
            Some((_, Object::Payment(it))) => (it.amount, it.fee),
            _ => panic!("no payment"),
        }
    };

    assert_eq!((fee("isk"), fee("eur")), ((5, Some(1)), (5, None)));
}

#[test]
fn only_a_word_on_the_payment_is_a_refusal() {
    let answer = |status: u16, body: &serde_json::Value| HttpResponse {
        status: StatusCode::from_u16(status).unwrap(),
        headers: HeaderMap::new(),
        body: body.to_string().into(),
        cut: false,
    };
    let error = |kind: &str| serde_json::json!({"error": {"type": kind, "message": "no"}});
    let is_later = |status, kind| {
        matches!(understood(&answer(status, &error(kind))), Err(CallError::Later { .. }))
    };

    for status in [401, 403, 409, 429, 500, 503] {
        assert!(is_later(status, "api_error"), "{status}");
    }
    assert!(is_later(400, "idempotency_error"), "the first call may have had its effect");
    assert!(!is_later(400, "invalid_request_error") && !is_later(402, "card_error"));
}

#[test]
fn what_a_customer_may_use_is_fetched_by_the_customer() {
    let event = serde_json::json!({
        "id": "evt_1", "type": "entitlements.active_entitlement_summary.updated", "created": 1,
        "data": {"object": {"object": "entitlements.active_entitlement_summary", "customer": "cus_1"}},
    });

    let object = hint(&event).unwrap().object.unwrap();
    assert_eq!(object, ("entitlements.active_entitlement_summary".to_owned(), "cus_1".to_owned()));
}

#[test]
fn a_customer_tells_how_it_pays() {
    let Some((id, customer)) = read(&fixture("customer")) else { panic!("no customer") };

    let facts = told(&id, None, customer);

    assert_eq!(facts[0].subject, "acme");
    assert_eq!(facts[0].data["method"], "pm_1");
    assert_eq!(facts[0].data["expires"], "2031-04");
}
