//! Amending what was sent already: a notice is revised, or withdrawn, wherever it can still be
//! reached.
//!
//! In the product the item says something else, or is gone. On a screen a push takes the place of
//! the one before. A webhook is posted to again. A mail, and what was posted to a room, is out of
//! reach; so is what went out within a digest. What is not sent yet is sent as it is now, or not
//! at all. What is being handed to a provider at that moment goes out as it was.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use shared::{
    domain::{Commit, Draft, Failure, Id, Job, NewJob},
    http::{Response, StatusCode, json as json_response},
    ports::{PortError, Tenant},
    problem::Problem,
    route::Call,
};
use utoipa::ToSchema;

use super::{Notice, cancel::called_off, check, check_filling, find, report, reported};
use crate::{
    channel::Channel,
    delivery::{Delivery, State},
    hook::{HookKind, KEY},
    inbox,
    posting::{self, HookLetter},
    pushing,
    recipient::{self, Recipient},
    store,
    template::Rendered,
    workflow::Workflow,
};

/// Reaches some of those who have it.
pub const AMEND: &str = "notify.amend";
/// How many deliveries a job takes.
const SLICE: u32 = 50;

/// What a notice says from now on. What is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NoticeRevision {
    /// What the template is filled with, all of it.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub data: Option<Map<String, Value>>,
    /// Where it leads.
    #[serde(default)]
    pub url: Option<String>,
}

/// What becomes of a notice that was sent.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Amendment {
    /// It says something else.
    Revised,
    /// It is gone.
    Withdrawn,
}

/// How far the deliveries of a notice are amended.
#[derive(Debug, Deserialize, Serialize)]
struct Walk {
    id: Id,
    revision: i64,
    how: Amendment,
    /// The recipient and the channel of the last delivery that was looked at.
    after: (String, String),
    /// Whose were reached.
    reached: i64,
    /// Who has it for good.
    beyond: i64,
}

/// Revises it: what is not sent is sent as it is now, and what was sent is changed where that can
/// be done.
pub async fn revise(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let (before, new) = (find(at, call).await?, call.json::<NoticeRevision>()?);
    if before.withdrawn_at.is_some() {
        return Err(withdrawn());
    }
    let data = new.data.unwrap_or_else(|| before.data.clone());
    let url = new.url.or_else(|| before.url.clone());
    check_filling(&data, url.as_deref())?;
    let notice =
        Notice { data, url, revised_at: Some(at.now()), revision: before.revision + 1, ..before };
    let workflow = store::find_workflow(at, &notice.kind).await?;
    let workflow = workflow.ok_or_else(|| {
        Problem::unfitting("type", "its type has no workflow any more: withdraw it instead")
    })?;
    for it in store::page_of_deliveries(at, &notice.id, ("", ""), None, SLICE).await? {
        if let Some(reader) = recipient::of(at, &it.recipient, it.contact).await? {
            check(&workflow, &notice, &reader, &it.recipient)?;
        }
    }
    amended(at, notice, Amendment::Revised, Commit::new()).await
}

/// Withdraws it: what is not sent is called off, and what was sent is taken back where that can be
/// done.
pub async fn withdraw(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let before = find(at, call).await?;
    if before.withdrawn_at.is_some() {
        return report(at, StatusCode::OK, before).await;
    }
    let off = store::cancel_deliveries(&before.id, at.now()).and(store::delete_parts(&before.id));
    let withdrawn_at = Some(at.now());
    let notice = Notice { withdrawn_at, revision: before.revision + 1, ..before };
    amended(at, notice, Amendment::Withdrawn, off).await
}

/// 409: it is gone.
fn withdrawn() -> Problem {
    let kind = "/problems/notifications/withdrawn";
    Problem::new(StatusCode::CONFLICT, kind, "The notice was withdrawn")
        .detail("send another one: this one is gone")
}

