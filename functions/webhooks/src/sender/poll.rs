//! Polling: a receiver that cannot be reached comes for what it has not seen.

use serde::{Deserialize, Serialize};
use shared::{
    http::{Response, StatusCode, empty, json as json_response},
    ports::Tenant,
    problem::Problem,
    route::Call,
};
use utoipa::ToSchema;

use super::{
    endpoint,
    event::Event,
    settings::{WORD_CHARS_MAX, is_word},
    store,
};

/// Who polls when nobody says so.
const CONSUMER: &str = "default";
/// How many events are given at once, when nothing else is asked for and at most.
const LIMIT_DEFAULT: u32 = 50;
const LIMIT_MAX: u32 = 200;

/// What a receiver has not seen.
#[derive(Debug, Serialize, ToSchema)]
pub struct Polled {
    /// In their order.
    pub items: Vec<PolledEvent>,
    /// What to acknowledge when all of these are done with.
    pub sequence: i64,
    /// Whether there is more.
    pub more: bool,
}

/// An event, and its number for this endpoint.
#[derive(Debug, Serialize, ToSchema)]
pub struct PolledEvent {
    /// Its number: 1, 2, 3 …
    pub sequence: i64,
    /// The event.
    #[serde(flatten)]
    pub event: Event,
}

/// How far a receiver has come.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Acknowledged {
    /// Who, when several poll the same endpoint; `default` when left out.
    #[serde(default)]
    pub consumer: Option<String>,
    /// All up to this number is done with. A lower one than before goes back.
    pub sequence: i64,
}

fn consumer(named: Option<String>) -> Result<String, Problem> {
    let name = named.unwrap_or_else(|| CONSUMER.to_owned());
    let why = format!("1 to {WORD_CHARS_MAX} of A-Z a-z 0-9 . _ - : /");
    if is_word(&name) { Ok(name) } else { Err(Problem::unfitting("consumer", why)) }
}

/// Gives what the consumer has not acknowledged.
pub async fn poll(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let endpoint = endpoint::find(at, call).await?;
    let name = consumer(call.query("consumer").map(std::borrow::Cow::into_owned))?;
    let limit = match call.query("limit").map(|it| it.parse()) {
        None => LIMIT_DEFAULT,
        Some(Ok(it)) if (1..=LIMIT_MAX).contains(&it) => it,
        Some(_) => return Err(Problem::invalid().detail(format!("limit is 1 to {LIMIT_MAX}"))),
    };
    let after = store::poller(at, &endpoint.id, &name).await?;
    let mut items = store::after(at, &endpoint.id, after, limit + 1).await?;
    let more = items.len() > usize::try_from(limit).unwrap_or(usize::MAX);
    items.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    let sequence = items.last().map_or(after, |it| it.sequence);
    Ok(json_response(StatusCode::OK, &Polled { items, sequence, more }))
}

/// Remembers how far the consumer has come.
pub async fn acknowledge(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let endpoint = endpoint::find(at, call).await?;
    let done: Acknowledged = call.json()?;
    let name = consumer(done.consumer)?;
    if !(0..=endpoint.sequence).contains(&done.sequence) {
        return Err(Problem::unfitting("sequence", format!("0 to {}", endpoint.sequence)));
    }
    let commit = store::put_poller(&endpoint.id, &name, done.sequence);
    at.answer(commit, empty(StatusCode::NO_CONTENT), Problem::changed_meanwhile).await
}
