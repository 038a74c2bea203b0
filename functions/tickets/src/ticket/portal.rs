//! The portal: a short-lived link with which one customer of the tenant opens tickets, reads its
//! own, and answers in them.

use shared::{
    domain::{WORD, is_word},
    http::Response,
    portal::{NewPortalLink, Portal},
    ports::Tenant,
    problem::Problem,
    route::Call,
};

/// All that a customer can reach.
const PORTAL: Portal<'static> =
    Portal { path: "/v1/tickets/*", read: "tickets:read", write: "tickets:write" };

/// Makes a link.
pub async fn open(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let new = call.json::<NewPortalLink>()?;
    match is_word(&new.customer) {
        true => PORTAL.open(at, new).await,
        false => Err(Problem::unfitting("customer", WORD)),
    }
}
