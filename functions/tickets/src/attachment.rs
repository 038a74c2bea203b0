//! Files of tickets: what came with a mail, and what goes with an answer.
//!
//! Whoever sent one said what it is. So it is handed out as a file that no browser shows, and what a
//! scanner found to be harmful not at all.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http::{HeaderValue, Method};
use serde::{Deserialize, Serialize};
use serde_json::json;
use shared::{
    domain::{Commit, Draft, Failure, Id, Job, Page, Timestamp},
    http::{HeaderMap, Response, StatusCode, header, json as json_response},
    ports::{Blobs, HANDED_ON, HttpRequest, PortError, Tenant},
    problem::Problem,
    route::Call,
};
use url::Url;
use utoipa::ToSchema;

use crate::{
    inlet::mail::{Mail, stream as handed_out},
    mail::{Incoming, safe_name},
    store,
    ticket::{self, message::File},
};

/// How many files a ticket has.
pub const ATTACHMENTS_MAX: u32 = 1_000;
/// The largest file that is uploaded, in bytes: what mail carries of notifications at most.
pub const UPLOAD_BYTES_MAX: usize = 6 * 1024 * 1024;
/// How long a scanner has, and how much of its answer is read, in bytes.
const SCAN_TIMEOUT: Duration = Duration::from_secs(60);
const SCAN_BYTES_MAX: usize = 64 * 1024;

/// Whether a file is harmless.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = TicketScan)]
pub enum Scan {
    /// Nobody looked.
    Unscanned,
    /// Somebody is looking, or could not yet.
    Pending,
    /// It is, as far as the scanner can tell.
    Clean,
    /// It is not: nobody gets it.
    Infected,
}

/// A file of a ticket.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize, ToSchema)]
#[schema(as = TicketAttachment)]
pub struct Attachment {
    /// `tat_…`
    pub id: Id,
    /// The ticket that it came to.
    pub ticket: Id,
    /// What it is called: no path, no controls.
    pub name: String,
    /// Its media type, as whoever sent it said.
    #[serde(rename = "type")]
    pub kind: String,
    /// How large it is, in bytes.
    pub bytes: u64,
    /// By what HTML of its mail names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_id: Option<String>,
    /// Whether it is shown within the text.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub inline: bool,
    /// Whether it could not be decoded: then it is as it was sent.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub broken: bool,
    /// Whether it is harmless.
    pub scan: Scan,
    /// When it came.
    pub created_at: Timestamp,
    /// The blob that it is.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schema(ignore)]
    pub blob: String,
    /// The mailbox whose scanner looks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(ignore)]
    pub mailbox: Option<Id>,
}

impl Attachment {
    /// A mail as a file of a ticket, as a whole.
    pub fn whole(file: File, blob: &str, ticket: &Id, now: Timestamp) -> Self {
        Self {
            id: Id::trusted(file.id),
            ticket: ticket.clone(),
            name: file.name,
            kind: file.kind,
            bytes: file.bytes,
            content_id: None,
            inline: false,
            broken: false,
            scan: Scan::Unscanned,
            created_at: now,
            blob: blob.to_owned(),
            mailbox: None,
        }
    }

    /// As a message names it.
    pub fn file(&self) -> File {
        File {
            id: self.id.to_string(),
            name: self.name.clone(),
            kind: self.kind.clone(),
            bytes: self.bytes,
            content_id: self.content_id.clone(),
        }
    }

    /// As it is shown: where it is kept is nobody's business.
    fn shown(self) -> Self {
        Self { blob: String::new(), mailbox: None, ..self }
    }
}

/// The files of a mail, kept. They have no ticket yet. Kept again they are the same blobs.
///
/// # Errors
/// When a blob cannot be written.
pub async fn of_mail(
    at: &impl Tenant,
    mail: &Mail,
    incoming: &Incoming,
    raw: &[u8],
    scanned: bool,
) -> Result<Vec<Attachment>, PortError> {
    let mut all = Vec::new();
    for (number, it) in incoming.attachments.iter().enumerate() {
        let blob = format!("{HANDED_ON}tickets/{}/{number}", mail.id);
        let bytes = Bytes::from(it.bytes(raw).into_owned());
        at.blobs().put(&blob, stream::iter([Ok(bytes)])).await?;
        all.push(Attachment {
            id: at.new_id("tat")?,
            ticket: Id::trusted(String::new()),
            name: it.name.clone(),
            kind: it.media_type.clone(),
            bytes: it.size as u64,
            content_id: it.content_id.clone(),
            inline: it.inline,
            broken: it.broken,
            scan: if scanned { Scan::Pending } else { Scan::Unscanned },
            created_at: at.now(),
            blob,
            mailbox: Some(mail.mailbox.clone()),
        });
    }
    Ok(all)
}

/// Lists the files of a ticket, the oldest first.
pub async fn list(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let ticket = ticket::find(at, call).await?;
    let (limit, cursor) = call.page()?;
    let after = cursor.as_ref().map_or("", |it| it.key());
    let all = store::list_attachments(at, &ticket.id, after, limit + 1).await?;
    let all = all.into_iter().map(Attachment::shown).collect();
    Ok(json_response(StatusCode::OK, &Page::of(all, limit, |it| it.id.to_string())))
}

async fn find(at: &impl Tenant, call: &Call) -> Result<Attachment, Problem> {
    let id = call.id("tat")?;
    store::find_attachment(at, id.as_str()).await?.ok_or_else(Problem::not_found)
}

/// Reads what is known of one.
pub async fn get(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    Ok(json_response(StatusCode::OK, &find(at, call).await?.shown()))
}

