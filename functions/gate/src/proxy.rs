//! The gate as a proxy: apps, whose requests are decided by their policies and then handed on to
//! their origin, both ways while they come.

pub mod app;
mod forward;
mod header;
mod identify;
mod passage;
mod store;
mod target;

use shared::{
    domain::{Commit, Failure, Job, Principal},
    http::{Chunks, Response},
    ports::{Edge, Tenant},
    problem::Problem,
    route::{Access, Call, Route},
};

const READ: Access = Access::Scope("limits:read");
const WRITE: Access = Access::Scope("limits:write");
/// The customers of an app hold no key of ours: the app's id leads to its tenant.
const APP: Access = Access::Address(app::ADDRESS);

/// What may be asked of it.
pub const ROUTES: &[Route] = &[
    Route::new("GET", "/v1/limits/apps", "listApps", READ),
    Route::new("GET", "/v1/limits/apps/{name}", "getApp", READ),
    Route::new("PUT", "/v1/limits/apps/{name}", "putApp", WRITE),
    Route::new("DELETE", "/v1/limits/apps/{name}", "deleteApp", WRITE),
    Route::new("*", "/gate/{app}", "forwardRoot", APP).streamed(),
    Route::new("*", "/gate/{app}/{path*}", "forward", APP).streamed(),
];

/// Answers a call on one of [`ROUTES`], in the tenant.
///
/// # Errors
/// The problem to answer with.
pub async fn handle(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    match call.operation() {
        "listApps" => app::list(at, call).await,
        "getApp" => app::get(at, call).await,
        "putApp" => app::put(at, call).await,
        "deleteApp" => app::delete(at, call).await,
        _ => Err(Problem::not_found()),
    }
}

/// Hands a request on, and its answer back.
///
/// # Errors
/// The problem to answer with in place of the origin.
pub async fn stream(
    edge: &impl Edge,
    principal: &Principal,
    call: &Call,
    body: Option<Chunks>,
) -> Result<Response, Problem> {
    forward::forward(edge, principal, call, body).await
}

/// Works a job.
///
/// # Errors
/// The failure, and whether to try again.
pub async fn work(at: &impl Tenant, job: &Job) -> Result<Commit, Failure> {
    match job.kind.as_str() {
        app::SHOW => app::show(at, job).await,
        other => Err(Failure::dead(format!("nobody works jobs of the kind {other}"))),
    }
}
