//! What can be wrong with a recipe or a secret.

use super::{
    CONTENT_TYPES_MAX, DEDUPE_SECONDS_MAX, DEDUPE_SECONDS_MIN, PLACES_MAX, RECIPE_BYTES_MAX,
    TOLERANCE_SECONDS_MAX,
    secret::{KEY_BYTES_MIN, SECRET_BYTES_MAX},
};

/// A rule of recipes or of secrets that was broken.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Error {
    /// More JSON than a recipe needs.
    #[error("a recipe is at most {RECIPE_BYTES_MAX} bytes of JSON")]
    TooLarge,
    /// JSON of another shape, and where.
    #[error("this is not a recipe: {0}")]
    NotARecipe(String),
    /// A text that is empty, too long or holds control characters.
    #[error("{field} is 1 to {max} characters without control characters")]
    BadText {
        /// Path of the field.
        field: &'static str,
        /// Most characters.
        max: usize,
    },
    /// A header that HTTP does not allow.
    #[error("{0:?} is not the name of a header")]
    BadHeader(String),
    /// A label or prefix that could never be found in a header.
    #[error("{0:?} is not 1 to 32 printable characters; a label has none of , ; & = either")]
    BadLabel(String),
    /// A separator that pairs do not have.
    #[error("separator is one of , ; and &, and is for a signature in the form of pairs")]
    BadSeparator,
    /// A signature that is nowhere, or in two places.
    #[error("name the header or the JSON pointer that carries the signature, and not both")]
    SignaturePlace,
    /// An algorithm without what it needs.
    #[error("this algorithm makes a signature: say its encoding, and what is signed")]
    SignatureUndescribed,
    /// An algorithm with what it has no use for.
    #[error(
        "token and basic send the secret itself, and none sends nothing: leave out encoding, \
         signed and what else is about signatures; token and basic need a header, and a secret \
         whose encoding is utf8"
    )]
    NothingSigned,
    /// A body that anyone could change.
    #[error(
        "the signed string has no {{body}}, so anyone could change the body: put it in; \
         {{body_crc32}}, {{fields}} and {{url}}{{params}} with a body_sha256_query count too, and \
         unsigned_body says that the provider signs none"
    )]
    BodyNotSigned,
    /// A signature that could be used again for another body.
    #[error("with unsigned_body the signed string needs {{id}} and {{timestamp}}")]
    UnsignedBodyWithoutId,
    /// Fields that could be taken for others.
    #[error(
        "fields go with {{fields}} in the signed string: 2 to 16 different names of printable \
         characters without / and ~, of which optional are some, but not the first two, and secret \
         is another"
    )]
    BadFields,
    /// Fields in a string with something else.
    #[error("a signed string with {{fields}} has nothing else in it")]
    FieldsNotAlone,
    /// Something that says what a message is, and is not signed.
    #[error(
        "with {{fields}} the id, the type, the timestamp and all of the challenge are pointers to \
         fields that are signed, such as /MessageId: anyone could change the rest"
    )]
    FieldNotSigned,
    /// A hash of what is signed anyway, or of nothing.
    #[error(
        "body_sha256_query needs {{url}} in the signed string, and is 1 to 64 letters, digits, - and _"
    )]
    BadBodyQuery,
    /// A name in the query that cannot be one.
    #[error("{0:?} is not the name of a parameter: 1 to 64 letters, digits, dots, - and _")]
    BadQuery(String),
    /// A certificate that may come from anywhere.
    #[error(
        "key_url names the header or the pointer with the address, the hosts that certificates may \
         come from, 1 to 4 in lower case such as api.example.com or sns.*.amazonaws.com, up to 8 \
         names of the same kind, and is for rsa-sha256 and ecdsa-p256-sha256"
    )]
    BadKeyUrl,
    /// Roots that are none.
    #[error("key_url's roots are one to eight certificates of authorities, in PEM")]
    BadRoots,
    /// A secret in the string that is the key already.
    #[error("{{secret}} is signed only where the key is in a certificate: with key_url")]
    SecretSigned,
    /// A content type that no header has.
    #[error("content_types are at most {CONTENT_TYPES_MAX}, such as application/json")]
    BadContentType,
    /// An address that cannot be ours.
    #[error("public_url is such as https://hooks.example.com: no query, and no / at its end")]
    BadPublicUrl,
    /// A handshake that makes no sense, and why.
    #[error("the challenge {0}")]
    BadChallenge(&'static str),
    /// A pointer that RFC 6901 does not allow.
    #[error("{0:?} is not a JSON pointer such as /event/type")]
    BadPointer(String),
    /// A signed string that is not a template.
    #[error("the signed string {0}")]
    BadTemplate(&'static str),
    /// More places to look at than any provider needs.
    #[error("id and event_type have at most {PLACES_MAX} places each")]
    TooManyPlaces,
    /// A key in a header that has no keys.
    #[error("signature_key needs a signature in the form of pairs, with another key for each")]
    KeyWithoutPairs,
    /// `{id}` is signed, and it is not clear which id.
    #[error(
        "a signed string with {{id}} or {{fields}} needs one place for the id, a header or a pointer"
    )]
    SignedIdUnclear,
    /// `{timestamp}` is signed, and it is not clear which.
    #[error("a signed string with {{timestamp}} needs a timestamp: say where it is")]
    SignedTimestampMissing,
    /// A timestamp that anyone could rewrite.
    #[error("a timestamp that is not signed protects nothing: put {{timestamp}} in the string")]
    TimestampNotSigned,
    /// A tolerance out of bounds.
    #[error("tolerance_seconds is 1 to {TOLERANCE_SECONDS_MAX}")]
    BadTolerance,
    /// A tolerance of nothing.
    #[error("tolerance_seconds needs a timestamp: set timestamp_header too")]
    ToleranceWithoutTimestamp,
    /// A window out of bounds.
    #[error("dedupe_seconds is {DEDUPE_SECONDS_MIN} to {DEDUPE_SECONDS_MAX}")]
    BadDedupe,
    /// A message would be forgotten while it can still be replayed.
    #[error("dedupe_seconds is at least twice the tolerance_seconds, else replays slip through")]
    DedupeTooShort,
    /// A key that can be guessed.
    #[error("a secret is at least {KEY_BYTES_MIN} bytes")]
    SecretTooShort,
    /// A text that no provider hands out.
    #[error("a secret is at most {SECRET_BYTES_MAX} bytes of text")]
    SecretTooLong,
    /// White space around the secret, mostly from copying.
    #[error("a secret has no spaces or line breaks around it")]
    SecretHasSpaces,
    /// A secret that should be base64.
    #[error("the secret of this provider is base64, after its prefix: copy it whole")]
    SecretNotBase64,
    /// A secret that should be hex.
    #[error("the secret of this provider is in hex: copy it whole")]
    SecretNotHex,
    /// A user without a password.
    #[error("the secret is the user and the password with a colon between: user:password")]
    SecretWithoutColon,
    /// A token that no header can carry.
    #[error("the secret is sent in a header, so it has printable ASCII characters only")]
    SecretNotPrintable,
    /// Text that is no key.
    #[error(
        "the secret is the public key that the provider shows: 32 bytes for ed25519, a \
         SubjectPublicKeyInfo in base64 or PEM for the others, of RSA 2048 bits or more"
    )]
    SecretNotAKey,
    /// A key that we cannot make for a provider.
    #[error("the provider has a key of its own: copy from it what the recipe's docs say")]
    SecretNeeded,
    /// A secret where there is nothing to verify.
    #[error("this recipe verifies nothing and has no secret: leave it out")]
    SecretOfNobody,
    /// A signature that only the provider can make.
    #[error("only an HMAC, an Ed25519 key, a token and a password can be signed with here")]
    CannotSign,
}

impl Error {
    /// Whether the secret is at fault, rather than the recipe.
    pub fn is_about_the_secret(&self) -> bool {
        matches!(
            self,
            Self::SecretTooShort
                | Self::SecretTooLong
                | Self::SecretHasSpaces
                | Self::SecretNotBase64
                | Self::SecretNotHex
                | Self::SecretWithoutColon
                | Self::SecretNotPrintable
                | Self::SecretNotAKey
                | Self::SecretNeeded
                | Self::SecretOfNobody
        )
    }
}
