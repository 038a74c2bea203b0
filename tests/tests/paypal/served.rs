//! PayPal behind billing, as it is served: on the host in memory, and on each runtime.
//!
//! `BACKPLANE_RUNTIMES=local,workerd cargo test -p tests --test paypal`

use serde_json::{Value, json};
use tests::{fake_paypal::FakePayPal, host::Host, shop::Shop};

/// The customer tells on PayPal's page how it pays, and comes back.
fn set_up(shop: &Shop<FakePayPal>) -> String {
    let path = format!("/v1/payments/accounts/{}/setups", shop.account);
    let new = json!({"customer": "acme", "return_url": "https://tea.example/back"});
    let made = shop.send("POST", &path, new);
    assert!(made.text("/url").contains("paypal.com"), "{}", made.json());
    let setup = made.text("/id");
    shop.send("POST", &format!("{path}/{setup}/complete"), Value::Null);
    assert_eq!(shop.told("payment_method.changed"), 0, "nobody has agreed yet");
    shop.fake.agree("setup", &setup);
    shop.send("POST", &format!("{path}/{setup}/complete"), Value::Null);
    shop.until_told("payment_method.changed", 1);
    let log = shop.get("/v1/log?limit=100&action=payment_method.changed").json();
    let mut told = log["items"].as_array().unwrap().iter();
    let told = told.rfind(|it| it["action"] == "payment_method.changed").unwrap();
    assert_eq!(told["data"]["customer"], "acme");
    told["data"]["method"].as_str().unwrap().to_owned()
}

fn a_subscription_is_paid_changed_and_disputed(host: &Host) {
    let shop = Shop::open_paypal(host);
    let method = set_up(&shop);

    let it = shop.subscribe(&method);
    shop.until_state(&it, "active");
    assert_eq!(shop.fake.paid(), ["11.90"]);
    assert_eq!((shop.balance("cash"), shop.balance("fees")), (1190 - 69, 69));

    // The engine says what an upgrade costs, and PayPal collects just that.
    let prices = json!([{"name": "base", "basis": {"kind": "recurring"},
        "model": {"model": "flat", "amount": 3000}}]);
    let plan = json!({"title": "Team", "currency": "EUR", "prices": prices});
    shop.send("PUT", "/v1/billing/plans/team", plan);
    let change = json!({"plan": "team"});
    let path = format!("/v1/billing/subscriptions/{it}");
    let preview = shop.send("POST", &format!("{path}/preview"), change.clone()).json();
    shop.send("POST", &format!("{path}/change"), change);
    shop.until_told("payment.succeeded", 2);
    let due = preview["gross"].as_i64();
    let due = due.unwrap_or_else(|| panic!("{preview}"));
    let text = format!("{}.{:02}", due / 100, due % 100);
    assert!(shop.fake.paid().contains(&text), "{text}: {:?}", shop.fake.paid());

    let first = shop.fake.paid().iter().position(|it| it == "11.90").unwrap();
    let capture = shop.fake.captures()[first].clone();
    shop.fake.refund_by_hand(&capture, "1.90");
    let dispute = shop.fake.dispute(&capture, "CHARGEBACK");
    // In the wrong order, and each twice.
    let events = shop.fake.events();
    for event in events.iter().rev().chain(&events) {
        assert_eq!(shop.webhook(&event.to_string()).status, 200);
    }
    shop.until_told("payment.refunded", 1);
    shop.until_told("credit_note.issued", 1);
    shop.until("/v1/billing/ledger/balances", |_| shop.balance("disputed") != 0);

    shop.fake.change("dispute", &dispute, Some("CUSTOMER.DISPUTE.RESOLVED"), |it| {
        it["status"] = json!("RESOLVED");
        it["dispute_outcome"] = json!({"outcome_code": "RESOLVED_SELLER_FAVOUR"});
    });
    let event = shop.fake.events().pop().unwrap();
    assert_eq!(shop.webhook(&event.to_string()).status, 200);
    shop.until("/v1/billing/ledger/balances", |_| shop.balance("disputed") == 0);
    assert_eq!((shop.told("payment.succeeded"), shop.told("payment.refunded")), (2, 1));
    assert_eq!(shop.told("credit_note.issued"), 1);
}

