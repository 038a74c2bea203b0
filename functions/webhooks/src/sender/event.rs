//! Events: what happened in the product, and for whom. One commit keeps it and queues a delivery
//! for each endpoint that wants it.

use std::time::Duration;

use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Value, json};
use shared::{
    domain::{Commit, Draft, Id, Page, Timestamp},
    http::{Response, StatusCode, json as json_response},
    ports::{PortError, Tenant},
    problem::Problem,
    route::Call,
};
use utoipa::ToSchema;

use super::{
    delivery,
    endpoint::{Endpoint, EndpointState},
    prune, pump, retention,
    settings::{Match, WORD_CHARS_MAX, is_word},
    store,
    trace::Trace,
};

/// The largest body of a request that publishes an event, in bytes.
pub const EVENT_BYTES_MAX: usize = 256 * 1024;
/// Above this size the answer advises to send less (Standard Webhooks 1.0), in bytes.
pub const DATA_BYTES_ADVISED: usize = 20 * 1024;
/// How many channels an event is in.
pub const CHANNELS_MAX: usize = 10;

/// What happened.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Event {
    /// `evt_…`: the `webhook-id` of each delivery.
    pub id: Id,
    /// What kind of thing, as `invoice.paid`.
    #[serde(rename = "type")]
    pub kind: String,
    /// For which of the tenant's customers; absent for the tenant's own endpoints only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer: Option<String>,
    /// Words that endpoints choose by.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub channels: Vec<String>,
    /// The version of the data's shape.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The data.
    #[schema(value_type = Object)]
    pub data: Value,
    /// When it happened.
    pub timestamp: Timestamp,
    /// The trace that its deliveries belong to; its id is shown, 32 hexadecimal digits.
    #[serde(rename = "trace_id", serialize_with = "trace_id")]
    #[schema(value_type = String)]
    pub trace: Trace,
}

/// An event to publish.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewEvent {
    /// What kind of thing, as `invoice.paid`: 1 to 128 of A-Z a-z 0-9 . _ - : /
    #[serde(rename = "type")]
    pub kind: String,
    /// For which of your customers; left out, only your own endpoints hear of it.
    #[serde(default)]
    pub customer: Option<String>,
    /// Up to 10 words that endpoints choose by.
    #[serde(default)]
    pub channels: Vec<String>,
    /// The version of the data's shape.
    #[serde(default)]
    pub version: Option<String>,
    /// The data: any JSON. Up to 20 kB is advised.
    #[schema(value_type = Object)]
    pub data: Value,
    /// When it happened; now when left out.
    #[serde(default)]
    pub timestamp: Option<Timestamp>,
    /// For how long it is kept, in seconds: 60 to 7776000, which is 90 days. By the setting when
    /// left out.
    #[serde(default)]
    pub retention_seconds: Option<u32>,
}

/// An event that was published.
#[derive(Debug, Serialize, ToSchema)]
pub struct PublishedEvent {
    /// `evt_…`
    pub id: Id,
    /// To how many endpoints it goes.
    pub deliveries: usize,
    /// The trace that its deliveries belong to: 32 hexadecimal digits.
    pub trace_id: String,
    /// What could be done better.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
}

fn trace_id<S: Serializer>(trace: &Trace, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&trace.id)
}

impl Event {
    /// The event as expressions see it.
    pub fn document(&self) -> Value {
        json!({
            "id": self.id,
            "type": self.kind,
            "customer": self.customer,
            "channels": self.channels,
            "version": self.version,
            "data": self.data,
            "timestamp": self.timestamp,
        })
    }

    fn of(at: &impl Tenant, new: NewEvent, trace: Trace) -> Result<Self, Problem> {
        let bad = |field: &str| {
            let why = format!("1 to {WORD_CHARS_MAX} of A-Z a-z 0-9 . _ - : /");
            Problem::unfitting(field, why)
        };
        if !is_word(&new.kind) {
            return Err(bad("type"));
        }
        if new.customer.as_deref().is_some_and(|it| !is_word(it)) {
            return Err(bad("customer"));
        }
        if new.version.as_deref().is_some_and(|it| !is_word(it)) {
            return Err(bad("version"));
        }
        if new.channels.len() > CHANNELS_MAX || !new.channels.iter().all(|it| is_word(it)) {
            return Err(bad("channels"));
        }
        Ok(Self {
            id: at.new_id("evt")?,
            kind: new.kind,
            customer: new.customer,
            channels: new.channels,
            version: new.version,
            data: new.data,
            timestamp: new.timestamp.unwrap_or_else(|| at.now()),
            trace,
        })
    }
}

