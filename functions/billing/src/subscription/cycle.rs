//! What comes next for a subscription: trials end, periods follow each other, changes take effect,
//! it ends. Pure.

use super::{Pending, State, Subscription};
use crate::{
    period::Period,
    plan::{Basis, Plan},
};
use shared::domain::Timestamp;

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

fn ended(it: &Subscription, end: Timestamp) -> Turn {
    let mut after = it.clone();
    let metered = metered(it, end);
    after.state = State::Cancelled;
    after.ended_at = Some(end);
    after.pending = None;
    after.metered_from = end;
    Turn { after, metered, charged: None, action: "subscription.ended" }
}

/// The stretch whose usage is charged at `end`. A trial's is free.
fn metered(it: &Subscription, end: Timestamp) -> Option<Period> {
    let stretch = Period { from: it.metered_from, to: end };
    let counts = it.state != State::Trialing && stretch.from < stretch.to;
    counts.then_some(stretch)
}

fn renewed(it: &Subscription, next: &Plan) -> Option<Turn> {
    let boundary = it.period.to;
    let was_trial = it.state == State::Trialing;
    let mut after = changed(it, next, boundary);
    let restarts = was_trial || it.pending.is_some() && after.anchor == boundary;
    after.period_number = if restarts { 0 } else { after.period_number + 1 };
    if was_trial {
        after.anchor = boundary;
        after.state = State::Active;
    }
    after.period = next.interval.period(&after.anchor(), after.period_number)?;
    after.charged = 0;
    let metered = metered(it, boundary);
    after.metered_from = boundary;
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
    it.grants = plan.grants();
    it.plan = change.plan.clone();
    it.plan_version = change.plan_version;
    it.seats = change.seats;
}

/// Whether the plan has prices of meters.
pub fn is_metered(plan: &Plan) -> bool {
    plan.prices.iter().any(|it| matches!(it.basis, Basis::Metered { .. }))
}