/// Hands one out.
pub async fn download(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let it = find(at, call).await?;
    let kind = "/problems/tickets/attachment-held";
    let held = |why: &str| {
        Problem::new(StatusCode::CONFLICT, kind, "The file is not handed out").detail(why)
    };
    match it.scan {
        Scan::Infected => Err(held("the scanner found it to be harmful")),
        Scan::Pending if call.query("unscanned").as_deref() != Some("accept") => {
            Err(held("the scanner has not looked at it yet: try later, or say unscanned=accept"))
        }
        _ => handed_out(at, &it.blob, &it.kind, &it.name).await,
    }
}

/// Takes in a file that goes with an answer.
pub async fn upload(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let ticket = ticket::find(at, call).await?;
    let by = ticket::by(at, call).await?;
    let name = safe_name(&call.query("name").unwrap_or_default());
    if name.is_empty() {
        return Err(Problem::unfitting("name", "the name of the file, with its ending"));
    }
    let body = call.request.body();
    if body.is_empty() {
        return Err(Problem::unfitting("", "the bytes of the file are the body"));
    }
    let kind = call.request.headers().get(header::CONTENT_TYPE);
    let kind = kind.and_then(|it| it.to_str().ok()).and_then(|it| it.split(';').next());
    let kind = kind.map(|it| it.trim().to_ascii_lowercase());
    let is_fit = |it: &String| {
        it.split('/').count() == 2
            && it.split('/').all(|it| {
                !it.is_empty()
                    && it.bytes().all(|it| it.is_ascii_alphanumeric() || b"!#$&^_.+-".contains(&it))
            })
    };
    let kind = kind.filter(is_fit).unwrap_or_else(|| "application/octet-stream".to_owned());
    let id = at.new_id("tat")?;
    let blob = format!("{HANDED_ON}tickets/{id}");
    at.blobs().put(&blob, stream::iter([Ok(body.clone())])).await?;
    let file = File { id: id.to_string(), name, kind, bytes: body.len() as u64, content_id: None };
    let it = Attachment::whole(file, &blob, &ticket.id, at.now());
    let data = json!({"attachment": it.id, "name": it.name, "bytes": it.bytes, "by": by});
    let entry = Draft::new("ticket.attached", &ticket.id).with(data);
    let commit = store::insert_attachment(&it).entry(entry);
    let response = json_response(StatusCode::CREATED, &it.shown());
    let full =
        || Problem::full_list(ATTACHMENTS_MAX, "files of a ticket", "open another for the rest");
    at.answer(commit, response, full).await
}

/// Those with these ids that may go with an answer in this ticket: as the message names them, and as
/// notifications hand them on.
///
/// # Errors
/// 422 for one that is none of the ticket, or harmful.
pub async fn of_answer(
    at: &impl Tenant,
    ticket: &Id,
    ids: &[String],
) -> Result<(Vec<File>, Vec<serde_json::Value>), Problem> {
    let (mut files, mut handed) = (Vec::new(), Vec::new());
    for (number, id) in ids.iter().enumerate() {
        let found = store::find_attachment(at, id).await?;
        let fit = found.filter(|it| {
            it.ticket == *ticket && it.scan != Scan::Infected && it.blob.starts_with(HANDED_ON)
        });
        let it = fit.ok_or_else(|| {
            Problem::unfitting(
                &format!("files[{number}]"),
                "a file that was uploaded to the ticket",
            )
        })?;
        handed.push(json!({"blob": it.blob, "name": it.name, "type": it.kind}));
        files.push(it.file());
    }
    Ok((files, handed))
}

/// Posts a file to the scanner of its mailbox, and writes down what that says.
pub async fn scan(at: &impl Tenant, job: &Job) -> Result<Commit, Failure> {
    let id = job.subject()?;
    let Some(it) = store::find_attachment(at, id.as_str()).await? else {
        return Ok(Commit::new());
    };
    let mailbox = match &it.mailbox {
        Some(id) => store::find_mailbox(at, id.as_str()).await?,
        None => None,
    };
    let url = mailbox.and_then(|it| it.scan_url).and_then(|it| Url::parse(&it).ok());
    let scan = match url {
        None => Scan::Unscanned,
        Some(url) => asked(at, &it, url).await?,
    };
    let data = json!({"attachment": it.id, "name": it.name, "scan": scan});
    let entry = Draft::new("ticket.attachment_scanned", &it.ticket).with(data);
    Ok(store::update_attachment(&Attachment { scan, ..it }).entry(entry))
}

#[derive(Deserialize)]
struct Answer {
    verdict: Scan,
}

async fn asked(at: &impl Tenant, it: &Attachment, url: Url) -> Result<Scan, Failure> {
    let Some(mut blob) = at.blobs().get(&it.blob, None).await? else {
        return Err(Failure::dead("the file is gone"));
    };
    let mut bytes = Vec::new();
    while let Some(chunk) = blob.chunks.next().await {
        bytes.extend_from_slice(&chunk?);
    }
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    if let Ok(id) = HeaderValue::from_str(it.id.as_str()) {
        headers.insert("backplane-attachment", id);
    }
    let request = HttpRequest {
        method: Method::POST,
        url,
        headers,
        body: bytes.into(),
        timeout: SCAN_TIMEOUT,
        answer_bytes_max: SCAN_BYTES_MAX,
    };
    let answer = at.fetch(request).await.map_err(Failure::again)?;
    let said = serde_json::from_slice::<Answer>(&answer.body).map(|it| it.verdict);
    match said {
        Ok(it @ (Scan::Clean | Scan::Infected)) if answer.status.is_success() => Ok(it),
        _ => Err(Failure::again(format!(
            "the scanner answered {} and no verdict: clean or infected",
            answer.status
        ))),
    }
}
