//! Digests: many notices become one. Pure.
//!
//! The first notice opens a batch, or goes out by itself; those that follow join what is open. A
//! batch keeps the digest that it was opened under, so that a change of settings never splits or
//! doubles what is on its way. When it closes, all that is in it is one notice.

#[cfg(test)]
mod tests;

use std::{collections::BTreeSet, time::Duration};

use chrono::DateTime;
use croner::{
    Cron,
    parser::{CronParser, Seconds, Year},
};
use serde::{Deserialize, Serialize};
use shared::domain::{Timestamp, Zone, sha256_hex};
use utoipa::ToSchema;

/// The longest that a notice waits in a digest, in seconds: 31 days.
pub const WAIT_SECONDS_MAX: u64 = 31 * 86_400;
/// The longest pattern, in characters.
const CRON_CHARS_MAX: usize = 100;
/// How many times ahead a pattern is looked at to see that it keeps [`GAP_MIN`].
const AHEAD: usize = 24;
/// The least time between two digests by a pattern.
const GAP_MIN: Duration = Duration::from_secs(60 * 60);

/// When what came together goes out together.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Digest {
    /// So long after the first.
    Fixed {
        /// 1 to 2,678,400, which is 31 days.
        seconds: u64,
    },
    /// So long after the latest, and no later than so long after the first.
    Sliding {
        /// After the latest: 1 to `max_seconds`.
        seconds: u64,
        /// After the first: at most 2,678,400.
        max_seconds: u64,
    },
    /// At once, if there was none for so long; else so long after the first of those that are held.
    LookBack {
        /// How far back is looked, and how long is held: 1 to 2,678,400.
        seconds: u64,
    },
    /// When the pattern next says so, by the recipient's wall clock.
    Cron {
        /// Minute, hour, day, month, day of the week, as `0 9 * * MON-FRI`; at most once an hour.
        pattern: String,
    },
}

/// A batch that is open.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Batch {
    /// What it was opened under.
    pub digest: Digest,
    /// When its first notice came.
    pub opened_at: Timestamp,
    /// When it goes out.
    pub closes_at: Timestamp,
}

/// What becomes of a notice.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Arrival {
    /// It goes out by itself.
    Alone,
    /// It is in this batch, which it opened or whose end it may have moved.
    In(Batch),
}

/// Why a digest is not taken.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Error {
    /// A wait is out of range.
    #[error("{0} is 1 to {1}")]
    Wait(&'static str, u64),
    /// The pattern is none.
    #[error("pattern: {0}")]
    Pattern(String),
}

impl Digest {
    /// The same, if it makes sense.
    ///
    /// # Errors
    /// What does not.
    pub fn checked(self) -> Result<Self, Error> {
        let within = |name, seconds: u64, max| {
            (1..=max).contains(&seconds).then_some(()).ok_or(Error::Wait(name, max))
        };
        match &self {
            Self::Fixed { seconds } | Self::LookBack { seconds } => {
                within("seconds", *seconds, WAIT_SECONDS_MAX)?;
            }
            Self::Sliding { seconds, max_seconds } => {
                within("max_seconds", *max_seconds, WAIT_SECONDS_MAX)?;
                within("seconds", *seconds, *max_seconds)?;
            }
            Self::Cron { pattern } => check_pattern(pattern)?,
        }
        Ok(self)
    }

    /// What becomes of a notice that comes now: `open` is the batch that is open, if one is, and
    /// `last` when the latest before this came, whether it went out alone or in a batch.
    ///
    /// # Errors
    /// A pattern that has no next time.
    pub fn arrive(
        &self,
        open: Option<&Batch>,
        last: Option<Timestamp>,
        now: Timestamp,
        zone: Zone,
    ) -> Result<Arrival, Error> {
        // What has closed and is not sent yet takes nothing more in.
        if let Some(batch) = open.filter(|it| now < it.closes_at) {
            return Ok(Arrival::In(batch.joined(now)));
        }
        let closes_at = match self {
            Self::Fixed { seconds } => now + Duration::from_secs(*seconds),
            Self::Sliding { seconds, max_seconds } => {
                now + Duration::from_secs(*seconds.min(max_seconds))
            }
            Self::LookBack { seconds } => {
                let window = Duration::from_secs(*seconds);
                if last.is_none_or(|it| now.since(it) >= window) {
                    return Ok(Arrival::Alone);
                }
                now + window
            }
            Self::Cron { pattern } => next(&parse(pattern)?, now, zone)?,
        };
        Ok(Arrival::In(Batch { digest: self.clone(), opened_at: now, closes_at }))
    }
}

impl Batch {
    /// The batch with one more, that came now.
    fn joined(&self, now: Timestamp) -> Self {
        let closes_at = match self.digest {
            Digest::Sliding { seconds, max_seconds } => {
                let latest = self.opened_at + Duration::from_secs(max_seconds);
                (now + Duration::from_secs(seconds)).min(latest).max(self.closes_at)
            }
            _ => self.closes_at,
        };
        Self { closes_at, ..self.clone() }
    }
}

/// The name of what goes out: of the same key and the same notices it is the same, in whichever
/// order they came, so that whoever makes it twice sends it once.
pub fn name(key: &str, notices: &BTreeSet<String>) -> String {
    let lines: Vec<_> = std::iter::once(key).chain(notices.iter().map(String::as_str)).collect();
    sha256_hex(lines.join("\n").as_bytes())
}

fn parse(pattern: &str) -> Result<Cron, Error> {
    if pattern.len() > CRON_CHARS_MAX {
        return Err(Error::Pattern(format!("at most {CRON_CHARS_MAX} characters")));
    }
    let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
    parser.parse(pattern).map_err(|why| Error::Pattern(why.to_string()))
}

/// Whether its times are far enough apart, as far ahead as is looked, in a year without leaps of
/// the clock: UTC has none.
fn check_pattern(pattern: &str) -> Result<(), Error> {
    let cron = parse(pattern)?;
    let mut last = next(&cron, Timestamp(0), Zone::default())?;
    for _ in 0..AHEAD {
        let following = next(&cron, last, Zone::default())?;
        if following.since(last) < GAP_MIN {
            return Err(Error::Pattern("at most once an hour".to_owned()));
        }
        last = following;
    }
    Ok(())
}

/// When the wall clock of the zone next shows a time of the pattern, after now.
fn next(cron: &Cron, now: Timestamp, zone: Zone) -> Result<Timestamp, Error> {
    let utc = DateTime::from_timestamp_millis(now.0).unwrap_or_default();
    let found = cron.find_next_occurrence(&utc.with_timezone(&zone.0), false);
    found.map(|it| Timestamp(it.timestamp_millis())).map_err(|why| Error::Pattern(why.to_string()))
}
