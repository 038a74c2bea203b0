//! Limits: policies, and the decisions by them.

pub mod answer;
pub mod asked;
mod caller;
pub mod check;
mod key;
mod local;
pub mod pattern;
pub mod policy;
pub mod receipt;
mod set;
mod store;
pub mod tally;

use shared::{
    domain::{Commit, Failure, Job, Principal},
    http::Response,
    ports::{Edge, Tenant},
    problem::Problem,
    route::{Access, Call, Route},
};

const READ: Access = Access::Scope("limits:read");
const WRITE: Access = Access::Scope("limits:write");
const CHECK: Access = Access::Scope("limits:check");

/// What may be asked of it.
pub const ROUTES: &[Route] = &[
    Route::new("POST", "/v1/limits/check", "checkLimits", CHECK).at_edge(),
    Route::new("POST", "/v1/limits/checks", "checkLimitsOfMany", CHECK).at_edge(),
    Route::new("POST", "/v1/limits/settle", "settleLimits", CHECK).at_edge(),
    Route::new("GET", "/v1/limits/policies", "listPolicies", READ),
    Route::new("GET", "/v1/limits/policies/{name}", "getPolicy", READ),
    Route::new("PUT", "/v1/limits/policies/{name}", "putPolicy", WRITE),
    Route::new("DELETE", "/v1/limits/policies/{name}", "deletePolicy", WRITE),
];

/// Answers a call on one of [`ROUTES`], in the tenant.
///
/// # Errors
/// The problem to answer with.
pub async fn handle(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    match call.operation() {
        "listPolicies" => policy::list(at, call).await,
        "getPolicy" => policy::get(at, call).await,
        "putPolicy" => policy::put(at, call).await,
        "deletePolicy" => policy::delete(at, call).await,
        _ => Err(Problem::not_found()),
    }
}

/// Answers a call on one of [`ROUTES`], where the request arrives.
///
/// # Errors
/// The problem to answer with.
pub async fn at_edge(
    edge: &impl Edge,
    principal: &Principal,
    call: &Call,
) -> Result<Response, Problem> {
    match call.operation() {
        "checkLimits" => check::check(edge, principal, call).await,
        "checkLimitsOfMany" => check::check_all(edge, principal, call).await,
        "settleLimits" => receipt::settle(edge, principal, call).await,
        _ => Err(Problem::not_found()),
    }
}

/// Works a job.
///
/// # Errors
/// The failure, and whether to try again.
pub async fn work(at: &impl Tenant, job: &Job) -> Result<Commit, Failure> {
    match job.kind.as_str() {
        policy::SHOW => policy::show(at, job).await,
        other => Err(Failure::dead(format!("nobody works jobs of the kind {other}"))),
    }
}
