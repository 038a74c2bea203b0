//! Which tickets are in which views: written in the commit that changes a ticket, and for a view
//! that is new by jobs that look at all tickets in slices.
//!
//! **Invariant:** when a view is built, its rows are the tickets of which its condition holds, each
//! where its order has it; and its count is their number. It holds at any order of commits, for who
//! changes a ticket commits only if the views are those that it was written by, and who looks at a
//! slice only if none of its tickets was changed meanwhile.

#[cfg(test)]
pub mod tests;

use std::time::Duration;

use serde_json::{Value, json};
use shared::{
    domain::{Commit, Failure, Job, NewJob},
    ports::{PortError, Tenant},
};

use super::view::View;
use crate::{store, ticket::Ticket};

/// Looks at tickets for a view.
pub const BUILD: &str = "tickets.desk.view";
/// Removes the rows of a build that is none any more.
pub const SWEEP: &str = "tickets.desk.sweep";
/// How many tickets are looked at in one job.
const SLICE: u32 = 200;
/// How many rows are removed in one job.
const SWEPT_MAX: u32 = 1_000;

/// The job that looks at all tickets for this build.
pub fn building(build: i64) -> NewJob {
    NewJob::new(BUILD, format!("{BUILD}:{build}"), json!({"build": build}))
}

/// The job that removes the rows of this build.
pub fn sweeping(build: i64) -> NewJob {
    NewJob::new(SWEEP, format!("{SWEEP}:{build}"), json!({"build": build}))
}

fn build_of(job: &Job) -> Result<i64, Failure> {
    let build = job.body.get("build").and_then(Value::as_i64);
    build.ok_or_else(|| Failure::dead("the job names no build"))
}

/// What a change of a ticket writes of the views, in its own commit, after the ticket: `before` is
/// what is replaced, `None` for one that is opened.
///
/// # Errors
/// When the views cannot be read.
pub async fn touched(
    at: &impl Tenant,
    before: Option<&Ticket>,
    after: &Ticket,
) -> Result<Commit, PortError> {
    let (changes, views) = store::views_now(at).await?;
    let seen = before.map(|it| (it, json!(it)));
    let now = json!(after);
    let mut commit = store::same_views(&after.id, changes);
    for view in &views {
        let lens = view.text.lens();
        let from = seen.as_ref().and_then(|(it, seen)| lens.place(it, seen));
        commit = commit.and(moved(view, after, from, lens.place(after, &now)));
    }
    Ok(commit)
}

/// What changes when a ticket is due, with what it changes of views that are in that order: the
/// ticket leaves its place before and has another one after.
///
/// # Errors
/// When the views cannot be read.
pub async fn due_changing(
    at: &impl Tenant,
    ticket: &Ticket,
    change: Commit,
) -> Result<Commit, PortError> {
    let (changes, views) = store::views_now(at).await?;
    let seen = json!(ticket);
    let is_in = |it: &View| it.text.lens().place(ticket, &seen).is_some();
    let signed = |it: &View| Some((it.build, it.text.due().filter(|_| is_in(it))?));
    let all: Vec<_> = views.iter().filter_map(signed).collect();
    let commit = all.iter().fold(store::same_views(&ticket.id, changes), |it, (build, sign)| {
        it.and(store::delete_due_row(*build, *sign, &ticket.id))
    });
    let commit = commit.and(change);
    Ok(all
        .iter()
        .fold(commit, |it, (build, sign)| it.and(store::insert_due_row(*build, *sign, &ticket.id))))
}

/// What is written of one view when a ticket that was here is there.
fn moved(view: &View, it: &Ticket, from: Option<i64>, to: Option<i64>) -> Commit {
    let is_built = view.after.is_none();
    match (from, to) {
        (Some(from), Some(to)) if from == to && is_built => Commit::new(),
        (Some(from), Some(to)) if is_built => store::move_row(view.build, from, to, &it.id),
        _ => {
            let due = view.text.due();
            let out = from.map(|it_was| match due {
                Some(sign) => store::delete_due_row(view.build, sign, &it.id),
                None => store::delete_row(view.build, it_was, &it.id),
            });
            let within = to.map(|it_is| match due {
                Some(sign) => store::insert_due_row(view.build, sign, &it.id),
                None => store::insert_row(view.build, it_is, &it.id),
            });
            out.unwrap_or_default().and(within.unwrap_or_default())
        }
    }
}

/// Looks at a slice of the tickets.
///
/// # Errors
/// No failure while there are more; else the database's.
pub async fn build(at: &impl Tenant, job: &Job) -> Result<Commit, Failure> {
    let build = build_of(job)?;
    let Some(view) = store::find_build(at, build).await? else { return Ok(Commit::new()) };
    let Some(after) = view.after.clone() else { return Ok(Commit::new()) };
    let tickets = store::walk_tickets(at, &after, SLICE).await?;
    let lens = view.text.lens();
    let place = |it| Some((lens.place(it, &json!(it))?, &it.id));
    let rows: Vec<_> = tickets.iter().filter_map(place).collect();
    let is_full = tickets.len() == SLICE as usize;
    let up_to = tickets.last().map(|it| it.id.as_str()).filter(|_| is_full);
    let commit = store::looked_at(&view, &tickets, up_to, &rows);
    match is_full {
        true => Err(Failure::postponed(Duration::ZERO, commit)),
        false => Ok(commit),
    }
}

/// Removes some rows.
///
/// # Errors
/// No failure while there are more; else the database's.
pub async fn sweep(at: &impl Tenant, job: &Job) -> Result<Commit, Failure> {
    match store::sweep_rows(at, build_of(job)?, SWEPT_MAX).await? {
        Some(commit) => Err(Failure::postponed(Duration::ZERO, commit)),
        None => Ok(Commit::new()),
    }
}
