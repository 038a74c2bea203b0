//! The mailbox: mail that was caught and not sent, as whoever develops wants to see it.

use serde::Serialize;
use shared::{
    domain::{Commit, Id, Page, Timestamp},
    http::{Response, StatusCode, header, json as json_response, respond, with_header},
    ports::Tenant,
    problem::Problem,
    route::Call,
};
use utoipa::ToSchema;

use crate::{files::File, letter::Letter, store};

/// How many mails are kept; the oldest go first.
pub const MAILS_MAX: u32 = 1000;
/// The largest mail that is kept, in bytes: a row of Workers has 2 MB.
pub const MAIL_BYTES_MAX: usize = 1_900_000;

/// A mail that was caught.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CaughtMail {
    /// `dlv_…`: the delivery that made it.
    pub id: Id,
    /// To whom.
    pub to: String,
    /// What it is about.
    pub subject: String,
    /// When.
    pub at: Timestamp,
}

/// The letter, caught as the mail that it would be. `None` when that is too large.
pub fn caught(id: &Id, letter: &Letter, files: &[File]) -> Option<Commit> {
    let mime = letter.mail(id, files).to_mime();
    if mime.len() > MAIL_BYTES_MAX {
        return None;
    }
    let caught = CaughtMail {
        id: id.clone(),
        to: letter.to.address.to_string(),
        subject: letter.words.subject.clone(),
        at: letter.at,
    };
    Some(store::insert_mail(&caught, &mime))
}

/// Lists the mails, the latest first.
pub async fn list(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let (limit, cursor) = call.page()?;
    let before = cursor.as_ref().map(|it| it.key());
    let mails = store::list_mails(at, before, limit + 1).await?;
    Ok(json_response(StatusCode::OK, &Page::of(mails, limit, |it| it.id.to_string())))
}

/// Reads one, as it would have gone out.
pub async fn get(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let mime = store::find_mail(at, &call.id("dlv")?).await?.ok_or_else(Problem::not_found)?;
    let response = respond(StatusCode::OK, "message/rfc822", mime);
    // What a template made is never run under our own name.
    Ok(with_header(response, header::CONTENT_DISPOSITION, "attachment; filename=\"mail.eml\""))
}
