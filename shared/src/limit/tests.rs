//! Decision by decision against limiters that keep everything and count it anew each time.

use proptest::{collection::vec, prelude::*};

use super::*;

/// All that was admitted, and when.
type Admitted = Vec<(i64, i64)>;

/// What fits, by looking at everything that was admitted before.
fn reference(limit: Limit, admitted: &Admitted, cost: i64, now: i64) -> bool {
    let period = limit.period_ms;
    let from = now - now % period;
    let sum = |from: i64, to: i64| -> i64 {
        admitted.iter().filter(|it| (from..to).contains(&it.0)).map(|it| it.1).sum()
    };
    match limit.algorithm {
        Algorithm::FixedWindow => sum(from, from + period) + cost <= limit.limit,
        Algorithm::SlidingWindow => {
            let before = sum(from - period, from) * (from + period - now);
            (sum(from, from + period) + cost) * period + before <= limit.limit * period
        }
        // Millisecond by millisecond; a unit is `period` parts, of which `limit` flow off in one.
        Algorithm::Gcra => {
            let first = admitted.first().map_or(now, |it| it.0);
            let mut level = 0;
            for at in first..=now {
                if at > first {
                    level = (level - limit.limit).max(0);
                }
                level += sum(at, at + 1) * period;
            }
            level + cost * period <= limit.burst * period
        }
        Algorithm::Concurrency => unreachable!("it has leases, and a reference of its own"),
    }
}

