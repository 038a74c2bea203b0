//! Admit or refuse, exact per key.

use std::time::Duration;

use super::PortError;
use crate::domain::Timestamp;

/// Counts what is asked for under a key, by the generic cell rate algorithm.
pub trait Limiter {
    /// Asks for one more under `key`. Refusals cost nothing. Requests under one key are decided
    /// one after the other, however many ask at once.
    async fn admit(&self, key: &str, rate: Rate, now: Timestamp) -> Result<Admission, PortError>;
}

/// How many, in how long.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    /// How many are admitted at once, and in each period; at least 1.
    pub limit: u32,
    /// In how long the limit is full again; at least a millisecond for each of them.
    pub period: Duration,
}

/// What the limiter decided.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Admission {
    /// Go ahead.
    Admitted,
    /// Not before this long.
    Refused(Duration),
}

impl Rate {
    /// The time that one request costs, in milliseconds, at least 1.
    pub fn interval_ms(self) -> i64 {
        let period = i64::try_from(self.period.as_millis()).unwrap_or(i64::MAX);
        (period / i64::from(self.limit.max(1))).max(1)
    }

    /// How far ahead of the clock the theoretical arrival time may run, in milliseconds.
    pub fn tolerance_ms(self) -> i64 {
        self.interval_ms().saturating_mul(i64::from(self.limit.max(1)) - 1)
    }

    /// Decides by the theoretical arrival time `tat_ms` kept so far; `Ok` is the one to keep.
    ///
    /// # Errors
    /// How long to wait, when it is too early.
    pub fn decide(self, tat_ms: i64, now: Timestamp) -> Result<i64, Duration> {
        let early = tat_ms.saturating_sub(now.0).saturating_sub(self.tolerance_ms());
        match u64::try_from(early) {
            Ok(wait) if wait > 0 => Err(Duration::from_millis(wait)),
            _ => Ok(tat_ms.max(now.0).saturating_add(self.interval_ms())),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_full_burst_passes_and_the_next_waits_one_interval() {
        let rate = Rate { limit: 3, period: Duration::from_secs(3) };
        let mut tat = 0;
        for _ in 0..3 {
            tat = rate.decide(tat, Timestamp(1000)).unwrap();
        }

        assert_eq!(rate.decide(tat, Timestamp(1000)), Err(Duration::from_secs(1)));
        assert!(rate.decide(tat, Timestamp(2000)).is_ok());
    }

    proptest! {
        #[test]
        fn never_more_than_twice_the_limit_in_a_period(
            limit in 1u32..20,
            gaps in proptest::collection::vec(0i64..2000, 1..200),
        ) {
            let rate = Rate { limit, period: Duration::from_secs(10) };
            let (mut now, mut tat, mut admitted) = (0, 0, Vec::new());
            for gap in gaps {
                now += gap;
                if let Ok(next) = rate.decide(tat, Timestamp(now)) {
                    tat = next;
                    admitted.push(now);
                }
            }

            for from in &admitted {
                let inside = admitted.iter().filter(|it| (*from..from + 10_000).contains(*it));
                prop_assert!(inside.count() <= 2 * limit as usize);
            }
        }
    }
}
