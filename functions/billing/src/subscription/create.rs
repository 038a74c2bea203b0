//! A subscription begins.

use std::time::Duration;

use serde::Deserialize;
use serde_json::json;
use shared::{
    domain::{Commit, NewJob, Timestamp},
    http::{Response, StatusCode},
    ports::Tenant,
    problem::Problem,
    route::Call,
};
use utoipa::ToSchema;

use super::{COUPONS_MAX, Redeemed, SUBSCRIPTIONS_MAX, State, Subscription, answer};
use crate::{
    bill::{Bill, close, draft, taxed},
    customer::{Collection, Customer},
    period::{Period, Zone},
    plan::{Plan, TRIAL_DAYS_MAX},
    store,
    threshold::Progress,
};

/// How long a first payment is waited for.
pub const INCOMPLETE: Duration = Duration::from_secs(23 * 3600);

const DAY: Duration = Duration::from_secs(86_400);

/// What a subscription is made from.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSubscription {
    /// Whose it is.
    pub customer: String,
    /// The plan.
    pub plan: String,
    /// How many seats; the fewest that the plan has when left out.
    #[serde(default)]
    pub seats: Option<u32>,
    /// Coupons to redeem, up to 5; they are applied in this order.
    #[serde(default)]
    pub coupons: Vec<String>,
    /// For how many days nothing is charged; the plan's when left out.
    #[serde(default)]
    pub trial_days: Option<u16>,
}

/// Makes one. What it costs in advance is invoiced at once, unless there is a trial.
pub async fn create(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let new: NewSubscription = call.json()?;
    let parties = close::Parties::of(at, &new.customer).await?;
    let plan = store::find_plan(at, &new.plan).await?;
    let plan = plan.ok_or_else(|| Problem::unfitting("plan", "there is no such plan to have"))?;
    taxed::check(&parties.entity, &plan)?;
    let count = store::count_subscriptions(at, &new.customer).await?;
    if count >= i64::from(SUBSCRIPTIONS_MAX) {
        return Err(Problem::full_list(SUBSCRIPTIONS_MAX, "subscriptions", "cancel one"));
    }
    let (mut it, redeemed) = begin(at, &new, &plan, &parties.customer).await?;
    let mut commit = redeemed;
    if it.state != State::Trialing {
        let bill = first_bill(at, &plan, &mut it, &parties).await?;
        commit = commit.and(bill);
    }
    let data = json!({
        "customer": it.customer, "plan": it.plan, "seats": it.seats, "state": it.state,
        "trial_end": it.trial_end,
    });
    let written = super::write(at, None, &mut it, "subscription.created", data).await?;
    let response = answer(StatusCode::CREATED, &it);
    at.answer(commit.and(written), response, Problem::changed_meanwhile).await
}

async fn begin(
    at: &impl Tenant,
    new: &NewSubscription,
    plan: &Plan,
    customer: &Customer,
) -> Result<(Subscription, Commit), Problem> {
    let now = at.now();
    let zone: Zone = customer.zone;
    let seats = seats(plan, new.seats)?;
    let trial = new.trial_days.unwrap_or(plan.trial_days);
    if trial > TRIAL_DAYS_MAX {
        return Err(Problem::unfitting("trial_days", format!("up to {TRIAL_DAYS_MAX}")));
    }
    let trial_end = (trial > 0).then(|| now + DAY * u32::from(trial));
    let (coupons, redeemed) = redeem(at, &new.coupons, plan).await?;
    let anchor = trial_end.unwrap_or(now);
    let first = plan.interval.period(&crate::period::Anchor { at: anchor, zone }, 0);
    let first = first.ok_or_else(|| Problem::unfitting("anchor", "too far away"))?;
    let period = trial_end.map_or(first, |end| Period { from: now, to: end });
    let id = at.new_id("sub")?.to_string();
    let it = Subscription {
        entity: customer.entity.clone(),
        plan: plan.name.clone(),
        plan_version: plan.version,
        grants: plan.grants(),
        progress: plan.thresholds.as_ref().map(Progress::of),
        seats,
        state: if trial_end.is_some() { State::Trialing } else { State::Active },
        anchor,
        zone,
        period_number: if trial_end.is_some() { -1 } else { 0 },
        trial_end,
        coupons,
        ..Subscription::begun(id, &customer.id, plan.currency, period, now)
    };
    Ok((it, redeemed))
}

