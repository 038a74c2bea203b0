//! Orders, their captures and refunds, disputes, and how PayPal lists all that.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use shared::domain::Timestamp;

use super::{FakePayPal, State, issue, link, text};

/// What PayPal keeps of a payment: 35 cents and 2.9 percent.
fn fee(cents: i64) -> i64 {
    35 + cents * 29 / 1000
}

fn cents(text: &str) -> i64 {
    text.replace('.', "").parse().unwrap_or(0)
}

fn decimal(cents: i64) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}

impl FakePayPal {
    /// The customer approves an order on PayPal's page.
    pub fn approve(&self, order: &str) {
        self.change("order", order, Some("CHECKOUT.ORDER.APPROVED"), |it| {
            it["status"] = json!("APPROVED");
        });
    }

    /// Refunds a capture by hand, as somebody does on PayPal's page.
    pub fn refund_by_hand(&self, capture: &str, value: &str) {
        let amount = json!({"value": value, "currency_code": "EUR"});
        self.state().refund(capture, &json!({"amount": amount}));
    }

    /// Somebody disputes a capture. Gives the dispute's id.
    pub fn dispute(&self, capture: &str, stage: &str) -> String {
        let mut state = self.state();
        let id = state.id("PP-D-");
        let amount = state.objects.get(&format!("capture/{capture}")).map(|it| &it["amount"]);
        let it = json!({"dispute_id": id, "status": "OPEN", "dispute_life_cycle_stage": stage,
            "dispute_amount": amount,
            "disputed_transactions": [{"seller_transaction_id": capture}]});
        state.put("dispute", &id, &it);
        state.tell("CUSTOMER.DISPUTE.CREATED", it);
        id
    }

    /// All captures, in the order of their ids, as [`Self::paid`] has them.
    pub fn captures(&self) -> Vec<String> {
        let state = self.state();
        state.all("capture").into_iter().map(|it| text(it, "/id").to_owned()).collect()
    }

    /// The only capture there is.
    ///
    /// # Panics
    /// When there is none, or more than one.
    pub fn capture(&self) -> String {
        let state = self.state();
        let all = state.all("capture");
        assert_eq!(all.len(), 1, "{all:?}");
        text(all[0], "/id").to_owned()
    }
}

impl State {
    pub(super) fn payments(&mut self, call: (&str, &[&str]), body: &Value) -> (u16, Value) {
        match call {
            ("POST", ["orders"]) => self.make_order(body),
            ("POST", ["orders", id, "capture"]) => self.capture_order(id),
            ("GET", ["orders", id]) => self.object("order", id),
            ("GET", ["captures", id]) => self.object("capture", id),
            ("POST", ["captures", id, "refund"]) => self.refund(id, body),
            ("GET", ["refunds", id]) => self.object("refund", id),
            _ => issue(404, "INVALID_RESOURCE_ID"),
        }
    }

    fn make_order(&mut self, body: &Value) -> (u16, Value) {
        let id = self.id("ORDER");
        let source = body["payment_source"].as_object();
        let source = source.and_then(|it| it.iter().next());
        let method = source.map_or("", |it| text(it.1, "/vault_id")).to_owned();
        if method.contains("declined") {
            return issue(422, "INSTRUMENT_DECLINED");
        }
        let mut it = json!({"id": id, "intent": "CAPTURE", "create_time": self.time(),
            "purchase_units": body["purchase_units"], "payment_source": body["payment_source"]});
        let status = match method.as_str() {
            "" => "PAYER_ACTION_REQUIRED",
            it if it.contains("action") => "PAYER_ACTION_REQUIRED",
            _ => "APPROVED",
        };
        it["status"] = json!(status);
        if status == "PAYER_ACTION_REQUIRED" {
            let page = format!("https://www.sandbox.paypal.com/checkoutnow?token={id}");
            it["links"] = json!([link("payer-action", &page)]);
        }
        self.put("order", &id, &it);
        // One that is paid from the vault is captured at once, unless the method says otherwise.
        match status == "APPROVED" && !method.contains("later") {
            true => self.capture_order(&id),
            false => (201, it),
        }
    }

    fn capture_order(&mut self, id: &str) -> (u16, Value) {
        let (200, mut order) = self.object("order", id) else {
            return issue(404, "INVALID_RESOURCE_ID");
        };
        match text(&order, "/status") {
            "APPROVED" => {}
            "COMPLETED" => return issue(422, "ORDER_ALREADY_CAPTURED"),
            _ => return issue(422, "ORDER_NOT_APPROVED"),
        }
        let unit = order["purchase_units"][0].clone();
        let invoice = text(&unit, "/invoice_id").to_owned();
        if !invoice.is_empty() && self.invoices.contains(&invoice) {
            return issue(422, "DUPLICATE_INVOICE_ID");
        }
        let method = order["payment_source"].to_string();
        if method.contains("refused") {
            return issue(422, "INSTRUMENT_DECLINED");
        }
        let capture = self.make_capture(&unit, method.contains("poor"));
        let kind = match text(&capture, "/status") {
            "COMPLETED" => {
                self.invoices.insert(invoice);
                "PAYMENT.CAPTURE.COMPLETED"
            }
            _ => "PAYMENT.CAPTURE.DECLINED",
        };
        self.tell(kind, capture.clone());
        order["status"] = json!("COMPLETED");
        order["purchase_units"][0]["payments"] = json!({"captures": [capture]});
        self.put("order", id, &order);
        (201, order)
    }

