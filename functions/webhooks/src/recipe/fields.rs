//! A signed string of some fields of a body, rather than of all of it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Error, Part, Place, Recipe};

const NAMES_MAX: usize = 16;
const NAME_CHARS_MAX: usize = 64;

/// The fields of a JSON object for which `{fields}` stands: of each that is there a line with its
/// name and one with its text, in this order. Nothing else in the body is proven.
///
/// All are texts, and none but the first may have line breaks, which could pass for other fields.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Fields {
    /// Their names, 2 to 16.
    pub names: Vec<String>,
    /// Those that need not be there; not the first two.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub optional: Vec<String>,
    /// The field that says whose the message is: its text must be a secret of the source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
}

impl Fields {
    /// Whether a body needs the field.
    pub fn needs(&self, name: &String) -> bool {
        !self.optional.contains(name)
    }

    /// Says which rule the fields break first, if any.
    pub(super) fn check(&self) -> Result<(), Error> {
        let is_named = |it: &String| self.names.contains(it);
        // Where a message ends that may have any lines, the second name says: it is always there.
        let are_needed = self.names.iter().take(2).all(|it| self.needs(it));
        let is_secret = self.secret.as_ref().is_none_or(|it| is_named(it) && self.needs(it));
        let mut names: Vec<_> = self.names.iter().map(|it| folded(it)).collect();
        names.sort();
        names.dedup();
        let is_some = (2..=NAMES_MAX).contains(&self.names.len());
        let are_different = names.len() == self.names.len();
        match is_some
            && are_different
            && are_needed
            && is_secret
            && self.names.iter().all(|it| is_name(it))
            && self.optional.iter().all(is_named)
        {
            true => Ok(()),
            false => Err(Error::BadFields),
        }
    }

    /// Whether what is at this place is one of the fields, or in the text of one.
    fn prove(&self, place: &Place) -> bool {
        let is_field = |pointer: &str| {
            pointer.strip_prefix('/').is_some_and(|it| self.names.iter().any(|name| name == it))
        };
        match place {
            Place::Pointer(pointer) => is_field(pointer),
            Place::Inside(it) => is_field(&it.text),
            Place::Header(_) | Place::Query(_) | Place::SignatureKey(_) => false,
        }
    }
}

/// A name as lenient readers compare it, whatever the case of its letters.
pub fn folded(name: &str) -> String {
    // Upper case first: some letters have one of another letter's.
    name.to_uppercase().to_lowercase()
}

fn is_name(name: &str) -> bool {
    let is_plain = name.bytes().all(|it| it.is_ascii_graphic() && it != b'/' && it != b'~');
    (1..=NAME_CHARS_MAX).contains(&name.len()) && is_plain
}

impl Recipe {
    /// What says something of a message is signed, where not all of it is.
    pub(super) fn check_fields(&self) -> Result<(), Error> {
        let signature = &self.signature;
        let Some(fields) = &signature.fields else {
            return match signature.signs(&Part::Fields) {
                true => Err(Error::BadFields),
                false => Ok(()),
            };
        };
        fields.check()?;
        let parts = signature.signed.as_ref().map_or(&[][..], |it| it.parts());
        if parts != [Part::Fields] {
            return Err(Error::FieldsNotAlone);
        }
        let timestamp = self.timestamp.as_ref().map(|it| &it.at);
        let asked = self.challenge.iter().flat_map(|it| it.places());
        let mut places = self.id.iter().chain(&self.event_type).chain(timestamp).chain(asked);
        match places.all(|it| fields.prove(it)) {
            true => Ok(()),
            false => Err(Error::FieldNotSigned),
        }
    }
}
