//! What a recipe is: how one provider signs its webhooks, told as data. No I/O.

mod built_in;
mod challenge;
mod error;
mod fields;
mod key;
mod overrides;
mod rules;
mod secret;
mod signature;
mod template;
mod words;

#[cfg(test)]
mod signature_tests;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use utoipa::ToSchema;

pub use self::{
    challenge::{Answer, Challenge, ChallengeMethod, Condition, Expected},
    error::Error,
    fields::{Fields, folded},
    key::Key,
    overrides::Overrides,
    secret::{Secret, SecretEncoding},
    signature::{Algorithm, Encoding, Form, KeyUrl, Signature, Version},
    template::{Part, Template},
};

/// Upper limit of a recipe's JSON, in bytes.
pub const RECIPE_BYTES_MAX: usize = 8 * 1024;
/// Most places at which an id or an event type is looked for.
pub const PLACES_MAX: usize = 4;
/// Most content types that a recipe names.
pub const CONTENT_TYPES_MAX: usize = 8;
/// Longest distance between the sender's clock and ours that a recipe may allow: a day.
pub const TOLERANCE_SECONDS_MAX: u32 = 24 * 60 * 60;
/// Shortest time for which a message is remembered: a minute.
pub const DEDUPE_SECONDS_MIN: u32 = 60;
/// Longest time for which a message is remembered: thirty days.
pub const DEDUPE_SECONDS_MAX: u32 = 30 * 24 * 60 * 60;

/// How one provider signs its webhooks. Whoever holds one that was parsed need not check it.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, ToSchema)]
// `remote` makes the derived readers private, so that the public one below can check the rules.
#[serde(remote = "Self", deny_unknown_fields)]
pub struct Recipe {
    /// Name of the provider for people, 1 to 80 characters.
    pub title: String,
    /// What an operator must know, such as where the secret is found; 1 to 700 characters.
    pub docs: String,
    /// Where the signature is and what it signs.
    pub signature: Signature,
    /// When the request was signed. Without it a request has no age.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<SignedAt>,
    /// How the text of a secret becomes a key.
    pub secret: Secret,
    /// Where the message's id is, the first that is there; at most 4 places. Without any, a
    /// message is known by the SHA-256 of its body.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub id: Vec<Place>,
    /// Where the event's type is, the first that is there; at most 4 places.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub event_type: Vec<Place>,
    /// A handshake that the provider makes before it sends events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub challenge: Option<Challenge>,
    /// The types of body that the provider sends, such as `application/json`; at most 8. Others
    /// are refused. Any type when left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub content_types: Vec<String>,
    /// The address by which the provider knows us, without the path: `https://hooks.example.com`.
    /// For signatures with `{url}`, behind a proxy that changes the host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_url: Option<String>,
    /// How long a message is remembered, so that a second delivery is known for what it is;
    /// a minute to thirty days, and at least twice the tolerance. Seven days when left out.
    #[serde(default = "seven_days")]
    pub dedupe_seconds: u32,
}

/// When a request was signed.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignedAt {
    /// Where the timestamp is.
    pub at: Place,
    /// How it is written: in seconds when left out.
    #[serde(default, skip_serializing_if = "TimeFormat::is_default")]
    pub format: TimeFormat,
    /// How far it may be from our clock, either way; a second to a day. 300 when left out.
    #[serde(default = "five_minutes")]
    pub tolerance_seconds: u32,
}

/// How a moment is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TimeFormat {
    /// Whole seconds since 1970.
    #[default]
    Seconds,
    /// Whole milliseconds since 1970.
    Milliseconds,
    /// RFC 3339, as `2030-01-31T12:00:00Z`.
    Rfc3339,
}

/// Where something is found in a request.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// In this header.
    Header(String),
    /// In the body, at this JSON pointer (RFC 6901).
    Pointer(String),
    /// In JSON that the body has as a text.
    Inside(Inside),
    /// In the address, under this name of its query.
    Query(String),
    /// In the header of the signature, under this key. Only in the form of pairs.
    SignatureKey(String),
}

/// A place in JSON that the body has as a text.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Inside {
    /// The JSON pointer to the text.
    pub text: String,
    /// The JSON pointer in it.
    pub pointer: String,
}

impl Recipe {
    /// The recipe that comes with Backplane under `name`, such as `stripe`.
    pub fn named(name: &str) -> Option<Self> {
        // A test parses each, so the only name without a recipe is an unknown one.
        Self::parse(built_in::json(name)?.as_bytes()).ok()
    }

    /// The names of the recipes that come with Backplane, in alphabetical order.
    pub fn names() -> impl Iterator<Item = &'static str> {
        built_in::names()
    }

    /// Reads a recipe that somebody wrote, and checks every rule.
    pub fn parse(json: &[u8]) -> Result<Self, Error> {
        if json.len() > RECIPE_BYTES_MAX {
            return Err(Error::TooLarge);
        }
        let unshaped = |err: serde_json::Error| Error::NotARecipe(err.to_string());
        // As text, as recipes are read from the database, so that there is one reader of them.
        let text = std::str::from_utf8(json).map_err(|err| Error::NotARecipe(err.to_string()))?;
        let mut reader = serde_json::Deserializer::from_str(text);
        let recipe = Self::deserialize(&mut reader).map_err(unshaped)?;
        reader.end().map_err(unshaped)?;
        recipe.check()?;
        Ok(recipe)
    }

    /// What whoever uses this recipe should know before trusting what comes in by it.
    pub fn warnings(&self) -> Vec<&'static str> {
        let signature = &self.signature;
        let mut warnings = Vec::new();
        if signature.algorithm == Algorithm::None {
            warnings
                .push("nothing is verified: whoever knows the address can send whatever they like");
        }
        if signature.unsigned_body {
            warnings
                .push("the provider does not sign the body: check with the provider what matters");
        }
        if signature.signs(&Part::Fields) {
            warnings.push(
                "the provider signs some fields of the body only: those that the recipe names are \
                 proven, and what stands beside them is anybody's word",
            );
        }
        if signature.signs(&Part::BodyCrc32) {
            warnings.push(
                "the provider signs a checksum of the body, which is no proof: check with the \
                 provider what matters",
            );
        }
        warnings
    }
}

impl TimeFormat {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl<'de> Deserialize<'de> for Recipe {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        let recipe = Self::deserialize(reader)?;
        recipe.check().map_err(de::Error::custom)?;
        Ok(recipe)
    }
}

impl Serialize for Recipe {
    fn serialize<S: Serializer>(&self, writer: S) -> Result<S::Ok, S::Error> {
        Self::serialize(self, writer)
    }
}

fn five_minutes() -> u32 {
    5 * 60
}

fn seven_days() -> u32 {
    7 * 24 * 60 * 60
}
