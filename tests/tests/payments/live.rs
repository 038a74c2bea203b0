//! The same against Stripe's test mode, where `STRIPE_SECRET_KEY=sk_test_…` is set:
//!
//! `STRIPE_SECRET_KEY=sk_test_… BACKPLANE_RUNTIMES=local,workerd cargo test -p tests --test payments
//! at_stripe -- --nocapture`
//!
//! No webhook comes from there to this machine: what never came is found by looking.

use serde_json::{Value, json};
use tests::{host::Host, shop::Shop};

/// The key of an account in test mode.
const KEY: &str = "STRIPE_SECRET_KEY";

fn a_subscription_is_paid_and_refunded(host: &Host, key: &str) {
    let shop = Shop::open_at_stripe(host, key);
    let it = shop.subscribe("pm_card_visa");
    shop.until_state(&it, "active");
    assert_eq!(shop.told("payment.succeeded"), 1);

    let path = format!("/v1/billing/subscriptions/{it}/cancel");
    shop.send("POST", &path, json!({"at": "now", "unused": "refund"}));
    shop.until_told("payment.refunded", 1);

    let path = format!("/v1/payments/accounts/{}/reconcile", shop.account);
    shop.send("POST", &path, Value::Null);
    shop.until(&path, |it| it["ended_at"].is_string());
    assert_eq!((shop.told("payment.succeeded"), shop.told("payment.refunded")), (1, 1));
}

fn a_refusal_has_its_code(host: &Host, key: &str) {
    let shop = Shop::open_at_stripe(host, key);
    shop.subscribe("pm_card_visa_chargeDeclinedInsufficientFunds");
    let bills = shop.until("/v1/billing/invoices", |it| it["items"][0]["failures"][0].is_object());
    assert_eq!(bills["items"][0]["failures"][0]["code"], "insufficient_funds");
    assert_eq!(shop.told("payment.failed"), 1);
}

#[test]
fn at_stripe() {
    let Ok(key) = std::env::var(KEY) else {
        println!("not played: {KEY} is not set");
        return;
    };
    assert!(key.starts_with("sk_test_"), "{KEY} is of test mode, or real money moves");
    let run = |what: &str, it: fn(&Host, &str)| Host::on_each(what, |host| it(host, &key));
    run("stripe: paid", a_subscription_is_paid_and_refunded);
    run("stripe: refused", a_refusal_has_its_code);
}
