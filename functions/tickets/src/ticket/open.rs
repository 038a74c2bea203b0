//! Opening a ticket by the API.

use serde::Deserialize;
use serde_json::{Map, Value};
use shared::{
    domain::{Address, Id, WORD, is_word},
    http::{Response, StatusCode},
    ports::{PortError, Tenant},
    problem::Problem,
    route::Call,
};
use utoipa::ToSchema;

use super::{
    Channel, NAME_CHARS_MAX, Requester, TEXT_BYTES_MAX, Ticket, by,
    change::{TicketChange, answer, applied},
    message::{Kind, Message, Person},
    read::shown,
    write,
};
use crate::{
    priority::{Level, Priority},
    store,
};

/// A ticket to open.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTicket {
    /// What it is about, in a line: 1 to 250 characters.
    pub subject: String,
    /// What is asked, in plain text: up to 65,536 bytes.
    pub text: String,
    /// Who asks. Whoever acts for a customer asks for that customer.
    #[serde(default)]
    pub requester: Requester,
    /// Who else reads the answers: up to 50 addresses.
    #[serde(default)]
    pub copies: Vec<String>,
    /// The mailbox from which it is answered.
    #[serde(default)]
    pub mailbox: Option<String>,
    /// The member that handles it.
    #[serde(default)]
    pub assignee: Option<String>,
    /// The team that it is for.
    #[serde(default)]
    pub team: Option<String>,
    /// How many are hit; `medium` when left out.
    #[serde(default)]
    pub impact: Option<Level>,
    /// How soon it hurts; `medium` when left out.
    #[serde(default)]
    pub urgency: Option<Level>,
    /// How soon it is to be looked at, whatever rules say.
    #[serde(default)]
    pub priority: Option<Priority>,
    /// Words that it is found by: up to 50.
    #[serde(default)]
    pub tags: Vec<String>,
    /// What else is kept of it.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub fields: Map<String, Value>,
    /// The incident that it is part of.
    #[serde(default)]
    pub incident: Option<String>,
}

/// A ticket of nobody, about which nothing was decided yet.
///
/// # Errors
/// When there is no id or number to be had.
pub async fn blank(
    at: &impl Tenant,
    subject: String,
    channel: Channel,
) -> Result<Ticket, PortError> {
    let (id, number) = (at.new_id("tkt")?, store::next_number(at).await?);
    Ok(Ticket::new(id, number, subject, channel, at.now()))
}

/// Opens one.
pub async fn create(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let (mut new, by) = (call.json::<NewTicket>()?, by(at, call).await?);
    let text = text("text", &new.text)?;
    let requester = asking(at, std::mem::take(&mut new.requester)).await?;
    let subject = super::change::line("subject", &new.subject)?;
    let mailbox = mailbox(new.mailbox.take())?;
    let settings = store::find_settings(at).await?;
    let blank = Ticket { requester, mailbox, ..blank(at, subject, Channel::Api).await? };
    let it = applied(at, &settings, &blank, asked(new)).await?;
    let (it, commit) = write::opened(at, &settings, it, by.as_deref(), false).await?;
    let message = first(at, &it, text)?;
    let commit = commit.and(store::insert_message(&it.id, &message));
    let response = answer(StatusCode::CREATED, &shown(at, it));
    at.answer(commit, response, Problem::changed_meanwhile).await
}

/// What is set when it is opened is set as by a change.
fn asked(new: NewTicket) -> TicketChange {
    TicketChange {
        assignee: Some(new.assignee),
        team: Some(new.team),
        impact: new.impact,
        urgency: new.urgency,
        priority: Some(new.priority),
        tags: Some(new.tags),
        fields: new.fields,
        copies: Some(new.copies),
        incident: Some(new.incident),
        ..TicketChange::default()
    }
}

fn mailbox(id: Option<String>) -> Result<Option<Id>, Problem> {
    let Some(id) = id else { return Ok(None) };
    let parsed = Id::parse("tmb", &id);
    parsed.map(Some).ok_or_else(|| Problem::unfitting("mailbox", "the id of a mailbox, tmb_…"))
}

/// What the requester said first.
fn first(at: &impl Tenant, it: &Ticket, text: String) -> Result<Message, PortError> {
    let from = person(&it.requester);
    Ok(Message { text, ..said(at, Kind::Received, from)? })
}

/// The requester as who says something.
pub fn person(it: &Requester) -> Person {
    Person { email: it.email.clone(), name: it.name.clone(), member: it.member.clone() }
}

/// A message in which nothing is said yet.
///
/// # Errors
/// When there is no id to be had.
pub fn said(at: &impl Tenant, kind: Kind, from: Person) -> Result<Message, PortError> {
    Ok(Message {
        id: at.new_id("tmg")?.to_string(),
        kind,
        from,
        text: String::new(),
        html: None,
        quoted: None,
        message_id: None,
        cut: false,
        original: None,
        files: Vec::new(),
        mentions: Vec::new(),
        mail: None,
        bounces: Vec::new(),
        withdrawn: false,
        came_from: None,
        at: at.now(),
    })
}

/// A text that says something.
///
/// # Errors
/// 422 when it says nothing, or is too long.
pub fn text(path: &str, text: &str) -> Result<String, Problem> {
    // What no reader shows is none of it.
    let text: String = text.chars().filter(|it| *it != '\0').collect();
    match !text.trim().is_empty() && text.len() <= TEXT_BYTES_MAX {
        true => Ok(text),
        false => Err(Problem::unfitting(path, format!("1 to {TEXT_BYTES_MAX} bytes of text"))),
    }
}

/// Who asks: somebody, and of a customer's link that customer.
async fn asking(at: &impl Tenant, it: Requester) -> Result<Requester, Problem> {
    let own = &at.principal().customer;
    if own.is_some() && it.customer.is_some() && it.customer != *own {
        let why = "it is that of your link: leave it out";
        return Err(Problem::unfitting("requester.customer", why));
    }
    let customer = own.clone().or(it.customer);
    requester(at, Requester { customer, ..it }).await
}

/// Somebody who asks: with an address, or a member.
///
/// # Errors
/// 422 when there is neither, or a field does not fit.
pub async fn requester(at: &impl Tenant, it: Requester) -> Result<Requester, Problem> {
    let mut it = it;
    if let Some(email) = &it.email {
        let email = Address::parse(email.trim());
        let email = email.map_err(|err| Problem::unfitting("requester.email", err))?;
        it.email = Some(email.key());
    }
    if let Some(id) = &it.member {
        let found = store::find_member(at, id).await?;
        let why = || Problem::unfitting("requester.member", "no member has this id");
        let found = found.ok_or_else(why)?;
        it.email = it.email.or(Some(found.email));
        if it.name.is_empty() {
            it.name = found.name;
        }
    }
    if it.email.is_none() && it.customer.is_none() {
        let why = "an address, a member or a customer: somebody asks";
        return Err(Problem::unfitting("requester", why));
    }
    if it.name.chars().count() > NAME_CHARS_MAX || it.name.chars().any(char::is_control) {
        let why = format!("a line of at most {NAME_CHARS_MAX} characters");
        return Err(Problem::unfitting("requester.name", why));
    }
    if it.customer.as_deref().is_some_and(|it| !is_word(it)) {
        return Err(Problem::unfitting("requester.customer", WORD));
    }
    Ok(it)
}
