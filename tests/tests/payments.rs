//! Stripe behind billing: a fake of it on loopback collects, refuses, disputes, and sends webhooks
//! in any order, twice, or not at all.
//!
//! `BACKPLANE_RUNTIMES=local,workerd cargo test -p tests --test payments`

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use shared::domain::Timestamp;
use tests::{
    client::Answer,
    fake_stripe::FakeStripe,
    host::{Host, request},
};

/// How long anything takes that happens by itself.
const PATIENCE: Duration = Duration::from_secs(30);
const SECRET: &str = "whsec_test_0000";

/// A tenant that bills by way of the fake.
struct Shop<'a> {
    host: &'a Host,
    key: String,
    account: String,
    path: String,
    fake: FakeStripe,
}

impl<'a> Shop<'a> {
    fn open(host: &'a Host) -> Self {
        Self::open_as(host, "engine")
    }

    fn open_as(host: &'a Host, mode: &str) -> Self {
        let operator = host.operator_key();
        let tenant = host.ask("POST", "/v1/tenants", operator, &json!({"name": "T"})).text("/id");
        let bearer = format!("Bearer {operator}");
        let headers = [("authorization", &*bearer), ("backplane-tenant", &*tenant)];
        let body = json!({"name": "all", "scopes": ["*"]});
        let key = host.call(request("POST", "/v1/keys", &headers, &body)).text("/secret");
        let now = Timestamp::parse(&host.ask("GET", "/v1/whoami", &key, &Value::Null).text("/now"));
        let fake = FakeStripe::start(now.unwrap().seconds());
        let account = json!({"name": "Stripe", "provider": "stripe", "api_key": "sk_test_12345678",
            "webhook_secret": SECRET, "base_url": fake.url(), "mode": mode});
        let made = host.ask("POST", "/v1/payments/accounts", &key, &account);
        assert_eq!(made.status, 201, "{}", made.json());
        let (account, path) = (made.text("/id"), made.text("/path"));
        Self { host, key, account, path, fake }
    }

    fn get(&self, path: &str) -> Answer {
        self.host.ask("GET", path, &self.key, &Value::Null)
    }

    fn send(&self, method: &str, path: &str, body: Value) -> Answer {
        let answer = self.host.ask(method, path, &self.key, &body);
        assert!(answer.status.is_success(), "{method} {path}: {}", answer.json());
        answer
    }

    fn now(&self) -> i64 {
        Timestamp::parse(&self.get("/v1/whoami").text("/now")).unwrap().seconds()
    }

    /// A customer with this method, and a subscription of 11.90 a month.
    fn subscribe(&self, method: &str) -> String {
        let party = json!({"name": "Tea GmbH", "country": "DE", "vat_id": "DE123456789"});
        let entity = json!({"party": party, "account": self.account});
        self.send("PUT", "/v1/billing/entities/default", entity);
        let prices = json!([{"name": "base", "basis": {"kind": "recurring"},
            "model": {"model": "flat", "amount": 1000}}]);
        let plan = json!({"title": "Pro", "currency": "EUR", "prices": prices});
        self.send("PUT", "/v1/billing/plans/pro", plan);
        self.pays_by(method);
        let new = json!({"customer": "acme", "plan": "pro"});
        self.send("POST", "/v1/billing/subscriptions", new).text("/id")
    }

    fn pays_by(&self, method: &str) {
        let customer = json!({"party": {"name": "Acme", "country": "DE"},
            "email": "a@example.com", "method": {"reference": method, "kind": "card"}});
        self.send("PUT", "/v1/billing/customers/acme", customer);
    }

    /// Sends a webhook as the provider does.
    fn webhook(&self, body: &str) -> Answer {
        let signed = stripe::signature::sign(SECRET, self.now(), body.as_bytes());
        self.webhook_with(body, &signed)
    }

    fn webhook_with(&self, body: &str, signature: &str) -> Answer {
        let mut it = request("POST", &self.path, &[("stripe-signature", signature)], &Value::Null);
        *it.body_mut() = body.to_owned().into();
        self.host.call(it)
    }

    /// Waits until `claim` holds of what is at `path`.
    fn until(&self, path: &str, claim: impl Fn(&Value) -> bool) -> Value {
        let began = Instant::now();
        loop {
            let found = self.get(path).json();
            if claim(&found) {
                return found;
            }
            assert!(began.elapsed() < PATIENCE, "{path} stays {found}");
            match self.host {
                Host::Memory(it) => {
                    it.advance(Duration::from_secs(5));
                    it.settle::<edge::Backplane>();
                }
                _ => std::thread::sleep(Duration::from_millis(100)),
            }
        }
    }

    fn until_state(&self, subscription: &str, state: &str) {
        let path = format!("/v1/billing/subscriptions/{subscription}");
        self.until(&path, |it| it["state"] == state);
    }

    /// How often the log says this.
    fn told(&self, action: &str) -> usize {
        let mut count = 0;
        let mut after = 0;
        loop {
            let page = self.get(&format!("/v1/log?after={after}&limit=100")).json();
            let items = page["items"].as_array().unwrap().clone();
            count += items.iter().filter(|it| it["action"] == action).count();
            match items.last() {
                Some(last) => after = last["sequence"].as_i64().unwrap(),
                None => return count,
            }
        }
    }

    /// Waits until the log says this so often.
    fn until_told(&self, action: &str, times: usize) {
        self.until("/v1/whoami", |_| self.told(action) >= times);
    }

    fn balance(&self, account: &str) -> i64 {
        let all = self.get("/v1/billing/ledger/balances").json();
        let items = all["items"].as_array().unwrap().clone();
        let found = items.iter().find(|it| it["account"] == account);
        found.map_or(0, |it| it["amount"].as_i64().unwrap())
    }
}

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
            memory.advance(Duration::from_secs(120));
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
    let it = shop.subscribe("pm_declined");
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
    let it = shop.subscribe("pm_3ds");
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
    assert_eq!(page, "https://checkout.example/cs_1");
    let read = |name: &str| -> Value {
        let path = format!("{}/../fixtures/stripe/{name}.json", env!("CARGO_MANIFEST_DIR"));
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
    };

    shop.fake.put(read("subscription-basil"), Some("customer.subscription.updated"));
    shop.fake.put(read("customer"), Some("customer.updated"));
    for event in shop.fake.events() {
        assert_eq!(shop.webhook(&event.to_string()).status, 200);
    }
    shop.until_told("subscription.mirrored", 1);
    shop.until_told("payment_method.changed", 1);

    assert_eq!(shop.told("subscription.mirrored"), 1);
    assert_eq!(shop.told("payment_method.changed"), 1);
}

/// Plays one on the host in memory, and on each runtime that is asked for.
fn play(what: &str, it: impl Fn(&Host)) {
    it(&Host::memory());
    if !Host::asked_for().is_empty() {
        Host::on_each(what, it);
    }
}

#[test]
fn payments_are_collected_and_told_once() {
    play("paid", a_subscription_is_paid);
}

#[test]
fn a_lost_answer_does_not_charge_twice() {
    play("lost", an_answer_that_is_lost_does_not_charge_twice);
}

#[test]
fn refusals_disputes_and_refunds_in_any_order() {
    play("disputes", refusals_disputes_and_refunds_are_told_once);
}

#[test]
fn a_reconciliation_finds_what_was_never_sent() {
    play("reconcile", what_never_came_is_found_by_looking);
}

#[test]
fn bad_webhooks() {
    play("bad", bad_webhooks_are_refused_or_put_aside);
}

#[test]
fn a_mirror() {
    play("mirror", mirrored_subscriptions_and_methods_are_told);
}
