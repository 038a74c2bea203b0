//! Providers: accounts at those who carry mail, their keys sealed.

mod asked;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;
use shared::{
    domain::{Draft, Id, Page, Timestamp},
    http::{Response, StatusCode, empty, etag, header, json as json_response, with_header},
    outbound,
    ports::{PortError, Rate, Tenant},
    problem::Problem,
    route::Call,
};
use utoipa::ToSchema;

pub use asked::{NewProvider, ProviderChange};

use crate::{
    mail_api::{postmark, resend, sendgrid, ses},
    smtp::relay::{PLAIN_HOSTS, Relay},
    store,
};

/// The prefix of their ids.
pub const PREFIX: &str = "npr";
/// How many providers a tenant has at most.
pub const PROVIDERS_MAX: u32 = 10;
/// The highest number of a place in the order.
const PRIORITY_MAX: u32 = 100;
/// The place when none is said.
const PRIORITY: u32 = 10;
/// The most mails in the stretch of a rate.
const RATE_COUNT_MAX: u32 = 10_000;
/// The longest stretch of a rate: a day.
const RATE_SECONDS_MAX: u32 = 86_400;

/// An account at a provider.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[schema(as = NoticeProvider)]
pub struct Provider {
    /// `npr_…`
    #[schema(value_type = String)]
    pub id: String,
    /// What people call it.
    pub name: String,
    /// Whose API it is.
    pub kind: Kind,
    /// Its place: the lowest number is asked first, and the next when that does not take a mail.
    pub priority: u32,
    /// How many mails it is given at most; others get the rest, or they wait.
    pub rate: ProviderRate,
    /// Whether it is given any.
    pub enabled: bool,
    /// SES's: the region, as `eu-central-1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// SES's: the id of the access key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_id: Option<String>,
    /// Postmark's message stream, or SES's configuration set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<String>,
    /// `src_…`: the source of webhooks at which its events come in. Who bounces or complains is
    /// suppressed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Where it answers, if not at its own address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    /// The server of `smtp`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub smtp: Option<Relay>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Counts its changes; its ETag.
    #[serde(skip)]
    pub version: i64,
    /// Its secrets, sealed.
    #[serde(skip)]
    pub sealed: String,
}

/// Whose API it is.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = NoticeProviderKind)]
pub enum Kind {
    /// Resend.
    Resend,
    /// Postmark.
    Postmark,
    /// Twilio SendGrid.
    Sendgrid,
    /// Amazon SES.
    Ses,
    /// Any server that takes mail by SMTP.
    Smtp,
}

/// How many in which stretch.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProviderRate {
    /// 1 to 10,000.
    pub count: u32,
    /// 1 to 86,400, which is a day.
    pub seconds: u32,
}

/// What is sealed of a provider.
#[derive(Clone, Deserialize, Serialize)]
pub struct Secrets {
    /// The key of the API.
    pub key: String,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Resend, Self::Postmark, Self::Sendgrid, Self::Ses, Self::Smtp];

    /// As it is written.
    pub fn word(self) -> &'static str {
        match self {
            Self::Resend => "resend",
            Self::Postmark => "postmark",
            Self::Sendgrid => "sendgrid",
            Self::Ses => "ses",
            Self::Smtp => "smtp",
        }
    }

    /// What it takes from a new account.
    fn rate(self) -> ProviderRate {
        match self {
            Self::Resend => ProviderRate { count: 2, seconds: 1 },
            _ => ProviderRate { count: 10, seconds: 1 },
        }
    }
}

impl Provider {
    /// Where it is called, without a slash at the end.
    pub fn home(&self) -> String {
        match (&self.base_url, self.kind) {
            (Some(it), _) => it.clone(),
            (None, Kind::Resend) => resend::HOME.to_owned(),
            (None, Kind::Postmark) => postmark::HOME.to_owned(),
            (None, Kind::Sendgrid) => sendgrid::HOME.to_owned(),
            (None, Kind::Ses) => ses::home(self.region.as_deref()),
            (None, Kind::Smtp) => String::new(),
        }
    }

    /// How many it is given.
    pub fn rate(&self) -> Rate {
        let period = Duration::from_secs(self.rate.seconds.into());
        Rate { limit: self.rate.count, period }
    }

