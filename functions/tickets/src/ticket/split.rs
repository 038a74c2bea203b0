//! Splitting: what is asked beside the question becomes a ticket of its own.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::{Value, json};
use shared::{
    domain::{Commit, Draft},
    http::{Response, StatusCode},
    ports::Tenant,
    problem::Problem,
    route::Call,
};
use utoipa::ToSchema;

use super::{
    Requester, Ticket, by,
    change::{answer, line, merged},
    find,
    link::Kind as LinkKind,
    message::{Kind, Message},
    open::blank,
    undo::cannot,
    write,
};
use crate::{state::State, store};

/// How many messages are moved at once.
const MOVED_MAX: usize = 100;

/// What becomes a ticket of its own.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TicketSplit {
    /// The ids of its messages: up to 100, and not all that there are.
    pub messages: Vec<String>,
    /// What it is about; as this one when left out.
    #[serde(default)]
    pub subject: Option<String>,
}

/// Splits some messages off, into a new ticket, which is answered.
pub async fn split(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let (asked, by) = (call.json::<TicketSplit>()?, by(at, call).await?);
    let ticket = find(at, call).await?;
    if ticket.state == State::Merged {
        return Err(merged(&ticket));
    }
    let moved = moved(at, &ticket, &asked.messages).await?;
    let subject = asked.subject.as_deref().map(|it| line("subject", it)).transpose()?;
    let new = Ticket {
        requester: asker(&ticket, &moved),
        mailbox: ticket.mailbox.clone(),
        team: ticket.team.clone(),
        impact: ticket.impact,
        urgency: ticket.urgency,
        tags: ticket.tags.clone(),
        ..blank(at, subject.unwrap_or_else(|| ticket.subject.clone()), ticket.channel).await?
    };
    let settings = store::find_settings(at).await?;
    let (new, opened) = write::opened(at, &settings, new, by.as_deref(), false).await?;
    let (_, touched) = write::touched(at, &ticket, ticket.clone()).await?;
    let ids: Vec<_> = moved.iter().map(|it| it.id.as_str()).collect();
    let entry = Draft::new("ticket.split", &ticket.id)
        .with(json!({"into": new.id, "messages": ids, "by": by}));
    let commit = ids
        .iter()
        .fold(opened.and(touched), |it, id| it.and(store::move_message(&ticket.id, &new.id, id)))
        .and(store::insert_link(&ticket.id, LinkKind::Related, &new.id))
        .entry(entry);
    at.answer(commit, answer(StatusCode::CREATED, &new), Problem::changed_meanwhile).await
}

/// The messages that are meant: each is there, and at least one stays.
async fn moved(at: &impl Tenant, ticket: &Ticket, ids: &[String]) -> Result<Vec<Message>, Problem> {
    if !(1..=MOVED_MAX).contains(&ids.len()) {
        return Err(Problem::unfitting("messages", format!("1 to {MOVED_MAX}")));
    }
    let mut found = Vec::new();
    for (number, id) in ids.iter().enumerate() {
        let it = store::find_message(at, &ticket.id, id).await?;
        let why = || Problem::unfitting(&format!("messages[{number}]"), "it is not in this ticket");
        found.push(it.ok_or_else(why)?);
    }
    let different: BTreeSet<_> = ids.iter().collect();
    if different.len() < ids.len() {
        return Err(Problem::unfitting("messages", "each once"));
    }
    match store::count_messages(at, &ticket.id).await? > found.len() {
        true => Ok(found),
        false => Err(Problem::unfitting("messages", "not all of them: one stays")),
    }
}

/// Who asks in what was split off: whoever said the first of it outside, else as before.
fn asker(ticket: &Ticket, moved: &[Message]) -> Requester {
    let first = moved.iter().find(|it| it.kind == Kind::Received);
    let Some(first) = first.filter(|it| it.from.email != ticket.requester.email) else {
        return ticket.requester.clone();
    };
    Requester {
        email: first.from.email.clone(),
        name: first.from.name.clone(),
        member: first.from.member.clone(),
        customer: ticket.requester.customer.clone(),
    }
}

/// What undoes a split: the messages are back, and the new ticket is merged into the one that they
/// came from.
///
/// # Errors
/// 409 when something was done to the new ticket since.
pub async fn unsplit(
    at: &impl Tenant,
    ticket: &Ticket,
    data: &Value,
    by: Option<&str>,
) -> Result<(Ticket, Commit), Problem> {
    let into = data.get("into").and_then(Value::as_str).unwrap_or_default();
    let new = store::find_ticket(at, into).await?;
    let Some(new) = new.filter(|it| it.version == 1 && ticket.state != State::Merged) else {
        return Err(cannot("something was done to the new ticket since: merge it instead"));
    };
    let over = Ticket { state: State::Merged, merged_into: Some(ticket.id.clone()), ..new.clone() };
    let (_, first) = write::touched(at, &new, over).await?;
    let (after, second) = write::touched(at, ticket, ticket.clone()).await?;
    let was = json!({"into": ticket.id, "state": new.state, "by": by});
    let commit = first
        .and(second)
        .and(store::return_messages(&new.id, &ticket.id))
        .and(store::delete_link(&ticket.id, LinkKind::Related, &new.id))
        .entry(Draft::new("ticket.merged", &new.id).with(was));
    Ok((after, commit))
}
