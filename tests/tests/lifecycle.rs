//! The life of a subscription, from its trial to its end, by way of a fake Stripe: in whatever order
//! webhooks come, doubled, late or never, and whichever steps die before they are written, it ends
//! the same, and everything has its effect once.
//!
//! `LIFECYCLES=10000 cargo test -p tests --test lifecycle` plays more of them.

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use serde_json::{Value, json};
use shared::{domain::Timestamp, http::Body, memory::Memory};
use tests::{
    fake_stripe::{DECLINED, FakeStripe},
    host,
    mortal::{self, Mortal, chance},
};

const SECRET: &str = "whsec_test_0000";
const DAY: i64 = 86_400;
/// How many lives are played, unless `LIFECYCLES` says otherwise.
const LIVES: u64 = 20;
/// How often it is looked for something that is to come.
const LOOKS_MAX: u32 = 400;

shared::mount! {
    /// What bills and collects.
    World: tenants::Tenants, audit::Audit, tick::Tick, Mortal<billing::Billing>, Mortal<stripe::Payments>
}

/// A tenant, and its provider.
struct Life {
    memory: Memory,
    fake: FakeStripe,
    key: String,
    path: String,
    began: i64,
    subscription: String,
    /// How many of the provider's events were looked at, and those that are on their way.
    seen: usize,
    coming: Vec<Value>,
}

impl Life {
    fn begin() -> Self {
        let memory = Memory::with_network(host::fetch);
        let fake = FakeStripe::start(0);
        let key = Memory::OPERATOR_KEY.to_owned();
        let (path, subscription) = (String::new(), String::new());
        let mut it =
            Self { memory, fake, key, path, began: 0, subscription, seen: 0, coming: Vec::new() };
        let tenant = it.call("POST", "/v1/tenants", json!({"name": "T"}), &[]);
        let headers = [("backplane-tenant", tenant["id"].as_str().unwrap())];
        let body = json!({"name": "all", "scopes": ["*"]});
        let made = it.call("POST", "/v1/keys", body, &headers);
        it.key = made["secret"].as_str().unwrap().to_owned();
        it.began = it.now();
        let account = json!({"name": "Stripe", "provider": "stripe", "api_key": "sk_test_12345678",
            "webhook_secret": SECRET, "base_url": it.fake.url()});
        let made = it.post("/v1/payments/accounts", account);
        it.path = made["path"].as_str().unwrap().to_owned();
        it.catalogue(made["id"].as_str().unwrap());
        it
    }

    fn catalogue(&self, account: &str) {
        let party = json!({"name": "Tea GmbH", "country": "DE", "vat_id": "DE123456789"});

        let entity = json!({"party": party, "account": account, "precision": "day"});
        self.call("PUT", "/v1/billing/entities/default", entity, &[]);
        for (name, amount) in [("pro", 1000), ("team", 3000)] {
            let prices = json!([{"name": "base", "basis": {"kind": "recurring"},
                "model": {"model": "flat", "amount": amount}}]);
            let plan = json!({"title": name, "currency": "EUR", "prices": prices});
            self.call("PUT", &format!("/v1/billing/plans/{name}"), plan, &[]);
        }
    }

    fn pays_by(&self, method: &str) {
        let customer = json!({"party": {"name": "Acme", "country": "DE"},
            "email": "a@example.com", "method": {"reference": method, "kind": "card"}});
        self.call("PUT", "/v1/billing/customers/acme", customer, &[]);
    }

    fn call(&self, method: &str, path: &str, body: Value, headers: &[(&str, &str)]) -> Value {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let (status, answer) = self.send(method, path, body, headers);
        assert!(status < 300, "{method} {path}: {status} {answer}");
        answer
    }

