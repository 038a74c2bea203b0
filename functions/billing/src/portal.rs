//! The portal: a short-lived link with which one customer tends to its own subscriptions, seats and
//! invoices.

use shared::{
    http::Response,
    portal::{NewPortalLink, Portal},
    ports::Tenant,
    problem::Problem,
};

use crate::store;

/// All that a customer can reach.
const PORTAL: Portal =
    Portal { path: "/v1/billing/*", read: "billing:read", write: "billing:manage" };

/// Makes a link.
pub async fn create(at: &impl Tenant, new: NewPortalLink) -> Result<Response, Problem> {
    match store::find_customer(at, &new.customer).await? {
        Some(_) => PORTAL.open(at, new).await,
        None => Err(Problem::unfitting("customer", "put it first")),
    }
}
