//! Ids: a prefix that says what it names, and a UUIDv7 in base32.

use std::fmt;

use data_encoding::BASE32_DNSSEC;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Timestamp;

/// `<prefix>_<26 characters>`: a UUIDv7 (RFC 9562) in the base32 of RFC 4648 section 7, lower
/// case, which keeps the order of time when sorted as text.
#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize, ToSchema)]
#[serde(transparent)]
#[schema(value_type = String)]
pub struct Id(String);

impl Id {
    /// A new id, from the time and 10 random bytes.
    pub fn new(prefix: &str, now: Timestamp, random: &[u8; 10]) -> Self {
        let millis = u64::try_from(now.0).unwrap_or(0);
        let uuid = uuid::Builder::from_unix_timestamp_millis(millis, random).into_uuid();
        Self(format!("{prefix}_{}", BASE32_DNSSEC.encode(uuid.as_bytes())))
    }

    /// Reads an id of this prefix. `None` for anything else, whoever it belongs to.
    pub fn parse(prefix: &str, text: &str) -> Option<Self> {
        let body = text.strip_prefix(prefix)?.strip_prefix('_')?;
        let bytes = BASE32_DNSSEC.decode(body.as_bytes()).ok()?;
        // The encoding also reads capitals; an id is written in one way only.
        (bytes.len() == 16 && BASE32_DNSSEC.encode(&bytes) == body).then(|| Self(text.to_owned()))
    }

    /// An id that came from our own database.
    pub fn trusted(text: String) -> Self {
        Self(text)
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn an_id_reads_back_under_its_own_prefix_only(millis in 0i64..1 << 47, random: [u8; 10]) {
            let id = Id::new("src", Timestamp(millis), &random);

            prop_assert_eq!(Id::parse("src", id.as_str()), Some(id.clone()));
            prop_assert_eq!(Id::parse("key", id.as_str()), None);
            prop_assert_eq!(Id::parse("src", &id.as_str().to_uppercase()), None);
        }

        #[test]
        fn later_ids_sort_later(millis in 0i64..1 << 47, random: [u8; 10], other: [u8; 10]) {
            let earlier = Id::new("src", Timestamp(millis), &random);
            let later = Id::new("src", Timestamp(millis + 1), &other);

            prop_assert!(earlier < later);
        }

        #[test]
        fn no_text_makes_parsing_panic(text in ".{0,64}") {
            let _ = Id::parse("src", &text);
        }
    }
}
