//! What an answer that goes out by mail has in its header, so that what comes back is known.

use serde_json::{Value, json};
use shared::ports::{PortError, Tenant};

use super::mailbox;
use crate::{
    mail::{base_subject, token},
    store,
    ticket::Ticket,
};

/// How many mails of the ticket an answer refers to.
const REFERENCES_MAX: u32 = 20;
/// The longest Message-ID that it refers to, in bytes.
const ID_BYTES_MAX: usize = 250;

/// The header of an answer, and the line above which people are to write.
pub struct Outgoing {
    /// Its Message-ID, which is to be kept with the message.
    pub message_id: String,
    /// What notifications make the header of.
    pub header: Value,
    /// The line that an answer is written above.
    pub marker: String,
}

/// The header of the message with this id in a ticket, if the ticket has a mailbox.
///
/// # Errors
/// When the database fails, or the mailbox's secrets cannot be opened.
pub async fn of(
    at: &impl Tenant,
    ticket: &Ticket,
    message: &str,
) -> Result<Option<Outgoing>, PortError> {
    let Some(id) = &ticket.mailbox else { return Ok(None) };
    let Some(mailbox) = store::find_mailbox(at, id.as_str()).await? else { return Ok(None) };
    let secrets = mailbox::secrets(at, &mailbox).await?;
    let Some(secret) = secrets.reply() else { return Ok(None) };
    let token = secret.token(mailbox.id.as_str(), ticket.number);
    let domain = mailbox.address.rsplit('@').next().unwrap_or_default();
    let message_id = token::message_id(&token, message, domain);
    let before = store::last_mails(at, &ticket.id, REFERENCES_MAX).await?;
    // What has other letters, or is longer, stands in no head.
    let before: Vec<_> = before.into_iter().filter(|it| is_plain(it)).collect();
    let reply_to = token::address(&mailbox.address, &token);
    let reply_to = reply_to.unwrap_or_else(|| mailbox.address.clone());
    // A subject that stays keeps the conversation together where ids are lost.
    let subject = match base_subject(&ticket.subject) == ticket.subject.trim().to_lowercase() {
        true => format!("Re: {}", ticket.subject),
        false => ticket.subject.clone(),
    };
    let in_reply_to: Vec<_> = before.last().cloned().into_iter().collect();
    let header = json!({
        "message_id": message_id, "in_reply_to": in_reply_to, "references": before,
        "reply_to": reply_to, "from": mailbox.address,
        "from_name": Some(&mailbox.name).filter(|it| !it.is_empty()), "subject": subject, "person": true,
    });
    Ok(Some(Outgoing { message_id, header, marker: token::marker(&token) }))
}

/// Whether it is an id that others can be told.
fn is_plain(id: &str) -> bool {
    id.len() <= ID_BYTES_MAX && id.bytes().all(|it| it.is_ascii_graphic() && !b"<>".contains(&it))
}