/// Publishes an event, as part of the trace that its request names.
pub async fn publish(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let new: NewEvent = call.json()?;
    let large = new.data.to_string().len() > DATA_BYTES_ADVISED;
    let kept = retention::asked(new.retention_seconds)?;
    let event = Event::of(at, new, Trace::of(at, call.request.headers())?)?;
    let (commit, deliveries) = published(at, &event, kept).await?;
    let advice = large.then(|| {
        "receivers like less than 20 kB: send ids, and let them ask for the rest".to_owned()
    });
    let published = PublishedEvent { id: event.id, deliveries, trace_id: event.trace.id, advice };
    let response = json_response(StatusCode::ACCEPTED, &published);
    at.answer(commit, response, Problem::changed_meanwhile).await
}

/// When what arrives now expires: after `kept`, or by the tenant's setting.
///
/// # Errors
/// When the setting cannot be read.
pub async fn expires(at: &impl Tenant, kept: Option<Duration>) -> Result<Timestamp, PortError> {
    let kept = match kept {
        Some(it) => it,
        None => store::settings(at).await?.0.kept(),
    };
    Ok(at.now() + kept)
}

/// What keeps an event, for `kept` or by the tenant's setting, and queues it for each endpoint that wants it, and how many those are.
///
/// # Errors
/// When the endpoints cannot be read.
pub async fn published(
    at: &impl Tenant,
    event: &Event,
    kept: Option<Duration>,
) -> Result<(Commit, usize), PortError> {
    let expires = expires(at, kept).await?;
    let mut endpoints = store::endpoints_of(at, None).await?;
    if let Some(customer) = &event.customer {
        endpoints.extend(store::endpoints_of(at, Some(customer)).await?);
    }
    Ok(fan_out(at, event, &endpoints, expires))
}

/// As [`published`], for the tenant's own endpoints but this one.
///
/// # Errors
/// When the endpoints cannot be read.
pub async fn announced(
    at: &impl Tenant,
    event: &Event,
    but: &Endpoint,
) -> Result<Commit, PortError> {
    let mut endpoints = store::endpoints_of(at, None).await?;
    endpoints.retain(|it| it.id != but.id);
    Ok(fan_out(at, event, &endpoints, expires(at, None).await?).0)
}

fn fan_out(
    at: &impl Tenant,
    event: &Event,
    endpoints: &[Endpoint],
    expires: Timestamp,
) -> (Commit, usize) {
    let entry = Draft::new("event.published", &event.id)
        .with(json!({"type": event.kind, "customer": event.customer}));
    let commit =
        store::insert_event(event, at.now(), expires).entry(entry).job(prune::job(expires));
    let active = endpoints.iter().filter(|it| it.state != EndpointState::Disabled);
    let queued: Vec<_> = active.filter_map(|it| queue(it, event, at.now())).collect();
    let count = queued.len();
    (queued.into_iter().fold(commit, Commit::and), count)
}

/// The delivery of an event to an endpoint, if it wants it.
pub fn queue(endpoint: &Endpoint, event: &Event, now: Timestamp) -> Option<Commit> {
    let polled = endpoint.settings.url.is_none();
    let (state, why) = match endpoint.settings.matches(event) {
        Match::No => return None,
        // Kept and shown, so that nothing is lost by a mistake in a filter.
        Match::Unclear(why) => (delivery::DeliveryState::Held, Some(why)),
        Match::Yes if polled => (delivery::DeliveryState::Polled, None),
        Match::Yes => (delivery::DeliveryState::Waiting, None),
    };
    let commit = store::insert_delivery(&endpoint.id, &event.id, state, why.as_deref(), now);
    Some(if state == delivery::DeliveryState::Waiting && endpoint.state == EndpointState::Active {
        commit.job(pump::job(&endpoint.id))
    } else {
        commit
    })
}

/// Lists the events, newest first.
pub async fn list(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let (limit, cursor) = call.page()?;
    let before = cursor.as_ref().map_or("~", |it| it.key());
    let events = store::list_events(at, before, limit + 1).await?;
    Ok(json_response(StatusCode::OK, &Page::of(events, limit, |it| it.id.to_string())))
}

/// Reads one.
pub async fn get(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let event = store::find_event(at, &call.id("evt")?).await?.ok_or_else(Problem::not_found)?;
    Ok(json_response(StatusCode::OK, &event))
}
