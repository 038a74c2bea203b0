//! A webhook arrives: verified, deduplicated, stored and logged in one commit.

use std::time::Duration;

use serde::Serialize;
use serde_json::json;
use shared::{
    domain::{Commit, Draft, Id, Timestamp},
    http::{
        HeaderName, HeaderValue, Method, Response, StatusCode, empty, header,
        json as json_response, text, with_header,
    },
    ports::{CommitError, Tenant},
    problem::Problem,
    route::Call,
};
use utoipa::ToSchema;

use crate::{
    certificates, confirm, deliver,
    message::{Delivery, Headers, Message},
    refusals,
    sender::{
        event::{self, EVENT_BYTES_MAX, Event},
        prune,
        settings::WORD_CHARS_MAX,
        trace::Trace,
    },
    signature::{self, Incoming, Refusal, Reply, Verified},
    source::{self, Source},
    store,
};

/// What the provider hears.
#[derive(Debug, Serialize, ToSchema)]
pub struct Received {
    /// The message that is kept.
    pub id: Id,
    /// Whether it is this one, or one that came before.
    pub status: ReceivedStatus,
}

/// Whether a webhook was new.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReceivedStatus {
    /// It is stored, and on its way.
    Accepted,
    /// It came before; nothing was changed.
    Duplicate,
}

/// Receives one webhook.
pub async fn receive(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let source = source::find(at, &call.id("src")?).await?;
    match verify(at, &source, call).await? {
        Err(refusal) => Err(refusals::count(at, &source, &refusal, &call.request).await),
        Ok(Verified { reply: Some(Reply::Visit(url)), message, .. }) => {
            confirm::asked(at, &source, &message, &url).await
        }
        Ok(Verified { reply: Some(reply), .. }) => Ok(say(reply)),
        Ok(verified) => keep(at, &source, verified, call).await,
    }
}

