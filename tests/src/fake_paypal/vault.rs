//! What customers have left to pay with, and the subscriptions that PayPal keeps.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{FakePayPal, State, issue, link, text};

const PAGE: &str = "https://www.sandbox.paypal.com/agree";

impl FakePayPal {
    /// A customer leaves a way to pay. What the id contains says how payments go: `declined`,
    /// `poor` (a card whose bank says no), `action`, `later` (captured by a second call).
    pub fn leave(&self, customer: &str, name: &str, kind: &str, method: &str) {
        let mut state = self.state();
        let source = match kind {
            "card" => json!({"card": {"last_digits": "4242", "expiry": "2035-04"}}),
            kind => json!({kind: {"email_address": "payer@example.com"}}),
        };
        let customer = json!({"id": customer, "merchant_customer_id": name});
        let it = json!({"id": method, "customer": customer, "payment_source": source});
        state.put("method", method, &it);
        state.tell("VAULT.PAYMENT-TOKEN.CREATED", it);
    }

    /// It takes it away again.
    pub fn take_away(&self, method: &str) {
        let mut state = self.state();
        if let Some(it) = state.objects.remove(&format!("method/{method}")) {
            state.tell("VAULT.PAYMENT-TOKEN.DELETED", it);
        }
    }

    /// The customer agrees to what a setup or a subscription asks for.
    pub fn agree(&self, kind: &str, id: &str) {
        let (event, status) = match kind {
            "subscription" => (Some("BILLING.SUBSCRIPTION.ACTIVATED"), "ACTIVE"),
            _ => (None, "APPROVED"),
        };
        self.change(kind, id, event, |it| it["status"] = json!(status));
    }
}

impl State {
    pub(super) fn vault(
        &mut self,
        call: (&str, &[&str]),
        query: &BTreeMap<String, String>,
        body: &Value,
    ) -> (u16, Value) {
        match call {
            ("GET", ["payment-tokens", id]) => self.object("method", id),
            ("GET", ["payment-tokens"]) => {
                let whose = query.get("customer_id").cloned().unwrap_or_default();
                let is_theirs = |it: &&Value| text(it, "/customer/id") == whose;
                let all: Vec<_> = self.all("method").into_iter().filter(is_theirs).collect();
                let customer = all.first().map(|it| &it["customer"]);
                (200, json!({"customer": customer, "payment_tokens": all}))
            }
            ("POST", ["setup-tokens"]) => {
                let id = self.id("SETUP");
                let customer = match text(&body["customer"], "/id") {
                    "" => {
                        let name = &body["customer"]["merchant_customer_id"];
                        json!({"id": self.id("CUST"), "merchant_customer_id": name})
                    }
                    known => json!({"id": known}),
                };
                let it = json!({"id": id, "status": "PAYER_ACTION_REQUIRED", "customer": customer,
                    "payment_source": body["payment_source"],
                    "links": [link("approve", &format!("{PAGE}?setup={id}"))]});
                self.put("setup", &id, &it);
                (201, it)
            }
            ("GET", ["setup-tokens", id]) => self.object("setup", id),
            ("POST", ["payment-tokens"]) => {
                let setup = text(body, "/payment_source/token/id").to_owned();
                let (200, mut it) = self.object("setup", &setup) else {
                    return issue(404, "INVALID_RESOURCE_ID");
                };
                if text(&it, "/status") != "APPROVED" {
                    return issue(422, "SETUP_TOKEN_NOT_APPROVED");
                }
                it["status"] = json!("VAULTED");
                self.put("setup", &setup, &it);
                let id = self.id("method");
                let made = json!({"id": id, "customer": it["customer"],
                    "payment_source": {"paypal": {"email_address": "payer@example.com"}}});
                self.put("method", &id, &made);
                self.tell("VAULT.PAYMENT-TOKEN.CREATED", made.clone());
                (201, made)
            }
            _ => issue(404, "INVALID_RESOURCE_ID"),
        }
    }

