//! Accounts at payment providers: which keys, which secrets, which mode.

mod new;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;
use shared::{
    domain::{Commit, Draft, Failure, Id, Job, NewJob, Page, Timestamp},
    http::{Response, StatusCode, empty, etag, header, json as json_response, with_header},
    ports::{PortError, Tenant},
    problem::Problem,
    route::Call,
};
use utoipa::ToSchema;

use crate::store;

use new::{check_name, check_secret, check_word, tolerance};

pub use new::{NewAccount, create};

/// The kind of an account's address in the directory, and the prefix of its id.
pub const ADDRESS: &str = "acc";
/// Shows an account's address in the directory, or hides it.
pub const SHOW: &str = "stripe.account";
/// How many accounts a tenant has at most.
pub const ACCOUNTS_MAX: u32 = 20;
/// How many webhook secrets an account has at most.
pub const SECRETS_MAX: usize = 5;
/// How long an old webhook secret works beside a new one when nothing is said.
const OVERLAP: Duration = Duration::from_secs(24 * 3_600);

/// An account at a payment provider.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[schema(as = PaymentAccount)]
pub struct Account {
    /// `acc_…`
    pub id: String,
    /// What people call it.
    pub name: String,
    /// Which provider.
    pub provider: Provider,
    /// Where the provider posts to: put the host in front.
    pub path: String,
    /// Whether it is of live mode. What comes of the other mode has no effect.
    pub livemode: bool,
    /// What is done there.
    pub mode: Mode,
    /// How far the time of a signature may be away, in seconds.
    pub tolerance_seconds: u32,
    /// The version of the API that calls are made with; ours when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_version: Option<String>,
    /// The connected account that is acted for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connect: Option<String>,
    /// PayPal's: the id of the app.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// PayPal's: the id of the webhook. Without it no event is believed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook_id: Option<String>,
    /// Where the provider answers, if not at its own address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    /// Roots of certificates that are trusted beside those of browsers, in PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roots: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Counts its changes; its ETag.
    #[serde(skip)]
    pub version: i64,
    /// The secrets, sealed.
    #[serde(skip)]
    pub sealed: String,
}

/// A payment provider.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = PaymentProvider)]
pub enum Provider {
    /// Stripe.
    Stripe,
    /// PayPal.
    #[serde(rename = "paypal")]
    PayPal,
}

impl Provider {
    /// The word for it in addresses.
    pub fn word(self) -> &'static str {
        match self {
            Self::Stripe => "stripe",
            Self::PayPal => "paypal",
        }
    }
}

/// What is done at an account.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = PaymentMode)]
pub enum Mode {
    /// Our engine says what is owed, and the provider collects.
    #[default]
    Engine,
    /// The provider keeps subscriptions, and they are mirrored here.
    Mirror,
}

/// What is sealed of an account.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Secrets {
    /// The key of the API; the secret of PayPal's app.
    pub api_key: String,
    /// The secrets of its webhooks, and until when each works.
    pub webhook: Vec<(String, Option<Timestamp>)>,
}

/// What of an account is changed; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PaymentAccountChange)]
pub struct AccountChange {
    /// Up to 120 characters.
    #[serde(default)]
    pub name: Option<String>,
    /// A new key of the API.
    #[serde(default)]
    pub api_key: Option<String>,
    /// A new secret of the webhook endpoint, of Stripe; the old ones work for a day more.
    #[serde(default)]
    pub webhook_secret: Option<String>,
    /// The id of the webhook, of PayPal.
    #[serde(default)]
    pub webhook_id: Option<String>,
    /// What is done there. Subscriptions that are there already are told when you reconcile.
    #[serde(default)]
    pub mode: Option<Mode>,
    /// Up to 3600 for Stripe, and up to three days for PayPal.
    #[serde(default)]
    pub tolerance_seconds: Option<u32>,
    /// As `2025-03-31.basil`.
    #[serde(default)]
    pub api_version: Option<String>,
}

impl Account {
    /// Its secrets.
    ///
    /// # Errors
    /// When they cannot be opened.
    pub async fn secrets(&self, at: &impl Tenant) -> Result<Secrets, PortError> {
        let bytes = at.unseal(&self.sealed).await?;
        serde_json::from_slice(&bytes).map_err(|err| PortError::new("payments", err))
    }
}

impl Secrets {
    /// The webhook secrets that count at this moment.
    pub fn webhook_at(&self, now: Timestamp) -> Vec<String> {
        let counts = |it: &&(String, Option<Timestamp>)| it.1.is_none_or(|end| now < end);
        self.webhook.iter().filter(counts).map(|it| it.0.clone()).collect()
    }

