//! Windows as the clock has them: fixed, and sliding, where the window before still counts by the
//! part of it that lies within a period from now.

use super::{Act, LEVEL_MAX, Limit, Standing, State, UNITS_MAX, ceil_div};

pub fn decide(limit: Limit, state: &State, act: &Act, now: i64, slides: bool) -> (Standing, State) {
    let period = limit.period_ms;
    let now = now.max(state.0);
    let from = now.div_euclid(period) * period;
    let mut at = moved_on(state, from, period);
    let used = |at: &State| {
        let still = if slides { at.2.min(LEVEL_MAX / period) * (from + period - now) } else { 0 };
        at.1 + ceil_div(still, period)
    };
    let (mut admitted, mut wanted) = (true, 0);
    match act {
        Act::Take(units) | Act::Lease(units, ..) => {
            wanted = (*units).clamp(0, UNITS_MAX);
            admitted = wanted == 0 || used(&at) + wanted <= limit.limit;
            if admitted {
                at.1 += wanted;
            }
        }
        Act::Settle(units, _) if *units >= 0 => {
            at.1 = at.1.saturating_add(*units).min(LEVEL_MAX / period);
        }
        // Only from the window that it was taken from.
        Act::Settle(units, taken) if taken.0 >= from => at.1 = (at.1 + units.max(&-at.1)).max(0),
        Act::Settle(units, taken) if taken.0 >= from - period => {
            at.2 = (at.2 + units.max(&-at.2)).max(0);
        }
        Act::Settle(..) | Act::Release(_) => {}
    }
    let end = from + period - now;
    let standing = Standing {
        admitted,
        remaining: (limit.limit - used(&at)).max(0),
        reset_ms: match (slides, at.1 > 0, at.2 > 0) {
            (true, true, _) => end + period,
            (true, false, true) | (false, true, _) => end,
            _ => 0,
        },
        retry_ms: if admitted { Some(0) } else { retry(limit, &at, wanted, end, slides) },
    };
    (standing, at)
}

/// The state in the window that begins at `from`.
fn moved_on(state: &State, from: i64, period: i64) -> State {
    if state.0 == from {
        state.clone()
    } else if state.0 == from - period {
        State(from, 0, state.1, vec![])
    } else {
        State(from, 0, 0, vec![])
    }
}

/// How long until `wanted` fits, where `end` is how long the window still goes.
fn retry(limit: Limit, at: &State, wanted: i64, end: i64, slides: bool) -> Option<i64> {
    if wanted > limit.limit {
        return None;
    }
    if !slides {
        return Some(end);
    }
    // What still counts of `before` when `left` of its period are left fits into `room`.
    let left = |before: i64, room: i64| {
        if before == 0 { limit.period_ms } else { limit.period_ms * room / before }
    };
    let room = limit.limit - wanted - at.1;
    if room >= 0 {
        return Some((end - left(at.2, room)).max(1));
    }
    let room = limit.limit - wanted;
    Some(end + (limit.period_ms - left(at.1, room)).max(0))
}
