//! The sender: what happens in the product goes to whoever wants to hear of it.
//!
//! An event is published in one commit, which also gives each endpoint that wants it a delivery
//! with the endpoint's next number. The endpoint's pump works the deliveries off.

pub mod attempt;
pub mod batch;
mod courier;
pub mod delivery;
pub mod endpoint;
pub mod event;
pub mod event_type;
mod handshake;
pub mod health;
mod http_message;
pub mod import;
pub mod keys;
pub mod monitor;
mod notice;
pub mod poll;
pub mod portal;
pub mod private;
pub mod prune;
pub mod pump;
pub mod retention;
pub mod settings;
pub mod spans;
mod standard;
mod store;
mod token;
pub mod trace;
pub mod trial;

use shared::{
    domain::{Commit, Failure, Job},
    http::Response,
    ports::Tenant,
    problem::Problem,
    route::{Access, Call, Route},
    signing,
};

const PUBLISH: Access = Access::Scope("events:write");
const EVENTS: Access = Access::Scope("events:read");
const SETTINGS: Access = Access::Scope("webhooks:write");
const TYPES: Access = Access::Scope("event_types:write");
/// Whoever acts for a customer may do these, for the customer's own endpoints.
const READ: Access = Access::Customer("endpoints:read");
const WRITE: Access = Access::Customer("endpoints:write");

/// What may be asked of the sender.
pub const ROUTES: &[Route] = &[
    Route::new("POST", "/v1/webhooks/events", "publishEvent", PUBLISH).body(event::EVENT_BYTES_MAX),
    Route::new("GET", "/v1/webhooks/events", "listEvents", EVENTS),
    Route::new("GET", "/v1/webhooks/events/{id}", "getEvent", EVENTS),
    Route::new("GET", "/v1/webhooks/events/{id}/spans", "getEventSpans", EVENTS),
    Route::new("GET", "/v1/webhooks/settings", "getWebhookSettings", EVENTS),
    Route::new("PUT", "/v1/webhooks/settings", "putWebhookSettings", SETTINGS),
    Route::new("GET", "/v1/webhooks/event-types", "listEventTypes", READ),
    Route::new("POST", "/v1/webhooks/event-types/import", "importEventTypes", TYPES)
        .body(import::DOCUMENT_BYTES_MAX),
    Route::new("GET", "/v1/webhooks/event-types/{name}", "getEventType", READ),
    Route::new("PUT", "/v1/webhooks/event-types/{name}", "putEventType", TYPES),
    Route::new("DELETE", "/v1/webhooks/event-types/{name}", "deleteEventType", TYPES),
    Route::new("POST", "/v1/webhooks/endpoints", "createEndpoint", WRITE),
    Route::new("GET", "/v1/webhooks/endpoints", "listEndpoints", READ),
    Route::new("GET", "/v1/webhooks/endpoints/{id}", "getEndpoint", READ),
    Route::new("PATCH", "/v1/webhooks/endpoints/{id}", "updateEndpoint", WRITE),
    Route::new("DELETE", "/v1/webhooks/endpoints/{id}", "deleteEndpoint", WRITE),
    Route::new("GET", "/v1/webhooks/endpoints/{id}/secret", "getEndpointSecret", WRITE),
    Route::new("POST", "/v1/webhooks/endpoints/{id}/rotate", "rotateEndpoint", WRITE),
    Route::new("POST", "/v1/webhooks/endpoints/{id}/test", "testEndpoint", WRITE),
    Route::new("POST", "/v1/webhooks/endpoints/{id}/recover", "recoverEndpoint", WRITE),
    Route::new("POST", "/v1/webhooks/endpoints/{id}/replay", "replayEndpoint", WRITE),
    Route::new("GET", "/v1/webhooks/endpoints/{id}/health", "getEndpointHealth", READ),
    Route::new("GET", "/v1/webhooks/endpoints/{id}/manifest", "getManifest", READ),
    Route::new("GET", "/v1/webhooks/endpoints/{id}/poll", "pollEndpoint", READ),
    Route::new("POST", "/v1/webhooks/endpoints/{id}/poll", "acknowledgePoll", WRITE),
    Route::new("GET", "/v1/webhooks/endpoints/{id}/deliveries", "listDeliveries", READ),
    Route::new("GET", "/v1/webhooks/endpoints/{id}/deliveries/{sequence}", "getDelivery", READ),
    Route::new(
        "POST",
        "/v1/webhooks/endpoints/{id}/deliveries/{sequence}/resend",
        "resendDelivery",
        WRITE,
    ),
    Route::new("GET", "/v1/webhooks/health", "getWebhooksHealth", READ),
    Route::new("POST", "/v1/webhooks/portal", "createPortalLink", Access::Scope("portal:write")),
    Route::new(
        "POST",
        "/v1/webhooks/signing-keys/rotate",
        "rotateSigningKey",
        Access::Scope("webhooks:write"),
    ),
    Route::new(
        "GET",
        "/.well-known/webhook-keys/{tenant}",
        "getSigningKeys",
        Access::Address(signing::ADDRESS),
    ),
];

