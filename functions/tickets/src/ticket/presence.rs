//! Who is at a ticket: who looks at it, and who writes an answer, so that two do not write one each.
//!
//! It is told over the ticket's live channel, with whatever is done to the ticket. Who is there says
//! so again before half a minute is over; who does not is gone.

use std::{cell::RefCell, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::json;
use shared::{
    domain::{Timestamp, sha256_hex},
    http::{Response, StatusCode, json as json_response},
    live::{self, Feed, News, Sent},
    log,
    ports::{PortError, Tenant, Value},
    problem::Problem,
    route::Call,
};
use utoipa::ToSchema;

use super::find;
use crate::store;

/// For how long somebody is there who said so.
pub const LIFE: Duration = Duration::from_secs(30);
/// How many are shown.
const PRESENT_MAX: u32 = 50;
/// How much of a digest tells who is there apart, in characters.
const DIGEST_CHARS: usize = 8;

/// What somebody does at a ticket.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = TicketDoing)]
pub enum Doing {
    /// Reads it.
    Looking,
    /// Writes an answer.
    Typing,
    /// Has left.
    Gone,
}

impl Doing {
    /// As it is written.
    pub fn word(self) -> &'static str {
        match self {
            Self::Looking => "looking",
            Self::Typing => "typing",
            Self::Gone => "gone",
        }
    }
}

/// That somebody is at a ticket.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewTicketPresent)]
pub struct NewPresent {
    /// The member.
    pub member: String,
    /// What they do.
    pub doing: Doing,
}

/// Somebody at a ticket.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, ToSchema)]
#[schema(as = TicketPresent)]
pub struct Present {
    /// The member.
    pub member: String,
    /// What they do.
    pub doing: Doing,
    /// Until when, by the real clock, if they do not say so again: whoever listens need not be told
    /// that they are gone.
    pub until: Timestamp,
}

impl Present {
    /// Reads it as it is kept.
    ///
    /// # Errors
    /// When it is something else.
    pub fn read([member, doing, until]: [Value; 3]) -> Result<Self, PortError> {
        let doing = if doing.text()? == "typing" { Doing::Typing } else { Doing::Looking };
        Ok(Self { member: member.text()?, doing, until: until.timestamp()? })
    }
}

/// Who is at a ticket.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TicketPresence)]
pub struct Presence {
    /// By member.
    pub items: Vec<Present>,
}

/// Lists who is there.
pub async fn list(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let ticket = find(at, call).await?;
    let now = at.real_now();
    let items = store::list_presence(at, ticket.id.as_str(), now, PRESENT_MAX).await?;
    Ok(json_response(StatusCode::OK, &Presence { items }))
}

/// Says that somebody is there, for half a minute, and what they do; or that they have left.
pub async fn tell(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let NewPresent { member, doing } = call.json()?;
    super::member(at, "member", &member).await?;
    let (id, now) = (find(at, call).await?.id, at.real_now());
    let present = Present { member, doing, until: now + LIFE };
    let commit = match doing {
        Doing::Gone => store::delete_presence(&id, &present.member),
        _ => store::put_presence(&id, &present, now),
    };
    let mut items = store::list_presence(at, id.as_str(), now, PRESENT_MAX).await?;
    items.retain(|it| it.member != present.member);
    // Who tells is told who else is there.
    let response = json_response(StatusCode::OK, &Presence { items });
    at.answer(commit, response, Problem::changed_meanwhile).await
}

/// What happens to a ticket, and who is at it.
struct TicketFeed {
    ticket: String,
    /// Who was there when it was told last.
    told: RefCell<String>,
}

/// Streams what is done to a ticket after `Last-Event-ID`, else after `after`, else from now on,
/// and who is at it.
pub async fn follow(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let ticket = find(at, call).await?.id.to_string();
    let place = begin(at, call).await?;
    let told = RefCell::new(told(&place).to_owned());
    live::stream(at, call, TicketFeed { ticket, told }, place).await
}

/// What is new after `place`.
///
/// # Errors
/// 404 when there is no such ticket.
pub async fn news(
    at: &impl Tenant,
    call: &Call,
    place: Option<&str>,
) -> Result<Option<News>, Problem> {
    let ticket = find(at, call).await?.id.to_string();
    let place = match place {
        Some(it) => it.to_owned(),
        None => begin(at, call).await?,
    };
    let told = RefCell::new(told(&place).to_owned());
    live::news(at, TicketFeed { ticket, told }, place).await
}

async fn begin(at: &impl Tenant, call: &Call) -> Result<String, Problem> {
    let header = call.request.headers().get("last-event-id");
    let header = header.and_then(|it| it.to_str().ok()).map(str::to_owned);
    match header.or_else(|| call.query("after").map(Into::into)) {
        None => Ok(log::head(at).await?.to_string()),
        Some(it) if sequence(&it).is_some() => Ok(it),
        Some(_) => Err(Problem::unfitting("after", "the id of an event, or a sequence")),
    }
}

/// A place is the sequence of an entry, and after a dot who was there.
fn sequence(place: &str) -> Option<i64> {
    let sequence = place.split('.').next()?.parse().ok()?;
    Some(sequence).filter(|it| *it >= 0)
}

fn told(place: &str) -> &str {
    place.split_once('.').map_or("", |it| it.1)
}

impl Feed for TicketFeed {
    const CONNECTIONS_MAX: u32 = 200;

    async fn after(&self, at: &impl Tenant, place: &str) -> Result<Vec<Sent>, PortError> {
        let after = sequence(place).unwrap_or(0);
        let entries = log::read(at, after, live::BATCH, Some(&self.ticket)).await?;
        let there = store::list_presence(at, &self.ticket, at.real_now(), PRESENT_MAX).await?;
        let data = json!({"items": there}).to_string();
        let digest: String = sha256_hex(data.as_bytes()).chars().take(DIGEST_CHARS).collect();
        let was = self.told.replace(digest.clone());
        let last = entries.last().map_or(after, |it| it.sequence);
        let sent = entries.iter().map(|it| Sent {
            id: format!("{}.{was}", it.sequence),
            event: it.action.clone(),
            data: serde_json::to_string(it).unwrap_or_default(),
        });
        let mut sent: Vec<_> = sent.collect();
        if was != digest {
            let id = format!("{last}.{digest}");
            sent.push(Sent { id, event: "presence".to_owned(), data });
        }
        Ok(sent)
    }
}
