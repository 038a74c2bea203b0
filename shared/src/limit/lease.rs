//! So many at the same time: each holds a lease until it is given back, or its time is over.

use super::{Act, Limit, Standing, State};

/// The most units that can be held at the same time: each lease is remembered by its name.
pub const LEASES_MAX: i64 = 1_000;

pub fn decide(limit: Limit, state: &State, act: &Act, now: i64) -> (Standing, State) {
    let now = now.max(state.0);
    let mut leases: Vec<_> = state.3.iter().filter(|it| it.2 > now).cloned().collect();
    let held = |leases: &[(String, i64, i64)]| leases.iter().map(|it| it.1).sum::<i64>();
    let (mut admitted, mut wanted) = (true, 0);
    match act {
        Act::Lease(units, name, until) => {
            // Once more by the same name is the same lease, for longer.
            let before = leases.iter().position(|it| it.0 == *name).map(|it| leases.remove(it));
            wanted = (*units).clamp(0, LEASES_MAX + 1);
            admitted = held(&leases) + wanted <= limit.limit;
            if admitted {
                leases.push((name.clone(), wanted, until.0));
            } else {
                leases.extend(before);
            }
        }
        // Nobody would give it back.
        Act::Take(units) => {
            wanted = (*units).clamp(0, LEASES_MAX + 1);
            admitted = wanted == 0;
        }
        Act::Release(name) => leases.retain(|it| it.0 != *name),
        Act::Settle(..) => {}
    }
    let last = leases.iter().map(|it| it.2).max().unwrap_or(now);
    let standing = Standing {
        admitted,
        remaining: (limit.limit - held(&leases)).max(0),
        reset_ms: last - now,
        retry_ms: if admitted { Some(0) } else { retry(limit, &leases, wanted, now) },
    };
    (standing, State(now, 0, 0, leases))
}

/// When so many leases are over that `wanted` fits.
fn retry(limit: Limit, leases: &[(String, i64, i64)], wanted: i64, now: i64) -> Option<i64> {
    let mut ends: Vec<_> = leases.iter().map(|it| (it.2, it.1)).collect();
    ends.sort_unstable();
    let mut held: i64 = ends.iter().map(|it| it.1).sum();
    for (until, units) in ends {
        held -= units;
        if held + wanted <= limit.limit {
            return Some(until - now);
        }
    }
    None
}
