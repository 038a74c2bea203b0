//! What PayPal's objects say to us. Pure.
//!
//! A payment is known by its capture, or by its order until there is one: a capture is what is
//! refunded and disputed, and it outlives its order. PayPal's objects do not name their kind:
//! `fetch` and `list` write it into `object`, and put a refund into the payment that it is of.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use shared::domain::{Timestamp, is_word};

use super::{
    event::{link, up},
    money,
};
use crate::mirror::{Customer, Dispute, DisputeState, Item, Object, Payment, Subscription};

/// What an object says, and its id. `None` when it cannot be read.
pub fn read(it: &Value) -> Option<(String, Object)> {
    let id = text(it, "/id")?.to_owned();
    match text(it, "/object")? {
        "order" => order(id, it),
        "capture" | "sale" | "authorization" => Some((id, Object::Payment(payment(it)?))),
        "dispute" => Some((id, Object::Dispute(dispute(it)?))),
        "customer" => Some((id, Object::Customer(customer(it)))),
        "subscription" => Some((id, Object::Subscription(subscription(it)))),
        kind => Some((id, Object::Other { object: kind.to_owned(), body: it.clone() })),
    }
}

pub(super) fn text<'a>(it: &'a Value, path: &str) -> Option<&'a str> {
    it.pointer(path).and_then(Value::as_str)
}

fn list<'a>(it: &'a Value, path: &str) -> impl Iterator<Item = &'a Value> {
    it.pointer(path).and_then(Value::as_array).into_iter().flatten()
}

/// Our id of a payment or a refund, in a field where others write theirs.
pub(super) fn ours<'a>(it: &'a Value, prefix: &str) -> Option<&'a str> {
    let id = text(it, "/custom_id").or(text(it, "/custom"))?;
    id.starts_with(prefix).then_some(id)
}

/// An amount and its currency, as versions 1 and 2 of the API write them.
fn amount(it: &Value, path: &str) -> Option<(i64, String)> {
    let it = it.pointer(path)?;
    let value = text(it, "/value").or(text(it, "/total"))?;
    let currency = text(it, "/currency_code").or(text(it, "/currency"))?;
    Some((money::read(value, currency).ok()?, currency.to_owned()))
}

fn seconds(it: &Value, path: &str) -> Option<i64> {
    Timestamp::parse(text(it, path)?).map(Timestamp::seconds)
}

/// An order is its capture once it has one.
fn order(id: String, it: &Value) -> Option<(String, Object)> {
    match captured(it) {
        Some(capture) => read(&capture),
        None => Some((id.clone(), Object::Payment(open(&id, it)?))),
    }
}

/// The capture of an order, with its refunds: the one that succeeded, or else the last one.
pub(super) fn captured(order: &Value) -> Option<Value> {
    let payments = order.pointer("/purchase_units/0/payments")?;
    let all: Vec<_> = list(payments, "/captures").collect();
    let has_money = |it: &&&Value| !is_refused(it) && text(it, "/status") != Some("PENDING");
    let mut it = Value::clone(all.iter().find(has_money).or(all.last())?);
    let id = text(&it, "/id")?.to_owned();
    let of_it = |refund: &&Value| up(refund).is_none_or(|it| it == id);
    let refunds: Vec<_> = list(payments, "/refunds").filter(of_it).cloned().collect();
    let fields = it.as_object_mut()?;
    fields.insert("object".to_owned(), json!("capture"));
    fields.insert("refunds".to_owned(), refunds.into());
    if let Some(custom) = order.pointer("/purchase_units/0/custom_id") {
        fields.entry("custom_id").or_insert_with(|| custom.clone());
    }
    Some(it)
}

/// An order that nothing was captured of: the customer has to approve it, or it fell through.
fn open(id: &str, it: &Value) -> Option<Payment> {
    let unit = it.pointer("/purchase_units/0")?;
    let (amount, currency) = amount(unit, "/amount")?;
    let status = text(it, "/status")?;
    // Written by `fetch` when PayPal refused to capture what was approved.
    let refused = text(it, "/refused").or((status == "VOIDED").then_some("VOIDED"));
    let needs_action = matches!(status, "CREATED" | "SAVED" | "PAYER_ACTION_REQUIRED");
    let action = link(it, &["payer-action", "approve"]).filter(|_| needs_action);
    Some(Payment {
        payment: ours(unit, "pay_").map(str::to_owned),
        amount,
        currency,
        needs_action,
        action: action.map(str::to_owned),
        refused: refused.map(|code| (format!("{id}:{code}"), code.to_owned())),
        ..Payment::default()
    })
}

fn is_refused(it: &Value) -> bool {
    let state = text(it, "/status").or(text(it, "/state")).unwrap_or_default();
    let state = state.to_ascii_uppercase();
    matches!(state.as_str(), "DECLINED" | "DENIED" | "FAILED" | "VOIDED" | "EXPIRED")
}

