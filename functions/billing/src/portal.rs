//! The portal: a short-lived link with which one customer tends to its own subscriptions, seats and
//! invoices, or to one subscription alone.

use serde::Deserialize;
use shared::{
    http::Response,
    portal::{NewPortalLink, Portal},
    ports::Tenant,
    problem::Problem,
};
use utoipa::ToSchema;

use crate::store;

/// What makes a link.
pub const MAKE: &str = "POST /v1/billing/links";
/// All that a customer can reach.
const PORTAL: Portal<'static> =
    Portal { path: "/v1/billing/*", read: "billing:read", write: "billing:manage" };

/// For whom a link is, what it opens, and for how long.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewBillingLink {
    /// Which of your customers.
    pub customer: String,
    /// What is below this subscription of the customer's, as its preview and its change; all that
    /// is the customer's when left out.
    #[serde(default)]
    pub subscription: Option<String>,
    /// Whether they can only look.
    #[serde(default)]
    pub read_only: bool,
    /// How long it works, in seconds of the real clock: 1 to 86400, an hour when left out.
    #[serde(default)]
    pub expires_in_seconds: Option<u64>,
}

/// Where a subscription is.
pub fn path(subscription: &str) -> String {
    format!("/v1/billing/subscriptions/{subscription}")
}

/// Makes a link.
pub async fn create(at: &impl Tenant, new: NewBillingLink) -> Result<Response, Problem> {
    let NewBillingLink { customer, subscription, read_only, expires_in_seconds } = new;
    if store::find_customer(at, &customer).await?.is_none() {
        return Err(Problem::unfitting("customer", "put it first"));
    }
    let link = NewPortalLink { customer, read_only, expires_in_seconds };
    let Some(id) = subscription else { return PORTAL.open(at, link).await };
    let found = store::find_subscription(at, &id).await?;
    if found.is_none_or(|it| it.customer != link.customer) {
        return Err(Problem::unfitting("subscription", "the customer has no such subscription"));
    }
    Portal { path: &format!("{}/*", path(&id)), ..PORTAL }.open(at, link).await
}
