//! Usage: events that count, what they add up to, quotas, alerts and reports.
//!
//! An event and what it adds to the counters are one commit, so that the counters are what the
//! raw events come to, always; quotas and invoices ask the counters and nothing else.

pub mod amount;
pub mod asked;
pub mod counter;
pub mod event;
mod ingest;
pub mod latency;
pub mod meter;
pub mod period;
mod plan;
mod prune;
pub mod query;
pub mod receive;
pub mod settings;
mod store;
#[cfg(test)]
mod tests;

pub use ingest::ingest;

use shared::{
    domain::{Commit, Failure, Job},
    http::Response,
    ports::Tenant,
    problem::Problem,
    route::{Access, Call, Route},
};

const READ: Access = Access::Scope("usage:read");
const WRITE: Access = Access::Scope("usage:write");
/// Meters and settings say what an event is worth.
const METERS: Access = Access::Scope("meters:write");

/// What may be asked of it.
pub const ROUTES: &[Route] = &[
    Route::new("POST", "/v1/usage/events", "postUsage", WRITE).body(event::EVENTS_BYTES_MAX),
    Route::new("POST", "/v1/usage/void", "voidUsage", WRITE),
    Route::new("GET", "/v1/usage", "getUsage", READ),
    Route::new("GET", "/v1/usage/recount", "recountUsage", READ),
    Route::new("GET", "/v1/usage/latency", "getLatency", READ),
    Route::new("GET", "/v1/usage/meters", "listMeters", READ),
    Route::new("GET", "/v1/usage/meters/{name}", "getMeter", READ),
    Route::new("PUT", "/v1/usage/meters/{name}", "putMeter", METERS),
    Route::new("DELETE", "/v1/usage/meters/{name}", "deleteMeter", METERS),
    Route::new("GET", "/v1/usage/settings", "getUsageSettings", READ),
    Route::new("PUT", "/v1/usage/settings", "putUsageSettings", METERS),
];

/// Answers a call on one of [`ROUTES`].
///
/// # Errors
/// The problem to answer with.
pub async fn handle(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    match call.operation() {
        "postUsage" => receive::post(at, call).await,
        "voidUsage" => receive::void(at, call).await,
        "getUsage" => query::query(at, call).await,
        "recountUsage" => query::recount(at, call).await,
        "getLatency" => latency::report(at, call).await,
        "listMeters" => meter::list(at, call).await,
        "getMeter" => meter::get(at, call).await,
        "putMeter" => meter::put(at, call).await,
        "deleteMeter" => meter::delete(at, call).await,
        "getUsageSettings" => settings::get(at).await,
        "putUsageSettings" => settings::put(at, call).await,
        _ => Err(Problem::not_found()),
    }
}

/// Works a job.
///
/// # Errors
/// The failure, and whether to try again.
pub async fn work(at: &impl Tenant, job: &Job) -> Result<Commit, Failure> {
    match job.kind.as_str() {
        prune::PRUNE => prune::prune(at).await,
        other => Err(Failure::dead(format!("nobody works jobs of the kind {other}"))),
    }
}
