//! PayPal's events: which object each of them is a hint of, and where that is fetched.
//! Source: developer.paypal.com/api/rest/webhooks/event-names.

use serde_json::Value;
use shared::domain::Timestamp;

use crate::provider::Hint;

/// Most characters of an id or a name.
const CHARS_MAX: usize = 100;

/// Reads an event. `None` when it is none.
pub fn hint(event: &Value) -> Option<Hint> {
    let text = |name: &str| event.get(name).and_then(Value::as_str).map(str::to_owned);
    let kind = text("event_type").filter(|it| !it.is_empty() && it.len() <= CHARS_MAX)?;
    Some(Hint {
        id: text("id").filter(|it| is_plain(it))?,
        created: Timestamp::parse(&text("create_time")?)?.seconds(),
        object: object(&kind, event.get("resource")?),
        kind,
        ..Hint::default()
    })
}

/// The object to fetch. A sale of a subscription moves the subscription; a refund is part of its
/// payment, and a method of its customer.
fn object(event: &str, it: &Value) -> Option<(String, String)> {
    let text = |path: &str| it.pointer(path).and_then(Value::as_str);
    let family = event.rsplit_once('.').map_or(event, |(family, _)| family);
    let (kind, id) = match (family, event) {
        ("BILLING.SUBSCRIPTION" | "BILLING.SUBSCRIPTION.PAYMENT", _) => {
            ("subscription", text("/id"))
        }
        (_, "PAYMENT.SALE.REFUNDED") => ("sale_refund", text("/id")),
        ("PAYMENT.SALE", _) => match text("/billing_agreement_id") {
            Some(subscription) => ("subscription", Some(subscription)),
            None => ("sale", text("/id")),
        },
        ("PAYMENT.REFUND", _) | (_, "PAYMENT.CAPTURE.REFUNDED") => ("refund", text("/id")),
        // What is told of a reversal is the movement back, which is not fetched by itself.
        (_, "PAYMENT.CAPTURE.REVERSED") => ("capture", up(it).or(text("/id"))),
        ("PAYMENT.CAPTURE", _) => ("capture", text("/id")),
        ("PAYMENT.AUTHORIZATION", _) => ("authorization", text("/id")),
        ("CUSTOMER.DISPUTE" | "RISK.DISPUTE", _) => ("dispute", text("/dispute_id")),
        ("VAULT.PAYMENT-TOKEN", _) => ("customer", text("/customer/id")),
        ("CHECKOUT.ORDER", _) => ("order", text("/id")),
        ("CHECKOUT.PAYMENT-APPROVAL", _) => ("order", text("/order_id")),
        _ => return None,
    };
    let id = id.filter(|it| path(kind, it).is_some())?;
    Some((kind.to_owned(), id.to_owned()))
}

/// The id of what an object belongs to: the last part of its link upwards.
pub(super) fn up(it: &Value) -> Option<&str> {
    link(it, &["up"])?.rsplit('/').next()
}

/// The address of an object's first link of one of these relations.
pub(super) fn link<'a>(it: &'a Value, relations: &[&str]) -> Option<&'a str> {
    let links = it.get("links").and_then(Value::as_array)?;
    let fits = |it: &&Value| {
        it.get("rel").and_then(Value::as_str).is_some_and(|rel| relations.contains(&rel))
    };
    links.iter().find(fits)?.get("href").and_then(Value::as_str)
}

/// Whether this can be an id: it goes into addresses.
pub(super) fn is_plain(id: &str) -> bool {
    let plain = id.bytes().all(|it| it.is_ascii_alphanumeric() || b"-_".contains(&it));
    plain && (1..=CHARS_MAX).contains(&id.len())
}

/// Where an object of this kind is fetched.
pub fn path(kind: &str, id: &str) -> Option<String> {
    let (list, query) = match kind {
        "capture" => ("v2/payments/captures", ""),
        "refund" => ("v2/payments/refunds", ""),
        "authorization" => ("v2/payments/authorizations", ""),
        "sale" => ("v1/payments/sale", ""),
        "sale_refund" => ("v1/payments/refund", ""),
        "order" => ("v2/checkout/orders", ""),
        "dispute" => ("v1/customer/disputes", ""),
        "subscription" => ("v1/billing/subscriptions", "?fields=plan"),
        "plan" => ("v1/billing/plans", ""),
        "product" => ("v1/catalogs/products", ""),
        "method" => ("v3/vault/payment-tokens", ""),
        "setup" => ("v3/vault/setup-tokens", ""),
        "customer" => {
            return is_plain(id).then(|| format!("/v3/vault/payment-tokens?customer_id={id}"));
        }
        _ => return None,
    };
    is_plain(id).then(|| format!("/{list}/{id}{query}"))
}
