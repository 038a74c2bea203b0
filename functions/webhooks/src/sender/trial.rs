//! A test event: sent to one endpoint, whatever it has chosen.

use serde::Deserialize;
use serde_json::{Value, json};
use shared::{
    domain::Draft,
    http::{Response, StatusCode, json as json_response},
    ports::Tenant,
    problem::Problem,
    route::Call,
};
use utoipa::ToSchema;

use super::{
    delivery::DeliveryState,
    endpoint,
    event::{Event, PublishedEvent, expires},
    prune, pump, store,
    trace::Trace,
};

/// The type of a test event when none is chosen.
const TYPE: &str = "backplane.test";

/// What to send.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Trial {
    /// A type from the catalogue, whose sample is sent.
    #[serde(default, rename = "type")]
    pub kind: Option<String>,
}

/// Sends a test event to an endpoint.
pub async fn send(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let endpoint = endpoint::find(at, call).await?;
    let trial: Trial = call.json()?;
    let (kind, data) = match trial.kind {
        None => (TYPE.to_owned(), json!({"test": true})),
        Some(kind) => {
            let known = store::find_event_type(at, &kind).await?;
            let known = known.ok_or_else(|| {
                Problem::unfitting(
                    "type",
                    "a type from the catalogue; see /v1/webhooks/event-types",
                )
            })?;
            (known.name, if known.sample == Value::Null { json!({}) } else { known.sample })
        }
    };
    let event = Event {
        id: at.new_id("evt")?,
        kind,
        customer: endpoint.customer.clone(),
        channels: Vec::new(),
        version: None,
        data,
        timestamp: at.now(),
        trace: Trace::of(at, call.request.headers())?,
    };
    let polled = endpoint.settings.url.is_none();
    let state = if polled { DeliveryState::Polled } else { DeliveryState::Waiting };
    let entry = Draft::new("endpoint.tested", &endpoint.id).with(json!({"event": event.id}));
    let expires = expires(at, None).await?;
    let commit = store::insert_event(&event, at.now(), expires)
        .job(prune::job(expires))
        .and(store::insert_delivery(&endpoint.id, &event.id, state, None, at.now()))
        .entry(entry)
        .job(pump::job(&endpoint.id));
    let trace_id = event.trace.id;
    let published = PublishedEvent { id: event.id, deliveries: 1, trace_id, advice: None };
    let response = json_response(StatusCode::ACCEPTED, &published);
    at.answer(commit, response, Problem::changed_meanwhile).await
}
