//! Reconciling: what the provider has is compared with the mirror, page by page, and mended.
//!
//! A look goes over the provider's events since the last one, which finds webhooks that were never
//! sent; a full one goes over its payments, disputes, subscriptions and customers as well, and
//! writes down what differed.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use shared::{
    domain::{Commit, Draft, Failure, Id, Job, NewJob, Page, Timestamp},
    http::{Response, StatusCode, header, json as json_response, respond},
    ports::Tenant,
    problem::Problem,
    route::Call,
};
use utoipa::ToSchema;

use crate::{
    account::{self, Account},
    incoming, mirror,
    provider::{self, List, PaymentProvider},
    refetch, statement, store,
};

/// Looks at the next page.
pub const LOOK: &str = "stripe.look";
/// Begins a look each hour.
pub const HOURLY: &str = "stripe.hourly";

const HOUR: Duration = Duration::from_secs(3_600);
/// How much of the time before the last look is looked at again: events can be late.
const OVERLAP_SECONDS: i64 = 3_600;
/// How long the provider keeps events, in seconds: 30 days.
const KEPT_SECONDS: i64 = 30 * 86_400;
/// How many pages a look has at most; the rest is left to the next one.
const PAGES_MAX: u32 = 10_000;

/// How far a look is.
#[derive(Clone, Debug, Default, Deserialize, Serialize, ToSchema)]
#[schema(as = Reconciliation)]
pub struct Look {
    /// Whether it goes over everything, or over events only.
    pub full: bool,
    /// What is looked at now; nothing when it is done.
    pub step: Option<Step>,
    /// Where the next page begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// How many pages it has seen.
    pub pages: u32,
    /// How many objects it has seen.
    pub seen: u64,
    /// How many of them differed, and were mended.
    pub drifted: u64,
    /// From when on events are looked at, in seconds since 1970.
    pub since: i64,
    /// When it began, in seconds since 1970 and by the real clock, which is the provider's; a
    /// sandbox may stand at another time.
    #[serde(default)]
    pub began: i64,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// Counts its steps.
    #[serde(skip)]
    pub version: i64,
}

/// What a look goes over, one after the other.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ReconciliationStep)]
pub enum Step {
    /// Events since the last look.
    Events,
    /// Customers.
    Customers,
    /// Payments with their refunds.
    Payments,
    /// Disputes.
    Disputes,
    /// Subscriptions in all states.
    Subscriptions,
}

/// An object that differed.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = PaymentDrift)]
pub struct Drift {
    /// The provider's id of it.
    pub object: String,
    /// What it is.
    pub kind: String,
    /// What was known; nothing when it was not.
    #[schema(value_type = Option<Object>)]
    pub ours: Option<Value>,
    /// What the provider says.
    #[schema(value_type = Object)]
    pub theirs: Value,
    /// When that was found. It is mended since.
    pub found_at: Timestamp,
}

impl Step {
    fn list(self) -> List {
        match self {
            Self::Events => List::Events,
            Self::Customers => List::Customers,
            Self::Payments => List::Payments,
            Self::Disputes => List::Disputes,
            Self::Subscriptions => List::Subscriptions,
        }
    }

    fn next(self, full: bool) -> Option<Self> {
        match self {
            Self::Events if full => Some(Self::Customers),
            Self::Events | Self::Subscriptions => None,
            Self::Customers => Some(Self::Payments),
            Self::Payments => Some(Self::Disputes),
            Self::Disputes => Some(Self::Subscriptions),
        }
    }
}

/// The job that begins a look in an hour.
pub fn hourly(account: &str, now: Timestamp) -> NewJob {
    let body = json!({"id": account});
    NewJob::new(HOURLY, format!("{HOURLY}:{account}:{}", now.0), body).at(now + HOUR)
}

fn look_job(account: &str, look: &Look) -> NewJob {
    let id = format!("{LOOK}:{account}:{}", look.version);
    NewJob::new(LOOK, id, json!({"id": account}))
}

