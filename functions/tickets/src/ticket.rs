//! Tickets: what somebody asks for help with.

pub mod change;
pub mod intake;
pub mod link;
pub mod merge;
pub mod message;
pub mod open;
pub mod portal;
pub mod presence;
pub mod read;
pub mod reply;
pub mod split;
#[cfg(test)]
mod tests;
pub mod undo;
pub mod write;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use shared::{
    domain::{Id, Timestamp},
    http::Response,
    ports::Tenant,
    problem::Problem,
    route::{Access, Call, Route},
};
use utoipa::ToSchema;

use crate::{
    READ, WRITE,
    priority::{Level, Priority},
    state::State,
    store,
};

/// The longest subject, in characters.
pub const SUBJECT_CHARS_MAX: usize = 250;
/// The longest text of a message, in bytes. What is longer in a mail is in its original.
pub const TEXT_BYTES_MAX: usize = 64 * 1024;
/// The longest name of somebody, in characters.
pub const NAME_CHARS_MAX: usize = 120;
/// The longest address, in characters (RFC 5321, section 4.5.3.1).
pub const EMAIL_CHARS_MAX: usize = 254;
/// How many others read the answers.
pub const COPIES_MAX: usize = 50;
/// How many tags a ticket has …
pub const TAGS_MAX: usize = 50;
/// … and the longest of them, in characters.
pub const TAG_CHARS_MAX: usize = 60;
/// How many fields a ticket has …
pub const FIELDS_MAX: usize = 50;
/// … and how large all of them are as JSON, in bytes.
pub const FIELDS_BYTES_MAX: usize = 16 * 1024;
/// How much is said in one ticket.
pub const MESSAGES_MAX: usize = 5_000;
/// The largest request: a text, and what there is beside it.
pub const BODY_BYTES_MAX: usize = 256 * 1024;

/// As [`READ`] and [`WRITE`], and whoever acts for one of the tenant's customers, of that customer's.
const OWN_READ: Access = Access::Customer("tickets:read");
const OWN_WRITE: Access = Access::Customer("tickets:write");

/// What may be asked.
pub const ROUTES: &[Route] = &[
    Route::new("POST", "/v1/tickets", "createTicket", OWN_WRITE).body(BODY_BYTES_MAX),
    Route::new("GET", "/v1/tickets", "listTickets", OWN_READ),
    Route::new("GET", "/v1/tickets/{id}", "getTicket", OWN_READ),
    Route::new("PATCH", "/v1/tickets/{id}", "changeTicket", WRITE),
    Route::new("GET", "/v1/tickets/{id}/messages", "listTicketMessages", OWN_READ),
    Route::new("POST", "/v1/tickets/{id}/messages", "addTicketMessage", OWN_WRITE)
        .body(BODY_BYTES_MAX),
    Route::new("POST", "/v1/tickets/{id}/merge", "mergeTicket", WRITE),
    Route::new("POST", "/v1/tickets/{id}/split", "splitTicket", WRITE),
    Route::new("GET", "/v1/tickets/{id}/links", "listTicketLinks", READ),
    Route::new("POST", "/v1/tickets/{id}/links", "linkTicket", WRITE),
    Route::new("DELETE", "/v1/tickets/{id}/links/{kind}/{other}", "unlinkTicket", WRITE),
    Route::new("GET", "/v1/tickets/{id}/log", "listTicketLog", READ),
    Route::new("POST", "/v1/tickets/{id}/undo", "undoInTicket", WRITE),
    Route::new("GET", "/v1/tickets/{id}/context", "getTicketContext", READ),
    Route::new("GET", "/v1/tickets/{id}/presence", "listTicketPresence", READ),
    Route::new("POST", "/v1/tickets/{id}/presence", "tellTicketPresence", WRITE),
    Route::new("GET", "/v1/tickets/{id}/live", "followTicket", READ),
    Route::new("POST", "/v1/tickets/links", "createTicketPortalLink", WRITE),
    Route::new("GET", "/v1/tickets/settings", "getTicketSettings", READ),
    Route::new("PUT", "/v1/tickets/settings", "putTicketSettings", crate::MANAGE),
    Route::new("POST", "/v1/tickets/suggestions", "suggestForTicket", OWN_READ),
];