    pub(super) async fn seal(&self, at: &impl Tenant) -> Result<String, Problem> {
        let bytes = serde_json::to_vec(self).map_err(|err| Problem::internal().caused_by(err))?;
        Ok(at.seal(&bytes).await?)
    }
}

/// Lists them, oldest first.
pub async fn list(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let (limit, cursor) = call.page()?;
    let after = cursor.as_ref().map_or("", |it| it.key());
    let found = store::list_accounts(at, after, limit + 1).await?;
    Ok(json_response(StatusCode::OK, &Page::of(found, limit, |it| it.id.clone())))
}

/// The one that the path names.
///
/// # Errors
/// The 404 that everybody gets, and 412 when it was changed meanwhile.
pub async fn find(at: &impl Tenant, call: &Call) -> Result<Account, Problem> {
    let id = call.id(ADDRESS)?;
    let found = store::find_account(at, id.as_str()).await?.ok_or_else(Problem::not_found)?;
    match call.if_match()?.is_some_and(|it| it != found.version) {
        true => Err(Problem::changed_meanwhile()),
        false => Ok(found),
    }
}

/// Reads one.
pub async fn get(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    Ok(answer(StatusCode::OK, &find(at, call).await?))
}

fn answer(status: StatusCode, it: &Account) -> Response {
    with_header(json_response(status, it), header::ETAG, &etag(it.version))
}

/// Changes one.
pub async fn change(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let change: AccountChange = call.json()?;
    let mut it = find(at, call).await?;
    let mut secrets = it.secrets(at).await?;
    if let Some(name) = change.name {
        check_name(&name)?;
        it.name = name;
    }
    if let Some(key) = change.api_key {
        check_secret("api_key", &key)?;
        secrets.api_key = key;
    }
    new::check_fit(
        it.provider,
        &[
            ("webhook_secret", change.webhook_secret.is_some(), Provider::Stripe),
            ("api_version", change.api_version.is_some(), Provider::Stripe),
            ("webhook_id", change.webhook_id.is_some(), Provider::PayPal),
        ],
    )?;
    if let Some(secret) = change.webhook_secret {
        check_secret("webhook_secret", &secret)?;
        let end = at.now() + OVERLAP;
        secrets.webhook.retain(|it| it.0 != secret && it.1.is_none_or(|end| at.now() < end));
        for old in &mut secrets.webhook {
            old.1 = old.1.or(Some(end));
        }
        secrets.webhook.insert(0, (secret, None));
        secrets.webhook.truncate(SECRETS_MAX);
    }
    it.tolerance_seconds =
        tolerance(it.provider, change.tolerance_seconds)?.unwrap_or(it.tolerance_seconds);
    check_word("api_version", change.api_version.as_ref())?;
    it.api_version = change.api_version.or(it.api_version);
    check_word("webhook_id", change.webhook_id.as_ref())?;
    it.webhook_id = change.webhook_id.or(it.webhook_id);
    it.mode = change.mode.unwrap_or(it.mode);
    it.version += 1;
    it.sealed = secrets.seal(at).await?;
    let entry = Draft::new("payment_account.changed", &Id::trusted(it.id.clone()));
    let commit = store::update_account(&it).entry(entry);
    at.answer(commit, answer(StatusCode::OK, &it), Problem::changed_meanwhile).await
}

/// Deletes one: nothing comes in by it or goes out any more. What it told stays.
pub async fn delete(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let it = find(at, call).await?;
    let entry = Draft::new("payment_account.deleted", &Id::trusted(it.id.clone()));
    let commit = store::delete_account(&it).entry(entry).job(shown(&it.id, "deleted").eager());
    at.answer(commit, empty(StatusCode::NO_CONTENT), Problem::changed_meanwhile).await
}

fn shown(id: &str, why: &str) -> NewJob {
    NewJob::new(SHOW, format!("{SHOW}:{id}:{why}"), json!({"id": id}))
}

/// Shows the account's address in the directory while it is there, and hides it otherwise.
///
/// # Errors
/// The failure, and whether to try again.
pub async fn show(at: &impl Tenant, job: &Job) -> Result<Commit, Failure> {
    let id = job.subject()?;
    let directory = at.projection();
    if store::find_account(at, id.as_str()).await?.is_none() {
        directory.release_address(ADDRESS, id.as_str()).await?;
    } else if !directory.claim_address(ADDRESS, id.as_str()).await? {
        return Err(Failure::dead("another tenant has an account with this id"));
    }
    Ok(Commit::new())
}
