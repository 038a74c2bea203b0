//! What was promised, and how far it is kept: a pure function of what happened to a ticket.

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
