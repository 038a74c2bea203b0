//! Replaying what a source has received: a window of it, to its target or to any other.

use serde::{Deserialize, Serialize};
use serde_json::json;
use shared::{
    domain::{Commit, Draft, Failure, Id, Job, NewJob, Timestamp},
    http::{Response, StatusCode, json as json_response},
    ports::Tenant,
    problem::Problem,
    route::Call,
};
use utoipa::ToSchema;

use crate::{
    deliver,
    message::{Delivery, Message},
    source, store,
};

/// Queues the messages of a window.
pub const REPLAY: &str = "webhooks.replay_source";
/// How many messages are queued at once.
const MESSAGES: u32 = 100;

/// What to replay, and where to.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SourceWindow {
    /// From this moment on.
    pub since: Timestamp,
    /// Before this moment; no end when left out.
    #[serde(default)]
    pub until: Option<Timestamp>,
    /// Where to: an http or https address. The source's own target when left out.
    #[serde(default)]
    pub target: Option<String>,
}

/// That a window is being replayed.
#[derive(Debug, Serialize, ToSchema)]
pub struct SourceReplay {
    /// `run_…`, as it stands in the log.
    pub run: Id,
}

/// How far a replay has come.
#[derive(Deserialize, Serialize)]
struct Place {
    id: Id,
    run: Id,
    since_ms: i64,
    until_ms: i64,
    target: Option<String>,
    after: String,
}

/// Replays a window of a source.
pub async fn start(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let source = source::find(at, &call.id("src")?).await?;
    let window: SourceWindow = call.json()?;
    let target = source::target(window.target.as_deref(), "target")?;
    if target.is_none() && source.target.is_none() {
        return Err(Problem::unfitting("target", "the source has none: name one"));
    }
    let run = at.new_id("run")?;
    let data = json!({
        "since": window.since, "until": window.until, "target": target, "run": run,
    });
    let place = Place {
        id: source.id.clone(),
        run: run.clone(),
        since_ms: window.since.0,
        until_ms: window.until.unwrap_or(Timestamp::NEVER).0,
        target,
        after: String::new(),
    };
    let commit =
        Commit::new().entry(Draft::new("source.replaying", &source.id).with(data)).job(job(&place));
    let response = json_response(StatusCode::ACCEPTED, &SourceReplay { run });
    at.answer(commit, response, Problem::changed_meanwhile).await
}

fn job(place: &Place) -> NewJob {
    NewJob::new(REPLAY, format!("{REPLAY}:{}:{}", place.run, place.after), json!(place))
}

/// Queues the next messages of a replay, and the look after that.
pub async fn go_on(at: &impl Tenant, job_: &Job) -> Result<Commit, Failure> {
    let place: Place = serde_json::from_value(job_.body.clone()).map_err(Failure::dead)?;
    let window = (Timestamp(place.since_ms), Timestamp(place.until_ms));
    let messages = store::messages_in(at, &place.id, window, &place.after, MESSAGES).await?;
    let Some(last) = messages.last().map(|it| it.id.to_string()) else { return Ok(Commit::new()) };
    let commit = messages.into_iter().fold(Commit::new(), |commit, it| {
        let again = deliver::job(&it.id, place.run.as_str(), place.target.as_deref());
        // What goes elsewhere says nothing of the delivery to the source's own target.
        match place.target {
            Some(_) => commit.job(again),
            None => commit.and(store::update_delivery(&waiting(it), 0)).job(again),
        }
    });
    Ok(commit.job(job(&Place { after: last, ..place })))
}

/// The message, on its way again.
pub fn waiting(it: Message) -> Message {
    Message { delivery: Delivery::Waiting, last_error: None, delivered_at: None, ..it }
}
