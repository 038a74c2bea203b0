//! Stripe behind billing: a fake of it on loopback collects, refuses, disputes, and sends webhooks
//! in any order, twice, or not at all.
//!
//! `BACKPLANE_RUNTIMES=local,workerd cargo test -p tests --test payments`

mod drift;
mod live;
mod refunds;

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tests::{
    fake_stripe::{AUTHENTICATION, DECLINED},
    host::Host,
    shop::{PATIENCE, SECRET, Shop},
};

fn a_subscription_is_paid(host: &Host) {
    let shop = Shop::open(host);

    let it = shop.subscribe("pm_card_visa");
    shop.until_state(&it, "active");

    assert_eq!(shop.fake.paid().len(), 1);
    assert_eq!(shop.fake.paid()[0].1, 1190);
    assert_eq!(shop.told("payment.succeeded"), 1);
    // The webhooks of it come late and twice, and tell nothing new.
    for event in shop.fake.events().iter().chain(&shop.fake.events()) {
        assert_eq!(shop.webhook(&event.to_string()).status, 200);
    }
    shop.until("/v1/jobs", |it| it["items"] == json!([]) || is_later(it));
    assert_eq!(shop.told("payment.succeeded"), 1);
    assert_eq!((shop.balance("cash"), shop.balance("fees")), (1190 - 47, 47));
}

/// Whether nothing is left to do now.
fn is_later(jobs: &Value) -> bool {
    let kinds = ["stripe.refetch", "stripe.charge", "billing.payment", "stripe.look"];
    jobs["items"]
        .as_array()
        .unwrap()
        .iter()
        .all(|it| !kinds.contains(&it["kind"].as_str().unwrap()))
}

fn an_answer_that_is_lost_does_not_charge_twice(host: &Host) {
    let shop = Shop::open(host);
    shop.fake.fail(&[(500, true), (429, false), (409, false)]);

    let it = shop.subscribe("pm_card_visa");
    // The schedule of jobs waits longer than the test does: the webhook is faster.
    let path = format!("/v1/billing/subscriptions/{it}");
    let memory = matches!(host, Host::Memory(_));
    if memory {
        let Host::Memory(memory) = host else { unreachable!() };
        for _ in 0..40 {
            memory.advance(Duration::from_secs(600));
            memory.settle::<edge::Backplane>();
        }
    } else {
        let event = wait_for_event(&shop);
        assert_eq!(shop.webhook(&event.to_string()).status, 200);
    }
    shop.until(&path, |it| it["state"] == "active");

    assert_eq!(shop.fake.paid().len(), 1, "{:?}", shop.fake.paid());
    assert_eq!(shop.told("payment.succeeded"), 1);
}

/// A provider forgets keys after a day, and its answers can be lost for longer.
fn a_key_that_was_forgotten_does_not_charge_twice(host: &Host) {
    let Host::Memory(memory) = host else { return };
    let shop = Shop::open(host);
    // The answer of the charge is lost, and then nobody may look for it.
    shop.fake.fail(&[(500, true), (400, false)]);
    let it = shop.subscribe("pm_card_visa");
    memory.settle::<edge::Backplane>();
    assert_eq!(shop.fake.paid().len(), 1, "the money is there, and nobody here knows");
    assert_eq!(shop.told("payment.succeeded"), 0);

    shop.fake.forget_keys();
    for _ in 0..2 {
        memory.advance(Duration::from_secs(600));
        memory.settle::<edge::Backplane>();
    }

    shop.until_state(&it, "active");
    assert_eq!(shop.fake.paid().len(), 1, "{:?}", shop.fake.paid());
    assert_eq!((shop.told("payment.succeeded"), shop.told("payment.failed")), (1, 0));
}

/// A refusal whose answer is lost is told by its webhook, and not again by the try after that.
fn a_refusal_is_told_once_by_whoever_is_faster(host: &Host) {
    let Host::Memory(memory) = host else { return };
    let shop = Shop::open(host);
    shop.fake.fail(&[(500, true)]);
    shop.subscribe(DECLINED);
    memory.settle::<edge::Backplane>();
    for event in shop.fake.events() {
        assert_eq!(shop.webhook(&event.to_string()).status, 200);
    }
    memory.settle::<edge::Backplane>();
    assert_eq!(shop.told("payment.failed"), 1);

    memory.advance(Duration::from_secs(600));
    memory.settle::<edge::Backplane>();

    assert_eq!(shop.told("payment.failed"), 1);
}

