//! Changing many tickets at once. Each succeeds by itself or says why not, and all that succeed are
//! one commit.

use serde::{Deserialize, Serialize};
use shared::{
    domain::{Commit, Id},
    http::{Response, StatusCode, json as json_response},
    ports::Tenant,
    problem::Problem,
    route::Call,
};
use utoipa::ToSchema;

use crate::{
    settings::Settings,
    store,
    ticket::{
        Ticket, by,
        change::{TicketChange, applied},
        write,
    },
};

/// How many tickets are changed at once.
const IDS_MAX: usize = 100;

/// Many tickets, and what is to be different in each.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TicketBulk {
    /// The ids of 1 to 100 tickets, each once.
    pub ids: Vec<String>,
    /// As a change of one.
    pub change: TicketChange,
}

/// What became of each.
#[derive(Debug, Serialize, ToSchema)]
pub struct TicketBulkAnswer {
    /// In the order of the ids.
    pub items: Vec<TicketBulkItem>,
}

/// What became of one.
#[derive(Debug, Serialize, ToSchema)]
pub struct TicketBulkItem {
    /// Which one.
    pub id: String,
    /// The ticket as it is now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ticket: Option<Ticket>,
    /// Why it is as it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<Problem>,
}

/// Changes them. If one of them is changed by somebody else at the same time, none is.
pub async fn change(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let (asked, by) = (call.json::<TicketBulk>()?, by(at, call).await?);
    if !(1..=IDS_MAX).contains(&asked.ids.len()) {
        return Err(Problem::unfitting("ids", format!("1 to {IDS_MAX}")));
    }
    let twice = asked
        .ids
        .iter()
        .enumerate()
        .find(|(at, it)| asked.ids.iter().take(*at).any(|other| other == *it));
    if let Some((number, _)) = twice {
        return Err(Problem::unfitting(&format!("ids[{number}]"), "each once"));
    }
    let settings = store::find_settings(at).await?;
    let (mut commit, mut items) = (Commit::new(), Vec::new());
    for id in asked.ids {
        match changed(at, &settings, &id, asked.change.clone(), by.as_deref()).await {
            Ok((ticket, more)) => {
                commit = commit.and(more);
                items.push(TicketBulkItem { id, ticket: Some(ticket), problem: None });
            }
            Err(why) if why.status().is_server_error() => return Err(why),
            Err(why) => items.push(TicketBulkItem { id, ticket: None, problem: Some(why) }),
        }
    }
    let response = json_response(StatusCode::OK, &TicketBulkAnswer { items });
    at.answer(commit, response, Problem::changed_meanwhile).await
}

async fn changed(
    at: &impl Tenant,
    settings: &Settings,
    id: &str,
    change: TicketChange,
    by: Option<&str>,
) -> Result<(Ticket, Commit), Problem> {
    let id = Id::parse("tkt", id).ok_or_else(Problem::not_found)?;
    let before = store::find_ticket(at, id.as_str()).await?.ok_or_else(Problem::not_found)?;
    let after = applied(at, settings, &before, change).await?;
    match after == before {
        true => Ok((before, Commit::new())),
        false => write::changed(at, settings, &before, after, by, Some("bulk")).await,
    }
}