    fn make_capture(&mut self, unit: &Value, is_poor: bool) -> Value {
        let id = self.id("CAPTURE");
        let amount = &unit["amount"];
        let (value, currency) = (cents(text(amount, "/value")), &amount["currency_code"]);
        let mut it = json!({"id": id, "status": "COMPLETED", "amount": amount,
            "custom_id": unit["custom_id"], "invoice_id": unit["invoice_id"],
            "create_time": self.time(), "final_capture": true});
        if is_poor {
            it["status"] = json!("DECLINED");
            it["processor_response"] = json!({"response_code": "5120"});
        } else {
            let fee = json!({"value": decimal(fee(value)), "currency_code": currency});
            it["seller_receivable_breakdown"] = json!({"gross_amount": amount, "paypal_fee": fee});
        }
        self.put("capture", &id, &it);
        it
    }

    pub(super) fn refund(&mut self, capture: &str, body: &Value) -> (u16, Value) {
        let (200, mut paid) = self.object("capture", capture) else {
            return issue(404, "INVALID_RESOURCE_ID");
        };
        let refunds = |state: &Self| -> i64 {
            let of_it = |it: &&Value| it["links"][0]["href"].to_string().contains(capture);
            let all = state.all("refund").into_iter().filter(of_it);
            all.map(|it| cents(text(it, "/amount/value"))).sum()
        };
        let (paid_back, whole) = (refunds(self), cents(text(&paid, "/amount/value")));
        let value = cents(text(body, "/amount/value"));
        if paid_back + value > whole {
            return issue(422, "REFUND_AMOUNT_EXCEEDED");
        }
        let id = self.id("REFUND");
        let up = format!("https://api.sandbox.paypal.com/v2/payments/captures/{capture}");
        let it = json!({"id": id, "status": "COMPLETED", "amount": body["amount"],
            "custom_id": body["custom_id"], "links": [link("up", &up)]});
        self.put("refund", &id, &it);
        let is_all = paid_back + value == whole;
        paid["status"] = json!(if is_all { "REFUNDED" } else { "PARTIALLY_REFUNDED" });
        self.put("capture", capture, &paid);
        self.tell("PAYMENT.CAPTURE.REFUNDED", it.clone());
        (201, it)
    }

    pub(super) fn disputes(&self) -> (u16, Value) {
        let brief = |it: &&Value| json!({"dispute_id": it["dispute_id"], "status": it["status"]});
        let all: Vec<_> = self.all("dispute").iter().map(brief).collect();
        (200, json!({"items": all}))
    }

    /// Captures, refunds and sales as the movements that they are, two on a page.
    pub(super) fn transactions(&self, query: &BTreeMap<String, String>) -> (u16, Value) {
        let row = |code: &str, it: &Value| {
            json!({"transaction_info": {
                "transaction_id": it["id"], "transaction_event_code": code,
                "transaction_status": if text(it, "/status") == "DECLINED" { "D" } else { "S" },
                "transaction_amount": it["amount"], "custom_field": it["custom_id"],
                "fee_amount": it.pointer("/seller_receivable_breakdown/paypal_fee").map(|it| {
                    let value = format!("-{}", text(it, "/value"));
                    json!({"value": value, "currency_code": it["currency_code"]})
                }),
            }})
        };
        let then = Timestamp(self.began * 1000).to_string();
        let is_here =
            query.get("start_date") <= Some(&then) && query.get("end_date") >= Some(&then);
        let captures = self.all("capture").into_iter().map(|it| row("T0006", it));
        let refunds = self.all("refund").into_iter().map(|it| row("T1107", it));
        let sales = self.all("subscription").into_iter().map(|it| {
            let mut row = row("T0002", &json!({"id": "SALE1", "amount": null}));
            row["transaction_info"]["paypal_reference_id_type"] = json!("SUB");
            row["transaction_info"]["paypal_reference_id"] = it["id"].clone();
            row
        });
        let all: Vec<_> = captures.chain(refunds).chain(sales).filter(|_| is_here).collect();
        let number: usize = query.get("page").and_then(|it| it.parse().ok()).unwrap_or(1);
        let pages = all.len().div_ceil(2);
        let page: Vec<_> = all.into_iter().skip((number - 1) * 2).take(2).collect();
        (200, json!({"transaction_details": page, "page": number, "total_pages": pages}))
    }
}
