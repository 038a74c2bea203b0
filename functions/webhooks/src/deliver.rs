//! Delivery: an accepted message goes to its source's target, until that has it.

use std::time::Duration;

use serde_json::{Value, json};
use shared::{
    domain::{Commit, Draft, Failure, Id, Job, NewJob, Retry},
    http::{HeaderMap, HeaderName, HeaderValue, Method, header},
    ports::{FetchError, HttpRequest, HttpResponse, PortError, Tenant},
};

use crate::{
    message::{Delivery, Headers, Message},
    store,
};

/// Delivers a message.
pub const DELIVER: &str = "webhooks.deliver";

/// How long a target has to answer.
const TIMEOUT: Duration = Duration::from_secs(15);
/// How much of the answer is read: enough to know that there is one.
const ANSWER_BYTES_MAX: usize = 4 * 1024;
/// The longest wait that a target can ask for.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// The job that delivers this message, for this reason, to its source's target or another.
pub fn job(message: &Id, why: &str, target: Option<&str>) -> NewJob {
    let body = json!({"id": message, "target": target});
    NewJob::new(DELIVER, format!("{DELIVER}:{message}:{why}"), body)
}

/// Tries to deliver.
pub async fn deliver(at: &impl Tenant, job: &Job) -> Result<Commit, Failure> {
    let Some((message, headers, body)) = store::find_message(at, &job.subject()?).await? else {
        return Ok(Commit::new());
    };
    let other = job.body.get("target").and_then(Value::as_str);
    let target = match other {
        Some(it) => Some(it.to_owned()),
        None => store::find_source(at, &message.source).await?.and_then(|it| it.target),
    };
    let Some(url) = target.and_then(|it| it.parse().ok()) else {
        let none = Message { delivery: Delivery::None, ..message };
        return Ok(store::update_delivery(&none, 0));
    };
    let request = HttpRequest {
        method: Method::POST,
        url,
        headers: outgoing(&headers, &message, job),
        body: body.into(),
        timeout: TIMEOUT,
        answer_bytes_max: ANSWER_BYTES_MAX,
    };
    let outcome = at.fetch(request).await;
    if other.is_some() {
        return elsewhere(outcome);
    }
    let tried = Message { attempts: message.attempts + 1, ..message };
    match outcome {
        Ok(answer) if answer.status.is_success() => Ok(delivered(at, tried, &answer)),
        Ok(answer) => Err(refused(tried, &answer, job)),
        Err(err) => Err(failed(tried, None, err.to_string(), Retry::Schedule, job)),
    }
}

/// What goes elsewhere says nothing of the delivery to the source's own target: the job alone
/// knows what became of it.
fn elsewhere(outcome: Result<HttpResponse, FetchError>) -> Result<Commit, Failure> {
    match outcome {
        Ok(answer) if answer.status.is_success() => Ok(Commit::new()),
        Ok(answer) => {
            let why = format!("the target answered {}", answer.status.as_u16());
            let retry = retry_after(&answer.headers).map_or(Retry::Schedule, Retry::After);
            Err(Failure { retry, ..Failure::again(why) })
        }
        Err(err) => Err(Failure::again(err)),
    }
}

/// Marks the message as failed, whose delivery ended with its worker each time.
pub async fn give_up(at: &impl Tenant, job: &Job) -> Result<Commit, PortError> {
    let Ok(id) = job.subject() else { return Ok(Commit::new()) };
    if job.body.get("target").is_some_and(Value::is_string) {
        return Ok(Commit::new());
    }
    let Some((message, _, _)) = store::find_message(at, &id).await? else {
        return Ok(Commit::new());
    };
    let why = "each try ended without an answer".to_owned();
    // The try that never ended was counted by nobody else.
    Ok(failed(message, None, why, Retry::Never, job).commit)
}

/// The provider's own headers, so that the target can check the signature itself, and ours.
fn outgoing(headers: &Headers, message: &Message, job: &Job) -> HeaderMap {
    let mut map = headers.to_map();
    let ours = [
        ("backplane-message", message.id.to_string()),
        ("backplane-source", message.source.to_string()),
        ("backplane-attempt", job.attempts.to_string()),
        // The same for every try, so that the target can tell that it has it already.
        ("idempotency-key", message.id.to_string()),
    ];
    for (name, value) in ours {
        if let Ok(value) = HeaderValue::from_str(&value) {
            map.insert(HeaderName::from_static(name), value);
        }
    }
    map
}

