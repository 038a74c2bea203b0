//! Looking at a subject's quotas, and telling what there is to tell: after its usage changed, and
//! then as long as it moves.

use std::{collections::BTreeSet, time::Duration};

use serde_json::json;
use shared::{
    domain::{Commit, Failure, Job, NewJob, Timestamp},
    ports::{PortError, Tenant},
};

use super::{
    alert::{self, Change},
    holder::{Carried, Holder, Reading},
    member::Members,
    plan::{Quota, UsagePlan},
    shown::{self, UsedUp},
    store,
};

/// Looks at the quotas of a subject.
pub const LOOK: &str = "gate.quota";
/// Looks at the quotas of all who have a plan, after it was changed.
pub const SPREAD: &str = "gate.quota.plan";
/// How many of them at once.
const SUBJECTS: u32 = 100;
/// How long after a change it is looked, so that many of them are one look.
const DELAY: Duration = Duration::from_secs(5);
/// How long after a look that found a change the next one is.
const PERIOD: Duration = Duration::from_secs(15 * 60);

/// What a look found in the window of a quota.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Seen {
    /// When the window began.
    pub from: Timestamp,
    /// What it began with, from the one before.
    pub carried: i64,
    /// How much is used.
    pub used: i64,
}

/// The job that looks at a subject soon.
pub fn job(subject: &str, now: Timestamp) -> NewJob {
    let id = format!("{LOOK}:{subject}");
    NewJob::new(LOOK, id, json!({"id": subject})).at(now + DELAY).sooner()
}

/// The job that has all looked at who have this version of a plan.
pub fn spread_job(plan: &UsagePlan) -> NewJob {
    let id = format!("{SPREAD}:{}:{}", plan.name, plan.version);
    NewJob::new(SPREAD, id, json!({"id": plan.name, "after": ""}))
}

/// Queues looks at the next of those who have a plan.
pub async fn spread(at: &impl Tenant, job_: &Job) -> Result<Commit, Failure> {
    let plan = job_.subject()?;
    let after = job_.body.get("after").and_then(|it| it.as_str()).unwrap_or("");
    let subjects = store::subjects_of(at, plan.as_str(), after, SUBJECTS).await?;
    let Some(last) = subjects.last() else { return Ok(Commit::new()) };
    // The same work from another place on is another job.
    let id = format!("{SPREAD}:{plan}:{}:{last}", job_.due);
    let rest = NewJob::new(SPREAD, id, json!({"id": plan.as_str(), "after": last}));
    let looks = subjects.iter().map(|it| job(it, at.time()));
    Ok(looks.fold(Commit::new(), Commit::job).job(rest))
}

/// What to commit along with usage of these subjects: a look at each that has a plan.
///
/// # Errors
/// When the database fails.
pub async fn changed(at: &impl Tenant, subjects: &BTreeSet<&str>) -> Result<Commit, PortError> {
    if subjects.is_empty() {
        return Ok(Commit::new());
    }
    let planned = store::with_plan(at, subjects).await?;
    Ok(planned.iter().map(|it| job(it, at.time())).fold(Commit::new(), Commit::job))
}

