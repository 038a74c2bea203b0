//! Time zones: what a wall clock shows, and when it shows it.

use std::str::FromStr;

use chrono::{DateTime, Duration, MappedLocalTime, NaiveDateTime, Offset, TimeZone};
use chrono_tz::Tz;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::Timestamp;

/// No zone is further from UTC than this.
const OFFSET_MAX: Duration = Duration::hours(16);

/// An IANA time zone.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Zone(pub Tz);

impl Zone {
    /// What the wall clock shows.
    pub fn local(self, at: Timestamp) -> NaiveDateTime {
        let utc = DateTime::from_timestamp_millis(at.0).unwrap_or_default().naive_utc();
        utc + self.offset(utc)
    }

    fn offset(self, utc: NaiveDateTime) -> Duration {
        let seconds = self.0.offset_from_utc_datetime(&utc).fix().local_minus_utc();
        Duration::seconds(seconds.into())
    }

    /// How far it is ahead of UTC, in milliseconds.
    pub fn offset_ms(self, at: Timestamp) -> i64 {
        let utc = DateTime::from_timestamp_millis(at.0).unwrap_or_default().naive_utc();
        self.offset(utc).num_milliseconds()
    }

    /// When the wall clock first shows this, or more where it skips it.
    pub fn first_at(self, local: NaiveDateTime) -> Timestamp {
        match self.0.from_local_datetime(&local) {
            MappedLocalTime::Single(it) | MappedLocalTime::Ambiguous(it, _) => {
                Timestamp(it.timestamp_millis())
            }
            MappedLocalTime::None => {
                let around = |it: NaiveDateTime| Timestamp(it.and_utc().timestamp_millis());
                let (low, high) = (around(local - OFFSET_MAX), around(local + OFFSET_MAX));
                first(low, high, |it| self.local(it) >= local)
            }
        }
    }
}

impl FromStr for Zone {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Tz::from_str(text).map(Self).map_err(|_| "an IANA time zone, as Europe/Berlin")
    }
}

impl Default for Zone {
    fn default() -> Self {
        Self(Tz::UTC)
    }
}

impl Serialize for Zone {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.name())
    }
}

impl<'de> Deserialize<'de> for Zone {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|why| de::Error::custom(format!("expected {why}")))
    }
}

/// The first moment after `low`, up to `high`, of which the claim is true. It is false until then
/// and true from then on.
pub fn first(low: Timestamp, high: Timestamp, claim: impl Fn(Timestamp) -> bool) -> Timestamp {
    let (mut low, mut high) = (low.0, high.0);
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if claim(Timestamp(middle)) {
            high = middle;
        } else {
            low = middle;
        }
    }
    Timestamp(high)
}
