//! A new account, and what is looked at before it is one.

use serde::Deserialize;
use serde_json::json;
use shared::{
    domain::{Draft, Id},
    http::{Response, StatusCode},
    outbound,
    ports::Tenant,
    problem::Problem,
    x509,
};
use utoipa::ToSchema;

use super::{ACCOUNTS_MAX, ADDRESS, Account, Mode, Provider, Secrets, answer, shown};
use crate::{paypal, reconcile, signature, statement, store};

/// The longest tolerance at Stripe: an hour.
const TOLERANCE_MAX: u32 = 3_600;

/// What a new account is made from.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewPaymentAccount)]
pub struct NewAccount {
    /// Up to 120 characters.
    pub name: String,
    /// Which provider.
    pub provider: Provider,
    /// The key of the API, as `sk_test_…`, or the secret of PayPal's app. It is shown never again.
    pub api_key: String,
    /// PayPal's: the id of the app.
    #[serde(default)]
    pub client_id: Option<String>,
    /// PayPal's: the id of the webhook, which it gives when the path is entered there.
    #[serde(default)]
    pub webhook_id: Option<String>,
    /// Stripe's: the secret of the webhook endpoint, as `whsec_…`.
    #[serde(default)]
    pub webhook_secret: Option<String>,
    /// When left out, told by Stripe's key; of PayPal it is the sandbox.
    #[serde(default)]
    pub livemode: Option<bool>,
    /// What is done there.
    #[serde(default)]
    pub mode: Mode,
    /// Of Stripe up to 3600, and 300 when left out; of PayPal up to three days, which is also when
    /// left out: it tries so long, and does not say whether a later try has a time of its own.
    #[serde(default)]
    pub tolerance_seconds: Option<u32>,
    /// Stripe's, as `2025-03-31.basil`.
    #[serde(default)]
    pub api_version: Option<String>,
    /// Stripe's connected account, as `acct_…`.
    #[serde(default)]
    pub connect: Option<String>,
    /// Where the provider answers, if not at its own address: for tests.
    #[serde(default)]
    pub base_url: Option<String>,
    /// Roots of certificates that are trusted beside those of browsers, in PEM: for tests, only
    /// beside `base_url`.
    #[serde(default)]
    pub roots: Option<String>,
}

/// Makes one.
pub async fn create(at: &impl Tenant, new: NewAccount) -> Result<Response, Problem> {
    check(&new)?;
    let id = at.new_id(ADDRESS)?.to_string();
    let tolerance_seconds = tolerance(new.provider, new.tolerance_seconds)?;
    let (livemode, usual) = match new.provider {
        Provider::Stripe => (new.api_key.contains("_live_"), signature::TOLERANCE_SECONDS),
        Provider::PayPal => (false, paypal::verify::TOLERANCE_SECONDS),
    };
    let webhook = new.webhook_secret.map(|it| (it, None)).into_iter().collect();
    let secrets = Secrets { api_key: new.api_key, webhook };
    let it = Account {
        path: format!("/webhooks/{}/{id}", new.provider.word()),
        id,
        name: new.name,
        provider: new.provider,
        livemode: new.livemode.unwrap_or(livemode),
        mode: new.mode,
        tolerance_seconds: tolerance_seconds.unwrap_or(usual),
        api_version: new.api_version,
        connect: new.connect,
        client_id: new.client_id,
        webhook_id: new.webhook_id,
        base_url: new.base_url,
        roots: new.roots,
        created_at: at.now(),
        version: 1,
        sealed: secrets.seal(at).await?,
    };
    let data = json!({"provider": it.provider, "livemode": it.livemode, "mode": it.mode});
    let entry = Draft::new("payment_account.created", &Id::trusted(it.id.clone())).with(data);
    let commit = store::insert_account(&it)
        .entry(entry)
        .job(shown(&it.id, "made").eager())
        .job(reconcile::hourly(&it.id, at.now()))
        .and(statement::origin(at, &it));
    let made = answer(StatusCode::CREATED, &it);
    let answer = at.answer(commit, made, Problem::changed_meanwhile).await;
    if answer.is_err() && store::count_accounts(at).await? >= ACCOUNTS_MAX.into() {
        return Err(Problem::full_list(ACCOUNTS_MAX, "accounts", "delete one that is not used"));
    }
    answer
}

