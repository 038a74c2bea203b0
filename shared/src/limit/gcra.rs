//! The generic cell rate algorithm, as a bucket that leaks `rate` ticks in each millisecond, and
//! into which each unit brings `unit` ticks.

use super::{Act, LEVEL_MAX, Limit, Standing, State, UNITS_MAX, ceil_div, reduced};

pub fn decide(limit: Limit, state: &State, act: &Act, now: i64) -> (Standing, State) {
    let (rate, unit) = reduced(limit.limit, limit.period_ms);
    let size = limit.burst * unit;
    let at = now.max(state.0);
    let level = leaked(state.1, rate, at - state.0);
    let (admitted, after, wanted) = match act {
        Act::Take(units) | Act::Lease(units, ..) => {
            let units = (*units).clamp(0, UNITS_MAX);
            // More than the bucket holds is one too many, however many they are.
            let wanted = units.min(limit.burst + 1) * unit;
            let fits = level + wanted <= size || units == 0;
            (fits, if fits { level + wanted } else { level }, wanted)
        }
        Act::Settle(units, _) if *units >= 0 => {
            let added = i128::from(*units) * i128::from(unit);
            let after = i128::from(level) + added;
            (true, i64::try_from(after).unwrap_or(LEVEL_MAX).min(LEVEL_MAX), 0)
        }
        Act::Settle(units, taken) => {
            // Of what was taken, this much has already leaked.
            let back = i128::from(units.unsigned_abs()) * i128::from(unit);
            let back = i64::try_from(back).unwrap_or(LEVEL_MAX).min(LEVEL_MAX);
            let back = leaked(back, rate, (at - taken.0).max(0));
            (true, (level - back).max(0), 0)
        }
        Act::Release(_) => (true, level, 0),
    };
    let over = (after + if admitted { 0 } else { wanted } - size).max(0);
    let retry = if wanted > size { None } else { Some(ceil_div(over, rate)) };
    let standing = Standing {
        admitted,
        remaining: (size - after).max(0) / unit,
        reset_ms: ceil_div(after, rate),
        retry_ms: if admitted { Some(0) } else { retry },
    };
    (standing, State(at, after, 0, vec![]))
}

/// When the bucket is empty.
pub fn empty_at(limit: Limit, state: &State) -> i64 {
    let (rate, _) = reduced(limit.limit, limit.period_ms);
    state.0.saturating_add(ceil_div(state.1, rate))
}

/// What is left of a level after a while.
fn leaked(level: i64, rate: i64, elapsed: i64) -> i64 {
    // The product of what is at most the time to empty it: it cannot overflow.
    let elapsed = elapsed.min(ceil_div(level, rate));
    (level - elapsed * rate).max(0)
}
