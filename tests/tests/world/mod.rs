//! A sandbox with all that bills, and a bank of ours.

mod bank;

use std::{collections::BTreeMap, time::Duration};

use bank::Bank;
use bytes::Bytes;
use serde_json::{Value, json};
use shared::{http::Body, memory::Memory};
use tests::mortal::Mortal;

shared::mount! {
    /// What bills, what counts, and who pays.
    World: tenants::Tenants, gate::Gate, Mortal<billing::Billing>, audit::Audit, tick::Tick, Bank
}

/// A sandbox in the world.
pub struct Played {
    pub memory: Memory,
    key: String,
}

impl Played {
    pub fn new() -> Self {
        bank::forget();
        let memory = Memory::default();
        let mut it = Self { memory, key: Memory::OPERATOR_KEY.to_owned() };
        let tenant = it.post("/v1/tenants", json!({"name": "T", "sandbox": true}));
        let tenant = tenant["id"].as_str().unwrap().to_owned();
        let body = json!({"name": "all", "scopes": ["*"]});
        let made = it.call("POST", "/v1/keys", body, Some(&tenant));
        it.key = made["secret"].as_str().unwrap().to_owned();
        it.advance("2030-01-01T00:00:00Z");
        it
    }

    pub fn call(&self, method: &str, path: &str, body: Value, tenant: Option<&str>) -> Value {
        let mut request = http::Request::builder()
            .method(method)
            .uri(path)
            .header("authorization", format!("Bearer {}", self.key))
            .header("content-type", "application/json");
        if let Some(tenant) = tenant {
            request = request.header("backplane-tenant", tenant);
        }
        let body = if body.is_null() { Bytes::new() } else { body.to_string().into() };
        let response = self.memory.serve::<World>(request.body(body).unwrap());
        let status = response.status();
        let text = match response.into_body() {
            Body::Full(it) => it,
            Body::Stream(_) => unreachable!("nothing here streams"),
        };
        let text = String::from_utf8_lossy(&text).into_owned();
        assert!(status.is_success(), "{method} {path}: {status} {text}");
        serde_json::from_str(&text).unwrap_or_default()
    }

    pub fn get(&self, path: &str) -> Value {
        self.call("GET", path, Value::Null, None)
    }

    pub fn post(&self, path: &str, body: Value) -> Value {
        self.call("POST", path, body, None)
    }

    pub fn put(&self, path: &str, body: Value) -> Value {
        self.call("PUT", path, body, None)
    }

    pub fn advance(&self, to: &str) {
        self.post("/v1/test-clock/advance", json!({"to": to}));
        for _ in 0..200 {
            if self.get("/v1/test-clock")["status"] == "ready" {
                return;
            }
            self.memory.advance(Duration::from_secs(1));
        }
        panic!("the clock never arrives at {to}");
    }

    /// All pages of a list.
    pub fn all(&self, path: &str) -> Vec<Value> {
        let (mut items, mut next) = (Vec::new(), String::new());
        loop {
            let sign = if path.contains('?') { '&' } else { '?' };
            let page = self.get(&format!("{path}{sign}limit=100{next}"));
            items.extend(page["items"].as_array().unwrap().iter().cloned());
            match page["next"].as_str() {
                Some(cursor) => next = format!("&cursor={cursor}"),
                None => return items,
            }
        }
    }

    /// Two plans with a base, seats and calls.
    pub fn catalogue(&self) {
        let party = json!({"name": "Tea GmbH", "country": "DE", "vat_id": "DE123456789"});
        self.put(
            "/v1/billing/entities/default",
            json!({"party": party, "account": "acc_1", "zone": "Europe/Berlin"}),
        );
        self.put("/v1/usage/meters/calls", json!({"aggregation": "sum", "unit": "call"}));
        let quota = json!({"meter": "calls", "limit": 1000, "window": {"every": "month"}});
        self.put("/v1/usage/plans/team", json!({"quotas": [quota]}));
        for (name, base, seat) in [("team", 2000, "1000"), ("business", 10_000, "1500")] {
            let prices = json!([
                {"name": "base", "basis": {"kind": "recurring"},
                 "model": {"model": "flat", "amount": base}},
                {"name": "seat", "title": "Seat", "basis": {"kind": "per_seat"},
                 "model": {"model": "per_unit", "unit_amount": seat}},
                {"name": "calls", "title": "Calls", "basis": {"kind": "metered", "meter": "calls"},
                 "model": {"model": "graduated", "tiers": [
                    {"up_to": 1000}, {"unit_amount": "0.25"}]}},
            ]);
            let plan = json!({"title": name, "currency": "EUR", "prices": prices,
                "seats": {"min": 1, "max": 50}});
            self.put(&format!("/v1/billing/plans/{name}"), plan);
        }
    }

    pub fn customer(&self, id: &str, method: Option<&str>) -> String {
        let mut body = json!({
            "party": {"name": id, "country": "DE"}, "email": format!("{id}@example.com"),
        });
        match method {
            Some(it) => body["method"] = json!({"reference": it, "kind": "card"}),
            None => body["collection"] = json!("send_invoice"),
        }
        self.put(&format!("/v1/billing/customers/{id}"), body);
        let new = json!({"customer": id, "plan": "team", "seats": 2});
        let made = self.post("/v1/billing/subscriptions", new);
        made["id"].as_str().unwrap().to_owned()
    }

    pub fn pays_by(&self, id: &str, method: &str) {
        let body = json!({
            "party": {"name": id, "country": "DE"}, "email": format!("{id}@example.com"),
            "method": {"reference": method, "kind": "card"},
        });
        self.put(&format!("/v1/billing/customers/{id}"), body);
    }

    pub fn state(&self, subscription: &str) -> String {
        let it = self.get(&format!("/v1/billing/subscriptions/{subscription}"));
        it["state"].as_str().unwrap().to_owned()
    }

    pub fn balances(&self) -> BTreeMap<String, i64> {
        let all = self.get("/v1/billing/ledger/balances");
        let one = |it: &Value| {
            (it["account"].as_str().unwrap().to_owned(), it["amount"].as_i64().unwrap())
        };
        all["items"].as_array().unwrap().iter().map(one).collect()
    }
}
