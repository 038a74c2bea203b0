//! Merging: two tickets that are one. What was said in the first is in the second from then on, and
//! the first is over: nothing is promised of it, and what comes for it goes to the second.

use serde::Deserialize;
use serde_json::json;
use shared::{
    domain::{Commit, Draft, Id},
    http::{Response, StatusCode},
    ports::Tenant,
    problem::Problem,
    route::Call,
};
use utoipa::ToSchema;

use super::{
    COPIES_MAX, MESSAGES_MAX, Ticket, by,
    change::{answer, merged},
    find, write,
};
use crate::{state::State, store};

/// Into which ticket.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TicketMerge {
    /// The one that goes on.
    pub into: String,
    /// Whether who asked in the one that ends reads the answers in the other from now on. They read
    /// what is said there: it is not done by itself.
    #[serde(default)]
    pub copy_requester: bool,
}

/// Merges a ticket into another, which is answered.
pub async fn merge(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let (asked, by) = (call.json::<TicketMerge>()?, by(at, call).await?);
    let ends = find(at, call).await?;
    if call.if_match()?.is_some_and(|it| it != ends.version) {
        return Err(Problem::changed_meanwhile());
    }
    let goes_on = other(at, "into", &asked.into).await?;
    fits(at, &ends, &goes_on).await?;
    let (after, commit) = merging(at, &ends, &goes_on, asked.copy_requester, by.as_deref()).await?;
    at.answer(commit, answer(StatusCode::OK, &after), Problem::changed_meanwhile).await
}

/// The ticket that a body names.
///
/// # Errors
/// 422 when there is none.
pub async fn other(at: &impl Tenant, path: &str, id: &str) -> Result<Ticket, Problem> {
    let id = Id::parse("tkt", id);
    let found = match &id {
        Some(id) => store::find_ticket(at, id.as_str()).await?,
        None => None,
    };
    found.ok_or_else(|| Problem::unfitting(path, "no ticket has this id"))
}

async fn fits(at: &impl Tenant, ends: &Ticket, goes_on: &Ticket) -> Result<(), Problem> {
    if ends.id == goes_on.id {
        return Err(Problem::unfitting("into", "another ticket than this one"));
    }
    if ends.state == State::Merged {
        return Err(merged(ends));
    }
    if goes_on.state == State::Merged {
        return Err(merged(goes_on));
    }
    let both =
        store::count_messages(at, &ends.id).await? + store::count_messages(at, &goes_on.id).await?;
    if both > MESSAGES_MAX {
        let most = u32::try_from(MESSAGES_MAX).unwrap_or(u32::MAX);
        return Err(Problem::full_list(most, "messages in a ticket", "link the two instead"));
    }
    Ok(())
}

async fn merging(
    at: &impl Tenant,
    ends: &Ticket,
    goes_on: &Ticket,
    copies: bool,
    by: Option<&str>,
) -> Result<(Ticket, Commit), Problem> {
    let mut after = goes_on.clone();
    if let Some(email) = ends.requester.email.as_ref().filter(|_| copies) {
        let known = goes_on.requester.email.as_ref() == Some(email);
        if !known && !after.copies.contains(email) && after.copies.len() < COPIES_MAX {
            after.copies.push(email.clone());
        }
    }
    let copied = after.copies.len() > goes_on.copies.len();
    let over =
        Ticket { state: State::Merged, merged_into: Some(goes_on.id.clone()), ..ends.clone() };
    let copied = ends.requester.email.as_ref().filter(|_| copied);
    let was = json!({"into": goes_on.id, "state": ends.state, "copied": copied, "by": by});
    let (_, first) = write::touched(at, ends, over).await?;
    let (after, second) = write::touched(at, goes_on, after).await?;
    let commit = first
        .entry(Draft::new("ticket.merged", &ends.id).with(was))
        .and(second)
        .and(store::move_messages(&ends.id, &goes_on.id))
        .entry(
            Draft::new("ticket.absorbed", &goes_on.id).with(json!({"ticket": ends.id, "by": by})),
        );
    Ok((after, commit))
}

/// What undoes a merge: the ticket is where it was, and what was said in it is back. What came for
/// it since stays where it came to.
///
/// # Errors
/// 409 when it is not merged there any more.
pub async fn unmerged(
    at: &impl Tenant,
    ticket: &Ticket,
    data: &serde_json::Value,
    by: Option<&str>,
) -> Result<(Ticket, Commit), Problem> {
    let into = data.get("into").and_then(|it| it.as_str()).unwrap_or_default();
    let is_there = ticket.merged_into.as_ref().is_some_and(|it| it.as_str() == into);
    let goes_on = store::find_ticket(at, into).await?.filter(|_| is_there);
    let state = data.get("state").and_then(|it| State::parse(it.as_str()?));
    let (Some(goes_on), Some(state)) = (goes_on, state) else {
        return Err(super::undo::cannot("it is not merged there any more"));
    };
    let mut other = goes_on.clone();
    if let Some(copied) = data.get("copied").and_then(|it| it.as_str()) {
        other.copies.retain(|it| it != copied);
    }
    let back = Ticket { state, merged_into: None, ..ticket.clone() };
    let (back, first) = write::touched(at, ticket, back).await?;
    let (_, second) = write::touched(at, &goes_on, other).await?;
    let told = |ticket: &Id| json!({"ticket": ticket, "state": state, "by": by});
    let commit = first
        .and(second)
        .and(store::return_messages(&goes_on.id, &ticket.id))
        .entry(Draft::new("ticket.unmerged", &ticket.id).with(told(&goes_on.id)))
        .entry(Draft::new("ticket.released", &goes_on.id).with(json!({"ticket": ticket.id})));
    Ok((back, commit))
}