async fn amended(
    at: &impl Tenant,
    notice: Notice,
    how: Amendment,
    beside: Commit,
) -> Result<Response, Problem> {
    let action = match how {
        Amendment::Revised => "notice.revised",
        Amendment::Withdrawn => "notice.withdrawn",
    };
    let (id, revision) = (notice.id.clone(), notice.revision);
    let walk = Walk { id, revision, how, after: Default::default(), reached: 0, beyond: 0 };
    let commit = store::amend_notice(&notice)
        .and(beside)
        .job(walk.job())
        .entry(Draft::new(action, &notice.id).with(json!({"revision": revision})));
    let report = match how {
        Amendment::Revised => reported(at, notice).await?,
        Amendment::Withdrawn => called_off(at, notice).await?,
    };
    let response = json_response(StatusCode::ACCEPTED, &report);
    at.answer(commit, response, Problem::changed_meanwhile).await
}

impl Walk {
    fn job(&self) -> NewJob {
        let (recipient, channel) = &self.after;
        let id = format!("{AMEND}:{}:{}:{recipient}:{channel}", self.id, self.revision);
        NewJob::new(AMEND, id, json!(self))
    }
}

/// Reaches some, and leads to the next.
///
/// # Errors
/// The database's.
pub async fn work(at: &impl Tenant, job: &Job) -> Result<Commit, Failure> {
    let mut walk: Walk = serde_json::from_value(job.body.clone()).map_err(Failure::dead)?;
    let notice = store::find_notice(at, &walk.id).await?;
    // A later amendment reaches everybody as well.
    let Some(notice) = notice.filter(|it| it.revision == walk.revision) else {
        return Ok(Commit::new());
    };
    let workflow = store::find_workflow(at, &notice.kind).await?;
    let after = (walk.after.0.as_str(), walk.after.1.as_str());
    let page = store::page_of_deliveries(at, &walk.id, after, None, SLICE).await?;
    let is_last = page.len() < SLICE as usize;
    let mut commit = Commit::new();
    for it in page {
        walk.after = (it.recipient.clone(), it.channel.word().to_owned());
        if it.state != State::Sent {
            continue;
        }
        match reach(at, &notice, workflow.as_ref(), &it, walk.how).await? {
            Some(reached) => {
                walk.reached += 1;
                commit = commit.and(reached);
            }
            None => walk.beyond += 1,
        }
    }
    if !is_last {
        return Ok(commit.job(walk.job()));
    }
    let entry = Draft::new("notice.amended", &walk.id).with(json!({
        "revision": walk.revision, "how": walk.how, "reached": walk.reached, "beyond": walk.beyond,
    }));
    Ok(commit.entry(entry))
}

/// What reaches who has it. `None` where nothing does.
async fn reach(
    at: &impl Tenant,
    notice: &Notice,
    workflow: Option<&Workflow>,
    it: &Delivery,
    how: Amendment,
) -> Result<Option<Commit>, PortError> {
    if it.batch.is_some() || matches!(it.channel, Channel::Email | Channel::Sms) {
        return Ok(None);
    }
    if (it.channel, how) == (Channel::InApp, Amendment::Withdrawn) {
        return inbox::withdrawn(at, it).await.map(Some);
    }
    let reader = recipient::of(at, &it.recipient, it.contact.clone()).await?;
    let (Some(workflow), Some(reader)) = (workflow, reader) else { return Ok(None) };
    let Some(words) = words(workflow, notice, &reader) else { return Ok(None) };
    match it.channel {
        Channel::Email | Channel::Sms => Ok(None),
        Channel::InApp => inbox::revised(at, it, notice, workflow, words).await,
        Channel::Hook => {
            let name = it.recipient.strip_prefix(KEY).unwrap_or_default();
            let hook = store::find_hook(at, name).await?;
            let takes = hook.is_some_and(|it| it.kind == HookKind::Webhook);
            let letter = HookLetter::new(notice, words, at.now()).amending(how, notice.revision);
            Ok(takes.then(|| posting::queued(&it.id, &letter)))
        }
        Channel::Push => {
            let text = workflow.text.push.clone().unwrap_or_default();
            let letter = pushing::written(at, it, notice, &text, false, words).await?;
            Ok(letter.map(|letter| pushing::queued(&it.id, &letter.amending(how))))
        }
    }
}

/// What the reader reads. `None` when the template has changed, and asks for more than there is.
fn words(workflow: &Workflow, notice: &Notice, reader: &Recipient) -> Option<Rendered> {
    workflow.render(reader.locale.as_deref(), &notice.data_for(reader)).ok()
}
