//! Throttles: at most so many in any stretch of time. Pure.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use shared::domain::Timestamp;
use utoipa::ToSchema;

/// The most that a throttle lets through, and so the most moments that are kept for it.
pub const COUNT_MAX: u32 = 100;
/// The longest stretch, in seconds: 31 days.
pub const SECONDS_MAX: u64 = 31 * 86_400;

/// At most so many of a type to one member, by one channel, in any stretch of this length.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Throttle {
    /// How many: 1 to 100.
    pub count: u32,
    /// How long the stretch is: 1 to 2,678,400, which is 31 days.
    pub seconds: u64,
}

/// Why a throttle is not taken.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Error {
    /// It lets nothing through, or more than is kept.
    #[error("count is 1 to {COUNT_MAX}")]
    Count,
    /// It is too short or too long.
    #[error("seconds is 1 to {SECONDS_MAX}")]
    Seconds,
}

impl Throttle {
    /// The same, if it makes sense.
    ///
    /// # Errors
    /// What does not.
    pub fn checked(self) -> Result<Self, Error> {
        if !(1..=COUNT_MAX).contains(&self.count) {
            return Err(Error::Count);
        }
        if !(1..=SECONDS_MAX).contains(&self.seconds) {
            return Err(Error::Seconds);
        }
        Ok(self)
    }

    /// From when on what went out counts against what would go out now. What is at this moment or
    /// before does not.
    pub fn since(self, now: Timestamp) -> Timestamp {
        now - Duration::from_secs(self.seconds)
    }

    /// Whether one more may go out now, after these.
    pub fn admits(self, sent: &[Timestamp], now: Timestamp) -> bool {
        let since = self.since(now);
        let count = sent.iter().filter(|it| **it > since && **it <= now).count();
        u32::try_from(count).is_ok_and(|it| it < self.count)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TWO_A_MINUTE: Throttle = Throttle { count: 2, seconds: 60 };

    #[test]
    fn the_third_waits_until_the_first_is_a_minute_old() {
        let sent = [Timestamp(0), Timestamp(30_000)];

        assert!(!TWO_A_MINUTE.admits(&sent, Timestamp(59_999)));
        assert!(TWO_A_MINUTE.admits(&sent, Timestamp(60_000)));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let checked = |count, seconds| Throttle { count, seconds }.checked();

        assert_eq!(checked(0, 1), Err(Error::Count));
        assert_eq!(checked(COUNT_MAX + 1, 1), Err(Error::Count));
        assert_eq!(checked(1, 0), Err(Error::Seconds));
        assert_eq!(checked(1, SECONDS_MAX + 1), Err(Error::Seconds));
        assert!(checked(COUNT_MAX, SECONDS_MAX).is_ok());
    }

    proptest! {
        #[test]
        fn no_stretch_has_more_than_its_count(
            gaps in prop::collection::vec(0i64..40_000, 1..60),
            count in 1u32..5,
        ) {
            let throttle = Throttle { count, seconds: 60 };
            let mut sent = Vec::new();
            let mut now = Timestamp(0);
            for gap in gaps {
                now = Timestamp(now.0 + gap);
                if throttle.admits(&sent, now) {
                    sent.push(now);
                }
            }
            for first in &sent {
                let within = sent.iter().filter(|it| it.0 >= first.0 && it.0 < first.0 + 60_000);
                prop_assert!(within.count() <= count as usize);
            }
        }
    }
}
