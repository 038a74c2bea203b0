//! Pages for people outside: the form by which they ask, and the page by which they rate.

use shared::{
    http::Response,
    ports::Tenant,
    problem::Problem,
    route::{Call, Route},
};

/// What may be asked.
pub const ROUTES: &[Route] = &[];

/// Answers a call on one of these routes.
pub async fn handle(_: &impl Tenant, _: &Call) -> Result<Response, Problem> {
    Err(Problem::not_found())
}
