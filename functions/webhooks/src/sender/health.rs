//! How an endpoint fares: when to hold back, when to warn, when to give up. Pure.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use shared::domain::Timestamp;
use utoipa::ToSchema;

/// How many failures in a row open the circuit.
const OPENS_AFTER: u32 = 10;
/// How long the circuit stays open the first time; each further time twice as long.
const OPEN_FIRST: Duration = Duration::from_secs(30);
/// The longest time that it stays open.
const OPEN_MAX: Duration = Duration::from_secs(30 * 60);
/// For how long an endpoint may fail without a success before it is disabled.
pub const ALLOWANCE: Duration = Duration::from_secs(5 * 24 * 60 * 60);
/// Failures that are further apart than this are not one failing stretch: longer than the longest
/// wait between two attempts, which is a day, a fifth more by chance, and an open circuit.
const STRETCH_GAP: Duration = Duration::from_secs(36 * 60 * 60);
/// At which percentages of the allowance somebody is told; the last one disables.
const WARNINGS: [u8; 4] = [50, 70, 90, 100];

/// How an endpoint fares.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize, ToSchema)]
pub struct Standing {
    /// Since when nothing has succeeded; absent while it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failing_since: Option<Timestamp>,
    /// How many attempts in a row have failed.
    #[serde(default)]
    pub failures: u32,
    /// When an attempt last succeeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_success_at: Option<Timestamp>,
    /// When an attempt last failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_failure_at: Option<Timestamp>,
    /// What the last failure was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    /// Nothing is sent before this moment; after it one attempt is made to see.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open_until: Option<Timestamp>,
    /// How often the circuit opened since the last success.
    #[serde(default)]
    pub trips: u32,
    /// How much of the five days that it may fail is used up, as last told: 0, 50, 70, 90, 100.
    #[serde(default)]
    pub warned: u8,
}

/// What somebody should hear of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum News {
    /// The circuit opened for the first time since the last success.
    Failing,
    /// This much of the allowance is used up, in percent.
    Warned(u8),
    /// All of it is: the endpoint is to be disabled.
    Exhausted,
    /// It works again, after somebody heard that it did not.
    Recovered,
}

impl Standing {
    /// How long to wait before the next attempt; `None` when there is nothing to wait for.
    pub fn wait(&self, now: Timestamp) -> Option<Duration> {
        let until = self.open_until.filter(|it| *it > now)?;
        Some(until.since(now))
    }

    /// Whether the next attempt is made only to see whether the endpoint works again.
    pub fn is_probing(&self) -> bool {
        self.open_until.is_some()
    }

    /// An attempt succeeded.
    pub fn succeeded(&mut self, now: Timestamp) -> Option<News> {
        let was_told = self.trips > 0 || self.warned > 0;
        *self = Self {
            last_success_at: Some(now),
            last_failure_at: self.last_failure_at,
            ..Self::default()
        };
        was_told.then_some(News::Recovered)
    }

    /// An attempt failed, with an error of this kind.
    pub fn failed(&mut self, now: Timestamp, error: &str) -> Vec<News> {
        let mut news = Vec::new();
        let gap = self.last_failure_at.map(|it| now.since(it));
        if self.failing_since.is_none() || gap.is_some_and(|it| it > STRETCH_GAP) {
            (self.failing_since, self.warned) = (Some(now), 0);
        }
        self.failures = self.failures.saturating_add(1);
        self.last_failure_at = Some(now);
        self.last_error = Some(error.to_owned());
        if self.is_probing() || self.failures >= OPENS_AFTER {
            if self.trips == 0 {
                news.push(News::Failing);
            }
            let longer = OPEN_FIRST.saturating_mul(2u32.saturating_pow(self.trips.min(16)));
            self.open_until = Some(now + longer.min(OPEN_MAX));
            self.trips = self.trips.saturating_add(1);
        }
        news.extend(self.warn(now));
        news
    }

    fn warn(&mut self, now: Timestamp) -> Option<News> {
        let failing = self.failing_since.map_or(Duration::ZERO, |it| now.since(it));
        let percent = failing.as_secs() * 100 / ALLOWANCE.as_secs();
        let reached = WARNINGS.into_iter().rev().find(|it| u64::from(*it) <= percent)?;
        if reached <= self.warned {
            return None;
        }
        self.warned = reached;
        Some(if reached == 100 { News::Exhausted } else { News::Warned(reached) })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOUR: i64 = 60 * 60 * 1000;

    fn after(hours: i64) -> Timestamp {
        Timestamp(hours * HOUR)
    }

    #[test]
    fn the_circuit_opens_after_ten_failures_and_longer_after_each_probe() {
        let mut health = Standing::default();
        let news: Vec<_> = (0..10).flat_map(|_| health.failed(after(0), "timeout")).collect();
        assert_eq!(news, [News::Failing]);
        assert_eq!(health.wait(after(0)), Some(Duration::from_secs(30)));

        let probe = after(0) + Duration::from_secs(30);
        assert_eq!(health.wait(probe), None);
        assert!(health.failed(probe, "timeout").is_empty());
        assert_eq!(health.wait(probe), Some(Duration::from_secs(60)));

        assert_eq!(health.succeeded(after(1)), Some(News::Recovered));
        assert_eq!((health.wait(after(1)), health.failures), (None, 0));
    }

    #[test]
    fn five_days_of_failing_are_announced_and_then_end() {
        let mut health = Standing::default();
        let told: Vec<_> = (0..=120)
            .flat_map(|hour| health.failed(after(hour), "status 500"))
            .filter(|it| *it != News::Failing)
            .collect();

        let warned = [50, 70, 90].map(News::Warned);
        assert_eq!(told, [&warned[..], &[News::Exhausted]].concat());
    }

    #[test]
    fn a_failure_now_and_then_is_no_stretch() {
        let mut health = Standing::default();
        let told: Vec<_> =
            (0..40).flat_map(|it| health.failed(after(it * 40), "timeout")).collect();

        assert_eq!(told, [News::Failing]);
    }

    proptest! {
        #[test]
        fn nothing_is_told_twice_between_two_successes(
            steps in proptest::collection::vec((0i64..30 * HOUR, any::<bool>()), 1..400),
        ) {
            let (mut health, mut now, mut told) = (Standing::default(), 0, Vec::new());
            for (gap, good) in steps {
                now += gap;
                if good {
                    let recovered = health.succeeded(Timestamp(now)).is_some();
                    prop_assert_eq!(recovered, !told.is_empty());
                    told.clear();
                    continue;
                }
                let before = health.failing_since;
                let news = health.failed(Timestamp(now), "timeout");
                if health.failing_since != before {
                    told.retain(|it| *it == News::Failing);
                }
                for it in news {
                    prop_assert!(!told.contains(&it), "{:?} twice", it);
                    told.push(it);
                }
                prop_assert!(health.wait(Timestamp(now)).is_none_or(|it| it <= OPEN_MAX));
            }
        }
    }
}
