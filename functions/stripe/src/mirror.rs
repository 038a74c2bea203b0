//! The mirror: what is known of an object at the provider, and what its changes mean. Pure.
//!
//! An event is a hint that an object may have changed. The object itself is fetched, read into an
//! [`Object`], and compared with what was known: the difference is the facts. So it does not
//! matter in which order events come, how often, or whether they come at all.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// How many facts one change can be.
pub const FACTS_MAX: usize = 200;
/// How many refusals and requests for action of one payment are told.
pub const TOLD_MAX: usize = 100;

/// What is known of an object.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Object {
    /// A payment.
    Payment(Payment),
    /// A dispute of a payment.
    Dispute(Dispute),
    /// A customer, and how it pays.
    Customer(Customer),
    /// A subscription that the provider keeps.
    Subscription(Subscription),
    /// Anything else, as it was.
    Other {
        /// What the provider calls its kind.
        object: String,
        /// What it says.
        body: Value,
    },
}

/// A payment at the provider.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Payment {
    /// Our id of it. Without one it began there.
    pub payment: Option<String>,
    /// How much, in minor units.
    pub amount: i64,
    /// ISO 4217, capitals.
    pub currency: String,
    /// Whether the money is there.
    pub succeeded: bool,
    /// Where the customer confirms it, if that is needed.
    pub action: Option<String>,
    /// Whether the customer has to do something.
    pub needs_action: bool,
    /// The last refusal: which attempt it was, and the code.
    pub refused: Option<(String, String)>,
    /// What the provider kept.
    pub fee: Option<i64>,
    /// Refunds that are done: their amounts and our ids, by the provider's.
    pub refunds: BTreeMap<String, (i64, Option<String>)>,
    /// The attempts whose refusal or request for action was told. An attempt that is seen again,
    /// in an answer that is older than the one before it, is no news.
    #[serde(default)]
    pub told: BTreeSet<String>,
}

/// A dispute.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Dispute {
    /// Our id of the payment.
    pub payment: Option<String>,
    /// Minor units.
    pub amount: i64,
    /// ISO 4217, capitals.
    pub currency: String,
    /// Where it stands.
    pub state: DisputeState,
}

/// Where a dispute stands. It never goes back.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DisputeState {
    /// A question, and no money is moved.
    #[default]
    Asked,
    /// The money is gone for now.
    Opened,
    /// It is back.
    Won,
    /// It is gone.
    Lost,
}

/// A customer at the provider.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Customer {
    /// The tenant's own name for it.
    pub customer: Option<String>,
    /// How it pays when nobody says otherwise.
    pub method: Option<String>,
    /// As `card`.
    pub method_kind: Option<String>,
    /// The last digits.
    pub last4: Option<String>,
    /// The month after which it does not work.
    pub expires: Option<String>,
}

/// A subscription at the provider.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Subscription {
    /// The tenant's own name for the customer.
    pub customer: Option<String>,
    /// In our words.
    pub status: String,
    /// ISO 4217, capitals.
    pub currency: String,
    /// Price, product, quantity.
    pub items: Vec<Item>,
    /// Seconds since 1970.
    pub period_from: Option<i64>,
    /// Seconds since 1970.
    pub period_to: Option<i64>,
    /// Seconds since 1970.
    pub cancel_at: Option<i64>,
    /// Seconds since 1970.
    pub ended_at: Option<i64>,
}

/// What a subscription is to.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Item {
    /// The price.
    pub price: String,
    /// The product.
    pub product: String,
    /// How many.
    pub quantity: i64,
}

/// Something that billing wants to know: an entry of the log.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Fact {
    /// As `payment.succeeded`.
    pub action: &'static str,
    /// What it is about.
    pub subject: String,
    /// Its data, but for the account.
    pub data: Value,
}

/// What an object is once `fetched` came after `known`, and the facts in that; nothing when it is
/// no news.
pub fn news(id: &str, known: Option<&Object>, fetched: Object) -> Option<(Object, Vec<Fact>)> {
    let after = merged(known.cloned(), fetched);
    let is_news = known != Some(&after);
    is_news.then(|| {
        let facts = facts(id, known, &after);
        (after, facts)
    })
}

/// The facts in the change of the object with this id from what was known to what is. What is told
/// is what `after` has and `before` had not, so that each is told once however often it is asked.
fn facts(id: &str, before: Option<&Object>, after: &Object) -> Vec<Fact> {
    match (before, after) {
        (Some(Object::Payment(before)), Object::Payment(after)) => payment(id, before, after),
        (_, Object::Payment(after)) => payment(id, &Payment::default(), after),
        (Some(Object::Dispute(before)), Object::Dispute(after)) => dispute(id, before, after),
        (_, Object::Dispute(after)) => dispute(id, &Dispute::default(), after),
        (before, Object::Customer(after)) => match before {
            Some(Object::Customer(before)) if before == after => Vec::new(),
            _ => customer(after),
        },
        (before, Object::Subscription(it)) => match before {
            Some(Object::Subscription(before)) if before == it => Vec::new(),
            _ => subscription(id, it),
        },
        (_, Object::Other { .. }) => Vec::new(),
    }
}

