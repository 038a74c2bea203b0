//! PayPal's shapes, as its public schema has them: what they say, and what is told of them.

mod schedules;
mod verify;

use serde_json::{Value, json};
use shared::{
    http::{HeaderMap, StatusCode},
    ports::HttpResponse,
};

use super::{
    error::{Failure, understood},
    event::hint,
    read,
};
use crate::{
    mirror::{DisputeState, Fact, Object, news},
    provider::CallError,
};

fn text_of(name: &str) -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/paypal");
    std::fs::read_to_string(format!("{folder}/{name}")).unwrap()
}

fn fixture(name: &str) -> Value {
    serde_json::from_str(&text_of(&format!("{name}.json"))).unwrap()
}

/// What is told of an object that nobody knew.
fn told(it: &Value) -> Vec<Fact> {
    let (id, object) = read(it).unwrap();
    news(&id, None, object).map(|it| it.1).unwrap_or_default()
}

#[test]
fn an_event_is_a_hint_of_what_to_fetch() {
    let object = |name: &str| hint(&fixture(name)).unwrap().object.unwrap();
    let pair = |kind: &str, id: &str| (kind.to_owned(), id.to_owned());

    assert_eq!(object("event-capture-completed"), pair("capture", "42311647XV020574X"));
    assert_eq!(object("event-capture-refunded"), pair("refund", "1JU08902781691411"));
    assert_eq!(object("event-sale-completed"), pair("subscription", "I-BW452GLLEP1G"));
    assert_eq!(object("event-dispute-created"), pair("dispute", "PP-D-27803"));
    assert_eq!(object("event-token-created"), pair("customer", "customer_4029352050"));
    let event = hint(&fixture("event-capture-completed")).unwrap();
    assert_eq!((event.kind.as_str(), event.created), ("PAYMENT.CAPTURE.COMPLETED", 1_893_456_000));
}

#[test]
fn each_family_of_events_has_its_object() {
    let kind = |event: &str| {
        let resource = json!({"id": "A1", "dispute_id": "D1", "order_id": "O1",
            "customer": {"id": "C1"}, "sale_id": "S1"});
        let event = json!({"id": "WH-1", "event_type": event, "resource": resource,
            "create_time": "2030-01-01T00:00:00Z"});
        hint(&event).unwrap().object.map(|it| format!("{}/{}", it.0, it.1))
    };
    let all = [
        ("BILLING.SUBSCRIPTION.CREATED", "subscription/A1"),
        ("BILLING.SUBSCRIPTION.PAYMENT.FAILED", "subscription/A1"),
        ("PAYMENT.SALE.COMPLETED", "sale/A1"),
        ("PAYMENT.SALE.REFUNDED", "sale_refund/A1"),
        ("PAYMENT.CAPTURE.DENIED", "capture/A1"),
        ("PAYMENT.CAPTURE.REFUNDED", "refund/A1"),
        ("PAYMENT.CAPTURE.REVERSED", "capture/A1"),
        ("PAYMENT.REFUND.FAILED", "refund/A1"),
        ("PAYMENT.AUTHORIZATION.VOIDED", "authorization/A1"),
        ("CUSTOMER.DISPUTE.RESOLVED", "dispute/D1"),
        ("VAULT.PAYMENT-TOKEN.DELETED", "customer/C1"),
        ("CHECKOUT.ORDER.APPROVED", "order/A1"),
        ("CHECKOUT.PAYMENT-APPROVAL.REVERSED", "order/O1"),
    ];
    for (event, object) in all {
        assert_eq!(kind(event).as_deref(), Some(object), "{event}");
    }
    assert_eq!(kind("MERCHANT.ONBOARDING.COMPLETED"), None);
}

#[test]
fn what_is_no_event_gives_no_hint_and_a_strange_id_is_not_fetched() {
    assert_eq!(hint(&json!({"id": "WH-1"})), None);
    assert_eq!(hint(&json!([])), None);
    for id in ["../../v1/oauth2/token", "a?b", "", &"a".repeat(101)] {
        let mut event = fixture("event-capture-completed");
        event["resource"]["id"] = json!(id);
        assert_eq!(hint(&event).unwrap().object, None, "{id}");
    }
}

