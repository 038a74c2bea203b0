//! Live feeds, from any place and without a gap: as server-sent events (WHATWG HTML, section 9.2),
//! and where the runtime keeps connections of its own, over WebSockets (RFC 6455).
//!
//! A client that loses its connection comes back with the place where it was, and goes on there.
//! Over a WebSocket each event is one message, `{"id": …, "event": …, "data": …}`.

mod lease;

use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, stream};

use self::lease::Lease;
use crate::{
    http::{Body, HeaderMap, HeaderValue, Response, StatusCode, header, respond},
    ports::{CommitError, PortError, Tenant},
    problem::Problem,
    route::Call,
};

/// How long one connection lasts.
const LIFE: Duration = Duration::from_secs(5 * 60);
/// How often the feed is looked at, if nothing is heard of new entries.
const PERIOD: Duration = Duration::from_secs(1);
/// After how many quiet looks a comment shows that the connection lives.
const HEARTBEAT: u32 = 15;
/// How many events are sent at once.
pub const BATCH: u32 = 100;

/// What can be followed.
pub trait Feed: 'static {
    /// How many live connections the tenant may have when this one is opened.
    const CONNECTIONS_MAX: u32 = 20;

    /// The next events after this place, at most [`BATCH`] of them, in order.
    async fn after(&self, tenant: &impl Tenant, place: &str) -> Result<Vec<Sent>, PortError>;
}

/// One event.
pub struct Sent {
    /// Its place in the feed.
    pub id: String,
    /// What kind of event it is, one line.
    pub event: String,
    /// What it says, one line.
    pub data: String,
}

/// What is new on a feed, and the place that it leads to.
pub struct News {
    /// The events, in their order.
    pub events: Vec<Sent>,
    /// After which to look next.
    pub place: String,
}

/// How far a connection has come.
struct Place<T, F> {
    tenant: T,
    feed: F,
    lease: Lease,
    at: String,
    looks: u32,
    quiet: u32,
}

/// What comes after `place`, at once.
///
/// # Errors
/// When the feed cannot be read.
pub async fn news(
    tenant: &impl Tenant,
    feed: impl Feed,
    place: String,
) -> Result<Option<News>, Problem> {
    let events = feed.after(tenant, &place).await?;
    let place = events.last().map_or(place, |it| it.id.clone());
    Ok(Some(News { events, place }))
}

/// Whether a request wants to become a WebSocket: by the key of its handshake (RFC 6455, section
/// 4.1), since `Upgrade` is of the connection, and Spin keeps it to itself.
pub fn is_upgrade(headers: &HeaderMap) -> bool {
    let asked = headers.get(header::UPGRADE);
    headers.contains_key(header::SEC_WEBSOCKET_KEY)
        || asked.is_some_and(|it| it.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

/// Streams what comes after `place`, in answer to this call.
///
/// # Errors
/// 409 when the tenant has as many connections as it may, and 501 when it was to be a WebSocket
/// where there are none.
pub async fn stream<T: Tenant, F: Feed>(
    tenant: &T,
    call: &Call,
    feed: F,
    place: String,
) -> Result<Response, Problem> {
    if is_upgrade(call.request.headers()) {
        let kind = "/problems/no-websockets";
        let title = "There are no WebSockets on this runtime";
        return Err(Problem::new(StatusCode::NOT_IMPLEMENTED, kind, title)
            .detail("ask without Upgrade: the same events come as text/event-stream"));
    }
    let looks = u32::try_from(LIFE.as_secs() / PERIOD.as_secs()).unwrap_or(1);
    let lease = Lease::take(tenant, F::CONNECTIONS_MAX).await?;
    let start = Place { tenant: tenant.clone(), feed, lease, at: place, looks, quiet: 0 };
    let chunks = stream::unfold(Some(start), |place| async { next(place?).await }).map(Ok);
    let mut response = respond(StatusCode::OK, "text/event-stream", Bytes::new());
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    *response.body_mut() = Body::Stream(Box::pin(chunks));
    Ok(response)
}

/// The next thing to send, and where that leads; nothing when the connection has lasted.
async fn next<T: Tenant, F: Feed>(mut place: Place<T, F>) -> Option<(Bytes, Option<Place<T, F>>)> {
    while place.looks > 0 && is_let_in(&place.tenant) {
        place.looks -= 1;
        match look(&mut place).await {
            Ok(events) if !events.is_empty() => {
                if let Some(last) = events.last() {
                    place.at.clone_from(&last.id);
                }
                place.quiet = 0;
                return Some((text(&events), Some(place)));
            }
            Ok(_) => place.quiet += 1,
            Err(err) => {
                // The client comes back to where it was.
                place.tenant.note(&format!("live: {err}"));
                break;
            }
        }
        place.tenant.await_entries(PERIOD).await;
        if place.quiet % HEARTBEAT == 1 {
            return Some((Bytes::from_static(b": still here\n\n"), Some(place)));
        }
    }
    place.lease.give_back(&place.tenant).await;
    None
}

/// Whether whoever listens may still do so: a link or a key can end while it is open.
fn is_let_in(at: &impl Tenant) -> bool {
    at.principal().until.is_none_or(|it| at.real_now() < it)
}

/// What is new, for a connection that still has its lease.
async fn look<T: Tenant, F: Feed>(place: &mut Place<T, F>) -> Result<Vec<Sent>, CommitError> {
    place.lease.renew(&place.tenant).await?;
    Ok(place.feed.after(&place.tenant, &place.at).await?)
}

fn text(events: &[Sent]) -> Bytes {
    // A line break would begin another field.
    let line = |it: &str| it.replace(['\r', '\n'], " ");
    let event = |it: &Sent| {
        format!("id: {}\nevent: {}\ndata: {}\n\n", line(&it.id), line(&it.event), line(&it.data))
    };
    events.iter().map(event).collect::<String>().into()
}
