//! The tail of a source: what it receives, as it comes, for whoever sits before a terminal.

use serde_json::json;
use shared::{
    domain::Id,
    http::Response,
    live::{self, Feed, News, Sent},
    ports::{PortError, Tenant},
    problem::Problem,
    route::Call,
};

use crate::{source, store};

/// The messages of a source.
struct Tail(Id);

/// Streams what a source receives: after `Last-Event-ID`, else after `after`, else from now on.
pub async fn follow(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let (tail, place) = begin(at, call).await?;
    live::stream(at, call, tail, place).await
}

/// What a source has received after `place`.
pub async fn news(
    at: &impl Tenant,
    call: &Call,
    place: Option<&str>,
) -> Result<Option<News>, Problem> {
    let (tail, begins) = begin(at, call).await?;
    live::news(at, tail, place.map_or(begins, str::to_owned)).await
}

async fn begin(at: &impl Tenant, call: &Call) -> Result<(Tail, String), Problem> {
    let source = source::find(at, &call.id("src")?).await?;
    let header = call.request.headers().get("last-event-id").and_then(|it| it.to_str().ok());
    let named = header.map(str::to_owned).or_else(|| call.query("after").map(Into::into));
    let place = match named {
        Some(it) => Id::parse("msg", it.trim()).ok_or_else(|| {
            Problem::invalid().detail("after and Last-Event-ID name a message: msg_…")
        })?,
        // Ids are in the order of time: what comes from now on is after this one.
        None => at.new_id("msg")?,
    };
    Ok((Tail(source.id), place.to_string()))
}

impl Feed for Tail {
    async fn after(&self, tenant: &impl Tenant, place: &str) -> Result<Vec<Sent>, PortError> {
        let after = store::messages_after(tenant, &self.0, place, live::BATCH).await?;
        let sent = after.into_iter().map(|(message, headers, body)| Sent {
            id: message.id.to_string(),
            event: message.event_type.clone().unwrap_or_else(|| "message".to_owned()),
            data: json!({
                "id": message.id,
                "type": message.event_type,
                "received_at": message.received_at,
                "headers": headers,
                "body": String::from_utf8(body).ok(),
            })
            .to_string(),
        });
        Ok(sent.collect())
    }
}