fn a_refusal_is_told_with_what_comes_next(host: &Host) {
    let shop = Shop::open_paypal(host);
    shop.fake.leave("CUST1", "acme", "card", "card-poor");
    shop.subscribe("card-poor");

    let bills = shop.until("/v1/billing/invoices", |it| it["items"][0]["failures"][0].is_object());

    let failure = &bills["items"][0]["failures"][0];
    assert_eq!((&failure["code"], &failure["provider"]), (&json!("5120"), &json!("paypal")));
    assert_eq!(shop.told("payment.failed"), 1);
    shop.fake.leave("CUST1", "acme", "paypal", "wallet");
    shop.pays_by("wallet");
    shop.until_told("payment.succeeded", 1);
}

fn what_never_came_is_found_by_looking(host: &Host) {
    let shop = Shop::open_paypal(host);
    shop.fake.leave("CUST1", "acme", "paypal", "wallet");
    let it = shop.subscribe("wallet");
    shop.until_state(&it, "active");
    shop.fake.refund_by_hand(&shop.fake.capture(), "1.90");

    let path = format!("/v1/payments/accounts/{}/reconcile", shop.account);
    shop.send("POST", &path, Value::Null);
    let done = shop.until(&path, |it| it["ended_at"].is_string());

    assert!(done["drifted"].as_u64().unwrap() >= 1, "{done}");
    shop.until_told("credit_note.issued", 1);
    assert_eq!((shop.told("payment.succeeded"), shop.told("payment.refunded")), (1, 1));
}

fn bad_webhooks_are_refused(host: &Host) {
    let shop = Shop::open_paypal(host);
    shop.fake.leave("CUST1", "acme", "paypal", "wallet");
    let body = shop.fake.events().pop().unwrap().to_string();

    // PayPal's certificates are out of reach here, so that it is asked; it denies what it did not
    // send, and what is another webhook's.
    let changed = body.replace("wallet", "forged");
    let refused = shop.webhook(&changed);
    assert_eq!(refused.status, 400, "{}", refused.json());
    assert_eq!(refused.text("/type"), "/problems/payments/bad-signature");
    let path = format!("/v1/payments/accounts/{}", shop.account);
    shop.send("PATCH", &path, json!({"webhook_id": "ANOTHER"}));
    assert_eq!(shop.webhook(&body).status, 400);
    shop.send("PATCH", &path, json!({"webhook_id": tests::fake_paypal::WEBHOOK_ID}));
    // Nor can it be asked: it is to send it again.
    shop.fake.fail(&[(503, false)]);
    assert_eq!(shop.webhook(&body).status, 503);
    assert_eq!(shop.webhook(&body).status, 200);
    assert_eq!(shop.webhook(&body).json()["duplicate"], true);
    // What is Stripe's does not come in by PayPal's account.
    let stripe = shop.path.replace("paypal", "stripe");
    assert_eq!(host.ask("POST", &stripe, "", &Value::Null).status, 404);

    let events = shop.get(&format!("{path}/events")).json();
    assert_eq!(events["items"].as_array().unwrap().len(), 1, "{events}");
}

#[test]
fn a_subscription() {
    Host::everywhere("paypal: paid", &[], a_subscription_is_paid_changed_and_disputed);
}

#[test]
fn a_refusal() {
    Host::everywhere("paypal: refused", &[], a_refusal_is_told_with_what_comes_next);
}

#[test]
fn a_reconciliation() {
    Host::everywhere("paypal: reconcile", &[], what_never_came_is_found_by_looking);
}

#[test]
fn bad_webhooks() {
    Host::everywhere("paypal: bad", &[], bad_webhooks_are_refused);
}

#[test]
fn what_an_account_of_the_other_provider_has_is_refused() {
    let host = Host::memory();
    let shop = Shop::open_paypal(&host);
    let account = json!({"name": "P", "provider": "paypal", "api_key": "secret-of-tests"});
    let with = |name: &str, value: &str| {
        let mut it = account.clone();
        it["client_id"] = json!("client-of-tests");
        it[name] = json!(value);
        host.ask("POST", "/v1/payments/accounts", &shop.key, &it)
    };

    let lacks = host.ask("POST", "/v1/payments/accounts", &shop.key, &account);
    assert_eq!((lacks.status.as_u16(), lacks.text("/path")), (422, "client_id".into()));
    for (name, value) in [("webhook_secret", "whsec_12345678"), ("connect", "acct_1")] {
        let refused = with(name, value);
        assert_eq!(refused.status, 422, "{}", refused.json());
        assert!(refused.json().to_string().contains("stripe alone"), "{}", refused.json());
    }
    assert_eq!(with("roots", tests::fake_paypal::ROOT).status, 422, "not at PayPal's own address");
}