fn check(new: &NewAccount) -> Result<(), Problem> {
    check_name(&new.name)?;
    check_secret("api_key", &new.api_key)?;
    check_fit(
        new.provider,
        &[
            ("webhook_secret", new.webhook_secret.is_some(), Provider::Stripe),
            ("api_version", new.api_version.is_some(), Provider::Stripe),
            ("connect", new.connect.is_some(), Provider::Stripe),
            ("client_id", new.client_id.is_some(), Provider::PayPal),
            ("webhook_id", new.webhook_id.is_some(), Provider::PayPal),
            ("roots", new.roots.is_some(), Provider::PayPal),
        ],
    )?;
    if let Some(it) = &new.webhook_secret {
        check_secret("webhook_secret", it)?;
    }
    match &new.client_id {
        Some(it) => check_secret("client_id", it)?,
        None if new.provider == Provider::PayPal => {
            return Err(Problem::unfitting("client_id", "given: the id of the app at PayPal"));
        }
        None => {}
    }
    check_word("webhook_id", new.webhook_id.as_ref())?;
    check_word("api_version", new.api_version.as_ref())?;
    check_word("connect", new.connect.as_ref())?;
    check_base(new.base_url.as_deref())?;
    check_roots(new)
}

/// Refuses fields that are given and belong to another provider.
pub(super) fn check_fit(
    provider: Provider,
    fields: &[(&str, bool, Provider)],
) -> Result<(), Problem> {
    match fields.iter().find(|(_, given, of)| *given && *of != provider) {
        Some((name, _, of)) => {
            Err(Problem::unfitting(name, format!("left out: it is for {} alone", of.word())))
        }
        None => Ok(()),
    }
}

/// Whoever is trusted beside browsers' roots could sign for PayPal: so only where another address
/// than PayPal's is called.
fn check_roots(new: &NewAccount) -> Result<(), Problem> {
    let Some(roots) = &new.roots else { return Ok(()) };
    match new.base_url.is_some() && x509::are_roots(roots) {
        true => Ok(()),
        false => {
            Err(Problem::unfitting("roots", "one to eight certificates in PEM, beside a base_url"))
        }
    }
}

pub(super) fn check_name(name: &str) -> Result<(), Problem> {
    match (1..=120).contains(&name.chars().count()) {
        true => Ok(()),
        false => Err(Problem::unfitting("name", "1 to 120 characters")),
    }
}

pub(super) fn check_secret(path: &str, text: &str) -> Result<(), Problem> {
    let plain = text.bytes().all(|it| it.is_ascii_graphic());
    match plain && (8..=255).contains(&text.len()) {
        true => Ok(()),
        false => Err(Problem::unfitting(path, "8 to 255 characters without blanks")),
    }
}

pub(super) fn check_word(path: &str, text: Option<&String>) -> Result<(), Problem> {
    let plain =
        |it: &String| it.bytes().all(|it| it.is_ascii_alphanumeric() || b"._-".contains(&it));
    match text.is_none_or(|it| plain(it) && (1..=64).contains(&it.len())) {
        true => Ok(()),
        false => Err(Problem::unfitting(path, "1 to 64 of A-Z a-z 0-9 . _ -")),
    }
}

pub(super) fn tolerance(provider: Provider, seconds: Option<u32>) -> Result<Option<u32>, Problem> {
    let most = match provider {
        Provider::Stripe => TOLERANCE_MAX,
        Provider::PayPal => paypal::verify::TOLERANCE_SECONDS,
    };
    match seconds.is_none_or(|it| (1..=most).contains(&it)) {
        true => Ok(seconds),
        false => Err(Problem::unfitting("tolerance_seconds", format!("1 to {most}"))),
    }
}

fn check_base(text: Option<&str>) -> Result<(), Problem> {
    match text.is_none_or(outbound::is_origin) {
        true => Ok(()),
        false => Err(Problem::unfitting(
            "base_url",
            "an http or https address of the provider's, without a path or a password",
        )),
    }
}
