//! The tenant's keys of push: browsers subscribe under the latest, and the ones before go on
//! signing for whoever subscribed under them, so that a rotation loses nobody.

use std::time::Duration;

use serde::Serialize;
use serde_json::json;
use shared::{
    domain::{Draft, Id, Page, Timestamp},
    http::{Response, StatusCode, json as json_response},
    ports::{PortError, Tenant},
    problem::Problem,
};
use utoipa::ToSchema;

use crate::{push::vapid::Signer, store};

/// How many keys a tenant has at most.
pub const KEYS_MAX: u32 = 20;
/// For how long a key that nobody subscribed under is kept beside a later one: a page that was
/// loaded before the rotation may still subscribe under it.
const UNUSED: Duration = Duration::from_secs(7 * 86_400);
/// How often chance is asked for a key. About one in 2^32 strings is none.
const TRIES: usize = 3;

/// A key under which browsers subscribe.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = PushKey)]
pub struct VapidKey {
    /// `psk_…`
    pub id: Id,
    /// What the page gives as `applicationServerKey`: a point of P-256, in base64url.
    pub public_key: String,
    /// When it was made. The latest is the one to subscribe under.
    pub created_at: Timestamp,
    /// The private half, sealed.
    #[serde(skip)]
    pub sealed: String,
}

impl VapidKey {
    /// What signs with it.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub async fn signer(&self, at: &impl Tenant) -> Result<Signer, PortError> {
        let bytes = at.unseal(&self.sealed).await?;
        let bytes = <[u8; 32]>::try_from(bytes.as_slice()).ok();
        let broken = || PortError::new("notify", "a key of push is none");
        bytes.and_then(|it| Signer::parse(&it)).ok_or_else(broken)
    }
}

/// Lists them, the latest first.
pub async fn list(at: &impl Tenant) -> Result<Response, Problem> {
    let items = store::list_push_keys(at).await?;
    Ok(json_response(StatusCode::OK, &Page { items, next: None }))
}

/// Makes the first one, or the next.
pub async fn rotate(at: &impl Tenant) -> Result<Response, Problem> {
    let (private, public_key) = made(at)?;
    let sealed = at.seal(&private).await?;
    let it = VapidKey { id: at.new_id("psk")?, public_key, created_at: at.now(), sealed };
    let entry = Draft::new("push_key.created", &it.id).with(json!({"public_key": it.public_key}));
    let before = at.now() - UNUSED;
    let commit = store::insert_push_key(&it, before).entry(entry);
    let full = || {
        let instead = "those under which nobody subscribed go after a week";
        Problem::full_list(KEYS_MAX, "keys", instead)
    };
    at.answer(commit, json_response(StatusCode::CREATED, &it), full).await
}

fn made(at: &impl Tenant) -> Result<([u8; 32], String), PortError> {
    for _ in 0..TRIES {
        let mut bytes = [0; 32];
        at.random(&mut bytes)?;
        if let Some(signer) = Signer::parse(&bytes) {
            return Ok((bytes, signer.public_key()));
        }
    }
    Err(PortError::new("entropy", "no key in three tries"))
}