    /// Its secrets.
    ///
    /// # Errors
    /// When they cannot be opened.
    pub async fn secrets(&self, at: &impl Tenant) -> Result<Secrets, PortError> {
        let bytes = at.unseal(&self.sealed).await?;
        serde_json::from_slice(&bytes).map_err(|err| PortError::new("notify", err))
    }

    async fn checked(self, at: &impl Tenant) -> Result<Self, Problem> {
        let is_smtp = self.kind == Kind::Smtp;
        if is_smtp != self.smtp.is_some() {
            let why = "the server of smtp; left out for the others";
            return Err(Problem::unfitting("smtp", why));
        }
        if is_smtp && self.base_url.is_some() {
            return Err(Problem::unfitting("base_url", "left out: smtp says where it answers"));
        }
        if is_smtp && self.source.is_some() {
            let why = "left out: a server of SMTP tells of bounces by mail";
            return Err(Problem::unfitting("source", why));
        }
        let plain = at.setting(PLAIN_HOSTS).await?.unwrap_or_default();
        let smtp = self.smtp.clone().map(|it| it.checked(&plain)).transpose()?;
        Self { smtp, ..self }.checked_words()
    }

    fn checked_words(self) -> Result<Self, Problem> {
        if !(1..=120).contains(&self.name.chars().count()) {
            return Err(Problem::unfitting("name", "1 to 120 characters"));
        }
        if self.priority > PRIORITY_MAX {
            return Err(Problem::unfitting("priority", format!("0 to {PRIORITY_MAX}")));
        }
        let ProviderRate { count, seconds } = self.rate;
        if !(1..=RATE_COUNT_MAX).contains(&count) || !(1..=RATE_SECONDS_MAX).contains(&seconds) {
            let why = format!("count 1 to {RATE_COUNT_MAX}, seconds 1 to {RATE_SECONDS_MAX}");
            return Err(Problem::unfitting("rate", why));
        }
        let is_ses = self.kind == Kind::Ses;
        if is_ses != self.key_id.is_some() {
            let why = "the id of SES's access key; left out for the others";
            return Err(Problem::unfitting("key_id", why));
        }
        if !is_ses && self.region.is_some() {
            return Err(Problem::unfitting("region", "left out: it is for ses alone"));
        }
        if self.stream.is_some() && !is_ses && self.kind != Kind::Postmark {
            return Err(Problem::unfitting("stream", "left out: it is for postmark and ses"));
        }
        for (path, word) in
            [("key_id", &self.key_id), ("region", &self.region), ("stream", &self.stream)]
        {
            check_word(path, word.as_ref())?;
        }
        if !self.base_url.as_deref().is_none_or(outbound::is_origin) {
            let why = "an http or https address, without a path or a password";
            return Err(Problem::unfitting("base_url", why));
        }
        Ok(self)
    }
}

fn check_word(path: &str, text: Option<&String>) -> Result<(), Problem> {
    let plain =
        |it: &String| it.bytes().all(|it| it.is_ascii_alphanumeric() || b"_-".contains(&it));
    match text.is_none_or(|it| plain(it) && (1..=64).contains(&it.len())) {
        true => Ok(()),
        false => Err(Problem::unfitting(path, "1 to 64 of A-Z a-z 0-9 _ -")),
    }
}

async fn check_source(at: &impl Tenant, it: &Provider) -> Result<(), Problem> {
    let Some(source) = &it.source else { return Ok(()) };
    match store::has_source(at, source).await? {
        true => Ok(()),
        false => Err(Problem::unfitting(
            "source",
            "no source has this id: make it at /v1/webhooks/sources",
        )),
    }
}

/// What the key of an API is.
pub const KEY: &str = "8 to 255 characters without blanks";

/// Whether a provider can have given this as the key of its API.
pub fn is_key(text: &str) -> bool {
    (8..=255).contains(&text.len()) && text.bytes().all(|it| it.is_ascii_graphic())
}

