//! The ciphers of records (RFC 8446, 5.2), of RustCrypto.

use aes_gcm::Aes128Gcm;
use chacha20poly1305::{
    ChaCha20Poly1305,
    aead::{Aead, KeyInit, Nonce, Payload},
};
use rustls::{
    ConnectionTrafficSecrets, ContentType, Error, ProtocolVersion,
    crypto::cipher::{
        self as tls, AeadKey, InboundOpaqueMessage, InboundPlainMessage, Iv, MessageDecrypter,
        MessageEncrypter, OutboundOpaqueMessage, OutboundPlainMessage, PrefixedPayload,
        Tls13AeadAlgorithm, UnsupportedOperationError,
    },
};

/// What authenticates a record, in bytes: both ciphers have as much.
const TAG_BYTES: usize = 16;
/// What says which kind of record it is, inside of it.
const KIND_BYTES: usize = 1;

/// AES-128-GCM.
pub(super) struct Aes128;
/// ChaCha20-Poly1305.
pub(super) struct ChaCha20;

impl Tls13AeadAlgorithm for Aes128 {
    fn encrypter(&self, key: AeadKey, iv: Iv) -> Box<dyn MessageEncrypter> {
        Box::new(Records::<Aes128Gcm>::new(&key, iv))
    }

    fn decrypter(&self, key: AeadKey, iv: Iv) -> Box<dyn MessageDecrypter> {
        Box::new(Records::<Aes128Gcm>::new(&key, iv))
    }

    fn key_len(&self) -> usize {
        16
    }

    fn extract_keys(
        &self,
        key: AeadKey,
        iv: Iv,
    ) -> Result<ConnectionTrafficSecrets, UnsupportedOperationError> {
        Ok(ConnectionTrafficSecrets::Aes128Gcm { key, iv })
    }
}

impl Tls13AeadAlgorithm for ChaCha20 {
    fn encrypter(&self, key: AeadKey, iv: Iv) -> Box<dyn MessageEncrypter> {
        Box::new(Records::<ChaCha20Poly1305>::new(&key, iv))
    }

    fn decrypter(&self, key: AeadKey, iv: Iv) -> Box<dyn MessageDecrypter> {
        Box::new(Records::<ChaCha20Poly1305>::new(&key, iv))
    }

    fn key_len(&self) -> usize {
        32
    }

    fn extract_keys(
        &self,
        key: AeadKey,
        iv: Iv,
    ) -> Result<ConnectionTrafficSecrets, UnsupportedOperationError> {
        Ok(ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv })
    }
}

/// The records of one direction.
struct Records<A> {
    aead: A,
    iv: Iv,
}

impl<A: Aead + KeyInit> Records<A> {
    fn new(key: &AeadKey, iv: Iv) -> Self {
        let aead = A::new_from_slice(key.as_ref());
        Self { aead: aead.expect("rustls makes keys as long as `key_len` says"), iv }
    }

    fn nonce(&self, sequence: u64) -> Result<Nonce<A>, Error> {
        let nonce = tls::Nonce::new(&self.iv, sequence).0;
        Nonce::<A>::try_from(nonce.as_slice()).map_err(|_| Error::EncryptError)
    }
}

impl<A: Aead + KeyInit + Send + Sync> MessageEncrypter for Records<A> {
    fn encrypt(
        &mut self,
        message: OutboundPlainMessage<'_>,
        sequence: u64,
    ) -> Result<OutboundOpaqueMessage, Error> {
        let length = self.encrypted_payload_len(message.payload.len());
        let mut plain = message.payload.to_vec();
        plain.push(message.typ.into());
        let aad = tls::make_tls13_aad(length);
        let sealed = Payload { msg: &plain, aad: &aad };
        let sealed = self.aead.encrypt(&self.nonce(sequence)?, sealed);
        let mut payload = PrefixedPayload::with_capacity(length);
        payload.extend_from_slice(&sealed.map_err(|_| Error::EncryptError)?);
        let (kind, version) = (ContentType::ApplicationData, ProtocolVersion::TLSv1_2);
        Ok(OutboundOpaqueMessage::new(kind, version, payload))
    }

    fn encrypted_payload_len(&self, length: usize) -> usize {
        length + KIND_BYTES + TAG_BYTES
    }
}

impl<A: Aead + KeyInit + Send + Sync> MessageDecrypter for Records<A> {
    fn decrypt<'a>(
        &mut self,
        mut message: InboundOpaqueMessage<'a>,
        sequence: u64,
    ) -> Result<InboundPlainMessage<'a>, Error> {
        let aad = tls::make_tls13_aad(message.payload.len());
        let sealed = Payload { msg: &message.payload, aad: &aad };
        let plain = self.aead.decrypt(&self.nonce(sequence)?, sealed);
        let plain = plain.map_err(|_| Error::DecryptError)?;
        let room = message.payload.get_mut(..plain.len()).ok_or(Error::DecryptError)?;
        room.copy_from_slice(&plain);
        message.payload.truncate(plain.len());
        message.into_tls13_unpadded_message()
    }
}
