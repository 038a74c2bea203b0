//! Eventual mode: an instance counts for itself, and tells the limiter now and then.
//!
//! Of each key an instance admits at most a slice, a tenth of what the key can take at once but at
//! least one unit, before it adds that to what all have taken; and it does so with the first
//! request after a second. When its slice or what is left is used up, each request is decided
//! exactly. So no more is admitted than the limit and one slice for each other instance that
//! serves the key at the same time, and one request's cost where that is more than a slice.

use std::{cell::RefCell, collections::BTreeMap, time::Duration};

use shared::{
    domain::Timestamp,
    limit::{Act, Standing},
    ports::{Edge, PortError, Question, Tally},
};

/// How long an instance counts for itself.
const ALONE: Duration = Duration::from_secs(1);
/// The part of what a key can take at once that an instance admits alone.
const SLICES: i64 = 10;
/// How many keys an instance counts.
const KEYS_MAX: usize = 10_000;

/// What an instance knows of a key.
#[derive(Clone)]
struct Share {
    /// As all stood, when that was last asked.
    known: Standing,
    /// When, by the real clock.
    since: Timestamp,
    /// What this instance has admitted since.
    pending: i64,
    /// And what is counted of that: one for each label.
    tallies: Vec<Tally>,
}

thread_local! {
    static SHARES: RefCell<BTreeMap<String, Share>> = RefCell::default();
}

/// How many units an instance admits of a key before it tells.
pub fn slice(capacity: i64) -> i64 {
    (capacity / SLICES).max(1)
}

/// Decides all questions, each of them a [`Act::Take`], at once: here where that can be, and
/// exactly otherwise.
pub async fn decide(
    edge: &impl Edge,
    group: &str,
    questions: &[Question],
    tally: Option<Tally>,
    now: Timestamp,
) -> Result<Vec<Standing>, PortError> {
    if let Some(standings) = alone(questions, tally.as_ref(), edge.now()) {
        return Ok(standings);
    }
    tell(edge, group, questions, now).await?;
    let standings = edge.decide(group, questions, tally.as_ref(), now).await?;
    let since = edge.now();
    SHARES.with_borrow_mut(|shares| {
        if shares.len() + questions.len() > KEYS_MAX {
            shares.retain(|_, it| it.pending > 0);
        }
        for (question, known) in questions.iter().zip(&standings) {
            let share = Share { known: *known, since, pending: 0, tallies: vec![] };
            shares.insert(question.key.clone(), share);
        }
    });
    Ok(standings)
}

/// Decides without asking; `None` when that cannot be.
fn alone(questions: &[Question], tally: Option<&Tally>, now: Timestamp) -> Option<Vec<Standing>> {
    SHARES.with_borrow_mut(|shares| {
        let fits = |it: &Question| {
            let share = shares.get(&it.key)?;
            let Act::Take(cost) = it.act else { return None };
            let room = share.known.remaining.min(slice(it.limit.capacity()));
            let fits =
                now < share.since + ALONE && share.known.admitted && share.pending + cost <= room;
            fits.then_some(cost)
        };
        let costs: Vec<_> = questions.iter().map(fits).collect::<Option<_>>()?;
        let mut standings = Vec::with_capacity(questions.len());
        for (number, (it, cost)) in questions.iter().zip(costs).enumerate() {
            let share = shares.get_mut(&it.key)?;
            share.pending += cost;
            if let (0, Some(tally)) = (number, tally) {
                add(&mut share.tallies, tally);
            }
            let remaining = share.known.remaining - share.pending;
            standings.push(Standing { admitted: true, remaining, ..share.known });
        }
        Some(standings)
    })
}

/// Counts once more what has this label.
fn add(tallies: &mut Vec<Tally>, one: &Tally) {
    let Some(sum) = tallies.iter_mut().find(|it| it.label == one.label) else {
        tallies.push(one.clone());
        return;
    };
    for (name, n) in &one.admitted {
        match sum.admitted.iter_mut().find(|it| it.0 == *name) {
            Some(it) => it.1 += n,
            None => sum.admitted.push((name.clone(), *n)),
        }
    }
}

/// Adds what this instance has admitted to what all have taken.
async fn tell(
    edge: &impl Edge,
    group: &str,
    questions: &[Question],
    now: Timestamp,
) -> Result<(), PortError> {
    for it in questions {
        let share = SHARES.with_borrow_mut(|shares| shares.remove(&it.key));
        let Some(mut share) = share.filter(|it| it.pending > 0) else { continue };
        // What is told is forgotten first: told twice would be worse than not told.
        let mut settle = vec![Question { act: Act::Settle(share.pending, now), ..it.clone() }];
        for tally in share.tallies.drain(..) {
            edge.decide(group, &settle, Some(&tally), now).await?;
            settle.clear();
        }
        if !settle.is_empty() {
            edge.decide(group, &settle, None, now).await?;
        }
    }
    Ok(())
}
