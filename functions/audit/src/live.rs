//! The log as server-sent events (WHATWG HTML, section 9.2): from any sequence, without a gap.

use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use shared::{
    domain::Entry,
    http::{Body, HeaderValue, Response, StatusCode, header, respond},
    log,
    ports::Tenant,
    problem::Problem,
    route::Call,
};

use crate::{bad_sequence, sequence};

/// How long one connection lasts; the client comes back with `Last-Event-ID`.
const LIFE: Duration = Duration::from_secs(5 * 60);
/// How often the log is looked at.
const PERIOD: Duration = Duration::from_secs(1);
/// After how many quiet looks a comment shows that the connection lives.
const HEARTBEAT: u32 = 15;
/// How many entries are sent at once.
const BATCH: u32 = 100;

/// How far a connection has come.
struct Place<T> {
    tenant: T,
    sequence: i64,
    looks: u32,
    quiet: u32,
}

/// Streams the log: after `Last-Event-ID`, else after `after`, else from now on.
pub async fn follow(tenant: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let last = call.request.headers().get("last-event-id");
    let after = match last {
        Some(it) => {
            let it = it.to_str().ok().and_then(|it| it.trim().parse().ok());
            Some(it.ok_or_else(|| bad_sequence("Last-Event-ID"))?)
        }
        None => sequence(call, "after")?,
    };
    let sequence = match after {
        Some(it) => it,
        None => log::head(tenant).await?,
    };
    let looks = u32::try_from(LIFE.as_secs() / PERIOD.as_secs()).unwrap_or(1);
    let place = Place { tenant: tenant.clone(), sequence, looks, quiet: 0 };
    let chunks = stream::unfold(Some(place), |place| async { next(place?).await });
    let mut response = respond(StatusCode::OK, "text/event-stream", Bytes::new());
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    *response.body_mut() = Body::Stream(Box::pin(chunks));
    Ok(response)
}

/// The next thing to send, and where that leads; nothing when the connection has lasted.
async fn next<T: Tenant>(mut place: Place<T>) -> Option<(Bytes, Option<Place<T>>)> {
    while place.looks > 0 {
        place.looks -= 1;
        match log::read(&place.tenant, place.sequence, BATCH, None).await {
            Ok(entries) if !entries.is_empty() => {
                place.sequence = entries.last().map_or(place.sequence, |it| it.sequence);
                place.quiet = 0;
                return Some((events(&entries), Some(place)));
            }
            Ok(_) => place.quiet += 1,
            Err(err) => {
                // The client comes back to where it was.
                place.tenant.note(&format!("live log: {err}"));
                return None;
            }
        }
        if place.quiet % HEARTBEAT == 1 {
            place.tenant.sleep(PERIOD).await;
            return Some((Bytes::from_static(b": still here\n\n"), Some(place)));
        }
        place.tenant.sleep(PERIOD).await;
    }
    None
}

fn events(entries: &[Entry]) -> Bytes {
    let event = |it: &Entry| {
        let data = serde_json::to_string(it).unwrap_or_default();
        format!("id: {}\nevent: {}\ndata: {data}\n\n", it.sequence, it.action)
    };
    entries.iter().map(event).collect::<String>().into()
}
