//! Encryption for one browser: RFC 8291, over the content coding `aes128gcm` of RFC 8188. Pure.

use aes_gcm::{
    Aes128Gcm, KeyInit,
    aead::{Aead, Nonce},
};
use data_encoding::BASE64URL_NOPAD;
use hkdf::Hkdf;
use p256::{PublicKey, SecretKey, ecdh::diffie_hellman, elliptic_curve::sec1::ToSec1Point};
use sha2::Sha256;

use super::Error;

/// The browser's secret, in bytes (RFC 8291, 3.2).
pub const AUTH_BYTES: usize = 16;
/// The salt, in bytes (RFC 8188, 2.1).
const SALT_BYTES: usize = 16;
/// The size of the one record: what every push service takes (RFC 8030, 7.2).
const RECORD_BYTES: u32 = 4096;
/// The head: salt, size of a record, length of the key, the key.
const HEAD_BYTES: usize = SALT_BYTES + 4 + 1 + POINT_BYTES;
/// A point that is not compressed.
const POINT_BYTES: usize = 65;
/// What AES-GCM adds.
const TAG_BYTES: usize = 16;
/// What ends the last record (RFC 8188, 2).
const LAST: u8 = 2;
/// The longest text that fits in a message of 4096 bytes.
pub const PLAINTEXT_BYTES_MAX: usize = RECORD_BYTES as usize - HEAD_BYTES - TAG_BYTES - 1;

/// Who reads a message: a browser's public key and its secret.
#[derive(Clone, Debug)]
pub struct Receiver {
    key: PublicKey,
    auth: [u8; AUTH_BYTES],
}

/// What is new for each message: a key pair and a salt.
pub struct Ephemeral {
    key: SecretKey,
    salt: [u8; SALT_BYTES],
}

/// The message is too long, or a key does not work.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a message of push could not be encrypted")]
pub struct Broken;

impl Receiver {
    /// Reads the keys that a browser gave, in base64url; padding is forgiven.
    ///
    /// # Errors
    /// Which of them is none.
    pub fn parse(p256dh: &str, auth: &str) -> Result<Self, Error> {
        let decode = |text: &str| BASE64URL_NOPAD.decode(text.trim_end_matches('=').as_bytes());
        let point = decode(p256dh).ok().filter(|it| it.len() == POINT_BYTES).ok_or(Error::Key)?;
        let key = PublicKey::from_sec1_bytes(&point).map_err(|_| Error::Key)?;
        let auth = decode(auth).ok().and_then(|it| it.try_into().ok()).ok_or(Error::Auth)?;
        Ok(Self { key, auth })
    }
}

impl Ephemeral {
    /// From random bytes. `None` for about one in 2^32, which are no key: take others.
    pub fn parse(key: &[u8; 32], salt: [u8; SALT_BYTES]) -> Option<Self> {
        SecretKey::from_slice(key).ok().map(|key| Self { key, salt })
    }
}

/// The message as only the receiver reads it, up to [`PLAINTEXT_BYTES_MAX`] bytes of it.
///
/// # Errors
/// When it is longer.
pub fn encrypt(text: &[u8], to: &Receiver, ephemeral: &Ephemeral) -> Result<Vec<u8>, Broken> {
    if text.len() > PLAINTEXT_BYTES_MAX {
        return Err(Broken);
    }
    let ours = ephemeral.key.public_key().to_sec1_point(false);
    let theirs = to.key.to_sec1_point(false);
    let shared = diffie_hellman(ephemeral.key.to_nonzero_scalar(), to.key.as_affine());
    // RFC 8291, 3.3 and 3.4.
    let info = [b"WebPush: info\0", theirs.as_bytes(), ours.as_bytes()].concat();
    let secret: [u8; 32] = derive(&to.auth, shared.raw_secret_bytes(), &info)?;
    seal(text, &secret, &ephemeral.salt, ours.as_bytes())
}

/// One record of `aes128gcm` with its head (RFC 8188, 2).
fn seal(text: &[u8], secret: &[u8], salt: &[u8; SALT_BYTES], id: &[u8]) -> Result<Vec<u8>, Broken> {
    let key: [u8; 16] = derive(salt, secret, b"Content-Encoding: aes128gcm\0")?;
    // The sequence of the first record is 0, which leaves the nonce as it is.
    let nonce: [u8; 12] = derive(salt, secret, b"Content-Encoding: nonce\0")?;
    let record = [text, &[LAST]].concat();
    let cipher = Aes128Gcm::new(&key.into());
    let nonce = Nonce::<Aes128Gcm>::from(nonce);
    let sealed = cipher.encrypt(&nonce, record.as_slice()).map_err(|_| Broken)?;
    let length = u8::try_from(id.len()).map_err(|_| Broken)?;
    Ok([salt.as_slice(), &RECORD_BYTES.to_be_bytes(), &[length], id, &sealed].concat())
}

