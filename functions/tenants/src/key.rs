//! API keys: shown once, kept as a hash, rotated with overlap.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;
use shared::{
    directory::KeyStage,
    domain::{Commit, Draft, Failure, Id, Job, NewJob, Page, Scopes, Timestamp, sha256_hex},
    door::KEY_PREFIX,
    http::{Response, StatusCode, json as json_response},
    ports,
    problem::Problem,
    route::Call,
};
use utoipa::ToSchema;

use crate::store;

pub mod customer;

use customer::Owner;

/// Shows a key in the directory as it is now, or hides it.
pub const SHOW: &str = "tenants.key";

/// How many keys are in use at a time: neither revoked nor expired.
pub const KEYS_MAX: u32 = 1_000;
/// The longest name, in characters.
pub const NAME_CHARS_MAX: usize = 120;
/// How many scopes a key has at most.
pub const SCOPES_MAX: usize = 50;
/// The longest scope, in characters.
pub const SCOPE_CHARS_MAX: usize = 64;
/// How long the old key can overlap with the new one.
pub const OVERLAP_MAX: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// How much of the secret is chance, in bytes.
const SECRET_BYTES: usize = 24;
/// How much of the secret is shown again behind its start, in characters.
const SHOWN_CHARS: usize = 8;

/// An API key, without its secret.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Key {
    /// `key_…`
    pub id: Id,
    /// What people call it.
    pub name: String,
    /// How its secret starts.
    pub prefix: String,
    /// What it may do, as `webhooks:read`, `webhooks:*` or `*`.
    #[schema(value_type = Vec<String>)]
    pub scopes: Scopes,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it stops working.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// When it was revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<Timestamp>,
    /// When it was last used, to the hour.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<Timestamp>,
    /// The key that it was rotated from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replaces: Option<Id>,
    /// Whose it is, when it is a key of a customer of the tenant.
    #[serde(flatten)]
    #[schema(value_type = Owner)]
    pub owner: Option<Owner>,
    /// SHA-256 of the secret.
    #[serde(skip)]
    pub hash: String,
}

/// A key with its secret, which is shown this once.
#[derive(Debug, Serialize, ToSchema)]
pub struct CreatedKey {
    /// The key.
    #[serde(flatten)]
    pub key: Key,
    /// What to send as `Authorization: Bearer`. It cannot be read again; absent when the key was
    /// brought along by its hash.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
}

/// What a new key is made from.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewKey {
    /// What people call it: 1 to 120 characters.
    pub name: String,
    /// What it may do; no more than the caller may. Of a customer's key your own words, or none.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// When it stops working; never when left out.
    #[serde(default)]
    pub expires_at: Option<Timestamp>,
    /// Makes it a key for your own API, of this customer of yours. It opens nothing of Backplane.
    #[serde(default)]
    pub customer: Option<String>,
    /// Of which member of the customer it is.
    #[serde(default)]
    pub member: Option<String>,
    /// The one app that a customer's key opens; all of them when left out.
    #[serde(default)]
    pub app: Option<String>,
    /// How the secret of a customer's key begins, as `acme_live`: 1 to 24 of a-z 0-9 _.
    #[serde(default)]
    pub prefix: Option<String>,
    /// Brings a customer's key along that there is already: the SHA-256 of its secret, in hex.
    #[serde(default)]
    pub sha256: Option<String>,
}

/// How a key is rotated.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Rotation {
    /// How long the old secret still works, in seconds: 0 to 2592000.
    #[serde(default)]
    pub overlap_seconds: u64,
}

impl Key {
    /// Whose it is; `None` for the tenant's own.
    pub fn customer(&self) -> Option<&str> {
        self.owner.as_ref().map(|it| it.customer.as_str())
    }
}

impl NewKey {
    fn check(&self, at: &impl ports::Tenant) -> Result<(Scopes, Option<Owner>), Problem> {
        let name = self.name.trim();
        if name.is_empty() || name.chars().count() > NAME_CHARS_MAX {
            let why = format!("a name is 1 to {NAME_CHARS_MAX} characters");
            return Err(Problem::unfitting("name", why));
        }
        if self.expires_at.is_some_and(|it| it <= at.now()) {
            return Err(Problem::unfitting("expires_at", "it must be in the future"));
        }
        let scopes = Scopes(self.scopes.clone());
        match Owner::of(self)? {
            Some(owner) => Ok((scopes, Some(owner))),
            None => self.check_own(at).map(|()| (scopes, None)),
        }
    }

