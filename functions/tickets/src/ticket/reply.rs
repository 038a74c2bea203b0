//! Saying something in a ticket: an agent's answer or note, or what the requester says in the
//! product.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::{Value, json};
use shared::{
    domain::{Commit, Draft},
    http::{Response, StatusCode, json as json_response},
    ports::Tenant,
    problem::Problem,
    route::Call,
};
use utoipa::ToSchema;

use super::{
    MESSAGES_MAX, Ticket, by,
    change::merged,
    find, intake, member,
    message::{Kind, Message, Person},
    open::{person, said, text},
    write,
};
use crate::{
    attachment,
    inlet::outgoing::{self, Outgoing},
    settings::Settings,
    state::State,
    store,
};

/// How many members are named in a message.
const MENTIONS_MAX: usize = 20;
/// How many files go with an answer.
const FILES_MAX: usize = 10;

/// Something to say in a ticket.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTicketMessage {
    /// Who says it, and who reads it. Whoever acts for a customer says it as `received`.
    pub kind: Kind,
    /// What is said, in plain text: up to 65,536 bytes.
    pub text: String,
    /// Of a note: up to 20 members that are to read it.
    #[serde(default)]
    pub mentions: Vec<String>,
    /// Of an answer: the ids of up to 10 files that were uploaded to the ticket.
    #[serde(default)]
    pub files: Vec<String>,
    /// Of an answer: where the ticket is after it. It is `pending` when left out, and stays where
    /// it was when that is not `open`.
    #[serde(default)]
    pub state: Option<State>,
}

/// Adds a message.
pub async fn add(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let (new, by) = (call.json::<NewTicketMessage>()?, by(at, call).await?);
    let ticket = find(at, call).await?;
    if call.if_match()?.is_some_and(|it| it != ticket.version) {
        return Err(Problem::changed_meanwhile());
    }
    let of_customer = at.principal().customer.is_some();
    if of_customer && new.kind != Kind::Received {
        return Err(Problem::unfitting("kind", "received: what the customer says"));
    }
    if new.kind == Kind::Received {
        return received(at, &ticket, &new).await;
    }
    let said = written(at, &ticket, new, by.as_deref()).await?;
    let response = json_response(StatusCode::CREATED, &said.message);
    at.answer(said.commit, response, Problem::changed_meanwhile).await
}

/// What the requester says in the product.
async fn received(
    at: &impl Tenant,
    ticket: &Ticket,
    new: &NewTicketMessage,
) -> Result<Response, Problem> {
    let incoming = intake::Incoming {
        from: person(&ticket.requester),
        customer: ticket.requester.customer.clone(),
        subject: ticket.subject.clone(),
        text: text("text", &new.text)?,
        mailbox: ticket.mailbox.clone(),
        ..intake::Incoming::default()
    };
    let taken = intake::append(at, ticket, incoming).await?;
    let response = json_response(StatusCode::CREATED, &taken.message);
    at.answer(taken.commit, response, Problem::changed_meanwhile).await
}

/// What an agent said.
pub struct Said {
    /// The ticket as it is then.
    pub ticket: Ticket,
    /// The message.
    pub message: Message,
    /// What is written.
    pub commit: Commit,
}

/// An answer or a note, and what it writes.
///
/// # Errors
/// 409 when the ticket was merged or is full, 422 with the field that does not fit.
pub async fn written(
    at: &impl Tenant,
    ticket: &Ticket,
    new: NewTicketMessage,
    by: Option<&str>,
) -> Result<Said, Problem> {
    if ticket.state == State::Merged {
        return Err(merged(ticket));
    }
    if store::count_messages(at, &ticket.id).await? >= MESSAGES_MAX {
        let most = u32::try_from(MESSAGES_MAX).unwrap_or(u32::MAX);
        return Err(Problem::full_list(most, "messages in a ticket", "open another for the rest"));
    }
    let from = agent(at, by).await?;
    let message = Message { text: text("text", &new.text)?, ..said(at, new.kind, from)? };
    match new.kind {
        Kind::Note => noted(at, ticket, message, new.mentions, by).await,
        _ => replied(at, ticket, message, new, by).await,
    }
}

