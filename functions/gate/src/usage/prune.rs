//! What is old goes: raw events first, and counters long after them.

use std::time::Duration;

use serde_json::json;
use shared::{
    domain::{Commit, Failure, NewJob, Timestamp},
    ports::Tenant,
};

use super::store;

/// Removes what is old.
pub const PRUNE: &str = "gate.usage.prune";
/// How often it is looked.
const PERIOD: Duration = Duration::from_secs(24 * 60 * 60);
/// How many rows of each kind are removed at once, and those of the same moment as the last.
const ROWS: u32 = 500;

/// The job that looks a day from now, unless one is waiting.
pub fn job(now: Timestamp) -> NewJob {
    NewJob::new(PRUNE, PRUNE, json!({})).at(now + PERIOD)
}

/// Removes some of what is old, and comes again: at once while there is more, else tomorrow. It
/// ends when there is nothing left that could grow old.
pub async fn prune(at: &impl Tenant) -> Result<Commit, Failure> {
    if !store::anything_left(at).await? {
        return Ok(Commit::new());
    }
    let (state, now) = (store::state(at).await?, at.time());
    let (events, counters) = (state.events_until(now), state.counters_until(now));
    let wait = match store::anything_before(at, events, counters).await? {
        true => Duration::ZERO,
        false => PERIOD,
    };
    Err(Failure::postponed(wait, store::prune(events, counters, ROWS)))
}
