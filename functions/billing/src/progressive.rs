//! Progressive billing: usage that comes to a threshold of the plan is billed at once, and what the
//! period's end bills is the difference.
//!
//! Billing sees no meters, so it looks: from time to time it asks them for what was used so far in
//! the period, and rates that. A look changes nothing, unless a threshold was reached.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use shared::{
    domain::{Commit, Draft, Entry, Failure, Id, Job, NewJob, Timestamp},
    ports::Tenant,
    problem::Problem,
};

use crate::{
    bill::{Question, close, draft, line::BillLine},
    coupon::{Applied, Off},
    metered,
    period::Period,
    plan::Plan,
    price::{Limits, Quantity},
    reading::{Quantities, Reading},
    store,
    subscription::{SUBSCRIPTIONS_MAX, State, Subscription, offer::ALERTS, renew},
    threshold::Progress,
};

/// Looks at what a subscription has used.
pub const PROGRESS: &str = "billing.progress";
/// Looks at once, because the gate told that much is used.
pub const HURRY: &str = "billing.hurry";
/// How long it is from one look to the next.
pub const EVERY: Duration = Duration::from_secs(3600);
/// How long it becomes while nothing is used: twice as long each time, up to this.
pub const IDLE_MAX: Duration = Duration::from_secs(6 * 3600);

/// A look at what a subscription has used so far: what is asked, and what was answered.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Look {
    /// Whose usage it is.
    pub subscription: String,
    /// From when it is not invoiced yet, until the look.
    pub period: Period,
    /// What the meters have not answered yet.
    pub awaiting: Vec<Question>,
    /// What they have.
    pub heard: Vec<Heard>,
    /// What they said at the look before.
    pub before: BTreeMap<String, Quantities>,
    /// How many looks in a row have found nothing new.
    pub idle: u32,
    /// Counts its changes.
    pub version: i64,
}

/// An answer.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Heard {
    /// What was asked.
    pub question: Question,
    /// The place of the answer in the log.
    pub told: i64,
    /// What was said.
    pub quantities: Quantities,
}

impl Look {
    /// The look after this one, which asks this. What was not answered is not waited for.
    fn next(before: Option<Self>, it: &Subscription, now: Timestamp, ask: Vec<Question>) -> Self {
        let period = Period { from: it.metered_from, to: now };
        let same = before.as_ref().is_some_and(|look| look.period.from == period.from);
        let version = before.as_ref().map_or(0, |look| look.version) + 1;
        let before = before.filter(|_| same);
        Self {
            subscription: it.id.clone(),
            period,
            awaiting: ask,
            heard: Vec::new(),
            idle: before.as_ref().map_or(0, |look| look.idle),
            before: before.map(|look| look.before).unwrap_or_default(),
            version,
        }
    }

    /// How long it is until the next one.
    fn wait(&self) -> Duration {
        (EVERY * 2u32.saturating_pow(self.idle.min(16))).min(IDLE_MAX)
    }

    /// What was heard, by price.
    fn said(&self) -> BTreeMap<String, Quantities> {
        let one = |it: &Heard| (it.question.price.clone(), it.quantities.clone());
        self.heard.iter().map(one).collect()
    }

    /// Once all is heard: whether something was new is remembered.
    fn ended(&mut self, said: BTreeMap<String, Quantities>) {
        self.heard.clear();
        self.idle = if self.before == said { self.idle.saturating_add(1) } else { 0 };
        self.before = said;
    }
}

/// Whether it is looked at: its plan has thresholds, and what is used is charged.
fn is_looked_at(it: &Subscription) -> bool {
    it.progress.as_ref().is_some_and(|it| it.next.is_some())
        && it.mirrored.is_none()
        && matches!(it.state, State::Active | State::PastDue | State::Unpaid)
}

