//! Mailboxes: the addresses that mail comes in by, and how it is taken there.

mod secrets;

use serde::{Deserialize, Serialize};
use serde_json::json;
use shared::{
    domain::{Address, Commit, Draft, Failure, Id, Job, NewJob, Page, Timestamp},
    http::{Response, StatusCode, empty, etag, header, json as json_response, with_header},
    outbound,
    ports::Tenant,
    problem::Problem,
    route::Call,
};
use utoipa::ToSchema;

pub use self::secrets::{Secrets, secrets};
use self::secrets::{new_token, sealed};
use super::{ADDRESS, SHOW};
use crate::{
    mail::{line, thread::OnNewSubject},
    store,
};

/// How many mailboxes a tenant has.
pub const MAILBOXES_MAX: u32 = 50;
/// The longest name, in characters.
const NAME_CHARS_MAX: usize = 120;
/// The longest part of an address before its `@`: there is to be room for a reply token.
const LOCAL_BYTES_MAX: usize = 32;
/// How many servers are trusted.
const TRUSTED_MAX: usize = 10;
/// The longest name of one, key of a provider and name of a topic, in bytes.
const WORD_BYTES_MAX: usize = 256;
/// The longest address of a scanner, in bytes.
const URL_BYTES_MAX: usize = 2_048;

/// Whether mail for it arrives here.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MailboxState {
    /// It is being made known.
    Pending,
    /// It does.
    Ready,
    /// It does not: another tenant has the address.
    Taken,
}

/// An address that mail comes in by.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize, ToSchema)]
pub struct Mailbox {
    /// `tmb_…`
    pub id: Id,
    /// The address, in lower case.
    pub address: String,
    /// What it is called; answers are sent under that name.
    pub name: String,
    /// Whether mail for it arrives here.
    pub state: MailboxState,
    /// What becomes of an answer under another subject.
    pub on_new_subject: OnNewSubject,
    /// The servers whose `Authentication-Results` are believed, by their authserv-ids (RFC 8601):
    /// up to 10. It has to be one that removes what others write in its name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trusted: Vec<String>,
    /// Where files are posted to that say whether they are harmless.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scan_url: Option<String>,
    /// The topic of SNS that SES publishes to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sns_topic: Option<String>,
    /// The team that its tickets are for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<String>,
    /// Where mail is posted to: put the host in front, and `/raw`, `/postmark`, `/mailgun`,
    /// `/sendgrid` or `/ses` behind.
    pub path: String,
    /// When it was created.
    pub created_at: Timestamp,
    /// Counts its changes; its ETag.
    #[serde(skip)]
    pub version: i64,
    /// Its secrets, sealed.
    #[serde(skip)]
    pub sealed: String,
}

/// What a mailbox is made from.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewMailbox {
    /// Its address; the part before the `@` has at most 32 bytes, and no `+`.
    pub address: String,
    /// What it is called: up to 120 characters.
    #[serde(default)]
    pub name: String,
    /// What becomes of an answer under another subject.
    #[serde(default)]
    pub on_new_subject: OnNewSubject,
    /// The servers whose `Authentication-Results` are believed.
    #[serde(default)]
    pub trusted: Vec<String>,
    /// Where files are posted to that say whether they are harmless: an https address.
    #[serde(default)]
    pub scan_url: Option<String>,
    /// The topic of SNS that SES publishes to.
    #[serde(default)]
    pub sns_topic: Option<String>,
    /// The team that its tickets are for.
    #[serde(default)]
    pub team: Option<String>,
    /// Mailgun's HTTP webhook signing key. It is not shown again.
    #[serde(default)]
    pub mailgun_key: Option<String>,
}

impl NewMailbox {
    fn settings(self) -> MailboxChange {
        MailboxChange {
            name: Some(self.name),
            on_new_subject: Some(self.on_new_subject),
            trusted: Some(self.trusted),
            scan_url: self.scan_url,
            sns_topic: self.sns_topic,
            team: self.team,
            mailgun_key: self.mailgun_key,
        }
    }
}

/// What can be changed; what is left out stays. An empty text is none.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MailboxChange {
    /// What it is called: up to 120 characters.
    pub name: Option<String>,
    /// What becomes of an answer under another subject.
    pub on_new_subject: Option<OnNewSubject>,
    /// The servers whose `Authentication-Results` are believed.
    pub trusted: Option<Vec<String>>,
    /// Where files are posted to that say whether they are harmless: an https address.
    pub scan_url: Option<String>,
    /// The topic of SNS that SES publishes to.
    pub sns_topic: Option<String>,
    /// The team that its tickets are for.
    pub team: Option<String>,
    /// Mailgun's HTTP webhook signing key. It is not shown again.
    pub mailgun_key: Option<String>,
}

