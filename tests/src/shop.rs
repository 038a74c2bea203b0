//! A tenant that bills by way of a fake provider, for tests.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use shared::domain::Timestamp;

use crate::{
    client::Answer,
    fake_paypal::{self, FakePayPal},
    fake_stripe::FakeStripe,
    host::{Host, request},
};

/// How long anything takes that happens by itself.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// The secret of the account's webhooks.
pub const SECRET: &str = "whsec_test_0000";

/// A tenant that bills by way of the fake.
pub struct Shop<'a, F = FakeStripe> {
    /// Where it runs.
    pub host: &'a Host,
    /// The tenant's key.
    pub key: String,
    /// The payment account.
    pub account: String,
    /// Where its provider posts to.
    pub path: String,
    /// The provider.
    pub fake: F,
}

/// A new tenant's key that may do everything, and its time in seconds since 1970.
pub fn tenant(host: &Host) -> (String, i64) {
    let operator = host.operator_key();
    let tenant = host.ask("POST", "/v1/tenants", operator, &json!({"name": "T"})).text("/id");
    let bearer = format!("Bearer {operator}");
    let headers = [("authorization", &*bearer), ("backplane-tenant", &*tenant)];
    let body = json!({"name": "all", "scopes": ["*"]});
    let key = host.call(request("POST", "/v1/keys", &headers, &body)).text("/secret");
    let now = Timestamp::parse(&host.ask("GET", "/v1/whoami", &key, &Value::Null).text("/now"));
    (key, now.unwrap_or_default().seconds())
}

/// Waits until `claim` holds of what is at `path`.
///
/// # Panics
/// When it does not come to hold.
pub fn until(host: &Host, key: &str, path: &str, claim: impl Fn(&Value) -> bool) -> Value {
    let get = |path: &str| host.ask("GET", path, key, &Value::Null).json();
    let began = Instant::now();
    loop {
        let found = get(path);
        if claim(&found) {
            return found;
        }
        if began.elapsed() >= PATIENCE {
            let (jobs, log) = (get("/v1/jobs"), get("/v1/log?limit=100"));
            panic!("{path} stays {found}\njobs: {jobs}\nlog: {log}");
        }
        match host {
            Host::Memory(it) => {
                it.advance(Duration::from_secs(5));
                it.settle::<edge::Backplane>();
            }
            _ => std::thread::sleep(Duration::from_millis(100)),
        }
    }
}

impl<'a> Shop<'a> {
    /// A tenant whose engine says what is owed.
    pub fn open(host: &'a Host) -> Self {
        Self::open_as(host, "engine")
    }

    /// A tenant whose account has this mode.
    ///
    /// # Panics
    /// When it cannot be made.
    pub fn open_as(host: &'a Host, mode: &str) -> Self {
        let (key, now) = tenant(host);
        let fake = FakeStripe::start(now);
        let account = json!({"name": "Stripe", "provider": "stripe", "api_key": "sk_test_12345678",
            "webhook_secret": SECRET, "base_url": fake.url(), "mode": mode});
        Self::with_account(host, key, fake, &account)
    }

    /// Sends a webhook as the provider does.
    pub fn webhook(&self, body: &str) -> Answer {
        let signed = stripe::signature::sign(SECRET, self.now(), body.as_bytes());
        self.webhook_with(body, &signed)
    }

    /// Sends a webhook with this signature.
    pub fn webhook_with(&self, body: &str, signature: &str) -> Answer {
        self.post_event(body, &[("stripe-signature", signature)])
    }
}

impl<'a> Shop<'a, ()> {
    /// A tenant that collects by an account in Stripe's test mode.
    pub fn open_at_stripe(host: &'a Host, secret: &str) -> Self {
        let (key, _) = tenant(host);
        let account = json!({"name": "Stripe", "provider": "stripe", "api_key": secret});
        Self::with_account(host, key, (), &account)
    }
}

