//! The string that was signed, put together from a request.

use std::borrow::Cow;

use serde_json::Value;

use super::{Incoming, Refusal, fields};
use crate::recipe::{Part, Recipe, Template};

/// What of a request was found for its signed string.
pub struct Sent<'a> {
    /// The id, letter for letter.
    pub id: String,
    /// The timestamp, letter for letter.
    pub timestamp: String,
    /// The request.
    pub incoming: &'a Incoming<'a>,
    /// Its body, if that has to be read.
    pub json: Option<&'a Value>,
}

/// What stands for each placeholder but the secret.
pub struct Values<'a> {
    sent: &'a Sent<'a>,
    url: String,
    params: String,
    crc32: String,
    fields: String,
}

impl Sent<'_> {
    /// What the string of this recipe needs.
    pub fn values(&self, recipe: &Recipe) -> Result<Values<'_>, Refusal> {
        let signature = &recipe.signature;
        let url = match signature.signs(&Part::Url) {
            true => self.incoming.url().ok_or(Refusal::UrlUnknown)?,
            false => String::new(),
        };
        let params = match signature.signs(&Part::Params) {
            true => self.incoming.params(),
            false => String::new(),
        };
        let crc32 = match signature.signs(&Part::BodyCrc32) {
            true => crc32fast::hash(self.incoming.body).to_string(),
            false => String::new(),
        };
        let fields = match &signature.fields {
            Some(it) => fields::signed(it, self.json)?,
            None => String::new(),
        };
        Ok(Values { sent: self, url, params, crc32, fields })
    }
}

impl Values<'_> {
    /// The string that was signed for the holder of `secret`.
    pub fn message(&self, signed: Option<&Template>, secret: &str) -> Cow<'_, [u8]> {
        let parts = signed.map_or(&[][..], Template::parts);
        if let [Part::Body] = parts {
            return Cow::Borrowed(self.sent.incoming.body);
        }
        let mut message = Vec::new();
        for part in parts {
            message.extend_from_slice(match part {
                Part::Literal(text) => text.as_bytes(),
                Part::Id => self.sent.id.as_bytes(),
                Part::Timestamp => self.sent.timestamp.as_bytes(),
                Part::Body => self.sent.incoming.body,
                Part::BodyCrc32 => self.crc32.as_bytes(),
                Part::Method => self.sent.incoming.method.as_bytes(),
                Part::Url => self.url.as_bytes(),
                Part::Params => self.params.as_bytes(),
                Part::Fields => self.fields.as_bytes(),
                Part::Secret => secret.as_bytes(),
            });
        }
        Cow::Owned(message)
    }
}
