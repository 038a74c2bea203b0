//! The inbox: what a recipient has in the product, and what became of it there.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::json;
use shared::{
    domain::{Commit, Draft, Id, Page, Timestamp},
    http::{Response, StatusCode, empty, json as json_response},
    ports::{PortError, Tenant},
    problem::Problem,
    route::Call,
};
use utoipa::ToSchema;

use crate::{
    delivery::Delivery,
    language::{TAG, is_tag},
    live,
    notice::{Notice, NoticeActor},
    recipient, store,
    template::Rendered,
    translation,
    workflow::Workflow,
};

/// How many items are marked at once by their ids.
const IDS_MAX: usize = 100;

/// An item of an inbox.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct InboxItem {
    /// `itm_…`. What came later sorts later.
    pub id: Id,
    /// The notice.
    pub notice: Id,
    /// What it says.
    #[serde(flatten)]
    pub words: InboxWords,
    /// When it came.
    pub at: Timestamp,
    /// When it was first shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seen_at: Option<Timestamp>,
    /// When it was read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_at: Option<Timestamp>,
    /// When it was put away.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub archived_at: Option<Timestamp>,
    /// Until when it is out of sight.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snoozed_until: Option<Timestamp>,
    /// Until when it is listed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

/// What an item says.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct InboxWords {
    /// The type of the notice.
    #[serde(rename = "type")]
    pub kind: String,
    /// The language of the words, where they are a translation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// What kind of thing it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// Who caused it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<NoticeActor>,
    /// The resource that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
    /// Where it leads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Its title.
    pub subject: String,
    /// Its words, as plain text.
    pub text: String,
    /// Its words, as HTML in which no data is markup.
    pub html: String,
}

/// A page of an inbox. The counts are how it stands, and not what has changed.
#[derive(Debug, Serialize, ToSchema)]
pub struct Inbox {
    /// The items, the latest first.
    pub items: Vec<InboxItem>,
    /// What to send as `cursor` for the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// How it stands.
    #[serde(flatten)]
    pub counts: InboxCounts,
}

/// How an inbox stands, but for what is put away or out of sight.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct InboxCounts {
    /// How many were never shown.
    pub unseen: i64,
    /// How many were not read.
    pub unread: i64,
}

/// What is listed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Shown {
    /// What is neither put away nor out of sight.
    Active,
    /// What of that was not read.
    Unread,
    /// What is put away.
    Archived,
    /// What is out of sight for a while.
    Snoozed,
    /// All.
    All,
}

/// What becomes of items.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InboxMark {
    /// What.
    #[serde(rename = "as")]
    pub to: MarkedAs,
    /// Of these, up to 100.
    #[serde(default)]
    pub ids: BTreeSet<String>,
    /// Or of all up to and with this one: what came later is not touched.
    #[serde(default)]
    pub up_to: Option<String>,
    /// Until when, of what is snoozed.
    #[serde(default)]
    pub until: Option<Timestamp>,
}

/// What an item is marked as.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MarkedAs {
    /// It was shown.
    Seen,
    /// It was read, and so shown.
    Read,
    /// It is to be read again.
    Unread,
    /// It is put away.
    Archived,
    /// It is out of sight until a moment.
    Snoozed,
    /// It is back: neither put away nor out of sight.
    Active,
}

impl Shown {
    /// As it is asked for.
    pub fn word(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Unread => "unread",
            Self::Archived => "archived",
            Self::Snoozed => "snoozed",
            Self::All => "all",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let all = [Self::Active, Self::Unread, Self::Archived, Self::Snoozed, Self::All];
        all.into_iter().find(|it| it.word() == text)
    }
}

/// The delivery as an item.
///
/// # Errors
/// When the runtime has no randomness.
pub fn written(
    at: &impl Tenant,
    delivery: &Delivery,
    notice: &Notice,
    workflow: &Workflow,
    words: Rendered,
) -> Result<Commit, PortError> {
    let item = InboxItem {
        id: at.new_id("itm")?,
        notice: notice.id.clone(),
        words: said(notice, workflow, words),
        at: at.now(),
        seen_at: None,
        read_at: None,
        archived_at: None,
        snoozed_until: None,
        expires_at: notice.expires_at,
    };
    let entry = Draft::new(live::RECEIVED, &Id::trusted(delivery.recipient.clone()))
        .with(json!({"item": item.id, "notice": item.notice, "type": item.words.kind}));
    Ok(store::insert_item(&delivery.recipient, &item).entry(entry))
}

