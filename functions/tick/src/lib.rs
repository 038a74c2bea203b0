//! What is due: the tick that wakes tenants, and the jobs that failed for good.
//!
//! On Spin any scheduler posts here each minute or faster. On Workers tenants wake themselves, and
//! the tick has nothing to do.

mod jobs;
pub mod schema;

use serde::Serialize;
use shared::{
    function::Function,
    http::{Response, StatusCode, json},
    ports::{Edge, Tenant},
    problem::Problem,
    route::{Access, Call, Route},
};
use utoipa::ToSchema;

shared::serve!(Tick);

/// The capability.
pub struct Tick;

/// How many wakes one tick works off.
const WAKES_MAX: u32 = 200;

const ROUTES: &[Route] = &[
    Route::new("POST", "/tick", "tick", Access::Operator),
    Route::new("GET", "/v1/jobs", "listJobs", Access::Scope("jobs:read")),
    Route::new("POST", "/v1/jobs/{id}/retry", "retryJob", Access::Scope("jobs:write")),
];

/// What a tick did.
#[derive(Debug, Serialize, ToSchema)]
pub struct Ticked {
    /// How many tenants were woken.
    pub woken: u32,
}

impl Function for Tick {
    const NAME: &'static str = "tick";

    fn routes() -> impl Iterator<Item = &'static Route> {
        ROUTES.iter()
    }

    async fn handle(tenant: &impl Tenant, call: &Call) -> Result<Response, Problem> {
        match call.operation() {
            "listJobs" => jobs::list(tenant, call).await,
            "retryJob" => jobs::retry(tenant, call.param()).await,
            _ => Err(Problem::not_found()),
        }
    }

    async fn edge(edge: &impl Edge, _: &Call) -> Result<Response, Problem> {
        let woken = edge.sweep(WAKES_MAX).await?;
        Ok(json(StatusCode::OK, &Ticked { woken }))
    }
}
