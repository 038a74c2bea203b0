//! An inbox as it changes: server-sent events, a WebSocket where the runtime has them, or a call
//! that waits for the next change.
//!
//! The sequence of a change is that of its entry in the tenant's log, so that it only grows, and
//! each change names the one before it: whoever holds a place can tell that nothing is missing.
//! What is counted is sent as it stands, and never as what was added.

use std::{cell::Cell, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use shared::{
    domain::{Actor, Commit, Draft, Entry, Id, Scopes, Timestamp},
    door::Link,
    http::{Response, StatusCode, empty, header, json as json_response, respond, with_header},
    live::{self, Feed, News, Sent},
    log,
    ports::{PortError, Tenant},
    problem::Problem,
    route::Call,
};
use utoipa::ToSchema;

use crate::{
    inbox::{InboxCounts, InboxItem},
    recipient, store, translation,
};

/// An item came.
pub const RECEIVED: &str = "inbox.received";
/// An item says something else.
pub const REVISED: &str = "inbox.revised";
/// An item is gone.
pub const WITHDRAWN: &str = "inbox.withdrawn";
/// All that changes an inbox.
const CHANGES: [&str; 4] = [RECEIVED, REVISED, WITHDRAWN, MARKED];
/// Items were marked.
pub const MARKED: &str = "inbox.marked";
/// The client for browsers.
pub const CLIENT: &str = include_str!("../assets/live.js");
/// How long a call waits at most, in seconds.
pub const WAIT_MAX: u64 = 25;
/// How long a link works at most.
pub const LIFE_MAX: Duration = Duration::from_secs(24 * 60 * 60);
/// How often a call that waits looks, if nothing is heard of new entries.
const PERIOD: Duration = Duration::from_secs(1);

/// The inbox of one recipient.
struct InboxFeed {
    recipient: String,
    /// Whether the listener was told how the inbox stands.
    greeted: Cell<bool>,
}

/// What has changed after a place.
#[derive(Debug, Serialize, ToSchema)]
pub struct InboxChanges {
    /// The changes, in their order.
    #[schema(value_type = Vec<Object>)]
    pub items: Vec<Value>,
    /// From where to ask next.
    pub after: i64,
    /// How the inbox stands.
    #[serde(flatten)]
    pub counts: InboxCounts,
}

/// For how long a link is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewInboxLink {
    /// In seconds of the real clock: 1 to 86400.
    pub expires_in_seconds: u64,
}

/// A link to one inbox and nothing else. It is kept nowhere.
#[derive(Debug, Serialize, ToSchema)]
pub struct InboxLink {
    /// Send it as `Authorization: Bearer`, or as the query parameter `link`.
    pub token: String,
    /// When it stops working.
    pub expires_at: Timestamp,
}

/// Makes a link with which a browser lists, marks and follows one inbox.
pub async fn link(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    // It would outlive itself.
    if matches!(at.principal().actor, Actor::Link(_)) {
        return Err(Problem::forbidden("notifications:write").detail("a link makes no other links"));
    }
    let (key, new) = (recipient::key(at, call).await?, call.json::<NewInboxLink>()?);
    let life = Duration::from_secs(new.expires_in_seconds);
    if life.is_zero() || life > LIFE_MAX {
        let why = format!("1 to {}", LIFE_MAX.as_secs());
        return Err(Problem::unfitting("expires_in_seconds", why));
    }
    let scopes = ["notifications:read", "notifications:write"].map(str::to_owned).into();
    let link = Link {
        tenant: at.principal().tenant.clone(),
        by: at.principal().actor.to_string(),
        path: format!("/v1/notifications/inbox/{}/*", call.param()),
        scopes: Scopes(scopes),
        expires_at: at.real_now() + life,
        customer: None,
    };
    let made = InboxLink { token: at.sign_link(&link).await?, expires_at: link.expires_at };
    let entry =
        Draft::new("inbox.opened", &Id::trusted(key)).with(json!({"expires_at": link.expires_at}));
    let commit = Commit::new().entry(entry);
    let response = json_response(StatusCode::CREATED, &made);
    at.answer(commit, response, Problem::changed_meanwhile).await
}

/// Streams what changes: after `Last-Event-ID`, else after `after`, else from now on.
pub async fn follow(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let feed = InboxFeed { recipient: recipient::key(at, call).await?, greeted: Cell::new(false) };
    live::stream(at, call, feed, begin(at, call).await?.to_string()).await
}

/// What changed after `place`.
pub async fn news(
    at: &impl Tenant,
    call: &Call,
    place: Option<&str>,
) -> Result<Option<News>, Problem> {
    let greeted = Cell::new(place.is_some());
    let feed = InboxFeed { recipient: recipient::key(at, call).await?, greeted };
    let place = match place {
        Some(it) => it.to_owned(),
        None => begin(at, call).await?.to_string(),
    };
    live::news(at, feed, place).await
}

async fn begin(at: &impl Tenant, call: &Call) -> Result<i64, Problem> {
    match place(call)? {
        Some(it) => Ok(it),
        None => Ok(log::head(at).await?),
    }
}

