//! What is kept no longer goes: events with their deliveries and attempts, and messages that came
//! in.

use serde_json::json;
use shared::{
    domain::{Commit, Draft, Failure, Job, NewJob, Timestamp},
    ports::Tenant,
};

use super::store;

/// Removes what is kept no longer.
pub const PRUNE: &str = "webhooks.prune";
/// How many events, and how many messages, are removed at once.
pub const PAGE: u32 = 100;
/// How many deliveries that still wait are ended at once.
pub const ENDED: u32 = 500;
/// Why a delivery is ended whose event is kept no longer.
const REASON: &str = "retention";

/// The job that looks when this expires, or earlier if something else expires before it.
pub fn job(expires: Timestamp) -> NewJob {
    NewJob::new(PRUNE, PRUNE, json!({})).at(expires).sooner()
}

/// Removes a page of what is due, and comes again when the next is: at once after a full page. It
/// ends when there is nothing left that could expire.
pub async fn prune(at: &impl Tenant, _: &Job) -> Result<Commit, Failure> {
    let now = at.time();
    let events = store::expired_events(at, now, PAGE).await?;
    let waiting = store::waiting_of(at, &events, ENDED).await?;
    let more = waiting.len() >= usize::try_from(ENDED).unwrap_or(usize::MAX);
    let mut commit = Commit::new();
    for (endpoint, sequence) in waiting {
        let data = json!({"event_sequence": sequence, "reason": REASON});
        commit = commit
            .entry(Draft::new("delivery.failed", &endpoint).with(data))
            .and(store::end_delivery(&endpoint, sequence, REASON, now));
    }
    if more {
        // The events go once all of these are told of.
        return Err(Failure::postponed(std::time::Duration::ZERO, commit));
    }
    let messages = store::expired_messages(at, now, PAGE).await?;
    let next = store::next_expiry(at, events.len(), messages.len()).await?;
    let commit = commit.and(store::remove(&events, &messages));
    match next {
        Some(next) => Err(Failure::postponed(next.since(now), commit)),
        None => Ok(commit),
    }
}
