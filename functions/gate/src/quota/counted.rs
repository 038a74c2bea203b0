//! What was used, as the counters and the raw events say. The one place where quotas ask.
//!
//! Counters are of quarters of an hour. What is between two of them comes from the raw events,
//! which are kept for some weeks only; so of what is older, whole quarters are counted. Both ends
//! are rounded the same way, so windows that follow each other still do.

use std::time::Duration;

use shared::{
    domain::Timestamp,
    ports::{PortError, Tenant},
};

/// For how long the ends of a stretch of time are exact. Raw events are kept for longer than this.
const EXACT: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// For how long there are counters.
pub const COUNTED: Duration = Duration::from_secs(400 * 24 * 60 * 60);
const QUARTER_MS: i64 = 15 * 60 * 1000;
const MICROS: i128 = 1_000_000;

/// In whole units, each that is begun, by the counters.
pub async fn used(
    at: &impl Tenant,
    meter: &str,
    subject: &str,
    member: Option<&str>,
    from: Timestamp,
    to: Timestamp,
) -> Result<i64, PortError> {
    let micros = total(at, meter, Some(subject), member, from, to).await?;
    // Rounded up, so that a limit is exceeded as soon as any more is used.
    let units = micros.div_euclid(MICROS) + i128::from(micros.rem_euclid(MICROS) > 0);
    let most = i128::from(i64::MAX);
    Ok(i64::try_from(units.clamp(-most, most)).unwrap_or(i64::MAX))
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
    let (from, to) = (known(at, from), known(at, to));
    Ok(stand_in::sum(meter, subject, member, from, to) * MICROS)
}

/// In millionths, by the raw events; `None` when they are gone.
pub async fn recount(
    at: &impl Tenant,
    meter: &str,
    subject: Option<&str>,
    from: Timestamp,
    to: Timestamp,
) -> Result<Option<i128>, PortError> {
    total(at, meter, subject, None, from, to).await.map(Some)
}

fn known(at: &impl Tenant, moment: Timestamp) -> Timestamp {
    match moment < at.time() - EXACT {
        true => Timestamp(moment.0.div_euclid(QUARTER_MS) * QUARTER_MS),
        false => moment,
    }
}

#[cfg(not(test))]
mod stand_in {
    use shared::domain::Timestamp;

    pub fn sum(_: &str, _: Option<&str>, _: Option<&str>, _: Timestamp, _: Timestamp) -> i128 {
        0
    }
}

#[cfg(test)]
pub mod stand_in {
    use std::cell::RefCell;

    use shared::domain::Timestamp;

    type Event = (String, String, String, Timestamp, i128);

    thread_local! { static EVENTS: RefCell<Vec<Event>> = const { RefCell::new(Vec::new()) }; }

    pub fn put(meter: &str, subject: &str, member: &str, at: Timestamp, amount: i128) {
        let event = (meter.into(), subject.into(), member.into(), at, amount);
        EVENTS.with_borrow_mut(|it| it.push(event));
    }

    pub fn clear() {
        EVENTS.take();
    }

    pub fn sum(
        meter: &str,
        subject: Option<&str>,
        member: Option<&str>,
        from: Timestamp,
        to: Timestamp,
    ) -> i128 {
        let fits = |it: &&Event| {
            it.0 == meter
                && subject.is_none_or(|word| it.1 == word)
                && member.is_none_or(|word| it.2 == word)
                && (from..to).contains(&it.3)
        };
        EVENTS.with_borrow(|all| all.iter().filter(fits).map(|it| it.4).sum())
    }
}