fn payment(it: &Value) -> Option<Payment> {
    let (sum, currency) = amount(it, "/amount")?;
    let state = text(it, "/status").or(text(it, "/state"))?.to_ascii_uppercase();
    // An authorization is no money yet.
    let succeeded = text(it, "/object") != Some("authorization")
        && matches!(state.as_str(), "COMPLETED" | "PARTIALLY_REFUNDED" | "REFUNDED");
    // The bank's code says most; it is what dunning goes by.
    let code = text(it, "/processor_response/response_code")
        .or(text(it, "/status_details/reason"))
        .or(text(it, "/reason_code"))
        .unwrap_or(&state);
    let fee = amount(it, "/seller_receivable_breakdown/paypal_fee")
        .or_else(|| amount(it, "/transaction_fee"));
    let id = text(it, "/id")?.to_owned();
    Some(Payment {
        payment: ours(it, "pay_").map(str::to_owned),
        amount: sum,
        succeeded,
        refused: is_refused(it).then(|| (id, code.to_owned())),
        fee: fee.filter(|it| it.1 == currency).map(|it| it.0),
        currency,
        refunds: refunds(it),
        ..Payment::default()
    })
}

/// The refunds that are done.
fn refunds(it: &Value) -> BTreeMap<String, (i64, Option<String>)> {
    let one = |it: &Value| {
        let state = text(it, "/status").or(text(it, "/state"))?;
        let id = state.eq_ignore_ascii_case("completed").then(|| text(it, "/id"))??;
        let amount = amount(it, "/amount")?.0.checked_abs()?;
        Some((id.to_owned(), (amount, ours(it, "rfd_").map(str::to_owned))))
    };
    list(it, "/refunds").filter_map(one).collect()
}

fn dispute(it: &Value) -> Option<Dispute> {
    let (amount, currency) = amount(it, "/dispute_amount")?;
    let is_over = text(it, "/status") == Some("RESOLVED");
    let state = match (text(it, "/dispute_life_cycle_stage"), is_over) {
        // The two still talk, and no money is moved but by a refund.
        (Some("INQUIRY"), _) => DisputeState::Asked,
        (_, false) => DisputeState::Opened,
        (_, true) => match text(it, "/dispute_outcome/outcome_code") {
            Some("RESOLVED_BUYER_FAVOUR" | "ACCEPTED") => DisputeState::Lost,
            _ => DisputeState::Won,
        },
    };
    let own = list(it, "/disputed_transactions").find_map(|it| ours(it, "pay_"));
    // Written by `fetch`, from the payment.
    let payment = own.or(text(it, "/payment")).map(str::to_owned);
    Some(Dispute { payment, amount, currency, state })
}

/// How a customer pays: by the first of its methods, in PayPal's order.
fn customer(it: &Value) -> Customer {
    let methods = || list(it, "/payment_tokens");
    let kind = |it: &Value| {
        let source = it.get("payment_source").and_then(Value::as_object);
        source.and_then(|it| it.keys().next()).cloned()
    };
    let method = methods().next();
    let of_method = |path: &str| method.and_then(|it| text(it, path)).map(str::to_owned);
    let name = "/customer/merchant_customer_id";
    let named = text(it, name).or_else(|| methods().find_map(|it| text(it, name)));
    Customer {
        customer: named.filter(|it| is_word(it)).map(str::to_owned),
        method: of_method("/id"),
        method_kind: method.and_then(kind),
        last4: of_method("/payment_source/card/last_digits"),
        expires: of_method("/payment_source/card/expiry"),
    }
}

fn subscription(it: &Value) -> Subscription {
    let status = status(it);
    let paid = amount(it, "/billing_info/last_payment/amount");
    let owed = amount(it, "/billing_info/outstanding_balance");
    let currency = paid.or(owed).map(|it| it.1).unwrap_or_default();
    let item = Item {
        price: text(it, "/plan_id").unwrap_or_default().to_owned(),
        product: text(it, "/plan/product_id").unwrap_or_default().to_owned(),
        quantity: text(it, "/quantity").and_then(|it| it.parse().ok()).unwrap_or(1),
    };
    let started = seconds(it, "/start_time");
    let ended = matches!(status, "cancelled").then(|| seconds(it, "/status_update_time")).flatten();
    Subscription {
        customer: text(it, "/custom_id").filter(|it| is_word(it)).map(str::to_owned),
        status: status.to_owned(),
        currency,
        items: vec![item],
        period_from: seconds(it, "/billing_info/last_payment/time").max(started),
        period_to: seconds(it, "/billing_info/next_billing_time"),
        cancel_at: seconds(it, "/billing_info/final_payment_time"),
        ended_at: ended,
    }
}

/// In our words.
fn status(it: &Value) -> &'static str {
    let failed = it.pointer("/billing_info/failed_payments_count").and_then(Value::as_i64);
    match text(it, "/status").unwrap_or_default() {
        "ACTIVE" if failed.unwrap_or(0) > 0 => "past_due",
        "ACTIVE" if is_trial(it) => "trialing",
        "ACTIVE" => "active",
        "SUSPENDED" => "paused",
        "CANCELLED" | "EXPIRED" => "cancelled",
        _ => "incomplete",
    }
}

/// A trial has begun, and nothing regular has.
fn is_trial(it: &Value) -> bool {
    let completed = |tenure: &str| -> i64 {
        list(it, "/billing_info/cycle_executions")
            .filter(|it| text(it, "/tenure_type") == Some(tenure))
            .filter_map(|it| it.get("cycles_completed").and_then(Value::as_i64))
            .sum()
    };
    completed("TRIAL") > 0 && completed("REGULAR") == 0
}