/// Gives what changed after `after`, and waits for that up to `wait_seconds`.
pub async fn changes(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let key = recipient::key(at, call).await?;
    let after = begin(at, call).await?;
    let wait = call.query("wait_seconds").map_or(Some(0), |it| it.parse().ok());
    let wait = wait.filter(|it| *it <= WAIT_MAX);
    let wait =
        wait.ok_or_else(|| Problem::unfitting("wait_seconds", format!("0 to {WAIT_MAX}")))?;
    let end = at.real_now() + Duration::from_secs(wait);
    loop {
        let items = read(at, &key, after).await?;
        if !items.is_empty() || at.real_now() >= end {
            let counts = store::count_items(at, &key).await?;
            let last = items.last().and_then(|it| it.get("sequence")).and_then(Value::as_i64);
            let all = InboxChanges { items, after: last.unwrap_or(after), counts };
            return Ok(json_response(StatusCode::OK, &all));
        }
        at.await_entries(PERIOD).await;
    }
}

/// The client for browsers, which anybody may have: without its comments and indentation.
pub fn client() -> Response {
    let lines = CLIENT.lines().map(str::trim_start).filter(|it| !it.starts_with("//"));
    let text: String = lines.flat_map(|it| [it, "\n"]).collect();
    readable(respond(StatusCode::OK, "text/javascript; charset=utf-8", text))
}

/// The answer for a page of any origin. Whoever may ask shows it by a token and never by a cookie,
/// so no page gets anything by who its reader is.
pub fn readable(response: Response) -> Response {
    with_header(response, header::ACCESS_CONTROL_ALLOW_ORIGIN, "*")
}

/// What a browser may send from a page of another origin (WHATWG Fetch, section 3.2).
pub fn allowed() -> Response {
    let response = readable(empty(StatusCode::NO_CONTENT));
    let response = with_header(response, header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST");
    let headers = "authorization, content-type, idempotency-key, last-event-id";
    let response = with_header(response, header::ACCESS_CONTROL_ALLOW_HEADERS, headers);
    with_header(response, header::ACCESS_CONTROL_MAX_AGE, "86400")
}

fn place(call: &Call) -> Result<Option<i64>, Problem> {
    let header = call.request.headers().get("last-event-id");
    let header = header.and_then(|it| it.to_str().ok()).map(str::to_owned);
    let Some(text) = header.or_else(|| call.query("after").map(Into::into)) else {
        return Ok(None);
    };
    let place = text.trim().parse::<i64>().ok().filter(|it| *it >= 0);
    let problem = || Problem::unfitting("after", "the sequence of a change, or 0");
    place.map(Some).ok_or_else(problem)
}

/// The changes after a place, in their order.
async fn read(at: &impl Tenant, key: &str, after: i64) -> Result<Vec<Value>, PortError> {
    let mut entries = log::read(at, after, live::BATCH, Some(key)).await?;
    entries.retain(|it| CHANGES.contains(&it.action.as_str()));
    let mut items = Vec::new();
    for entry in entries.iter().filter(|it| [RECEIVED, REVISED].contains(&it.action.as_str())) {
        items.extend(store::find_item(at, key, item_of(entry)).await?);
    }
    translation::translate(at, key, None, &mut items).await?;
    let before = std::iter::once(after).chain(entries.iter().map(|it| it.sequence));
    Ok(entries.iter().zip(before).map(|(entry, before)| change(entry, before, &items)).collect())
}

fn item_of(entry: &Entry) -> &str {
    entry.data.get("item").and_then(Value::as_str).unwrap_or_default()
}

fn change(entry: &Entry, before: i64, items: &[InboxItem]) -> Value {
    let field = |name: &str| entry.data.get(name).cloned().unwrap_or_default();
    let (sequence, moment) = (entry.sequence, entry.at);
    let change = match entry.action.as_str() {
        MARKED => {
            return json!({"sequence": sequence, "after": before, "at": moment, "change": "marked",
                "as": field("as"), "ids": field("ids"), "up_to": field("up_to")});
        }
        WITHDRAWN => {
            return json!({"sequence": sequence, "after": before, "at": moment,
                "change": "withdrawn", "id": field("item")});
        }
        REVISED => "revised",
        _ => "received",
    };
    let item = items.iter().find(|it| it.id.as_str() == item_of(entry));
    json!({"sequence": sequence, "after": before, "at": moment, "change": change, "item": item})
}

impl Feed for InboxFeed {
    const CONNECTIONS_MAX: u32 = 200;

    async fn after(&self, at: &impl Tenant, place: &str) -> Result<Vec<Sent>, PortError> {
        let changes = read(at, &self.recipient, place.parse().unwrap_or(0)).await?;
        if changes.is_empty() && self.greeted.replace(true) {
            return Ok(Vec::new());
        }
        let id = |it: &Value| it.get("sequence").map(Value::to_string).unwrap_or_default();
        let last = changes.last().map_or_else(|| place.to_owned(), id);
        let mut all: Vec<Sent> = changes
            .iter()
            .map(|it| Sent { id: id(it), event: "change".to_owned(), data: it.to_string() })
            .collect();
        let counts = store::count_items(at, &self.recipient).await?;
        let data = serde_json::to_string(&counts).unwrap_or_default();
        all.push(Sent { id: last, event: "counts".to_owned(), data });
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::http::Body;

    #[test]
    fn the_client_is_small_and_nothing_but_code() {
        let Body::Full(text) = client().into_body() else { panic!("it is a stream") };

        assert!(text.len() < 4_000, "{} bytes", text.len());
        assert!(text.starts_with(b"\nconst FIRST_WAIT") || text.starts_with(b"const FIRST_WAIT"));
    }
}
