//! The provider's key, in a certificate that was fetched and whose chain leads to a root.

use shared::{hosts, x509};
use url::Url;

use super::Refusal;
use crate::recipe::{Algorithm, Key, KeyUrl};

/// The key in the first certificate of a chain in PEM that came from `url`, if the chain is to be
/// trusted at this moment, in seconds since 1970.
pub fn key(
    algorithm: Algorithm,
    at: &KeyUrl,
    url: &Url,
    pem: &[u8],
    now_seconds: i64,
) -> Result<Key, Refusal> {
    let names = at.names(hosts::region(url, &at.hosts).unwrap_or_default());
    let key = x509::trusted_key(pem, &names, at.roots.as_deref(), now_seconds)
        .map_err(|why| Refusal::BadCertificate { why })?;
    let why = x509::Distrust::Broken;
    Key::public(algorithm, &key).ok_or(Refusal::BadCertificate { why })
}
