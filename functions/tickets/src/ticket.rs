//! Tickets: what somebody asks for help with.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use shared::{
    domain::{Id, Timestamp},
    http::Response,
    ports::Tenant,
    problem::Problem,
    route::{Call, Route},
};
use utoipa::ToSchema;

use crate::{
    priority::{Level, Priority},
    state::State,
};

/// What may be asked.
pub const ROUTES: &[Route] = &[];

/// Who asks for help.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = TicketRequester)]
pub struct Requester {
    /// Their address, in lower case. Who has none is answered in the product alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// What they are called, up to 120 characters.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// The member that they are, `mem_…`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member: Option<String>,
    /// The tenant's customer that they belong to, by the tenant's own name for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<String>,
}

/// By what a ticket came.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = TicketChannel)]
pub enum Channel {
    /// By an app of the tenant.
    #[default]
    Api,
    /// By the form.
    Form,
    /// By mail.
    Mail,
}

/// What somebody asks for help with.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize, ToSchema)]
pub struct Ticket {
    /// `tkt_…`
    pub id: Id,
    /// What people call it: 1, 2, 3 …
    pub number: i64,
    /// What it is about, in a line.
    pub subject: String,
    /// Where it is.
    pub state: State,
    /// Who asks.
    pub requester: Requester,
    /// Who else reads the answers: up to 50 addresses.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub copies: Vec<String>,
    /// By what it came.
    pub channel: Channel,
    /// The mailbox that it came to, and from which it is answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mailbox: Option<Id>,
    /// The member that handles it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assignee: Option<String>,
    /// The team that it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<String>,
    /// How many are hit.
    pub impact: Level,
    /// How soon it hurts.
    pub urgency: Level,
    /// How soon it is to be looked at.
    pub priority: Priority,
    /// Why that is so, in the order in which it was decided.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub because: Vec<String>,
    /// Whether somebody set the priority by hand: rules leave it as it is.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub pinned: bool,
    /// Words that it is found by, in the order of the alphabet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// What else the tenant keeps of it.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    #[schema(value_type = Object)]
    pub fields: Map<String, Value>,
    /// The incident that it is part of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incident: Option<String>,
    /// The plan that its customer had when it was last looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,
    /// The promise that it is held to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sla: Option<String>,
    /// The ticket that has what it said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merged_into: Option<Id>,
    /// The ticket that it goes on from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub follows: Option<Id>,
    /// How its requester rated it, 1 to 5.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rating: Option<u8>,
    /// When it was opened.
    pub created_at: Timestamp,
    /// When something last happened to it.
    pub updated_at: Timestamp,
    /// Counts its changes; its ETag.
    #[serde(skip)]
    pub version: i64,
}

/// Answers a call on one of these routes.
pub async fn handle(_: &impl Tenant, _: &Call) -> Result<Response, Problem> {
    Err(Problem::not_found())
}