/// A key of the API that does not work is no refusal by the customer's bank.
fn a_key_of_the_api_that_is_wrong_is_no_refusal(host: &Host) {
    let Host::Memory(memory) = host else { return };
    let shop = Shop::open(host);
    shop.fake.fail(&[(401, false)]);
    let it = shop.subscribe("pm_card_visa");
    memory.settle::<edge::Backplane>();
    assert_eq!((shop.told("payment.failed"), shop.told("payment.succeeded")), (0, 0));

    memory.advance(Duration::from_secs(600));
    memory.settle::<edge::Backplane>();

    shop.until_state(&it, "active");
}

/// More charges than our own limit on calls lets through at once: each is made, once.
fn charges_wait_for_their_turn(host: &Host) {
    let Host::Memory(memory) = host else { return };
    let shop = Shop::open(host);
    shop.subscribe("pm_card_visa");
    for number in 0..60 {
        let customer = json!({"party": {"name": "Acme", "country": "DE"},
            "email": "a@example.com", "method": {"reference": "pm_card_visa", "kind": "card"}});
        let name = format!("customer-{number}");
        shop.send("PUT", &format!("/v1/billing/customers/{name}"), customer);
        shop.send("POST", "/v1/billing/subscriptions", json!({"customer": name, "plan": "pro"}));
    }

    for _ in 0..40 {
        memory.advance(Duration::from_secs(2));
        memory.settle::<edge::Backplane>();
    }
    assert_eq!((shop.fake.paid().len(), shop.told("payment.failed")), (61, 0));
    assert_eq!(shop.told("payment.succeeded"), 61);
}

