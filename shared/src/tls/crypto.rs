//! The crypto of TLS 1.3, of RustCrypto: what RFC 8446, 9.1 says that everybody has, and
//! ChaCha20-Poly1305, which is the faster one without instructions for AES.

use p256::{PublicKey, SecretKey, ecdh::diffie_hellman, elliptic_curve::sec1::ToSec1Point};
use rustls::{
    CipherSuite, CipherSuiteCommon, Error, NamedGroup, PeerMisbehaved, SignatureScheme,
    SupportedCipherSuite, Tls13CipherSuite,
    crypto::{
        ActiveKeyExchange, CryptoProvider, GetRandomFailed, KeyProvider, SecureRandom,
        SharedSecret, SupportedKxGroup, WebPkiSupportedAlgorithms, hash, hmac,
        tls13::HkdfUsingHmac,
    },
    pki_types::PrivateKeyDer,
    sign::SigningKey,
};
use sha2::{Digest, Sha256};

use super::{
    cipher::{Aes128, ChaCha20},
    pss::{PSS_SHA256, PSS_SHA384, PSS_SHA512},
};
use crate::x509::algorithms;

/// How often chance is asked for a key. About one in 2^32 strings is none.
const TRIES: usize = 3;

static CHACHA20: Tls13CipherSuite = Tls13CipherSuite {
    common: CipherSuiteCommon {
        suite: CipherSuite::TLS13_CHACHA20_POLY1305_SHA256,
        hash_provider: &Sha,
        // RFC 8446, 5.5: more than can be sent.
        confidentiality_limit: u64::MAX,
    },
    hkdf_provider: &HkdfUsingHmac(&Sha),
    aead_alg: &ChaCha20,
    quic: None,
};

static AES128: Tls13CipherSuite = Tls13CipherSuite {
    common: CipherSuiteCommon {
        suite: CipherSuite::TLS13_AES_128_GCM_SHA256,
        hash_provider: &Sha,
        // RFC 8446, 5.5: 2^24.5 full records.
        confidentiality_limit: 1 << 24,
    },
    hkdf_provider: &HkdfUsingHmac(&Sha),
    aead_alg: &Aes128,
    quic: None,
};

/// All of it.
pub(super) fn provider() -> CryptoProvider {
    CryptoProvider {
        cipher_suites: vec![
            SupportedCipherSuite::Tls13(&CHACHA20),
            SupportedCipherSuite::Tls13(&AES128),
        ],
        kx_groups: vec![&P256],
        signature_verification_algorithms: WebPkiSupportedAlgorithms {
            all: algorithms::ALL,
            mapping: &[
                (SignatureScheme::ECDSA_NISTP256_SHA256, &[algorithms::P256_SHA256]),
                (SignatureScheme::ECDSA_NISTP384_SHA384, &[algorithms::P384_SHA384]),
                (SignatureScheme::RSA_PSS_SHA256, &[PSS_SHA256]),
                (SignatureScheme::RSA_PSS_SHA384, &[PSS_SHA384]),
                (SignatureScheme::RSA_PSS_SHA512, &[PSS_SHA512]),
                // Of certificates; no handshake of TLS 1.3 is signed by these.
                (SignatureScheme::RSA_PKCS1_SHA256, &[algorithms::RSA_SHA256]),
                (SignatureScheme::RSA_PKCS1_SHA384, &[algorithms::RSA_SHA384]),
                (SignatureScheme::RSA_PKCS1_SHA512, &[algorithms::RSA_SHA512]),
            ],
        },
        secure_random: &Chance,
        key_provider: &NoKeys,
    }
}

/// SHA-256, and HMAC with it.
struct Sha;

impl hash::Hash for Sha {
    fn start(&self) -> Box<dyn hash::Context> {
        Box::new(Running(Sha256::new()))
    }

    fn hash(&self, data: &[u8]) -> hash::Output {
        hash::Output::new(&Sha256::digest(data))
    }

    fn output_len(&self) -> usize {
        <Sha256 as Digest>::output_size()
    }

    fn algorithm(&self) -> hash::HashAlgorithm {
        hash::HashAlgorithm::SHA256
    }
}

#[derive(Clone)]
struct Running(Sha256);

impl hash::Context for Running {
    fn fork_finish(&self) -> hash::Output {
        hash::Output::new(&self.0.clone().finalize())
    }

    fn fork(&self) -> Box<dyn hash::Context> {
        Box::new(self.clone())
    }

    fn finish(self: Box<Self>) -> hash::Output {
        hash::Output::new(&self.0.finalize())
    }

    fn update(&mut self, data: &[u8]) {
        self.0.update(data);
    }
}

impl hmac::Hmac for Sha {
    fn with_key(&self, key: &[u8]) -> Box<dyn hmac::Key> {
        use ::hmac::{Hmac, KeyInit};
        let key = Hmac::<Sha256>::new_from_slice(key);
        Box::new(Keyed(key.expect("HMAC takes keys of any length")))
    }

    fn hash_output_len(&self) -> usize {
        <Sha256 as Digest>::output_size()
    }
}

struct Keyed(::hmac::Hmac<Sha256>);

impl hmac::Key for Keyed {
    fn sign_concat(&self, first: &[u8], middle: &[&[u8]], last: &[u8]) -> hmac::Tag {
        use ::hmac::Mac;
        let mut mac = self.0.clone();
        mac.update(first);
        middle.iter().for_each(|it| mac.update(it));
        mac.update(last);
        hmac::Tag::new(&mac.finalize().into_bytes())
    }

    fn tag_len(&self) -> usize {
        <Sha256 as Digest>::output_size()
    }
}

/// ECDH on P-256.
#[derive(Debug)]
struct P256;

struct Exchange {
    key: SecretKey,
    point: Vec<u8>,
}

impl SupportedKxGroup for P256 {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
        for _ in 0..TRIES {
            let mut bytes = [0; 32];
            Chance.fill(&mut bytes)?;
            if let Ok(key) = SecretKey::from_slice(&bytes) {
                let point = key.public_key().to_sec1_point(false).as_bytes().to_vec();
                return Ok(Box::new(Exchange { key, point }));
            }
        }
        Err(Error::FailedToGetRandomBytes)
    }

    fn name(&self) -> NamedGroup {
        NamedGroup::secp256r1
    }
}

impl ActiveKeyExchange for Exchange {
    fn complete(self: Box<Self>, theirs: &[u8]) -> Result<SharedSecret, Error> {
        let theirs = PublicKey::from_sec1_bytes(theirs);
        let theirs = theirs.map_err(|_| Error::from(PeerMisbehaved::InvalidKeyShare))?;
        let secret = diffie_hellman(self.key.to_nonzero_scalar(), theirs.as_affine());
        Ok(SharedSecret::from(secret.raw_secret_bytes().as_slice()))
    }

    fn pub_key(&self) -> &[u8] {
        &self.point
    }

    fn group(&self) -> NamedGroup {
        NamedGroup::secp256r1
    }
}

/// The runtime's randomness.
#[derive(Debug)]
struct Chance;

impl SecureRandom for Chance {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), GetRandomFailed> {
        getrandom::fill(bytes).map_err(|_| GetRandomFailed)
    }
}

/// We show no certificate of our own.
#[derive(Debug)]
struct NoKeys;

impl KeyProvider for NoKeys {
    fn load_private_key(
        &self,
        _: PrivateKeyDer<'static>,
    ) -> Result<std::sync::Arc<dyn SigningKey>, Error> {
        Err(Error::General("no client has a key here".to_owned()))
    }
}
