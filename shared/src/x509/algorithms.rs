//! The algorithms by which certificates are signed, of RustCrypto: `webpki` brings none.

use p256::ecdsa::signature::hazmat::PrehashVerifier;
use rsa::{
    Pkcs1v15Sign, RsaPublicKey,
    pkcs1::DecodeRsaPublicKey,
    traits::{PublicKeyParts, SignatureScheme},
};
use rustls_pki_types::{
    AlgorithmIdentifier, InvalidSignature, SignatureVerificationAlgorithm, alg_id,
};
use sha2::{Digest, Sha256, Sha384, Sha512};

/// Fewest bytes of an RSA modulus: 2048 bits, as browsers ask.
pub(crate) const RSA_BYTES_MIN: usize = 256;

type Verifier = &'static dyn SignatureVerificationAlgorithm;

/// RSA with PKCS #1 v1.5, by which most authorities sign.
pub(crate) const RSA_SHA256: Verifier = &Algorithm { key: Key::Rsa, hash: Hash::Sha256 };
/// The same with SHA-384.
pub(crate) const RSA_SHA384: Verifier = &Algorithm { key: Key::Rsa, hash: Hash::Sha384 };
/// The same with SHA-512.
pub(crate) const RSA_SHA512: Verifier = &Algorithm { key: Key::Rsa, hash: Hash::Sha512 };
/// ECDSA on P-256.
pub(crate) const P256_SHA256: Verifier = &Algorithm { key: Key::P256, hash: Hash::Sha256 };
/// ECDSA on P-384.
pub(crate) const P384_SHA384: Verifier = &Algorithm { key: Key::P384, hash: Hash::Sha384 };

/// Those by which a certificate may be signed. SHA-1 is not among them.
pub(crate) const ALL: &[Verifier] = &[
    RSA_SHA256,
    RSA_SHA384,
    RSA_SHA512,
    P256_SHA256,
    &Algorithm { key: Key::P256, hash: Hash::Sha384 },
    &Algorithm { key: Key::P384, hash: Hash::Sha256 },
    P384_SHA384,
];

#[derive(Debug)]
struct Algorithm {
    key: Key,
    hash: Hash,
}

#[derive(Clone, Copy, Debug)]
enum Key {
    Rsa,
    P256,
    P384,
}

#[derive(Clone, Copy, Debug)]
enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

impl Hash {
    fn of(self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha256 => Sha256::digest(message).to_vec(),
            Self::Sha384 => Sha384::digest(message).to_vec(),
            Self::Sha512 => Sha512::digest(message).to_vec(),
        }
    }

    fn padding(self) -> Pkcs1v15Sign {
        match self {
            Self::Sha256 => Pkcs1v15Sign::new::<Sha256>(),
            Self::Sha384 => Pkcs1v15Sign::new::<Sha384>(),
            Self::Sha512 => Pkcs1v15Sign::new::<Sha512>(),
        }
    }
}

impl SignatureVerificationAlgorithm for Algorithm {
    fn verify_signature(
        &self,
        public_key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), InvalidSignature> {
        let hash = self.hash.of(message);
        let is_good = match self.key {
            Key::Rsa => rsa(public_key, self.hash.padding(), &hash, signature),
            Key::P256 => p256(public_key, &hash, signature),
            Key::P384 => p384(public_key, &hash, signature),
        };
        is_good.filter(|it| *it).map(|_| ()).ok_or(InvalidSignature)
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        match self.key {
            Key::Rsa => alg_id::RSA_ENCRYPTION,
            Key::P256 => alg_id::ECDSA_P256,
            Key::P384 => alg_id::ECDSA_P384,
        }
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        match (self.key, self.hash) {
            (Key::Rsa, Hash::Sha256) => alg_id::RSA_PKCS1_SHA256,
            (Key::Rsa, Hash::Sha384) => alg_id::RSA_PKCS1_SHA384,
            (Key::Rsa, Hash::Sha512) => alg_id::RSA_PKCS1_SHA512,
            (_, Hash::Sha256) => alg_id::ECDSA_SHA256,
            (_, Hash::Sha384) => alg_id::ECDSA_SHA384,
            (_, Hash::Sha512) => alg_id::ECDSA_SHA512,
        }
    }
}

fn rsa(key: &[u8], padding: Pkcs1v15Sign, hash: &[u8], signature: &[u8]) -> Option<bool> {
    let key = RsaPublicKey::from_pkcs1_der(key).ok().filter(|it| it.size() >= RSA_BYTES_MIN)?;
    Some(padding.verify(&key, hash, signature).is_ok())
}

fn p256(key: &[u8], hash: &[u8], signature: &[u8]) -> Option<bool> {
    let key = p256::ecdsa::VerifyingKey::from_sec1_bytes(key).ok()?;
    let signature = p256::ecdsa::Signature::from_der(signature).ok()?;
    Some(key.verify_prehash(hash, &signature).is_ok())
}

fn p384(key: &[u8], hash: &[u8], signature: &[u8]) -> Option<bool> {
    let key = p384::ecdsa::VerifyingKey::from_sec1_bytes(key).ok()?;
    let signature = p384::ecdsa::Signature::from_der(signature).ok()?;
    Some(key.verify_prehash(hash, &signature).is_ok())
}