/// The job that looks, where it is looked at: what every change of a subscription leaves.
pub fn job(it: &Subscription, now: Timestamp) -> Option<NewJob> {
    is_looked_at(it).then(|| look_job(&it.id).at(now + EVERY))
}

fn look_job(subscription: &str) -> NewJob {
    NewJob::new(PROGRESS, format!("{PROGRESS}:{subscription}"), json!({"id": subscription}))
        .sooner()
}

/// The jobs that look at once, where a quota says that much is used.
pub fn follow(entries: &[Entry]) -> Commit {
    let alerts = entries.iter().filter(|it| ALERTS.contains(&it.action.as_str()));
    alerts.fold(Commit::new(), |commit, it| {
        let id = format!("{HURRY}:{:012}", it.sequence);
        commit.job(NewJob::new(HURRY, id, json!({"id": it.subject})))
    })
}

/// Works the job of an alert: looks at the customer's subscriptions now.
///
/// # Errors
/// The failure, and whether to try again.
pub async fn hurry(at: &impl Tenant, job: &Job) -> Result<Commit, Failure> {
    let customer = job.subject()?;
    let all = store::list_subscriptions_of(at, customer.as_str(), "", SUBSCRIPTIONS_MAX).await?;
    let looked_at = all.iter().filter(|it| is_looked_at(it));
    Ok(looked_at.fold(Commit::new(), |commit, it| commit.job(look_job(&it.id).at(at.now()))))
}

/// Works the job of a look: asks the meters, and comes again.
///
/// # Errors
/// The failure, and whether to try again.
pub async fn work(at: &impl Tenant, job: &Job) -> Result<Commit, Failure> {
    let id = job.subject()?;
    let found = store::find_subscription(at, id.as_str()).await?;
    let Some(it) = found.filter(is_looked_at) else { return Ok(Commit::new()) };
    let plan = renew::plan(at, &it.plan, it.plan_version).await.map_err(crate::failed)?;
    let period = Period { from: it.metered_from, to: at.now() };
    let ask = match period.from < period.to {
        true => draft::questions(at, &plan, period)?,
        false => Vec::new(),
    };
    let look = Look::next(store::find_look(at, &it.id).await?, &it, at.now(), ask);
    let of = ("subscription", it.id.as_str());
    let asked = look.awaiting.iter().map(|question| draft::question(question, &it.customer, of));
    let commit = asked.fold(store::write_look(&look), Commit::entry);
    Err(Failure::postponed(look.wait(), commit))
}

/// Works an answer of a look. Where a meter has none, the look has found nothing: at the period's
/// end the invoice says why.
///
/// # Errors
/// When the amounts are too large, or something cannot be read.
pub async fn told(at: &impl Tenant, job: &Job, data: &Value) -> Result<Commit, Problem> {
    let word = |name: &str| data.get(name).and_then(Value::as_str).unwrap_or_default();
    let Some(mut look) = store::find_look(at, word("subscription")).await? else {
        return Ok(Commit::new());
    };
    let place = look.awaiting.iter().position(|it| it.id == word("question"));
    let Some(place) = place else { return Ok(Commit::new()) };
    look.version += 1;
    let question = look.awaiting.remove(place);
    let told = job.body.get("sequence").and_then(Value::as_i64).unwrap_or_default();
    match metered::said(&question, data) {
        Ok(said) => look.heard.push(Heard { question, told, quantities: used(said) }),
        Err(_) => {
            look.awaiting.clear();
            look.heard.clear();
        }
    }
    if !look.awaiting.is_empty() {
        return Ok(store::write_look(&look));
    }
    let found = store::find_subscription(at, &look.subscription).await?;
    let said = look.said();
    let billed = match found.filter(is_looked_at) {
        Some(it) if said != look.before => bill(at, &it, &look).await?,
        _ => Commit::new(),
    };
    look.ended(said);
    Ok(billed.and(store::write_look(&look)))
}

