//! A change takes effect: at once, or when its invoice is paid; or it falls through.

use serde_json::json;
use shared::{
    domain::{Commit, Draft, Id, Timestamp},
    ports::Tenant,
    problem::Problem,
};

use super::{Pending, State, Subscription, change::write, cycle, planned::side, renew};
use crate::{
    bill::{Bill, BillState, FailedAttempt, close, draft, pay},
    plan::Plan,
    store,
};

/// A change that takes effect.
pub(super) struct Effect<'a> {
    /// The change.
    pub(super) change: &'a Pending,
    /// The plan that there is then.
    pub(super) plan: &'a Plan,
    /// What has been paid for a whole period then.
    pub(super) paid: i64,
    /// From when.
    pub(super) from: Timestamp,
}

/// What is written when a change takes effect. What the meters of another plan counted until then
/// is invoiced by the prices of then.
///
/// # Errors
/// When something cannot be read.
pub(super) async fn applied(
    at: &impl Tenant,
    before: &Subscription,
    after: &mut Subscription,
    effect: &Effect<'_>,
) -> Result<Commit, Problem> {
    let old = renew::plan(at, &before.plan, before.plan_version).await?;
    let turn = cycle::changed_at(after, effect.change, effect.plan, effect.from);
    let turn = turn.ok_or_else(|| Problem::unfitting("plan", "too far away"))?;
    *after = turn.after;
    let mut commit = Commit::new();
    if let Some(metered) = turn.metered.filter(|_| cycle::is_metered(&old)) {
        let parties = close::Parties::of(at, &before.customer).await?;
        let mut bill = draft::begin(at, &parties.customer, before.currency)?;
        bill.subscription = Some(before.id.clone());
        bill.period = Some(metered);
        bill.coupons = draft::coupons(at, before).await?;
        draft::meter(at, &mut bill, &old, metered, before)?;
        commit = draft::write(at, &parties.entity, bill);
    }
    if after.state != State::Trialing {
        after.charged = effect.paid;
    }
    Ok(commit.and(write(at, before, after, turn.action).await?))
}

/// What follows when the invoice of a change is paid.
///
/// # Errors
/// When something cannot be read.
pub async fn take_effect(
    at: &impl Tenant,
    before: &Subscription,
    change: &Pending,
    bill: &Bill,
) -> Result<Commit, Problem> {
    let mut after = Subscription { awaiting_payment: None, ..before.clone() };
    if before.state == State::Cancelled {
        return Ok(Commit::new());
    }
    let plan = renew::plan(at, &change.plan, change.plan_version).await?;
    let from = bill.period.map_or(at.now(), |it| it.from).max(before.metered_from);
    let side = side(at, before, &plan, change.seats).await?;
    // A payment that took so long that the next period has begun: that one was paid by the old price.
    let runs_still = change.resets || bill.period.is_some_and(|it| it.to == before.period.to);
    let paid = match runs_still {
        true => side.items.iter().map(|it| it.amount).sum(),
        false => before.charged,
    };
    applied(at, before, &mut after, &Effect { change, plan: &plan, paid, from }).await
}

/// What follows when the payment of a change failed: everything stays as it was.
///
/// # Errors
/// When something cannot be read.
pub async fn fell_through(
    at: &impl Tenant,
    bill: Bill,
    attempt: &FailedAttempt,
) -> Result<Commit, Problem> {
    let released = crate::wallet::release(at, &bill.customer, bill.currency, &bill.wallet).await?;
    let mut dropped = Bill { state: BillState::Void, version: bill.version + 1, ..bill };
    dropped.failures.push(attempt.clone());
    dropped.wallet.clear();
    let subject = Id::trusted(dropped.id.clone());
    let entry = Draft::new("invoice.dropped", &subject).with(json!({"code": attempt.code}));
    let commit = released.and(store::update_bill(&dropped)).entry(entry);
    let Some(before) = pay::subscription_of(at, &dropped).await? else { return Ok(commit) };
    if before.awaiting_payment.as_deref() != Some(dropped.id.as_str()) {
        return Ok(commit);
    }
    let mut after = Subscription { awaiting_payment: None, ..before.clone() };
    Ok(commit.and(write(at, &before, &mut after, "subscription.change_failed").await?))
}
