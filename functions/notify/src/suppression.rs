//! Suppression: addresses that take no mail, or whose owners will not have any.
//!
//! Providers tell of bounces and complaints by webhooks. A source of `webhooks` takes them in and
//! checks who signed; here the entry of each is followed, and what it says is read. Nothing is sent
//! to an address on the list, however critical it is: mail that bounces or is complained about
//! costs whoever sends it the mail of all others.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use shared::{
    domain::{Address, Commit, Draft, Entry, Failure, Id, Job, NewJob, Page, Timestamp},
    http::{Response, StatusCode, empty, json as json_response},
    ports::{PortError, Tenant},
    problem::Problem,
    route::Call,
};
use utoipa::ToSchema;

use crate::{
    feedback::{self, Feedback},
    store,
};

/// Reads what a provider's event says.
pub const HEAR: &str = "notify.hear";
/// What is followed.
pub const FOLLOWS: &str = "webhook.received";
/// The longest remark, in characters.
const DETAIL_CHARS_MAX: usize = 300;
/// How many addresses of one event are taken in at once; SendGrid's have up to thousands.
const SLICE: usize = 50;

/// An address that is sent no mail.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = SuppressedAddress)]
pub struct Suppression {
    /// The address, in lower case.
    pub address: String,
    /// Why.
    pub reason: Reason,
    /// In the words of who told it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The provider that told it; absent when somebody put it on the list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// Since when.
    pub at: Timestamp,
}

/// Why an address is sent no mail.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = SuppressionReason)]
pub enum Reason {
    /// There is no such mailbox.
    Bounced,
    /// Its owner called a mail spam.
    Complained,
    /// Its owner told the provider to end all mail.
    Unsubscribed,
    /// Somebody put it on the list.
    Manual,
}

/// What is said of an address that is put on the list.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSuppression {
    /// Why, up to 300 characters.
    #[serde(default)]
    pub detail: Option<String>,
}

impl Reason {
    /// As it is written.
    pub fn word(self) -> &'static str {
        match self {
            Self::Bounced => "bounced",
            Self::Complained => "complained",
            Self::Unsubscribed => "unsubscribed",
            Self::Manual => "manual",
        }
    }

    /// Reads [`Reason::word`].
    pub fn parse(text: &str) -> Option<Self> {
        let all = [Self::Bounced, Self::Complained, Self::Unsubscribed, Self::Manual];
        all.into_iter().find(|it| it.word() == text)
    }
}

impl Suppression {
    /// Why nothing was sent, in a line.
    pub fn why(&self) -> String {
        let said = self.detail.as_ref().map(|it| format!(" ({it})")).unwrap_or_default();
        format!("the address is suppressed since {}: {}{said}", self.at, self.reason.word())
    }
}

/// Lists them, by address.
pub async fn list(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let (limit, cursor) = call.page()?;
    let after = cursor.as_ref().map_or("", |it| it.key());
    let found = store::list_suppressions(at, after, limit + 1).await?;
    Ok(json_response(StatusCode::OK, &Page::of(found, limit, |it| it.address.clone())))
}

/// The address in the path.
fn key(call: &Call) -> Result<String, Problem> {
    Address::parse(call.param()).map(|it| it.key()).map_err(|_| Problem::not_found())
}

/// Reads why an address is on the list.
pub async fn get(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let found = store::find_suppression(at, &key(call)?).await?.ok_or_else(Problem::not_found)?;
    Ok(json_response(StatusCode::OK, &found))
}

/// Puts an address on the list. One that is on it stays there for its first reason.
pub async fn put(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let address = Address::parse(call.param());
    let address = address.map_err(|it| Problem::unfitting("address", it))?.key();
    let NewSuppression { detail } = call.json()?;
    if detail.as_ref().is_some_and(|it| it.chars().count() > DETAIL_CHARS_MAX) {
        let why = format!("at most {DETAIL_CHARS_MAX} characters");
        return Err(Problem::unfitting("detail", why));
    }
    if let Some(found) = store::find_suppression(at, &address).await? {
        return Ok(json_response(StatusCode::OK, &found));
    }
    let (reason, provider) = (Reason::Manual, None);
    let it = Suppression { address, reason, detail, provider, at: at.now() };
    let response = json_response(StatusCode::OK, &it);
    at.answer(added(&it), response, Problem::changed_meanwhile).await
}

