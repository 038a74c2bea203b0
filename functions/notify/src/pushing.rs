//! Pushing: a delivery on its way to the browsers of its recipient, a few at a time.
//!
//! A browser that is gone is forgotten, one whose service is busy is tried again by the schedule.
//! The delivery is sent when one browser has it. Who is sent it twice, because a worker died between
//! a call and its commit, sees it once: both have the same topic.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};
use shared::{
    domain::{Commit, Draft, Failure, Id, Job, NewJob, Retry},
    http::{HeaderMap, HeaderName, HeaderValue, Method, header},
    ports::{FetchError, HttpRequest, HttpResponse, PortError, Tenant},
};
use url::Url;
use utoipa::ToSchema;

use crate::{
    browser::Browser,
    delivery::{self, Delivery, State},
    notice::{Notice, amend::Amendment},
    push::{
        self, Message, Outcome, Urgency,
        encrypt::Ephemeral,
        vapid::{Contact, Signer},
    },
    store,
    template::Rendered,
};

/// Pushes to a few browsers.
pub const SEND: &str = "notify.push";
/// How many browsers are called in one go: all of them fit into the lease of a job.
const TOGETHER: usize = 4;
/// How long a push service has for its answer.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How much of an answer is read.
const ANSWER_BYTES_MAX: usize = 4 * 1024;
/// The longest wait that a push service can ask for, in seconds.
const RETRY_AFTER_MAX: u64 = 3_600;
/// For how long a push service keeps a message when nothing is said, in seconds: a day.
const TTL_SECONDS: u32 = 86_400;
/// How many characters of base64url a topic has.
const TOPIC_CHARS: usize = 32;

/// How the notices of a type are pushed.
#[derive(Clone, Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PushText {
    /// For how long the push service keeps it for a browser that is not there, in seconds: up to
    /// 2,419,200, which is 28 days, and a day when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl_seconds: Option<u32>,
    /// How much of the battery it is worth. What is urgent or critical is `high`.
    pub urgency: Urgency,
    /// What it takes the place of, with the service and on the screen.
    pub replaces: Replaces,
}

/// What a push takes the place of.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = PushReplaces)]
pub enum Replaces {
    /// Nothing.
    #[default]
    Nothing,
    /// The one before of its type about the same resource.
    About,
    /// The one before of its type.
    Type,
}

/// A push as it is kept: what it says, and who is to have it.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct PushLetter {
    title: String,
    text: String,
    url: Option<Url>,
    /// A picture of who caused it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    icon: Option<String>,
    topic: String,
    ttl_seconds: u32,
    urgency: Urgency,
    /// The browsers that are to be called.
    left: Vec<Id>,
    /// Those whose service asked for another time.
    later: Vec<Id>,
    /// How long they are to wait, in seconds.
    wait_seconds: Option<u64>,
    /// How many have it.
    taken: u32,
    /// What the last one that does not said.
    said: Option<String>,
    /// What became of the notice since it was pushed first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    amends: Option<Amendment>,
}

impl PushText {
    /// Whether the service keeps it for so long.
    pub fn fits(&self) -> bool {
        self.ttl_seconds.is_none_or(|it| it <= push::TTL_SECONDS_MAX)
    }
}

/// The delivery as a push. `None` when its recipient has no browser.
///
/// # Errors
/// When the database fails.
pub async fn written(
    at: &impl Tenant,
    delivery: &Delivery,
    notice: &Notice,
    how: &PushText,
    urgent: bool,
    words: Rendered,
) -> Result<Option<PushLetter>, PortError> {
    let browsers = store::browsers_of(at, &delivery.recipient).await?;
    let about = notice.about.as_deref().unwrap_or_default();
    let replaces = match how.replaces {
        Replaces::Nothing => format!("delivery\n{}", delivery.id),
        Replaces::About => format!("about\n{}\n{about}", notice.kind),
        Replaces::Type => format!("type\n{}", notice.kind),
    };
    // A service keeps nothing that is of no use any more.
    let left = notice.expires_at.map_or(u64::MAX, |it| it.since(at.now()).as_secs());
    let left = u32::try_from(left).unwrap_or(u32::MAX);
    let letter = PushLetter {
        title: words.subject,
        text: words.text,
        url: notice.url.as_deref().and_then(|it| it.parse().ok()),
        icon: notice.actor.as_ref().and_then(|it| it.image.clone()),
        topic: topic(&replaces),
        ttl_seconds: how.ttl_seconds.unwrap_or(TTL_SECONDS).min(left),
        urgency: if urgent { Urgency::High } else { how.urgency },
        left: browsers.into_iter().map(|it| it.id).collect(),
        later: Vec::new(),
        wait_seconds: None,
        taken: 0,
        said: None,
        amends: None,
    };
    Ok(Some(letter).filter(|it| !it.left.is_empty()))
}