/// Works the job of each hour.
///
/// # Errors
/// The failure, and whether to try again.
pub async fn tick(at: &impl Tenant, job: &Job) -> Result<Commit, Failure> {
    let id = job.subject()?;
    let Some(account) = store::find_account(at, id.as_str()).await? else {
        return Ok(Commit::new());
    };
    let again = Commit::new().job(hourly(&account.id, at.now()));
    let again = again.and(statement::hourly(at, &account).await?);
    match begun(at, &account, false).await? {
        Begun::New(_, commit) => Ok(again.and(commit)),
        // A page that was given up has all its tries again: else nobody ever looks again.
        Begun::OnItsWay(look) => Ok(again.job(look_job(&account.id, &look).sooner())),
    }
}

/// What became of the wish for a look.
enum Begun {
    /// It begins with this commit.
    New(Look, Commit),
    /// There is one already.
    OnItsWay(Look),
}

/// A new look, unless one is on its way.
async fn begun(
    at: &impl Tenant,
    account: &Account,
    full: bool,
) -> Result<Begun, shared::ports::PortError> {
    let before = store::find_look(at, &account.id).await?;
    if let Some(it) = before.as_ref().filter(|it| it.ended_at.is_none()) {
        return Ok(Begun::OnItsWay(it.clone()));
    }
    let now = at.real_now().seconds();
    let last = before.as_ref().map_or(i64::MIN, |it| it.since.max(it.began));
    let since = last.saturating_sub(OVERLAP_SECONDS).max(now - KEPT_SECONDS);
    let look = Look {
        full,
        step: Some(Step::Events),
        since,
        began: now,
        started_at: at.now(),
        version: before.map_or(1, |it| it.version + 1),
        ..Look::default()
    };
    let commit = store::put_look(&account.id, &look).job(look_job(&account.id, &look));
    Ok(Begun::New(look, commit))
}

/// Begins a full look.
pub async fn start(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let account = account::find(at, call).await?;
    let Begun::New(look, commit) = begun(at, &account, true).await? else {
        let kind = "/problems/payments/reconciling";
        return Err(Problem::new(StatusCode::CONFLICT, kind, "A reconciliation is on its way")
            .detail("read it, and begin another one when it has ended"));
    };
    let entry = Draft::new("payment_account.reconciling", &Id::trusted(account.id.clone()));
    let response = json_response(StatusCode::ACCEPTED, &look);
    at.answer(commit.entry(entry), response, Problem::changed_meanwhile).await
}

/// Reads how far it is.
pub async fn get(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let account = account::find(at, call).await?;
    let look = store::find_look(at, &account.id).await?.ok_or_else(Problem::not_found)?;
    Ok(json_response(StatusCode::OK, &look))
}

/// Works one page.
///
/// # Errors
/// The failure, and whether to try again.
pub async fn work(at: &impl Tenant, job: &Job) -> Result<Commit, Failure> {
    let id = job.subject()?;
    let account = store::find_account(at, id.as_str()).await?;
    let look = store::find_look(at, id.as_str()).await?;
    let (Some(account), Some(look)) = (account, look) else { return Ok(Commit::new()) };
    let Some(step) = look.step.filter(|_| job.id == look_job(&account.id, &look).id) else {
        return Ok(Commit::new());
    };
    let provider = provider::of(at, &account).await?;
    let since = (step == Step::Events).then_some(look.since);
    let page = provider.list(at, step.list(), since, look.after.as_deref()).await;
    let page = page.map_err(refetch::failure)?;
    let mut after = Look { version: look.version + 1, pages: look.pages + 1, ..look.clone() };
    let mut commit = Commit::new();
    for item in &page.items {
        after.seen += 1;
        let (drifted, mended) = match step {
            Step::Events => missed(at, &account, &provider, item).await?,
            _ => compared(at, &account, &provider, item).await?,
        };
        after.drifted += u64::from(drifted);
        commit = commit.and(mended);
    }
    after.after = page.next.filter(|_| after.pages < PAGES_MAX);
    if after.after.is_none() {
        after.step = step.next(look.full);
    }
    let commit = commit.and(store::put_look(&account.id, &after));
    match after.step {
        Some(_) => Ok(commit.job(look_job(&account.id, &after))),
        None => Ok(done(at, &account, commit, after)),
    }
}

