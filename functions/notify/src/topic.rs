//! Topics: names that recipients subscribe to, so that a notice names one and reaches them all.

use serde::{Deserialize, Serialize};
use serde_json::json;
use shared::{
    domain::{Commit, Draft, Id, Page, Timestamp, WORD, is_word},
    http::{Response, StatusCode, json as json_response},
    ports::Tenant,
    problem::Problem,
    route::Call,
};
use utoipa::ToSchema;

use crate::{
    recipient::{self, Contact, NewRecipient, Recipient},
    store,
};

/// How many subscribers a topic has at most: as many as a notice has recipients.
pub const SUBSCRIBERS_MAX: u32 = 10_000;
/// How many are added and removed at once.
const CHANGED_MAX: usize = 100;

/// Who is to subscribe, and who no longer.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = TopicChange)]
pub struct Change {
    /// Up to 100; who is there already stays.
    pub add: Vec<NewRecipient>,
    /// Up to 100; who is not there need not go.
    pub remove: Vec<NewRecipient>,
}

/// Who is subscribed.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = TopicSubscriber)]
pub struct Subscriber {
    /// A member's id, or an address in lower case.
    pub recipient: String,
    /// What is kept of somebody outside.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contact: Option<Contact>,
    /// Since when.
    pub at: Timestamp,
}

/// How many were named.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TopicChanged)]
pub struct Changed {
    /// To subscribe.
    pub added: usize,
    /// To go.
    pub removed: usize,
}

fn name(call: &Call) -> Result<&str, Problem> {
    match is_word(call.param()) {
        true => Ok(call.param()),
        false => Err(Problem::unfitting("topic", WORD)),
    }
}

/// Lists the subscribers of a topic, by member or address.
pub async fn list(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let (limit, cursor) = call.page()?;
    let after = cursor.as_ref().map_or("", |it| it.key());
    if !store::has_topic(at, name(call)?).await? {
        return Err(Problem::not_found());
    }
    let found = store::list_subscribers(at, name(call)?, after, limit + 1).await?;
    Ok(json_response(StatusCode::OK, &Page::of(found, limit, |it| it.recipient.clone())))
}

/// Adds and removes subscribers: all of it, or none.
pub async fn change(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let (topic, change) = (name(call)?, call.json::<Change>()?);
    for (path, list) in [("add", &change.add), ("remove", &change.remove)] {
        if list.len() > CHANGED_MAX {
            return Err(Problem::unfitting(path, format!("at most {CHANGED_MAX} at once")));
        }
    }
    let mut commit = Commit::new();
    let (added, removed) = (change.add.len(), change.remove.len());
    if added + removed == 0 {
        return Err(Problem::unfitting("add", "name somebody here, or in remove"));
    }
    for (number, new) in change.remove.into_iter().enumerate() {
        let key = named(new, &format!("remove[{number}]"))?;
        commit = commit.and(store::delete_subscriber(topic, &key));
    }
    for (number, new) in change.add.into_iter().enumerate() {
        let it = found(at, new, &format!("add[{number}]")).await?;
        commit = commit.and(store::insert_subscriber(topic, &it, at.now()));
    }
    let entry = Draft::new("topic.changed", &Id::trusted(topic.to_owned()))
        .with(json!({"added": added, "removed": removed}));
    let commit = commit.and(store::check_subscribers(topic)).entry(entry);
    let answer = json_response(StatusCode::OK, &Changed { added, removed });
    at.answer(commit, answer, || {
        Problem::full_list(SUBSCRIBERS_MAX, "subscribers", "split the topic")
    })
    .await
}

/// How somebody is known, also when the member is gone.
fn named(new: NewRecipient, path: &str) -> Result<String, Problem> {
    match new {
        NewRecipient::Member(id) => Ok(id),
        NewRecipient::Contact(it) => Ok(it.key()),
        NewRecipient::Topic(_) | NewRecipient::Members(_) | NewRecipient::Hook(_) => {
            Err(Problem::unfitting(path, "a member or a contact"))
        }
    }
}

async fn found(at: &impl Tenant, new: NewRecipient, path: &str) -> Result<Recipient, Problem> {
    let is_one = matches!(new, NewRecipient::Member(_) | NewRecipient::Contact(_));
    if !is_one {
        return Err(Problem::unfitting(path, "a member or a contact"));
    }
    let found = recipient::find(at, new).await?;
    found.ok_or_else(|| Problem::unfitting(path, "no member has this id"))
}
