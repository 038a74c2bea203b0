//! Subjects: which plan a customer of the tenant has, since when, and what was before.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use shared::{
    domain::{Commit, Draft, Id, Page, Timestamp},
    http::{Response, StatusCode, empty, etag, header, json as json_response, with_header},
    ports::{PortError, Tenant},
    problem::Problem,
    route::Call,
};
use utoipa::ToSchema;

use super::{
    look,
    plan::{Quota, WORD, is_word},
    shown, store,
    window::{Calendar, Zone},
};

/// How many changes of a subject are kept.
pub const CHANGES_MAX: u32 = 100;
/// The anchors that are taken: the years 1970 to 2199.
const ANCHOR_MAX: Timestamp = Timestamp(7_258_118_400_000);
/// The same in words.
pub const ANCHOR: &str = "a moment of the years 1970 to 2199";

/// A customer of the tenant, and the plan that it has.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct UsageSubject {
    /// Your own word for the customer.
    pub subject: String,
    /// The plan.
    pub plan: String,
    /// From when billing counts.
    pub anchor: Timestamp,
    /// Where its windows begin.
    #[schema(value_type = String)]
    pub zone: Zone,
    /// What becomes of the window that runs when the plan changes.
    pub on_change: OnChange,
    /// What it had when, oldest first: the last 100 changes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<SubjectChange>,
    /// Whether it has the plan from an entitlement in the log, and not by hand.
    #[serde(skip)]
    pub entitled: bool,
    /// Counts its changes; its ETag.
    #[serde(skip)]
    pub version: i64,
}

/// A plan that a subject got.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SubjectChange {
    /// When.
    pub at: Timestamp,
    /// Which plan.
    pub plan: String,
    /// What became of the window that ran.
    pub on_change: OnChange,
    /// The quotas that held until then; none were before the first plan.
    #[serde(skip)]
    pub before: Option<Vec<Quota>>,
    /// Of the subject, with this change.
    #[serde(skip)]
    pub version: i64,
}

/// What becomes of the window that runs when the plan changes.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnChange {
    /// Nothing is used yet, and all of the new limit is there until the window ends.
    Reset,
    /// What was used counts, against the new limit.
    #[default]
    Keep,
    /// What was used counts, against both limits by the time that each held.
    Prorate,
}

/// What is said of a subject.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SubjectPlan {
    /// The plan.
    pub plan: String,
    /// From when billing counts; stays as it is when left out, and is now at first.
    #[serde(default)]
    pub anchor: Option<Timestamp>,
    /// An IANA time zone; stays as it is when left out, and is UTC at first.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub zone: Option<Zone>,
    /// What becomes of the window that runs, if this changes the plan; keep when left out.
    #[serde(default)]
    pub on_change: OnChange,
}

impl UsageSubject {
    /// By what its windows are told.
    pub fn calendar(&self) -> Calendar {
        Calendar { zone: self.zone, anchor: self.anchor }
    }

    /// What the log says of it.
    pub fn told(&self) -> Value {
        json!({
            "plan": self.plan, "anchor": self.anchor, "zone": self.zone,
            "on_change": self.on_change,
        })
    }

    /// What its history tells apart.
    pub fn terms(&self) -> (&str, Timestamp, Zone) {
        (&self.plan, self.anchor, self.zone)
    }
}

impl SubjectPlan {
    /// The subject `name` as this and what it was `before` make it, by hand. `None` when the
    /// anchor is of no year that is taken.
    pub fn of(
        self,
        name: String,
        before: Option<&UsageSubject>,
        now: Timestamp,
    ) -> Option<UsageSubject> {
        let anchor = self.anchor.or(before.map(|it| it.anchor)).unwrap_or(now);
        (Timestamp(0)..ANCHOR_MAX).contains(&anchor).then(|| UsageSubject {
            subject: name,
            plan: self.plan,
            anchor,
            zone: self.zone.or(before.map(|it| it.zone)).unwrap_or_default(),
            on_change: self.on_change,
            history: before.map(|it| it.history.clone()).unwrap_or_default(),
            entitled: false,
            version: before.map_or(0, |it| it.version) + 1,
        })
    }
}