fn delivered(at: &impl Tenant, message: Message, answer: &HttpResponse) -> Commit {
    let done = Message {
        delivery: Delivery::Delivered,
        last_status: Some(answer.status.as_u16()),
        last_error: None,
        delivered_at: Some(at.now()),
        ..message
    };
    let entry = Draft::new("webhook.delivered", &done.id)
        .with(json!({"source": done.source, "attempts": done.attempts}));
    store::update_delivery(&done, 1).entry(entry)
}

fn refused(message: Message, answer: &HttpResponse, job: &Job) -> Failure {
    let status = answer.status.as_u16();
    let why = format!("the target answered {status}");
    let retry = retry_after(&answer.headers).map_or(Retry::Schedule, Retry::After);
    failed(message, Some(status), why, retry, job)
}

fn failed(message: Message, status: Option<u16>, why: String, retry: Retry, job: &Job) -> Failure {
    let delivery = if job.is_last() { Delivery::Failed } else { Delivery::Waiting };
    let tried = Message { delivery, last_status: status, last_error: Some(why.clone()), ..message };
    let mut commit = store::update_delivery(&tried, 1);
    if job.is_last() {
        let data = json!({"source": tried.source, "attempts": tried.attempts, "reason": why});
        commit = commit.entry(Draft::new("webhook.failed", &tried.id).with(data));
    }
    Failure { retry, ..Failure::again(why).writing(commit) }
}

/// What the target asks for in `Retry-After`, in seconds; dates are left to the schedule.
pub fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(RETRY_AFTER_MAX))
}

#[cfg(test)]
mod tests {
    use pollster::block_on;
    use shared::{domain::Timestamp, memory::Memory, open::Open};

    use super::*;
    use crate::{recipe::Recipe, source::Source};

    fn source() -> Source {
        Source {
            id: Id::trusted("src_1".to_owned()),
            name: "s".to_owned(),
            path: "/in/src_1".to_owned(),
            recipe: Recipe::named("none").unwrap(),
            warnings: Vec::new(),
            target: Some("https://a.example/".to_owned()),
            publish: None,
            created_at: Timestamp(0),
            version: 1,
            sealed: String::new(),
            alerted_at: None,
        }
    }

    fn message() -> Message {
        Message {
            id: Id::trusted("msg_1".to_owned()),
            source: source().id,
            provider_id: "1".to_owned(),
            event_type: None,
            received_at: Timestamp(0),
            delivery: Delivery::Waiting,
            attempts: 0,
            last_status: None,
            last_error: None,
            delivered_at: None,
        }
    }

    #[test]
    fn a_try_and_a_replay_beside_it_are_both_counted() {
        let memory = Memory::default();
        let at = block_on(Open::system(&memory, &memory.store("ten_1"), "ten_1", false)).unwrap();
        let made = store::insert_source(&source());
        let made =
            made.and(store::insert_message(&message(), &Headers::default(), b"", Timestamp::NEVER));
        block_on(at.commit(made)).unwrap();
        let job = |why: &str| Job {
            id: why.to_owned(),
            kind: DELIVER.to_owned(),
            body: json!({"id": "msg_1", "target": null}),
            due: Timestamp(0),
            attempts: 1,
        };

        // Both have read the message before either writes what came of it.
        let received = block_on(deliver(&at, &job("received"))).unwrap_err();
        let again = crate::replay::waiting(message());
        block_on(at.commit(store::update_delivery(&again, 0))).unwrap();
        let replayed = block_on(deliver(&at, &job("replayed"))).unwrap_err();
        block_on(at.commit(received.commit)).unwrap();
        block_on(at.commit(replayed.commit)).unwrap();

        let (kept, _, _) = block_on(store::find_message(&at, &message().id)).unwrap().unwrap();
        assert_eq!((kept.attempts, kept.delivery), (2, Delivery::Waiting));
    }
}
