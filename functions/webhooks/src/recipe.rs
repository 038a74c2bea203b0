//! What a recipe is: how one provider signs its webhooks, told as data. No I/O.

mod error;
mod overrides;
mod rules;
mod secret;
mod template;

#[cfg(test)]
mod tests;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use utoipa::ToSchema;

pub use self::{
    error::Error,
    overrides::Overrides,
    secret::{Secret, SecretEncoding},
    template::{Part, Template},
};

/// Upper limit of a recipe's JSON, in bytes.
pub const RECIPE_BYTES_MAX: usize = 8 * 1024;
/// Most places at which an id or an event type is looked for.
pub const PLACES_MAX: usize = 4;
/// Longest distance between the sender's clock and ours that a recipe may allow: a day.
pub const TOLERANCE_SECONDS_MAX: u32 = 24 * 60 * 60;
/// Shortest time for which a message is remembered: a minute.
pub const DEDUPE_SECONDS_MIN: u32 = 60;
/// Longest time for which a message is remembered: thirty days.
pub const DEDUPE_SECONDS_MAX: u32 = 30 * 24 * 60 * 60;

/// The recipes that come with Backplane, one line each, by name.
const BUILT_IN: [(&str, &str); 5] = [
    ("generic-hmac", include_str!("../recipes/generic-hmac.json")),
    ("github", include_str!("../recipes/github.json")),
    ("slack", include_str!("../recipes/slack.json")),
    ("standard-webhooks", include_str!("../recipes/standard-webhooks.json")),
    ("stripe", include_str!("../recipes/stripe.json")),
];

/// How one provider signs its webhooks. Whoever holds one that was parsed need not check it.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, ToSchema)]
// `remote` makes the derived readers private, so that the public one below can check the rules.
#[serde(remote = "Self", deny_unknown_fields)]
pub struct Recipe {
    /// Name of the provider for people, 1 to 80 characters.
    pub title: String,
    /// What an operator must know, such as where the secret is found; 1 to 500 characters.
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
    /// How long a message is remembered, so that a second delivery is known for what it is;
    /// a minute to thirty days, and at least twice the tolerance. Seven days when left out.
    #[serde(default = "seven_days")]
    pub dedupe_seconds: u32,
}

/// Where the signature is and what it signs.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Signature {
    /// The header that carries it, 1 to 64 characters in any case.
    pub header: String,
    /// How the header is split.
    pub form: Form,
    /// How the bytes of the signature are written.
    pub encoding: Encoding,
    /// How the signature is made.
    pub algorithm: Algorithm,
    /// What is signed: literals around `{id}`, `{timestamp}` and `{body}`, at most 256 bytes.
    #[schema(value_type = String, example = "{timestamp}.{body}")]
    pub signed: Template,
}

/// How the header of a signature is split.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// The header is the signature.
    Whole,
    /// The signature comes after this text, such as `sha256=`.
    Prefix(String),
    /// Pairs with commas between, such as `t=1492774577,v1=5257a8`; those with this key count.
    Pairs(String),
    /// Labels and signatures with spaces between, such as `v1,g0hM9S v1a,hnO3f9`; those with
    /// this label count.
    Labelled(String),
}

/// How the bytes of a signature are written.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    /// Two digits a byte, in either case (RFC 4648, section 8).
    Hex,
    /// Base64 (RFC 4648, section 4), with or without padding.
    Base64,
}

/// How a signature is made.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Algorithm {
    /// HMAC (RFC 2104) with SHA-256.
    HmacSha256,
    /// HMAC with SHA-1, for old providers. HMAC does not need the collisions that SHA-1 lost.
    HmacSha1,
}

/// When a request was signed, in whole seconds since 1970.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignedAt {
    /// Where the timestamp is.
    pub at: Place,
    /// How far it may be from our clock, either way; a second to a day. 300 when left out.
    #[serde(default = "five_minutes")]
    pub tolerance_seconds: u32,
}

/// Where something is found in a request.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// In this header.
    Header(String),
    /// In the body, at this JSON pointer (RFC 6901).
    Pointer(String),
    /// In the header of the signature, under this key. Only in the form of pairs.
    SignatureKey(String),
}

/// A handshake: when the body has the text `equals` at `when`, the answer is the text at
/// `answer`, as text/plain. Only a request with a good signature is answered.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Challenge {
    /// JSON pointer to the text that tells a handshake from an event.
    pub when: String,
    /// What that text is, 1 to 80 characters.
    pub equals: String,
    /// JSON pointer to the text to answer.
    pub answer: String,
}

impl Recipe {
    /// The recipe that comes with Backplane under `name`, such as `stripe`.
    pub fn named(name: &str) -> Option<Self> {
        let (_, json) = BUILT_IN.iter().find(|(known, _)| *known == name)?;
        // A test parses each, so the only name without a recipe is an unknown one.
        Self::parse(json.as_bytes()).ok()
    }

    /// The names of the recipes that come with Backplane, in alphabetical order.
    pub fn names() -> impl Iterator<Item = &'static str> {
        BUILT_IN.iter().map(|(name, _)| *name)
    }

    /// Reads a recipe that somebody wrote, and checks every rule.
    pub fn parse(json: &[u8]) -> Result<Self, Error> {
        if json.len() > RECIPE_BYTES_MAX {
            return Err(Error::TooLarge);
        }
        let unshaped = |err: serde_json::Error| Error::NotARecipe(err.to_string());
        let mut reader = serde_json::Deserializer::from_slice(json);
        let recipe = Self::deserialize(&mut reader).map_err(unshaped)?;
        reader.end().map_err(unshaped)?;
        recipe.check()?;
        Ok(recipe)
    }

    /// Whether `secret` can be a secret of this provider.
    pub fn check_secret(&self, secret: &str) -> Result<(), Error> {
        self.secret.key(secret).map(drop)
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
