//! Subscriptions that a provider keeps: mirrored, so that they grant what ours do.
//!
//! Nothing is charged for them here. The plan is the one that names one of their products or
//! prices in `mirrors`.

use serde::Deserialize;
use serde_json::{Value, json};
use shared::{
    domain::{Commit, Entry, Failure, Job, NewJob, Timestamp},
    ports::Tenant,
    problem::Problem,
};

use super::{Grants, SUBSCRIPTIONS_MAX, State, Subscription};
use crate::{
    money::Currency,
    period::Period,
    plan::{PLANS_MAX, Plan},
    store,
};

/// Mirrors a subscription.
pub const MIRROR: &str = "billing.mirror";

/// What the provider's subscription is: see `subscription.mirrored` in the log.
#[derive(Debug, Deserialize)]
struct Told {
    customer: Option<String>,
    provider_subscription: String,
    status: String,
    items: Vec<Item>,
    currency: String,
    period_from: Option<Timestamp>,
    period_to: Option<Timestamp>,
    ended_at: Option<Timestamp>,
}

#[derive(Debug, Deserialize)]
struct Item {
    price: String,
    product: String,
    quantity: i64,
}

/// The jobs that entries of the log are to us.
pub fn follow(entries: &[Entry]) -> Commit {
    entries.iter().fold(Commit::new(), |commit, it| {
        let id = format!("{MIRROR}:{:012}", it.sequence);
        let body = json!({"sequence": it.sequence, "data": it.data});
        commit.job(NewJob::new(MIRROR, id, body))
    })
}

/// Works the job. Of two that are worked in the wrong order the later word stays.
///
/// # Errors
/// The failure, and whether to try again.
pub async fn work(at: &impl Tenant, job: &Job) -> Result<Commit, Failure> {
    let data = job.body.get("data").cloned().unwrap_or_default();
    let sequence = job.body.get("sequence").and_then(Value::as_i64).unwrap_or(0);
    let told: Told = serde_json::from_value(data).map_err(Failure::dead)?;
    mirrored(at, &told, sequence).await.map_err(crate::failed)
}

async fn mirrored(at: &impl Tenant, told: &Told, sequence: i64) -> Result<Commit, Problem> {
    let Some(customer) = &told.customer else { return Ok(Commit::new()) };
    let all = store::list_subscriptions_of(at, customer, "", SUBSCRIPTIONS_MAX * 2).await?;
    let is_it = |it: &&Subscription| {
        it.mirrored.as_ref().is_some_and(|it| it.id == told.provider_subscription)
    };
    let before = all.iter().find(is_it);
    if before.and_then(|it| it.mirrored.as_ref()).is_some_and(|it| it.sequence > sequence) {
        return Ok(Commit::new());
    }
    let plan = plan_of(at, told).await?;
    let mut after = match before {
        Some(it) => it.clone(),
        None => begun(at, told, customer)?,
    };
    after.mirrored = Some(Mirrored { id: told.provider_subscription.clone(), sequence });
    after.state = state(&told.status);
    after.ended_at = told.ended_at;
    after.period = period(at, told);
    let seats = told.items.iter().map(|it| it.quantity).sum::<i64>();
    after.seats = u32::try_from(seats).unwrap_or(0);
    (after.plan, after.plan_version, after.grants) = match &plan {
        Some(it) => (it.name.clone(), it.version, it.grants()),
        None => (String::new(), 0, Grants::default()),
    };
    let data = json!({"customer": customer, "state": after.state, "plan": plan.map(|it| it.name)});
    let action = "subscription.updated";
    Ok(super::write(at, before, &mut after, action, data).await?)
}

/// The plan that names one of the products or prices, in its latest version.
async fn plan_of(at: &impl Tenant, told: &Told) -> Result<Option<Plan>, Problem> {
    let plans = store::list_plans(at, "", PLANS_MAX).await?;
    let named = |plan: &Plan| {
        let has = |id: &String| plan.mirrors.contains(id);
        told.items.iter().any(|it| has(&it.price) || has(&it.product))
    };
    Ok(plans.into_iter().map(|it| it.0).find(named))
}

fn period(at: &impl Tenant, told: &Told) -> Period {
    let from = told.period_from.unwrap_or_else(|| at.now());
    Period { from, to: told.period_to.unwrap_or(from) }
}

fn state(status: &str) -> State {
    match status {
        "trialing" => State::Trialing,
        "active" => State::Active,
        "past_due" => State::PastDue,
        "unpaid" => State::Unpaid,
        "paused" => State::Paused,
        "incomplete" => State::Incomplete,
        _ => State::Cancelled,
    }
}

fn begun(at: &impl Tenant, told: &Told, customer: &str) -> Result<Subscription, Problem> {
    let currency = Currency::parse(&told.currency);
    let currency = currency.map_err(|err| Problem::unfitting("currency", err))?;
    let id = at.new_id("sub")?.to_string();
    Ok(Subscription::begun(id, customer, currency, period(at, told), at.now()))
}

/// What a subscription is a mirror of.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, serde::Serialize, utoipa::ToSchema)]
pub struct Mirrored {
    /// The provider's id of it.
    pub id: String,
    /// The entry of the log that it is as of.
    pub sequence: i64,
}
