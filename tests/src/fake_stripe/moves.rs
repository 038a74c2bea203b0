//! What moved the balance at the fake: balance transactions with fees, payouts, and ways in which
//! they can be other than what we were told.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{FakeStripe, State, text};

/// What the bank asks for when a payment is disputed.
pub const DISPUTE_FEE: i64 = 1_500;
/// After how many seconds money can be paid out.
const AVAILABLE_AFTER: i64 = 2 * 86_400;

/// What is kept of a charge.
pub fn fee(amount: i64) -> i64 {
    30 + amount * 15 / 1000
}

impl FakeStripe {
    /// Somebody pays by another way than ours: we never hear of it.
    pub fn charge_by_hand(&self, amount: i64) -> String {
        let mut state = self.state();
        let (id, charge) = (state.id("pi"), state.id("ch"));
        let source = json!({"id": charge, "object": "charge", "amount": amount, "currency": "eur",
            "payment_intent": id, "metadata": {}});
        state.moved("charge", amount, fee(amount), source);
        let whole = json!({"id": charge, "object": "charge", "refunds": {"data": []}});
        state.objects.insert(
            id.clone(),
            json!({"id": id, "object": "payment_intent", "amount": amount, "currency": "eur",
                "status": "succeeded", "metadata": {}, "latest_charge": whole}),
        );
        id
    }

    /// Refunds a payment, and tells nobody.
    pub fn refund_unheard(&self, payment: &str, amount: i64) {
        let mut state = self.state();
        state.refund(payment, amount, &Value::Null);
        state.events.pop();
    }

    /// Takes out what moved because of this payment, so that the provider has not got it.
    pub fn lose(&self, payment: &str) -> Vec<Value> {
        let mut state = self.state();
        let is_of = |it: &Value| it["source"]["payment_intent"] == payment;
        let (lost, kept) = state.moves.drain(..).partition(is_of);
        state.moves = kept;
        lost
    }

    /// Puts back what was lost: it is found now.
    pub fn find(&self, lost: Vec<Value>) {
        let mut state = self.state();
        state.now += 1;
        for mut it in lost {
            it["created"] = json!(state.now);
            state.moves.push(it);
        }
    }

    /// The provider has this much more of a payment than was asked for, or less.
    pub fn alter(&self, payment: &str, by: i64) {
        let mut state = self.state();
        let is_of = |it: &&mut Value| it["source"]["payment_intent"] == payment;
        for it in state.moves.iter_mut().filter(is_of) {
            for name in ["amount", "net"] {
                it[name] = json!(it[name].as_i64().unwrap_or(0) + by);
            }
        }
    }

    /// Pays out to the bank.
    pub fn pay_out(&self, amount: i64) {
        let mut state = self.state();
        let id = state.id("po");
        state.moved("payout", -amount, 0, json!({"id": id, "object": "payout"}));
    }

    /// Keeps a fee for something else than a payment.
    pub fn keep(&self, amount: i64) {
        self.state().moved("fee", -amount, 0, Value::Null);
    }

    /// Makes all that moved so many seconds older.
    pub fn age(&self, seconds: i64) {
        for it in &mut self.state().moves {
            it["created"] = json!(it["created"].as_i64().unwrap_or(0) - seconds);
        }
    }

    /// What the account has.
    pub fn has(&self) -> i64 {
        self.state().moves.iter().filter_map(|it| it["net"].as_i64()).sum()
    }

    /// When the last thing happened, by its clock.
    pub fn now(&self) -> i64 {
        self.state().now
    }
}

impl State {
    /// Money moved: `source` is what moved it.
    pub(super) fn moved(&mut self, category: &str, amount: i64, fee: i64, source: Value) {
        let id = self.id("txn");
        self.now += 1;
        self.moves.push(json!({"id": id, "object": "balance_transaction", "type": category,
            "reporting_category": category, "amount": amount, "fee": fee, "net": amount - fee,
            "currency": "eur", "created": self.now, "available_on": self.now + AVAILABLE_AFTER,
            "source": source}));
    }

    /// A payment that succeeded.
    pub(super) fn charged(&mut self, payment: &Value) {
        let amount = payment["amount"].as_i64().unwrap_or(0);
        let source = json!({"id": payment["latest_charge"]["id"], "object": "charge",
            "amount": amount, "currency": payment["currency"], "payment_intent": payment["id"],
            "metadata": payment["metadata"]});
        self.moved("charge", amount, fee(amount), source);
    }

    /// A dispute takes the money, and gives it back when it is won.
    pub(super) fn disputed(&mut self, dispute: &Value, before: Option<&Value>) {
        let amount = dispute["amount"].as_i64().unwrap_or(0);
        let is_open = before.is_some_and(|it| it["status"] == "needs_response");
        match dispute["status"].as_str() {
            Some("needs_response") => {
                self.moved("dispute", -amount, DISPUTE_FEE, dispute.clone());
            }
            Some("won") if is_open => self.moved("dispute_reversal", amount, 0, dispute.clone()),
            _ => {}
        }
    }

    /// Movements, newest first; `source` is an id unless it is expanded.
    pub(super) fn movements(&self, form: &BTreeMap<String, String>) -> Value {
        let since: i64 = form.get("created[gte]").and_then(|it| it.parse().ok()).unwrap_or(0);
        let is_whole = form.get("expand[]").is_some_and(|it| it == "data.source");
        let newer = self.moves.iter().filter(|it| it["created"].as_i64() >= Some(since));
        let mut all: Vec<Value> = newer.cloned().collect();
        for it in all.iter_mut().filter(|_| !is_whole) {
            it["source"] = json!(text(&it["source"], "id"));
        }
        all.reverse();
        super::page(&all, form)
    }

    /// The balance: what cannot be paid out yet is pending.
    pub(super) fn balance(&self) -> Value {
        let sum = |is_available: bool| -> i64 {
            let of = |it: &&Value| (it["available_on"].as_i64() <= Some(self.now)) == is_available;
            self.moves.iter().filter(of).filter_map(|it| it["net"].as_i64()).sum()
        };
        let one = |amount: i64| json!([{"amount": amount, "currency": "eur"}]);
        json!({"object": "balance", "available": one(sum(true)), "pending": one(sum(false))})
    }
}
