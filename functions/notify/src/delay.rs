//! Delays: how long a notice is held before anything else is asked. Pure.

use std::time::Duration;

use chrono::Days;
use serde::{Deserialize, Serialize};
use shared::domain::{Timestamp, Zone};
use utoipa::ToSchema;

use crate::quiet::TimeOfDay;

/// The longest delay, in seconds: 31 days.
pub const SECONDS_MAX: u64 = 31 * 86_400;

/// How long a notice is held.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = NoticeDelay)]
pub enum Delay {
    /// For so many seconds: 1 to 2,678,400, which is 31 days.
    Seconds(u64),
    /// Until the recipient's wall clock next shows this, as `09:00`; where it skips that, until the
    /// skip.
    #[schema(value_type = String)]
    Until(TimeOfDay),
}

/// Why a delay is not taken.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("seconds is 1 to {SECONDS_MAX}")]
pub struct OutOfRange;

impl Delay {
    /// The same, if it makes sense.
    ///
    /// # Errors
    /// When it is too short or too long.
    pub fn checked(self) -> Result<Self, OutOfRange> {
        match self {
            Self::Seconds(it) if !(1..=SECONDS_MAX).contains(&it) => Err(OutOfRange),
            it => Ok(it),
        }
    }

    /// Until when a notice of now is held.
    pub fn until(self, now: Timestamp, zone: Zone) -> Timestamp {
        match self {
            Self::Seconds(it) => now + Duration::from_secs(it),
            Self::Until(time) => {
                let today = zone.local(now).date();
                // A day may be one that the zone skips, and an overlap may show a time of today
                // that has been already.
                let dates = (0..3).filter_map(|it| today.checked_add_days(Days::new(it)));
                let mut moments = dates.map(|it| zone.first_at(it.and_time(time.time())));
                moments.find(|it| *it > now).unwrap_or(now)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transitions::{JUMPS, moment, zone};

    fn until(text: &str) -> Delay {
        Delay::Until(TimeOfDay::try_from(text.to_owned()).unwrap())
    }

    #[test]
    fn until_a_time_is_the_next_time_that_the_clock_shows_it_across_every_jump() {
        for text in ["00:30", "02:30", "09:00"] {
            let delay = until(text);
            for (zone, jump) in JUMPS.iter() {
                for quarters in -200..200 {
                    let now = Timestamp(jump.at.0 + quarters * 900_000);
                    let found = delay.until(now, *zone);

                    let case = format!("{text} {zone:?} at {now}: {found}");
                    assert!(found > now, "{case}");
                    // A day of a jump has up to 26 hours.
                    assert!(found.since(now) <= Duration::from_secs(26 * 3600), "{case}");
                    let (before, shown) = (zone.local(Timestamp(found.0 - 1)), zone.local(found));
                    let due = shown.date().and_time(time(text));
                    // Where the clock skips it, more is shown, and less the moment before.
                    assert!(before < due && due <= shown, "{case}");
                }
            }
        }
    }

    fn time(text: &str) -> chrono::NaiveTime {
        TimeOfDay::try_from(text.to_owned()).unwrap().time()
    }

    #[test]
    fn a_time_that_is_now_is_tomorrow() {
        let berlin = zone("Europe/Berlin");

        let nine = moment("2030-01-15T08:00:00Z");
        assert_eq!(until("09:00").until(nine, berlin), moment("2030-01-16T08:00:00Z"));
        let before = moment("2030-01-15T07:59:59.999Z");
        assert_eq!(until("09:00").until(before, berlin), nine);
        assert_eq!(Delay::Seconds(90).until(nine, berlin), moment("2030-01-15T08:01:30Z"));
    }

    #[test]
    fn a_delay_has_bounds() {
        assert_eq!(Delay::Seconds(0).checked(), Err(OutOfRange));
        assert_eq!(Delay::Seconds(SECONDS_MAX + 1).checked(), Err(OutOfRange));
        assert!(Delay::Seconds(SECONDS_MAX).checked().is_ok());
    }
}
