//! Writing: what every change of a ticket comes with.
//!
//! Each change is one commit: the ticket, its entry in the log, and what others keep of it.

use serde_json::{Map, Value, json};
use shared::{
    domain::{Commit, Draft},
    ports::Tenant,
    problem::Problem,
};

use super::Ticket;
use crate::{context, desk, form::rating, priority, settings::Settings, sla, store};

/// What opening a ticket writes. It is decided how soon it is to be looked at, and what rules make
/// of it. Nothing is to answer a `quiet` one by itself (RFC 3834): rules of notifications look for
/// that in its entry.
///
/// # Errors
/// When the database fails.
pub async fn opened(
    at: &impl Tenant,
    settings: &Settings,
    new: Ticket,
    by: Option<&str>,
    quiet: bool,
) -> Result<(Ticket, Commit), Problem> {
    let it = decided(at, settings, Ticket { version: 1, ..new }).await?;
    let mut data = told(&it, by);
    if let Some(data) = data.as_object_mut().filter(|_| quiet) {
        data.insert("quiet".to_owned(), true.into());
    }
    let entry = Draft::new("ticket.opened", &it.id).with(data);
    let commit = store::insert_ticket(&it).entry(entry).and(followed(at, None, &it).await?);
    Ok((it, commit))
}

/// What is told of a ticket that is opened.
fn told(it: &Ticket, by: Option<&str>) -> Value {
    json!({
        "number": it.number, "subject": it.subject, "state": it.state, "channel": it.channel,
        "priority": it.priority, "impact": it.impact, "urgency": it.urgency,
        "requester": it.requester, "mailbox": it.mailbox, "assignee": it.assignee,
        "team": it.team, "tags": it.tags, "customer": it.requester.customer, "plan": it.plan,
        "fields": it.fields, "incident": it.incident, "because": it.because,
        "follows": it.follows, "by": by,
    })
}

/// What changing a ticket writes: what it is now, and `ticket.changed` with what is different. How
/// soon it is to be looked at is decided anew where it can be different.
///
/// # Errors
/// When the database fails.
pub async fn changed(
    at: &impl Tenant,
    settings: &Settings,
    before: &Ticket,
    after: Ticket,
    by: Option<&str>,
    why: Option<&str>,
) -> Result<(Ticket, Commit), Problem> {
    let weighs = |it: &Ticket| {
        (it.impact, it.urgency, it.tags.clone(), it.pinned, it.incident.clone(), it.fields.clone())
    };
    let after = match weighs(before) == weighs(&after) || after.pinned {
        true => after,
        false => decided(at, settings, after).await?,
    };
    let (was, is) = differing(before, &after);
    let mut data = json!({"before": was, "after": is, "by": by});
    if let (Some(why), Some(data)) = (why, data.as_object_mut()) {
        data.insert("why".to_owned(), why.into());
    }
    // Beside what was changed, as nobody set it: it is what was found when all was decided anew.
    if let (true, Some(data)) = (before.plan != after.plan, data.as_object_mut()) {
        data.insert("plan".to_owned(), json!(after.plan));
    }
    let entry = Draft::new("ticket.changed", &after.id).with(data);
    let (after, commit) = touched(at, before, after).await?;
    let commit = commit.entry(entry);
    Ok(match rating::asked(at, settings, before, &after).await? {
        Some(asked) => (after, commit.entry(asked)),
        None => (after, commit),
    })
}

/// What any change of a ticket writes, but for its entry in the log: what happened is told by
/// whoever asks.
///
/// # Errors
/// When the database fails.
pub async fn touched(
    at: &impl Tenant,
    before: &Ticket,
    after: Ticket,
) -> Result<(Ticket, Commit), Problem> {
    let after = Ticket { version: before.version + 1, updated_at: at.now(), ..after };
    let commit = store::update_ticket(&after).and(followed(at, Some(before), &after).await?);
    Ok((after, commit))
}

/// What others keep of a ticket, in the commit that changes it.
async fn followed(
    at: &impl Tenant,
    before: Option<&Ticket>,
    after: &Ticket,
) -> Result<Commit, Problem> {
    Ok(desk::touched(at, before, after).await?.and(sla::touched(at, after).await?))
}

/// The ticket with its priority, and with what rules make of it.
async fn decided(at: &impl Tenant, settings: &Settings, it: Ticket) -> Result<Ticket, Problem> {
    let plan = context::plan(at, it.requester.customer.as_deref()).await?;
    Ok(priority::decide(Ticket { plan, ..it }, settings))
}

/// What of a ticket is told when it changes.
const TOLD: [&str; 15] = [
    "state",
    "priority",
    "impact",
    "urgency",
    "assignee",
    "team",
    "subject",
    "tags",
    "fields",
    "copies",
    "incident",
    "sla",
    "pinned",
    "requester",
    "rating",
];

/// What was, and what is, of whatever is different.
pub fn differing(before: &Ticket, after: &Ticket) -> (Value, Value) {
    let (before, after) = (json!(before), json!(after));
    let (mut was, mut is) = (Map::new(), Map::new());
    for name in TOLD {
        let (old, new) = (before.get(name), after.get(name));
        if old != new {
            was.insert(name.to_owned(), old.cloned().unwrap_or_default());
            is.insert(name.to_owned(), new.cloned().unwrap_or_default());
        }
    }
    (was.into(), is.into())
}
