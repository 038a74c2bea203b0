//! What was used, as the counters and the raw events say. The one place where quotas ask.
//!
//! Counters are of quarters of an hour. What is between two of them comes from the raw events,
//! which are kept for some weeks only; so of what is older, whole quarters are counted. Both ends
//! are rounded the same way, so windows that follow each other still do.

use std::time::Duration;

use shared::{
    domain::Timestamp,
    ports::{PortError, Tenant},
    problem::Problem,
};

use crate::usage::{
    amount::MICROS,
    counter::{self, Question},
};

/// For how long the ends of a stretch of time are exact. Raw events are kept for longer than this.
const EXACT: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// For how long there are counters.
pub const COUNTED: Duration = Duration::from_secs(400 * 24 * 60 * 60);
const QUARTER_MS: i64 = 15 * 60 * 1000;

/// In whole units, each that is begun, by the counters.
pub async fn used(
    at: &impl Tenant,
    meter: &str,
    subject: &str,
    member: Option<&str>,
    from: Timestamp,
    to: Timestamp,
) -> Result<i64, PortError> {
    total(at, meter, Some(subject), member, from, to).await.map(units)
}

/// The same of each member who has used any, the largest first: so many at most.
pub async fn by_member(
    at: &impl Tenant,
    meter: &str,
    subject: &str,
    (from, to): (Timestamp, Timestamp),
    most: usize,
) -> Result<Vec<(String, i64)>, PortError> {
    let found = counter::find(at, meter).await?;
    let meter = found.ok_or_else(|| PortError::new("usage", "no such meter"))?;
    // One more, for what no member has used is a group as well.
    let top = u32::try_from(most + 1).unwrap_or(u32::MAX);
    let subject = Some(subject);
    let question = Question { meter: &meter, subject, member: None, group: "member", top };
    let groups = counter::groups(at, question, known(at, from), known(at, to)).await?;
    let members = groups.into_iter().filter(|(name, _)| !name.is_empty());
    Ok(members.map(|(name, it)| (name, units(it.amount.0))).take(most).collect())
}

/// Whole units, each that is begun: a limit is exceeded as soon as any more is used.
fn units(micros: i128) -> i64 {
    let units = micros.div_euclid(MICROS.into()) + i128::from(micros.rem_euclid(MICROS.into()) > 0);
    let most = i128::from(i64::MAX);
    i64::try_from(units.clamp(-most, most)).unwrap_or(i64::MAX)
}

/// In millionths, by the counters.
pub async fn total(
    at: &impl Tenant,
    meter: &str,
    subject: Option<&str>,
    member: Option<&str>,
    from: Timestamp,
    to: Timestamp,
) -> Result<i128, PortError> {
    counter::total(at, meter, subject, member, known(at, from), known(at, to)).await
}

/// In millionths, by the raw events; `None` when they are gone.
pub async fn recount(
    at: &impl Tenant,
    meter: &str,
    subject: Option<&str>,
    from: Timestamp,
    to: Timestamp,
) -> Result<Option<i128>, PortError> {
    let (from, to) = (known(at, from), known(at, to));
    match counter::has_events_from(at, from).await? {
        true => counter::recount(at, meter, subject, from, to).await.map(Some),
        false => Ok(None),
    }
}

/// Whether there are these meters.
///
/// # Errors
/// 422 when one of them never was.
pub async fn check_meters<'a>(
    at: &impl Tenant,
    meters: impl Iterator<Item = &'a String>,
) -> Result<(), Problem> {
    for it in meters {
        counter::wanted(at, it).await?;
    }
    Ok(())
}

fn known(at: &impl Tenant, moment: Timestamp) -> Timestamp {
    match moment < at.time() - EXACT {
        true => Timestamp(moment.0.div_euclid(QUARTER_MS) * QUARTER_MS),
        false => moment,
    }
}
