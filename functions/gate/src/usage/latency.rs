//! How long requests took: a sketch of logarithmic buckets, in integers only.
//!
//! Each bound is 4 % above the one before it, so whatever a bucket holds is within 2 % of its
//! middle. Two sketches are merged by adding the counts of each bucket.

use serde::Serialize;
use shared::{
    domain::Timestamp,
    http::{Response, StatusCode, json as json_response},
    ports::Tenant,
    problem::Problem,
    route::Call,
};
use utoipa::ToSchema;

use super::{period, query::Span, store};

/// Longer ones are counted as a day, in milliseconds.
pub const LATENCY_MS_MAX: u64 = 24 * 60 * 60 * 1000;
/// How far a quantile may be from the true one, in percent of it.
pub const RELATIVE_ERROR_PERCENT: u64 = 2;

/// How many requests, by the bucket of their latency, in the order of the buckets.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Sketch(pub Vec<(u16, u64)>);

/// How requests fared.
#[derive(Debug, Serialize, ToSchema)]
pub struct LatencyReport {
    /// From this moment on: the start of a quarter of an hour.
    pub from: Timestamp,
    /// Up to this moment: the end of a quarter of an hour.
    pub to: Timestamp,
    /// How many requests were timed.
    pub count: u64,
    /// Half of them took no longer, in milliseconds, to within 2 %.
    pub p50_ms: Option<u64>,
    /// 95 % of them took no longer.
    pub p95_ms: Option<u64>,
    /// 99 % of them took no longer.
    pub p99_ms: Option<u64>,
    /// How they were answered.
    pub statuses: Vec<StatusCount>,
}

/// How many requests were answered so.
#[derive(Debug, Serialize, ToSchema)]
pub struct StatusCount {
    /// As `2xx`.
    pub class: String,
    /// How many.
    pub count: i64,
}

/// The last latency of each bucket, from the first on. Small ones have a bucket each.
fn bounds() -> impl Iterator<Item = u64> {
    std::iter::successors(Some(0_u64), |it| Some((it * 104 / 100).max(it + 1)))
}

/// The bucket of a latency.
pub fn bucket(ms: u64) -> u16 {
    let below = bounds().take_while(|it| *it < ms.min(LATENCY_MS_MAX)).count();
    u16::try_from(below).unwrap_or(u16::MAX)
}

/// The latency that stands for all in a bucket: 2 % from the farthest of them.
pub fn middle(bucket: u16) -> u64 {
    let (last, bucket) = (self::bucket(LATENCY_MS_MAX), usize::from(bucket));
    let bucket = bucket.min(last.into());
    let high = bounds().nth(bucket).unwrap_or(LATENCY_MS_MAX);
    let Some(before) = bucket.checked_sub(1) else { return 0 };
    let low = bounds().nth(before).unwrap_or(0) + 1;
    // The harmonic middle, to the nearest: as far from both ends, measured by each of them.
    (2 * low * high + (low + high) / 2) / (low + high)
}

impl Sketch {
    /// How many there are.
    pub fn count(&self) -> u64 {
        self.0.iter().map(|(_, count)| count).sum()
    }

    /// The latency that this many of a hundred did not exceed; `None` when there are none.
    pub fn quantile(&self, percent: u64) -> Option<u64> {
        let rank = (self.count() * percent).div_ceil(100).max(1);
        let mut seen = 0;
        let reached = |(_, count): &&(u16, u64)| {
            seen += count;
            seen >= rank
        };
        self.0.iter().find(reached).map(|(bucket, _)| middle(*bucket))
    }
}

/// Reports how requests fared in whole quarters of an hour.
pub async fn report(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let span = Span::of(call, at.now())?;
    let (from, to) = (period::floor(span.from), period::ceil(span.to));
    let (key, route) = (call.query("key"), call.query("route"));
    let sketch = store::latencies(at, (from, to), key.as_deref(), route.as_deref()).await?;
    let statuses = store::statuses(at, (from, to), None, key.as_deref(), route.as_deref()).await?;
    let report = LatencyReport {
        from,
        to,
        count: sketch.count(),
        p50_ms: sketch.quantile(50),
        p95_ms: sketch.quantile(95),
        p99_ms: sketch.quantile(99),
        statuses,
    };
    Ok(json_response(StatusCode::OK, &report))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn sketch(of: &[u64]) -> Sketch {
        let mut counts = BTreeMap::new();
        of.iter().for_each(|it| *counts.entry(bucket(*it)).or_default() += 1);
        Sketch(counts.into_iter().collect())
    }

    fn merged(one: &Sketch, other: &Sketch) -> Sketch {
        let mut counts = BTreeMap::new();
        for (bucket, count) in one.0.iter().chain(&other.0) {
            *counts.entry(*bucket).or_default() += count;
        }
        Sketch(counts.into_iter().collect())
    }

    fn is_near(found: u64, exact: u64) -> bool {
        found.abs_diff(exact) * 100 <= exact * RELATIVE_ERROR_PERCENT
    }

    #[test]
    fn every_latency_up_to_a_minute_is_near_the_middle_of_its_bucket() {
        for (number, high) in bounds().enumerate().take_while(|(_, it)| *it <= 60_000) {
            let low = bounds().nth(number.saturating_sub(1)).unwrap() + 1;
            for ms in low.min(high)..=high {
                let bucket = bucket(ms);
                assert_eq!(usize::from(bucket), number);
                assert!(is_near(middle(bucket), ms), "{ms}: {}", middle(bucket));
            }
        }
    }

    #[test]
    fn there_are_few_buckets_and_the_last_is_a_day() {
        assert!(bucket(u64::MAX) < 450, "{}", bucket(u64::MAX));
        assert_eq!(bucket(u64::MAX), bucket(LATENCY_MS_MAX));
        assert!(is_near(middle(u16::MAX), LATENCY_MS_MAX));
        assert_eq!(Sketch::default().quantile(99), None);
    }

    proptest! {
        #[test]
        fn quantiles_are_within_two_percent_and_merging_is_adding(
            mut one in proptest::collection::vec(0..LATENCY_MS_MAX, 1..300),
            other in proptest::collection::vec(0_u64..3_000, 0..300),
        ) {
            let both = merged(&sketch(&one), &sketch(&other));
            one.extend(other);
            prop_assert_eq!(&both, &sketch(&one));
            one.sort_unstable();

            for percent in [1, 50, 95, 99, 100] {
                let rank = (one.len() * percent).div_ceil(100).max(1);
                let (found, exact) = (both.quantile(percent as u64).unwrap(), one[rank - 1]);
                prop_assert!(is_near(found, exact), "p{percent}: {found} for {exact}");
            }
        }
    }
}
