//! What happens by itself: periods follow each other, trials end, what was cancelled ends.

use serde_json::json;
use shared::{
    domain::{Commit, Draft, Failure, Id, Job, NewJob, Timestamp},
    ports::Tenant,
    problem::Problem,
};

use super::{Cancellation, State, Subscription, create, cycle};
use crate::{
    bill::{Bill, BillState, close, credit, draft, taken::Taken},
    books, late,
    period::Period,
    plan::Plan,
    store,
};

/// Does what is due for a subscription.
pub const RENEW: &str = "billing.renew";
/// Ends a subscription whose first payment never came.
pub const EXPIRE: &str = "billing.incomplete";
/// Takes the benefits of a subscription that is past due.
pub const GRACE: &str = "billing.grace";

/// The job that does what is due at `due`.
pub fn job(it: &Subscription, due: Timestamp) -> NewJob {
    NewJob::new(RENEW, format!("{RENEW}:{}:{}", it.id, due.0), json!({"id": it.id})).at(due)
}

/// The job that takes the benefits at `end`.
pub fn grace_job(it: &Subscription, end: Timestamp) -> NewJob {
    NewJob::new(GRACE, format!("{GRACE}:{}:{}", it.id, end.0), json!({"id": it.id})).at(end)
}

/// Works the job: one period at a time; the commit leaves the job of the next one.
///
/// # Errors
/// The failure, and whether to try again.
pub async fn work(at: &impl Tenant, job: &Job) -> Result<Commit, Failure> {
    let id = job.subject()?;
    let Some(it) = store::find_subscription(at, id.as_str()).await? else {
        return Ok(Commit::new());
    };
    match it.due() {
        Some(due) if due <= at.now() => turn(at, &it, due).await.map_err(crate::failed),
        _ => Ok(Commit::new()),
    }
}

/// Does what is due for `it` at `due`.
///
/// # Errors
/// When something cannot be read.
pub async fn turn(at: &impl Tenant, it: &Subscription, due: Timestamp) -> Result<Commit, Problem> {
    let old = plan(at, &it.plan, it.plan_version).await?;
    let next = match &it.pending {
        Some(pending) => plan(at, &pending.plan, pending.plan_version).await?,
        None => old.clone(),
    };
    let turn = cycle::turn(it, &next, due);
    let turn = turn.ok_or_else(|| Problem::internal().caused_by("no later period"))?;
    let mut after = turn.after;
    let earned = books::earn(at, &it.id, due).await?;
    let billed = bill(at, (it, &old), &next, &mut after, (turn.metered, turn.charged)).await?;
    let data = json!({
        "customer": after.customer, "plan": after.plan, "seats": after.seats,
        "period": after.period, "state": after.state,
    });
    let written = super::write(at, Some(it), &mut after, turn.action, data).await?;
    Ok(earned.and(billed).and(written))
}

/// A version of a plan that somebody has.
///
/// # Errors
/// When it is not there, which is our fault.
pub async fn plan(at: &impl Tenant, name: &str, version: i64) -> Result<Plan, Problem> {
    let found = store::find_plan_version(at, name, version).await?;
    found.ok_or_else(|| Problem::internal().caused_by(format!("no plan {name} {version}")))
}

/// The bill of a turn: what the meters of the old plan counted, what waited, and what the next
/// plan costs in advance.
async fn bill(
    at: &impl Tenant,
    (before, old): (&Subscription, &Plan),
    next: &Plan,
    after: &mut Subscription,
    (metered, charged): (Option<Period>, Option<Period>),
) -> Result<Commit, Problem> {
    let parties = close::Parties::of(at, &after.customer).await?;
    let mut bill = draft::begin(at, &parties.customer, after.currency)?;
    bill.subscription = Some(after.id.clone());
    bill.coupons = draft::coupons(at, after).await?;
    bill.period = metered;
    bill.lines = std::mem::take(&mut after.carried);
    if charged.is_some() {
        create::charge(at, next, after, &mut bill).await?;
    }
    if let Some(period) = metered {
        draft::meter(at, &mut bill, old, period, before)?;
    }
    if bill.awaiting.is_empty() {
        bill.awaiting = late::questions(at, &bill).await?.0;
    }
    if bill.lines.is_empty() && bill.awaiting.is_empty() {
        return Ok(Commit::new());
    }
    finish(at, &parties, bill).await
}