/// The key, sealed. A password may be any text; there is none where nobody logs in.
async fn sealed(at: &impl Tenant, it: &Provider, key: Option<String>) -> Result<String, Problem> {
    let is_password = it.kind == Kind::Smtp;
    let is_open = it.smtp.as_ref().is_some_and(|it| it.user.is_none());
    let fits = |it: &String| match is_password {
        true => (1..=255).contains(&it.len()) && !it.chars().any(char::is_control),
        false => is_key(it),
    };
    let key = match key {
        None if is_open => String::new(),
        Some(key) if fits(&key) && !is_open => key,
        _ if is_open => {
            let why = "left out: there is no user that it would be the password of";
            return Err(Problem::unfitting("key", why));
        }
        _ if is_password => return Err(Problem::unfitting("key", "the user's password")),
        _ => return Err(Problem::unfitting("key", KEY)),
    };
    let bytes = serde_json::to_vec(&Secrets { key });
    Ok(at.seal(&bytes.map_err(|err| Problem::internal().caused_by(err))?).await?)
}

/// Makes one.
pub async fn create(at: &impl Tenant, new: NewProvider) -> Result<Response, Problem> {
    let it = Provider {
        id: at.new_id(PREFIX)?.to_string(),
        name: new.name,
        kind: new.kind,
        priority: new.priority.unwrap_or(PRIORITY),
        rate: new.rate.unwrap_or_else(|| new.kind.rate()),
        enabled: true,
        region: new.region,
        key_id: new.key_id,
        stream: new.stream,
        source: new.source,
        base_url: new.base_url,
        smtp: new.smtp,
        created_at: at.now(),
        version: 1,
        sealed: String::new(),
    };
    let it = it.checked(at).await?;
    let it = Provider { sealed: sealed(at, &it, new.key).await?, ..it };
    check_source(at, &it).await?;
    if store::list_providers(at).await?.len() >= PROVIDERS_MAX as usize {
        return Err(full());
    }
    let entry = Draft::new("notification_provider.created", &Id::trusted(it.id.clone()))
        .with(json!({"kind": it.kind}));
    let commit = store::insert_provider(&it).entry(entry);
    at.answer(commit, answer(StatusCode::CREATED, &it), full).await
}

fn full() -> Problem {
    Problem::full_list(PROVIDERS_MAX, "providers", "delete one that is not used")
}

/// Lists all of them, in the order in which they are asked.
pub async fn list(at: &impl Tenant) -> Result<Response, Problem> {
    let items = store::list_providers(at).await?;
    Ok(json_response(StatusCode::OK, &Page { items, next: None }))
}

async fn find(at: &impl Tenant, call: &Call) -> Result<Provider, Problem> {
    let id = call.id(PREFIX)?;
    let found = store::find_provider(at, id.as_str()).await?.ok_or_else(Problem::not_found)?;
    match call.if_match()?.is_some_and(|it| it != found.version) {
        true => Err(Problem::changed_meanwhile()),
        false => Ok(found),
    }
}

fn answer(status: StatusCode, it: &Provider) -> Response {
    with_header(json_response(status, it), header::ETAG, &etag(it.version))
}

/// Reads one.
pub async fn get(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    Ok(answer(StatusCode::OK, &find(at, call).await?))
}

/// Changes one.
pub async fn change(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let change: ProviderChange = call.json()?;
    let before = find(at, call).await?;
    // A new server is told the password only by who knows it: else anybody who may change the
    // provider could have it sent to a server of their own.
    let is_keyed = change.key.is_some() || change.smtp.is_some();
    let it = Provider {
        name: change.name.unwrap_or(before.name),
        priority: change.priority.unwrap_or(before.priority),
        rate: change.rate.unwrap_or(before.rate),
        enabled: change.enabled.unwrap_or(before.enabled),
        source: change.source.or(before.source),
        smtp: change.smtp.or(before.smtp),
        version: before.version + 1,
        ..before
    };
    let it = it.checked(at).await?;
    let it = match is_keyed {
        true => Provider { sealed: sealed(at, &it, change.key).await?, ..it },
        false => it,
    };
    check_source(at, &it).await?;
    let entry = Draft::new("notification_provider.changed", &Id::trusted(it.id.clone()));
    let commit = store::update_provider(&it).entry(entry);
    at.answer(commit, answer(StatusCode::OK, &it), Problem::changed_meanwhile).await
}

/// Deletes one: nothing goes out by it any more. When it was the last, mail is caught again.
pub async fn delete(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let it = find(at, call).await?;
    let entry = Draft::new("notification_provider.deleted", &Id::trusted(it.id.clone()));
    let commit = store::delete_provider(&it).entry(entry);
    at.answer(commit, empty(StatusCode::NO_CONTENT), Problem::changed_meanwhile).await
}
