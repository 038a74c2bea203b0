//! Webhooks that are believed or not, in any order, and the lists of what never came.

use std::{cell::Cell, collections::BTreeMap, time::Duration};

use pollster::block_on;
use serde_json::Value;
use shared::ports::Tenant;
use stripe::{
    mirror::{Object, news},
    paypal::{event::hint, read},
    provider::{CallError, List, PaymentProvider, Unbelieved},
};
use tests::fake_paypal::WEBHOOK_ID;

use crate::desk::{Desk, payment, told};

/// Why it is refused, in the word that is counted.
fn word(believed: Result<(), Unbelieved>) -> &'static str {
    match believed {
        Err(Unbelieved::Refused { word, .. }) => word,
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn a_webhook_is_believed_by_its_signature_alone() {
    let desk = Desk::open();
    desk.fake.leave("CUST1", "acme", "paypal", "wallet");
    let body = desk.fake.events().pop().unwrap().to_string();

    assert_eq!(desk.believe(body.as_bytes(), WEBHOOK_ID), Ok(()));
    assert_eq!(desk.believe(body.as_bytes(), WEBHOOK_ID), Ok(()));
    assert_eq!(desk.fake.calls("GET /v1/notifications/certs/"), 1, "the certificate is kept");
    assert_eq!(desk.fake.calls("POST"), 0, "PayPal is not asked");

    let other = desk.believe(body.as_bytes(), "ANOTHER");
    assert_eq!(word(other), "signature");
    let simulated = desk.believe(body.as_bytes(), "WEBHOOK_ID");
    assert_eq!(word(simulated), "simulator");
    assert_eq!(desk.fake.calls("POST"), 0, "what is wrong stays wrong");
}

#[test]
fn paypal_is_asked_when_its_certificate_cannot_be_fetched() {
    let desk = Desk::open();
    desk.fake.leave("CUST1", "acme", "paypal", "wallet");
    let body = desk.fake.events().pop().unwrap().to_string();
    desk.fake.hide_certificates(true);

    assert_eq!(desk.believe(body.as_bytes(), WEBHOOK_ID), Ok(()), "the body is sent as it came");
    let made_up = br#"{"id": "WH-0", "event_type": "PAYMENT.CAPTURE.COMPLETED"}"#;
    let denied = desk.believe(made_up, WEBHOOK_ID);
    assert_eq!(word(denied), "denied");
    desk.fake.fail(&[(503, false)]);
    let unknown = desk.believe(body.as_bytes(), WEBHOOK_ID);
    assert!(matches!(unknown, Err(Unbelieved::Unknown(CallError::Later { .. }))), "{unknown:?}");
}

#[test]
fn a_certificate_that_is_not_trusted_is_not_kept() {
    let desk = Desk::open();
    desk.fake.leave("CUST1", "acme", "paypal", "wallet");
    let body = desk.fake.events().pop().unwrap().to_string();
    desk.fake.publish(include_str!("../../../fixtures/paypal/certificates/unknown.pem"));
    for _ in 0..2 {
        let refused = desk.believe(body.as_bytes(), WEBHOOK_ID);
        assert_eq!(word(refused), "certificate");
    }
    assert_eq!(desk.fake.calls("GET /v1/notifications/certs/"), 2);
    assert_eq!(desk.fake.calls("POST"), 0, "nor is PayPal asked");

    desk.fake.publish(include_str!("../../../fixtures/paypal/certificates/good.pem"));
    assert_eq!(desk.believe(body.as_bytes(), WEBHOOK_ID), Ok(()));
}

#[test]
fn events_that_are_mixed_up_end_the_same() {
    let desk = Desk::open();
    desk.fake.leave("CUST1", "acme", "paypal", "wallet");
    let (capture, _) = payment(&desk.charge("pay_1", Some("wallet")).unwrap());
    desk.fake.refund_by_hand(&capture, "3.00");
    desk.fake.refund_by_hand(&capture, "8.90");
    desk.fake.dispute(&capture, "CHARGEBACK");

    for seed in 0..20_u64 {
        let state = Cell::new(seed);
        let chance = |below: usize| {
            state.set(state.get().wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
            (state.get() >> 33) as usize % below
        };
        let (mut mirror, mut facts) = (BTreeMap::new(), Vec::new());
        // What the network loses, PayPal's list of events still has.
        for event in desk.fake.scrambled(chance).into_iter().chain(desk.fake.events()) {
            let (kind, id) = hint(&event).unwrap().object.unwrap();
            let (id, object) = read(&desk.fetch(&kind, &id)).unwrap();
            if let Some((after, told)) = news(&id, mirror.get(&id), object) {
                mirror.insert(id, after);
                facts.extend(told.into_iter().map(|it| it.action));
            }
        }
        facts.sort_unstable();
        let refunded = ["payment.disputed", "payment.refunded", "payment.refunded"];
        assert_eq!(
            facts,
            [&refunded[..], &["payment.succeeded", "payment_method.changed"]].concat()
        );
        // Our own limit on calls lets thirty through in a second.
        desk.memory.advance(Duration::from_secs(2));
    }
}

#[test]
fn lists_are_read_page_by_page() {
    let desk = Desk::open();
    desk.fake.leave("CUST1", "acme", "paypal", "wallet");
    for number in 0..3 {
        desk.charge(&format!("pay_{number}"), Some("wallet")).unwrap();
    }
    let captures = desk.fake.events().len();
    let first = desk.fake.events()[1]["resource"]["id"].as_str().unwrap().to_owned();
    desk.fake.refund_by_hand(&first, "3.00");
    desk.fake.dispute(&first, "CHARGEBACK");
    assert_eq!(captures, 4);
    let all = |what: List, since: Option<i64>| -> Vec<Value> {
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let paypal = desk.paypal();
            let page = block_on(paypal.list(&desk.at, what, since, after.as_deref())).unwrap();
            found.extend(page.items);
            after = page.next;
            if after.is_none() {
                return found;
            }
        }
    };

    let events = all(List::Events, Some(desk.at.real_now().seconds() - 60));
    assert_eq!(events, desk.fake.events());
    assert!(events.iter().all(|it| hint(it).is_some()));
    let payments = all(List::Payments, None);
    assert_eq!(payments.len(), 4, "three captures, and one with its refund");
    for it in &payments {
        let (id, known) = payment(&desk.fetch("capture", it["id"].as_str().unwrap()));
        let drift = news(&id, Some(&Object::Payment(known)), read(it).unwrap().1);
        let refunds = drift.map_or(0, |it| it.1.len());
        assert_eq!(
            refunds,
            usize::from(it["refunds"].is_array()),
            "a list says what fetching does"
        );
    }
    assert_eq!(told(&all(List::Disputes, None)[0])[0].data["payment"], "pay_0");
    assert!(all(List::Customers, None).is_empty());
    let strange = block_on(desk.paypal().list(&desk.at, List::Events, None, Some("a#b")));
    assert!(matches!(strange, Err(CallError::Refused(_))));
}