/// Takes an address off the list.
pub async fn delete(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let address = key(call)?;
    store::find_suppression(at, &address).await?.ok_or_else(Problem::not_found)?;
    let entry = Draft::new("address.released", &Id::trusted(address.clone()));
    let commit = store::delete_suppression(&address).entry(entry);
    at.answer(commit, empty(StatusCode::NO_CONTENT), Problem::not_found).await
}

fn added(it: &Suppression) -> Commit {
    let entry = Draft::new("address.suppressed", &Id::trusted(it.address.clone()))
        .with(json!({"reason": it.reason, "provider": it.provider}));
    store::insert_suppression(it).entry(entry)
}

/// The jobs that webhooks of our providers' sources are.
///
/// # Errors
/// When the providers cannot be read.
pub async fn follow(at: &impl Tenant, entries: &[Entry]) -> Result<Commit, PortError> {
    if entries.iter().all(|it| it.action != FOLLOWS) {
        return Ok(Commit::new());
    }
    let providers = store::list_providers(at).await?;
    let provider = |entry: &Entry| {
        let source = entry.data.get("source").and_then(Value::as_str)?;
        providers.iter().find(|it| it.source.as_deref() == Some(source))
    };
    let jobs = entries.iter().filter(|it| it.action == FOLLOWS);
    let jobs = jobs.filter_map(|it| Some(job(&it.subject, &provider(it)?.id, 0)));
    Ok(jobs.fold(Commit::new(), Commit::job))
}

/// What is written of the delivery that it came of; an entry says so the first time.
async fn told(at: &impl Tenant, delivery: &str, it: &Feedback) -> Result<Commit, PortError> {
    let heard = store::heard_of(delivery, it.reason, &it.detail);
    let found = store::find_delivery(at, &Id::trusted(delivery.to_owned())).await?;
    let action = match it.reason {
        Reason::Bounced => "notice.bounced",
        Reason::Complained => "notice.complained",
        Reason::Unsubscribed | Reason::Manual => return Ok(heard),
    };
    let Some(found) = found.filter(|it| it.heard.is_none()) else { return Ok(heard) };
    let entry = Draft::new(action, &found.notice).with(json!({
        "delivery": found.id, "recipient": found.recipient, "channel": found.channel,
        "why": it.detail,
    }));
    Ok(heard.entry(entry))
}

fn job(message: &str, provider: &str, from: usize) -> NewJob {
    let body = json!({"id": message, "provider": provider, "from": from});
    NewJob::new(HEAR, format!("{HEAR}:{message}:{from}"), body)
}

/// Reads a slice of what an event says; the next one is a job of its own.
///
/// # Errors
/// When the database fails.
pub async fn hear(at: &impl Tenant, job: &Job) -> Result<Commit, Failure> {
    let message = job.subject()?;
    let word = |name: &str| job.body.get(name).and_then(Value::as_str).unwrap_or_default();
    let from = job.body.get("from").and_then(Value::as_u64).unwrap_or(0);
    let from = usize::try_from(from).unwrap_or(usize::MAX);
    let Some(provider) = store::find_provider(at, word("provider")).await? else {
        return Ok(Commit::new());
    };
    let Some(body) = store::find_message(at, &message).await? else { return Ok(Commit::new()) };
    let all = feedback::read(provider.kind, &body);
    let mut commit = Commit::new();
    let mut heard: BTreeMap<String, &Feedback> = BTreeMap::new();
    let mut deliveries = BTreeSet::new();
    for it in all.iter().skip(from).take(SLICE) {
        heard.entry(it.address.key()).or_insert(it);
        // What was heard of a delivery first stays.
        if let Some(delivery) = it.delivery.as_ref().filter(|it| deliveries.insert(*it)) {
            commit = commit.and(told(at, delivery, it).await?);
        }
    }
    for (address, it) in heard {
        if store::find_suppression(at, &address).await?.is_none() {
            let detail = Some(it.detail.clone()).filter(|it| !it.is_empty());
            let (reason, provider) = (it.reason, Some(provider.id.clone()));
            let it = Suppression { address, reason, detail, provider, at: at.now() };
            commit = commit.and(added(&it));
        }
    }
    let next = from.saturating_add(SLICE);
    Ok(match next < all.len() {
        true => commit.job(self::job(message.as_str(), &provider.id, next)),
        false => commit,
    })
}
