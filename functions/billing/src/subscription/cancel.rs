//! A subscription ends: now, with its period, or at a moment; or it rests for a while.

use serde::Deserialize;
use serde_json::json;
use shared::{
    domain::{Commit, Timestamp},
    http::{Response, StatusCode},
    ports::Tenant,
    problem::Problem,
    route::Call,
};
use utoipa::ToSchema;

use super::{Cancellation, State, Subscription, answer, create, cycle, ours, renew};
use crate::{
    bill::{
        BillKind, BillState, close,
        credit::{self, GiveBack, wrong_state},
        draft,
        taken::Taken,
    },
    dunning::Final,
    money,
    period::Precision,
    store,
};

/// The longest reason and comment, in characters.
const REASON_CHARS_MAX: usize = 60;
const COMMENT_CHARS_MAX: usize = 2_000;
/// How far away an end can be.
const FAR: std::time::Duration = std::time::Duration::from_secs(10 * 366 * 86_400);

/// When it ends, and why.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NewCancellation {
    /// `now`, `period_end` (when left out), or a moment.
    pub at: Option<String>,
    /// Why, in a word.
    pub reason: Option<String>,
    /// Why, in the customer's words.
    pub comment: Option<String>,
    /// What becomes of the time that was charged and is not used: nothing when left out.
    pub unused: Option<GiveBack>,
}

/// Cancels it. Cancelling again replaces what was said before.
pub async fn cancel(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let new: NewCancellation = call.json()?;
    let before = ours(at, call).await?;
    if before.state == State::Cancelled {
        return Err(wrong_state("it has ended already"));
    }
    let end = moment(at, &before, &new)?;
    may(at, &before, &new, end).await?;
    let mut after = before.clone();
    after.cancellation = Some(Cancellation {
        at: end,
        reason: short("reason", new.reason, REASON_CHARS_MAX)?,
        comment: short("comment", new.comment, COMMENT_CHARS_MAX)?,
        involuntary: false,
        asked_at: at.now(),
    });
    let back = match (new.unused, end < before.period.to) {
        (Some(how), true) => unused(at, &before, end, how).await?,
        _ => Commit::new(),
    };
    let commit = match end <= at.now() {
        true => ended(at, &before, &mut after).await?,
        false => {
            let data = json!({"customer": after.customer, "cancellation": after.cancellation});
            let action = "subscription.cancelled";
            super::write(at, Some(&before), &mut after, action, data).await?
        }
    };
    let response = answer(StatusCode::OK, &after);
    at.answer(commit.and(back), response, Problem::changed_meanwhile).await
}

fn moment(
    at: &impl Tenant,
    it: &Subscription,
    new: &NewCancellation,
) -> Result<Timestamp, Problem> {
    let why = "now, period_end, or a moment to come within ten years";
    match new.at.as_deref() {
        Some("now") => Ok(at.now()),
        None | Some("period_end") => Ok(it.period.to.max(at.now())),
        Some(text) => Timestamp::parse(text)
            .filter(|it| *it > at.now() && *it < at.now() + FAR)
            .ok_or_else(|| Problem::unfitting("at", why)),
    }
}

fn short(name: &str, text: Option<String>, max: usize) -> Result<Option<String>, Problem> {
    match &text {
        Some(it) if it.chars().count() > max => {
            Err(Problem::unfitting(name, format!("up to {max} characters")))
        }
        _ => Ok(text),
    }
}

/// What a customer may do by itself: cancel for the end of the period.
async fn may(
    at: &impl Tenant,
    it: &Subscription,
    new: &NewCancellation,
    end: Timestamp,
) -> Result<(), Problem> {
    if at.principal().customer.is_none() {
        return Ok(());
    }
    let parties = close::Parties::of(at, &it.customer).await?;
    if !parties.entity.portal.cancel {
        return Err(wrong_state("ask the seller to cancel it"));
    }
    if end < it.period.to || new.unused.is_some() {
        return Err(Problem::unfitting("at", "it ends with its period"));
    }
    Ok(())
}

/// Ends it at once: usage until now is invoiced.
async fn ended(
    at: &impl Tenant,
    before: &Subscription,
    after: &mut Subscription,
) -> Result<Commit, Problem> {
    let plan = renew::plan(at, &before.plan, before.plan_version).await?;
    let turn = cycle::ended(after, at.now());
    *after = turn.after;
    let parties = close::Parties::of(at, &before.customer).await?;
    let mut bill = draft::begin(at, &parties.customer, before.currency)?;
    bill.subscription = Some(before.id.clone());
    bill.period = turn.metered;
    bill.coupons = draft::coupons(at, before).await?;
    bill.lines = std::mem::take(&mut after.carried);
    if let Some(metered) = turn.metered {
        draft::meter(at, &mut bill, &plan, metered, before)?;
    }
    let billed = match bill.lines.is_empty() && bill.awaiting.is_empty() {
        true => Commit::new(),
        false => renew::finish(at, &parties, bill).await?,
    };
    let data = json!({"customer": after.customer, "cancellation": after.cancellation});
    Ok(billed.and(super::write(at, Some(before), after, turn.action, data).await?))
}