/// A topic for these words: push services see topics, and need not know what they are about.
fn topic(text: &str) -> String {
    let hash = data_encoding::BASE64URL_NOPAD.encode(&Sha256::digest(text.as_bytes()));
    hash.chars().take(TOPIC_CHARS).collect()
}

/// The letter with its job. One that amends takes the place of one before that is on its way.
pub fn queued(id: &Id, letter: &PushLetter) -> Commit {
    let job = NewJob::new(SEND, format!("{SEND}:{id}"), json!({"id": id}));
    let kept = match letter.amends {
        Some(_) => store::put_outgoing(id, letter),
        None => store::insert_outgoing(id, letter),
    };
    kept.job(job)
}

/// Calls a few of the browsers.
///
/// # Errors
/// The failure, and whether to try again.
pub async fn work(at: &impl Tenant, job: &Job) -> Result<Commit, Failure> {
    let id = job.subject()?;
    let delivery = store::find_delivery(at, &id).await?;
    let outgoing = store::find_outgoing::<PushLetter>(at, &id).await?;
    let Some(outgoing) = outgoing else { return Ok(Commit::new()) };
    let mut letter = outgoing.letter;
    let awaited = if letter.amends.is_some() { State::Sent } else { State::Waiting };
    let Some(delivery) = delivery.filter(|it| it.state == awaited) else {
        return Ok(store::delete_outgoing(&id));
    };
    let mut commit = Commit::new();
    let now: Vec<_> = letter.left.drain(..letter.left.len().min(TOGETHER)).collect();
    for one in now {
        // Who was forgotten meanwhile is not called.
        let Some(browser) = store::find_browser(at, &one).await? else { continue };
        commit = commit.and(letter.reach(at, &browser).await?);
    }
    letter.ended(at, delivery, job, commit)
}

impl PushLetter {
    /// The same to who has it already: it takes the place of that, and makes no noise. What is
    /// withdrawn has no words any more.
    pub fn amending(self, how: Amendment) -> Self {
        let text = if how == Amendment::Withdrawn { String::new() } else { self.text };
        Self { amends: Some(how), text, ..self }
    }

    /// Calls one browser, and keeps what came of it.
    async fn reach(&mut self, at: &impl Tenant, browser: &Browser) -> Result<Commit, PortError> {
        let outcome = match self.call(at, browser, &self.text).await? {
            // What is too large without its words is the service's own business.
            (Outcome::TooLarge, _) => self.call(at, browser, "").await?,
            other => other,
        };
        match outcome {
            (Outcome::Accepted, _) => self.taken += 1,
            (Outcome::Gone, _) => {
                self.said = Some("the browser is gone".to_owned());
                let entry = Draft::new("push.pruned", &browser.id)
                    .with(json!({"recipient": browser.recipient, "host": browser.host}));
                return Ok(store::delete_browser(&browser.id).entry(entry));
            }
            (Outcome::Later(wait), why) => {
                let wait = wait.map(|it| it.as_secs().min(RETRY_AFTER_MAX));
                self.wait_seconds = self.wait_seconds.max(wait);
                self.later.push(browser.id.clone());
                self.said = Some(why);
            }
            (Outcome::TooLarge | Outcome::Refused, why) => self.said = Some(why),
        }
        Ok(Commit::new())
    }

    async fn call(
        &self,
        at: &impl Tenant,
        browser: &Browser,
        text: &str,
    ) -> Result<(Outcome, String), PortError> {
        let host = &browser.host;
        let Some(request) = self.request(at, browser, text).await? else {
            return Ok((Outcome::Refused, format!("{host}: no message could be made for it")));
        };
        Ok(match at.fetch(request).await {
            Ok(answer) => {
                let outcome = push::outcome(answer.status, retry_after(&answer));
                (outcome, format!("{host}: {}", answer.status))
            }
            Err(why @ FetchError::Refused) => (Outcome::Refused, format!("{host}: {why}")),
            Err(why) => (Outcome::Later(None), format!("{host}: {why}")),
        })
    }

