//! Quotas by tier: how much of each meter a customer has in a window, what somebody hears of it,
//! and reports of what was used.
//!
//! A plan says what there is; a subject has a plan, a zone and an anchor, which say when windows
//! begin. How a subject stands is worked out from the counters whenever it is asked; only what was
//! told is kept.

pub mod alert;
mod counted;
pub mod entitlement;
mod file;
pub mod holder;
pub mod look;
mod member;
pub mod plan;
pub mod report;
pub mod schedule;
pub mod shown;
mod signature;
pub mod standing;
mod store;
pub mod subject;
mod terms;
#[cfg(test)]
mod tests;
pub mod window;

use shared::{
    domain::{Commit, Failure, Job},
    http::Response,
    ports::Tenant,
    problem::Problem,
    route::{Access, Call, Route},
};

pub use holder::Verdict;
pub use look::changed;

const READ: Access = Access::Scope("quotas:read");
const WRITE: Access = Access::Scope("quotas:write");
/// Whoever acts for a customer may see how that one stands.
const STANDING: Access = Access::Customer("quotas:read");
const READ_REPORTS: Access = Access::Scope("reports:read");
const WRITE_REPORTS: Access = Access::Scope("reports:write");

/// What may be asked of it.
pub const ROUTES: &[Route] = &[
    Route::new("GET", "/v1/usage/plans", "listUsagePlans", READ),
    Route::new("GET", "/v1/usage/plans/{name}", "getUsagePlan", READ),
    Route::new("PUT", "/v1/usage/plans/{name}", "putUsagePlan", WRITE),
    Route::new("DELETE", "/v1/usage/plans/{name}", "deleteUsagePlan", WRITE),
    Route::new("GET", "/v1/usage/subjects", "listUsageSubjects", READ),
    Route::new("GET", "/v1/usage/subjects/{subject}", "getUsageSubject", READ),
    Route::new("PUT", "/v1/usage/subjects/{subject}", "putUsageSubject", WRITE),
    Route::new("DELETE", "/v1/usage/subjects/{subject}", "deleteUsageSubject", WRITE),
    Route::new("GET", "/v1/usage/subjects/{subject}/standing", "getUsageStanding", STANDING),
    Route::new("POST", "/v1/usage/check", "checkQuota", Access::Scope("limits:check")),
    Route::new("POST", "/v1/usage/reports", "createUsageReport", WRITE_REPORTS),
    Route::new("GET", "/v1/usage/reports", "listUsageReports", READ_REPORTS),
    Route::new("GET", "/v1/usage/reports/schedules", "listReportSchedules", READ_REPORTS),
    Route::new("GET", "/v1/usage/reports/schedules/{name}", "getReportSchedule", READ_REPORTS),
    Route::new("PUT", "/v1/usage/reports/schedules/{name}", "putReportSchedule", WRITE_REPORTS),
    Route::new(
        "DELETE",
        "/v1/usage/reports/schedules/{name}",
        "deleteReportSchedule",
        WRITE_REPORTS,
    ),
    Route::new("GET", "/v1/usage/reports/{id}", "getUsageReport", READ_REPORTS),
    Route::new("GET", "/v1/usage/reports/{id}/file", "getUsageReportFile", READ_REPORTS),
    Route::new("GET", "/v1/usage/reports/{id}/signature", "getUsageReportSignature", READ_REPORTS),
];

/// Answers a call on one of [`ROUTES`].
///
/// # Errors
/// The problem to answer with.
pub async fn handle(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    match call.operation() {
        "listUsagePlans" => plan::list(at, call).await,
        "getUsagePlan" => plan::get(at, call).await,
        "putUsagePlan" => plan::put(at, call).await,
        "deleteUsagePlan" => plan::delete(at, call).await,
        "listUsageSubjects" => subject::list(at, call).await,
        "getUsageSubject" => subject::get(at, call).await,
        "putUsageSubject" => subject::put(at, call).await,
        "deleteUsageSubject" => subject::delete(at, call).await,
        "getUsageStanding" => holder::standing(at, call).await,
        "checkQuota" => holder::check(at, call.json()?).await,
        "createUsageReport" => report::create(at, call.json()?).await,
        "listUsageReports" => report::list(at, call).await,
        "getUsageReport" => report::get(at, call).await,
        "getUsageReportFile" => report::download(at, call).await,
        "getUsageReportSignature" => signature::download(at, call).await,
        "listReportSchedules" => schedule::list(at, call).await,
        "getReportSchedule" => schedule::get(at, call).await,
        "putReportSchedule" => schedule::put(at, call).await,
        "deleteReportSchedule" => schedule::delete(at, call).await,
        _ => Err(Problem::not_found()),
    }
}

/// Works a job.
///
/// # Errors
/// The failure, and whether to try again.
pub async fn work(at: &impl Tenant, job: &Job) -> Result<Commit, Failure> {
    match job.kind.as_str() {
        look::LOOK => look::look(at, job).await,
        shown::SHOW => shown::show(at, job).await,
        look::SPREAD => look::spread(at, job).await,
        report::make::MAKE => report::make::make(at, job).await,
        report::make::FORGET => report::make::forget(at, job).await,
        schedule::TICK => schedule::tick(at, job).await,
        other => Err(Failure::dead(format!("the gate works no {other}"))),
    }
}