#[test]
fn a_capture_tells_its_fee_its_refunds_and_why_it_was_declined() {
    let paid = told(&fixture("capture"));
    assert_eq!(paid[0].action, "payment.succeeded");
    assert_eq!(
        (&paid[0].subject[..], &paid[0].data["reference"]),
        ("pay_1", &json!("42311647XV020574X"))
    );
    assert_eq!((&paid[0].data["amount"], &paid[0].data["fee"]), (&json!(1190), &json!(69)));

    let refunded = told(&fixture("capture-refunded"));
    let actions: Vec<_> = refunded.iter().map(|it| it.action).collect();
    assert_eq!(actions, ["payment.succeeded", "payment.refunded"]);
    assert_eq!(
        (&refunded[1].data["refund"], &refunded[1].data["amount"]),
        (&json!("rfd_1"), &json!(300))
    );

    let declined = told(&fixture("capture-declined"));
    assert_eq!((declined[0].action, &declined[0].data["code"]), ("payment.failed", &json!("5120")));
}

#[test]
fn an_order_is_its_capture_once_there_is_one() {
    assert_eq!(read(&fixture("order-completed")), read(&fixture("capture-refunded")));

    let waiting = told(&fixture("order-payer-action"));

    assert_eq!(waiting[0].action, "payment.action_required");
    let page = "https://www.paypal.com/checkoutnow?token=5O190127TN364715T";
    assert_eq!(waiting[0].data["url"], page);
}

#[test]
fn a_payment_that_is_not_ours_tells_nothing() {
    for custom in [json!(null), json!("order-17"), json!("rfd_1")] {
        let mut it = fixture("capture");
        it["custom_id"] = custom;
        assert_eq!(told(&it), []);
    }
}

#[test]
fn a_sale_of_version_one_is_a_payment_as_well() {
    let facts = told(&fixture("sale"));

    assert_eq!((facts[0].action, &facts[0].data["currency"]), ("payment.succeeded", &json!("USD")));
    assert_eq!((&facts[0].data["amount"], &facts[0].data["fee"]), (&json!(1999), &json!(88)));
}

#[test]
fn an_amount_that_cannot_be_read_is_nobodys_payment() {
    let mut it = fixture("capture");
    it["amount"]["value"] = json!("11.905");
    assert_eq!(read(&it), None);
    it["amount"] = json!({"currency_code": "XYZ", "value": "1"});
    assert_eq!(read(&it), None);
}

#[test]
fn a_dispute_goes_by_its_stage_and_outcome() {
    let state = |stage: &str, status: &str, outcome: &str| {
        let mut it = fixture("dispute");
        it["dispute_life_cycle_stage"] = json!(stage);
        it["status"] = json!(status);
        it["dispute_outcome"]["outcome_code"] = json!(outcome);
        let Some((_, Object::Dispute(it))) = read(&it) else { panic!("no dispute") };
        it.state
    };
    assert_eq!(state("INQUIRY", "OPEN", ""), DisputeState::Asked);
    assert_eq!(state("INQUIRY", "RESOLVED", "CANCELED_BY_BUYER"), DisputeState::Asked);
    assert_eq!(state("CHARGEBACK", "UNDER_REVIEW", ""), DisputeState::Opened);
    assert_eq!(state("CHARGEBACK", "RESOLVED", "RESOLVED_BUYER_FAVOUR"), DisputeState::Lost);
    assert_eq!(state("ARBITRATION", "RESOLVED", "ACCEPTED"), DisputeState::Lost);
    assert_eq!(state("CHARGEBACK", "RESOLVED", "RESOLVED_SELLER_FAVOUR"), DisputeState::Won);
    let states: Vec<_> =
        told(&fixture("dispute")).iter().map(|it| it.data["state"].clone()).collect();
    assert_eq!(states, ["opened", "lost"]);
}

#[test]
fn a_customer_tells_how_it_pays() {
    let facts = told(&fixture("customer"));

    assert_eq!((facts[0].action, &facts[0].subject[..]), ("payment_method.changed", "acme"));
    let data = &facts[0].data;
    assert_eq!([&data["method"], &data["kind"]], [&json!("8kk8451t"), &json!("card")]);
    assert_eq!([&data["last4"], &data["expires"]], [&json!("1111"), &json!("2031-04")]);
}

