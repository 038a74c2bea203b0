//! The provider's key in a certificate (RFC 5280) that was fetched.
//!
//! Its chain is not checked: there are no trusted roots here. That it came by TLS from a host of
//! the recipe's is what vouches for it.

use data_encoding::BASE64;
use x509_cert::{
    Certificate,
    der::{Decode, Encode},
};

use super::Refusal;
use crate::recipe::{Algorithm, Key};

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

/// The key in the first certificate of a text in PEM, if it is valid at this moment.
pub fn key(algorithm: Algorithm, pem: &[u8], now_seconds: i64) -> Result<Key, Refusal> {
    let certificate = parse(pem).ok_or(Refusal::BadCertificate)?;
    let certificate = certificate.tbs_certificate();
    let validity = certificate.validity();
    let now = u64::try_from(now_seconds).unwrap_or(0);
    let from = validity.not_before.to_unix_duration().as_secs();
    let to = validity.not_after.to_unix_duration().as_secs();
    if !(from..=to).contains(&now) {
        return Err(Refusal::BadCertificate);
    }
    let key = certificate.subject_public_key_info().to_der().ok();
    key.and_then(|it| Key::public(algorithm, &it)).ok_or(Refusal::BadCertificate)
}

fn parse(pem: &[u8]) -> Option<Certificate> {
    let text = std::str::from_utf8(pem).ok()?;
    let (_, after) = text.split_once(BEGIN)?;
    let (inside, _) = after.split_once(END)?;
    let base64: String = inside.split_whitespace().collect();
    Certificate::from_der(&BASE64.decode(base64.as_bytes()).ok()?).ok()
}
