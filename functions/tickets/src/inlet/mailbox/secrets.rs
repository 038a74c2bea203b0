//! The secrets of a mailbox: by which reply tokens are signed, and by which posters are known.

use data_encoding::{BASE32_NOPAD, BASE64};
use serde::{Deserialize, Serialize};
use shared::{
    domain::sha256_hex,
    ports::{PortError, Tenant},
    problem::Problem,
};
use subtle::ConstantTimeEq;

use super::Mailbox;
use crate::mail::token::{self, SECRET_BYTES};

/// What a token begins with.
const TOKEN_PREFIX: &str = "tmk_";

/// The secrets of a mailbox.
#[derive(Clone, Default, Deserialize, Serialize)]
pub struct Secrets {
    /// By which reply tokens are signed.
    reply: String,
    /// The SHA-256 of the token that whoever posts shows.
    token: String,
    /// Mailgun's HTTP webhook signing key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mailgun_key: Option<String>,
}

impl Secrets {
    /// New ones, with this token.
    ///
    /// # Errors
    /// When the runtime has no randomness.
    pub fn new(at: &impl Tenant, token: &str) -> Result<Self, PortError> {
        let mut reply = [0; SECRET_BYTES];
        at.random(&mut reply)?;
        let it = Self { reply: BASE64.encode(&reply), ..Self::default() };
        Ok(it.with_token(token))
    }

    /// The same with another token.
    pub fn with_token(self, token: &str) -> Self {
        Self { token: sha256_hex(token.as_bytes()), ..self }
    }

    /// The secret by which reply tokens are signed.
    pub fn reply(&self) -> Option<token::Secret> {
        token::Secret::new(&BASE64.decode(self.reply.as_bytes()).ok()?)
    }

    /// Whether this is the token that whoever posts is to show.
    pub fn is_token(&self, shown: &str) -> bool {
        sha256_hex(shown.as_bytes()).as_bytes().ct_eq(self.token.as_bytes()).into()
    }
}

/// A new token.
///
/// # Errors
/// When the runtime has no randomness.
pub fn new_token(at: &impl Tenant) -> Result<String, PortError> {
    let mut bytes = [0; 20];
    at.random(&mut bytes)?;
    Ok(format!("{TOKEN_PREFIX}{}", BASE32_NOPAD.encode(&bytes).to_ascii_lowercase()))
}

/// The mailbox with these secrets, sealed.
///
/// # Errors
/// When the deployment has no sealing key.
pub async fn sealed(at: &impl Tenant, it: Mailbox, secrets: &Secrets) -> Result<Mailbox, Problem> {
    let text = serde_json::to_vec(secrets).map_err(|it| Problem::internal().caused_by(it))?;
    Ok(Mailbox { sealed: at.seal(&text).await?, ..it })
}

/// Its secrets.
///
/// # Errors
/// When they cannot be opened.
pub async fn secrets(at: &impl Tenant, it: &Mailbox) -> Result<Secrets, PortError> {
    let text = at.unseal(&it.sealed).await?;
    serde_json::from_slice(&text).map_err(|err| PortError::new("mailbox", err))
}
