//! How everything fares: endpoints and sources, what waits, and what goes wrong.

use std::time::Duration;

use serde::Serialize;
use shared::{
    domain::{Id, Timestamp},
    http::{Response, StatusCode, json as json_response},
    ports::Tenant,
    problem::Problem,
    route::Call,
};
use utoipa::ToSchema;

use super::{
    endpoint::{self, Endpoint, EndpointState},
    health::Standing,
    store,
};

/// Over how long attempts and refusals are counted.
const WINDOW: Duration = Duration::from_secs(24 * 60 * 60);
/// How many endpoints and sources are shown at once.
const SHOWN_MAX: u32 = 100;

/// How everything fares.
#[derive(Debug, Serialize, ToSchema)]
pub struct Overview {
    /// The endpoints, those that fail first.
    pub endpoints: Vec<EndpointHealth>,
    /// The sources.
    pub sources: Vec<SourceHealth>,
}

/// How an endpoint fares.
#[derive(Debug, Serialize, ToSchema)]
pub struct EndpointHealth {
    /// `end_…`
    pub id: Id,
    /// Of which customer it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer: Option<String>,
    /// Whether anything is sent.
    pub state: EndpointState,
    /// In one word: ok, failing, paused, disabled, or new when nothing was sent yet.
    pub verdict: &'static str,
    /// How it fares.
    pub health: Standing,
    /// What waits for it.
    pub backlog: Backlog,
    /// What the attempts of the last day came to.
    pub attempts: Vec<ErrorClass>,
}

/// What waits.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct Backlog {
    /// How many deliveries.
    pub waiting: i64,
    /// Since when the oldest of them waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oldest: Option<Timestamp>,
}

/// How often attempts came to the same.
#[derive(Debug, Serialize, ToSchema)]
pub struct ErrorClass {
    /// `none` for those that succeeded; else as `status 500` or `timeout`.
    pub class: String,
    /// How often.
    pub count: i64,
}

/// How a source fares.
#[derive(Debug, Serialize, ToSchema)]
pub struct SourceHealth {
    /// `src_…`
    pub id: Id,
    /// What people call it.
    pub name: String,
    /// When the last webhook was accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_received_at: Option<Timestamp>,
    /// How many wait to be delivered to its target.
    pub waiting: i64,
    /// How many were refused in the last day.
    pub refused: i64,
}

/// Shows how everything fares: endpoints and sources, or one customer's endpoints.
pub async fn overview(at: &impl Tenant) -> Result<Response, Problem> {
    let customer = at.principal().customer.clone();
    let found = store::list_endpoints(at, customer.as_deref(), "", SHOWN_MAX).await?;
    let mut endpoints = Vec::new();
    for endpoint in found {
        endpoints.push(health(at, endpoint).await?);
    }
    endpoints.sort_by_key(|it| it.verdict != "failing");
    let sources = match customer {
        Some(_) => Vec::new(),
        None => store::sources(at, at.now() - WINDOW, SHOWN_MAX).await?,
    };
    Ok(json_response(StatusCode::OK, &Overview { endpoints, sources }))
}

/// Shows how one endpoint fares.
pub async fn of_endpoint(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let endpoint = endpoint::find(at, call).await?;
    Ok(json_response(StatusCode::OK, &health(at, endpoint).await?))
}

async fn health(at: &impl Tenant, it: Endpoint) -> Result<EndpointHealth, Problem> {
    Ok(EndpointHealth {
        verdict: verdict(&it),
        backlog: store::backlog(at, &it.id).await?,
        attempts: store::errors(at, &it.id, at.now() - WINDOW).await?,
        id: it.id,
        customer: it.customer,
        state: it.state,
        health: it.health,
    })
}

fn verdict(it: &Endpoint) -> &'static str {
    match it.state {
        EndpointState::Paused => "paused",
        EndpointState::Disabled => "disabled",
        EndpointState::Active if it.health.failing_since.is_some() => "failing",
        EndpointState::Active if it.health.last_success_at.is_some() => "ok",
        EndpointState::Active => "new",
    }
}