    /// What is so of the tenant's own keys only.
    fn check_own(&self, at: &impl ports::Tenant) -> Result<(), Problem> {
        if self.scopes.is_empty() || self.scopes.len() > SCOPES_MAX {
            let why = format!("name 1 to {SCOPES_MAX} scopes");
            return Err(Problem::unfitting("scopes", why));
        }
        if !self.scopes.iter().all(|it| is_scope(it)) {
            let why = "a scope is a word as webhooks:read, webhooks:* or *";
            return Err(Problem::unfitting("scopes", why));
        }
        match at.principal().scopes.cover(&Scopes(self.scopes.clone())) {
            true => Ok(()),
            false => Err(Problem::unfitting("scopes", "a key cannot give more than it has")),
        }
    }
}

/// Whether this is a word for what a key may do.
pub fn is_scope(text: &str) -> bool {
    let word =
        |it: &str| !it.is_empty() && it.bytes().all(|it| it.is_ascii_lowercase() || it == b'-');
    text == "*"
        || text.len() <= SCOPE_CHARS_MAX
            && text.split_once(':').is_some_and(|(a, b)| word(a) && (b == "*" || word(b)))
}

/// A new secret: the start and 192 bits of chance in lower-case letters and digits.
fn secret(at: &impl ports::Tenant, start: &str) -> Result<String, Problem> {
    let mut random = [0; SECRET_BYTES];
    at.random(&mut random)?;
    Ok(format!("{start}{}", data_encoding::BASE32_DNSSEC.encode(&random)))
}

fn minted(
    at: &impl ports::Tenant,
    name: &str,
    scopes: Scopes,
    expires_at: Option<Timestamp>,
    replaces: Option<Id>,
    owner: Option<Owner>,
) -> Result<CreatedKey, Problem> {
    let start = owner.as_ref().map_or_else(|| KEY_PREFIX.to_owned(), Owner::start);
    let secret = secret(at, &start)?;
    let key = Key {
        id: at.new_id("key")?,
        name: name.trim().to_owned(),
        prefix: secret.chars().take(start.len() + SHOWN_CHARS).collect(),
        scopes,
        created_at: at.now(),
        expires_at,
        revoked_at: None,
        last_used_at: None,
        replaces,
        owner,
        hash: sha256_hex(secret.as_bytes()),
    };
    Ok(CreatedKey { key, secret: Some(secret) })
}

/// What inserting this key, and hiding it when its time is over, takes.
fn inserted(created: &CreatedKey) -> Commit {
    let key = &created.key;
    let mut data = json!({
        "name": key.name,
        "scopes": key.scopes,
        "expires_at": key.expires_at,
        "replaces": key.replaces,
    });
    if let (Some(owner), Some(data)) = (&key.owner, data.as_object_mut()) {
        data.insert("customer".to_owned(), json!(owner.customer));
        data.insert("member".to_owned(), json!(owner.member));
        data.insert("app".to_owned(), json!(owner.app));
    }
    let entry = Draft::new("key.created", &key.id).with(data);
    let mut commit = store::insert_key(key).entry(entry).job(shown(key, "created").eager());
    if let Some(expires_at) = key.expires_at {
        commit = commit.job(shown(key, "expired").at(expires_at));
    }
    commit
}

fn shown(key: &Key, why: &str) -> NewJob {
    NewJob::new(SHOW, format!("{SHOW}:{}:{why}", key.id), json!({"id": key.id}))
}

/// Creates a key, and shows its secret this once.
pub async fn create(at: &impl ports::Tenant, new: NewKey) -> Result<Response, Problem> {
    let (scopes, owner) = new.check(at)?;
    let mut created = minted(at, &new.name, scopes, new.expires_at, None, owner)?;
    if let Some(hash) = &new.sha256 {
        created.key.hash = hash.to_ascii_lowercase();
        created.key.prefix = new.prefix.unwrap_or_default();
        created.secret = None;
    }
    add(at, inserted(&created), &created).await
}

/// Commits a new key, while there is room for it.
async fn add(
    at: &impl ports::Tenant,
    commit: Commit,
    created: &CreatedKey,
) -> Result<Response, Problem> {
    let response = json_response(StatusCode::CREATED, created);
    let answer = at.answer(commit, response, Problem::changed_meanwhile).await;
    if answer.is_ok() {
        return answer;
    }
    let customer = created.key.customer();
    let (most, what) = match customer {
        Some(_) => (customer::KEYS_MAX, "keys of a customer in use"),
        None => (KEYS_MAX, "keys in use"),
    };
    if store::count_keys(at, customer, at.now()).await? >= most.into() {
        return Err(Problem::full_list(most, what, "revoke one that is not used"));
    }
    if store::has_hash(at, &created.key.hash).await? {
        let kind = "/problems/keys/taken";
        let problem = Problem::new(StatusCode::CONFLICT, kind, "There is a key of this secret");
        return Err(problem.detail("revoked or not: a secret is a key once; make another one"));
    }
    answer
}