/// Which tickets are listed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Filter {
    /// All.
    All,
    /// Those that are there.
    State(State),
    /// Those of an address in lower case, or of a member.
    Requester(String),
    /// Those of one of the tenant's customers.
    Customer(String),
    /// Those that a member handles.
    Assignee(String),
    /// Those of a team.
    Team(String),
}

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

impl Ticket {
    /// A ticket of nobody, about which nothing was decided yet.
    pub fn new(id: Id, number: i64, subject: String, channel: Channel, now: Timestamp) -> Self {
        Self {
            id,
            number,
            subject,
            state: State::Open,
            requester: Requester::default(),
            copies: Vec::new(),
            channel,
            mailbox: None,
            assignee: None,
            team: None,
            impact: Level::default(),
            urgency: Level::default(),
            priority: Priority::default(),
            because: Vec::new(),
            pinned: false,
            tags: Vec::new(),
            fields: Map::new(),
            incident: None,
            plan: None,
            sla: None,
            merged_into: None,
            follows: None,
            rating: None,
            created_at: now,
            updated_at: now,
            version: 0,
        }
    }
}

impl Requester {
    /// What they are found by: the address, else the member's id. Nothing when there is neither.
    pub fn key(&self) -> &str {
        self.email.as_deref().or(self.member.as_deref()).unwrap_or_default()
    }
}

/// Answers a call on one of these routes.
pub async fn handle(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    match call.operation() {
        "createTicket" => open::create(at, call).await,
        "listTickets" => read::list(at, call).await,
        "getTicket" => read::get(at, call).await,
        "changeTicket" => change::patch(at, call).await,
        "listTicketMessages" => read::messages(at, call).await,
        "addTicketMessage" => reply::add(at, call).await,
        "mergeTicket" => merge::merge(at, call).await,
        "splitTicket" => split::split(at, call).await,
        "listTicketLinks" => link::list(at, call).await,
        "linkTicket" => link::link(at, call).await,
        "unlinkTicket" => link::unlink(at, call).await,
        "listTicketLog" => read::log(at, call).await,
        "undoInTicket" => undo::undo(at, call).await,
        "getTicketContext" => crate::context::get(at, call).await,
        "listTicketPresence" => presence::list(at, call).await,
        "tellTicketPresence" => presence::tell(at, call).await,
        "followTicket" => presence::follow(at, call).await,
        "createTicketPortalLink" => portal::open(at, call).await,
        "getTicketSettings" => crate::settings::get(at).await,
        "putTicketSettings" => crate::settings::put(at, call).await,
        "suggestForTicket" => crate::suggest::suggest(at, call).await,
        _ => Err(Problem::not_found()),
    }
}

/// The ticket that a call names by its id.
///
/// # Errors
/// 404 when there is none, also for a customer when it is another's.
pub async fn find(at: &impl Tenant, call: &Call) -> Result<Ticket, Problem> {
    let id = call.id("tkt")?;
    let found = store::find_ticket(at, id.as_str()).await?.ok_or_else(Problem::not_found)?;
    match &at.principal().customer {
        Some(it) if found.requester.customer.as_ref() != Some(it) => Err(Problem::not_found()),
        _ => Ok(found),
    }
}

/// The member that acts by this call, as its query says in `by`.
///
/// # Errors
/// 422 when no member has this id.
pub async fn by(at: &impl Tenant, call: &Call) -> Result<Option<String>, Problem> {
    match call.query("by") {
        None => Ok(None),
        Some(id) => member(at, "by", &id).await.map(|()| Some(id.into_owned())),
    }
}

/// That a member has this id.
///
/// # Errors
/// 422 with this path when there is none.
pub async fn member(at: &impl Tenant, path: &str, id: &str) -> Result<(), Problem> {
    match store::find_member(at, id).await? {
        Some(_) => Ok(()),
        None => Err(Problem::unfitting(path, "no member has this id")),
    }
}
