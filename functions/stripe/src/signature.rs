//! Stripe's signature: `Stripe-Signature: t=…,v1=…`, HMAC-SHA256 over `t.body`.
//! Source: docs.stripe.com/webhooks#verify-manually.

use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::{Choice, ConstantTimeEq};

/// How old or how far ahead a signature may be, when the account does not say.
pub const TOLERANCE_SECONDS: u32 = 300;
/// How many signatures of a header are looked at.
pub const CANDIDATES_MAX: usize = 20;

/// Why an event is not believed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// No header, or none with a time and a signature.
    #[error("there is no Stripe-Signature with t and v1")]
    Missing,
    /// No signature by any of the secrets.
    #[error("the signature fits none of the account's secrets and this body")]
    Wrong,
    /// The signature's time is too far away.
    #[error("the signature is too old, or from the future")]
    Stale,
}

impl Refusal {
    /// The word that is counted.
    pub fn word(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Wrong => "wrong",
            Self::Stale => "stale",
        }
    }
}

/// Whether `header` signs `body` by one of the secrets, at a time within the tolerance of `now`
/// (in seconds). All candidates are compared with all secrets in constant time.
///
/// # Errors
/// Why it is not believed.
pub fn verify(
    header: Option<&str>,
    body: &[u8],
    secrets: &[String],
    tolerance_seconds: u32,
    now: i64,
) -> Result<(), Refusal> {
    let header = header.ok_or(Refusal::Missing)?;
    let pairs = || header.split(',').filter_map(|it| it.trim().split_once('='));
    let time = pairs().find(|(name, _)| *name == "t").ok_or(Refusal::Missing)?.1;
    let seconds: i64 = time.parse().map_err(|_| Refusal::Missing)?;
    let candidates: Vec<Vec<u8>> = pairs()
        .filter(|(name, _)| *name == "v1")
        .take(CANDIDATES_MAX)
        .filter_map(|(_, it)| HEXLOWER.decode(it.as_bytes()).ok())
        .collect();
    if candidates.is_empty() {
        return Err(Refusal::Missing);
    }
    let mut fits = Choice::from(0);
    for secret in secrets {
        let tag = tag(secret, time, body);
        for candidate in &candidates {
            fits |= candidate.as_slice().ct_eq(&tag);
        }
    }
    if !bool::from(fits) {
        return Err(Refusal::Wrong);
    }
    match seconds.abs_diff(now) <= u64::from(tolerance_seconds) {
        true => Ok(()),
        false => Err(Refusal::Stale),
    }
}

/// The header that signs `body` at `seconds`.
pub fn sign(secret: &str, seconds: i64, body: &[u8]) -> String {
    let time = seconds.to_string();
    format!("t={time},v1={}", HEXLOWER.encode(&tag(secret, &time, body)))
}

fn tag(secret: &str, time: &str, body: &[u8]) -> Vec<u8> {
    // HMAC takes keys of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else { return Vec::new() };
    mac.update(time.as_bytes());
    mac.update(b".");
    mac.update(body);
    mac.finalize().into_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BODY: &[u8] = br#"{"id":"evt_1"}"#;

    fn check(header: &str, body: &[u8], now: i64) -> Result<(), Refusal> {
        let secrets = ["whsec_old".to_owned(), "whsec_new".to_owned()];
        verify(Some(header), body, &secrets, TOLERANCE_SECONDS, now)
    }

    #[test]
    fn a_signature_by_openssl_is_believed() {
        // printf '1700000000.{"id":"evt_1"}' | openssl dgst -sha256 -hmac whsec_new
        let tag = "f3ac0c93c23f69e2e6046d7f0e2c82c93d0403de0f8651457189ab70fbbfcaae";

        assert_eq!(check(&format!("t=1700000000,v1={tag}"), BODY, 1_700_000_000), Ok(()));
    }

    #[test]
    fn any_candidate_and_any_secret_will_do() {
        let (old, new) = (sign("whsec_old", 1000, BODY), sign("whsec_new", 1000, BODY));
        let both = format!("{old},v1={},v0=x", "00".repeat(32));

        assert_eq!(check(&both, BODY, 1000), Ok(()));
        assert_eq!(check(&new, BODY, 1000), Ok(()));
    }

    #[test]
    fn the_tolerance_is_exact_both_ways() {
        let signed = sign("whsec_new", 1000, BODY);

        assert_eq!([700, 1300].map(|it| check(&signed, BODY, it)), [Ok(()), Ok(())]);
        assert_eq!([699, 1301].map(|it| check(&signed, BODY, it)), [Err(Refusal::Stale); 2]);
    }

    #[test]
    fn what_is_not_signed_is_refused() {
        for bad in ["", "t=1", "v1=00", "t=x,v1=00", "t=1,v1=zz"] {
            assert_eq!(check(bad, BODY, 1), Err(Refusal::Missing), "{bad}");
        }
        let other = sign("whsec_other", 1000, BODY);
        assert_eq!(check(&other, BODY, 1000), Err(Refusal::Wrong));
    }

    proptest! {
        #[test]
        fn a_flipped_byte_is_refused(at in 0usize..14, bit in 0u8..8) {
            let signed = sign("whsec_new", 1000, BODY);
            let mut body = BODY.to_vec();
            body[at] ^= 1 << bit;

            prop_assert_eq!(check(&signed, &body, 1000), Err(Refusal::Wrong));
        }
    }
}
