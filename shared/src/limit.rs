//! What a limit is, and what it decides: pure, in integers.
//!
//! A [`Limit`] looks at a [`State`] and says with a [`Standing`] whether a cost fits. Nothing here
//! overflows: [`Limit::new`] takes no numbers whose products would, and all that grows stops at
//! `LEVEL_MAX`.

mod gcra;
mod lease;
mod window;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::Timestamp;

pub use lease::LEASES_MAX;

/// The largest limit, burst and cost, in units.
pub const UNITS_MAX: i64 = 1_000_000_000;
/// The longest period: a year of 366 days, in milliseconds.
pub const PERIOD_MS_MAX: i64 = 366 * 24 * 60 * 60 * 1000;
/// No state's numbers grow beyond this: with all that is added they stay exact in JavaScript.
const LEVEL_MAX: i64 = 1 << 52;

/// How a limit counts.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = LimitAlgorithm)]
pub enum Algorithm {
    /// The generic cell rate algorithm: a bucket that leaks evenly. The burst is its size.
    Gcra,
    /// Windows as the clock has them; the one before counts by the part of it that is still
    /// within a period.
    SlidingWindow,
    /// Windows as the clock has them, each for itself.
    FixedWindow,
    /// So many at the same time. Each holds a lease, which ends by itself.
    Concurrency,
}

/// A limit that can be decided by.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Limit {
    algorithm: Algorithm,
    /// Units in a period, or at the same time.
    limit: i64,
    period_ms: i64,
    /// Units at once: of [`Algorithm::Gcra`] only.
    burst: i64,
}

/// Why a limit cannot be decided by.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Unfit {
    /// The limit is out of its range.
    #[error("limit is 1 to {UNITS_MAX}")]
    Limit,
    /// The period is out of its range.
    #[error("period is 1 ms to 366 days")]
    Period,
    /// The burst is out of its range, or the algorithm knows none.
    #[error("burst is 1 to {UNITS_MAX}, and for gcra only")]
    Burst,
    /// Together they are more than can be counted exactly.
    #[error("limit, burst and period are together too large: use a shorter period")]
    Together,
}

/// What is remembered of a key. The default is that of a key never seen.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct State(
    /// When it was written, or when its window began.
    i64,
    /// How full it is.
    i64,
    /// How full the window before was.
    i64,
    /// Who holds how many units until when.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    Vec<(String, i64, i64)>,
);

/// What is asked of a limit.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub enum Act {
    /// Takes this many units, if they fit. None is a look.
    Take(i64),
    /// Takes this many as a lease of this name until then, if they fit.
    Lease(i64, String, Timestamp),
    /// Adds units that were used after all, or gives back some of what was taken at that moment.
    /// It always fits.
    Settle(i64, Timestamp),
    /// Ends the lease of this name.
    Release(String),
}

/// How a key stands after a decision.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Standing {
    /// Whether what was asked fits.
    pub admitted: bool,
    /// Units that are left.
    pub remaining: i64,
    /// Until all units are there again, in milliseconds.
    pub reset_ms: i64,
    /// Until what was asked would fit, if nobody takes more: 0 when it fits, `None` when it never
    /// will.
    pub retry_ms: Option<i64>,
}

impl Limit {
    /// A limit of `limit` units in each `period_ms`. A bucket is as large as `burst`, and without
    /// one as the limit.
    ///
    /// # Errors
    /// Which number is out of its range.
    pub fn new(
        algorithm: Algorithm,
        limit: i64,
        period_ms: i64,
        burst: Option<i64>,
    ) -> Result<Self, Unfit> {
        let units = |it: i64| (1..=UNITS_MAX).contains(&it);
        if !units(limit) || algorithm == Algorithm::Concurrency && limit > LEASES_MAX {
            return Err(Unfit::Limit);
        }
        if !(1..=PERIOD_MS_MAX).contains(&period_ms) {
            return Err(Unfit::Period);
        }
        if burst.is_some_and(|it| algorithm != Algorithm::Gcra || !units(it)) {
            return Err(Unfit::Burst);
        }
        let (rate, unit) = reduced(limit, period_ms);
        let burst = burst.unwrap_or(limit);
        let product = i128::from(burst.max(limit)) * i128::from(unit) + i128::from(rate);
        if product * 2 > i128::from(LEVEL_MAX) {
            return Err(Unfit::Together);
        }
        Ok(Self { algorithm, limit, period_ms, burst })
    }

    /// Its period, in milliseconds.
    pub fn period_ms(self) -> i64 {
        self.period_ms
    }

    /// Its period.
    pub fn period(self) -> Duration {
        Duration::from_millis(self.period_ms.unsigned_abs())
    }

    /// How it counts.
    pub fn algorithm(self) -> Algorithm {
        self.algorithm
    }

    /// Units in a period, or at the same time.
    pub fn units(self) -> i64 {
        self.limit
    }

    /// The most units that can be taken at once.
    pub fn capacity(self) -> i64 {
        if self.algorithm == Algorithm::Gcra { self.burst } else { self.limit }
    }

    /// Decides: what is asked, of a key in this state, and the state afterwards. What is refused
    /// changes nothing. A clock that goes back stands still.
    pub fn decide(self, state: &State, act: &Act, now: Timestamp) -> (Standing, State) {
        match self.algorithm {
            Algorithm::Gcra => gcra::decide(self, state, act, now.0),
            Algorithm::SlidingWindow => window::decide(self, state, act, now.0, true),
            Algorithm::FixedWindow => window::decide(self, state, act, now.0, false),
            Algorithm::Concurrency => lease::decide(self, state, act, now.0),
        }
    }

    /// From when on a state is as good as none.
    pub fn forgotten(self, state: &State) -> Timestamp {
        Timestamp(match self.algorithm {
            Algorithm::Gcra => gcra::empty_at(self, state),
            Algorithm::SlidingWindow => state.0.saturating_add(2 * self.period_ms),
            Algorithm::FixedWindow => state.0.saturating_add(self.period_ms),
            Algorithm::Concurrency => state.3.iter().map(|it| it.2).max().unwrap_or(0),
        })
    }
}

/// `limit / period_ms` in lowest terms: so many ticks flow off in a millisecond, and so many make
/// a unit. In ticks everything is whole.
fn reduced(limit: i64, period_ms: i64) -> (i64, i64) {
    let (mut a, mut b) = (limit, period_ms);
    while b != 0 {
        (a, b) = (b, a % b);
    }
    (limit / a.max(1), period_ms / a.max(1))
}

/// `a / b`, rounded up, of numbers that are not negative.
fn ceil_div(a: i64, b: i64) -> i64 {
    a / b + i64::from(a % b != 0)
}

#[cfg(test)]
mod tests;