/// What its item says from now on. `None` when there is no item.
///
/// # Errors
/// When the database fails.
pub async fn revised(
    at: &impl Tenant,
    delivery: &Delivery,
    notice: &Notice,
    workflow: &Workflow,
    words: Rendered,
) -> Result<Option<Commit>, PortError> {
    let found = store::find_item_of(at, &delivery.recipient, &notice.id).await?;
    Ok(found.map(|id| {
        let words = said(notice, workflow, words);
        let entry = Draft::new(live::REVISED, &Id::trusted(delivery.recipient.clone()))
            .with(json!({"item": id, "notice": notice.id, "type": notice.kind}));
        store::revise_item(&delivery.recipient, &id, &words).entry(entry)
    }))
}

/// Takes its item away, if there is one.
///
/// # Errors
/// When the database fails.
pub async fn withdrawn(at: &impl Tenant, delivery: &Delivery) -> Result<Commit, PortError> {
    let found = store::find_item_of(at, &delivery.recipient, &delivery.notice).await?;
    let gone = |id: Id| {
        let entry = Draft::new(live::WITHDRAWN, &Id::trusted(delivery.recipient.clone()))
            .with(json!({"item": id, "notice": delivery.notice}));
        store::delete_item(&delivery.recipient, &id).entry(entry)
    };
    Ok(found.map(gone).unwrap_or_default())
}

fn said(notice: &Notice, workflow: &Workflow, words: Rendered) -> InboxWords {
    InboxWords {
        kind: notice.kind.clone(),
        language: words.language,
        category: workflow.text.category.clone(),
        actor: notice.actor.clone(),
        about: notice.about.clone(),
        url: notice.url.clone(),
        subject: words.subject,
        text: words.text,
        html: words.html,
    }
}

/// Lists an inbox, the latest first.
pub async fn list(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let key = recipient::key(at, call).await?;
    let (limit, cursor) = call.page()?;
    let shown = match call.query("state") {
        None => Shown::Active,
        Some(it) => Shown::parse(&it).ok_or_else(|| {
            Problem::invalid().detail("state is active, unread, archived, snoozed or all")
        })?,
    };
    let before = cursor.as_ref().map(|it| it.key());
    let language = call.query("language").map(String::from);
    if language.as_ref().is_some_and(|it| !is_tag(it)) {
        return Err(Problem::invalid().detail(format!("language is {TAG}")));
    }
    let category = call.query("category").map(String::from);
    // First: what is counted is listed as well, and what comes meanwhile is listed at most.
    let counts = store::count_items(at, &key).await?;
    let found = store::list_items(at, &key, shown, category.as_deref(), before, limit + 1);
    let mut items = found.await?;
    translation::translate(at, &key, language, &mut items).await?;
    let Page { items, next } = Page::of(items, limit, |it| it.id.to_string());
    Ok(json_response(StatusCode::OK, &Inbox { items, next, counts }))
}

/// Marks items, and says how the inbox stands after that.
pub async fn mark(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let (key, mark) = (recipient::key(at, call).await?, call.json::<InboxMark>()?);
    let ranges = mark.ranges()?;
    let until = mark.checked_until(at.now())?;
    let entry = Draft::new(live::MARKED, &Id::trusted(key.clone()))
        .with(json!({"as": mark.to, "ids": mark.ids, "up_to": mark.up_to}));
    let commit = ranges.iter().fold(Commit::new(), |it, (from, to)| {
        it.and(store::mark_items(&key, mark.to, from, to, at.now(), until))
    });
    let response = empty(StatusCode::NO_CONTENT);
    at.answer(commit.entry(entry), response, Problem::changed_meanwhile).await
}

impl InboxMark {
    /// The stretches of ids that are meant.
    fn ranges(&self) -> Result<Vec<(String, String)>, Problem> {
        match (&self.up_to, self.ids.len()) {
            (Some(to), 0) => Ok(vec![(String::new(), to.clone())]),
            (None, 1..=IDS_MAX) => Ok(self.ids.iter().map(|it| (it.clone(), it.clone())).collect()),
            _ => Err(Problem::unfitting("ids", format!("name 1 to {IDS_MAX} ids, or up_to"))),
        }
    }

    fn checked_until(&self, now: Timestamp) -> Result<Option<Timestamp>, Problem> {
        match (self.to, self.until) {
            (MarkedAs::Snoozed, Some(it)) if it > now => Ok(Some(it)),
            (MarkedAs::Snoozed, _) => Err(Problem::unfitting("until", "a moment to come")),
            (_, None) => Ok(None),
            (_, Some(_)) => Err(Problem::unfitting("until", "only what is snoozed has one")),
        }
    }
}