    pub(super) fn subscriptions(
        &mut self,
        call: (&str, &[&str]),
        query: &BTreeMap<String, String>,
        body: &Value,
    ) -> (u16, Value) {
        match call {
            ("POST", ["products"]) => self.make("product", "PROD-", body),
            ("POST", ["plans"]) => self.make("plan", "P-", body),
            ("GET", ["plans", id]) => self.object("plan", id),
            ("POST", ["subscriptions"]) => self.subscribe(body),
            ("GET", ["subscriptions", id]) => {
                let (status, mut it) = self.object("subscription", id);
                if query.get("fields").is_some_and(|it| it == "plan") {
                    let plan = self.object("plan", text(&it, "/plan_id")).1;
                    it["plan"] = plan;
                }
                (status, it)
            }
            ("GET", ["subscriptions", _, "transactions"]) => {
                (200, json!({"transactions": [{"id": "T1", "status": "COMPLETED"}]}))
            }
            ("POST", ["subscriptions", id, "revise"]) => self.revise(id, body),
            ("POST", ["subscriptions", id, "cancel"]) => {
                self.turn(id, &["ACTIVE", "SUSPENDED"], "CANCELLED")
            }
            ("POST", ["subscriptions", id, "suspend"]) => self.turn(id, &["ACTIVE"], "SUSPENDED"),
            ("POST", ["subscriptions", id, "activate"]) => self.turn(id, &["SUSPENDED"], "ACTIVE"),
            _ => issue(404, "INVALID_RESOURCE_ID"),
        }
    }

    fn make(&mut self, kind: &str, prefix: &str, body: &Value) -> (u16, Value) {
        let id = self.id(prefix);
        let mut it = body.clone();
        it["id"] = json!(id);
        self.put(kind, &id, &it);
        (201, it)
    }

    fn subscribe(&mut self, body: &Value) -> (u16, Value) {
        if self.object("plan", text(body, "/plan_id")).0 != 200 {
            return issue(404, "INVALID_RESOURCE_ID");
        }
        let id = self.id("I-");
        let start = match text(body, "/start_time") {
            "" => self.time(),
            start => start.to_owned(),
        };
        let it = json!({"id": id, "status": "APPROVAL_PENDING", "plan_id": body["plan_id"],
            "quantity": body["quantity"], "custom_id": body["custom_id"], "start_time": start,
            "billing_info": {"failed_payments_count": 0,
                "outstanding_balance": {"currency_code": "EUR", "value": "0.0"}},
            "links": [link("approve", &format!("{PAGE}?ba_token={id}"))]});
        self.put("subscription", &id, &it);
        (201, it)
    }

    fn revise(&mut self, id: &str, body: &Value) -> (u16, Value) {
        let (200, mut it) = self.object("subscription", id) else {
            return issue(404, "INVALID_RESOURCE_ID");
        };
        it["plan_id"] = body["plan_id"].clone();
        it["quantity"] = body["quantity"].clone();
        self.put("subscription", id, &it);
        self.tell("BILLING.SUBSCRIPTION.UPDATED", it);
        let page = link("approve", &format!("{PAGE}?revise={id}"));
        (200, json!({"plan_id": body["plan_id"], "links": [page]}))
    }

    fn turn(&mut self, id: &str, from: &[&str], to: &str) -> (u16, Value) {
        let (200, mut it) = self.object("subscription", id) else {
            return issue(404, "INVALID_RESOURCE_ID");
        };
        if !from.contains(&text(&it, "/status")) {
            return issue(422, "SUBSCRIPTION_STATUS_INVALID");
        }
        it["status"] = json!(to);
        it["status_update_time"] = json!(self.time());
        self.put("subscription", id, &it);
        self.tell(&format!("BILLING.SUBSCRIPTION.{to}"), it);
        (204, Value::Null)
    }
}