/// Lists the subjects, by name, without their histories.
pub async fn list(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let (limit, cursor) = call.page()?;
    let after = cursor.as_ref().map_or("", |it| it.key());
    let subjects = store::list_subjects(at, after, limit + 1).await?;
    Ok(json_response(StatusCode::OK, &Page::of(subjects, limit, |it| it.subject.clone())))
}

/// Reads one.
pub async fn get(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    Ok(answer(&find(at, call.param()).await?))
}

/// The subject, or the 404 that everybody gets, also for another customer's.
pub async fn find(at: &impl Tenant, name: &str) -> Result<UsageSubject, Problem> {
    let acting = &at.principal().customer;
    if acting.as_ref().is_some_and(|it| it != name) {
        return Err(Problem::not_found());
    }
    store::find_subject(at, name).await?.ok_or_else(Problem::not_found)
}

fn answer(subject: &UsageSubject) -> Response {
    let response = json_response(StatusCode::OK, subject);
    with_header(response, header::ETAG, &etag(subject.version))
}

/// Gives a subject its plan, or another one.
pub async fn put(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let (name, new): (_, SubjectPlan) = (call.param().to_owned(), call.json()?);
    if !is_word(&name) {
        return Err(Problem::unfitting("subject", WORD));
    }
    let before = store::find_subject(at, &name).await?;
    let read = before.as_ref().map(|it| it.version);
    if call.if_match()?.is_some_and(|it| Some(it) != read) {
        return Err(Problem::changed_meanwhile());
    }
    if store::find_plan(at, &new.plan).await?.is_none() {
        return Err(Problem::unfitting("plan", "there is no plan of this name"));
    }
    let Some(mut subject) = new.of(name, before.as_ref(), at.now()) else {
        return Err(Problem::unfitting("anchor", ANCHOR));
    };
    let commit = changed(at, before.as_ref(), &mut subject).await?;
    let entry = Draft::new("subject.put", &Id::trusted(subject.subject.clone()));
    let commit = commit.entry(entry.with(subject.told()));
    at.answer(commit, answer(&subject), Problem::changed_meanwhile).await
}

/// What to commit so that `subject` takes the place of `before`: all but the entry for the log.
/// Its history has the change then.
///
/// # Errors
/// When the database fails, and when the runtime has no randomness.
pub async fn changed(
    at: &impl Tenant,
    before: Option<&UsageSubject>,
    subject: &mut UsageSubject,
) -> Result<Commit, PortError> {
    let mut commit = store::put_subject(subject, before.map(|it| it.version));
    if before.is_none_or(|it| it.terms() != subject.terms()) {
        let held = match before {
            Some(it) => Some(store::find_plan(at, &it.plan).await?.map_or(vec![], |it| it.quotas)),
            None => None,
        };
        let change = SubjectChange {
            at: at.now(),
            plan: subject.plan.clone(),
            on_change: subject.on_change,
            before: held,
            version: subject.version,
        };
        commit = commit.and(store::insert_change(&subject.subject, &change));
        subject.history.push(change);
    }
    Ok(commit
        .and(store::count_shown_on(&subject.subject))
        .job(shown::job(at, &subject.subject)?.eager())
        .job(look::job(&subject.subject, at.now())))
}

/// Takes its plan from a subject. What it has used is counted still.
pub async fn delete(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let subject = find(at, call.param()).await?;
    if call.if_match()?.is_some_and(|it| it != subject.version) {
        return Err(Problem::changed_meanwhile());
    }
    let entry = Draft::new("subject.deleted", &Id::trusted(subject.subject.clone()));
    let commit = removed(at, &subject)?.entry(entry);
    at.answer(commit, empty(StatusCode::NO_CONTENT), Problem::changed_meanwhile).await
}

/// What to commit so that a subject has no plan: all but the entry for the log.
///
/// # Errors
/// When the runtime has no randomness.
pub fn removed(at: &impl Tenant, subject: &UsageSubject) -> Result<Commit, PortError> {
    Ok(store::delete_subject(subject)
        .and(store::put_shown(&subject.subject, &[]))
        .job(shown::job(at, &subject.subject)?.eager()))
}
