//! What comes next for a subscription: trials end, periods follow each other, changes take effect,
//! it ends. Pure.

use super::{Pending, State, Subscription};
use crate::{
    period::Period,
    plan::{Basis, Plan},
    threshold::Progress,
};
use shared::domain::Timestamp;

#[cfg(test)]
mod tests;

/// What happens at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Turn {
    /// The subscription after it.
    pub after: Subscription,
    /// For which stretch the old plan's meters are to be read.
    pub metered: Option<Period>,
    /// For which period the plan is charged in advance.
    pub charged: Option<Period>,
    /// What it is in a word: `subscription.renewed`, …
    pub action: &'static str,
}

/// What happens to `it` at `at`, which is due: the moment of [`Subscription::due`]. `next` is the
/// plan that it has from then on. `None` when no later period can be told.
pub fn turn(it: &Subscription, next: &Plan, at: Timestamp) -> Option<Turn> {
    match it.cancellation.as_ref().map(|it| it.at) {
        Some(end) if end <= at => Some(ended(it, end)),
        _ => renewed(it, next),
    }
}

/// It ends at `end`: with its period, before it, or in the middle of a pause.
pub fn ended(it: &Subscription, end: Timestamp) -> Turn {
    let mut after = it.clone();
    let metered = metered(it, end);
    after.state = State::Cancelled;
    after.ended_at = Some(end);
    after.pending = None;
    after.meters_from(end.max(it.metered_from));
    Turn { after, metered, charged: None, action: "subscription.ended" }
}

/// A change takes effect at `at`, in the middle of a period. The meters of a plan that goes are
/// read until then, and so they are where a period begins anew. `None` when that has no end.
pub fn changed_at(it: &Subscription, change: &Pending, plan: &Plan, at: Timestamp) -> Option<Turn> {
    let mut after = it.clone();
    apply(&mut after, change, plan);
    (after.pending, after.awaiting_payment) = (None, None);
    let other = (&it.plan, it.plan_version) != (&change.plan, change.plan_version);
    let closes = other || change.resets;
    if closes {
        after.meters_from(at.max(it.metered_from));
    }
    if change.resets {
        begin_anew(&mut after, plan, at)?;
    }
    Some(Turn {
        metered: metered(it, at).filter(|_| closes),
        charged: change.resets.then_some(after.period),
        action: "subscription.changed",
        after,
    })
}

/// It goes on at `now` after a pause. Within the period that was charged nothing is charged again,
/// and the meters go on; after it a new period begins. `None` when that has no end.
pub fn resumed(it: &Subscription, plan: &Plan, now: Timestamp) -> Option<Turn> {
    let mut after = Subscription { state: State::Active, paused_at: None, ..it.clone() };
    let is_over = it.period.to <= now;
    if is_over {
        begin_anew(&mut after, plan, now)?;
        after.meters_from(now);
    }
    Some(Turn {
        metered: metered(it, now).filter(|_| is_over),
        charged: is_over.then_some(after.period),
        action: "subscription.resumed",
        after,
    })
}

fn begin_anew(it: &mut Subscription, plan: &Plan, at: Timestamp) -> Option<()> {
    (it.anchor, it.period_number) = (at, 0);
    it.period = plan.interval.period(&it.anchor(), 0)?;
    Some(())
}

/// The stretch whose usage is charged at `end`. What is used in a trial, before the first payment
/// and in a pause is free.
fn metered(it: &Subscription, end: Timestamp) -> Option<Period> {
    let to = match it.state {
        State::Trialing | State::Incomplete => return None,
        State::Paused => it.paused_at.map_or(end, |paused| paused.min(end)),
        _ => end,
    };
    let stretch = Period { from: it.metered_from, to: to.max(it.metered_from) };
    // What was billed before is compared with what was used, also where that is nothing after all.
    let is_billed = it.progress.as_ref().is_some_and(|it| it.first.is_some());
    (stretch.from < stretch.to || is_billed).then_some(stretch)
}

fn renewed(it: &Subscription, next: &Plan) -> Option<Turn> {
    let boundary = it.period.to;
    let was_trial = it.state == State::Trialing;
    let mut after = changed(it, next, boundary);
    let restarts = was_trial || it.pending.is_some() && after.anchor == boundary;
    if was_trial {
        after.anchor = boundary;
        after.state = State::Active;
    }
    let before = if restarts { -1 } else { after.period_number };
    (after.period_number, after.period) = next.interval.after(&after.anchor(), before)?;
    after.charged = 0;
    let metered = metered(it, boundary);
    after.meters_from(boundary);
    Some(Turn {
        metered,
        charged: Some(after.period),
        action: if was_trial { "subscription.trial_ended" } else { "subscription.renewed" },
        after,
    })
}

/// The subscription once what is pending has taken effect at `at`: to be charged from then on.
fn changed(it: &Subscription, next: &Plan, at: Timestamp) -> Subscription {
    let mut after = it.clone();
    let Some(pending) = after.pending.take() else { return after };
    apply(&mut after, &pending, next);
    // Periods of another length are counted from here.
    let steps = next.interval.index_at(&it.anchor(), at);
    let fits = steps.and_then(|index| next.interval.period(&it.anchor(), index));
    match fits {
        Some(period) if period.from == at && !pending.resets => {
            after.period_number = steps.unwrap_or(0) - 1;
        }
        _ => after.anchor = at,
    }
    after
}

/// Gives the subscription what was asked for.
pub fn apply(it: &mut Subscription, change: &Pending, plan: &Plan) {
    if (&it.plan, it.plan_version) != (&change.plan, change.plan_version) {
        it.progress = plan.thresholds.as_ref().map(Progress::of);
    }
    it.grants = plan.grants();
    it.plan = change.plan.clone();
    it.plan_version = change.plan_version;
    it.seats = change.seats;
}

/// Whether the plan has prices of meters.
pub fn is_metered(plan: &Plan) -> bool {
    plan.prices.iter().any(|it| matches!(it.basis, Basis::Metered { .. }))
}