fn taking() -> impl Strategy<Value = Algorithm> {
    prop_oneof![Just(Algorithm::Gcra), Just(Algorithm::SlidingWindow), Just(Algorithm::FixedWindow)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn each_decision_is_the_references(
        algorithm in taking(),
        limit in 1i64..12,
        period in 1i64..400,
        burst in 1i64..20,
        start in 0i64..1_000,
        trace in vec((0i64..120, 0i64..6), 1..60),
    ) {
        let burst = (algorithm == Algorithm::Gcra).then_some(burst);
        let limit = Limit::new(algorithm, limit, period, burst).unwrap();
        let (mut state, mut admitted, mut now) = (State::default(), vec![], start);
        for (gap, cost) in trace {
            now += gap;
            let expected = cost == 0 || reference(limit, &admitted, cost, now);

            let (standing, after) = limit.decide(&state, &Act::Take(cost), Timestamp(now));

            prop_assert_eq!(standing.admitted, expected, "{} at {}", cost, now);
            if expected {
                admitted.push((now, cost));
            } else {
                hint_is_right(limit, &state, cost, now, standing)?;
            }
            prop_assert!(fits_just(limit, &after, standing.remaining, now));
            state = after;
        }
        // Forgotten is as good as never seen.
        let later = limit.forgotten(&state).max(Timestamp(now));
        let (full, _) = limit.decide(&state, &Act::Take(limit.capacity()), later);
        prop_assert!(full.admitted);
    }

    #[test]
    fn leases_are_counted_and_end(
        limit in 1i64..6,
        trace in vec((0i64..50, 0usize..8, 1i64..3, 1i64..120, any::<bool>()), 1..60),
    ) {
        let limit = Limit::new(Algorithm::Concurrency, limit, 1_000, None).unwrap();
        let mut held: Vec<(usize, i64, i64)> = vec![];
        let (mut state, mut now) = (State::default(), 0);
        for (gap, name, units, ttl, gives_back) in trace {
            now += gap;
            held.retain(|it| it.2 > now);
            let act = if gives_back {
                held.retain(|it| it.0 != name);
                Act::Release(name.to_string())
            } else {
                Act::Lease(units, name.to_string(), Timestamp(now + ttl))
            };
            let others: i64 = held.iter().filter(|it| it.0 != name).map(|it| it.1).sum();
            let expected = gives_back || others + units <= limit.limit;

            let (standing, after) = limit.decide(&state, &act, Timestamp(now));

            prop_assert_eq!(standing.admitted, expected);
            if expected && !gives_back {
                held.retain(|it| it.0 != name);
                held.push((name, units, now + ttl));
            }
            let all: i64 = held.iter().map(|it| it.1).sum();
            prop_assert_eq!(standing.remaining, limit.limit - all);
            state = after;
        }
    }

    #[test]
    fn what_is_given_back_was_never_taken(
        algorithm in taking(),
        limit in 40i64..80,
        period in 1i64..1_000,
        taken in 1i64..20,
        rest in 0i64..20,
        wait in 0i64..2_000,
    ) {
        let limit = Limit::new(algorithm, limit, period, None).unwrap();
        let (start, now) = (Timestamp(10_000), Timestamp(10_000 + wait));
        let take = |state: &State, units, at| limit.decide(state, &Act::Take(units), at);
        let (_, without) = take(&State::default(), rest, start);
        let (first, with) = take(&without, taken, start);
        prop_assert!(first.admitted);

        let (_, settled) = limit.decide(&with, &Act::Settle(-taken, start), now);

        let one = take(&settled, 0, now).0;
        let other = take(&without, 0, now).0;
        prop_assert!(one.remaining <= other.remaining, "never more than there was");
        if algorithm != Algorithm::Gcra || rest == 0 || wait == 0 {
            prop_assert_eq!(one.remaining, other.remaining);
        }
    }

    #[test]
    fn nothing_overflows(
        algorithm in taking(),
        limit in 1..=UNITS_MAX,
        period in 1..=PERIOD_MS_MAX,
        acts in vec((any::<i64>(), any::<bool>(), 0..=i64::MAX / 4), 1..20),
    ) {
        let Ok(limit) = Limit::new(algorithm, limit, period, None) else { return Ok(()) };
        let mut state = State::default();
        for (units, settles, now) in acts {
            let act =
                if settles { Act::Settle(units, Timestamp(now)) } else { Act::Take(units) };
            let (standing, after) = limit.decide(&state, &act, Timestamp(now));
            prop_assert!((0..=limit.capacity()).contains(&standing.remaining));
            prop_assert!(standing.reset_ms >= 0 && standing.retry_ms.is_none_or(|it| it >= 0));
            prop_assert!(after.1 <= LEVEL_MAX && after.2 <= LEVEL_MAX);
            state = after;
        }
    }
}

/// Exactly so much is left as is said to be.
fn fits_just(limit: Limit, state: &State, remaining: i64, now: i64) -> bool {
    let fits = |units| limit.decide(state, &Act::Take(units), Timestamp(now)).0.admitted;
    (remaining == 0 || fits(remaining)) && !fits(remaining + 1)
}

/// What does not fit now fits when it is said to, and not before.
fn hint_is_right(
    limit: Limit,
    state: &State,
    cost: i64,
    now: i64,
    standing: Standing,
) -> Result<(), TestCaseError> {
    let fits = |at: i64| limit.decide(state, &Act::Take(cost), Timestamp(at)).0.admitted;
    let Some(wait) = standing.retry_ms else {
        prop_assert!(cost > limit.capacity());
        return Ok(());
    };
    prop_assert!(wait > 0 && fits(now + wait) && !fits(now + wait - 1), "{} at {}", cost, now);
    Ok(())
}

#[test]
fn a_limit_that_cannot_be_counted_is_none() {
    let new = |algorithm, limit, period, burst| Limit::new(algorithm, limit, period, burst).err();
    assert_eq!(new(Algorithm::Gcra, 0, 1, None), Some(Unfit::Limit));
    assert_eq!(new(Algorithm::Gcra, UNITS_MAX + 1, 1, None), Some(Unfit::Limit));
    assert_eq!(new(Algorithm::Gcra, 1, 0, None), Some(Unfit::Period));
    assert_eq!(new(Algorithm::FixedWindow, 1, 1, Some(1)), Some(Unfit::Burst));
    assert_eq!(new(Algorithm::Concurrency, LEASES_MAX + 1, 1, None), Some(Unfit::Limit));
    assert_eq!(new(Algorithm::Gcra, 999_999_937, PERIOD_MS_MAX, None), Some(Unfit::Together));
    assert_eq!(new(Algorithm::Gcra, 1_000_000, 86_400_000, Some(2_000_000)), None);
}

#[test]
fn a_clock_that_goes_back_stands_still() {
    for algorithm in [Algorithm::Gcra, Algorithm::SlidingWindow, Algorithm::FixedWindow] {
        let limit = Limit::new(algorithm, 2, 1_000, None).unwrap();
        let (_, state) = limit.decide(&State::default(), &Act::Take(2), Timestamp(5_500));

        let (standing, _) = limit.decide(&state, &Act::Take(1), Timestamp(1_000));

        assert!(!standing.admitted, "{algorithm:?}");
    }
}
