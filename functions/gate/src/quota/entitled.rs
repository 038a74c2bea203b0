//! What customers have paid for: `entitlement.changed` in the log gives a customer its plan of
//! quotas, or takes it away. What was set by hand before is replaced.

use std::collections::BTreeMap;

use serde_json::Value;
use shared::{
    domain::{Commit, Entry, Timestamp, is_word},
    ports::{PortError, Tenant},
};

use super::{
    shown, store,
    subject::{self, OnChange, SubjectPlan},
};

/// The entry that says what a customer has.
pub const CHANGED: &str = "entitlement.changed";

/// Gives and takes what the entries say; of several about a customer the last one counts.
///
/// # Errors
/// When the database fails: then it is done later.
pub async fn follow(at: &impl Tenant, entries: &[Entry]) -> Result<Commit, PortError> {
    let changed = entries.iter().filter(|it| it.action == CHANGED && is_word(&it.subject));
    let last: BTreeMap<_, _> = changed.map(|it| (it.subject.as_str(), &it.data)).collect();
    let mut commit = Commit::new();
    for (customer, data) in last {
        commit = commit.and(one(at, customer, data).await?);
    }
    Ok(commit)
}

async fn one(at: &impl Tenant, customer: &str, data: &Value) -> Result<Commit, PortError> {
    let text = |name: &str| data.get(name).and_then(Value::as_str);
    let before = store::find_subject(at, customer).await?;
    let plan = match text("plan") {
        // A plan without quotas is none to the gate.
        Some(it) => store::find_plan(at, it).await?.map(|it| it.name),
        None => None,
    };
    let written = match (plan, before) {
        (None, None) => return Ok(Commit::new()),
        (None, Some(before)) => subject::taken(&before),
        (Some(plan), before) => {
            let new = SubjectPlan {
                plan,
                anchor: text("anchor").and_then(Timestamp::parse),
                zone: text("zone").and_then(|it| it.parse().ok()),
                on_change: OnChange::default(),
            };
            match subject::given(at, customer.to_owned(), new, before).await {
                Ok((_, commit)) => commit,
                Err(problem) => {
                    at.note(&format!("{customer} gets no plan: {}", problem.words()));
                    return Ok(Commit::new());
                }
            }
        }
    };
    Ok(written.job(shown::job(at, customer)?))
}
