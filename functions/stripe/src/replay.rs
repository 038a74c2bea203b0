//! Replaying: the stored events of a time are hints once more.

use serde::Deserialize;
use serde_json::{Value, json};
use shared::{
    domain::{Commit, Draft, Failure, Id, Job, NewJob, Timestamp},
    http::{Response, StatusCode, json as json_response},
    ports::Tenant,
    problem::Problem,
    route::Call,
};
use utoipa::ToSchema;

use crate::{
    account, incoming,
    provider::{self, PaymentProvider},
    store,
};

/// Puts stored events to work again.
pub const REPLAY: &str = "stripe.replay";

/// How many stored events are put to work at once.
const REPLAY_PAGE: u32 = 100;

/// Which events are put to work again.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PaymentReplay)]
pub struct Replay {
    /// From when on they were made.
    pub from: Timestamp,
    /// Until when; now when left out.
    #[serde(default)]
    pub to: Option<Timestamp>,
}

/// Puts the stored events of a time to work again: their objects are fetched.
pub async fn start(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let asked: Replay = call.json()?;
    let account = account::find(at, call).await?;
    let to = asked.to.unwrap_or_else(|| at.now());
    if asked.from >= to {
        return Err(Problem::unfitting("from", "before `to`"));
    }
    let job = replay_job(at, &account.id, asked.from, to, "")?;
    let entry = Draft::new("payment_account.replaying", &Id::trusted(account.id.clone()))
        .with(json!({"from": asked.from, "to": to}));
    let commit = Commit::new().job(job).entry(entry);
    let response = json_response(StatusCode::ACCEPTED, &json!({"from": asked.from, "to": to}));
    at.answer(commit, response, Problem::changed_meanwhile).await
}

fn replay_job(
    at: &impl Tenant,
    account: &str,
    from: Timestamp,
    to: Timestamp,
    after: &str,
) -> Result<NewJob, shared::ports::PortError> {
    let body = json!({"id": account, "from": from, "to": to, "after": after});
    Ok(NewJob::new(REPLAY, format!("{REPLAY}:{}", at.new_id("job")?), body))
}

/// Works a page of a replay.
///
/// # Errors
/// The failure, and whether to try again.
pub async fn work(at: &impl Tenant, job: &Job) -> Result<Commit, Failure> {
    let id = job.subject()?;
    let Some(account) = store::find_account(at, id.as_str()).await? else {
        return Ok(Commit::new());
    };
    let moment = |name: &str| {
        job.body.get(name).and_then(Value::as_str).and_then(Timestamp::parse).unwrap_or_default()
    };
    let (from, to) = (moment("from"), moment("to"));
    let after = job.body.get("after").and_then(Value::as_str).unwrap_or_default();
    let page = store::events_between(at, &account.id, from, to, after, REPLAY_PAGE).await?;
    let provider = provider::of(at, &account).await?;
    let mut commit = Commit::new();
    for event in &page {
        let body = event.body.as_deref().unwrap_or_default();
        let parsed: Option<Value> = serde_json::from_str(body).ok();
        if let Some(read) = parsed.as_ref().and_then(|it| provider.hint(it)) {
            commit = commit.and(incoming::effect(at, &account, &read));
        }
    }
    let is_full = page.len() >= usize::try_from(REPLAY_PAGE).unwrap_or(usize::MAX);
    match page.last().filter(|_| is_full) {
        Some(last) => {
            let next = replay_job(at, &account.id, from, to, &last.sequence)?;
            Ok(commit.job(next))
        }
        None => Ok(commit),
    }
}
