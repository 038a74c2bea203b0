//! Mails that came in, and what became of each.

use futures_util::StreamExt as _;
use serde::{Deserialize, Serialize};
use serde_json::json;
use shared::{
    domain::{Commit, Draft, Id, NewJob, Page, Timestamp},
    http::{Body, Broken, Response, StatusCode, header, json as json_response, with_header},
    ports::{Blobs, Tenant},
    problem::Problem,
    route::Call,
};
use utoipa::ToSchema;

use super::READ;
use crate::{
    mail::{
        Verdict,
        thread::{Apart, Clue, Ignored},
    },
    store,
};

/// What became of a mail.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MailState {
    /// It is kept, and not read yet.
    Received,
    /// It opened a ticket.
    Opened,
    /// It joined one.
    Joined,
    /// It says that a mail of a ticket did not arrive.
    Bounced,
    /// It is kept, and that is all.
    Ignored,
    /// It could not be read: it is a file of a ticket.
    Unreadable,
}

impl MailState {
    const ALL: [Self; 6] = [
        Self::Received,
        Self::Opened,
        Self::Joined,
        Self::Bounced,
        Self::Ignored,
        Self::Unreadable,
    ];

    /// As it is written.
    pub fn word(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Opened => "opened",
            Self::Joined => "joined",
            Self::Bounced => "bounced",
            Self::Ignored => "ignored",
            Self::Unreadable => "unreadable",
        }
    }
}

/// A mail that came in.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize, ToSchema)]
#[schema(as = InboundMail)]
pub struct Mail {
    /// `tml_…`
    pub id: Id,
    /// The mailbox.
    pub mailbox: Id,
    /// What became of it.
    pub state: MailState,
    /// By what it came: `raw`, or the name of a provider.
    pub by: String,
    /// How large it is, in bytes.
    pub bytes: u64,
    /// The sender of its envelope, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub envelope_from: Option<String>,
    /// To whom it was delivered.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub envelope_to: Vec<String>,
    /// What a provider found.
    #[serde(default)]
    pub verdict: Verdict,
    /// Who wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// What it is about.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub subject: String,
    /// The ticket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<Id>,
    /// The message in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// What led to the ticket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clue: Option<Clue>,
    /// Why it did not join the ticket that it led to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub apart: Option<Apart>,
    /// Why nothing was made of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ignored: Option<Ignored>,
    /// When it came.
    pub received_at: Timestamp,
}

/// The blob that a mail is.
pub fn blob(id: &Id) -> String {
    format!("tickets/mails/{id}")
}

/// Lists them, the latest first: all, or those in a state.
pub async fn list(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let (limit, cursor) = call.page()?;
    let before = cursor.as_ref().map_or("~", |it| it.key());
    let state = call.query("state");
    if let Some(it) = &state
        && !MailState::ALL.iter().any(|known| known.word() == it)
    {
        let words: Vec<_> = MailState::ALL.iter().map(|it| it.word()).collect();
        return Err(Problem::invalid().detail(format!("state is one of {}", words.join(", "))));
    }
    let all = store::list_mails(at, state.as_deref(), before, limit + 1).await?;
    Ok(json_response(StatusCode::OK, &Page::of(all, limit, |it| it.id.to_string())))
}

async fn find(at: &impl Tenant, call: &Call) -> Result<Mail, Problem> {
    let id = call.id("tml")?;
    store::find_mail_by_id(at, id.as_str()).await?.ok_or_else(Problem::not_found)
}

/// Reads what became of one.
pub async fn get(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    Ok(json_response(StatusCode::OK, &find(at, call).await?))
}

/// Hands out a mail as it came.
pub async fn original(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let it = find(at, call).await?;
    stream(at, &blob(&it.id), "message/rfc822", "mail.eml").await
}

/// A blob as a file that no browser shows or runs.
///
/// # Errors
/// 404 when it is gone.
pub async fn stream(
    at: &impl Tenant,
    blob: &str,
    media_type: &str,
    name: &str,
) -> Result<Response, Problem> {
    let found = at.blobs().get(blob, None).await?.ok_or_else(Problem::not_found)?;
    let chunks = found.chunks.map(|it| it.map_err(|err| Broken(err.to_string())));
    let mut response = Response::new(Body::Stream(Box::pin(chunks)));
    *response.status_mut() = StatusCode::OK;
    let ascii: String = name
        .chars()
        .map(|it| if it.is_ascii_alphanumeric() || "._- ()".contains(it) { it } else { '_' })
        .collect();
    let encoded: String = name.bytes().map(|it| format!("%{it:02X}")).collect();
    // RFC 6266: the second is for those who know it.
    let disposition = format!("attachment; filename=\"{ascii}\"; filename*=UTF-8''{encoded}");
    let length = found.size.to_string();
    let headers = [
        (header::CONTENT_TYPE, media_type),
        (header::CONTENT_DISPOSITION, &disposition),
        (header::CONTENT_LENGTH, &length),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONTENT_SECURITY_POLICY, "sandbox; default-src 'none'"),
        (header::CACHE_CONTROL, "private, no-store"),
    ];
    Ok(headers.into_iter().fold(response, |it, (name, value)| with_header(it, name, value)))
}

/// Reads again what was ignored, and makes a ticket of it whatever it is.
pub async fn open(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let before = find(at, call).await?;
    if before.state != MailState::Ignored {
        let what = "only what was ignored is opened by hand: this mail is not";
        return Err(Problem::unfitting("state", what));
    }
    let after = Mail { state: MailState::Received, ignored: None, ..before.clone() };
    let entry = Draft::new("mail.reopened", &after.id).with(json!({"mailbox": after.mailbox}));
    let job = NewJob::new(
        READ,
        format!("{READ}:{}:open", after.id),
        json!({"id": after.id, "open": true}),
    );
    let commit: Commit = store::update_mail(&before, &after).entry(entry).job(job.eager());
    let response = json_response(StatusCode::ACCEPTED, &after);
    at.answer(commit, response, Problem::changed_meanwhile).await
}
