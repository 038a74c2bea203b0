//! Entitlements: what somebody else's log entry says that a customer has. The gate gives it the
//! usage plan of that name, or takes the plan away where there is none.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};
use shared::{
    domain::{Commit, Draft, Entry, Id, Timestamp, WORD, is_word},
    ports::{PortError, Tenant},
};

use super::{
    store,
    subject::{self, ANCHOR, OnChange, SubjectPlan, UsageSubject},
    window::Zone,
};

/// The action of the entries.
pub const CHANGED: &str = "entitlement.changed";
/// The action by which the log says that one of them makes no sense.
const REFUSED: &str = "entitlement.refused";

/// What an entry says of a customer. Seats and features are for others.
#[derive(Debug, Deserialize)]
struct Entitlement {
    customer: String,
    plan: Option<String>,
    #[serde(default)]
    anchor: Option<Timestamp>,
    #[serde(default)]
    zone: Option<Zone>,
}

/// Gives each customer what the last of these entries says that it has.
///
/// # Errors
/// When the database fails.
pub async fn follow(
    at: &impl Tenant,
    entries: impl Iterator<Item = &Entry>,
) -> Result<Commit, PortError> {
    let (mut commit, mut last) = (Commit::new(), BTreeMap::new());
    for entry in entries {
        match read(entry) {
            // What an earlier one says would hold for no moment: all are taken in at once.
            Ok(it) => drop(last.insert(it.customer.clone(), (entry, it))),
            Err(why) => commit = commit.entry(refused(entry, &why)),
        }
    }
    for (entry, it) in last.into_values() {
        commit = commit.and(give(at, entry, it).await?);
    }
    Ok(commit)
}

fn read(entry: &Entry) -> Result<Entitlement, String> {
    let it = Entitlement::deserialize(&entry.data).map_err(|err| err.to_string())?;
    if is_word(&it.customer) { Ok(it) } else { Err(format!("customer: {WORD}")) }
}

fn refused(entry: &Entry, why: &str) -> Draft {
    let data = json!({"entry": entry.sequence, "error": why});
    Draft::new(REFUSED, &Id::trusted(entry.subject.clone())).with(data)
}

async fn give(at: &impl Tenant, entry: &Entry, new: Entitlement) -> Result<Commit, PortError> {
    let Entitlement { customer, plan, anchor, zone } = new;
    let before = store::find_subject(at, &customer).await?;
    let found = match &plan {
        Some(name) => store::find_plan(at, name).await?,
        None => None,
    };
    let Some(found) = found else {
        return match before {
            Some(it) => take(at, entry, &it, plan.as_deref()),
            None => Ok(Commit::new()),
        };
    };
    let new = SubjectPlan { plan: found.name, anchor, zone, on_change: OnChange::Keep };
    let Some(given) = new.of(customer, before.as_ref(), at.now()) else {
        return Ok(Commit::new().entry(refused(entry, &format!("anchor: {ANCHOR}"))));
    };
    let mut given = UsageSubject { entitled: true, ..given };
    if before.as_ref().is_some_and(|it| it.entitled && it.terms() == given.terms()) {
        return Ok(Commit::new());
    }
    let commit = subject::changed(at, before.as_ref(), &mut given).await?;
    let mut data = given.told();
    explain(&mut data, entry, before.as_ref());
    Ok(commit.entry(Draft::new("subject.put", &Id::trusted(given.subject)).with(data)))
}

fn take(
    at: &impl Tenant,
    entry: &Entry,
    it: &UsageSubject,
    wanted: Option<&str>,
) -> Result<Commit, PortError> {
    // The name is there when the customer has a plan that is none of usage.
    let mut data = json!({"entitled_to": wanted});
    explain(&mut data, entry, Some(it));
    let entry = Draft::new("subject.deleted", &Id::trusted(it.subject.clone())).with(data);
    Ok(subject::removed(at, it)?.entry(entry))
}

/// Says by which entry it came, and what was set by hand before and holds no more.
fn explain(data: &mut Value, entry: &Entry, before: Option<&UsageSubject>) {
    let Some(data) = data.as_object_mut() else { return };
    data.insert("entitlement".to_owned(), json!(entry.sequence));
    if let Some(by_hand) = before.filter(|it| !it.entitled) {
        data.insert("replaced".to_owned(), by_hand.told());
    }
}