#[test]
fn a_customer_that_took_all_its_methods_away_pays_by_nothing() {
    let (_, known) = read(&fixture("customer")).unwrap();
    let empty = json!({"object": "customer", "id": "customer_4029352050", "payment_tokens": []});
    let (id, object) = read(&empty).unwrap();

    let (_, facts) = news(&id, Some(&known), object).unwrap();

    assert_eq!((&facts[0].subject[..], &facts[0].data["method"]), ("acme", &Value::Null));
}

#[test]
fn a_subscription_is_told_in_our_words() {
    let facts = told(&fixture("subscription"));

    let data = &facts[0].data;
    assert_eq!(
        (facts[0].action, &facts[0].subject[..]),
        ("subscription.mirrored", "I-BW452GLLEP1G")
    );
    assert_eq!([&data["customer"], &data["status"]], [&json!("acme"), &json!("active")]);
    let item = json!([{"price": "P-5ML4271244454362WXNWU5NQ", "product": "PROD-XXCD1234QWER65782",
        "quantity": 3}]);
    assert_eq!([&data["items"], &data["currency"]], [&item, &json!("EUR")]);
    assert_eq!(data["period_from"], "2030-02-01T00:00:00.000Z");
    assert_eq!(data["period_to"], "2030-03-01T00:00:00.000Z");
}

#[test]
fn the_states_of_a_subscription_are_ours() {
    let status = |change: &dyn Fn(&mut Value)| {
        let mut it = fixture("subscription");
        change(&mut it);
        told(&it)[0].data["status"].clone()
    };
    let plain = |word: &'static str| status(&|it| it["status"] = json!(word));
    assert_eq!(plain("APPROVAL_PENDING"), "incomplete");
    assert_eq!(plain("SUSPENDED"), "paused");
    assert_eq!([plain("CANCELLED"), plain("EXPIRED")], ["cancelled", "cancelled"]);
    assert_eq!(status(&|it| it["billing_info"]["failed_payments_count"] = json!(1)), "past_due");
    let trial = status(&|it| {
        it["billing_info"]["cycle_executions"][1]["cycles_completed"] = json!(0);
    });
    assert_eq!(trial, "trialing");
}

fn answer(status: u16, body: &Value) -> HttpResponse {
    HttpResponse {
        status: StatusCode::from_u16(status).unwrap(),
        headers: HeaderMap::new(),
        body: body.to_string().into(),
        cut: false,
    }
}

#[test]
fn only_a_word_on_the_payment_is_a_refusal_of_it() {
    let call = |status: u16, issue: &str| {
        let body = json!({"name": "UNPROCESSABLE_ENTITY", "debug_id": "d1",
            "details": [{"issue": issue, "description": "no"}]});
        CallError::from(understood(&answer(status, &body)).unwrap_err())
    };
    for status in [401, 403, 408, 409, 429, 500, 503] {
        assert!(matches!(call(status, "X"), CallError::Later { .. }), "{status}");
    }
    let busy = call(422, "PREVIOUS_REQUEST_IN_PROGRESS");
    assert!(matches!(busy, CallError::Later { .. }), "the first call may have its effect yet");
    assert!(matches!(call(422, "INSTRUMENT_DECLINED"),
        CallError::Declined { code, .. } if code == "INSTRUMENT_DECLINED"));
    let refused = call(422, "INVALID_PARAMETER_VALUE");
    assert!(
        matches!(&refused, CallError::Refused(why) if why.contains("debug id d1")),
        "{refused}"
    );
}

#[test]
fn an_answer_that_breaks_off_is_none_and_a_wait_is_heeded() {
    let cut = HttpResponse { cut: true, ..answer(201, &json!({"id": "1"})) };
    assert!(matches!(understood(&cut), Err(Failure::Later { .. })));
    let empty = HttpResponse { body: Default::default(), ..answer(204, &Value::Null) };
    assert_eq!(understood(&empty), Ok(Value::Null));
    let mut busy = answer(429, &Value::Null);
    busy.headers.insert("retry-after", "7".parse().unwrap());
    assert!(matches!(understood(&busy), Err(Failure::Later { after: Some(7), .. })));
    busy.headers.insert("retry-after", "9999999".parse().unwrap());
    assert!(matches!(understood(&busy), Err(Failure::Later { after: Some(3600), .. })));
}
