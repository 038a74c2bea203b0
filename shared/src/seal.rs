//! Secrets at rest: sealed under a key of the deployment, for one tenant only.
//!
//! The setting `sealing_keys` is `id:key,id:key`: the key is 32 bytes in base64. The first one
//! seals; all of them open, so that a key is rotated by putting a new one in front.

use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305,
    aead::{Aead, Payload},
};
use data_encoding::{BASE64, BASE64URL_NOPAD};
use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::ports::{Edge, PortError};

const NONCE_BYTES: usize = 24;
const KEY_BYTES: usize = 32;

/// The keys of the deployment, the current one first.
pub struct Keys(Vec<(String, [u8; KEY_BYTES])>);

impl Keys {
    /// The keys that the deployment is set to.
    ///
    /// # Errors
    /// When `sealing_keys` is not set or cannot be read.
    pub async fn load(edge: &impl Edge) -> Result<Self, PortError> {
        let text = edge.setting("sealing_keys").await?.unwrap_or_default();
        Self::parse(&text).ok_or_else(|| {
            PortError::new(
                "config",
                "sealing_keys must be `id:base64 of 32 bytes`, comma-separated",
            )
        })
    }

    fn parse(text: &str) -> Option<Self> {
        let keys: Option<Vec<_>> = text.split(',').map(|it| key(it.trim())).collect();
        keys.filter(|it| !it.is_empty()).map(Self)
    }

    /// Seals `secret` so that it opens only with the same `whose`.
    ///
    /// # Errors
    /// When the cipher refuses, which is for a secret of gigabytes.
    pub fn seal(
        &self,
        secret: &[u8],
        whose: &str,
        nonce: &[u8; NONCE_BYTES],
    ) -> Result<String, PortError> {
        let (id, key) = self.0.first().ok_or_else(broken)?;
        let payload = Payload { msg: secret, aad: whose.as_bytes() };
        let cipher = XChaCha20Poly1305::new(key.into());
        let sealed = cipher.encrypt(nonce.into(), payload).map_err(|_| broken())?;
        let bytes = [nonce.as_slice(), sealed.as_slice()].concat();
        Ok(format!("{id}.{}", BASE64URL_NOPAD.encode(&bytes)))
    }

    /// Opens what [`Keys::seal`] made for the same `whose`.
    ///
    /// # Errors
    /// When it was made for somebody else, altered, or under a key that is gone.
    pub fn unseal(&self, sealed: &str, whose: &str) -> Result<Vec<u8>, PortError> {
        self.open(sealed, whose).ok_or_else(broken)
    }

    fn open(&self, sealed: &str, whose: &str) -> Option<Vec<u8>> {
        let (id, text) = sealed.split_once('.')?;
        let (_, key) = self.0.iter().find(|(it, _)| it == id)?;
        let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).ok()?;
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE_BYTES>()?;
        let payload = Payload { msg: sealed, aad: whose.as_bytes() };
        XChaCha20Poly1305::new(key.into()).decrypt(nonce.into(), payload).ok()
    }

    /// The signature of `text` for one purpose, by the current key.
    pub fn sign(&self, purpose: &str, text: &str) -> Vec<u8> {
        self.0.first().map_or_else(Vec::new, |(_, key)| mac(key, purpose, text))
    }

    /// Whether `signature` is one that any of the keys made for this purpose.
    pub fn verify(&self, purpose: &str, text: &str, signature: &[u8]) -> bool {
        use subtle::ConstantTimeEq;
        self.0.iter().any(|(_, key)| mac(key, purpose, text).ct_eq(signature).into())
    }
}

fn mac(key: &[u8; KEY_BYTES], purpose: &str, text: &str) -> Vec<u8> {
    // HMAC takes keys of any length, so this cannot fail.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return Vec::new() };
    mac.update(purpose.as_bytes());
    mac.update(&[0]);
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn key(text: &str) -> Option<(String, [u8; KEY_BYTES])> {
    let (id, key) = text.split_once(':')?;
    let key = BASE64.decode(key.as_bytes()).ok()?.try_into().ok()?;
    (!id.is_empty() && !id.contains('.')).then(|| (id.to_owned(), key))
}

fn broken() -> PortError {
    PortError::new("seal", "a secret does not open: wrong tenant, altered, or its key is gone")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn keys(ids: &[(&str, u8)]) -> Keys {
        let text: Vec<_> =
            ids.iter().map(|(id, byte)| format!("{id}:{}", BASE64.encode(&[*byte; 32]))).collect();
        Keys::parse(&text.join(",")).unwrap()
    }

    #[test]
    fn a_secret_opens_for_its_tenant_alone() {
        let sealed = keys(&[("k1", 1)]).seal(b"whsec", "ten_a", &[7; 24]).unwrap();

        assert_eq!(keys(&[("k1", 1)]).unseal(&sealed, "ten_a").unwrap(), b"whsec");
        assert!(keys(&[("k1", 1)]).unseal(&sealed, "ten_b").is_err());
        assert!(keys(&[("k1", 2)]).unseal(&sealed, "ten_a").is_err());
    }

    #[test]
    fn a_rotated_key_still_opens_and_a_removed_one_does_not() {
        let sealed = keys(&[("k1", 1)]).seal(b"whsec", "ten_a", &[7; 24]).unwrap();

        assert!(keys(&[("k2", 2), ("k1", 1)]).unseal(&sealed, "ten_a").is_ok());
        assert!(keys(&[("k2", 2)]).unseal(&sealed, "ten_a").is_err());
    }

    proptest! {
        #[test]
        fn no_text_makes_opening_panic(text in ".{0,100}") {
            prop_assert!(keys(&[("k1", 1)]).unseal(&text, "ten_a").is_err());
        }
    }
}
