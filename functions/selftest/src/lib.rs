//! A deployment checks its own promises: the contract of the ports, jobs and followers, on the
//! runtime it runs on, in the scratch tables of a sandbox.

mod contract;
pub mod schema;

use shared::{
    domain::{Commit, Entry, Failure, Job},
    function::Function,
    http::Response,
    ports::{Item, PortError, Tenant},
    problem::Problem,
    route::{Access, Call, Route},
};

shared::serve!(Selftest);

/// The capability.
pub struct Selftest;

const RUN: Access = Access::Scope("selftest:run");

const ROUTES: &[Route] = &[
    Route::new("POST", "/v1/selftest/contract", "checkContract", RUN),
    Route::new("POST", "/v1/selftest/jobs", "startJobs", RUN),
    Route::new("GET", "/v1/selftest/jobs", "checkJobs", RUN),
    Route::new("POST", "/v1/selftest/panic", "panic", RUN),
];

impl Function for Selftest {
    const NAME: &'static str = "selftest";

    fn routes() -> impl Iterator<Item = &'static Route> {
        ROUTES.iter()
    }

    async fn handle(tenant: &impl Tenant, call: &Call) -> Result<Response, Problem> {
        contract::sandbox_only(tenant)?;
        match call.operation() {
            "checkContract" => contract::check(tenant).await,
            "startJobs" => contract::start_jobs(tenant).await,
            "checkJobs" => contract::check_jobs(tenant).await,
            "panic" => contract::panic(tenant).await,
            _ => Err(Problem::not_found()),
        }
    }

    async fn work(tenant: &impl Tenant, job: &Job) -> Result<Commit, Failure> {
        contract::work(tenant, job).await
    }

    async fn ingest(_: &str, _: &impl Tenant, items: &[Item]) -> Result<Commit, PortError> {
        contract::ingest(items)
    }

    fn follows(_: &str) -> &'static [&'static str] {
        &["selftest."]
    }

    async fn follow(_: &str, tenant: &impl Tenant, entries: &[Entry]) -> Result<Commit, PortError> {
        contract::follow(tenant, entries)
    }
}
