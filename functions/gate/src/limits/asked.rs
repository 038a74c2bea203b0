//! What a check asks: all that the caller knows of a request.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};
use shared::{domain::Timestamp, limit::UNITS_MAX, problem::Problem};
use utoipa::ToSchema;

/// How many checks are in one batch.
pub const CHECKS_MAX: usize = 100;
/// The longest text of a field of a check, in characters.
const FIELD_CHARS_MAX: usize = 256;
/// How many headers or attributes a check has.
const FIELDS_MAX: usize = 32;
/// How many scopes a check asks for.
const SCOPES_MAX: usize = 50;
/// What is counted for a quarter of an hour together.
const SLOT_MS: i64 = 15 * 60 * 1000;

/// What is to be let in: what the caller knows of a request.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Asked {
    /// For which app; `default` when left out.
    #[serde(default = "default_app")]
    pub app: String,
    /// The id of the API key that was shown.
    pub api_key: Option<String>,
    /// In place of it the key itself, if it is one of `/v1/keys` of a customer: it is verified, and
    /// says who asks.
    pub secret: Option<String>,
    /// Scopes that this key must have: up to 50.
    pub scopes: Vec<String>,
    /// Who asks; the member of the key when left out.
    pub user: Option<String>,
    /// Which of the tenant's customers asks: by its plan and its quotas it is decided. A key says
    /// so itself.
    pub customer: Option<String>,
    /// Which member of the customer; a key that is a member's says so itself.
    pub member: Option<String>,
    /// Which of the tenant's customers it counts for; the one that asks when left out.
    pub subject: Option<String>,
    /// Of which meters the request is: of no other a hard quota that is used up refuses it. Of all
    /// when left out.
    pub meters: Option<Vec<String>>,
    /// The number of the network that the client is in. A policy with `{asn}` in its key does not
    /// count for a request without it.
    pub asn: Option<u32>,
    /// The client's address.
    pub ip: Option<String>,
    /// The method.
    pub method: Option<String>,
    /// The route, best without what differs from request to request: `/v1/orders/{id}`.
    pub route: Option<String>,
    /// Headers that policies look at.
    #[schema(value_type = Object)]
    pub headers: BTreeMap<String, Value>,
    /// Whatever else policies look at.
    #[schema(value_type = Object)]
    pub attributes: BTreeMap<String, Value>,
    /// Units, 0 to 1,000,000,000; 0 looks and takes nothing. By the policies when left out.
    pub cost: Option<i64>,
    /// The name of the lease of policies with `concurrency`; made up when left out.
    pub lease: Option<String>,
    /// Whether the answer has a receipt, by which it can be settled.
    pub receipt: bool,
    /// Whether the answer has the X-RateLimit headers as well.
    pub legacy_headers: bool,
}

/// Several checks, each for itself, one after the other.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Checks {
    /// 1 to 100.
    pub checks: Vec<Asked>,
}

fn default_app() -> String {
    "default".to_owned()
}

/// Whether it can be decided.
///
/// # Errors
/// Which field does not fit.
pub fn fit(asked: &Asked) -> Result<(), Problem> {
    if asked.cost.is_some_and(|it| !(0..=UNITS_MAX).contains(&it)) {
        return Err(Problem::unfitting("cost", format!("0 to {UNITS_MAX}")));
    }
    for (name, text) in [
        ("app", Some(&asked.app)),
        ("api_key", asked.api_key.as_ref()),
        ("user", asked.user.as_ref()),
        ("customer", asked.customer.as_ref()),
        ("member", asked.member.as_ref()),
        ("subject", asked.subject.as_ref()),
        ("ip", asked.ip.as_ref()),
        ("method", asked.method.as_ref()),
        ("route", asked.route.as_ref()),
        ("lease", asked.lease.as_ref()),
    ] {
        if text.is_some_and(|it| it.len() > FIELD_CHARS_MAX) {
            return Err(Problem::unfitting(name, format!("at most {FIELD_CHARS_MAX} characters")));
        }
    }
    let meters = asked.meters.as_deref().unwrap_or_default();
    for (name, most, words) in
        [("scopes", SCOPES_MAX, asked.scopes.as_slice()), ("meters", FIELDS_MAX, meters)]
    {
        if words.len() > most || words.iter().any(|it| !is_visible(it)) {
            let why = format!("up to {most}, each 1 to {FIELD_CHARS_MAX} visible characters");
            return Err(Problem::unfitting(name, why));
        }
    }
    if asked.secret.is_some() && asked.api_key.is_some() {
        return Err(Problem::unfitting("api_key", "send the secret or the id, not both"));
    }
    if asked.secret.is_none() && !asked.scopes.is_empty() {
        return Err(Problem::unfitting("scopes", "they are of a secret: send that as well"));
    }
    for (name, fields) in [("headers", &asked.headers), ("attributes", &asked.attributes)] {
        if fields.len() > FIELDS_MAX {
            return Err(Problem::unfitting(name, format!("at most {FIELDS_MAX}")));
        }
    }
    Ok(())
}

fn is_visible(text: &str) -> bool {
    // What a challenge can quote: RFC 6749, 3.3.
    (1..=FIELD_CHARS_MAX).contains(&text.len())
        && text.bytes().all(|it| it.is_ascii_graphic() && it != b'"' && it != b'\\')
}

/// What the counts of a request are of.
pub fn label(asked: &Asked, now: Timestamp) -> String {
    let at_ms = now.0 - now.0.rem_euclid(SLOT_MS);
    json!({
        "app": asked.app, "key": asked.api_key, "route": asked.route, "subject": asked.subject,
        "member": asked.member, "at_ms": at_ms,
    })
    .to_string()
}
