//! Confirming: the address that a handshake names is visited, once, and the log says how it went.

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use shared::{
    domain::{Commit, Draft, Failure, Id, Job, NewJob, Retry},
    http::{HeaderMap, Method, Response, StatusCode, empty},
    ports::{CommitError, FetchError, HttpRequest, PortError, Tenant},
    problem::Problem,
};
use url::Url;

use crate::{deliver::retry_after, refusals, signature, source::Source, store};

/// Visits an address.
pub const CONFIRM: &str = "webhooks.confirm";

/// How long a provider has to answer.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How much of the answer is read: enough to know that there is one.
const ANSWER_BYTES_MAX: usize = 4 * 1024;

/// Takes in a handshake that was verified, and leaves the visit to a job: whoever asks is answered
/// at once, and is not visited a second time for the same `message`.
pub async fn asked(
    at: &impl Tenant,
    source: &Source,
    message: &str,
    url: &Url,
) -> Result<Response, Problem> {
    let window = Duration::from_secs(source.recipe.dedupe_seconds.into());
    let claim = (&source.id, message, &at.new_id("msg")?);
    let commit = store::claim_dedupe(claim, at.now(), at.now() + window)
        .job(job(&source.id, message, url))
        .and(refusals::recovered(source));
    match at.commit(commit).await {
        Ok(()) | Err(CommitError::Conflict) => Ok(empty(StatusCode::OK)),
        Err(CommitError::Port(err)) => Err(err.into()),
    }
}

/// What is in the address confirms our own subscription, and nothing else.
fn job(source: &Id, message: &str, url: &Url) -> NewJob {
    let body = json!({"id": source, "message": message, "url": url.as_str()});
    NewJob::new(CONFIRM, format!("{CONFIRM}:{source}:{message}"), body)
}

/// Visits the address, if it is still one of the source's recipe.
pub async fn visit(at: &impl Tenant, job: &Job) -> Result<Commit, Failure> {
    // Whoever has deleted the source wants no messages.
    let Some(source) = store::find_source(at, &job.subject()?).await? else {
        return Ok(Commit::new());
    };
    let address = job.body.get("url").and_then(Value::as_str).unwrap_or_default();
    let Some(url) = signature::visited(&source.recipe, address) else {
        return Err(failed("the recipe has no such address".to_owned(), Retry::Never, job));
    };
    let host = url.host_str().unwrap_or_default().to_owned();
    let request = HttpRequest {
        method: Method::GET,
        url,
        headers: HeaderMap::new(),
        body: Bytes::new(),
        timeout: TIMEOUT,
        answer_bytes_max: ANSWER_BYTES_MAX,
    };
    match at.fetch(request).await {
        Ok(answer) if answer.status.is_success() => Ok(told("source.confirmed", job, None)),
        Ok(answer) => {
            let why = format!("{host} answered {}", answer.status.as_u16());
            let retry = match answer.status {
                status if is_passing(status) => {
                    retry_after(&answer.headers).map_or(Retry::Schedule, Retry::After)
                }
                _ => Retry::Never,
            };
            Err(failed(why, retry, job))
        }
        Err(err @ FetchError::Refused) => Err(failed(err.to_string(), Retry::Never, job)),
        Err(err) => Err(failed(format!("{host}: {err}"), Retry::Schedule, job)),
    }
}

/// Tells that the visit was given up, whose tries ended with their worker.
pub async fn give_up(_: &impl Tenant, job: &Job) -> Result<Commit, PortError> {
    Ok(told("source.unconfirmed", job, Some("each try ended without an answer")))
}

/// Whether it may be another one on another day.
fn is_passing(status: StatusCode) -> bool {
    let is_later = matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS);
    status.is_server_error() || is_later
}

fn failed(why: String, retry: Retry, job: &Job) -> Failure {
    let is_over = retry == Retry::Never || job.is_last();
    let commit = match is_over {
        true => told("source.unconfirmed", job, Some(&why)),
        false => Commit::new(),
    };
    Failure { retry, ..Failure::again(why).writing(commit) }
}

fn told(action: &'static str, job: &Job, why: Option<&str>) -> Commit {
    let Ok(source) = job.subject() else { return Commit::new() };
    let message = job.body.get("message");
    let data = match why {
        None => json!({"message": message}),
        Some(why) => json!({"message": message, "reason": why}),
    };
    Commit::new().entry(Draft::new(action, &source).with(data))
}