/// Looks at each quota, and comes again: after a quarter of an hour while usage moves; else when
/// time alone brings news: a forecast, the end of a grace, the end of a window. It ends when
/// nothing is used of any window.
pub async fn look(at: &impl Tenant, job: &Job) -> Result<Commit, Failure> {
    let name = job.subject()?;
    let Some(holder) = Holder::find(at, name.as_str()).await? else { return Ok(Commit::new()) };
    let look = Look { now: at.time(), plans: store::all_plans(at).await?, holder: &holder };
    let (mut commit, mut next, mut moved) = (Commit::new(), None, false);
    let mut used_up = Vec::new();
    for quota in &holder.plan.quotas {
        let seen = store::seen(at, name.as_str(), &quota.key()).await?;
        let reading = holder.read(at, quota, look.now, Carried::Exact).await?;
        if let Some(ended) = seen.filter(|it| it.from < reading.terms.span.from) {
            commit = commit.and(look.last_of(at, quota, ended).await?);
        }
        let members = Members::read(at, &holder, &reading).await?;
        let facts = reading.facts(look.now);
        commit = commit.and(look.tell(&reading, look.now));
        commit = commit.and(members.tell(at, &holder, &facts).await?);
        let found =
            Seen { from: reading.terms.span.from, carried: reading.carried, used: reading.used };
        if seen != Some(found) {
            commit = commit.and(store::put_seen(name.as_str(), &quota.key(), &found));
        }
        match look.used_up(&reading) {
            Some(all) => used_up.push(all),
            None => used_up.extend(members.used_up(&facts)),
        }
        moved |= found.used != seen.filter(|it| it.from == found.from).map_or(0, |it| it.used);
        next = [next, look.next(&reading)].into_iter().flatten().min();
    }
    commit = commit.and(shown::found(at, name.as_str(), &used_up).await?);
    let period = moved.then_some(look.now + PERIOD);
    match [next, period].into_iter().flatten().min() {
        Some(at) => Err(Failure::postponed(at.since(look.now), commit)),
        None => Ok(commit),
    }
}

/// One look at one subject.
struct Look<'a> {
    now: Timestamp,
    holder: &'a Holder,
    plans: Vec<UsagePlan>,
}

impl Look<'_> {
    /// Looks for the last time at a window that has ended since the look before.
    async fn last_of(
        &self,
        at: &impl Tenant,
        quota: &Quota,
        seen: Seen,
    ) -> Result<Commit, PortError> {
        let reading = self.holder.read(at, quota, seen.from, Carried::Exact).await?;
        let span = reading.terms.span;
        // Unless the window is another one since: its zone, its anchor or its start was changed.
        if span.from != seen.from || span.to > self.now {
            return Ok(Commit::new());
        }
        let end = Timestamp(span.to.0 - 1);
        let members = Members::read(at, self.holder, &reading).await?;
        let told = members.tell(at, self.holder, &reading.facts(end)).await?;
        Ok(self.tell(&reading, end).and(told))
    }

    fn tell(&self, reading: &Reading<'_>, now: Timestamp) -> Commit {
        let (subject, plan) = (&self.holder.subject.subject, &self.holder.plan.name);
        let standing = reading.facts(now).standing();
        let (quota, from) = (&standing.quota, standing.window.from);
        let upgrade = alert::upgrade(reading.quota, &self.plans);
        let changes = alert::news(reading.quota, &standing, &reading.marks);
        changes.into_iter().fold(Commit::new(), |commit, change| match change {
            Change::Tell(mark) => commit
                .and(store::tell(subject, quota, from, &mark.word(), now))
                .entry(alert::entry(mark, subject, plan, &standing, upgrade.as_ref())),
            Change::TakeBack(mark) => {
                commit.and(store::take_back(subject, quota, from, &mark.word()))
            }
        })
    }

    /// What the edge should know of a quota that lets nothing more through.
    fn used_up(&self, reading: &Reading<'_>) -> Option<UsedUp> {
        let (quota, meter) = (reading.quota.key(), reading.quota.meter.clone());
        let is_used_up = reading.facts(self.now).is_used_up();
        is_used_up.then_some(UsedUp { quota, meter, member: None, until: reading.terms.span.to })
    }

    /// When time alone brings news, if something is used, or there is nothing to use.
    fn next(&self, reading: &Reading<'_>) -> Option<Timestamp> {
        if reading.used == 0 && self.used_up(reading).is_none() {
            return None;
        }
        let facts = reading.facts(self.now);
        let standing = facts.standing();
        // The grace begins with this look, if it has not before.
        let grace =
            reading.quota.grace.filter(|_| reading.used > standing.limit + standing.rollover);
        let grace = grace.map(|it| self.now + Duration::from_secs(it.seconds));
        let moments =
            [standing.grace_until.or(grace), Some(facts.forecast_from()), Some(standing.window.to)];
        moments.into_iter().flatten().filter(|it| *it > self.now).min()
    }
}