fn done(at: &impl Tenant, account: &Account, mut commit: Commit, look: Look) -> Commit {
    // The row of this step is written with its end instead.
    commit.writes.pop();
    let look = Look { ended_at: Some(at.now()), ..look };
    let data = json!({"full": look.full, "seen": look.seen, "drifted": look.drifted});
    let entry = Draft::new("payment_account.reconciled", &Id::trusted(account.id.clone()));
    commit.and(store::put_look(&account.id, &look)).entry(entry.with(data))
}

/// An event that never came: it is stored, and its object fetched.
async fn missed(
    at: &impl Tenant,
    account: &Account,
    provider: &impl PaymentProvider,
    item: &Value,
) -> Result<(bool, Commit), Failure> {
    let Some(read) = provider.hint(item) else { return Ok((false, Commit::new())) };
    if store::find_event(at, &account.id, &read.id).await?.is_some() {
        return Ok((false, Commit::new()));
    }
    let body = serde_json::to_vec(item).unwrap_or_default();
    let event = incoming::event(at, account, Some(&read), &body);
    let event = event.map_err(|err| Failure::again(err.words()))?;
    let effect = match event.state {
        incoming::EventState::Stored => incoming::effect(at, account, &read),
        _ => Commit::new(),
    };
    let drift = Drift {
        object: read.id,
        kind: format!("event {}", read.kind),
        ours: None,
        theirs: item.clone(),
        found_at: at.now(),
    };
    let told = store::put_drift(&account.id, &drift);
    Ok((true, store::insert_event(&event).and(effect).and(told)))
}

/// An object beside its mirror. One that nobody knew is taken; one that differs is written down and
/// fetched, because a list is a hint as well: it can be older than the mirror by now.
async fn compared(
    at: &impl Tenant,
    account: &Account,
    provider: &impl PaymentProvider,
    item: &Value,
) -> Result<(bool, Commit), Failure> {
    let Some((id, theirs)) = provider.read(item) else { return Ok((false, Commit::new())) };
    let ours = store::find_object(at, &account.id, &id).await?.map(|it| it.0);
    let object = item.get("object").and_then(Value::as_str).unwrap_or_default();
    let mended = match &ours {
        None => refetch::take(at, account, provider, item).await?,
        Some(ours) => match mirror::news(&id, Some(ours), theirs.clone()) {
            Some(_) => Commit::new().job(refetch::job(&account.id, object, &id, at.now())),
            None => Commit::new(),
        },
    };
    if mended.is_empty() {
        return Ok((false, mended));
    }
    let (ours, theirs) = (ours.map(|it| json!(it)), json!(theirs));
    let kind = theirs.get("kind").and_then(Value::as_str).unwrap_or_default().to_owned();
    let drift = Drift { object: id, kind, ours, theirs, found_at: at.now() };
    Ok((true, mended.and(store::put_drift(&account.id, &drift))))
}

/// Lists what differed, as JSON, or as text for people.
pub async fn drift(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let account = account::find(at, call).await?;
    let (limit, cursor) = call.page()?;
    let after = cursor.as_ref().map_or("", |it| it.key());
    let found = store::list_drift(at, &account.id, after, limit + 1).await?;
    let accept = call.request.headers().get(header::ACCEPT).and_then(|it| it.to_str().ok());
    if accept.is_some_and(|it| it.contains("text/plain")) {
        let lines: Vec<_> = found.iter().map(line).collect();
        return Ok(respond(StatusCode::OK, "text/plain; charset=utf-8", lines.concat()));
    }
    Ok(json_response(StatusCode::OK, &Page::of(found, limit, |it| it.object.clone())))
}

fn line(it: &Drift) -> String {
    let ours = it.ours.as_ref().map_or("unknown".to_owned(), ToString::to_string);
    format!(
        "{} {} {}\n  ours:   {ours}\n  theirs: {}\n",
        it.found_at, it.kind, it.object, it.theirs
    )
}
