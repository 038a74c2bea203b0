//! A subject with its plan, and what the counters say of its quotas.

use serde::{Deserialize, Serialize};
use serde_json::json;
use shared::{
    domain::Timestamp,
    http::{Response, StatusCode, header, json as json_response, respond, with_header},
    ports::{PortError, Tenant},
    problem::Problem,
    route::Call,
};

use utoipa::ToSchema;

use super::{
    alert::{Mark, Marks},
    counted::{self, COUNTED},
    plan::{Quota, UsagePlan, WORD, is_word},
    standing::{Facts, QuotaStanding, SubjectStanding},
    store,
    subject::{self, UsageSubject},
    terms::{self, Terms},
    window::WindowSpan,
};
use crate::usage::amount::VALUE_MAX;

/// How many windows back it is counted what was carried over from one to the next.
const ROLLOVER_WINDOWS_MAX: usize = 12;

/// A subject with its plan.
pub struct Holder {
    /// The subject.
    pub subject: UsageSubject,
    /// Its plan.
    pub plan: UsagePlan,
}

/// What is known of a quota in one window.
pub struct Reading<'a> {
    /// The quota.
    pub quota: &'a Quota,
    /// What it comes to.
    pub terms: Terms,
    /// What came from the window before.
    pub carried: i64,
    /// How much is used.
    pub used: i64,
    /// What was told.
    pub marks: Marks,
}

/// What somebody is about to use.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct QuotaCheck {
    /// Who: the tenant's customer.
    pub subject: String,
    /// Which of its members.
    #[serde(default)]
    pub member: Option<String>,
    /// Of what.
    pub meter: String,
    /// How many units; 1 when left out.
    #[serde(default)]
    pub cost: Option<i64>,
}

/// Whether something may be done.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = QuotaVerdict)]
pub struct Verdict {
    /// Whether it may.
    pub allowed: bool,
    /// When there is more again, if it may not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub again_at: Option<Timestamp>,
    /// How the quotas of the meter stand, before it is done.
    pub quotas: Vec<QuotaStanding>,
}

impl Reading<'_> {
    /// For a standing, as of then.
    pub fn facts(&self, now: Timestamp) -> Facts<'_> {
        Facts {
            quota: self.quota,
            terms: self.terms,
            carried: self.carried,
            used: self.used,
            exceeded_at: self.marks.get(&Mark::Exceeded).copied(),
            now,
        }
    }
}

/// Whose carried-over rest is counted, and whose is taken from the last look.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Carried {
    /// It is counted, window by window.
    Exact,
    /// As the last look found it, if that was in this window: one question instead of twelve.
    Seen,
}

impl Holder {
    /// The subject of this name, if it has a plan.
    pub async fn find(at: &impl Tenant, name: &str) -> Result<Option<Self>, PortError> {
        let Some(subject) = store::find_subject(at, name).await? else { return Ok(None) };
        Self::of(at, subject).await
    }

    async fn of(at: &impl Tenant, subject: UsageSubject) -> Result<Option<Self>, PortError> {
        let plan = store::find_plan(at, &subject.plan).await?;
        Ok(plan.map(|plan| Self { subject, plan }))
    }

    /// What is known of a quota in the window that this moment is in.
    pub async fn read<'a>(
        &self,
        at: &impl Tenant,
        quota: &'a Quota,
        moment: Timestamp,
        carried: Carried,
    ) -> Result<Reading<'a>, PortError> {
        let name = &self.subject.subject;
        let window = self.subject.calendar().window_at(quota.window, moment);
        let terms = Terms::of(quota, window, &self.subject.history);
        let seen = match carried {
            Carried::Seen if quota.rollover.is_some() => {
                store::seen(at, name, &quota.key()).await?.filter(|it| it.from == terms.span.from)
            }
            _ => None,
        };
        let carried = match seen {
            Some(it) => it.carried,
            None => self.carried(at, quota, window, &terms).await?,
        };
        let used = self.used(at, quota, None, terms.span).await?;
        let marks = store::marks(at, name, &quota.key(), terms.span.from).await?;
        Ok(Reading { quota, terms, carried, used, marks })
    }

    async fn used(
        &self,
        at: &impl Tenant,
        quota: &Quota,
        member: Option<&str>,
        span: WindowSpan,
    ) -> Result<i64, PortError> {
        let subject = &self.subject.subject;
        counted::used(at, &quota.meter, subject, member, span.from, span.to).await
    }

    /// What is carried over into a window: from each one before to the next, as far back as the
    /// subject has had a plan, or twelve windows, or there are counters.
    async fn carried(
        &self,
        at: &impl Tenant,
        quota: &Quota,
        window: WindowSpan,
        terms: &Terms,
    ) -> Result<i64, PortError> {
        let Some(rollover) = quota.rollover.filter(|_| !terms.is_reset) else { return Ok(0) };
        let mut carried = 0;
        let counted_from = at.time() - COUNTED;
        let mut windows = self.windows_before(quota, window.from);
        windows.retain(|it| it.from >= counted_from);
        for span in windows.into_iter().rev() {
            let Some(held) = terms::held(quota, span.to, &self.subject.history) else {
                carried = 0;
                continue;
            };
            let terms = Terms::of(held, span, &self.subject.history);
            if terms.is_reset {
                carried = 0;
            }
            let used = self.used(at, held, None, terms.span).await?;
            let left = terms.limit.saturating_add(carried).saturating_sub(used);
            let left = left.min(self.had(terms.limit, span));
            carried = left.clamp(0, held.rollover.map_or(0, |it| it.at_most));
        }
        Ok(carried.min(rollover.at_most))
    }

    /// What a limit comes to in the window in which the first plan began: its part of the time.
    fn had(&self, limit: i64, window: WindowSpan) -> i64 {
        let since = self.subject.history.first().map_or(window.from, |it| it.at);
        let part = WindowSpan { from: window.from.max(since), ..window };
        if part == window {
            return i64::MAX; // Of all other windows all that is left is carried over.
        }
        let had = i128::from(limit) * i128::from(part.millis());
        i64::try_from(had / i128::from(window.millis().max(1))).unwrap_or(limit)
    }

    /// The windows before this moment in which there was a plan, the latest first.
    fn windows_before(&self, quota: &Quota, moment: Timestamp) -> Vec<WindowSpan> {
        let Some(since) = self.subject.history.first().map(|it| it.at) else { return vec![] };
        let (calendar, mut spans, mut to) = (self.subject.calendar(), Vec::new(), moment);
        while to > since && spans.len() < ROLLOVER_WINDOWS_MAX {
            let span = calendar.window_at(quota.window, Timestamp(to.0 - 1));
            spans.push(span);
            to = span.from;
        }
        spans
    }

    /// How it stands now.
    async fn standing(
        &self,
        at: &impl Tenant,
        member: Option<String>,
    ) -> Result<SubjectStanding, PortError> {
        let now = at.time();
        let mut quotas = Vec::new();
        for quota in &self.plan.quotas {
            let reading = self.read(at, quota, now, Carried::Exact).await?;
            let facts = reading.facts(now);
            let mut standing = facts.standing();
            if let Some(it) = &member {
                let used = self.used(at, quota, Some(it), reading.terms.span).await?;
                standing.member = Some(facts.member(used));
            }
            quotas.push(standing);
        }
        let (subject, plan) = (self.subject.subject.clone(), self.plan.name.clone());
        Ok(SubjectStanding { subject, member, plan, at: now, quotas })
    }
}

