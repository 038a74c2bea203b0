//! Providers: accounts at those who carry mail, their keys sealed.

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

use crate::{
    mail_api::{postmark, resend, sendgrid, ses},
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

/// What a new provider is made from.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewNoticeProvider)]
pub struct NewProvider {
    /// Up to 120 characters.
    pub name: String,
    /// Whose API it is.
    pub kind: Kind,
    /// The key of the API: Postmark's server token, SES's secret access key. It is shown never
    /// again.
    pub key: String,
    /// SES's: the id of the access key, as `AKIA…`.
    #[serde(default)]
    pub key_id: Option<String>,
    /// SES's: the region; `us-east-1` when left out.
    #[serde(default)]
    pub region: Option<String>,
    /// Postmark's message stream, or SES's configuration set.
    #[serde(default)]
    pub stream: Option<String>,
    /// 0 to 100, and 10 when left out.
    #[serde(default)]
    pub priority: Option<u32>,
    /// 2 a second for Resend, 10 for the others when left out.
    #[serde(default)]
    pub rate: Option<ProviderRate>,
    /// `src_…`: the source of webhooks at which its events come in.
    #[serde(default)]
    pub source: Option<String>,
    /// Where it answers, if not at its own address: for tests.
    #[serde(default)]
    pub base_url: Option<String>,
}

/// What of a provider is changed; what is left out stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NoticeProviderChange)]
pub struct ProviderChange {
    /// Up to 120 characters.
    #[serde(default)]
    pub name: Option<String>,
    /// A new key of the API.
    #[serde(default)]
    pub key: Option<String>,
    /// 0 to 100.
    #[serde(default)]
    pub priority: Option<u32>,
    /// How many it is given.
    #[serde(default)]
    pub rate: Option<ProviderRate>,
    /// Whether it is given any.
    #[serde(default)]
    pub enabled: Option<bool>,
    /// `src_…`: the source of webhooks at which its events come in.
    #[serde(default)]
    pub source: Option<String>,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Resend, Self::Postmark, Self::Sendgrid, Self::Ses];

    /// As it is written.
    pub fn word(self) -> &'static str {
        match self {
            Self::Resend => "resend",
            Self::Postmark => "postmark",
            Self::Sendgrid => "sendgrid",
            Self::Ses => "ses",
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

    fn checked(self) -> Result<Self, Problem> {
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

async fn sealed(at: &impl Tenant, key: String) -> Result<String, Problem> {
    if !(8..=255).contains(&key.len()) || !key.bytes().all(|it| it.is_ascii_graphic()) {
        return Err(Problem::unfitting("key", "8 to 255 characters without blanks"));
    }
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
        created_at: at.now(),
        version: 1,
        sealed: String::new(),
    };
    let it = Provider { sealed: sealed(at, new.key).await?, ..it.checked()? };
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
    let sealed = match change.key {
        Some(key) => sealed(at, key).await?,
        None => before.sealed.clone(),
    };
    let it = Provider {
        name: change.name.unwrap_or(before.name),
        priority: change.priority.unwrap_or(before.priority),
        rate: change.rate.unwrap_or(before.rate),
        enabled: change.enabled.unwrap_or(before.enabled),
        source: change.source.or(before.source),
        version: before.version + 1,
        sealed,
        ..before
    };
    let it = it.checked()?;
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