/// Answers a call on one of [`ROUTES`].
///
/// # Errors
/// The problem to answer with.
pub async fn handle(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    match call.operation() {
        "publishEvent" => event::publish(at, call).await,
        "listEvents" => event::list(at, call).await,
        "getEvent" => event::get(at, call).await,
        "getEventSpans" => spans::get(at, call).await,
        "getWebhookSettings" => retention::get(at).await,
        "putWebhookSettings" => retention::put(at, call).await,
        "listEventTypes" => event_type::list(at, call).await,
        "importEventTypes" => import::import(at, call.json()?).await,
        "getEventType" => event_type::get(at, call).await,
        "putEventType" => event_type::put(at, call).await,
        "deleteEventType" => event_type::delete(at, call).await,
        "createEndpoint" => endpoint::create(at, call).await,
        "listEndpoints" => endpoint::list(at, call).await,
        "getEndpoint" => endpoint::get(at, call).await,
        "updateEndpoint" => endpoint::update(at, call).await,
        "deleteEndpoint" => endpoint::delete(at, call).await,
        "getEndpointSecret" => endpoint::secret(at, call).await,
        "rotateEndpoint" => endpoint::rotate(at, call).await,
        "testEndpoint" => trial::send(at, call).await,
        "recoverEndpoint" => delivery::recover(at, call).await,
        "replayEndpoint" => delivery::replay(at, call).await,
        "getEndpointHealth" => monitor::of_endpoint(at, call).await,
        "getManifest" => delivery::manifest(at, call).await,
        "pollEndpoint" => poll::poll(at, call).await,
        "acknowledgePoll" => poll::acknowledge(at, call).await,
        "listDeliveries" => delivery::list(at, call).await,
        "getDelivery" => delivery::get(at, call).await,
        "resendDelivery" => delivery::resend(at, call).await,
        "getWebhooksHealth" => monitor::overview(at).await,
        "createPortalLink" => portal::create(at, call.json()?).await,
        "rotateSigningKey" => keys::rotate(at, call.json()?).await,
        "getSigningKeys" => keys::directory(at, call).await,
        _ => Err(Problem::not_found()),
    }
}

/// Works a job of the sender.
///
/// # Errors
/// Why it is not done.
pub async fn work(at: &impl Tenant, job: &Job) -> Result<Commit, Failure> {
    match job.kind.as_str() {
        handshake::HANDSHAKE => handshake::shake(at, job).await,
        pump::PUMP => pump::pump(at, job).await,
        delivery::REPLAY => delivery::replay_some(at, job).await,
        signing::SHOW => keys::show(at, job).await,
        prune::PRUNE => prune::prune(at, job).await,
        other => Err(Failure::dead(format!("webhooks works no {other}"))),
    }
}