/// Lists the keys, oldest first, those that are revoked as well.
pub async fn list(at: &impl ports::Tenant, call: &Call) -> Result<Response, Problem> {
    let (limit, cursor) = call.page()?;
    let after = cursor.as_ref().map_or("", |it| it.key());
    let keys = match call.query("customer") {
        Some(it) => store::list_keys_of(at, &it, after, limit + 1).await?,
        None => store::list_keys(at, after, limit + 1).await?,
    };
    Ok(json_response(StatusCode::OK, &Page::of(keys, limit, |it| it.id.to_string())))
}

async fn find(at: &impl ports::Tenant, id: &Id) -> Result<Key, Problem> {
    store::find_key(at, id).await?.ok_or_else(Problem::not_found)
}

/// Reads one.
pub async fn get(at: &impl ports::Tenant, id: &Id) -> Result<Response, Problem> {
    Ok(json_response(StatusCode::OK, &find(at, id).await?))
}

/// Revokes one. Revoking a revoked key changes nothing.
pub async fn revoke(at: &impl ports::Tenant, id: &Id) -> Result<Response, Problem> {
    let key = find(at, id).await?;
    if key.revoked_at.is_some() {
        return Ok(json_response(StatusCode::OK, &key));
    }
    let key = Key { revoked_at: Some(at.now()), ..key };
    let commit = store::revoke_key(&key)
        .entry(Draft::new("key.revoked", &key.id))
        .job(shown(&key, "revoked").eager());
    at.answer(commit, json_response(StatusCode::OK, &key), Problem::changed_meanwhile).await
}

/// Replaces one by another with the same name and scopes. The old one works on for the overlap.
pub async fn rotate(
    at: &impl ports::Tenant,
    id: &Id,
    rotation: Rotation,
) -> Result<Response, Problem> {
    let old = find(at, id).await?;
    if old.revoked_at.is_some() || old.expires_at.is_some_and(|it| it <= at.now()) {
        return Err(Problem::new(
            StatusCode::CONFLICT,
            "/problems/keys/over",
            "The key is no longer in use",
        )
        .detail("create another key instead"));
    }
    // A customer's scopes are the tenant's own words, and open nothing of ours.
    if old.owner.is_none() && !at.principal().scopes.cover(&old.scopes) {
        return Err(Problem::forbidden("* or those of the key"));
    }
    let overlap = Duration::from_secs(rotation.overlap_seconds);
    if overlap > OVERLAP_MAX {
        let why = format!("at most {}", OVERLAP_MAX.as_secs());
        return Err(Problem::unfitting("overlap_seconds", why));
    }
    let until = at.now() + overlap;
    let until = old.expires_at.map_or(until, |it| it.min(until));
    let (scopes, owner) = (old.scopes.clone(), old.owner.clone());
    let created = minted(at, &old.name, scopes, old.expires_at, Some(old.id.clone()), owner)?;
    // Twice: at once, so that the directory knows the end, and at the end.
    // The old one first: what ends now leaves its place to the new one.
    let commit = store::expire_key(&old.id, until)
        .and(inserted(&created))
        .job(shown(&old, &format!("ends-{}", until.0)).eager())
        .job(shown(&old, &format!("ended-{}", until.0)).at(until));
    add(at, commit, &created).await
}

/// Shows the key in the directory as it is now.
pub async fn show(at: &impl ports::Tenant, job: &Job) -> Result<Commit, Failure> {
    let id = job.subject()?;
    let Some(key) = store::find_key(at, &id).await? else { return Ok(Commit::new()) };
    if let Some(owner) = &key.owner {
        owner.show(at, &key).await?;
        return Ok(Commit::new());
    }
    let over = key.revoked_at.is_some() || key.expires_at.is_some_and(|it| it <= at.now());
    let stage = match key.expires_at {
        _ if over => KeyStage::Over,
        // The directory has the real clock only; a test clock ends the key by the job alone.
        Some(it) => KeyStage::Ending(Some(it).filter(|_| !at.principal().sandbox)),
        None => KeyStage::Lasting,
    };
    at.projection().show_key(&key.hash, id.as_str(), &key.scopes, stage).await?;
    Ok(Commit::new())
}

#[cfg(test)]
mod tests {
    use super::is_scope;

    #[test]
    fn a_scope_is_a_noun_and_a_verb() {
        assert!(is_scope("*") && is_scope("webhooks:*") && is_scope("test-clock:read"));
        for bad in ["", "webhooks", ":", "webhooks:", ":read", "a:b:c", "A:b", "a:**", "a: b"] {
            assert!(!is_scope(bad), "{bad}");
        }
    }
}
