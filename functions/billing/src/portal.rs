//! The portal: a short-lived link with which one customer tends to its own subscriptions, seats and
//! invoices.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;
use shared::{
    domain::{Commit, Draft, Id, Scopes, Timestamp},
    door::Link,
    http::{Response, StatusCode, json as json_response},
    ports::Tenant,
    problem::Problem,
};
use utoipa::ToSchema;

use crate::store;

/// All that a customer can reach.
const PATH: &str = "/v1/billing/*";
/// How long a link works at most.
pub const LIFE_MAX: Duration = Duration::from_secs(24 * 60 * 60);
/// How long it works when nothing is said.
const LIFE_DEFAULT: u64 = 60 * 60;

/// For whom a link is, and for how long.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewBillingLink)]
pub struct NewLink {
    /// Which of your customers.
    pub customer: String,
    /// Whether they can only look.
    #[serde(default)]
    pub read_only: bool,
    /// How long it works, in seconds of the real clock: 1 to 86400, an hour when left out.
    #[serde(default)]
    pub expires_in_seconds: Option<u64>,
}

/// A link that was made. It is kept nowhere.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BillingLink)]
pub struct MadeLink {
    /// Send it as `Authorization: Bearer`, or as the query parameter `link`.
    pub token: String,
    /// When it stops working.
    pub expires_at: Timestamp,
}

/// Makes a link.
pub async fn create(at: &impl Tenant, new: NewLink) -> Result<Response, Problem> {
    if store::find_customer(at, &new.customer).await?.is_none() {
        return Err(Problem::unfitting("customer", "put it first"));
    }
    let life = Duration::from_secs(new.expires_in_seconds.unwrap_or(LIFE_DEFAULT));
    if life.is_zero() || life > LIFE_MAX {
        let why = format!("1 to {}", LIFE_MAX.as_secs());
        return Err(Problem::unfitting("expires_in_seconds", why));
    }
    let scopes: &[&str] = match new.read_only {
        true => &["billing:read"],
        false => &["billing:read", "billing:manage"],
    };
    let link = Link {
        tenant: at.principal().tenant.clone(),
        by: at.principal().actor.to_string(),
        path: PATH.to_owned(),
        scopes: Scopes(scopes.iter().map(|it| (*it).to_owned()).collect()),
        expires_at: at.real_now() + life,
        customer: Some(new.customer),
    };
    let token = at.sign_link(&link).await?;
    let subject = Id::trusted(link.customer.clone().unwrap_or_default());
    let entry = Draft::new("portal.opened", &subject)
        .with(json!({"scopes": link.scopes, "expires_at": link.expires_at}));
    let made = MadeLink { token, expires_at: link.expires_at };
    let response = json_response(StatusCode::CREATED, &made);
    at.answer(Commit::new().entry(entry), response, Problem::changed_meanwhile).await
}