/// A mailbox with the token that is shown this once.
#[derive(Debug, Serialize, ToSchema)]
pub struct CreatedMailbox {
    /// The mailbox.
    #[serde(flatten)]
    pub mailbox: Mailbox,
    /// What whoever posts mail shows, as `Authorization: Bearer`, or as the password of Basic.
    pub token: String,
}

impl MailboxChange {
    /// The mailbox and its secrets with these changes.
    fn apply(self, it: Mailbox, mut secrets: Secrets) -> Result<(Mailbox, Secrets), Problem> {
        let fit = |field: &str, it: Option<String>, before: Option<String>| match it {
            None => Ok(before),
            Some(it) if it.is_empty() => Ok(None),
            Some(it)
                if it.len() <= WORD_BYTES_MAX && it.bytes().all(|it| it.is_ascii_graphic()) =>
            {
                Ok(Some(it))
            }
            Some(_) => Err(Problem::unfitting(field, "1 to 256 letters without spaces")),
        };
        let name = self.name.map(|it| line(&it, NAME_CHARS_MAX));
        let trusted = match self.trusted {
            None => it.trusted,
            Some(all) if all.len() <= TRUSTED_MAX => {
                let all = all.into_iter().map(|it| fit("trusted", Some(it), None));
                let all: Vec<_> = all.collect::<Result<Vec<_>, _>>()?;
                all.into_iter().flatten().map(|it| it.to_ascii_lowercase()).collect()
            }
            Some(_) => return Err(Problem::unfitting("trusted", "at most 10 servers")),
        };
        let mailbox = Mailbox {
            name: name.unwrap_or(it.name),
            on_new_subject: self.on_new_subject.unwrap_or(it.on_new_subject),
            trusted,
            scan_url: self.scan_url.map_or(Ok(it.scan_url), |it| scan_url(&it))?,
            sns_topic: fit("sns_topic", self.sns_topic, it.sns_topic)?,
            team: fit("team", self.team, it.team)?,
            ..it
        };
        secrets.mailgun_key = fit("mailgun_key", self.mailgun_key, secrets.mailgun_key)?;
        Ok((mailbox, secrets))
    }
}

fn scan_url(text: &str) -> Result<Option<String>, Problem> {
    if text.is_empty() {
        return Ok(None);
    }
    let url = outbound::elsewhere(text)
        .filter(|it| it.scheme() == "https" && text.len() <= URL_BYTES_MAX);
    let url = url.ok_or_else(|| Problem::unfitting("scan_url", "an https address"))?;
    Ok(Some(url.into()))
}

fn address(text: &str) -> Result<String, Problem> {
    let unfit = || {
        Problem::unfitting(
            "address",
            "an address as support@example.com: at most 32 bytes before the @, and no +",
        )
    };
    let address = Address::parse(text.trim()).map_err(|_| unfit())?.key();
    let local = address.split('@').next().unwrap_or("");
    let is_fit = local.len() <= LOCAL_BYTES_MAX && !address.contains(['+', '/', '%', '?', '#']);
    if is_fit { Ok(address) } else { Err(unfit()) }
}

/// Creates one.
pub async fn create(at: &impl Tenant, new: NewMailbox) -> Result<Response, Problem> {
    let address = address(&new.address)?;
    let token = new_token(at)?;
    let secrets = Secrets::new(at, &token)?;
    let blank = Mailbox {
        id: at.new_id("tmb")?,
        path: format!("/v1/mail/{address}"),
        name: String::new(),
        address,
        state: MailboxState::Pending,
        on_new_subject: OnNewSubject::Keep,
        trusted: Vec::new(),
        scan_url: None,
        sns_topic: None,
        team: None,
        created_at: at.now(),
        version: 1,
        sealed: String::new(),
    };
    let (it, secrets) = new.settings().apply(blank, secrets)?;
    let mailbox = sealed(at, it, &secrets).await?;
    let entry = Draft::new("mailbox.created", &mailbox.id).with(told(&mailbox));
    let commit =
        store::insert_mailbox(&mailbox).entry(entry).job(shown(&mailbox.id, "created").eager());
    let created = CreatedMailbox { mailbox, token };
    let response = json_response(StatusCode::CREATED, &created);
    let response = with_header(response, header::ETAG, &etag(1));
    let conflict =
        || Problem::unfitting("address", "another mailbox has it, or there are 50: delete one");
    at.answer(commit, response, conflict).await
}

