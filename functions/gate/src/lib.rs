//! The gate: who may do how much of what, and how much of it was done.

pub mod limits;
pub mod proxy;
pub mod quota;
pub mod schema;
pub mod usage;

use shared::{
    domain::{Commit, Entry, Failure, Job, Principal},
    function::Function,
    http::{Chunks, Response},
    ports::{Edge, Item, PortError, Tenant},
    problem::Problem,
    route::{Call, Route},
};

shared::serve!(Gate);

/// The capability.
pub struct Gate;

impl Function for Gate {
    const NAME: &'static str = "gate";

    fn routes() -> impl Iterator<Item = &'static Route> {
        limits::ROUTES.iter().chain(proxy::ROUTES).chain(usage::ROUTES).chain(quota::ROUTES)
    }

    async fn handle(tenant: &impl Tenant, call: &Call) -> Result<Response, Problem> {
        let is_one_of = |all: &[Route]| all.iter().any(|it| it.operation == call.operation());
        if is_one_of(usage::ROUTES) {
            usage::handle(tenant, call).await
        } else if is_one_of(quota::ROUTES) {
            quota::handle(tenant, call).await
        } else if is_one_of(proxy::ROUTES) {
            proxy::handle(tenant, call).await
        } else {
            limits::handle(tenant, call).await
        }
    }

    async fn at_edge(
        edge: &impl Edge,
        principal: &Principal,
        call: &Call,
    ) -> Result<Response, Problem> {
        limits::at_edge(edge, principal, call).await
    }

    async fn stream(
        edge: &impl Edge,
        principal: &Principal,
        call: &Call,
        body: Option<Chunks>,
    ) -> Result<Response, Problem> {
        proxy::stream(edge, principal, call, body).await
    }

    async fn work(tenant: &impl Tenant, job: &Job) -> Result<Commit, Failure> {
        if job.kind.starts_with("gate.usage") {
            usage::work(tenant, job).await
        } else if job.kind.starts_with(quota::look::LOOK) {
            quota::work(tenant, job).await
        } else if job.kind == proxy::app::SHOW {
            proxy::work(tenant, job).await
        } else {
            limits::work(tenant, job).await
        }
    }

    async fn ingest(_: &str, tenant: &impl Tenant, items: &[Item]) -> Result<Commit, PortError> {
        let items = items.iter().map(limits::tally::usage).collect::<Result<Vec<_>, _>>()?;
        usage::ingest(tenant, &items).await
    }

    fn follows(_: &str) -> &'static [&'static str] {
        &[usage::asked::ASKED, quota::entitlement::CHANGED]
    }

    async fn follow(_: &str, tenant: &impl Tenant, entries: &[Entry]) -> Result<Commit, PortError> {
        let of = |action| entries.iter().filter(move |it| it.action == action);
        let told = usage::asked::follow(tenant, of(usage::asked::ASKED)).await?;
        let given = quota::entitlement::follow(tenant, of(quota::entitlement::CHANGED)).await?;
        Ok(told.and(given))
    }
}
