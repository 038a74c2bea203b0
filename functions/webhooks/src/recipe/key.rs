//! The key by which a signature is checked.

use ed25519_dalek::VerifyingKey as Ed25519Key;
use p256::{ecdsa::VerifyingKey as P256Key, pkcs8::DecodePublicKey};
use rsa::{RsaPublicKey, traits::PublicKeyParts};

use super::{Algorithm, Error, Recipe};

/// Fewest bytes of an RSA modulus: 2048 bits.
const RSA_BYTES_MIN: usize = 256;

/// The key by which a signature is checked.
#[derive(Clone, Debug)]
pub enum Key {
    /// Of an HMAC, or the secret that is sent.
    Bytes(Vec<u8>),
    /// Of Ed25519.
    Ed25519(Ed25519Key),
    /// Of ECDSA.
    P256(P256Key),
    /// Of RSA.
    Rsa(RsaPublicKey),
}

impl Recipe {
    /// Whether `secret` can be a secret of this provider.
    pub fn check_secret(&self, secret: &str) -> Result<(), Error> {
        self.key(secret).map(drop)
    }

    /// Whether we can make a secret for the provider, rather than be given one.
    pub fn takes_any_secret(&self) -> bool {
        let signature = &self.signature;
        !signature.algorithm.is_public() && signature.algorithm != Algorithm::None
    }

    /// The header in which the secret itself is sent: it is nobody else's to see.
    pub fn secret_header(&self) -> Option<&str> {
        match self.signature.algorithm {
            Algorithm::Token | Algorithm::Basic => self.signature.header.as_deref(),
            _ => None,
        }
    }

    /// The key that the text of a secret stands for.
    pub fn key(&self, text: &str) -> Result<Key, Error> {
        let bytes = self.secret.key(text)?;
        let algorithm = self.signature.algorithm;
        if self.signature.key_url.is_some() {
            return Ok(Key::Bytes(bytes));
        }
        match algorithm {
            Algorithm::None => Err(Error::SecretOfNobody),
            Algorithm::Basic if !bytes.contains(&b':') => Err(Error::SecretWithoutColon),
            Algorithm::Token if !bytes.iter().all(|it| (0x20..0x7f).contains(it)) => {
                Err(Error::SecretNotPrintable)
            }
            Algorithm::Ed25519 | Algorithm::EcdsaP256Sha256 | Algorithm::RsaSha256 => {
                Key::public(algorithm, &bytes).ok_or(Error::SecretNotAKey)
            }
            _ => Ok(Key::Bytes(bytes)),
        }
    }
}

impl Key {
    /// The key that these bytes are: of Ed25519 the key itself, else a SubjectPublicKeyInfo.
    pub fn public(algorithm: Algorithm, bytes: &[u8]) -> Option<Self> {
        match algorithm {
            Algorithm::Ed25519 => {
                Ed25519Key::try_from(bytes).ok().filter(|it| !it.is_weak()).map(Self::Ed25519)
            }
            Algorithm::EcdsaP256Sha256 => P256Key::from_public_key_der(bytes).ok().map(Self::P256),
            Algorithm::RsaSha256 => RsaPublicKey::from_public_key_der(bytes)
                .ok()
                .filter(|it| it.size() >= RSA_BYTES_MIN)
                .map(Self::Rsa),
            _ => None,
        }
    }
}
