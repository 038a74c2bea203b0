//! Stripe's objects, in the shapes before and after `2025-03-31.basil`.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{amount::from_stripe, event::id_of};
use crate::mirror::{Customer, Dispute, DisputeState, Item, Object, Payment, Subscription};

/// What an object says, and its id. A customer that was deleted has no method any more.
pub fn read(it: &Value) -> Option<(String, Object)> {
    let id = text(it, "id")?;
    let kind = text(it, "object")?;
    let object = match kind.as_str() {
        "payment_intent" => Object::Payment(payment(it)),
        "dispute" => Object::Dispute(dispute(it)),
        "customer" => Object::Customer(customer(it)),
        "subscription" => Object::Subscription(subscription(it)),
        _ => Object::Other { object: kind, body: it.clone() },
    };
    Some((id, object))
}

fn text(it: &Value, name: &str) -> Option<String> {
    it.get(name).and_then(Value::as_str).map(str::to_owned)
}

fn number(it: &Value, name: &str) -> Option<i64> {
    it.get(name).and_then(Value::as_i64)
}

pub(super) fn metadata(it: &Value, name: &str) -> Option<String> {
    text(it.get("metadata")?, name)
}

fn currency(it: &Value) -> String {
    text(it, "currency").unwrap_or_default().to_ascii_uppercase()
}

fn amount(it: &Value, currency: &str) -> i64 {
    from_stripe(number(it, "amount").unwrap_or(0), currency)
}

fn payment(it: &Value) -> Payment {
    let status = text(it, "status").unwrap_or_default();
    let currency = currency(it);
    let charge = it.get("latest_charge").filter(|it| it.is_object());
    // The fee is of the currency that is settled in: of another one it is no part of this payment.
    let settled = charge.and_then(|it| it.get("balance_transaction"));
    let is_ours = |it: &&Value| it.get("currency").is_none() || self::currency(it) == currency;
    let fee = settled.filter(is_ours).and_then(|it| number(it, "fee"));
    let refused = it.get("last_payment_error").filter(|it| it.is_object()).map(|it| {
        let code = text(it, "decline_code").or(text(it, "code"));
        // An attempt is told by its charge; without one, by what was wrong.
        let attempt = text(it, "charge").or(text(it, "request_log_url"));
        let code = code.unwrap_or_else(|| "declined".to_owned());
        (attempt.unwrap_or_else(|| code.clone()), code)
    });
    let cancelled = || {
        let why = text(it, "cancellation_reason").unwrap_or_else(|| "canceled".to_owned());
        (status == "canceled").then(|| ("canceled".to_owned(), why))
    };
    let redirect = it.get("next_action").and_then(|it| it.get("redirect_to_url"));
    Payment {
        payment: metadata(it, "payment"),
        amount: amount(it, &currency),
        succeeded: status == "succeeded",
        needs_action: status == "requires_action",
        action: redirect.and_then(|it| text(it, "url")),
        // What was cancelled is paid no more, whatever was refused before.
        refused: cancelled().or(refused.filter(|_| status != "requires_action")),
        fee: fee.map(|it| from_stripe(it, &currency)),
        refunds: charge.map(|it| refunds(it, &currency)).unwrap_or_default(),
        currency,
        ..Payment::default()
    }
}

/// The refunds of a charge that are done.
fn refunds(charge: &Value, currency: &str) -> BTreeMap<String, (i64, Option<String>)> {
    let all = charge.get("refunds").and_then(|it| it.get("data")).and_then(Value::as_array);
    let done = |it: &&Value| text(it, "status").as_deref() == Some("succeeded");
    let one = |it: &Value| Some((text(it, "id")?, (amount(it, currency), metadata(it, "refund"))));
    all.into_iter().flatten().filter(done).filter_map(one).collect()
}

fn dispute(it: &Value) -> Dispute {
    let currency = currency(it);
    let state = match text(it, "status").unwrap_or_default().as_str() {
        "warning_needs_response" | "warning_under_review" | "warning_closed" => DisputeState::Asked,
        "won" => DisputeState::Won,
        "lost" => DisputeState::Lost,
        _ => DisputeState::Opened,
    };
    Dispute {
        // The metadata is the payment's only where somebody copied it; `fetch` adds it.
        payment: metadata(it, "payment"),
        amount: amount(it, &currency),
        currency,
        state,
    }
}

fn customer(it: &Value) -> Customer {
    let settings = it.get("invoice_settings");
    let method = settings.and_then(|it| it.get("default_payment_method"));
    let card = method.and_then(|it| it.get("card"));
    let expires = card.and_then(|it| {
        Some(format!("{:04}-{:02}", number(it, "exp_year")?, number(it, "exp_month")?))
    });
    Customer {
        customer: metadata(it, "customer"),
        method: method.and_then(id_of),
        method_kind: method.and_then(|it| text(it, "type")),
        last4: card.and_then(|it| text(it, "last4")),
        expires,
    }
}

fn subscription(it: &Value) -> Subscription {
    let list = it.get("items").and_then(|it| it.get("data")).and_then(Value::as_array);
    let items: Vec<&Value> = list.into_iter().flatten().collect();
    let item = |it: &&Value| {
        let price = it.get("price").or(it.get("plan"));
        Item {
            price: price.and_then(id_of).unwrap_or_default(),
            product: price.and_then(|it| it.get("product")).and_then(id_of).unwrap_or_default(),
            quantity: number(it, "quantity").unwrap_or(1),
        }
    };
    // Before basil the period stands on the subscription, after it on each item.
    let period = |name: &str, best: fn(i64, i64) -> i64| {
        let of_items = items.iter().filter_map(|it| number(it, name)).reduce(best);
        number(it, name).or(of_items)
    };
    let status = match text(it, "status").unwrap_or_default().as_str() {
        "canceled" | "incomplete_expired" => "cancelled".to_owned(),
        _ if it.get("pause_collection").is_some_and(Value::is_object) => "paused".to_owned(),
        other => other.to_owned(),
    };
    Subscription {
        customer: metadata(it, "customer"),
        status,
        currency: currency(it),
        items: items.iter().map(item).collect(),
        period_from: period("current_period_start", i64::min),
        period_to: period("current_period_end", i64::max),
        cancel_at: number(it, "cancel_at"),
        ended_at: number(it, "ended_at"),
    }
}
