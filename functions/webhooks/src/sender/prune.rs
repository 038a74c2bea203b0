//! What is old goes: events with their deliveries and attempts, and messages that came in.

use std::time::Duration;

use serde_json::json;
use shared::{
    domain::{Commit, Failure, Job, NewJob, Timestamp},
    ports::Tenant,
};

use super::store;

/// Removes what is old.
pub const PRUNE: &str = "webhooks.prune";
/// How long events, deliveries, attempts and messages are kept.
pub const KEPT: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// How often it is looked.
const PERIOD: Duration = Duration::from_secs(24 * 60 * 60);
/// How many rows of each kind are removed at once.
const ROWS: u32 = 500;

/// The job that looks a day from now, unless one is waiting.
pub fn job(now: Timestamp) -> NewJob {
    NewJob::new(PRUNE, PRUNE, json!({})).at(now + PERIOD)
}

/// Removes some of what is old, and comes again: at once while there is more, else tomorrow. It
/// ends when there is nothing left that could grow old.
pub async fn prune(at: &impl Tenant, _: &Job) -> Result<Commit, Failure> {
    let before = at.time() - KEPT;
    if !store::anything_left(at).await? {
        return Ok(Commit::new());
    }
    let wait = match store::anything_before(at, before).await? {
        true => Duration::ZERO,
        false => PERIOD,
    };
    Err(Failure::postponed(wait, store::prune(before, ROWS)))
}