fn told(it: &Mailbox) -> serde_json::Value {
    json!({"address": it.address, "name": it.name, "on_new_subject": it.on_new_subject})
}

fn shown(id: &Id, why: &str) -> NewJob {
    NewJob::new(SHOW, format!("{SHOW}:{id}:{why}"), json!({"id": id}))
}

fn answer(it: &Mailbox) -> Response {
    with_header(json_response(StatusCode::OK, it), header::ETAG, &etag(it.version))
}

/// Lists them, the oldest first.
pub async fn list(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let (limit, cursor) = call.page()?;
    let after = cursor.as_ref().map_or("", |it| it.key());
    let all = store::list_mailboxes(at, after, limit + 1).await?;
    Ok(json_response(StatusCode::OK, &Page::of(all, limit, |it| it.id.to_string())))
}

async fn find(at: &impl Tenant, call: &Call) -> Result<Mailbox, Problem> {
    let id = call.id("tmb")?;
    store::find_mailbox(at, id.as_str()).await?.ok_or_else(Problem::not_found)
}

/// Reads one.
pub async fn get(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    find(at, call).await.map(|it| answer(&it))
}

/// Changes one.
pub async fn change(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let before = find(at, call).await?;
    let change: MailboxChange = call.json()?;
    if call.if_match()?.is_some_and(|it| it != before.version) {
        return Err(Problem::changed_meanwhile());
    }
    let secrets = secrets(at, &before).await?;
    let version = before.version + 1;
    let (it, secrets) = change.apply(Mailbox { version, ..before }, secrets)?;
    let mailbox = sealed(at, it, &secrets).await?;
    let entry = Draft::new("mailbox.changed", &mailbox.id).with(told(&mailbox));
    let commit = store::update_mailbox(&mailbox).entry(entry);
    at.answer(commit, answer(&mailbox), Problem::changed_meanwhile).await
}

/// Gives it another token; the one before no longer counts.
pub async fn rotate(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let before = find(at, call).await?;
    let token = new_token(at)?;
    let secrets = secrets(at, &before).await?.with_token(&token);
    let version = before.version + 1;
    let mailbox = sealed(at, Mailbox { version, ..before }, &secrets).await?;
    let entry = Draft::new("mailbox.rotated", &mailbox.id);
    let commit = store::update_mailbox(&mailbox).entry(entry);
    let response = json_response(StatusCode::OK, &CreatedMailbox { mailbox, token });
    at.answer(commit, response, Problem::changed_meanwhile).await
}

/// Deletes one: what came in by it stays, what is sent to it from now on is refused.
pub async fn delete(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let it = find(at, call).await?;
    let job = NewJob::new(
        SHOW,
        format!("{SHOW}:{}:deleted", it.id),
        json!({"id": it.id, "address": it.address}),
    );
    let commit = store::delete_mailbox(it.id.as_str())
        .entry(Draft::new("mailbox.deleted", &it.id).with(told(&it)))
        .job(job.eager());
    at.answer(commit, empty(StatusCode::NO_CONTENT), Problem::not_found).await
}

/// Shows the mailbox's address in the directory while it is there, and hides it otherwise.
pub async fn show(at: &impl Tenant, job: &Job) -> Result<Commit, Failure> {
    let id = job.subject()?;
    let directory = at.projection();
    let Some(it) = store::find_mailbox(at, id.as_str()).await? else {
        let address = job.body.get("address").and_then(|it| it.as_str()).unwrap_or("");
        // Another mailbox may have it by now.
        if store::find_mailbox_at(at, address).await?.is_none() {
            directory.release_address(ADDRESS, address).await?;
        }
        return Ok(Commit::new());
    };
    let state = match directory.claim_address(ADDRESS, &it.address).await? {
        true => MailboxState::Ready,
        false => MailboxState::Taken,
    };
    if state == it.state {
        return Ok(Commit::new());
    }
    let word = if state == MailboxState::Ready { "mailbox.ready" } else { "mailbox.taken" };
    let entry = Draft::new(word, &it.id).with(json!({"address": it.address}));
    let after = Mailbox { state, version: it.version + 1, ..it };
    Ok(store::update_mailbox(&after).entry(entry))
}