    fn send(
        &self,
        method: &str,
        path: &str,
        body: String,
        headers: &[(&str, &str)],
    ) -> (u16, Value) {
        let mut request = http::Request::builder()
            .method(method)
            .uri(path)
            .header("authorization", format!("Bearer {}", self.key))
            .header("content-type", "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self.memory.serve::<World>(request.body(Bytes::from(body)).unwrap());
        let status = response.status().as_u16();
        let Body::Full(text) = response.into_body() else { unreachable!("nothing here streams") };
        (status, serde_json::from_slice(&text).unwrap_or_default())
    }

    fn get(&self, path: &str) -> Value {
        self.call("GET", path, Value::Null, &[])
    }

    fn post(&self, path: &str, body: Value) -> Value {
        self.call("POST", path, body, &[])
    }

    fn now(&self) -> i64 {
        let now = self.get("/v1/whoami")["now"].as_str().and_then(Timestamp::parse);
        now.unwrap().seconds()
    }

    fn subscription(&self) -> Value {
        self.get(&format!("/v1/billing/subscriptions/{}", self.subscription))
    }

    fn act(&self, what: &str, body: Value) {
        self.post(&format!("/v1/billing/subscriptions/{}/{what}", self.subscription), body);
    }

    /// Time goes by, and the network brings what it likes.
    fn pass(&mut self, seconds: i64) {
        // The provider's clock goes first: what is charged then is not of a day ago.
        self.fake.pass_to(self.now() + seconds);
        self.memory.advance(Duration::from_secs(u64::try_from(seconds).unwrap()));
        self.memory.settle::<World>();
        let now = self.now();
        self.fake.pass_to(now);
        let events = self.fake.events();
        let new = events.get(self.seen..).unwrap_or_default().to_vec();
        self.seen = events.len();
        self.coming.extend(new);
        for _ in 0..chance(4) {
            if self.coming.is_empty() {
                return;
            }
            let one = usize::try_from(chance(u64::try_from(self.coming.len()).unwrap())).unwrap();
            let event = match chance(6) {
                // Never: the hourly look finds it.
                0 => {
                    self.coming.remove(one);
                    continue;
                }
                // Twice.
                1 => self.coming[one].clone(),
                _ => self.coming.remove(one),
            };
            self.webhook(&event, now);
        }
    }

    fn webhook(&self, event: &Value, now: i64) {
        let body = event.to_string();
        let signed = stripe::signature::sign(SECRET, now, body.as_bytes());
        let (status, answer) =
            self.send("POST", &self.path, body, &[("stripe-signature", &signed)]);
        assert_eq!(status, 200, "{answer}");
    }

    /// Waits for a day after the beginning.
    fn until_day(&mut self, day: i64) {
        let end = self.began + day * DAY + DAY / 2;
        while self.now() < end {
            let left = end - self.now();
            self.pass(left.clamp(1, DAY));
        }
    }

    /// Waits until that is so.
    fn until(&mut self, what: &str, claim: impl Fn(&Self) -> bool) {
        for _ in 0..LOOKS_MAX {
            if claim(self) {
                return;
            }
            self.pass(600);
        }
        let (jobs, it) = (self.get("/v1/jobs"), self.subscription());
        panic!("never {what}: {it}\njobs: {jobs}\nnotes: {:?}", self.memory.notes());
    }

    fn until_state(&mut self, state: &str) {
        self.until(state, |it| it.subscription()["state"] == state);
    }

    fn entries(&self) -> Vec<Value> {
        let mut all: Vec<Value> = Vec::new();
        loop {
            let after = all.last().map_or(0, |it| it["sequence"].as_i64().unwrap());
            let page = self.get(&format!("/v1/log?after={after}&limit=100"));
            let items = page["items"].as_array().unwrap();
            if items.is_empty() {
                return all;
            }
            all.extend(items.iter().cloned());
        }
    }

    fn told(&self, action: &str) -> usize {
        self.entries().iter().filter(|it| it["action"] == action).count()
    }
}

/// What there is at the end, without what depends on when it was.
#[derive(Debug, PartialEq)]
struct End {
    subscription: (Value, Value),
    bills: Vec<Vec<Value>>,
    balances: BTreeMap<String, Value>,
    told: BTreeMap<&'static str, usize>,
    taken: Vec<i64>,
    dead: Value,
}

/// Create, trial, pay, upgrade, fail, recover, refund, dispute, cancel.
fn live(seed: u64, deaths: u64) -> End {
    mortal::begin(seed, deaths);
    let mut it = Life::begin();
    it.pays_by("pm_card_visa");
    let new = json!({"customer": "acme", "plan": "pro", "trial_days": 14});
    it.subscription = it.post("/v1/billing/subscriptions", new)["id"].as_str().unwrap().to_owned();
    it.until_state("trialing");

    it.until_day(15);
    it.until("paid", |it| it.told("invoice.payment_received") == 1);
    let (first, _) = it.fake.paid().pop().unwrap();

    it.until_day(20);
    it.act("change", json!({"plan": "team"}));
    it.until("changed", |it| it.subscription()["plan"] == "team");

    it.until_day(40);
    it.pays_by(DECLINED);
    it.until_day(46);
    it.until_state("past_due");
    it.pays_by("pm_card_visa");
    it.until_state("active");

    it.until_day(55);
    it.fake.refund_by_hand(&first, 190);
    it.until("refunded", |it| it.told("credit_note.issued") == 1);
    it.fake.dispute(&first, "needs_response");
    it.until_day(57);
    it.until("disputed", |it| it.told("invoice.disputed") == 1);
    it.fake.dispute(&first, "won");

    it.until_day(60);
    it.act("cancel", json!({"at": "period_end"}));
    it.until_day(80);
    it.until_state("cancelled");
    mortal::spare();
    let now = it.now();
    for event in it.fake.events().iter().rev() {
        it.webhook(event, now);
    }
    it.until_day(84);
    end(&it)
}

fn end(it: &Life) -> End {
    let subscription = it.subscription();
    let facts = [
        "payment.requested",
        "payment.succeeded",
        "payment.failed",
        "payment.refunded",
        "payment.disputed",
        "invoice.finalised",
        "invoice.payment_received",
        "invoice.disputed",
        "credit_note.issued",
        "subscription.created",
        "subscription.trial_ended",
        "subscription.changed",
        "subscription.renewed",
        "subscription.past_due",
        "subscription.recovered",
        "subscription.ended",
    ];
    let of_bill = |bill: &Value| {
        let names = ["kind", "number", "state", "totals", "paid", "refunded", "credited"];
        names.map(|name| bill[name].clone()).to_vec()
    };
    let bills = it.get("/v1/billing/invoices?limit=100");
    let balances = it.get("/v1/billing/ledger/balances");
    let balance = |it: &Value| (it["account"].as_str().unwrap().to_owned(), it["amount"].clone());
    let mut taken: Vec<i64> = it.fake.paid().into_iter().map(|it| it.1).collect();
    taken.sort_unstable();
    let all = it.entries();
    let told =
        |action: &'static str| (action, all.iter().filter(|it| it["action"] == action).count());
    End {
        subscription: (subscription["state"].clone(), subscription["plan"].clone()),
        bills: bills["items"].as_array().unwrap().iter().map(of_bill).collect(),
        balances: balances["items"].as_array().unwrap().iter().map(balance).collect(),
        told: facts.into_iter().map(told).collect(),
        taken,
        dead: it.get("/v1/jobs?state=dead")["items"].clone(),
    }
}

#[test]
fn whatever_comes_in_between_a_life_ends_the_same() {
    let plain = live(1, 0);
    assert_eq!(plain.subscription, (json!("cancelled"), json!("team")));
    assert_eq!(plain.dead, json!([]));
    let sum: i64 = plain.balances.values().map(|it| it.as_i64().unwrap()).sum();
    assert_eq!(sum, 0, "{:?}", plain.balances);

    let lives = std::env::var("LIFECYCLES").ok().and_then(|it| it.parse().ok()).unwrap_or(LIVES);
    for seed in 2..lives + 2 {
        let it = live(seed, chance(30));
        assert_eq!(it, plain, "the life of seed {seed}");
    }
    assert!(mortal::died() > lives, "steps die in these lives: {}", mortal::died());
}
