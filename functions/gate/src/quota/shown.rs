//! What the edge is shown of a customer: its plan, and which of its hard quotas are used up.
//!
//! It is a document of the directory for each customer that has, or had, a plan. A row counts its
//! changes, so that of two jobs that show it the later word stays.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::json;
use shared::{
    directory,
    domain::{Commit, Failure, Job, NewJob, Principal, Timestamp},
    ports::{Edge, PortError, Tenant},
};
use utoipa::ToSchema;

use super::store;

/// Shows a customer to the edge.
pub const SHOW: &str = "gate.quota.show";
/// For how long an instance knows a customer …
const KNOWN_FOR: Duration = Duration::from_secs(1);
/// … and how many of them.
const KNOWN_MAX: usize = 10_000;

/// What is known of a customer at the edge.
#[derive(Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Shown {
    /// Its plan; `None` without one.
    pub plan: Option<String>,
    /// Which of its quotas let nothing more through.
    pub used_up: Vec<UsedUp>,
}

/// A quota that lets nothing more through.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize, ToSchema)]
#[schema(as = UsedUpQuota)]
pub struct UsedUp {
    /// What tells it from the other quotas of the plan, as `calls/month`.
    pub quota: String,
    /// The meter that counts.
    pub meter: String,
    /// Whose part of it that is, when it is only the part of one member.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member: Option<String>,
    /// When its window ends.
    pub until: Timestamp,
}

thread_local! {
    static KNOWN: RefCell<BTreeMap<String, (Timestamp, Rc<Shown>)>> = RefCell::default();
}

/// The job that shows a customer as it is then.
///
/// # Errors
/// When the runtime has no randomness.
pub fn job(at: &impl Tenant, subject: &str) -> Result<NewJob, PortError> {
    let id = format!("{SHOW}:{}", at.new_id("job")?);
    Ok(NewJob::new(SHOW, id, json!({"id": subject})))
}

/// Shows a customer to the edge.
pub async fn show(at: &impl Tenant, job: &Job) -> Result<Commit, Failure> {
    let name = job.subject()?;
    // First the number, then what is there: what is shown is at least as new as its number.
    let (version, used_up) = store::shown(at, name.as_str()).await?;
    let subject = store::find_subject(at, name.as_str()).await?;
    let shown = match subject {
        Some(it) => Shown { plan: Some(it.plan), used_up },
        None => Shown::default(),
    };
    let document = document(name.as_str());
    at.projection().show_document(&document, version, &json!(shown)).await?;
    Ok(Commit::new())
}

/// What to commit along when these quotas of a customer are used up now: nothing, if the edge
/// knows that already.
///
/// # Errors
/// When the database fails.
pub async fn found(
    at: &impl Tenant,
    subject: &str,
    used_up: &[UsedUp],
) -> Result<Commit, PortError> {
    let (_, known) = store::shown(at, subject).await?;
    if known == used_up {
        return Ok(Commit::new());
    }
    Ok(store::put_shown(subject, used_up).job(job(at, subject)?))
}

/// What the edge knows of a customer: of a sandbox as it is, and otherwise as it was at most a
/// second ago, beside what the directory's cache lags.
///
/// # Errors
/// When the directory cannot be read.
pub async fn load(
    edge: &impl Edge,
    principal: &Principal,
    customer: &str,
) -> Result<Rc<Shown>, PortError> {
    let (name, now) = (format!("{}:{customer}", principal.tenant), edge.now());
    if !principal.sandbox {
        let known = KNOWN.with_borrow(|it| it.get(&name).filter(|it| now < it.0).cloned());
        if let Some((_, shown)) = known {
            return Ok(shown);
        }
    }
    let found = directory::document(edge, &principal.tenant, &document(customer)).await?;
    let shown: Rc<Shown> = match found {
        Some((_, it)) => {
            Rc::new(serde_json::from_value(it).map_err(|err| PortError::new("customer", err))?)
        }
        None => Rc::default(),
    };
    KNOWN.with_borrow_mut(|it| {
        if it.len() >= KNOWN_MAX {
            it.clear();
        }
        it.insert(name, (now + KNOWN_FOR, Rc::clone(&shown)));
    });
    Ok(shown)
}

fn document(customer: &str) -> String {
    format!("subject:{customer}")
}
