//! Whether one of several signatures is one of a message, by a key.

use ed25519_dalek::Signature as Ed25519Signature;
use hmac::{Hmac, KeyInit, Mac};
use p256::ecdsa::{Signature as P256Signature, signature::hazmat::PrehashVerifier};
use rsa::Pkcs1v15Sign;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};
use subtle::{Choice, ConstantTimeEq};

use crate::recipe::{Algorithm, Key};

/// Whether one of `candidates` is a signature of `message`. What is secret is compared in
/// constant time, and with every candidate.
pub fn is_signed(
    algorithm: Algorithm,
    key: &Key,
    message: &[u8],
    candidates: &[Vec<u8>],
) -> Choice {
    match key {
        Key::Bytes(key) if algorithm.signs() => {
            let tag = tag(algorithm, key, message);
            any(candidates, |it| it.ct_eq(&tag))
        }
        // Hashes of equal length, so that the time says nothing of the secret's.
        Key::Bytes(key) => {
            let expected = Sha256::digest(key);
            any(candidates, |it| Sha256::digest(it).as_slice().ct_eq(expected.as_slice()))
        }
        Key::Ed25519(key) => any(candidates, |it| {
            let signature = Ed25519Signature::from_slice(it);
            public(signature.is_ok_and(|it| key.verify_strict(message, &it).is_ok()))
        }),
        Key::P256(key) => {
            let hash = Sha256::digest(message);
            any(candidates, |it| {
                let signature = P256Signature::from_der(it);
                public(signature.is_ok_and(|it| key.verify_prehash(&hash, &it).is_ok()))
            })
        }
        Key::Rsa(key) => {
            let hash = Sha256::digest(message);
            let padding = || Pkcs1v15Sign::new::<Sha256>();
            any(candidates, |it| public(key.verify(padding(), &hash, it).is_ok()))
        }
    }
}

/// The HMAC of a message; nothing for what is no HMAC.
pub fn tag(algorithm: Algorithm, key: &[u8], message: &[u8]) -> Vec<u8> {
    match algorithm {
        Algorithm::HmacSha256 => mac::<Hmac<Sha256>>(key, message),
        Algorithm::HmacSha1 => mac::<Hmac<Sha1>>(key, message),
        Algorithm::HmacSha512 => mac::<Hmac<Sha512>>(key, message),
        _ => Vec::new(),
    }
}

fn mac<M: Mac + KeyInit>(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut mac = <M as KeyInit>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(message);
    mac.finalize().into_bytes().to_vec()
}

fn any(candidates: &[Vec<u8>], fits: impl Fn(&[u8]) -> Choice) -> Choice {
    candidates.iter().fold(Choice::from(0), |found, it| found | fits(it))
}

/// Signatures by a private key are checked with what everybody may know.
fn public(holds: bool) -> Choice {
    Choice::from(u8::from(holds))
}