/// Takes back what the period's invoice charged for the time from `end` on.
async fn unused(
    at: &impl Tenant,
    it: &Subscription,
    end: Timestamp,
    how: GiveBack,
) -> Result<Commit, Problem> {
    let parties = close::Parties::of(at, &it.customer).await?;
    let precision: Precision = parties.entity.precision;
    let (part, whole) = it.period.remaining(end, precision, it.zone);
    let net = money::share(it.charged, part, whole).map_err(draft::too_large)?;
    let bills = store::list_last_bills_by(at, &it.id, 200).await?;
    let covers = |bill: &&crate::bill::Bill| {
        bill.kind == BillKind::Invoice
            && matches!(bill.state, BillState::Open | BillState::Paid)
            && bill.deferred > 0
            && bill.period.is_some_and(|it| it.from <= end && end < it.to)
    };
    let Some(mut bill) = bills.iter().find(covers).cloned() else {
        return Ok(Commit::new());
    };
    let taken = Taken::unused(&bill, net, end).map_err(draft::too_large)?;
    if taken.amount() == 0 {
        return Ok(Commit::new());
    }
    bill.version += 1;
    let reason = "Unused time after cancellation";
    let (_, given) = credit::give_back(at, &mut bill, &taken, how, reason).await?;
    Ok(given.and(store::update_bill(&bill)))
}

/// Takes a cancellation back that has not come yet.
pub async fn keep(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let before = ours(at, call).await?;
    if before.state == State::Cancelled || before.cancellation.is_none() {
        return Err(wrong_state("only what is cancelled and has not ended yet goes on"));
    }
    let mut after = Subscription { cancellation: None, ..before.clone() };
    let data = json!({"customer": after.customer});
    let action = "subscription.kept";
    let commit = super::write(at, Some(&before), &mut after, action, data).await?;
    at.answer(commit, answer(StatusCode::OK, &after), Problem::changed_meanwhile).await
}

/// Lets it rest: nothing is charged and nothing granted until it is resumed.
pub async fn pause(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let before = ours(at, call).await?;
    if !matches!(before.state, State::Active | State::PastDue | State::Unpaid) {
        return Err(wrong_state("only a subscription that runs can pause"));
    }
    let mut after = before.clone();
    after.state = State::Paused;
    after.paused_at = Some(at.now());
    let data = json!({"customer": after.customer});
    let action = "subscription.paused";
    let commit = super::write(at, Some(&before), &mut after, action, data).await?;
    at.answer(commit, answer(StatusCode::OK, &after), Problem::changed_meanwhile).await
}

/// Lets it go on. Within the period that was charged nothing is charged again; after it a new
/// period begins now.
pub async fn resume(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let before = ours(at, call).await?;
    if before.state != State::Paused {
        return Err(wrong_state("it does not rest"));
    }
    let now = at.now();
    let plan = renew::plan(at, &before.plan, before.plan_version).await?;
    let turn = cycle::resumed(&before, &plan, now);
    let turn = turn.ok_or_else(|| Problem::unfitting("plan", "too far away"))?;
    let mut after = turn.after;
    let mut commit = Commit::new();
    if turn.charged.is_some() {
        let parties = close::Parties::of(at, &before.customer).await?;
        let mut bill = draft::begin(at, &parties.customer, after.currency)?;
        bill.lines = std::mem::take(&mut after.carried);
        create::charge(at, &plan, &mut after, &mut bill).await?;
        // What was used before the pause is invoiced with what waited.
        if let Some(metered) = turn.metered {
            draft::meter(at, &mut bill, &plan, metered, &before)?;
        }
        commit = crate::books::earn(at, &before.id, now).await?;
        commit = commit.and(renew::finish(at, &parties, bill).await?);
    }
    let data = json!({"customer": after.customer, "period": after.period});
    let written = super::write(at, Some(&before), &mut after, turn.action, data).await?;
    let response = answer(StatusCode::OK, &after);
    at.answer(commit.and(written), response, Problem::changed_meanwhile).await
}

/// What becomes of a subscription whose invoice was given up.
///
/// # Errors
/// When something cannot be read.
pub async fn given_up(
    at: &impl Tenant,
    before: &Subscription,
    last: Final,
    invoice: &str,
) -> Result<Commit, Problem> {
    if matches!(before.state, State::Cancelled | State::Incomplete) {
        return Ok(Commit::new());
    }
    let mut after = before.clone();
    after.grace_until = None;
    match last {
        Final::Pause => {
            after.state = State::Paused;
            after.paused_at = Some(at.now());
        }
        Final::Unpaid => after.state = State::Unpaid,
        Final::Cancel => {
            after.cancellation = Some(Cancellation {
                at: at.now(),
                reason: Some("not_paid".to_owned()),
                comment: None,
                involuntary: true,
                asked_at: at.now(),
            });
            return ended(at, before, &mut after).await;
        }
    }
    let data = json!({"customer": after.customer, "invoice": invoice, "state": after.state});
    let action = "subscription.given_up";
    Ok(super::write(at, Some(before), &mut after, action, data).await?)
}
