//! What became of notices.

use serde::Serialize;
use shared::{
    domain::Page,
    http::{Response, StatusCode, json as json_response},
    ports::{PortError, Tenant},
    problem::Problem,
    route::Call,
};
use utoipa::ToSchema;

use super::Notice;
use crate::{
    delivery::{Delivery, State},
    store,
};

/// A notice, and what became of it: why it was or was not sent, to each.
#[derive(Debug, Serialize, ToSchema)]
pub struct NoticeReport {
    /// The notice.
    #[serde(flatten)]
    pub notice: Notice,
    /// To each recipient by each channel. Of a notice whose recipients are reached after the
    /// answer they are listed at `/v1/notifications/{id}/deliveries`.
    pub deliveries: Vec<Delivery>,
    /// How those deliveries stand.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub counts: Option<NoticeCounts>,
}

/// How the deliveries of a notice to many stand.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct NoticeCounts {
    /// Whether more of its recipients are to be reached.
    pub more: bool,
    /// Those that are not over.
    pub waiting: i64,
    /// Those that are there.
    pub sent: i64,
    /// Those that are not wanted, or too much.
    pub withheld: i64,
    /// Those that could not be made.
    pub failed: i64,
    /// Those that were called off.
    pub cancelled: i64,
}

/// Reads one, and what became of it.
pub async fn get(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    report(at, StatusCode::OK, find(at, call).await?).await
}

pub(super) async fn find(at: &impl Tenant, call: &Call) -> Result<Notice, Problem> {
    let id = call.id("ntc")?;
    store::find_notice(at, &id).await?.ok_or_else(Problem::not_found)
}

pub(super) async fn report(
    at: &impl Tenant,
    status: StatusCode,
    notice: Notice,
) -> Result<Response, Problem> {
    Ok(json_response(status, &reported(at, notice).await?))
}

pub(super) async fn reported(at: &impl Tenant, notice: Notice) -> Result<NoticeReport, PortError> {
    let (deliveries, counts) = match notice.recipients {
        None => (store::deliveries_of(at, &notice.id).await?, None),
        Some(_) => (Vec::new(), Some(counts(at, &notice).await?)),
    };
    Ok(NoticeReport { notice, deliveries, counts })
}

async fn counts(at: &impl Tenant, notice: &Notice) -> Result<NoticeCounts, PortError> {
    let more = store::has_parts(at, &notice.id).await?;
    let mut it = NoticeCounts { more, ..NoticeCounts::default() };
    for (state, count) in store::count_deliveries(at, &notice.id).await? {
        match state {
            State::Waiting => it.waiting = count,
            State::Sent => it.sent = count,
            State::Withheld => it.withheld = count,
            State::Failed => it.failed = count,
            State::Cancelled => it.cancelled = count,
        }
    }
    Ok(it)
}

/// Lists what became of one, to each recipient by each channel, or to one.
pub async fn deliveries(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let notice = find(at, call).await?;
    let (limit, cursor) = call.page()?;
    let after = cursor.as_ref().and_then(|it| it.key().rsplit_once('/')).unwrap_or_default();
    let recipient = call.query("recipient");
    let found =
        store::page_of_deliveries(at, &notice.id, after, recipient.as_deref(), limit + 1).await?;
    let key = |it: &Delivery| format!("{}/{}", it.recipient, it.channel.word());
    Ok(json_response(StatusCode::OK, &Page::of(found, limit, key)))
}