    async fn request(
        &self,
        at: &impl Tenant,
        browser: &Browser,
        text: &str,
    ) -> Result<Option<HttpRequest>, PortError> {
        let (Some(signer), Some(contact)) = (signer(at, browser).await?, contact(at).await?) else {
            return Ok(None);
        };
        let (subscription, ephemeral) = (browser.opened(at).await?, ephemeral(at)?);
        let message = Message {
            title: &self.title,
            text,
            url: self.url.as_ref(),
            icon: self.icon.as_deref(),
            topic: Some(&self.topic),
            ttl_seconds: self.ttl_seconds,
            urgency: self.urgency,
            amends: self.amends,
        };
        let Some(ephemeral) = ephemeral else { return Ok(None) };
        // A token is good by the service's clock, which is real.
        let made = subscription.request(&message, &signer, &contact, &ephemeral, at.real_now());
        Ok(made.ok().map(posted))
    }

    /// What follows from how far it is.
    fn ended(
        mut self,
        at: &impl Tenant,
        delivery: Delivery,
        job: &Job,
        commit: Commit,
    ) -> Result<Commit, Failure> {
        let id = delivery.id.clone();
        if !self.left.is_empty() {
            let commit = commit.and(store::update_outgoing(&id, &self));
            return Err(Failure::postponed(Duration::ZERO, commit));
        }
        if !self.later.is_empty() && !job.is_last() {
            let retry = self
                .wait_seconds
                .take()
                .map_or(Retry::Schedule, |it| Retry::After(Duration::from_secs(it)));
            self.left = std::mem::take(&mut self.later);
            let why = self.said.clone().unwrap_or_default();
            let commit = commit.and(store::update_outgoing(&id, &self));
            return Err(Failure { retry, ..Failure::again(why).writing(commit) });
        }
        let over = match self.taken {
            // The delivery was over before it was amended.
            _ if self.amends.is_some() => Commit::new(),
            0 => {
                let said = self.said.unwrap_or_else(|| "the browsers were forgotten".to_owned());
                delivery::ended(at, delivery, State::Failed, &format!("no browser has it: {said}"))
            }
            _ => delivery::over(&delivery.is_sent(at.now())),
        };
        Ok(commit.and(over).and(store::delete_outgoing(&id)))
    }
}

async fn signer(at: &impl Tenant, browser: &Browser) -> Result<Option<Signer>, PortError> {
    let keys = store::list_push_keys(at).await?;
    match keys.into_iter().find(|it| it.public_key == browser.public_key) {
        Some(it) => it.signer(at).await.map(Some),
        None => Ok(None),
    }
}

/// Whom a push service may ask: the sender.
async fn contact(at: &impl Tenant) -> Result<Option<Contact>, PortError> {
    let from = store::find_settings(at).await?.from;
    Ok(from.and_then(|it| Contact::parse(&format!("mailto:{it}")).ok()))
}

/// `None` for one in 2^32 strings of chance, which is no key.
fn ephemeral(at: &impl Tenant) -> Result<Option<Ephemeral>, PortError> {
    let (mut key, mut salt) = ([0; 32], [0; 16]);
    at.random(&mut key)?;
    at.random(&mut salt)?;
    Ok(Ephemeral::parse(&key, salt))
}

fn posted(it: push::Request) -> HttpRequest {
    let mut headers = HeaderMap::new();
    for (name, value) in it.headers {
        if let Ok(mut value) = HeaderValue::from_str(&value) {
            value.set_sensitive(name == "authorization");
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    HttpRequest {
        method: Method::POST,
        url: it.url,
        headers,
        body: it.body.into(),
        timeout: TIMEOUT,
        answer_bytes_max: ANSWER_BYTES_MAX,
    }
}

fn retry_after(answer: &HttpResponse) -> Option<Duration> {
    let text = answer.headers.get(header::RETRY_AFTER)?.to_str().ok()?;
    text.parse().ok().map(Duration::from_secs)
}
