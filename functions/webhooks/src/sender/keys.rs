//! The public directory of the tenant's own Ed25519 keys, which sign as `v1a`, and new ones.

use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};
use serde_json::json;
use shared::{
    domain::{Commit, Draft, Failure, Id, Job, Timestamp},
    http::{HeaderValue, Response, StatusCode, header, json as json_response},
    ports::Tenant,
    problem::Problem,
    route::Call,
    signing::{self, Key},
};
use utoipa::ToSchema;

use crate::source::OVERLAP_MAX;

/// For how long receivers may keep the directory, in seconds.
const CACHE: &str = "public, max-age=300";

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

/// Shows the public keys to whoever asks: those that sign, or all, for what was signed before.
pub async fn directory(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let since = match call.query("all").as_deref() {
        None | Some("false") => at.now(),
        Some("true") => Timestamp::default(),
        Some(_) => return Err(Problem::unfitting("all", "true or false")),
    };
    let keys = signing::list(at, since).await?.into_iter().map(public).collect();
    let mut response = json_response(StatusCode::OK, &KeyDirectory { keys });
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static(CACHE));
    Ok(response)
}

fn public(key: Key) -> PublicKey {
    let bare = key.public.strip_prefix(signing::PUBLIC_PREFIX).unwrap_or_default();
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
    let ((key, _, made), until) = (Key::make(at).await?, at.now() + overlap);
    let entry = Draft::new("webhook_key.rotated", &key.id).with(json!({"until": until}));
    let commit = signing::end(until).and(made).entry(entry);
    let response = json_response(StatusCode::CREATED, &public(key));
    at.answer(commit, response, Problem::changed_meanwhile).await
}

/// Shows the address of the keys in the directory.
pub async fn show(at: &impl Tenant, job: &Job) -> Result<Commit, Failure> {
    if !at.projection().claim_address(signing::ADDRESS, job.subject()?.as_str()).await? {
        return Err(Failure::dead("another tenant has this address"));
    }
    Ok(Commit::new())
}