/// What was used of what was said.
pub fn used(said: Quantities) -> Quantities {
    said.into_iter().filter(|it| it.1 > Quantity::ZERO).collect()
}

/// Bills what was used, if it comes to a threshold.
async fn bill(at: &impl Tenant, it: &Subscription, look: &Look) -> Result<Commit, Problem> {
    let (Some(progress), Some(plan)) = (&it.progress, plan_of(at, it, look).await?) else {
        return Ok(Commit::new());
    };
    let known = match &progress.first {
        Some(first) => store::find_reading(at, first).await?,
        None => None,
    };
    let parties = close::Parties::of(at, &it.customer).await?;
    let mut bill = draft::begin(at, &parties.customer, it.currency)?;
    bill.subscription = Some(it.id.clone());
    bill.period = Some(look.period);
    bill.coupons = percentages(draft::coupons(at, it).await?);
    let mut reading = known.unwrap_or_else(|| Reading::of(&bill, &it.id));
    let lines = rate(&plan, &mut reading, &look.heard, &mut bill.coupons)?;
    let amount = reading.charged();
    bill.threshold = progress.reached(amount);
    // What has no room on one invoice is no matter of this one: the period's end says so.
    let (Some(threshold), Ok(())) = (bill.threshold, draft::place(&mut bill, lines)) else {
        return Ok(Commit::new());
    };
    reading.is_on(&bill.id);
    (reading.running, reading.version) = (true, reading.version + 1);
    let after = billed(it, progress, amount, (look.period.to, &bill.id));
    let entry = Draft::new("invoice.threshold_reached", &Id::trusted(bill.id.clone()));
    let entry = entry.with(json!({
        "customer": it.customer, "subscription": it.id, "threshold": threshold,
        "usage": amount, "net": bill.totals.net, "currency": it.currency,
        "period": look.period, "next": after.progress.as_ref().and_then(|it| it.next),
    }));
    let closed = renew::finish(at, &parties, bill).await?;
    let written = store::update_subscription(&after).and(store::write_reading(&reading));
    Ok(Commit::new().entry(entry).and(closed).and(written))
}

/// The plan that was looked at, if it is still the subscription's, in the period that still runs.
async fn plan_of(
    at: &impl Tenant,
    it: &Subscription,
    look: &Look,
) -> Result<Option<Plan>, Problem> {
    let is_it = |heard: &Heard| {
        (&heard.question.plan, heard.question.plan_version) == (&it.plan, it.plan_version)
    };
    match look.period.from == it.metered_from && look.heard.iter().all(is_it) {
        true => Ok(Some(renew::plan(at, &it.plan, it.plan_version).await?)),
        false => Ok(None),
    }
}

/// What of the usage so far is not billed yet. A least amount is owed by the end of the period only.
///
/// # Errors
/// When the amounts are too large.
pub fn rate(
    plan: &Plan,
    reading: &mut Reading,
    heard: &[Heard],
    coupons: &mut [Applied],
) -> Result<Vec<BillLine>, Problem> {
    let mut plan = plan.clone();
    for price in &mut plan.prices {
        price.limits = Limits { minimum: None, ..price.limits };
    }
    for it in heard {
        reading.hear(&plan, it.question.clone(), (it.told, it.quantities.clone()));
    }
    reading.settle(&plan, coupons)
}

/// Percentages are taken off each invoice. A fixed amount is taken off by the end of the period, when
/// it is known what else it is for.
fn percentages(coupons: Vec<Applied>) -> Vec<Applied> {
    let percent = |it: &Applied| matches!(it.coupon.off, Off::Percent { .. });
    coupons.into_iter().filter(percent).collect()
}

fn billed(
    it: &Subscription,
    progress: &Progress,
    amount: i64,
    (until, invoice): (Timestamp, &str),
) -> Subscription {
    let progress = Some(progress.billed(amount, until, invoice));
    Subscription { progress, version: it.version + 1, ..it.clone() }
}
