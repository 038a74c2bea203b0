//! The tenant's own Ed25519 keys, which sign as `v1a`, and their public directory.

use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};
use serde_json::json;
use shared::{
    domain::{Commit, Draft, Failure, Id, Job, NewJob, Timestamp},
    http::{HeaderValue, Response, StatusCode, header, json as json_response},
    ports::{PortError, Tenant},
    problem::Problem,
};
use utoipa::ToSchema;

use super::{standard, store};
use crate::source::OVERLAP_MAX;

/// The kind of address under which a tenant's public keys are found: its name is the tenant's id.
pub const ADDRESS: &str = "signing";
/// Shows that address in the directory.
pub const SHOW: &str = "webhooks.keys";
/// How many keys sign at a time.
pub const KEYS_MAX: usize = 3;
/// For how long receivers may keep the directory, in seconds.
const CACHE: &str = "public, max-age=300";

/// A key, with its seed sealed.
#[derive(Clone, Debug)]
pub struct Key {
    /// `wsk_…`
    pub id: Id,
    /// The sealed seed.
    pub sealed: String,
    /// The public half: `whpk_…`
    pub public: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it stops signing; never when absent.
    pub until: Option<Timestamp>,
}

/// What signs: the seed of an Ed25519 key (RFC 8032).
#[derive(Clone)]
pub struct Seed {
    /// The key's id.
    pub id: Id,
    /// The seed.
    pub bytes: [u8; 32],
}

/// The public keys of a tenant: a JWK set (RFC 7517).
#[derive(Debug, Serialize, ToSchema)]
pub struct KeyDirectory {
    /// The newest first.
    pub keys: Vec<PublicKey>,
}

/// A public key, as a JWK (RFC 8037).
#[derive(Debug, Serialize, ToSchema)]
pub struct PublicKey {
    /// Its id.
    pub kid: Id,
    /// `OKP`
    pub kty: &'static str,
    /// `Ed25519`
    pub crv: &'static str,
    /// `sig`
    #[serde(rename = "use")]
    pub usage: &'static str,
    /// The key in base64url.
    pub x: String,
    /// The same as Standard Webhooks libraries take it: `whpk_…`
    pub whpk: String,
    /// When it stops signing; absent for the one that is used on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// A new key.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyRotation {
    /// How long the one before signs as well, in seconds: 0 to 2592000, a day when left out.
    #[serde(default = "a_day")]
    pub overlap_seconds: u64,
}

fn a_day() -> u64 {
    24 * 60 * 60
}

/// What makes the tenant's first key, unless it has one.
///
/// # Errors
/// When the keys cannot be read, or there is no chance to make one from.
pub async fn first(at: &impl Tenant) -> Result<Commit, PortError> {
    if !store::list_keys(at, at.now()).await?.is_empty() {
        return Ok(Commit::new());
    }
    made(at).await.map(|it| store::insert_key(&it).job(shown(at)))
}

async fn made(at: &impl Tenant) -> Result<Key, PortError> {
    let mut seed = [0; 32];
    at.random(&mut seed)?;
    Ok(Key {
        id: at.new_id("wsk")?,
        sealed: at.seal(&seed).await?,
        public: standard::public(&seed),
        created_at: at.now(),
        until: None,
    })
}

fn shown(at: &impl Tenant) -> NewJob {
    let tenant = &at.principal().tenant;
    NewJob::new(SHOW, format!("{SHOW}:{tenant}"), json!({"id": tenant})).eager()
}

/// The seeds of the keys that sign at this moment.
///
/// # Errors
/// When they cannot be read or opened.
pub async fn seeds(at: &impl Tenant) -> Result<Vec<Seed>, PortError> {
    let mut seeds = Vec::new();
    for key in store::list_keys(at, at.now()).await?.into_iter().take(KEYS_MAX) {
        let seed = at.unseal(&key.sealed).await?;
        let bytes = seed.try_into().map_err(|_| PortError::new("keys", "a seed is 32 bytes"))?;
        seeds.push(Seed { id: key.id, bytes });
    }
    Ok(seeds)
}

/// Shows the public keys to whoever asks.
pub async fn directory(at: &impl Tenant) -> Result<Response, Problem> {
    let keys = store::list_keys(at, at.now()).await?.into_iter().map(public).collect();
    let mut response = json_response(StatusCode::OK, &KeyDirectory { keys });
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static(CACHE));
    Ok(response)
}

fn public(key: Key) -> PublicKey {
    let bare = key.public.strip_prefix(standard::PUBLIC_PREFIX).unwrap_or_default();
    let bytes = data_encoding::BASE64.decode(bare.as_bytes()).unwrap_or_default();
    PublicKey {
        kid: key.id,
        kty: "OKP",
        crv: "Ed25519",
        usage: "sig",
        x: BASE64URL_NOPAD.encode(&bytes),
        whpk: key.public,
        until: key.until,
    }
}

/// Makes a new key. The one before signs as well for the overlap.
pub async fn rotate(at: &impl Tenant, rotation: KeyRotation) -> Result<Response, Problem> {
    let overlap = Duration::from_secs(rotation.overlap_seconds);
    if overlap > OVERLAP_MAX {
        let why = format!("at most {}", OVERLAP_MAX.as_secs());
        return Err(Problem::unfitting("overlap_seconds", why));
    }
    let (key, until) = (made(at).await?, at.now() + overlap);
    let entry = Draft::new("webhook_key.rotated", &key.id).with(json!({"until": until}));
    let commit = store::end_keys(until).and(store::insert_key(&key)).entry(entry).job(shown(at));
    let response = json_response(StatusCode::CREATED, &public(key));
    at.answer(commit, response, Problem::changed_meanwhile).await
}

/// Shows the address of the keys in the directory.
pub async fn show(at: &impl Tenant, job: &Job) -> Result<Commit, Failure> {
    if !at.projection().claim_address(ADDRESS, job.subject()?.as_str()).await? {
        return Err(Failure::dead("another tenant has this address"));
    }
    Ok(Commit::new())
}