/// How many seats of a plan somebody can have.
///
/// # Errors
/// 422 that says how many.
pub fn seats(plan: &Plan, asked: Option<u32>) -> Result<u32, Problem> {
    match (&plan.seats, asked) {
        (None, None | Some(0)) => Ok(0),
        (None, Some(_)) => Err(Problem::unfitting("seats", "the plan has none: leave it out")),
        (Some(rule), None) => Ok(rule.min),
        (Some(rule), Some(it)) if (rule.min..=rule.max).contains(&it) => Ok(it),
        (Some(rule), Some(_)) => {
            Err(Problem::unfitting("seats", format!("{} to {}", rule.min, rule.max)))
        }
    }
}

async fn redeem(
    at: &impl Tenant,
    codes: &[String],
    plan: &Plan,
) -> Result<(Vec<Redeemed>, Commit), Problem> {
    if codes.len() > COUPONS_MAX {
        return Err(Problem::unfitting("coupons", format!("up to {COUPONS_MAX}")));
    }
    let (mut all, mut commit) = (Vec::new(), Commit::new());
    for (number, code) in codes.iter().enumerate() {
        let path = format!("coupons[{number}]");
        let found = store::find_coupon(at, code).await?;
        let found = found.ok_or_else(|| Problem::unfitting(&path, "there is no such coupon"))?;
        if all.iter().any(|it: &Redeemed| it.code == *code) {
            return Err(Problem::unfitting(&path, "it is there twice"));
        }
        found.fits(plan, at.now()).map_err(|why| Problem::unfitting(&path, why))?;
        commit = commit.and(store::redeem_coupon(&found));
        all.push(Redeemed { code: code.clone(), periods: 0 });
    }
    Ok((all, commit))
}

/// The first invoice, numbered at once. A payment that is needed first leaves the subscription
/// incomplete.
async fn first_bill(
    at: &impl Tenant,
    plan: &Plan,
    it: &mut Subscription,
    parties: &close::Parties,
) -> Result<Commit, Problem> {
    let mut bill = draft::begin(at, &parties.customer, it.currency)?;
    charge(at, plan, it, &mut bill).await?;
    if bill.lines.iter().all(|it| it.amount == 0) {
        return Ok(Commit::new());
    }
    let closed = close::close(at, parties, &mut bill).await?;
    if bill.left_of_due() > 0 && bill.collection == Collection::ChargeAutomatically {
        it.state = State::Incomplete;
    }
    let mut commit = closed.and(store::insert_bill(&bill));
    if it.state == State::Incomplete {
        commit = commit.job(expiry_job(it, at.now() + INCOMPLETE));
    }
    Ok(commit)
}

fn expiry_job(it: &Subscription, end: Timestamp) -> NewJob {
    let kind = super::renew::EXPIRE;
    NewJob::new(kind, format!("{kind}:{}", it.id), json!({"id": it.id})).at(end)
}

/// Puts on the bill what the plan costs in advance for the subscription's period, less coupons.
///
/// # Errors
/// When the amounts are too large.
pub async fn charge(
    at: &impl Tenant,
    plan: &Plan,
    it: &mut Subscription,
    bill: &mut Bill,
) -> Result<(), Problem> {
    let lines =
        draft::advance(plan, it.seats, &it.charged_once, it.period).map_err(draft::too_large)?;
    let mut coupons = draft::coupons(at, it).await?;
    let lines = draft::discount(lines, &mut coupons, &plan.name)?;
    let advance = lines.iter().filter(|it| it.period.is_some()).map(|it| it.amount).sum();
    it.charged = advance;
    for once in plan.prices.iter().filter(|it| it.basis == crate::plan::Basis::Once) {
        if !it.charged_once.contains(&once.name) {
            it.charged_once.push(once.name.clone());
        }
    }
    draft::count_coupons(it);
    bill.deferred = advance;
    bill.coupons = coupons;
    bill.subscription = Some(it.id.clone());
    bill.period = Some(it.period);
    bill.lines.extend(lines);
    Ok(())
}
