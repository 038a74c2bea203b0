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
    /// Who asks.
    pub user: Option<String>,
    /// Which of the tenant's customers it counts for.
    pub subject: Option<String>,
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
    for (name, fields) in [("headers", &asked.headers), ("attributes", &asked.attributes)] {
        if fields.len() > FIELDS_MAX {
            return Err(Problem::unfitting(name, format!("at most {FIELDS_MAX}")));
        }
    }
    Ok(())
}

/// What the counts of a request are of.
pub fn label(asked: &Asked, now: Timestamp) -> String {
    let at_ms = now.0 - now.0.rem_euclid(SLOT_MS);
    json!({
        "app": asked.app, "key": asked.api_key, "route": asked.route, "subject": asked.subject,
        "at_ms": at_ms,
    })
    .to_string()
}
