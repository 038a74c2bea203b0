//! Calling off what of a notice is not sent yet.

use shared::{
    domain::{Commit, Draft, WORD, is_word},
    http::{Response, StatusCode, json as json_response},
    ports::{PortError, Tenant},
    problem::Problem,
    route::Call,
};

use super::{Notice, NoticeCounts, NoticeReport, find, reported};
use crate::store;

/// Cancels what of it is not sent yet.
pub async fn cancel(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    cancelled(at, find(at, call).await?).await
}

/// Cancels the one that has the key which is asked with.
pub async fn cancel_by_key(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let key = call.query("key").filter(|it| is_word(it));
    let key = key.ok_or_else(|| Problem::invalid().detail(format!("ask with ?key=, {WORD}")))?;
    let found = store::find_notice_by_key(at, &key).await?;
    cancelled(at, found.ok_or_else(Problem::not_found)?).await
}

async fn cancelled(at: &impl Tenant, notice: Notice) -> Result<Response, Problem> {
    let entry = Draft::new("notice.cancelled", &notice.id);
    let commit: Commit = store::cancel_deliveries(&notice.id, at.now())
        .and(store::delete_parts(&notice.id))
        .entry(entry);
    let response = json_response(StatusCode::OK, &called_off(at, notice).await?);
    at.answer(commit, response, Problem::changed_meanwhile).await
}

/// How it stands once what is not sent yet is called off.
pub(super) async fn called_off(
    at: &impl Tenant,
    notice: Notice,
) -> Result<NoticeReport, PortError> {
    let NoticeReport { notice, mut deliveries, counts } = reported(at, notice).await?;
    deliveries.iter_mut().for_each(|it| it.cancel(at.now()));
    let off = |it: NoticeCounts| {
        let (more, cancelled) = (false, it.cancelled + it.waiting);
        NoticeCounts { more, waiting: 0, cancelled, ..it }
    };
    Ok(NoticeReport { notice, deliveries, counts: counts.map(off) })
}