async fn agent(at: &impl Tenant, by: Option<&str>) -> Result<Person, Problem> {
    let Some(id) = by else { return Ok(Person::default()) };
    let found = store::find_member(at, id).await?.ok_or_else(Problem::not_found)?;
    Ok(Person { email: Some(found.email), name: found.name, member: Some(id.to_owned()) })
}

async fn noted(
    at: &impl Tenant,
    ticket: &Ticket,
    message: Message,
    mentions: Vec<String>,
    by: Option<&str>,
) -> Result<Said, Problem> {
    if mentions.len() > MENTIONS_MAX {
        return Err(Problem::unfitting("mentions", format!("at most {MENTIONS_MAX}")));
    }
    for (number, it) in mentions.iter().enumerate() {
        member(at, &format!("mentions[{number}]"), it).await?;
    }
    let mentions: Vec<_> = mentions.into_iter().collect::<BTreeSet<_>>().into_iter().collect();
    let message = Message { mentions, ..message };
    let data = json!({"message": message.id, "by": by, "mentions": message.mentions,
        "text": message.excerpt(), "number": ticket.number, "subject": ticket.subject});
    let entry = Draft::new("ticket.noted", &ticket.id).with(data);
    let (ticket, commit) = write::touched(at, ticket, ticket.clone()).await?;
    let commit = commit.entry(entry).and(store::insert_message(&ticket.id, &message));
    Ok(Said { ticket, message, commit })
}

async fn replied(
    at: &impl Tenant,
    ticket: &Ticket,
    message: Message,
    new: NewTicketMessage,
    by: Option<&str>,
) -> Result<Said, Problem> {
    if new.files.len() > FILES_MAX {
        return Err(Problem::unfitting("files", format!("at most {FILES_MAX}")));
    }
    let settings = store::find_settings(at).await?;
    let state = next_state(ticket, new.state)?;
    let after = Ticket { state, ..ticket.clone() };
    let (files, handed_on) = attachment::of_answer(at, &ticket.id, &new.files).await?;
    let mail = outgoing::of(at, ticket, &message.id).await?;
    let message_id = mail.as_ref().map(|it| it.message_id.clone());
    let message = Message { files, message_id, ..message };
    let data = told(ticket, &message, &settings, by, (&handed_on, mail.as_ref()));
    let entry = Draft::new("ticket.replied", &ticket.id).with(data);
    let (ticket, commit) = match after == *ticket {
        true => write::touched(at, ticket, after).await?,
        false => write::changed(at, &settings, ticket, after, by, Some("replied")).await?,
    };
    let commit = commit.entry(entry).and(store::insert_message(&ticket.id, &message));
    Ok(Said { ticket, message, commit })
}

/// Where a ticket is after an answer.
fn next_state(ticket: &Ticket, asked: Option<State>) -> Result<State, Problem> {
    let Some(asked) = asked else {
        return Ok(if ticket.state == State::Open { State::Pending } else { ticket.state });
    };
    match asked == ticket.state || ticket.state.leads_to(asked) {
        true => Ok(asked),
        false => {
            let from = ticket.state.word();
            Err(Problem::unfitting("state", format!("{from} does not lead there")))
        }
    }
}

/// What is told of an answer: whom it is for, and what mail is made of it.
fn told(
    ticket: &Ticket,
    message: &Message,
    settings: &Settings,
    by: Option<&str>,
    (files, mail): (&[Value], Option<&Outgoing>),
) -> Value {
    let requester = &ticket.requester;
    let first = requester.email.iter().map(|it| json!({"email": it, "name": requester.name}));
    let copies = ticket.copies.iter().map(|it| json!({"email": it}));
    let to: Vec<_> = first.chain(copies).collect();
    json!({
        "message": message.id, "number": ticket.number, "subject": ticket.subject,
        "requester": requester, "to": to, "text": message.text, "by": by,
        "agent": settings.shown_agent(&message.from.name), "files": files,
        "marker": mail.map(|it| &it.marker), "mail": mail.map(|it| &it.header),
    })
}

/// What a message writes when it is taken back: it says nothing any more.
pub fn withdrawn(ticket: &Ticket, message: &Message) -> Commit {
    let blank = Message {
        text: String::new(),
        html: None,
        quoted: None,
        mentions: Vec::new(),
        withdrawn: true,
        ..message.clone()
    };
    store::update_message(&ticket.id, &blank)
}
