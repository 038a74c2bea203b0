//! Usage: events that count, what they add up to, quotas, alerts and reports.

use shared::{
    domain::{Commit, Failure, Job},
    http::Response,
    ports::{Item, PortError, Tenant},
    problem::Problem,
    route::{Call, Route},
};

/// What may be asked of it.
pub const ROUTES: &[Route] = &[];

/// Answers a call on one of [`ROUTES`].
///
/// # Errors
/// The problem to answer with.
pub async fn handle(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let _ = (at, call);
    Err(Problem::not_found())
}

/// Works a job.
///
/// # Errors
/// The failure, and whether to try again.
pub async fn work(at: &impl Tenant, job: &Job) -> Result<Commit, Failure> {
    let _ = at;
    Err(Failure::dead(format!("nobody works jobs of the kind {}", job.kind)))
}

/// Takes usage in that the gate has counted itself.
///
/// # Errors
/// When the database fails.
pub async fn ingest(at: &impl Tenant, items: &[Item]) -> Result<Commit, PortError> {
    let _ = (at, items);
    Ok(Commit::new())
}