async fn verify(
    at: &impl Tenant,
    source: &Source,
    call: &Call,
) -> Result<Result<Verified, Refusal>, Problem> {
    let secrets = secrets(at, source).await?;
    let incoming = Incoming::of(&source.recipe, &call.request);
    let certificate = match certificates::find(at, source, &secrets, &incoming).await {
        Ok(it) => it,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let incoming = Incoming { certificate: certificate.as_deref(), ..incoming };
    Ok(signature::verify(&source.recipe, &secrets, &incoming, at.now().seconds()))
}

/// Answers a handshake that is no POST, if the source's recipe knows one.
pub async fn shake_hands(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let source = source::find(at, &call.id("src")?).await?;
    let secrets = secrets(at, &source).await?;
    // A HEAD is a GET whose body is left out later.
    let method = if call.route.method == "GET" { "GET" } else { call.request.method().as_str() };
    let incoming = Incoming { method, ..Incoming::of(&source.recipe, &call.request) };
    match signature::answer(&source.recipe, &secrets, &incoming) {
        Ok(Some(reply)) => Ok(say(reply)),
        Ok(None) => Err(Problem::method_not_allowed(&[Method::POST])),
        Err(refusal) => Err(refusals::count(at, &source, &refusal, &call.request).await),
    }
}

/// The secrets that count at this moment.
async fn secrets(at: &impl Tenant, source: &Source) -> Result<Vec<String>, Problem> {
    let all = source::secrets(at, source).await?.into_iter();
    Ok(all.filter(|it| it.counts(at.now())).map(|it| it.text).collect())
}

/// The answer to a handshake. What is in it is somebody else's word, so nobody is to guess at
/// its type.
fn say(reply: Reply) -> Response {
    let response = match reply {
        Reply::Text(it) => text(StatusCode::OK, it),
        Reply::Json(it) => json_response(StatusCode::OK, &it),
        Reply::Empty => empty(StatusCode::NO_CONTENT),
        Reply::Visit(_) => empty(StatusCode::OK),
        Reply::Headers(headers) => {
            let mut response = empty(StatusCode::OK);
            for (name, value) in headers {
                // The recipe's rules say that it is a name; the value is what was asked with.
                if let (Ok(name), Ok(value)) =
                    (HeaderName::try_from(name), HeaderValue::try_from(value))
                {
                    response.headers_mut().insert(name, value);
                }
            }
            response
        }
    };
    with_header(response, header::X_CONTENT_TYPE_OPTIONS, "nosniff")
}

async fn keep(
    at: &impl Tenant,
    source: &Source,
    verified: Verified,
    call: &Call,
) -> Result<Response, Problem> {
    let message = Message {
        id: at.new_id("msg")?,
        source: source.id.clone(),
        provider_id: verified.message,
        event_type: verified.event_type,
        received_at: at.now(),
        delivery: if source.target.is_some() { Delivery::Waiting } else { Delivery::None },
        attempts: 0,
        last_status: None,
        last_error: None,
        delivered_at: None,
    };
    let headers = Headers::of(call.request.headers()).without(source.recipe.secret_header());
    let expires = event::expires(at, None).await?;
    let commit = received(at, source, &message, &headers, call, expires);
    let commit = commit.and(published(at, source, &message, call).await?);
    match at.commit(commit).await {
        Ok(()) => Ok(answer(StatusCode::OK, message.id, ReceivedStatus::Accepted)),
        Err(CommitError::Port(err)) => Err(err.into()),
        Err(CommitError::Conflict) => {
            let first = store::find_duplicate(at, &source.id, &message.provider_id).await?;
            let first = first.ok_or_else(Problem::unavailable)?;
            Ok(answer(StatusCode::OK, first, ReceivedStatus::Duplicate))
        }
    }
}

fn received(
    at: &impl Tenant,
    source: &Source,
    message: &Message,
    headers: &Headers,
    call: &Call,
    expires: Timestamp,
) -> Commit {
    let window = Duration::from_secs(source.recipe.dedupe_seconds.into());
    let entry = Draft::new("webhook.received", &message.id).with(json!({
        "source": source.id,
        "type": message.event_type,
        "provider_id": message.provider_id,
    }));
    let claim = (&source.id, message.provider_id.as_str(), &message.id);
    let commit = store::claim_dedupe(claim, at.now(), at.now() + window)
        .and(store::insert_message(message, headers, call.request.body(), expires))
        .entry(entry)
        .job(prune::job(expires))
        .and(refusals::recovered(source));
    match source.target {
        Some(_) => commit.job(deliver::job(&message.id, "received", None)),
        None => commit,
    }
}

/// The webhook as an event for endpoints, if its source says so.
async fn published(
    at: &impl Tenant,
    source: &Source,
    message: &Message,
    call: &Call,
) -> Result<Commit, Problem> {
    let Some(publish) = &source.publish else { return Ok(Commit::new()) };
    let body = call.request.body();
    let data = (body.len() <= EVENT_BYTES_MAX).then(|| serde_json::from_slice(body).ok()).flatten();
    let event = Event {
        id: at.new_id("evt")?,
        kind: kind(&publish.prefix, message.event_type.as_deref()),
        customer: publish.customer.clone(),
        channels: Vec::new(),
        version: None,
        // What is no JSON, or too large, is asked for.
        data: data.unwrap_or_else(|| json!({"message": message.id})),
        timestamp: message.received_at,
        trace: Trace::of(at, call.request.headers())?,
    };
    Ok(event::published(at, &event, None).await?.0)
}

/// The provider's type behind the prefix, in the letters that a type may have.
fn kind(prefix: &str, provided: Option<&str>) -> String {
    let plain =
        |it: char| if it.is_ascii_alphanumeric() || "._-:/".contains(it) { it } else { '_' };
    let all = prefix.chars().chain(provided.unwrap_or("received").chars().map(plain));
    all.take(WORD_CHARS_MAX).collect()
}

fn answer(status: StatusCode, id: Id, what: ReceivedStatus) -> Response {
    json_response(status, &Received { id, status: what })
}
