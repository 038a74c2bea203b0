//! Notices: something that some are to hear of, taken in once and told of by each channel.

mod actor;
pub mod amend;
mod cancel;
mod report;

pub use actor::NoticeActor;
pub use cancel::{cancel, cancel_by_key};
pub use report::{NoticeCounts, NoticeReport, deliveries, get};
use report::{find, report, reported};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use shared::{
    domain::{Commit, Draft, Id, Timestamp, WORD, is_word},
    http::{Response, StatusCode, json as json_response},
    ports::Tenant,
    problem::Problem,
};
use url::Url;
use utoipa::ToSchema;

use crate::{
    audience::{self, AT_ONCE_MAX},
    batch,
    delivery::{self, Delivery},
    files::NamedFile,
    recipient::{self, NewRecipient, Recipient},
    settings, store,
    thread::Thread,
    workflow::Workflow,
};

/// The largest request: ten thousand contacts, each with name and zone.
pub const BODY_BYTES_MAX: usize = 2 * 1024 * 1024;
/// The longest address that a notice leads to, in bytes.
const URL_BYTES_MAX: usize = 2048;
/// The name in a template's data of who reads it.
const RECIPIENT: &str = "recipient";

/// Something that some are to hear of.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewNotice {
    /// Its type; a workflow says how that is sent.
    #[serde(rename = "type")]
    pub kind: String,
    /// Who is to hear of it, each once: up to 10,000, with all subscribers of the topics that are
    /// named. More than 100, and topics, are reached after the answer.
    pub to: Vec<NewRecipient>,
    /// What the template is filled with; `recipient.name` and `recipient.email` are there as well.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub data: Map<String, Value>,
    /// The resource that it is about, as `document:42`: who muted that does not hear of it.
    #[serde(default)]
    pub about: Option<String>,
    /// Where it leads.
    #[serde(default)]
    pub url: Option<String>,
    /// What tells it from others: a second one with the same key is the first.
    #[serde(default)]
    pub key: Option<String>,
    /// Who caused it.
    #[serde(default)]
    pub actor: Option<NoticeActor>,
    /// From when on it is of no use: what is not sent by then is withheld, and its items are no
    /// longer listed.
    #[serde(default)]
    pub expires_at: Option<Timestamp>,
    /// Whether it is sent in quiet hours as well.
    #[serde(default)]
    pub urgent: bool,
    /// What a mail of it carries: files that a rule found.
    #[serde(skip)]
    pub files: Vec<NamedFile>,
    /// How a mail of it stands among others, as a rule found it.
    #[serde(skip)]
    pub mail: Option<Thread>,
    /// The entry of the log that a rule made it of.
    #[serde(skip)]
    pub of: Option<Of>,
}

/// The entry of the log that a notice is made of.
#[derive(Clone, Debug, Serialize)]
pub struct Of {
    /// What happened.
    pub action: String,
    /// What it happened to.
    pub subject: String,
}

/// A notice as it is kept.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Notice {
    /// `ntc_…`
    pub id: Id,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// What tells it from others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The resource that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
    /// Where it leads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Who caused it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor: Option<NoticeActor>,
    /// From when on it is of no use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// Whether it is sent in quiet hours as well.
    pub urgent: bool,
    /// What the template is filled with.
    #[schema(value_type = Object)]
    pub data: Map<String, Value>,
    /// When it was taken in.
    pub created_at: Timestamp,
    /// How many it was for, when they are reached after the answer; who was named twice counts
    /// twice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recipients: Option<i64>,
    /// What a mail of it carries.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<NamedFile>,
    /// How a mail of it stands among others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mail: Option<Thread>,
    /// When it was last revised.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revised_at: Option<Timestamp>,
    /// When it was withdrawn.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub withdrawn_at: Option<Timestamp>,
    /// How often it was revised or withdrawn: what is made of an older one is not written.
    #[serde(skip)]
    pub revision: i64,
}

impl Notice {
    /// What the template is filled with, for this recipient.
    pub fn data_for(&self, recipient: &Recipient) -> Value {
        let email = recipient.mailbox.as_ref().map(|it| it.address.as_str());
        let mut data = self.data.clone();
        data.insert(
            RECIPIENT.to_owned(),
            json!({
                "name": recipient.name, "email": email, "locale": recipient.locale,
            }),
        );
        // A template whose type has a digest is filled alike when one goes out by itself.
        batch::data(Value::Object(data), &[&self.data], 1)
    }
}