fn wait_for_event(shop: &Shop) -> Value {
    let began = Instant::now();
    loop {
        if let Some(event) = shop.fake.events().into_iter().next() {
            // The next calls succeed again.
            return event;
        }
        assert!(began.elapsed() < PATIENCE, "no payment is made");
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn refusals_disputes_and_refunds_are_told_once(host: &Host) {
    let shop = Shop::open(host);
    let it = shop.subscribe(DECLINED);
    let bills = shop.until("/v1/billing/invoices", |it| it["items"][0]["failures"][0].is_object());
    assert_eq!(bills["items"][0]["failures"][0]["code"], "insufficient_funds");
    assert_eq!(shop.told("payment.failed"), 1);

    shop.pays_by("pm_card_visa");
    shop.until_state(&it, "active");
    let (payment, _) = shop.fake.paid().pop().unwrap();
    shop.fake.dispute(&payment, "needs_response");
    shop.fake.refund_by_hand(&payment, 190);
    shop.fake.dispute(&payment, "won");
    // In the wrong order, and each twice.
    let events = shop.fake.events();
    for event in events.iter().rev().chain(&events) {
        assert_eq!(shop.webhook(&event.to_string()).status, 200);
    }
    shop.until("/v1/billing/invoices", |it| it["items"][0]["refunded"] == 190);
    shop.until("/v1/billing/ledger/balances", |_| shop.balance("disputed") == 0);
    shop.until("/v1/jobs", is_later);

    assert_eq!(shop.told("payment.refunded"), 1);
    assert_eq!(shop.told("payment.failed"), 1);
    let disputed = shop.told("payment.disputed");
    assert!((1..=2).contains(&disputed), "opened and won, or won at once: {disputed}");
    assert_eq!(shop.told("credit_note.issued"), 1, "a refund by hand leaves a credit note");
    assert_eq!(shop.balance("cash"), 1190 - 190 - 47);
}

fn what_never_came_is_found_by_looking(host: &Host) {
    let shop = Shop::open(host);
    let it = shop.subscribe("pm_redirect");
    shop.until_told("payment.action_required", 1);
    // The customer confirms, and no webhook is ever sent.
    let events = shop.fake.events();
    let id = events[0]["data"]["object"]["id"].as_str().unwrap().to_owned();
    let mut paid = shop.fake.object(&id).unwrap();
    paid["status"] = json!("succeeded");
    shop.fake.put(paid, None);

    let path = format!("/v1/payments/accounts/{}", shop.account);
    shop.send("POST", &format!("{path}/reconcile"), Value::Null);
    let done = shop.until(&format!("{path}/reconcile"), |it| it["ended_at"].is_string());
    shop.until_state(&it, "active");

    assert!(done["drifted"].as_u64().unwrap() >= 1, "{done}");
    let drift = shop.get(&format!("{path}/drift")).json();
    let found = drift["items"].as_array().unwrap();
    assert!(found.iter().any(|it| it.to_string().contains(&id)), "{drift}");
    assert_eq!(shop.told("payment.succeeded"), 1);
}

/// What nobody can confirm is a refusal with its own code, so that the customer is asked.
fn who_must_confirm_is_told(host: &Host) {
    let shop = Shop::open(host);
    shop.subscribe(AUTHENTICATION);

    let bills = shop.until("/v1/billing/invoices", |it| it["items"][0]["failures"][0].is_object());

    assert_eq!(bills["items"][0]["failures"][0]["code"], "authentication_required");
    assert_eq!(shop.told("payment.failed"), 1);
}

/// Whoever has a connected account cannot say that his payments are ours.
fn connected_accounts_have_no_say(host: &Host) {
    let shop = Shop::open(host);
    let forged = json!({"id": "pi_9", "object": "payment_intent", "status": "succeeded",
        "amount": 1, "currency": "eur", "metadata": {"payment": "pay_1"}});
    shop.fake.put(forged, Some("payment_intent.succeeded"));
    let mut event = shop.fake.events().remove(0);
    event["account"] = json!("acct_9");

    assert_eq!(shop.webhook(&event.to_string()).status, 200);
    shop.until("/v1/jobs", is_later);

    assert_eq!((shop.fake.calls("GET"), shop.told("payment.succeeded")), (0, 0));
    let path = format!("/v1/payments/accounts/{}/events", shop.account);
    assert_eq!(shop.get(&path).json()["items"][0]["connect"], "acct_9");
}

/// A twenty-first account is refused, and says why.
fn accounts_have_a_number(host: &Host) {
    let shop = Shop::open(host);
    let account = json!({"name": "S", "provider": "stripe", "api_key": "sk_test_12345678",
        "base_url": shop.fake.url()});
    for _ in 1..20 {
        shop.send("POST", "/v1/payments/accounts", account.clone());
    }

    let refused = host.ask("POST", "/v1/payments/accounts", &shop.key, &account);

    assert_eq!(refused.status, 409);
    assert!(refused.text("/detail").contains("delete"), "{}", refused.json());
}

fn bad_webhooks_are_refused_or_put_aside(host: &Host) {
    let shop = Shop::open(host);
    let event = json!({"id": "evt_1", "object": "event", "created": shop.now(),
        "livemode": false, "type": "something.new", "data": {"object": {"object": "thing"}}});
    let text = event.to_string();
    let stale = stripe::signature::sign(SECRET, shop.now() - 400, text.as_bytes());
    let wrong = stripe::signature::sign("whsec_other", shop.now(), text.as_bytes());

    assert_eq!(shop.webhook_with(&text, &stale).status, 400);
    assert_eq!(shop.webhook_with(&text, &wrong).status, 400);
    assert_eq!(shop.webhook_with(&text, "").status, 400);
    assert_eq!(shop.webhook_with(&text, "t=1").status, 400);
    assert_eq!(shop.webhook("{nothing").status, 200, "signed, so it is kept and shown");
    assert_eq!(shop.webhook(&text).status, 200, "an unknown type is kept");
    assert_eq!(shop.webhook(&text).json()["duplicate"], true);
    let mut live = event.clone();
    (live["id"], live["livemode"]) = (json!("evt_2"), json!(true));
    assert_eq!(shop.webhook(&live.to_string()).status, 200);
    let large = format!("{{\"x\":\"{}\"}}", "x".repeat(1024 * 1024));
    assert_eq!(shop.webhook(&large).status, 413);

    let path = format!("/v1/payments/accounts/{}/events", shop.account);
    let count = |state: &str| {
        let found = shop.get(&format!("{path}?state={state}")).json();
        found["items"].as_array().unwrap().len()
    };
    assert_eq!([count("stored"), count("quarantined"), count("other_mode")], [1, 1, 1]);
    assert_eq!(shop.told("payment_account.refused"), 3, "one for each reason in this hour");
}

fn mirrored_subscriptions_and_methods_are_told(host: &Host) {
    let shop = Shop::open_as(host, "mirror");
    let setup = json!({"customer": "acme", "return_url": "https://app.example/back"});
    let path = format!("/v1/payments/accounts/{}", shop.account);
    let page = shop.send("POST", &format!("{path}/setups"), setup).text("/url");
    assert_eq!(page, "https://checkout.example/cs");
    let read = |name: &str| -> Value {
        let path = format!("{}/../fixtures/stripe/{name}.json", env!("CARGO_MANIFEST_DIR"));
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
    };

    let plan = json!({"title": "Pro", "currency": "EUR", "mirrors": ["prod_1"],
        "features": {"sso": true}, "prices": [{"name": "base", "basis": {"kind": "recurring"},
        "model": {"model": "flat", "amount": 1000}}]});
    shop.send("PUT", "/v1/billing/plans/pro", plan);
    let party = json!({"name": "Tea GmbH", "country": "DE"});
    shop.send("PUT", "/v1/billing/entities/default", json!({"party": party}));
    shop.pays_by("pm_1");
    shop.fake.put(read("subscription-basil"), Some("customer.subscription.updated"));
    shop.fake.put(read("customer"), Some("customer.updated"));
    for event in shop.fake.events() {
        assert_eq!(shop.webhook(&event.to_string()).status, 200);
    }
    shop.until_told("subscription.mirrored", 1);
    shop.until_told("payment_method.changed", 1);

    assert_eq!(shop.told("subscription.mirrored"), 1);
    assert_eq!(shop.told("payment_method.changed"), 1);
    // It grants what one of ours would, and is changed at the provider only.
    let path = "/v1/billing/customers/acme/entitlements";
    let granted = shop.until(path, |it| it["plan"] == "pro");
    assert_eq!((&granted["seats"], &granted["features"]["sso"]), (&json!(3), &json!(true)));
    let all = shop.get("/v1/billing/subscriptions").json();
    let id = all["items"][0]["id"].as_str().unwrap().to_owned();
    let cancel = format!("/v1/billing/subscriptions/{id}/cancel");
    assert_eq!(shop.host.ask("POST", &cancel, &shop.key, &json!({})).status, 409);
    assert_eq!(shop.get("/v1/billing/invoices").json()["items"], json!([]));
}

#[test]
fn payments_are_collected_and_told_once() {
    Host::everywhere("paid", &[], a_subscription_is_paid);
}

#[test]
fn a_lost_answer_does_not_charge_twice() {
    Host::everywhere("lost", &[], an_answer_that_is_lost_does_not_charge_twice);
}

#[test]
fn a_forgotten_key_does_not_charge_twice() {
    a_key_that_was_forgotten_does_not_charge_twice(&Host::memory());
}

#[test]
fn a_refusal_is_told_once() {
    a_refusal_is_told_once_by_whoever_is_faster(&Host::memory());
}

#[test]
fn a_wrong_key_of_the_api_is_no_refusal() {
    a_key_of_the_api_that_is_wrong_is_no_refusal(&Host::memory());
}

#[test]
fn sixty_charges_wait_for_their_turn() {
    charges_wait_for_their_turn(&Host::memory());
}

#[test]
fn refusals_disputes_and_refunds_in_any_order() {
    Host::everywhere("disputes", &[], refusals_disputes_and_refunds_are_told_once);
}

#[test]
fn a_reconciliation_finds_what_was_never_sent() {
    Host::everywhere("reconcile", &[], what_never_came_is_found_by_looking);
}

#[test]
fn a_confirmation_that_is_missing() {
    Host::everywhere("confirm", &[], who_must_confirm_is_told);
}

#[test]
fn connected_accounts() {
    Host::everywhere("connect", &[], connected_accounts_have_no_say);
}

#[test]
fn a_full_list_of_accounts() {
    accounts_have_a_number(&Host::memory());
}

#[test]
fn bad_webhooks() {
    Host::everywhere("bad", &[], bad_webhooks_are_refused_or_put_aside);
}

#[test]
fn a_mirror() {
    Host::everywhere("mirror", &[], mirrored_subscriptions_and_methods_are_told);
}
