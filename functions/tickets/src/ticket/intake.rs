//! Taking in what comes by mail or by the form: it opens a ticket, or goes on in one.

use serde_json::{Value, json};
use shared::{
    domain::{Commit, Draft, Id},
    ports::Tenant,
    problem::Problem,
};

use super::{
    Channel, MESSAGES_MAX, Requester, SUBJECT_CHARS_MAX, Ticket,
    message::{Bounce, File, Kind, Message, Person},
    open::{blank, said},
    write,
};
use crate::{settings::Settings, state::State, store};

/// How far it is followed where a ticket was merged to.
const MERGES_MAX: usize = 20;
/// How many bounces are kept of one message.
const BOUNCES_MAX: usize = 50;

/// What comes in, already read and bounded by whoever took it in.
#[derive(Clone, Debug, Default)]
pub struct Incoming {
    /// Who says it. The address is in lower case.
    pub from: Person,
    /// The tenant's customer that they belong to, where that is known.
    pub customer: Option<String>,
    /// What it is about, in a line; `(no subject)` is written when there is none.
    pub subject: String,
    /// What is said, in plain text, without what it quotes.
    pub text: String,
    /// The same as HTML that carries nothing active.
    pub html: Option<String>,
    /// What it quotes.
    pub quoted: Option<String>,
    /// Its `Message-ID`, without the angle brackets.
    pub message_id: Option<String>,
    /// Whether the original has more of it.
    pub cut: bool,
    /// The blob that has the original.
    pub original: Option<String>,
    /// What it carries, already kept.
    pub files: Vec<File>,
    /// Who else reads the answers: at most 50 addresses.
    pub copies: Vec<String>,
    /// What was found out of the mail.
    pub mail: Option<Value>,
    /// By what it came.
    pub channel: Channel,
    /// The mailbox that it came to.
    pub mailbox: Option<Id>,
    /// What the ticket has from the start.
    pub team: Option<String>,
    /// The same.
    pub tags: Vec<String>,
    /// The same; names and values were checked.
    pub fields: serde_json::Map<String, Value>,
    /// Whether the ticket is nobody's question from the start.
    pub spam: bool,
    /// Whether nothing is to answer it by itself: a program wrote it, or its sender wants none.
    pub quiet: bool,
}

/// A ticket that something comes in to, and what that writes.
pub struct Taken {
    /// The ticket as it is then.
    pub ticket: Ticket,
    /// The message.
    pub message: Message,
    /// What is written.
    pub commit: Commit,
}

/// Opens a ticket. `follows` is the one that it goes on from, if it does.
///
/// # Errors
/// When the database fails.
pub async fn open(
    at: &impl Tenant,
    it: Incoming,
    follows: Option<&Ticket>,
) -> Result<Taken, Problem> {
    let settings = store::find_settings(at).await?;
    let requester = whose(at, &it).await?;
    let blank = blank(at, shortened(&it.subject), it.channel).await?;
    let new = Ticket {
        requester,
        copies: it.copies.clone(),
        mailbox: it.mailbox.clone(),
        team: it.team.clone(),
        tags: super::change::tagged(Vec::new(), None, &it.tags, &[])?,
        fields: it.fields.clone(),
        state: if it.spam { State::Spam } else { State::Open },
        follows: follows.map(|it| it.id.clone()),
        ..blank
    };
    let (ticket, commit) = write::opened(at, &settings, new, None, it.quiet).await?;
    let message = message(at, it)?;
    let commit = commit.and(store::insert_message(&ticket.id, &message));
    Ok(Taken { ticket, message, commit })
}

/// Goes on in a ticket: in the one that it was merged into, and where it is over in another that
/// follows it.
///
/// # Errors
/// When the database fails.
pub async fn append(at: &impl Tenant, to: &Ticket, it: Incoming) -> Result<Taken, Problem> {
    let before = current(at, to.clone()).await?;
    let full = store::count_messages(at, &before.id).await? >= MESSAGES_MAX;
    let settings = store::find_settings(at).await?;
    if full || is_over(at, &settings, &before) {
        return open(at, it, Some(&before)).await;
    }
    let message = message(at, it)?;
    let state = match before.state {
        State::Pending | State::Resolved | State::Closed => State::Open,
        other => other,
    };
    let after = Ticket { state, ..before.clone() };
    let data = json!({"message": message.id, "from": message.from, "excerpt": message.excerpt()});
    let entry = Draft::new("ticket.message_received", &before.id).with(data);
    let (ticket, commit) = match after == before {
        true => write::touched(at, &before, after).await?,
        false => write::changed(at, &settings, &before, after, None, Some("answered")).await?,
    };
    let commit = commit.entry(entry).and(store::insert_message(&ticket.id, &message));
    Ok(Taken { ticket, message, commit })
}

/// Whether an answer opens another ticket.
fn is_over(at: &impl Tenant, settings: &Settings, it: &Ticket) -> bool {
    let reopens = settings.reopens();
    match it.state {
        State::Closed => true,
        State::Resolved => it.updated_at + reopens < at.now(),
        _ => false,
    }
}

/// The ticket where what was said in this one is now.
///
/// # Errors
/// When the database fails.
pub async fn current(at: &impl Tenant, ticket: Ticket) -> Result<Ticket, Problem> {
    let mut it = ticket;
    for _ in 0..MERGES_MAX {
        let Some(into) = it.merged_into.clone() else { break };
        let Some(next) = store::find_ticket(at, into.as_str()).await? else { break };
        it = next;
    }
    Ok(it)
}

/// Writes down that a message of the ticket did not reach somebody.
///
/// # Errors
/// When the database fails.
pub async fn bounced(
    at: &impl Tenant,
    ticket: &Ticket,
    message: &str,
    bounce: Bounce,
) -> Result<Commit, Problem> {
    let found = store::find_message(at, &ticket.id, message).await?;
    let mut message = found.ok_or_else(Problem::not_found)?;
    if message.bounces.len() >= BOUNCES_MAX || message.bounces.contains(&bounce) {
        return Ok(Commit::new());
    }
    let data = json!({"message": message.id, "to": bounce.to, "permanent": bounce.permanent,
        "why": bounce.why});
    message.bounces.push(bounce);
    let entry = Draft::new("ticket.bounced", &ticket.id).with(data);
    let (_, commit) = write::touched(at, ticket, ticket.clone()).await?;
    Ok(commit.and(store::update_message(&ticket.id, &message)).entry(entry))
}

/// Who asks: the member with this address, if there is one.
async fn whose(at: &impl Tenant, it: &Incoming) -> Result<Requester, Problem> {
    let known = match (&it.from.member, &it.from.email) {
        (None, Some(email)) => store::find_member_at(at, email).await?,
        (member, _) => member.clone(),
    };
    let Person { email, name, .. } = it.from.clone();
    Ok(Requester { email, name, member: known, customer: it.customer.clone() })
}

fn message(at: &impl Tenant, it: Incoming) -> Result<Message, Problem> {
    let blank = said(at, Kind::Received, it.from)?;
    Ok(Message {
        text: it.text,
        html: it.html,
        quoted: it.quoted,
        message_id: it.message_id,
        cut: it.cut,
        original: it.original,
        files: it.files,
        mail: it.mail,
        ..blank
    })
}

/// What a ticket is called that came with this subject.
fn shortened(subject: &str) -> String {
    let words: Vec<_> = subject.split_whitespace().collect();
    let text: String = words.join(" ").chars().filter(|it| !it.is_control()).collect();
    match text.is_empty() {
        true => "(no subject)".to_owned(),
        false => text.chars().take(SUBJECT_CHARS_MAX).collect(),
    }
}
