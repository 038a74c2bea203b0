//! Looking: what is due of a ticket is told, and how it stands is kept.
//!
//! Each commit that changes a ticket queues one job for it, which reads its log, tells what is due,
//! keeps how it stands, and comes again when the next alert goes out or other promises apply. Each
//! alert is an entry of the log, `ticket.sla_warned` or `ticket.sla_breached`, so whoever reads the
//! log knows what went out; and it is committed only if the ticket is the one that was read. Rules
//! of notifications make mail of them, by the ways and in the hours of their own.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use serde_json::{Value, json};
use shared::{
    domain::{Commit, Draft, Failure, Job, NewJob, Timestamp},
    ports::{PortError, Tenant},
};

use super::{
    alert::Alert,
    history::What,
    policy::To,
    report::TargetState,
    standing::history,
    terms::Promises,
    walk::{Standing, Walk},
};
use crate::{
    desk::{self, team::Team},
    store,
    ticket::Ticket,
};

/// Looks at a ticket.
pub const LOOK: &str = "tickets.sla.look";
/// Has all tickets looked at that a change of promises can matter to.
pub const SWEEP: &str = "tickets.sla.sweep";
/// How many tickets are queued in one job.
const SLICE: u32 = 200;
/// How many members are told at once: as many as a rule of notifications takes.
const TOLD_MAX: usize = 50;

/// The job that looks at a ticket.
fn looking(ticket: &str) -> NewJob {
    NewJob::new(LOOK, format!("{LOOK}:{ticket}"), json!({"id": ticket})).sooner()
}

/// The job that has tickets looked at after the one with this id: all, or those for which somebody
/// waits. `changes` tells the walk of one change from that of another.
pub fn sweeping(changes: i64, all: bool, after: &str) -> NewJob {
    let body = json!({"changes": changes, "all": all, "after": after});
    NewJob::new(SWEEP, format!("{SWEEP}:{changes}:{after}"), body)
}

/// What a change of a ticket writes of promises, in its own commit, after the ticket.
///
/// # Errors
/// When it cannot be read whether anything is promised.
pub async fn touched(at: &impl Tenant, after: &Ticket) -> Result<Commit, PortError> {
    // Where nothing was ever promised there is nothing to look at; who promises something has all
    // tickets looked at that were there by then.
    match store::promise_changes(at).await? {
        0 => Ok(store::no_promises(&after.id)),
        _ => Ok(Commit::new().job(looking(after.id.as_str()))),
    }
}

/// Has the next slice of tickets looked at.
///
/// # Errors
/// When the database fails.
pub async fn sweep(at: &impl Tenant, job: &Job) -> Result<Commit, Failure> {
    let changes = job.body.get("changes").and_then(Value::as_i64).unwrap_or_default();
    let all = job.body.get("all").and_then(Value::as_bool).unwrap_or(true);
    let after = job.body.get("after").and_then(Value::as_str).unwrap_or_default();
    let tickets = if all {
        store::walk_tickets(at, after, SLICE).await?
    } else {
        store::walk_active_tickets(at, after, SLICE).await?
    };
    let mut commit = Commit::new();
    for it in &tickets {
        commit = commit.job(looking(it.id.as_str()));
    }
    match tickets.last().filter(|_| tickets.len() == SLICE as usize) {
        Some(last) => Ok(commit.job(sweeping(changes, all, last.id.as_str()))),
        None => Ok(commit),
    }
}

/// Looks at a ticket.
///
/// # Errors
/// No failure while there is more to come; else the database's.
pub async fn look(at: &impl Tenant, job: &Job) -> Result<Commit, Failure> {
    let id = job.subject()?;
    // The ticket first: whatever happens to it after this makes the commit a conflict.
    let Some(ticket) = store::find_ticket(at, id.as_str()).await? else {
        return Ok(Commit::new());
    };
    let promises = store::promises(at).await?;
    let Some(mut history) = history(at, id.as_str()).await? else {
        return Err(Failure::dead(format!("too much happened to {id}")));
    };
    let now = at.time();
    let mut commit = Commit::new();
    for it in Walk::through(&promises, history.all(), now).alerts() {
        if it.at > now {
            break;
        }
        let to = members(at, &ticket, &it.to).await?;
        commit = commit.entry(told(&ticket, &it, &to));
        history.add(now, What::Told(it.of));
    }
    let standing = Walk::through(&promises, history.all(), now);
    let kept = store::keep_standing(&ticket, &standing.kept());
    commit = commit.and(desk::due_changing(at, &ticket, kept).await?);
    match next(&promises, &standing) {
        Some(next) => Err(Failure::postponed(next.since(now), commit)),
        None => Ok(commit),
    }
}

/// When there is something to look at next, if nothing else happens.
fn next(promises: &Promises, standing: &Standing<'_>) -> Option<Timestamp> {
    let alert = standing.alerts().first().map(|it| it.at);
    let change = promises.changes_after(standing.now).filter(|_| standing.state.is_active());
    // That it is broken may have been told already, by a version that was forgotten since.
    let targets = standing.report().targets.into_iter();
    let breaks = targets.filter(|it| it.state == TargetState::Running).filter_map(|it| it.due_at);
    let breaks = breaks.filter(|it| *it > standing.now);
    alert.into_iter().chain(change).chain(breaks).min()
}

/// The members that are meant, each once.
async fn members(
    at: &impl Tenant,
    ticket: &Ticket,
    to: &[To],
) -> Result<BTreeSet<String>, PortError> {
    let mut all = BTreeSet::new();
    for it in to {
        match it {
            To::Assignee => all.extend(ticket.assignee.clone()),
            To::Member(it) => _ = all.insert(it.clone()),
            To::Team => {
                let Some(name) = &ticket.team else { continue };
                let team = store::find_tool::<Team>(at, name).await?;
                all.extend(team.into_iter().flat_map(|it| it.members));
            }
        }
    }
    Ok(all.into_iter().take(TOLD_MAX).collect())
}

fn told(ticket: &Ticket, it: &Alert, to: &BTreeSet<String>) -> Draft {
    let action = if it.is_breach() { "ticket.sla_breached" } else { "ticket.sla_warned" };
    let data = json!({
        "number": ticket.number, "subject": ticket.subject, "priority": ticket.priority,
        "assignee": ticket.assignee, "team": ticket.team,
        "target": it.of.target, "round": it.of.round, "percent": it.of.percent,
        "due_at": it.due_at, "step": it.step, "to": to,
    });
    Draft::new(action, &ticket.id).with(data)
}
