//! Hooks: addresses at which notices are posted for many to read, as rooms of Slack and Teams, or
//! for a machine.

use serde::{Deserialize, Serialize};
use serde_json::json;
use shared::{
    domain::{Draft, Id, Page, Timestamp, WORD, is_word},
    http::{Response, StatusCode, empty, etag, header, json as json_response, with_header},
    outbound,
    ports::{PortError, Tenant},
    problem::Problem,
    route::Call,
};
use utoipa::ToSchema;

use crate::store;

/// What a hook's key as a recipient begins with. No member's id and no address has a colon there.
pub const KEY: &str = "hook:";
/// How many hooks a tenant has at most.
pub const HOOKS_MAX: u32 = 100;
/// The longest address, in bytes.
const URL_BYTES_MAX: usize = 2048;
/// How long a secret is, in bytes: what Standard Webhooks asks for.
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// An address at which notices are posted.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[schema(as = NoticeHook)]
pub struct Hook {
    /// Its name.
    pub name: String,
    /// Who takes it.
    pub kind: HookKind,
    /// The host of its address. The rest is a secret.
    pub host: String,
    /// When it was last put.
    pub updated_at: Timestamp,
    /// Counts its changes; its ETag.
    #[serde(skip)]
    pub version: i64,
    /// Its address and secret, sealed.
    #[serde(skip)]
    pub sealed: String,
}

/// Who takes what is posted.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = NoticeHookKind)]
pub enum HookKind {
    /// An incoming webhook of Slack.
    Slack,
    /// A workflow of Microsoft Teams that posts what it gets to a channel.
    Teams,
    /// Anybody who takes JSON.
    Webhook,
}

/// What a hook is made from; what is sealed of it.
#[derive(Clone, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NoticeHookText)]
pub struct HookText {
    /// Who takes it.
    pub kind: HookKind,
    /// Where it is posted. It is shown never again.
    pub url: String,
    /// Of a webhook: what it is signed with, by Standard Webhooks; 24 to 64 characters, which are
    /// the key as they stand.
    #[serde(default)]
    pub secret: Option<String>,
}

impl Hook {
    /// Its address and secret.
    ///
    /// # Errors
    /// When they cannot be opened.
    pub async fn opened(&self, at: &impl Tenant) -> Result<HookText, PortError> {
        let bytes = at.unseal(&self.sealed).await?;
        serde_json::from_slice(&bytes).map_err(|it| PortError::new("notify", it))
    }
}

impl HookText {
    /// The host, if all of it can be so.
    fn checked(&self) -> Result<String, Problem> {
        let url =
            outbound::elsewhere(&self.url).filter(|_| self.url.len() <= URL_BYTES_MAX).ok_or_else(
                || Problem::unfitting("url", "an http or https address, without a password"),
            )?;
        let fits = |it: &String| {
            SECRET_BYTES.contains(&it.len()) && it.bytes().all(|it| it.is_ascii_graphic())
        };
        match &self.secret {
            Some(it) if self.kind != HookKind::Webhook || !fits(it) => {
                let why = "of a webhook alone: 24 to 64 characters without blanks";
                Err(Problem::unfitting("secret", why))
            }
            _ => Ok(url.host_str().unwrap_or_default().to_owned()),
        }
    }
}

/// Lists them, by name.
pub async fn list(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let (limit, cursor) = call.page()?;
    let after = cursor.as_ref().map_or("", |it| it.key());
    let found = store::list_hooks(at, after, limit + 1).await?;
    Ok(json_response(StatusCode::OK, &Page::of(found, limit, |it| it.name.clone())))
}

async fn find(at: &impl Tenant, call: &Call) -> Result<Hook, Problem> {
    store::find_hook(at, call.param()).await?.ok_or_else(Problem::not_found)
}

fn answer(it: &Hook) -> Response {
    with_header(json_response(StatusCode::OK, it), header::ETAG, &etag(it.version))
}

/// Reads one.
pub async fn get(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    Ok(answer(&find(at, call).await?))
}

/// Puts one, or replaces it.
pub async fn put(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let name = call.param().to_owned();
    if !is_word(&name) {
        return Err(Problem::unfitting("name", WORD));
    }
    let text = call.json::<HookText>()?;
    let host = text.checked()?;
    let before = store::find_hook(at, &name).await?.map(|it| it.version);
    if call.if_match()?.is_some_and(|it| Some(it) != before) {
        return Err(Problem::changed_meanwhile());
    }
    let full = store::list_hooks(at, "", HOOKS_MAX).await?.len() >= HOOKS_MAX as usize;
    if before.is_none() && full {
        return Err(Problem::full_list(HOOKS_MAX, "hooks", "delete one that is not used"));
    }
    let bytes = serde_json::to_vec(&text).map_err(|it| Problem::internal().caused_by(it))?;
    let (kind, sealed) = (text.kind, at.seal(&bytes).await?);
    let version = before.map_or(1, |it| it + 1);
    let hook = Hook { name, kind, host, updated_at: at.now(), version, sealed };
    let entry = Draft::new("notification_hook.put", &Id::trusted(hook.name.clone()))
        .with(json!({"kind": kind, "host": hook.host, "version": version}));
    let commit = store::put_hook(&hook).entry(entry);
    at.answer(commit, answer(&hook), Problem::changed_meanwhile).await
}

/// Deletes one: what is on its way there is not posted.
pub async fn delete(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let found = find(at, call).await?;
    if call.if_match()?.is_some_and(|it| it != found.version) {
        return Err(Problem::changed_meanwhile());
    }
    let entry = Draft::new("notification_hook.deleted", &Id::trusted(found.name.clone()));
    let commit = store::delete_hook(&found).entry(entry);
    at.answer(commit, empty(StatusCode::NO_CONTENT), Problem::changed_meanwhile).await
}
