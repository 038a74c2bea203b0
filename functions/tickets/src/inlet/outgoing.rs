//! What an answer that goes out by mail has in its header, so that what comes back is known.

use serde_json::{Value, json};
use shared::{
    domain::Id,
    ports::{PortError, Tenant},
};

use super::mailbox;
use crate::{mail::token, store};

/// How many mails of the ticket an answer refers to.
const REFERENCES_MAX: u32 = 20;

/// The header of an answer, and the line above which people are to write.
pub struct Outgoing {
    /// Its Message-ID, which is to be kept with the message.
    pub message_id: String,
    /// `message_id`, `in_reply_to`, `references`, `reply_to`, `from` as notifications take them.
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
    mailbox: Option<&Id>,
    ticket: &Id,
    number: i64,
    message: &str,
) -> Result<Option<Outgoing>, PortError> {
    let Some(id) = mailbox else { return Ok(None) };
    let Some(mailbox) = store::find_mailbox(at, id.as_str()).await? else { return Ok(None) };
    let secrets = mailbox::secrets(at, &mailbox).await?;
    let Some(secret) = secrets.reply() else { return Ok(None) };
    let token = secret.token(mailbox.id.as_str(), number);
    let domain = mailbox.address.rsplit('@').next().unwrap_or_default();
    let message_id = token::message_id(&token, message, domain);
    let before = store::last_mails(at, ticket, REFERENCES_MAX).await?;
    let reply_to = token::address(&mailbox.address, &token);
    let reply_to = reply_to.unwrap_or_else(|| mailbox.address.clone());
    let header = json!({
        "message_id": message_id,
        "in_reply_to": before.last(),
        "references": before,
        "reply_to": {"email": reply_to, "name": mailbox.name},
        "from": {"email": mailbox.address, "name": mailbox.name},
    });
    Ok(Some(Outgoing { message_id, header, marker: token::marker(&token) }))
}
