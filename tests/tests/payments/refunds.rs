//! Refunds that are asked for, and setups of how a customer pays.

use serde_json::{Value, json};
use tests::{host::Host, shop::Shop};

/// What a refund of the whole first invoice comes to.
fn refund(shop: &Shop, subscription: &str) {
    let path = format!("/v1/billing/subscriptions/{subscription}/cancel");
    shop.send("POST", &path, json!({"at": "now", "unused": "refund"}));
}

fn a_refund_is_made_once(host: &Host) {
    let shop = Shop::open(host);
    let it = shop.subscribe("pm_card_visa");
    shop.until_state(&it, "active");
    refund(&shop, &it);

    shop.until_told("payment.refunded", 1);
    shop.until("/v1/billing/invoices", |it| it["items"][0]["refunded"] != 0);
    // The webhook of it comes late, and tells nothing new.
    for event in shop.fake.events() {
        assert_eq!(shop.webhook(&event.to_string()).status, 200);
    }
    shop.until("/v1/jobs", crate::is_later);
    assert_eq!((shop.told("payment.refunded"), shop.told("refund.failed")), (1, 0));
    assert_eq!(shop.fake.calls("POST /v1/refunds"), 1);
}

/// What the provider does not pay back is told, once, and the credit note stays.
fn a_refund_that_the_provider_refuses_is_told(host: &Host) {
    let shop = Shop::open(host);
    let it = shop.subscribe("pm_card_visa");
    shop.until_state(&it, "active");
    shop.fake.fail(&[(400, false)]);
    refund(&shop, &it);

    shop.until_told("refund.failed", 1);

    let log = shop.get("/v1/log?limit=100").json();
    let told = log["items"].as_array().unwrap().iter().find(|it| it["action"] == "refund.failed");
    let told = &told.unwrap()["data"];
    assert_eq!((&told["code"], &told["provider"]), (&json!("refused"), &json!("stripe")));
    assert!(told["amount"].as_i64().unwrap() > 0 && told["payment"].is_string(), "{told}");
    assert_eq!((shop.told("credit_note.issued"), shop.told("payment.refunded")), (1, 0));
    let dead = shop.get("/v1/jobs?state=dead").json();
    assert_eq!(dead["items"][0]["kind"], "stripe.refund", "it can have its tries again");
}

fn a_setup_is_completed(host: &Host) {
    let shop = Shop::open(host);
    let path = format!("/v1/payments/accounts/{}/setups", shop.account);
    let new = json!({"customer": "acme", "return_url": "https://tea.example/back"});
    let made = shop.send("POST", &path, new);
    let setup = made.text("/id");
    let customer = shop.fake.object(&setup).unwrap()["customer"].as_str().unwrap().to_owned();
    shop.fake.attach(&customer, "pm_card_visa");

    shop.send("POST", &format!("{path}/{setup}/complete"), Value::Null);
    shop.until_told("payment_method.changed", 1);

    let none = host.ask("POST", &format!("{path}/no%20id/complete"), &shop.key, &Value::Null);
    assert_eq!(none.status, 404);
    let bad = json!({"customer": "acme", "return_url": "javascript:alert(1)"});
    assert_eq!(host.ask("POST", &path, &shop.key, &bad).status, 422);
}

#[test]
fn a_refund() {
    Host::everywhere("refund", &[], a_refund_is_made_once);
}

#[test]
fn a_refused_refund() {
    Host::everywhere("refund refused", &[], a_refund_that_the_provider_refuses_is_told);
}

#[test]
fn a_setup() {
    Host::everywhere("setup", &[], a_setup_is_completed);
}