fn derive<const N: usize>(salt: &[u8], secret: &[u8], info: &[u8]) -> Result<[u8; N], Broken> {
    let mut out = [0; N];
    Hkdf::<Sha256>::new(Some(salt), secret).expand(info, &mut out).map_err(|_| Broken)?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bytes(text: &str) -> Vec<u8> {
        BASE64URL_NOPAD.decode(text.as_bytes()).unwrap()
    }

    fn array<const N: usize>(text: &str) -> [u8; N] {
        bytes(text).try_into().unwrap()
    }

    /// The browser's side, by RFC 8291: what it needs is its own key, its secret and the message.
    fn decrypt(message: &[u8], key: &SecretKey, auth: &[u8]) -> Vec<u8> {
        let (head, sealed) = message.split_at(HEAD_BYTES);
        let (salt, point) = (&head[..16], &head[21..]);
        assert_eq!(head[16..21], [0, 0, 16, 0, 65]);
        let sender = PublicKey::from_sec1_bytes(point).unwrap();
        let shared = diffie_hellman(key.to_nonzero_scalar(), sender.as_affine());
        let own = key.public_key().to_sec1_point(false);
        let info = [b"WebPush: info\0", own.as_bytes(), point].concat();
        let secret: [u8; 32] = derive(auth, shared.raw_secret_bytes(), &info).unwrap();
        let key: [u8; 16] = derive(salt, &secret, b"Content-Encoding: aes128gcm\0").unwrap();
        let nonce: [u8; 12] = derive(salt, &secret, b"Content-Encoding: nonce\0").unwrap();
        let nonce = Nonce::<Aes128Gcm>::from(nonce);
        let mut text = Aes128Gcm::new(&key.into()).decrypt(&nonce, sealed).unwrap();
        assert_eq!(text.pop(), Some(LAST));
        text
    }

    const RECEIVER_KEY: &str = "q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94";
    const RECEIVER_POINT: &str =
        "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4";
    const AUTH: &str = "BTBZMqHH6r4Tts7J_aSIgg";

    /// RFC 8291, section 5 and appendix A.
    #[test]
    fn the_example_of_rfc_8291() {
        let text = b"When I grow up, I want to be a watermelon";
        let key = array("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw");
        let ephemeral = Ephemeral::parse(&key, array("DGv6ra1nlYgDCS1FRnbzlw")).unwrap();

        let sealed = encrypt(text, &Receiver::parse(RECEIVER_POINT, AUTH).unwrap(), &ephemeral);

        let expected = "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIg\
             Dll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVB\
             St2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN";
        assert_eq!(BASE64URL_NOPAD.encode(&sealed.unwrap()), expected);
    }

    /// RFC 8188, section 3.1.
    #[test]
    fn the_example_of_rfc_8188() {
        let (secret, salt) = (bytes("yqdlZ-tYemfogSmv7Ws5PQ"), array("I1BsxtFttlv3u_Oo94xnmw"));

        let sealed = seal(b"I am the walrus", &secret, &salt, b"").unwrap();

        let expected = "I1BsxtFttlv3u_Oo94xnmwAAEAAA-NAVub2qFgBEuQKRapoZu-IxkIva3MEB1PD-ly8Thjg";
        assert_eq!(BASE64URL_NOPAD.encode(&sealed), expected);
    }

    #[test]
    fn a_byte_too_many_is_refused_and_the_longest_fills_the_record() {
        let receiver = Receiver::parse(RECEIVER_POINT, AUTH).unwrap();
        let ephemeral = Ephemeral::parse(&[9; 32], [1; 16]).unwrap();
        let sealed = |length| encrypt(&vec![b'x'; length], &receiver, &ephemeral);

        assert_eq!(sealed(PLAINTEXT_BYTES_MAX).unwrap().len(), RECORD_BYTES as usize);
        assert_eq!(sealed(PLAINTEXT_BYTES_MAX + 1), Err(Broken));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn the_browser_reads_what_was_sent(
            text in prop::collection::vec(any::<u8>(), 0..200),
            key in prop::array::uniform32(1u8..),
            salt: [u8; 16],
        ) {
            let receiver = Receiver::parse(RECEIVER_POINT, AUTH).unwrap();
            // Random bytes are a key unless all of the first four are 255.
            prop_assume!(key[0] != 255);
            let sealed = encrypt(&text, &receiver, &Ephemeral::parse(&key, salt).unwrap()).unwrap();

            let own = SecretKey::from_slice(&bytes(RECEIVER_KEY)).unwrap();
            prop_assert_eq!(decrypt(&sealed, &own, &bytes(AUTH)), text);
        }
    }
}
