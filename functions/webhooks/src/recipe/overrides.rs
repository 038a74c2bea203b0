//! What an operator may change of a recipe without writing one.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    Algorithm, Encoding, Error, Form, Place, Recipe, SignedAt, Template, TimeFormat, five_minutes,
};

/// Changes to a recipe. What is left out stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Overrides {
    /// The header that carries the signature.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<String>,
    /// Text in front of the signature, such as `sha256=`; an empty one means none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// How the bytes of the signature are written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoding: Option<Encoding>,
    /// How the signature is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub algorithm: Option<Algorithm>,
    /// What is signed. Must have `{timestamp}` when there is a timestamp header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "{timestamp}.{body}")]
    pub signed: Option<Template>,
    /// The header that carries the time of signing, written as the recipe says: in seconds
    /// since 1970 if it says nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp_header: Option<String>,
    /// How far the timestamp may be from our clock, either way; a second to a day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tolerance_seconds: Option<u32>,
    /// The header that carries the message's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id_header: Option<String>,
    /// The types of body that are taken; an empty list means any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_types: Option<Vec<String>>,
    /// The address by which the provider knows us, without the path: `https://hooks.example.com`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_url: Option<String>,
    /// How long a message is remembered; a minute to thirty days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dedupe_seconds: Option<u32>,
}

impl Recipe {
    /// The recipe with `changes`, if every rule still holds.
    pub fn with(mut self, changes: Overrides) -> Result<Self, Error> {
        replace(&mut self.signature.header, changes.header.map(Some));
        replace(&mut self.signature.form, changes.prefix.map(form));
        replace(&mut self.signature.encoding, changes.encoding.map(Some));
        replace(&mut self.signature.algorithm, changes.algorithm);
        replace(&mut self.signature.signed, changes.signed.map(Some));
        replace(&mut self.content_types, changes.content_types);
        replace(&mut self.public_url, changes.public_url.map(Some));
        replace(&mut self.id, changes.id_header.map(|name| vec![Place::Header(name)]));
        replace(&mut self.dedupe_seconds, changes.dedupe_seconds);
        if let Some(name) = changes.timestamp_header {
            let (format, tolerance_seconds) =
                self.timestamp.map_or((TimeFormat::Seconds, five_minutes()), |it| {
                    (it.format, it.tolerance_seconds)
                });
            self.timestamp = Some(SignedAt { at: Place::Header(name), format, tolerance_seconds });
        }
        if let Some(seconds) = changes.tolerance_seconds {
            // Without a timestamp a tolerance would be forgotten without a word.
            let timestamp = self.timestamp.as_mut().ok_or(Error::ToleranceWithoutTimestamp)?;
            timestamp.tolerance_seconds = seconds;
        }
        self.check()?;
        Ok(self)
    }
}

fn form(prefix: String) -> Form {
    if prefix.is_empty() { Form::Whole } else { Form::Prefix(prefix) }
}

fn replace<T>(field: &mut T, change: Option<T>) {
    if let Some(value) = change {
        *field = value;
    }
}
