//! Where mail comes in: mailboxes, and what is left at them.
//!
//! What somebody posts is kept as it is before anything is made of it: the original as a blob, a row
//! and a job in one commit. The job reads it and decides. A mail that no try can read becomes a
//! ticket that has it as a file, so that nothing is lost.

pub mod mail;
pub mod mailbox;
pub mod outgoing;
pub mod read;
pub mod receive;
pub mod schema;
#[cfg(test)]
mod tests;

use shared::{
    domain::{Commit, Failure, Job},
    http::Response,
    ports::{PortError, Tenant},
    problem::Problem,
    route::{Access, Call, Route},
};

use crate::{MANAGE, READ as READS, WRITE, attachment, mail::provider::REQUEST_BYTES_MAX};

/// The kind of inbound address that a mailbox has in the directory.
pub const ADDRESS: &str = "mailbox";
/// Shows a mailbox's address in the directory, or hides it.
pub const SHOW: &str = "tickets.inlet.mailbox";
/// Reads a mail that came in.
pub const READ: &str = "tickets.inlet.read";
/// Asks whether a file is harmless.
pub const SCAN: &str = "tickets.inlet.scan";

/// Whoever posts to a mailbox's address; the function looks who it is.
const POSTS: Access = Access::Address(ADDRESS);

/// What may be asked.
pub const ROUTES: &[Route] = &[
    Route::new("POST", "/v1/tickets/mailboxes", "createMailbox", MANAGE),
    Route::new("GET", "/v1/tickets/mailboxes", "listMailboxes", READS),
    Route::new("GET", "/v1/tickets/mailboxes/{id}", "getMailbox", READS),
    Route::new("PATCH", "/v1/tickets/mailboxes/{id}", "changeMailbox", MANAGE),
    Route::new("DELETE", "/v1/tickets/mailboxes/{id}", "deleteMailbox", MANAGE),
    Route::new("POST", "/v1/tickets/mailboxes/{id}/rotate", "rotateMailboxToken", MANAGE),
    Route::new("POST", "/v1/mail/{address}/raw", "receiveMail", POSTS).body(REQUEST_BYTES_MAX),
    Route::new("POST", "/v1/mail/{address}/postmark", "receivePostmarkMail", POSTS)
        .body(REQUEST_BYTES_MAX),
    Route::new("POST", "/v1/mail/{address}/mailgun", "receiveMailgunMail", POSTS)
        .body(REQUEST_BYTES_MAX),
    Route::new("POST", "/v1/mail/{address}/sendgrid", "receiveSendgridMail", POSTS)
        .body(REQUEST_BYTES_MAX),
    Route::new("POST", "/v1/mail/{address}/ses", "receiveSesMail", POSTS).body(REQUEST_BYTES_MAX),
    Route::new("GET", "/v1/tickets/mails", "listTicketMails", READS),
    Route::new("GET", "/v1/tickets/mails/{id}", "getTicketMail", READS),
    Route::new("GET", "/v1/tickets/mails/{id}/original", "getTicketMailOriginal", READS),
    Route::new("POST", "/v1/tickets/mails/{id}/open", "openTicketMail", WRITE),
    Route::new("GET", "/v1/tickets/{id}/attachments", "listTicketAttachments", READS),
    Route::new("POST", "/v1/tickets/{id}/attachments", "uploadTicketAttachment", WRITE)
        .body(attachment::UPLOAD_BYTES_MAX),
    Route::new("GET", "/v1/tickets/attachments/{id}", "getTicketAttachment", READS),
    Route::new("GET", "/v1/tickets/attachments/{id}/content", "downloadTicketAttachment", READS),
];

/// Answers a call on one of these routes.
pub async fn handle(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    match call.operation() {
        "createMailbox" => mailbox::create(at, call.json()?).await,
        "listMailboxes" => mailbox::list(at, call).await,
        "getMailbox" => mailbox::get(at, call).await,
        "changeMailbox" => mailbox::change(at, call).await,
        "deleteMailbox" => mailbox::delete(at, call).await,
        "rotateMailboxToken" => mailbox::rotate(at, call).await,
        "listTicketMails" => mail::list(at, call).await,
        "getTicketMail" => mail::get(at, call).await,
        "getTicketMailOriginal" => mail::original(at, call).await,
        "openTicketMail" => mail::open(at, call).await,
        "listTicketAttachments" => attachment::list(at, call).await,
        "uploadTicketAttachment" => attachment::upload(at, call).await,
        "getTicketAttachment" => attachment::get(at, call).await,
        "downloadTicketAttachment" => attachment::download(at, call).await,
        _ => receive::receive(at, call).await,
    }
}

/// Works a job of these.
pub async fn work(at: &impl Tenant, job: &Job) -> Result<Commit, Failure> {
    match job.kind.as_str() {
        SHOW => mailbox::show(at, job).await,
        READ => read::work(at, job).await,
        SCAN => attachment::scan(at, job).await,
        _ => Err(Failure::dead(format!("nobody works {}", job.kind))),
    }
}

/// Writes down that nobody could read a mail: each time its worker died with it.
pub async fn give_up(at: &impl Tenant, job: &Job) -> Result<Commit, PortError> {
    read::give_up(at, job).await
}
