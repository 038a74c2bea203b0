//! Deliveries: one event on its way to one endpoint, and every attempt at it.

use serde::{Deserialize, Serialize};
use serde_json::json;
use shared::{
    domain::{Commit, Draft, Failure, Id, Job, NewJob, Page, Timestamp},
    http::{Response, StatusCode, json as json_response},
    ports::Tenant,
    problem::Problem,
    route::Call,
};
use utoipa::ToSchema;

use super::{
    attempt::Attempt,
    endpoint::{self, Endpoint, EndpointState},
    event, pump, store,
};

/// Looks for events that an endpoint has missed.
pub const REPLAY: &str = "webhooks.replay";
/// How many events one such look reads.
const REPLAY_EVENTS: u32 = 100;

/// One event on its way to one endpoint.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct EndpointDelivery {
    /// Its number for this endpoint: 1, 2, 3 … without a gap. The `webhook-sequence` header.
    pub sequence: i64,
    /// The event.
    pub event: Id,
    /// What kind of thing happened; absent when the event is no longer kept.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// What became of it.
    pub state: DeliveryState,
    /// How many attempts there were.
    pub attempts: u32,
    /// When the next attempt is due, while it waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due_at: Option<Timestamp>,
    /// The status of the last answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_status: Option<u16>,
    /// Why the last attempt failed, or why it is held.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    /// When it was queued.
    pub created_at: Timestamp,
    /// When it was delivered or given up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
}

/// What became of a delivery.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// It is on its way.
    Waiting,
    /// The endpoint has it.
    Delivered,
    /// It was given up.
    Failed,
    /// The filter or the transform failed on it: mend it, and send it again.
    Held,
    /// The receiver comes for it.
    Polled,
    /// The endpoint said that it does not want it.
    Skipped,
}

/// A delivery with its attempts.
#[derive(Debug, Serialize, ToSchema)]
pub struct FullDelivery {
    /// The delivery.
    #[serde(flatten)]
    pub delivery: EndpointDelivery,
    /// Each attempt that is kept, oldest first.
    pub tries: Vec<Attempt>,
}

/// From when, and until when.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// From this moment on.
    pub since: Timestamp,
    /// Before this moment; no end when left out.
    #[serde(default)]
    pub until: Option<Timestamp>,
}

/// How many deliveries are on their way again.
#[derive(Debug, Serialize, ToSchema)]
pub struct Recovered {
    /// How many.
    pub deliveries: i64,
}

/// That missed events are being looked for.
#[derive(Debug, Serialize, ToSchema)]
pub struct Replaying {
    /// `run_…`, as it stands in the log.
    pub run: Id,
}

impl DeliveryState {
    /// Its word in the database.
    pub fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
            Self::Held => "held",
            Self::Polled => "polled",
            Self::Skipped => "skipped",
        }
    }
}

fn state(call: &Call) -> Result<Option<DeliveryState>, Problem> {
    let Some(word) = call.query("state") else { return Ok(None) };
    serde_json::from_value(json!(word)).map(Some).map_err(|_| {
        Problem::invalid().detail("state is waiting, delivered, failed, held, polled or skipped")
    })
}

fn sequence(text: &str) -> Result<i64, Problem> {
    text.parse().map_err(|_| Problem::invalid().detail("a sequence is a whole number"))
}

/// Lists the deliveries of an endpoint, newest first: all, or those in one `state`.
pub async fn list(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let endpoint = endpoint::find(at, call).await?;
    let (limit, cursor) = call.page()?;
    let before = cursor.map_or(Ok(i64::MAX >> 11), |it| sequence(it.key()))?;
    let found = store::list_deliveries(at, &endpoint.id, state(call)?, before, limit + 1).await?;
    Ok(json_response(StatusCode::OK, &Page::of(found, limit, |it| it.sequence.to_string())))
}

/// Lists all that an endpoint should have, oldest first: by it a receiver finds what it misses.
pub async fn manifest(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let endpoint = endpoint::find(at, call).await?;
    let (limit, cursor) = call.page()?;
    let after = match (cursor, call.query("after")) {
        (Some(it), _) => sequence(it.key())?,
        (None, Some(it)) => sequence(&it)?,
        (None, None) => 0,
    };
    let found = store::manifest(at, &endpoint.id, after, limit + 1).await?;
    Ok(json_response(StatusCode::OK, &Page::of(found, limit, |it| it.sequence.to_string())))
}

async fn find(at: &impl Tenant, call: &Call) -> Result<(Endpoint, EndpointDelivery), Problem> {
    let endpoint = endpoint::find(at, call).await?;
    let number = call.param_at(1).parse().map_err(|_| Problem::not_found())?;
    let found = store::find_delivery(at, &endpoint.id, number).await?;
    Ok((endpoint, found.ok_or_else(Problem::not_found)?))
}

