//! A webhook arrives: verified, deduplicated, stored and logged in one commit.

use std::time::Duration;

use serde::Serialize;
use serde_json::json;
use shared::{
    domain::{Commit, Draft, Id},
    http::{Response, StatusCode, json as json_response, text},
    ports::{CommitError, Tenant},
    problem::Problem,
    route::Call,
};
use utoipa::ToSchema;

use crate::{
    deliver,
    message::{Delivery, Headers, Message},
    refusals,
    signature::{self, Verified},
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
    let secrets: Vec<_> = source::secrets(at, &source)
        .await?
        .into_iter()
        .filter(|it| it.counts(at.now()))
        .map(|it| it.text)
        .collect();
    let (headers, body) = (call.request.headers(), call.request.body());
    let now = at.now().seconds();
    match signature::verify(&source.recipe, &secrets, headers, body, now) {
        Err(refusal) => Err(refusals::count(at, &source, &refusal, &call.request).await),
        Ok(Verified { challenge: Some(answer), .. }) => Ok(text(StatusCode::OK, answer)),
        Ok(verified) => keep(at, &source, verified, call).await,
    }
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
    let headers = Headers::of(call.request.headers());
    match at.commit(received(at, source, &message, &headers, call)).await {
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
) -> Commit {
    let window = Duration::from_secs(source.recipe.dedupe_seconds.into());
    let entry = Draft::new("webhook.received", &message.id).with(json!({
        "source": source.id,
        "type": message.event_type,
        "provider_id": message.provider_id,
    }));
    let commit = store::claim_dedupe(message, at.now(), at.now() + window)
        .and(store::insert_message(message, headers, call.request.body()))
        .entry(entry);
    match source.target {
        Some(_) => commit.job(deliver::job(&message.id, "received")),
        None => commit,
    }
}

fn answer(status: StatusCode, id: Id, what: ReceivedStatus) -> Response {
    json_response(status, &Received { id, status: what })
}
