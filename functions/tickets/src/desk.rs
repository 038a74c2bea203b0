//! What agents handle many tickets with: views, macros, teams, and changes of many at once.

use shared::{
    domain::{Commit, Failure, Job},
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

/// Works a job of these.
pub async fn work(_: &impl Tenant, job: &Job) -> Result<Commit, Failure> {
    Err(Failure::dead(format!("nobody works {}", job.kind)))
}
