//! The certificates of providers that publish their key.

use bytes::Bytes;
use shared::{certificates, ports::Tenant};

use crate::{
    signature::{self, Incoming, Refusal},
    source::Source,
};

/// The certificate that a request names, if its recipe asks for one.
pub async fn find(
    at: &impl Tenant,
    source: &Source,
    secrets: &[String],
    incoming: &Incoming<'_>,
) -> Result<Option<Bytes>, Refusal> {
    let Some(url) = signature::key_url(&source.recipe, secrets, incoming)? else {
        return Ok(None);
    };
    let now_seconds = at.now().seconds();
    let from = url.clone();
    let good = |it: &[u8]| signature::is_certificate(&source.recipe, &from, it, now_seconds);
    // What is no certificate is left to be refused.
    certificates::find(at, url, "webhooks/certificates", source.id.as_str(), good)
        .await
        .map(Some)
        .map_err(|_| Refusal::KeyUnavailable)
}
