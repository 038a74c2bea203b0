//! Notices: something that some are to hear of, taken in once and told of by each channel.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use shared::{
    domain::{Commit, Draft, Id, Timestamp, WORD, is_word},
    http::{Response, StatusCode, json as json_response},
    ports::Tenant,
    problem::Problem,
    route::Call,
};
use url::Url;
use utoipa::ToSchema;

use crate::{
    channel::Channel,
    delivery::{self, Delivery},
    recipient::{self, NewRecipient, Recipient},
    settings, store,
    workflow::Workflow,
};

/// How many recipients a notice has at most.
pub const RECIPIENTS_MAX: usize = 100;
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
    /// Who is to hear of it: 1 to 100, each once.
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
    /// Whether it is sent in quiet hours as well.
    #[serde(default)]
    pub urgent: bool,
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
    /// Whether it is sent in quiet hours as well.
    pub urgent: bool,
    /// What the template is filled with.
    #[schema(value_type = Object)]
    pub data: Map<String, Value>,
    /// When it was taken in.
    pub created_at: Timestamp,
}

/// A notice, and what became of it: why it was or was not sent, to each.
#[derive(Debug, Serialize, ToSchema)]
pub struct NoticeReport {
    /// The notice.
    #[serde(flatten)]
    pub notice: Notice,
    /// To each recipient by each channel.
    pub deliveries: Vec<Delivery>,
}

impl Notice {
    /// What the template is filled with, for this recipient.
    pub fn data_for(&self, recipient: &Recipient) -> Value {
        let email = recipient.mailbox.as_ref().map(|it| it.address.as_str());
        let mut data = self.data.clone();
        data.insert(RECIPIENT.to_owned(), json!({"name": recipient.name, "email": email}));
        Value::Object(data)
    }
}

/// Takes a notice in: the deliveries are due when the workflow says, and worked as jobs.
pub async fn send(at: &impl Tenant, new: NewNotice) -> Result<Response, Problem> {
    let workflow = store::find_workflow(at, &new.kind).await?;
    let workflow = workflow.ok_or_else(|| {
        let why = format!("put /v1/notifications/workflows/{} first", new.kind);
        Problem::unfitting("type", why)
    })?;
    if let Some(key) = &new.key
        && let Some(first) = store::find_notice_by_key(at, key).await?
    {
        return report(at, StatusCode::OK, first).await;
    }
    // A push service is told whom to ask about who sends, which is the sender of mail.
    let leaves = workflow.text.channels.iter().any(|it| *it != Channel::InApp);
    if leaves && store::find_settings(at).await?.from.is_none() {
        return Err(settings::missing());
    }
    let (notice, to) = new.checked(at.new_id("ntc")?, at.now())?;
    let recipients = resolve(at, to).await?;
    for (number, recipient) in recipients.iter().enumerate() {
        check(&workflow, &notice, recipient, number)?;
    }
    let mut deliveries = Vec::new();
    for recipient in &recipients {
        for channel in &workflow.text.channels {
            let id = at.new_id("dlv")?;
            deliveries.push(Delivery::new(id, &notice, &workflow, recipient, *channel));
        }
    }
    let entry = Draft::new("notice.created", &notice.id)
        .with(json!({"type": notice.kind, "recipients": recipients.len()}));
    let commit = store::insert_notice(&notice).entry(entry);
    let commit = deliveries.iter().fold(commit, |it, one| it.and(delivery::queued(one)));
    let response = json_response(StatusCode::ACCEPTED, &NoticeReport { notice, deliveries });
    at.answer(commit, response, taken).await
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
        if !(1..=RECIPIENTS_MAX).contains(&self.to.len()) {
            return Err(Problem::unfitting("to", format!("1 to {RECIPIENTS_MAX} recipients")));
        }
        if self.data.contains_key(RECIPIENT) {
            return Err(Problem::unfitting("data.recipient", "this is who reads it: leave it out"));
        }
        if self.url.as_ref().is_some_and(|it| !is_link(it)) {
            return Err(Problem::unfitting("url", "an address of http or https"));
        }
        let Self { kind, to, data, about, url, key, urgent } = self;
        Ok((Notice { id, kind, key, about, url, urgent, data, created_at }, to))
    }
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
            Problem::unfitting(&format!("to[{number}].member"), "no member has this id")
        })?;
        if found.iter().all(|it| it.key != recipient.key) {
            found.push(recipient);
        }
    }
    Ok(found)
}

/// Whether the template can be filled for the recipient: a mistake is told to who sends, rather
/// than found when it is due.
fn check(
    workflow: &Workflow,
    notice: &Notice,
    recipient: &Recipient,
    number: usize,
) -> Result<(), Problem> {
    let data = notice.data_for(recipient);
    let rendered = workflow.text.template.render(&data);
    rendered.map_err(|it| Problem::unfitting("data", format!("for to[{number}]: {it}")))?;
    Ok(())
}

/// Reads one, and what became of it.
pub async fn get(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    report(at, StatusCode::OK, find(at, call).await?).await
}

async fn find(at: &impl Tenant, call: &Call) -> Result<Notice, Problem> {
    let id = call.id("ntc")?;
    store::find_notice(at, &id).await?.ok_or_else(Problem::not_found)
}

async fn report(at: &impl Tenant, status: StatusCode, notice: Notice) -> Result<Response, Problem> {
    let deliveries = store::deliveries_of(at, &notice.id).await?;
    Ok(json_response(status, &NoticeReport { notice, deliveries }))
}

/// Cancels what of it is not sent yet.
pub async fn cancel(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let notice = find(at, call).await?;
    let entry = Draft::new("notice.cancelled", &notice.id);
    let commit: Commit = store::cancel_deliveries(&notice.id, at.now()).entry(entry);
    let mut deliveries = store::deliveries_of(at, &notice.id).await?;
    deliveries.iter_mut().for_each(|it| it.cancel(at.now()));
    let response = json_response(StatusCode::OK, &NoticeReport { notice, deliveries });
    at.answer(commit, response, Problem::changed_meanwhile).await
}
