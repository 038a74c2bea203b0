//! The string that a provider signs, with places for what changes.

use serde::{Deserialize, Serialize};

use super::Error;

/// Upper limit of a template, in bytes.
pub const SIGNED_BYTES_MAX: usize = 256;

/// A signed string such as `v0:{timestamp}:{body}`: literals around placeholders, each at most
/// once.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Template(Vec<Part>);

/// One piece of a template.
#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    /// Text that every request of the provider has here.
    Literal(String),
    /// The id of the message, as it was sent.
    Id,
    /// The timestamp, letter for letter as it was sent.
    Timestamp,
    /// The body, byte for byte as it was sent.
    Body,
    /// The CRC-32 of the body, in decimal.
    BodyCrc32,
    /// The method, in capitals.
    Method,
    /// The whole address, as the provider called it.
    Url,
    /// The fields of a body that is a form, sorted by name: each name, followed by its value.
    /// Nothing of any other body.
    Params,
    /// Some fields of a body that is a JSON object, as `fields` says. Only alone.
    Fields,
    /// The text of the source's secret. Only with `key_url`, where it is no key.
    Secret,
}

/// The placeholders, by what they stand for.
const PLACEHOLDERS: [(&str, Part); 9] = [
    ("{id}", Part::Id),
    ("{timestamp}", Part::Timestamp),
    ("{body}", Part::Body),
    ("{body_crc32}", Part::BodyCrc32),
    ("{method}", Part::Method),
    ("{url}", Part::Url),
    ("{params}", Part::Params),
    ("{fields}", Part::Fields),
    ("{secret}", Part::Secret),
];

impl Template {
    /// Reads the text of a template.
    pub fn parse(text: &str) -> Result<Self, Error> {
        if text.len() > SIGNED_BYTES_MAX {
            return Err(Error::BadTemplate("is too long"));
        }
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((literal, opened)) = rest.split_once('{') {
            let (name, after) =
                opened.split_once('}').ok_or(Error::BadTemplate("has a { without a }"))?;
            push_literal(&mut parts, literal)?;
            let part = placeholder(name)?;
            if parts.contains(&part) {
                return Err(Error::BadTemplate("has a placeholder twice"));
            }
            parts.push(part);
            rest = after;
        }
        push_literal(&mut parts, rest)?;
        Ok(Self(parts))
    }

    /// The pieces, in the order in which they are signed.
    pub fn parts(&self) -> &[Part] {
        &self.0
    }

    /// Whether `part` is signed.
    pub fn mentions(&self, part: &Part) -> bool {
        self.0.contains(part)
    }
}

impl TryFrom<String> for Template {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        Self::parse(&text)
    }
}

impl From<Template> for String {
    fn from(template: Template) -> Self {
        template.0.iter().map(Part::as_str).collect()
    }
}

impl Part {
    fn as_str(&self) -> &str {
        match self {
            Self::Literal(text) => text,
            other => PLACEHOLDERS
                .iter()
                .find(|(_, part)| part == other)
                .map_or("", |(written, _)| written),
        }
    }
}

fn placeholder(name: &str) -> Result<Part, Error> {
    let written = format!("{{{name}}}");
    let found = PLACEHOLDERS.iter().find(|(known, _)| *known == written);
    found.map(|(_, part)| part.clone()).ok_or(Error::BadTemplate(
        "knows {id}, {timestamp}, {body}, {body_crc32}, {method}, {url}, {params}, {fields} and \
         {secret} only",
    ))
}

fn push_literal(parts: &mut Vec<Part>, literal: &str) -> Result<(), Error> {
    if literal.contains('}') {
        return Err(Error::BadTemplate("has a } without a {"));
    }
    if !literal.is_empty() {
        parts.push(Part::Literal(literal.to_owned()));
    }
    Ok(())
}
