//! The portal: a short-lived link with which one customer tends to its own endpoints.

use shared::{
    http::Response,
    portal::{NewPortalLink, Portal},
    ports::Tenant,
    problem::Problem,
};

use super::settings::is_word;

/// All that a customer can reach.
const PORTAL: Portal =
    Portal { path: "/v1/webhooks/*", read: "endpoints:read", write: "endpoints:write" };

/// Makes a link.
pub async fn create(at: &impl Tenant, new: NewPortalLink) -> Result<Response, Problem> {
    match is_word(&new.customer) {
        true => PORTAL.open(at, new).await,
        false => Err(Problem::unfitting("customer", "1 to 128 of A-Z a-z 0-9 . _ - : /")),
    }
}
