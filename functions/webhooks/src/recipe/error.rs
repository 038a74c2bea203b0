//! What can be wrong with a recipe or a secret.

use super::{
    DEDUPE_SECONDS_MAX, DEDUPE_SECONDS_MIN, PLACES_MAX, RECIPE_BYTES_MAX, TOLERANCE_SECONDS_MAX,
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
    #[error("{0:?} is not 1 to 32 printable characters; a label has no comma and no = either")]
    BadLabel(String),
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
    #[error("a signed string with {{id}} needs one place for the id, which is a header")]
    SignedIdNotAHeader,
    /// `{timestamp}` is signed, and it is not clear which.
    #[error("a signed string with {{timestamp}} needs a timestamp in a header or a signature key")]
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
        )
    }
}
