//! How the text of a secret becomes the key of a signature.

use data_encoding::{BASE64_NOPAD, HEXLOWER_PERMISSIVE};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Error;

/// Fewest bytes of a key. A shorter one is guessed offline from a single request.
pub const KEY_BYTES_MIN: usize = 8;
/// Upper limit of a secret's text, in bytes.
/// An RSA key of 4096 bits in PEM has some 800.
pub const SECRET_BYTES_MAX: usize = 1024;

/// How the text of a secret becomes a key.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Secret {
    /// What the text stands for.
    pub encoding: SecretEncoding,
    /// Text that may stand in front of the secret and is no part of the key, such as `whsec_`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
}

/// What the text of a secret stands for.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SecretEncoding {
    /// The text itself is the key.
    Utf8,
    /// The text is the key in base64 (RFC 4648, section 4), with or without padding, or in PEM
    /// (RFC 7468), which is base64 between two lines.
    Base64,
    /// The text is the key in hex (RFC 4648, section 8), in either case.
    Hex,
}

impl Secret {
    /// The key that `text` stands for, 8 to 1024 bytes.
    pub fn key(&self, text: &str) -> Result<Vec<u8>, Error> {
        if text.len() > SECRET_BYTES_MAX {
            return Err(Error::SecretTooLong);
        }
        // A line break that was copied along is the commonest reason why no signature fits.
        if text.trim() != text {
            return Err(Error::SecretHasSpaces);
        }
        let bare = self.prefix.as_deref().and_then(|prefix| text.strip_prefix(prefix));
        let key = self.encoding.decode(bare.unwrap_or(text))?;
        if key.len() < KEY_BYTES_MIN {
            return Err(Error::SecretTooShort);
        }
        Ok(key)
    }
}

impl SecretEncoding {
    fn decode(self, text: &str) -> Result<Vec<u8>, Error> {
        match self {
            Self::Utf8 => Ok(text.as_bytes().to_vec()),
            Self::Base64 => BASE64_NOPAD
                .decode(without_armour(text).trim_end_matches('=').as_bytes())
                .map_err(|_| Error::SecretNotBase64),
            Self::Hex => {
                HEXLOWER_PERMISSIVE.decode(text.as_bytes()).map_err(|_| Error::SecretNotHex)
            }
        }
    }
}

/// The base64 of a public key in PEM, on one line; other text as it is.
fn without_armour(text: &str) -> String {
    text.strip_prefix("-----BEGIN PUBLIC KEY-----")
        .and_then(|it| it.strip_suffix("-----END PUBLIC KEY-----"))
        .map_or_else(|| text.to_owned(), |it| it.split_whitespace().collect())
}