/// Reads how a subject stands.
pub async fn standing(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let subject = subject::find(at, call.param()).await?;
    let member = call.query("member").map(|it| it.into_owned());
    if member.as_ref().is_some_and(|it| !is_word(it)) {
        return Err(Problem::invalid().detail(format!("member is {WORD}")));
    }
    let holder = Holder::of(at, subject).await?.ok_or_else(Problem::not_found)?;
    Ok(json_response(StatusCode::OK, &holder.standing(at, member).await?))
}

/// Answers whether something may be used: 200 with the verdict, or 429. It takes nothing: usage is
/// what its events say.
pub async fn check(at: &impl Tenant, check: QuotaCheck) -> Result<Response, Problem> {
    let cost = check.cost.unwrap_or(1);
    if !(0..=VALUE_MAX).contains(&cost) {
        return Err(Problem::unfitting("cost", format!("0 to {VALUE_MAX}")));
    }
    let verdict = allows(at, &check.subject, check.member.as_deref(), &check.meter, cost).await?;
    if verdict.allowed {
        return Ok(json_response(StatusCode::OK, &verdict));
    }
    let body = json!({
        "type": "https://iana.org/assignments/http-problem-types#quota-exceeded",
        "title": "Request cannot be satisfied as assigned quota has been exceeded",
        "status": 429,
        "detail": verdict.again_at.map(|it| format!("there is more from {it} on")),
        "violated-policies": verdict.quotas.iter().map(|it| &it.quota).collect::<Vec<_>>(),
        "again_at": verdict.again_at,
        "quotas": verdict.quotas,
    });
    let response =
        respond(StatusCode::TOO_MANY_REQUESTS, "application/problem+json", body.to_string());
    let Some(again) = verdict.again_at else { return Ok(response) };
    let seconds = again.since(at.time()).as_secs() + 1;
    Ok(with_header(response, header::RETRY_AFTER, &seconds.to_string()))
}

/// Whether a subject, and a member of it, may use so much more of a meter. Whoever has no plan, or
/// no quota of the meter, may.
///
/// # Errors
/// When the database fails.
pub async fn allows(
    at: &impl Tenant,
    subject: &str,
    member: Option<&str>,
    meter: &str,
    cost: i64,
) -> Result<Verdict, PortError> {
    let mut verdict = Verdict { allowed: true, again_at: None, quotas: Vec::new() };
    let Some(holder) = Holder::find(at, subject).await? else { return Ok(verdict) };
    let now = at.time();
    for quota in holder.plan.quotas.iter().filter(|it| it.meter == meter) {
        let reading = holder.read(at, quota, now, Carried::Seen).await?;
        let facts = reading.facts(now);
        let mut standing = facts.standing();
        let mut fits = facts.allows(cost);
        if let Some(it) = member.filter(|_| quota.member_limit.is_some()) {
            let used = holder.used(at, quota, Some(it), reading.terms.span).await?;
            standing.member = Some(facts.member(used));
            fits &= facts.allows_member(used, cost);
        }
        if !fits {
            verdict.allowed = false;
            // All of those that are full have to begin anew.
            verdict.again_at = verdict.again_at.max(Some(standing.window.to));
        }
        verdict.quotas.push(standing);
    }
    Ok(verdict)
}