/// What is known once `fetched` came, after `known`: what was reached is never taken back, because
/// an answer can be older than the one before it.
fn merged(known: Option<Object>, fetched: Object) -> Object {
    match (known, fetched) {
        (Some(Object::Payment(known)), Object::Payment(it)) => Object::Payment(grown(known, it)),
        (_, Object::Payment(it)) => Object::Payment(grown(Payment::default(), it)),
        (Some(Object::Dispute(known)), Object::Dispute(mut it)) => {
            it.state = it.state.max(known.state);
            it.payment = it.payment.or(known.payment);
            Object::Dispute(it)
        }
        // One that was deleted no longer says whose it was.
        (Some(Object::Customer(known)), Object::Customer(mut it)) => {
            it.customer = it.customer.or(known.customer);
            Object::Customer(it)
        }
        (_, it) => it,
    }
}

/// A payment that is known, with what was fetched of it. It only grows.
fn grown(known: Payment, mut it: Payment) -> Payment {
    it.succeeded |= known.succeeded;
    it.payment = it.payment.or(known.payment);
    it.fee = it.fee.or(known.fee);
    it.refused = it.refused.or(known.refused);
    for (id, refund) in known.refunds {
        it.refunds.entry(id).or_insert(refund);
    }
    if it.succeeded {
        (it.needs_action, it.action, it.refused) = (false, None, None);
    }
    it.told = known.told;
    let news = [it.refusal(), it.request()];
    let room = TOLD_MAX.saturating_sub(it.told.len());
    it.told.extend(news.into_iter().flatten().take(room));
    it
}

impl Payment {
    /// What tells its last refusal from others, while that matters.
    fn refusal(&self) -> Option<String> {
        let refused = self.refused.as_ref().filter(|_| !self.succeeded && !self.needs_action);
        refused.map(|(attempt, _)| format!("refused:{attempt}"))
    }

    /// What tells its request for action from others.
    fn request(&self) -> Option<String> {
        let url = self.action.as_deref().unwrap_or_default();
        (self.needs_action && !self.succeeded).then(|| format!("action:{url}"))
    }

    /// Whether this is told now, and was not before.
    fn is_new(&self, before: &Self, what: Option<String>) -> bool {
        what.is_some_and(|it| self.told.contains(&it) && !before.told.contains(&it))
    }
}

fn payment(id: &str, before: &Payment, after: &Payment) -> Vec<Fact> {
    let Some(payment) = &after.payment else { return Vec::new() };
    let fact = |action, more: Value| {
        let mut data = json!({"payment": payment, "reference": id, "currency": after.currency});
        if let (Some(data), Value::Object(more)) = (data.as_object_mut(), more) {
            data.extend(more);
        }
        Fact { action, subject: payment.clone(), data }
    };
    let mut facts = Vec::new();
    if after.succeeded && !before.succeeded {
        let more = json!({"amount": after.amount, "fee": after.fee});
        facts.push(fact("payment.succeeded", more));
    }
    if let Some((_, code)) = &after.refused
        && after.is_new(before, after.refusal())
    {
        facts.push(fact("payment.failed", json!({"code": code, "amount": after.amount})));
    }
    if after.is_new(before, after.request()) {
        facts.push(fact("payment.action_required", json!({"url": after.action})));
    }
    for (refund, (amount, ours)) in &after.refunds {
        if !before.refunds.contains_key(refund) {
            let more = json!({"refund": ours, "amount": amount, "provider_refund": refund});
            facts.push(fact("payment.refunded", more));
        }
    }
    facts.truncate(FACTS_MAX);
    facts
}

fn dispute(id: &str, before: &Dispute, after: &Dispute) -> Vec<Fact> {
    let Some(payment) = &after.payment else { return Vec::new() };
    let fact = |state: &str| Fact {
        action: "payment.disputed",
        subject: payment.clone(),
        data: json!({
            "payment": payment, "reference": id, "amount": after.amount,
            "currency": after.currency, "state": state,
        }),
    };
    let mut facts = Vec::new();
    if after.state > DisputeState::Asked && before.state == DisputeState::Asked {
        facts.push(fact("opened"));
    }
    if after.state > DisputeState::Opened && before.state <= DisputeState::Opened {
        facts.push(fact(if after.state == DisputeState::Won { "won" } else { "lost" }));
    }
    facts
}

fn customer(it: &Customer) -> Vec<Fact> {
    let Some(customer) = &it.customer else { return Vec::new() };
    let data = json!({
        "customer": customer, "method": it.method, "kind": it.method_kind,
        "last4": it.last4, "expires": it.expires,
    });
    vec![Fact { action: "payment_method.changed", subject: customer.clone(), data }]
}

fn subscription(id: &str, it: &Subscription) -> Vec<Fact> {
    let moment = |it: Option<i64>| it.map(|it| shared::domain::Timestamp(it.saturating_mul(1000)));
    let data = json!({
        "customer": it.customer, "provider_subscription": id, "status": it.status,
        "items": it.items, "currency": it.currency,
        "period_from": moment(it.period_from), "period_to": moment(it.period_to),
        "cancel_at": moment(it.cancel_at), "ended_at": moment(it.ended_at),
    });
    vec![Fact { action: "subscription.mirrored", subject: id.to_owned(), data }]
}
