//! Undoing: an act of an agent that the log has is taken back, where it can be.
//!
//! What was changed is changed back if it is still so; what was merged, split, linked or noted is
//! taken back as well. What somebody outside has read cannot be.

use serde::Deserialize;
use serde_json::{Value, json};
use shared::{
    domain::{Commit, Draft, Entry, Id},
    http::{Response, StatusCode},
    log,
    ports::Tenant,
    problem::Problem,
    route::Call,
};
use utoipa::ToSchema;

use super::{Ticket, by, change::answer, find, link, merge, reply, split, write};
use crate::{state::State, store};

/// Which act.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TicketUndo {
    /// The sequence of its entry in the log.
    pub sequence: i64,
}

/// 409: it cannot be taken back.
pub fn cannot(why: &str) -> Problem {
    let kind = "/problems/tickets/undo";
    Problem::new(StatusCode::CONFLICT, kind, "It cannot be undone").detail(why)
}

/// Takes an act back.
pub async fn undo(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let (asked, by) = (call.json::<TicketUndo>()?, by(at, call).await?);
    let ticket = find(at, call).await?;
    let entry = entry(at, &ticket, asked.sequence).await?;
    let (after, commit) = undone(at, &ticket, &entry, by.as_deref()).await?;
    let told = Draft::new("ticket.undone", &ticket.id)
        .with(json!({"sequence": entry.sequence, "action": entry.action, "by": by}));
    at.answer(commit.entry(told), answer(StatusCode::OK, &after), Problem::changed_meanwhile).await
}

async fn entry(at: &impl Tenant, ticket: &Ticket, sequence: i64) -> Result<Entry, Problem> {
    let before = sequence.checked_sub(1).filter(|it| *it >= 0);
    let found = match before {
        Some(before) => log::read(at, before, 1, Some(ticket.id.as_str())).await?,
        None => Vec::new(),
    };
    let found = found.into_iter().find(|it| it.sequence == sequence);
    found.ok_or_else(|| Problem::unfitting("sequence", "that of an entry of this ticket"))
}

async fn undone(
    at: &impl Tenant,
    ticket: &Ticket,
    entry: &Entry,
    by: Option<&str>,
) -> Result<(Ticket, Commit), Problem> {
    let data = &entry.data;
    match entry.action.as_str() {
        "ticket.changed" => changed_back(at, ticket, data, by).await,
        "ticket.merged" => merge::unmerged(at, ticket, data, by).await,
        "ticket.split" => split::unsplit(at, ticket, data, by).await,
        "ticket.noted" => unnoted(at, ticket, data).await,
        "ticket.linked" => linked(at, ticket, data, "ticket.unlinked", by).await,
        "ticket.unlinked" => linked(at, ticket, data, "ticket.linked", by).await,
        "ticket.replied" => Err(cannot("somebody may have read it: answer again instead")),
        _ => Err(cannot("it is no act that can be taken back")),
    }
}

/// Sets back what was changed, if all of it still is as it was set.
async fn changed_back(
    at: &impl Tenant,
    ticket: &Ticket,
    data: &Value,
    by: Option<&str>,
) -> Result<(Ticket, Commit), Problem> {
    if ticket.state == State::Merged {
        return Err(super::change::merged(ticket));
    }
    let part = |name: &str| data.get(name).and_then(Value::as_object).cloned().unwrap_or_default();
    let (was, is) = (part("before"), part("after"));
    let mut now = json!(ticket);
    for (name, set) in &is {
        if now.get(name).unwrap_or(&Value::Null) != set {
            return Err(cannot(&format!("{name} was changed again since: set it by hand")));
        }
        if let Some(now) = now.as_object_mut() {
            match was.get(name) {
                None | Some(Value::Null) => drop(now.remove(name)),
                Some(it) => drop(now.insert(name.clone(), it.clone())),
            }
        }
    }
    let back: Ticket =
        serde_json::from_value(now).map_err(|it| Problem::internal().caused_by(it))?;
    let back = Ticket { version: ticket.version, ..back };
    let settings = store::find_settings(at).await?;
    write::changed(at, &settings, ticket, back, by, Some("undone")).await
}

async fn unnoted(
    at: &impl Tenant,
    ticket: &Ticket,
    data: &Value,
) -> Result<(Ticket, Commit), Problem> {
    let id = data.get("message").and_then(Value::as_str).unwrap_or_default();
    let found = store::find_message(at, &ticket.id, id).await?.filter(|it| !it.withdrawn);
    let message = found.ok_or_else(|| cannot("the note is not here any more"))?;
    let (after, commit) = write::touched(at, ticket, ticket.clone()).await?;
    Ok((after, commit.and(reply::withdrawn(ticket, &message))))
}

async fn linked(
    at: &impl Tenant,
    ticket: &Ticket,
    data: &Value,
    action: &'static str,
    by: Option<&str>,
) -> Result<(Ticket, Commit), Problem> {
    let text = |name: &str| data.get(name).and_then(Value::as_str).unwrap_or_default();
    let kind = link::Kind::parse(text("kind"));
    let other = match Id::parse("tkt", text("ticket")) {
        Some(id) => store::find_ticket(at, id.as_str()).await?,
        None => None,
    };
    let (Some(kind), Some(other)) = (kind, other) else {
        return Err(cannot("the other ticket is not there"));
    };
    let there = store::list_links(at, &ticket.id, link::LINKS_MAX).await?;
    let there = there.iter().any(|it| it.kind == kind && it.ticket == other.id);
    if there == (action == "ticket.linked") {
        return Err(cannot("the link was changed again since"));
    }
    let commit = match action {
        "ticket.linked" => link::linked(at, ticket, kind, &other, by).await?,
        _ => link::told(at, action, ticket, kind, &other, by).await?,
    };
    let after = Ticket { version: ticket.version + 1, updated_at: at.now(), ..ticket.clone() };
    Ok((after, commit))
}