impl<'a> Shop<'a, FakePayPal> {
    /// A tenant that collects by PayPal.
    ///
    /// # Panics
    /// When it cannot be made.
    pub fn open_paypal(host: &'a Host) -> Self {
        let (key, now) = tenant(host);
        let fake = FakePayPal::start(now);
        let (client_id, secret) = fake_paypal::CLIENT;
        let account = json!({"name": "PayPal", "provider": "paypal", "api_key": secret,
            "client_id": client_id, "base_url": fake.url(), "roots": fake_paypal::ROOT});
        let shop = Self::with_account(host, key, fake, &account);
        // PayPal tells the id of the webhook when the path is entered there.
        let path = format!("/v1/payments/accounts/{}", shop.account);
        shop.send("PATCH", &path, json!({"webhook_id": fake_paypal::WEBHOOK_ID}));
        shop
    }

    /// Sends a webhook as PayPal does to the webhook with this id.
    pub fn webhook_of(&self, body: &str, webhook: &str) -> Answer {
        let headers = self.fake.signed(body.as_bytes(), webhook, Timestamp(self.now() * 1000));
        let headers: Vec<_> = headers
            .iter()
            .filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)))
            .collect();
        self.post_event(body, &headers)
    }

    /// Sends a webhook to ours.
    pub fn webhook(&self, body: &str) -> Answer {
        self.webhook_of(body, fake_paypal::WEBHOOK_ID)
    }
}

impl<'a, F> Shop<'a, F> {
    fn with_account(host: &'a Host, key: String, fake: F, account: &Value) -> Self {
        let made = host.ask("POST", "/v1/payments/accounts", &key, account);
        assert_eq!(made.status, 201, "{}", made.json());
        let (account, path) = (made.text("/id"), made.text("/path"));
        Self { host, key, account, path, fake }
    }

    fn post_event(&self, body: &str, headers: &[(&str, &str)]) -> Answer {
        let mut it = request("POST", &self.path, headers, &Value::Null);
        *it.body_mut() = body.to_owned().into();
        self.host.call(it)
    }

    /// Reads.
    pub fn get(&self, path: &str) -> Answer {
        self.host.ask("GET", path, &self.key, &Value::Null)
    }

    /// Changes something.
    ///
    /// # Panics
    /// When that is refused.
    pub fn send(&self, method: &str, path: &str, body: Value) -> Answer {
        let answer = self.host.ask(method, path, &self.key, &body);
        assert!(answer.status.is_success(), "{method} {path}: {}", answer.json());
        answer
    }

    /// The tenant's time, in seconds since 1970.
    pub fn now(&self) -> i64 {
        Timestamp::parse(&self.get("/v1/whoami").text("/now")).unwrap().seconds()
    }

    /// A customer with this method, and a subscription of 11.90 a month.
    pub fn subscribe(&self, method: &str) -> String {
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

    /// The customer `acme` pays by this method.
    pub fn pays_by(&self, method: &str) {
        let customer = json!({"party": {"name": "Acme", "country": "DE"},
            "email": "a@example.com", "method": {"reference": method, "kind": "card"}});
        self.send("PUT", "/v1/billing/customers/acme", customer);
    }

    /// Waits until `claim` holds of what is at `path`.
    pub fn until(&self, path: &str, claim: impl Fn(&Value) -> bool) -> Value {
        until(self.host, &self.key, path, claim)
    }

    /// Waits until a subscription is in this state.
    pub fn until_state(&self, subscription: &str, state: &str) {
        let path = format!("/v1/billing/subscriptions/{subscription}");
        self.until(&path, |it| it["state"] == state);
    }

    /// How often the log says this.
    pub fn told(&self, action: &str) -> usize {
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
    pub fn until_told(&self, action: &str, times: usize) {
        self.until("/v1/whoami", |_| self.told(action) >= times);
    }

    /// What an account of the ledger comes to.
    pub fn balance(&self, account: &str) -> i64 {
        let all = self.get("/v1/billing/ledger/balances").json();
        let items = all["items"].as_array().unwrap().clone();
        let found = items.iter().find(|it| it["account"] == account);
        found.map_or(0, |it| it["amount"].as_i64().unwrap())
    }
}