/// Reads one, with its attempts.
pub async fn get(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let (endpoint, delivery) = find(at, call).await?;
    let tries = store::attempts(at, &endpoint.id, delivery.sequence).await?;
    Ok(json_response(StatusCode::OK, &FullDelivery { delivery, tries }))
}

/// Sends one again, signed with the secret of now, under the same id and number.
pub async fn resend(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let (endpoint, delivery) = find(at, call).await?;
    check_active(&endpoint)?;
    if delivery.kind.is_none() {
        let kind = "/problems/webhooks/gone";
        return Err(Problem::new(StatusCode::CONFLICT, kind, "The event is no longer kept")
            .detail("publish it again"));
    }
    let entry = Draft::new("delivery.resent", &endpoint.id)
        .with(json!({"event": delivery.event, "sequence": delivery.sequence}));
    let commit = store::resend(&endpoint.id, delivery.sequence, at.now())
        .entry(entry)
        .job(pump::job(&endpoint.id));
    let again = EndpointDelivery {
        state: DeliveryState::Waiting,
        attempts: 0,
        due_at: Some(at.now()),
        ended_at: None,
        ..delivery
    };
    let response = json_response(StatusCode::ACCEPTED, &again);
    at.answer(commit, response, Problem::changed_meanwhile).await
}

fn check_active(endpoint: &Endpoint) -> Result<(), Problem> {
    if endpoint.state == EndpointState::Active {
        return Ok(());
    }
    let kind = "/problems/webhooks/not-active";
    Err(Problem::new(StatusCode::CONFLICT, kind, "The endpoint is not active")
        .detail("set its state to active first"))
}

/// Sends all again that failed or were held since a moment.
pub async fn recover(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let endpoint = endpoint::find(at, call).await?;
    check_active(&endpoint)?;
    let window: Window = call.json()?;
    let until = window.until.unwrap_or(Timestamp::NEVER);
    let deliveries = store::count_lost(at, &endpoint.id, window.since, until).await?;
    let data = json!({"since": window.since, "until": window.until, "deliveries": deliveries});
    let commit = store::recover(&endpoint.id, window.since, until, at.now())
        .entry(Draft::new("endpoint.recovering", &endpoint.id).with(data))
        .job(pump::job(&endpoint.id));
    let response = json_response(StatusCode::ACCEPTED, &Recovered { deliveries });
    at.answer(commit, response, Problem::changed_meanwhile).await
}

/// Queues all that was never queued for this endpoint: what was published before it was there,
/// while it was disabled, or while its filter was another.
pub async fn replay(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let endpoint = endpoint::find(at, call).await?;
    check_active(&endpoint)?;
    let window: Window = call.json()?;
    let until = window.until.unwrap_or(Timestamp::NEVER);
    let run = at.new_id("run")?;
    let data = json!({"since": window.since, "until": window.until, "run": run});
    let commit = Commit::new()
        .entry(Draft::new("endpoint.replaying", &endpoint.id).with(data))
        .job(replay_job(&endpoint.id, &run, window.since, until, ""));
    let response = json_response(StatusCode::ACCEPTED, &Replaying { run });
    at.answer(commit, response, Problem::changed_meanwhile).await
}

fn replay_job(endpoint: &Id, run: &Id, since: Timestamp, until: Timestamp, after: &str) -> NewJob {
    let body = json!({
        "id": endpoint, "run": run, "since_ms": since.0, "until_ms": until.0, "after": after,
    });
    NewJob::new(REPLAY, format!("{REPLAY}:{run}:{after}"), body)
}

/// How far a replay has come.
#[derive(Deserialize)]
struct Place {
    run: Id,
    since_ms: i64,
    until_ms: i64,
    after: String,
}

/// Queues what is missed among the next events, and the look after that.
pub async fn replay_some(at: &impl Tenant, job: &Job) -> Result<Commit, Failure> {
    let id = job.subject()?;
    let place: Place = serde_json::from_value(job.body.clone()).map_err(Failure::dead)?;
    let Some(endpoint) = store::find_endpoint(at, &id).await? else { return Ok(Commit::new()) };
    let (since, until) = (Timestamp(place.since_ms), Timestamp(place.until_ms));
    let window = (since, until);
    let events = store::missed_events(at, &endpoint, window, &place.after, REPLAY_EVENTS).await?;
    let Some(last) = events.last().map(|it| it.id.to_string()) else { return Ok(Commit::new()) };
    let queued = events.iter().filter_map(|it| event::queue(&endpoint, it, at.now()));
    let commit = queued.fold(Commit::new(), Commit::and);
    Ok(commit.job(replay_job(&id, &place.run, since, until, &last)))
}
