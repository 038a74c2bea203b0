//! The text that carries a signature, mostly a header, read with suspicion.

#[cfg(test)]
mod tests;

use data_encoding::{BASE64, BASE64_NOPAD, HEXLOWER_PERMISSIVE};
use http::HeaderMap;
use serde_json::Value;

use super::Refusal;
use crate::recipe::{Algorithm, Encoding, Form, Signature};

/// Upper limit of a header that is read, in bytes.
pub const HEADER_BYTES_MAX: usize = 4 * 1024;
/// Most signatures that a header may carry: more only make us work.
pub const CANDIDATES_MAX: usize = 16;

/// The text that carries a signature, and what its recipe says of it.
pub struct SignatureText<'a> {
    recipe: &'a Signature,
    text: &'a str,
}

impl<'a> SignatureText<'a> {
    /// Finds the header or the text in the body that `recipe` names.
    pub fn read(
        recipe: &'a Signature,
        headers: &'a HeaderMap,
        json: Option<&'a Value>,
    ) -> Result<Self, Refusal> {
        let text = match (&recipe.header, &recipe.pointer) {
            (Some(name), _) => only(headers, name)?,
            (None, Some(pointer)) => {
                let found = json.and_then(|it| it.pointer(pointer)).and_then(Value::as_str);
                found.filter(|it| it.len() <= HEADER_BYTES_MAX).ok_or_else(|| {
                    Refusal::NotInRequest { place: format!("text at {pointer} in its body") }
                })?
            }
            (None, None) => "",
        };
        Ok(Self { recipe, text })
    }

    /// No text at all.
    pub fn none(recipe: &'a Signature) -> Self {
        Self { recipe, text: "" }
    }

    /// The bytes of the signatures that count, one to sixteen. Those that are not in the recipe's
    /// encoding are left out, as long as one is.
    pub fn candidates(&self) -> Result<Vec<Vec<u8>>, Refusal> {
        if self.recipe.algorithm == Algorithm::Basic {
            let credentials = basic(self.text).ok_or_else(|| {
                self.malformed("is not Basic, with a user and a password in base64")
            })?;
            return Ok(vec![credentials]);
        }
        let written = self.written();
        if written.is_empty() {
            return Err(self.without_signature());
        }
        if written.len() > CANDIDATES_MAX {
            return Err(self.malformed("carries too many signatures"));
        }
        let decoded = written.into_iter().filter_map(|it| decode(self.recipe.encoding, it));
        // An empty signature is none, however it is written.
        let candidates: Vec<_> = decoded.filter(|it| !it.is_empty()).collect();
        match (candidates.is_empty(), self.recipe.encoding) {
            (false, _) => Ok(candidates),
            (true, Some(Encoding::Hex)) => Err(self.malformed("is not in hex")),
            (true, Some(Encoding::Base64)) => Err(self.malformed("is not in base64")),
            (true, None) => Err(self.malformed("is empty")),
        }
    }

    /// The value of `key` in the form of pairs, unless it is missing. Two are an attack or a
    /// mistake: libraries differ on which one they take.
    pub fn only(&self, key: &str) -> Result<Option<&'a str>, Refusal> {
        let mut values = self.pairs().filter(|(name, _)| *name == key);
        match (values.next(), values.next()) {
            (Some(_), Some(_)) => Err(self.malformed("has a key twice that it may have once")),
            (first, _) => Ok(first.map(|(_, value)| value)),
        }
    }

    fn written(&self) -> Vec<&'a str> {
        // One more than allowed is enough to know that there are too many.
        let some = CANDIDATES_MAX + 1;
        match &self.recipe.form {
            Form::Whole => vec![self.text.trim()],
            Form::Prefix(prefix) => self.text.trim().strip_prefix(prefix).into_iter().collect(),
            Form::Pairs(key) => with_label(self.pairs(), key).take(some).collect(),
            Form::Labelled(label) => {
                let items = self.text.split(' ').filter_map(|item| item.split_once(','));
                with_label(items, label).take(some).collect()
            }
        }
    }

    fn without_signature(&self) -> Refusal {
        let label = match &self.recipe.form {
            Form::Whole => "",
            Form::Prefix(label) | Form::Pairs(label) | Form::Labelled(label) => label,
        };
        Refusal::NoSignature { name: self.name().to_owned(), label: label.to_owned() }
    }

    fn malformed(&self, why: &'static str) -> Refusal {
        Refusal::malformed(self.name(), why)
    }

    /// The header, or the pointer.
    fn name(&self) -> &str {
        self.recipe.header.as_deref().or(self.recipe.pointer.as_deref()).unwrap_or("")
    }

    fn pairs(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        let items = self.text.split(self.recipe.separator());
        items.filter_map(|item| item.trim().split_once('='))
    }
}

/// The header `name`, if it is there once, and short and printable.
pub fn only<'a>(headers: &'a HeaderMap, name: &str) -> Result<&'a str, Refusal> {
    let mut values = headers.get_all(name).iter();
    let value = values.next().ok_or_else(|| Refusal::MissingHeader { name: name.to_owned() })?;
    if values.next().is_some() {
        return Err(Refusal::malformed(name, "is there twice"));
    }
    if value.len() > HEADER_BYTES_MAX {
        return Err(Refusal::malformed(name, "is too long"));
    }
    let text = value.to_str().map_err(|_| Refusal::malformed(name, "is not printable ASCII"))?;
    if text.trim().is_empty() {
        return Err(Refusal::malformed(name, "is empty"));
    }
    Ok(text)
}

fn with_label<'a>(
    items: impl Iterator<Item = (&'a str, &'a str)>,
    label: &str,
) -> impl Iterator<Item = &'a str> {
    items.filter(move |(name, _)| *name == label).map(|(_, value)| value)
}

fn decode(encoding: Option<Encoding>, text: &str) -> Option<Vec<u8>> {
    match encoding {
        Some(Encoding::Hex) => HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok(),
        Some(Encoding::Base64) => BASE64_NOPAD.decode(text.trim_end_matches('=').as_bytes()).ok(),
        // It is the secret itself.
        None => Some(text.as_bytes().to_vec()),
    }
}

/// The user and the password of RFC 7617.
fn basic(text: &str) -> Option<Vec<u8>> {
    let (scheme, credentials) = text.trim().split_once(' ')?;
    let credentials = BASE64.decode(credentials.trim().as_bytes()).ok()?;
    scheme.eq_ignore_ascii_case("basic").then_some(credentials)
}
