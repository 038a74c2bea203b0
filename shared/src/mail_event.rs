//! A mail that the runtime itself hands over, rather than a client: what the edge says of its
//! envelope, so that the function that takes it in can tell.
//!
//! It is sealed for the tenant. What a client writes under the same header opens nowhere, on any
//! runtime, and what was overheard is good for this mail alone, for some minutes.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    domain::{Timestamp, sha256_hex},
    ports::{Edge, PortError, Tenant},
    seal::Keys,
};

/// The header that has it.
pub const HEADER: &str = "backplane-mail-event";
/// What it is, so that nothing else that is sealed is taken for one.
const PURPOSE: &str = "mail event";
/// For how long it is good.
const GOOD_FOR: Duration = Duration::from_secs(300);

/// What the runtime knows of a mail.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct MailEvent {
    purpose: String,
    /// The sender of the envelope; empty is nobody.
    pub from: String,
    /// To whom it is delivered.
    pub to: String,
    sha256: String,
    until: Timestamp,
}

impl MailEvent {
    /// The value of the header for this mail to this tenant.
    ///
    /// # Errors
    /// When the deployment has no sealing key, or the runtime no randomness.
    pub async fn sealed(
        edge: &impl Edge,
        tenant: &str,
        from: &str,
        to: &str,
        raw: &[u8],
    ) -> Result<String, PortError> {
        let it = Self {
            purpose: PURPOSE.to_owned(),
            from: from.to_owned(),
            to: to.to_owned(),
            sha256: sha256_hex(raw),
            until: edge.now() + GOOD_FOR,
        };
        let text = serde_json::to_vec(&it).map_err(|err| PortError::new("mail", err))?;
        let mut nonce = [0; 24];
        edge.random(&mut nonce)?;
        Keys::load(edge).await?.seal(&text, tenant, &nonce)
    }

    /// What the header says of this mail, if the edge wrote it.
    pub async fn open(at: &impl Tenant, header: &str, raw: &[u8]) -> Option<Self> {
        let text = at.unseal(header).await.ok()?;
        let it: Self = serde_json::from_slice(&text).ok()?;
        let is_good =
            it.purpose == PURPOSE && it.sha256 == sha256_hex(raw) && at.real_now() <= it.until;
        is_good.then_some(it)
    }
}
