//! Standings: how what was promised of tickets stands, read from their logs.
//!
//! What is kept beside a ticket is a projection for lists: it is what the log gave when something
//! last happened, and nothing of it goes with time. Whoever asks for one ticket has its log read.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::json;
use shared::{
    domain::{Draft, Page, Timestamp},
    http::{Response, StatusCode, json as json_response},
    log,
    ports::{PortError, Tenant},
    problem::Problem,
    route::Call,
};
use utoipa::ToSchema;

use super::{
    history::{History, What},
    policy::Target,
    report::{Report, TargetReport, TargetState},
    walk::{Standing, Walk},
};
use crate::{
    store,
    ticket::{Ticket, by, find, write},
};

/// How many entries of a ticket's log are read at once: an answer can be large.
const PAGE: u32 = 50;
/// How many are read of one ticket at most.
const ENTRIES_MAX: usize = 20_000;

/// How a ticket stands, as it is kept for lists.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize, ToSchema)]
#[schema(as = SlaKept)]
pub struct Kept {
    /// What is or was promised.
    pub targets: Vec<KeptTarget>,
}

/// How one promise stands, as it is kept for lists.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize, ToSchema)]
#[schema(as = SlaKeptTarget)]
pub struct KeptTarget {
    /// What.
    pub target: Target,
    /// How it stands.
    pub state: TargetState,
    /// Which time of it.
    pub round: u32,
    /// When it is broken, or was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_at: Option<Timestamp>,
    /// When it was done, in time or not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub met_at: Option<Timestamp>,
    /// At how much of it somebody was told, in percent.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub told: BTreeSet<u16>,
    /// When an agent took note.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledged_at: Option<Timestamp>,
}

/// A ticket of which something is due.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = DueTicket)]
pub struct Due {
    /// When the soonest of what is not done is due, or was.
    pub due_at: Timestamp,
    /// How what was promised stands.
    pub targets: Vec<KeptTarget>,
    /// The ticket.
    pub ticket: Ticket,
}

/// Of which promise an agent takes note.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SlaAcknowledgement {
    /// Of which.
    pub target: Target,
}

impl Kept {
    /// When the soonest of what is not done is due, or was.
    pub fn due_at(&self) -> Option<Timestamp> {
        let waits = |it: &&KeptTarget| {
            let is_on = matches!(it.state, TargetState::Running | TargetState::Breached);
            is_on && it.met_at.is_none()
        };
        self.targets.iter().filter(waits).filter_map(|it| it.due_at).min()
    }
}

impl Standing<'_> {
    /// What is kept of it. Of what is over only how it ended: it is due no more.
    pub fn kept(&self) -> Kept {
        let told = |it: &TargetReport| {
            let of = self.told.iter().filter(|of| of.target == it.target && of.round == it.round);
            of.map(|it| it.percent).collect()
        };
        let is_active = self.state.is_active();
        let targets = self.report().targets.into_iter();
        let targets = targets.filter(|it| it.state != TargetState::None).map(|it| KeptTarget {
            told: told(&it),
            target: it.target,
            state: it.state,
            round: it.round,
            due_at: it.due_at.filter(|_| is_active),
            met_at: it.met_at,
            acknowledged_at: it.acknowledged_at,
        });
        Kept { targets: targets.collect() }
    }
}

/// What happened to a ticket, by its log. `None` when there is too much of it.
///
/// # Errors
/// When the log cannot be read.
pub async fn history(at: &impl Tenant, ticket: &str) -> Result<Option<History>, PortError> {
    let (mut history, mut after, mut count) = (History::default(), 0, 0);
    loop {
        let entries = log::read(at, after, PAGE, Some(ticket)).await?;
        entries.iter().for_each(|it| history.read(it));
        count += entries.len();
        match entries.last() {
            Some(last) if entries.len() == PAGE as usize => after = last.sequence,
            _ => return Ok(Some(history)),
        }
        if count >= ENTRIES_MAX {
            return Ok(None);
        }
    }
}

/// Tells how what was promised of a ticket stands, from its log.
pub async fn get(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let ticket = find(at, call).await?;
    let promises = store::promises(at).await?;
    let history = history(at, ticket.id.as_str()).await?.ok_or_else(too_much)?;
    let report = Report::of(&promises, history.all(), at.now());
    Ok(json_response(StatusCode::OK, &report))
}

/// Takes note of a promise: nobody else is told of it in this round.
pub async fn acknowledge(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let (asked, by) = (call.json::<SlaAcknowledgement>()?, by(at, call).await?);
    let ticket = find(at, call).await?;
    let promises = store::promises(at).await?;
    let mut history = history(at, ticket.id.as_str()).await?.ok_or_else(too_much)?;
    let now = at.now();
    let before = Report::of(&promises, history.all(), now);
    let target = before.target(asked.target).filter(|it| is_waited_for(it));
    let target = target.ok_or_else(|| nothing_to_note(asked.target))?;
    if target.acknowledged_at.is_some() {
        return Ok(json_response(StatusCode::OK, &before));
    }
    let round = target.round;
    history.add(now, What::Acknowledged { target: asked.target, round });
    let report = Report::of(&promises, history.all(), now);
    let data = json!({"target": asked.target, "round": round, "by": by});
    let entry = Draft::new("ticket.sla_acknowledged", &ticket.id).with(data);
    let (_, commit) = write::touched(at, &ticket, ticket.clone()).await?;
    let response = json_response(StatusCode::OK, &report);
    at.answer(commit.entry(entry), response, Problem::changed_meanwhile).await
}

fn too_much() -> Problem {
    let kind = "/problems/tickets/too-much";
    Problem::new(StatusCode::CONFLICT, kind, "Too much happened to the ticket")
        .detail(format!("what is promised is known of up to {ENTRIES_MAX} entries: open another"))
}

fn is_waited_for(it: &TargetReport) -> bool {
    let states = [TargetState::Running, TargetState::Paused, TargetState::Breached];
    states.contains(&it.state) && it.met_at.is_none()
}

fn nothing_to_note(target: Target) -> Problem {
    let kind = "/problems/tickets/nothing-due";
    Problem::new(StatusCode::CONFLICT, kind, "Nothing is due")
        .detail(format!("nobody waits for {} now", target.word()))
}

/// Lists tickets of which something is due, the soonest first.
pub async fn due(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let (limit, cursor) = call.page()?;
    let place = |key: &str| {
        let (due_at, ticket) = key.split_once(' ')?;
        Some((Timestamp(due_at.parse().ok()?), ticket.to_owned()))
    };
    let bad = || Problem::invalid().detail("cursor is what the page before gave as next");
    let after = cursor.as_ref().map(|it| place(it.key()).ok_or_else(bad)).transpose()?;
    let after = after.unwrap_or((Timestamp(0), String::new()));
    let found = store::list_due(at, (after.0, &after.1), limit + 1).await?;
    let key = |it: &Due| format!("{} {}", it.due_at.0, it.ticket.id);
    Ok(json_response(StatusCode::OK, &Page::of(found, limit, key)))
}

/// How a ticket stands now, by its log: what is kept of it has to be equal.
///
/// # Errors
/// When the database fails.
pub async fn kept_now(at: &impl Tenant, ticket: &str) -> Result<Kept, PortError> {
    let promises = store::promises(at).await?;
    let history = history(at, ticket).await?.unwrap_or_default();
    Ok(Walk::through(&promises, history.all(), at.time()).kept())
}
