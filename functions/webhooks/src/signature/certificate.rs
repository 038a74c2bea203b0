//! The provider's key in a certificate (RFC 5280) that was fetched.
//!
//! Its chain is not checked: there are no trusted roots here. That it came by TLS from a host of
//! the recipe's is what vouches for it. Of all that it says only two things are read, so that a
//! reader of the whole need not be deployed.

use std::ops::RangeInclusive;

use data_encoding::BASE64;
use der::{
    Decode, ErrorKind, Reader, SliceReader, Tag,
    asn1::{GeneralizedTime, UtcTime},
};

use super::Refusal;
use crate::recipe::{Algorithm, Key};

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

/// What is read of a certificate.
struct Certificate<'a> {
    /// When it is valid, in seconds since 1970.
    validity: RangeInclusive<u64>,
    /// Its SubjectPublicKeyInfo.
    key: &'a [u8],
}

/// The key in the first certificate of a text in PEM, if it is valid at this moment.
pub fn key(algorithm: Algorithm, pem: &[u8], now_seconds: i64) -> Result<Key, Refusal> {
    let der = decode(pem).ok_or(Refusal::BadCertificate)?;
    let certificate = read(&der).map_err(|_| Refusal::BadCertificate)?;
    let is_valid = u64::try_from(now_seconds).is_ok_and(|it| certificate.validity.contains(&it));
    let key = Key::public(algorithm, certificate.key).filter(|_| is_valid);
    key.ok_or(Refusal::BadCertificate)
}

fn decode(pem: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(pem).ok()?;
    let (_, after) = text.split_once(BEGIN)?;
    let (inside, _) = after.split_once(END)?;
    let base64: String = inside.split_whitespace().collect();
    BASE64.decode(base64.as_bytes()).ok()
}

/// RFC 5280, section 4.1.
fn read(der: &[u8]) -> der::Result<Certificate<'_>> {
    let mut reader = SliceReader::new(der)?;
    let certificate = reader.sequence(|it| -> der::Result<_> {
        let certificate = it.sequence(to_be_signed)?;
        rest(it)?;
        Ok(certificate)
    })?;
    reader.finish()?;
    Ok(certificate)
}

fn to_be_signed<'a>(it: &mut SliceReader<'a>) -> der::Result<Certificate<'a>> {
    if Tag::peek(it)?.is_context_specific() {
        it.tlv_bytes()?; // The version.
    }
    for _ in ["the serial number", "the algorithm", "the issuer"] {
        it.tlv_bytes()?;
    }
    let validity = it.sequence(|it| -> der::Result<_> { Ok(time(it)?..=time(it)?) })?;
    it.tlv_bytes()?; // The subject.
    let key = it.tlv_bytes()?;
    rest(it)?;
    Ok(Certificate { validity, key })
}

fn time(it: &mut SliceReader) -> der::Result<u64> {
    let time = match Tag::peek(it)? {
        Tag::UtcTime => UtcTime::decode(it)?.to_unix_duration(),
        Tag::GeneralizedTime => GeneralizedTime::decode(it)?.to_unix_duration(),
        _ => return Err(it.error(ErrorKind::DateTime)),
    };
    Ok(time.as_secs())
}

fn rest(it: &mut SliceReader) -> der::Result<()> {
    while !it.is_finished() {
        it.tlv_bytes()?;
    }
    Ok(())
}