/// Closes a new bill at once where nothing is asked of the meters, and drafts it otherwise.
///
/// # Errors
/// When something cannot be read.
pub async fn finish(
    at: &impl Tenant,
    parties: &close::Parties,
    bill: Bill,
) -> Result<Commit, Problem> {
    if !bill.awaiting.is_empty() {
        return Ok(draft::write(at, &parties.entity, bill));
    }
    if bill.lines.iter().all(|it| it.amount == 0) {
        return Ok(Commit::new());
    }
    let mut closed = bill.clone();
    match close::close(at, parties, &mut closed).await {
        Ok(commit) => Ok(commit.and(store::insert_bill(&closed))),
        Err(problem) if problem.status().is_client_error() => {
            let why = problem.words();
            let mut held = Bill { held: Some(why.clone()), ..bill };
            held.totals.net = held.net().unwrap_or(i64::MAX);
            let entry = Draft::new("invoice.held", &Id::trusted(held.id.clone()));
            let entry = entry.with(json!({"why": why}));
            Ok(store::insert_bill(&held).entry(entry))
        }
        Err(problem) => Err(problem),
    }
}

/// Works the job of a first payment that never came: the subscription ends, and its invoice is
/// taken back.
///
/// # Errors
/// The failure, and whether to try again.
pub async fn expire(at: &impl Tenant, job: &Job) -> Result<Commit, Failure> {
    let id = job.subject()?;
    let Some(before) = store::find_subscription(at, id.as_str()).await? else {
        return Ok(Commit::new());
    };
    if before.state != State::Incomplete {
        return Ok(Commit::new());
    }
    let mut after = before.clone();
    after.state = State::Cancelled;
    after.ended_at = Some(at.now());
    after.cancellation = Some(Cancellation {
        at: at.now(),
        reason: Some("never_paid".to_owned()),
        comment: None,
        involuntary: true,
        asked_at: at.now(),
    });
    let taken_back = take_back(at, &before).await.map_err(crate::failed)?;
    let data = json!({"customer": after.customer, "reason": "never_paid"});
    let action = "subscription.ended";
    let written = super::write(at, Some(&before), &mut after, action, data).await?;
    Ok(taken_back.and(written))
}

async fn take_back(at: &impl Tenant, it: &Subscription) -> Result<Commit, Problem> {
    let bills = store::list_bills_by(at, &it.id, "", 10).await?;
    let Some(mut bill) = bills.into_iter().find(|it| it.state == BillState::Open) else {
        return Ok(Commit::new());
    };
    bill.version += 1;
    let left = bill.totals.gross - bill.credited;
    let taken = Taken::of(&bill, left).map_err(draft::too_large)?;
    let how = credit::GiveBack::Credit;
    let (_, given) = credit::give_back(at, &mut bill, &taken, how, "never paid").await?;
    Ok(given.and(store::update_bill(&bill)))
}

/// Works the job of a grace that is over.
///
/// # Errors
/// The failure, and whether to try again.
pub async fn grace(at: &impl Tenant, job: &Job) -> Result<Commit, Failure> {
    let id = job.subject()?;
    let Some(before) = store::find_subscription(at, id.as_str()).await? else {
        return Ok(Commit::new());
    };
    let over = before.grace_until.is_some_and(|it| it <= at.now());
    if before.state != State::PastDue || !over || !before.granting {
        return Ok(Commit::new());
    }
    let mut after = before.clone();
    let data = json!({"customer": after.customer});
    Ok(super::write(at, Some(&before), &mut after, "subscription.grace_ended", data).await?)
}
