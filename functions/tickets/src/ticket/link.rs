//! Links: that tickets have to do with each other.

use serde::{Deserialize, Serialize};
use serde_json::json;
use shared::{
    domain::{Commit, Draft, Id},
    http::{Response, StatusCode, empty, json as json_response},
    ports::Tenant,
    problem::Problem,
    route::Call,
};
use utoipa::ToSchema;

use super::{Ticket, by, find, merge::other, write};
use crate::store;

/// How many links a ticket has.
pub const LINKS_MAX: u32 = 50;
/// How far up it is looked whether a ticket would be its own parent.
const PARENTS_MAX: usize = 20;

/// How the other has to do with a ticket.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = TicketLinkKind)]
pub enum Kind {
    /// Somehow.
    Related,
    /// It is the one that this is a part of.
    Parent,
    /// It is a part of this.
    Child,
    /// It is solved before this can be.
    BlockedBy,
    /// This is solved before it can be.
    Blocks,
}

/// A ticket that another has to do with.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = TicketLink)]
pub struct Link {
    /// How.
    pub kind: Kind,
    /// The other.
    pub ticket: Id,
}

/// The tickets that one has to do with.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TicketLinks)]
pub struct Links {
    /// By kind.
    pub items: Vec<Link>,
}

impl Kind {
    const ALL: [Self; 5] =
        [Self::Related, Self::Parent, Self::Child, Self::BlockedBy, Self::Blocks];

    /// As it is written.
    pub fn word(self) -> &'static str {
        match self {
            Self::Related => "related",
            Self::Parent => "parent",
            Self::Child => "child",
            Self::BlockedBy => "blocked_by",
            Self::Blocks => "blocks",
        }
    }

    /// The kind that is written like this.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.word() == word)
    }

    /// The same from the other side.
    pub fn back(self) -> Self {
        match self {
            Self::Related => Self::Related,
            Self::Parent => Self::Child,
            Self::Child => Self::Parent,
            Self::BlockedBy => Self::Blocks,
            Self::Blocks => Self::BlockedBy,
        }
    }
}

/// Lists them.
pub async fn list(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let ticket = find(at, call).await?;
    let items = store::list_links(at, &ticket.id, LINKS_MAX).await?;
    Ok(json_response(StatusCode::OK, &Links { items }))
}

/// Links a ticket to another.
pub async fn link(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let (link, by) = (call.json::<Link>()?, by(at, call).await?);
    let ticket = find(at, call).await?;
    let other = other(at, "ticket", link.ticket.as_str()).await?;
    let commit = linked(at, &ticket, link.kind, &other, by.as_deref()).await?;
    at.answer(commit, json_response(StatusCode::CREATED, &link), || {
        Problem::unfitting("ticket", "it is linked so already")
    })
    .await
}

/// What linking writes.
///
/// # Errors
/// 422 when a ticket would be its own parent or linked to itself, 409 when it has too many.
pub async fn linked(
    at: &impl Tenant,
    ticket: &Ticket,
    kind: Kind,
    other: &Ticket,
    by: Option<&str>,
) -> Result<Commit, Problem> {
    if ticket.id == other.id {
        return Err(Problem::unfitting("ticket", "another ticket than this one"));
    }
    for it in [ticket, other] {
        let links = store::list_links(at, &it.id, LINKS_MAX).await?;
        if links.len() >= LINKS_MAX as usize {
            return Err(Problem::full_list(LINKS_MAX, "links of a ticket", "remove one"));
        }
    }
    let (child, parent) = match kind {
        Kind::Parent => (ticket, other),
        Kind::Child => (other, ticket),
        _ => return told(at, "ticket.linked", ticket, kind, other, by).await,
    };
    if parents(at, &child.id).await?.next().is_some() {
        return Err(Problem::unfitting("kind", "it has a parent already"));
    }
    if is_above(at, child, parent).await? {
        return Err(Problem::unfitting("ticket", "a ticket is not part of its own part"));
    }
    told(at, "ticket.linked", ticket, kind, other, by).await
}

/// Whether the first is the second, or above it.
async fn is_above(at: &impl Tenant, it: &Ticket, of: &Ticket) -> Result<bool, Problem> {
    let mut next = Some(of.id.clone());
    for _ in 0..PARENTS_MAX {
        let Some(id) = next else { return Ok(false) };
        if id == it.id {
            return Ok(true);
        }
        next = parents(at, &id).await?.next();
    }
    Err(Problem::unfitting("ticket", format!("parts are at most {PARENTS_MAX} deep")))
}

async fn parents(at: &impl Tenant, id: &Id) -> Result<impl Iterator<Item = Id>, Problem> {
    let links = store::list_links(at, id, LINKS_MAX).await?;
    Ok(links.into_iter().filter(|it| it.kind == Kind::Parent).map(|it| it.ticket))
}

/// Removes a link.
pub async fn unlink(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let by = by(at, call).await?;
    let ticket = find(at, call).await?;
    let kind = Kind::parse(call.param_at(1)).ok_or_else(Problem::not_found)?;
    let id = Id::parse("tkt", call.param_at(2)).ok_or_else(Problem::not_found)?;
    let other = store::find_ticket(at, id.as_str()).await?.ok_or_else(Problem::not_found)?;
    let commit = told(at, "ticket.unlinked", &ticket, kind, &other, by.as_deref()).await?;
    at.answer(commit, empty(StatusCode::NO_CONTENT), Problem::not_found).await
}

/// What linking and unlinking write.
///
/// # Errors
/// When the database fails.
pub async fn told(
    at: &impl Tenant,
    action: &'static str,
    ticket: &Ticket,
    kind: Kind,
    other: &Ticket,
    by: Option<&str>,
) -> Result<Commit, Problem> {
    let row = match action {
        "ticket.linked" => store::insert_link(&ticket.id, kind, &other.id),
        _ => store::delete_link(&ticket.id, kind, &other.id),
    };
    let (_, touched) = write::touched(at, ticket, ticket.clone()).await?;
    let data = json!({"ticket": other.id, "kind": kind, "by": by});
    Ok(row.and(touched).entry(Draft::new(action, &ticket.id).with(data)))
}