/// A notice that can be sent, and to whom.
pub struct Prepared<'a> {
    /// The notice.
    pub notice: Notice,
    /// How its type is sent.
    pub workflow: &'a Workflow,
    /// How many recipients it has.
    pub recipients: usize,
    /// To each recipient by each channel.
    pub deliveries: Vec<(Recipient, Delivery)>,
}

/// How the type of a notice is sent.
///
/// # Errors
/// The 422 of a type without a workflow, and the 409 when there is nobody who sends.
pub async fn workflow_of(at: &impl Tenant, new: &NewNotice) -> Result<Workflow, Problem> {
    let workflow = store::find_workflow(at, &new.kind).await?;
    let workflow = workflow.ok_or_else(|| {
        let why = format!("put /v1/notifications/workflows/{} first", new.kind);
        Problem::unfitting("type", why)
    })?;
    // A push service is told whom to ask about who sends, which is the sender of mail.
    if workflow.leaves() && store::find_settings(at).await?.from.is_none() {
        return Err(settings::missing());
    }
    Ok(workflow)
}

/// The notice, looked at from all sides: a mistake is told to who sends, rather than found when it
/// is due.
///
/// # Errors
/// The 422 of what does not fit.
pub async fn prepared<'a>(
    at: &impl Tenant,
    workflow: &'a Workflow,
    new: NewNotice,
) -> Result<Prepared<'a>, Problem> {
    if !(1..=AT_ONCE_MAX).contains(&new.to.len()) {
        return Err(Problem::unfitting("to", format!("1 to {AT_ONCE_MAX} recipients")));
    }
    let (notice, to) = new.checked(at.new_id("ntc")?, at.now())?;
    let found = resolve(at, to).await?;
    let (recipients, mut deliveries) = (found.len(), Vec::new());
    for (number, recipient) in found.into_iter().enumerate() {
        check(workflow, &notice, &recipient, &format!("to[{number}]"))?;
        let all = delivery::all(at, &notice, workflow, &recipient)?;
        if all.is_empty() {
            let why = "none of the channels of its type leads there: hook does to hooks alone";
            return Err(Problem::unfitting(&format!("to[{number}]"), why));
        }
        deliveries.extend(all.into_iter().map(|it| (recipient.clone(), it)));
    }
    Ok(Prepared { notice, workflow, recipients, deliveries })
}

/// Takes a notice in: the deliveries are due when the workflow says, and worked as jobs.
pub async fn send(at: &impl Tenant, new: NewNotice) -> Result<Response, Problem> {
    if let Some(key) = &new.key
        && let Some(first) = store::find_notice_by_key(at, key).await?
    {
        return report(at, StatusCode::OK, first).await;
    }
    let Composed { commit, report } = composed(at, new).await?;
    at.answer(commit, json_response(StatusCode::ACCEPTED, &report), taken).await
}

/// A notice that is ready to be taken in.
pub struct Composed {
    /// What takes it in.
    pub commit: Commit,
    /// What its sender hears.
    pub report: NoticeReport,
}

/// Makes all that a notice is, to one or to many.
///
/// # Errors
/// What its sender is to do otherwise.
pub async fn composed(at: &impl Tenant, new: NewNotice) -> Result<Composed, Problem> {
    let workflow = workflow_of(at, &new).await?;
    if audience::is_large(&new.to) {
        return fanned_out(at, &workflow, new).await;
    }
    let of = new.of.clone();
    let Prepared { notice, recipients, deliveries, .. } = prepared(at, &workflow, new).await?;
    let deliveries: Vec<_> = deliveries.into_iter().map(|it| it.1).collect();
    let commit = created(&notice, recipients, of.as_ref());
    let commit = deliveries.iter().fold(commit, |it, one| it.and(delivery::queued(one)));
    Ok(Composed { commit, report: NoticeReport { notice, deliveries, counts: None } })
}

