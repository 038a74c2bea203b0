//! RSA-PSS (RFC 8017, 8.1), by which a server with a certificate of RSA signs a handshake of TLS
//! 1.3.

use rsa::{
    Pss, RsaPublicKey,
    pkcs1::DecodeRsaPublicKey,
    traits::{PublicKeyParts, SignatureScheme},
};
use rustls::pki_types::{
    AlgorithmIdentifier, InvalidSignature, SignatureVerificationAlgorithm, alg_id,
};
use sha2::{Digest, Sha256, Sha384, Sha512};

use crate::x509::algorithms::RSA_BYTES_MIN;

/// With SHA-256, and a salt as long as that.
pub(super) const PSS_SHA256: &dyn SignatureVerificationAlgorithm = &Hash::Sha256;
/// With SHA-384, and a salt as long as that.
pub(super) const PSS_SHA384: &dyn SignatureVerificationAlgorithm = &Hash::Sha384;
/// With SHA-512, and a salt as long as that.
pub(super) const PSS_SHA512: &dyn SignatureVerificationAlgorithm = &Hash::Sha512;

#[derive(Clone, Copy, Debug)]
enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

impl SignatureVerificationAlgorithm for Hash {
    fn verify_signature(
        &self,
        key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), InvalidSignature> {
        let key = RsaPublicKey::from_pkcs1_der(key).ok().filter(|it| it.size() >= RSA_BYTES_MIN);
        let key = key.ok_or(InvalidSignature)?;
        let verified = match self {
            Self::Sha256 => Pss::<Sha256>::new().verify(&key, &Sha256::digest(message), signature),
            Self::Sha384 => Pss::<Sha384>::new().verify(&key, &Sha384::digest(message), signature),
            Self::Sha512 => Pss::<Sha512>::new().verify(&key, &Sha512::digest(message), signature),
        };
        verified.map_err(|_| InvalidSignature)
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::RSA_ENCRYPTION
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        match self {
            Self::Sha256 => alg_id::RSA_PSS_SHA256,
            Self::Sha384 => alg_id::RSA_PSS_SHA384,
            Self::Sha512 => alg_id::RSA_PSS_SHA512,
        }
    }
}
