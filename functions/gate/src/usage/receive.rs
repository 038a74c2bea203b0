//! Taking events in, and taking them back.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use shared::{
    domain::{Commit, Draft},
    http::{Request, Response, StatusCode, json as json_response},
    ports::Tenant,
    problem::Problem,
    route::Call,
};
use utoipa::ToSchema;

use super::{
    event::{self, Event, ID_CHARS_MAX, Sent},
    meter::{self, Meters},
    plan::{Outcome, Plan},
    prune,
    settings::Window,
    store,
};
use crate::quota;

/// How often a commit is planned anew because another one was faster.
const TRIES_MAX: usize = 5;
/// The longest reason, in characters.
pub const REASON_CHARS_MAX: usize = 500;

/// What became of one event.
#[derive(Debug, Serialize, ToSchema)]
pub struct UsageResult {
    /// Its source, unless it cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Its id, unless it cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// `counted`, `duplicate` (it was counted before), `refused`, or `voided` when that was asked.
    pub status: &'static str,
    /// Why it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<Problem>,
}

/// What became of the events of a batch, in their order.
#[derive(Debug, Serialize, ToSchema)]
pub struct UsageResults {
    /// One for each event.
    pub items: Vec<UsageResult>,
}

/// An event to take back.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UsageVoid {
    /// Its source.
    pub source: String,
    /// Its id.
    pub id: String,
    /// Why: 1 to 500 characters.
    pub reason: String,
}

type Read = Result<Event, Problem>;

impl UsageResult {
    fn of(event: &Event, outcome: Result<Outcome, Problem>) -> Self {
        let (status, problem) = match outcome {
            Ok(Outcome::Counted) => ("counted", None),
            Ok(Outcome::Duplicate) => ("duplicate", None),
            Err(problem) => ("refused", Some(problem)),
        };
        let (source, id) = (Some(event.source.clone()), Some(event.id.clone()));
        Self { source, id, status, problem }
    }

    fn unreadable(problem: Problem) -> Self {
        Self { source: None, id: None, status: "refused", problem: Some(problem) }
    }
}

/// Takes in what a request holds.
pub async fn post(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    for _ in 0..TRIES_MAX {
        if let Some(response) = attempt(at, &call.request).await? {
            return Ok(response);
        }
    }
    Err(Problem::unavailable())
}

/// Plans and commits once; `None` when another commit was faster, so that it has to be planned
/// anew.
async fn attempt(at: &impl Tenant, request: &Request) -> Result<Option<Response>, Problem> {
    match event::read(request)? {
        Sent::One(event) => {
            let read = [Ok(*event)];
            let (mut plan, meters, window) = prepare(at, &read).await?;
            let [Ok(event)] = &read else { return Ok(None) };
            let outcome = plan.take(event, &meters, window)?;
            let result = UsageResult::of(event, Ok(outcome));
            answer(at, plan, json_response(StatusCode::OK, &result)).await
        }
        Sent::Batch(read) => {
            let (mut plan, meters, window) = prepare(at, &read).await?;
            let items = read.into_iter().map(|it| match it {
                Ok(event) => UsageResult::of(&event, plan.take(&event, &meters, window)),
                Err(problem) => UsageResult::unreadable(problem),
            });
            let results = UsageResults { items: items.collect() };
            if plan.counted() > 0 {
                let told = json!({"events": plan.counted()});
                let subject = at.new_id("batch")?.to_string();
                plan.entry(Draft { action: "usage.counted", subject, data: told });
            }
            answer(at, plan, json_response(StatusCode::OK, &results)).await
        }
    }
}

/// A plan that knows all that these events name, with their meters and when they may have been.
async fn prepare(at: &impl Tenant, read: &[Read]) -> Result<(Plan, Meters, Window), Problem> {
    let events = || read.iter().filter_map(|it| it.as_ref().ok());
    let keys = events().flat_map(|it| {
        let key = |id: &String| json!([it.source, id]);
        [Some(key(&it.id)), it.corrects.as_ref().map(key)].into_iter().flatten()
    });
    let known = store::events(at, &keys.collect::<Value>()).await?;
    let mut names: Vec<_> = events().map(|it| it.meter.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let meters = meter::named(at, &names).await?;
    let window = store::state(at).await?.window(at.now());
    Ok((Plan::knowing(known), meters, window))
}

/// Commits a plan with its answer; `None` when another commit was faster.
async fn answer(
    at: &impl Tenant,
    plan: Plan,
    response: Response,
) -> Result<Option<Response>, Problem> {
    let mut faster = false;
    let commit = match plan.is_empty() {
        true => Commit::new(),
        false => {
            let looks = quota::changed(at, &plan.subjects()).await?;
            plan.commit(at.now()).and(looks).job(prune::job(at.now()))
        }
    };
    let answered = at.answer(commit, response, || {
        faster = true;
        Problem::changed_meanwhile()
    });
    match answered.await {
        Ok(response) => Ok(Some(response)),
        Err(_) if faster => Ok(None),
        Err(problem) => Err(problem),
    }
}

/// Takes an event back.
pub async fn void(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let UsageVoid { source, id, reason } = call.json()?;
    for (field, text, max) in [
        ("source", &source, ID_CHARS_MAX),
        ("id", &id, ID_CHARS_MAX),
        ("reason", &reason, REASON_CHARS_MAX),
    ] {
        if !(1..=max).contains(&text.chars().count()) {
            return Err(Problem::unfitting(field, format!("1 to {max} characters")));
        }
    }
    let (of, named) = (Some(source.clone()), Some(id.clone()));
    let result = UsageResult { source: of, id: named, status: "voided", problem: None };
    for _ in 0..TRIES_MAX {
        let mut plan = Plan::knowing(store::events(at, &json!([[source, id]])).await?);
        let window = store::state(at).await?.window(at.now());
        plan.void(&source, &id, &reason, window)?;
        let response = json_response(StatusCode::OK, &result);
        if let Some(response) = answer(at, plan, response).await? {
            return Ok(response);
        }
    }
    Err(Problem::unavailable())
}