/// A notice to many: they are reached by jobs.
async fn fanned_out(
    at: &impl Tenant,
    workflow: &Workflow,
    new: NewNotice,
) -> Result<Composed, Problem> {
    let (count, of) = (audience::count(at, &new.to).await?, new.of.clone());
    let (notice, to) = new.checked(at.new_id("ntc")?, at.now())?;
    let notice = Notice { recipients: i64::try_from(count).ok(), ..notice };
    let parts = audience::parts(to);
    if let Some(first) = audience::first(at, &parts).await? {
        check(workflow, &notice, &first, "the first of to")?;
    }
    let commit = created(&notice, count, of.as_ref()).and(audience::queued(&notice.id, &parts));
    let counts = Some(NoticeCounts { more: true, ..NoticeCounts::default() });
    Ok(Composed { commit, report: NoticeReport { notice, deliveries: Vec::new(), counts } })
}

fn created(notice: &Notice, recipients: usize, of: Option<&Of>) -> Commit {
    let mut data = json!({"type": notice.kind, "recipients": recipients});
    if let (Some(of), Some(data)) = (of, data.as_object_mut()) {
        data.insert("of".to_owned(), json!(of));
    }
    let entry = Draft::new("notice.created", &notice.id).with(data);
    store::insert_notice(notice).entry(entry)
}

/// 409: another request with the same key was faster.
fn taken() -> Problem {
    let kind = "/problems/notifications/key-taken";
    Problem::new(StatusCode::CONFLICT, kind, "The key was just taken")
        .detail("send it again: the answer is the notice that has the key")
}

impl NewNotice {
    fn checked(
        self,
        id: Id,
        created_at: Timestamp,
    ) -> Result<(Notice, Vec<NewRecipient>), Problem> {
        for (path, word) in [("about", &self.about), ("key", &self.key)] {
            if word.as_ref().is_some_and(|it| !is_word(it)) {
                return Err(Problem::unfitting(path, WORD));
            }
        }
        check_filling(&self.data, self.url.as_deref())?;
        self.actor.iter().try_for_each(NoticeActor::check)?;
        if self.expires_at.is_some_and(|it| it <= created_at) {
            return Err(Problem::unfitting("expires_at", "a moment to come"));
        }
        let Self { kind, to, data, about, url, key, actor, expires_at, urgent, .. } = self;
        let Self { files, mail, .. } = self;
        let it = Notice {
            id,
            kind,
            key,
            about,
            url,
            actor,
            expires_at,
            urgent,
            data,
            created_at,
            recipients: None,
            files,
            mail,
            revised_at: None,
            withdrawn_at: None,
            revision: 0,
        };
        Ok((it, to))
    }
}

/// Whether a notice can be filled with this, and lead there.
fn check_filling(data: &Map<String, Value>, url: Option<&str>) -> Result<(), Problem> {
    if data.contains_key(RECIPIENT) {
        return Err(Problem::unfitting("data.recipient", "this is who reads it: leave it out"));
    }
    if data.contains_key(batch::DIGEST) {
        let why = "this is what came together with it: leave it out";
        return Err(Problem::unfitting("data.digest", why));
    }
    if url.is_some_and(|it| !is_link(it)) {
        return Err(Problem::unfitting("url", "an address of http or https"));
    }
    Ok(())
}

fn is_link(text: &str) -> bool {
    text.len() <= URL_BYTES_MAX
        && Url::parse(text).is_ok_and(|it| ["http", "https"].contains(&it.scheme()))
}

/// Whom the request means, each once.
async fn resolve(at: &impl Tenant, to: Vec<NewRecipient>) -> Result<Vec<Recipient>, Problem> {
    let mut found: Vec<Recipient> = Vec::new();
    for (number, new) in to.into_iter().enumerate() {
        let recipient = recipient::find(at, new).await?.ok_or_else(|| {
            Problem::unfitting(
                &format!("to[{number}]"),
                "no member has this id, or no hook this name",
            )
        })?;
        if found.iter().all(|it| it.key != recipient.key) {
            found.push(recipient);
        }
    }
    Ok(found)
}

/// Whether the template can be filled for the recipient.
fn check(
    workflow: &Workflow,
    notice: &Notice,
    recipient: &Recipient,
    whose: &str,
) -> Result<(), Problem> {
    let data = notice.data_for(recipient);
    let rendered = workflow.render(recipient.locale.as_deref(), &data);
    rendered.map_err(|it| Problem::unfitting("data", format!("for {whose}: {it}")))?;
    Ok(())
}
