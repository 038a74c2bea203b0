//! Stripe's events: which object each of them is a hint of.

use serde_json::Value;

use crate::provider::Hint;

/// What a customer may use. It is fetched by the customer's id.
pub const ENTITLEMENTS: &str = "entitlements.active_entitlement_summary";

/// Reads an event, a snapshot or a thin one (`v2.core.event`). `None` when it is neither.
pub fn hint(event: &Value) -> Option<Hint> {
    let text = |name: &str| event.get(name).and_then(Value::as_str).map(str::to_owned);
    let is_thin = event.get("object").and_then(Value::as_str) == Some("v2.core.event");
    let object = match is_thin {
        true => related(event.get("related_object")?),
        false => object(event.get("data")?.get("object")?),
    };
    // Thin events have RFC 3339, snapshots seconds.
    let created = match event.get("created")? {
        Value::String(it) => shared::domain::Timestamp::parse(it)?.seconds(),
        it => it.as_i64()?,
    };
    Some(Hint {
        id: text("id").filter(|it| !it.is_empty() && it.len() <= 255)?,
        kind: text("type").filter(|it| it.len() <= 255)?,
        created,
        livemode: Some(event.get("livemode").and_then(Value::as_bool).unwrap_or(false)),
        api_version: text("api_version"),
        connect: text("account").or(text("context")),
        object,
    })
}

fn related(it: &Value) -> Option<(String, String)> {
    let text = |name: &str| it.get(name).and_then(Value::as_str);
    let kind = text("type")?.rsplit('.').next()?.to_owned();
    known(&kind, text("id")?)
}

/// The object to fetch: a charge or a refund is part of its payment, a method of its customer.
fn object(it: &Value) -> Option<(String, String)> {
    let text = |name: &str| id_of(it.get(name)?);
    match it.get("object").and_then(Value::as_str)? {
        "charge" | "refund" => known("payment_intent", &text("payment_intent")?),
        "payment_method" | "setup_intent" | "checkout.session" => {
            match (text("payment_intent"), text("customer")) {
                (Some(payment), _) => known("payment_intent", &payment),
                (None, customer) => known("customer", &customer?),
            }
        }
        ENTITLEMENTS => known(ENTITLEMENTS, &text("customer")?),
        kind => known(kind, &text("id")?),
    }
}

/// The id of what is an id, or an object with one.
pub(super) fn id_of(it: &Value) -> Option<String> {
    let text = it.as_str().or_else(|| it.get("id").and_then(Value::as_str));
    text.map(str::to_owned)
}

fn known(kind: &str, id: &str) -> Option<(String, String)> {
    (is_plain(id) && path(kind, id).is_some()).then(|| (kind.to_owned(), id.to_owned()))
}

/// Whether this can be an id: it goes into addresses and queries.
pub(super) fn is_plain(id: &str) -> bool {
    let plain = id.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'_');
    plain && (1..=255).contains(&id.len())
}

/// Where an object of this kind is fetched.
pub fn path(kind: &str, id: &str) -> Option<String> {
    let list = match kind {
        "payment_intent" => "payment_intents",
        "customer" => "customers",
        "setup" => "checkout/sessions",
        "dispute" => "disputes",
        "subscription" => "subscriptions",
        "invoice" => "invoices",
        "credit_note" => "credit_notes",
        "product" => "products",
        "price" => "prices",
        "invoice_payment" => "invoice_payments",
        "tax_id" => "tax_ids",
        ENTITLEMENTS => "entitlements/active_entitlements",
        _ => return None,
    };
    Some(format!("/v1/{list}/{id}"))
}
