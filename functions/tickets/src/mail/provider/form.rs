//! Forms that providers post: `multipart/form-data` (RFC 7578) and
//! `application/x-www-form-urlencoded`. A part of the first is a part of MIME.

use std::{borrow::Cow, collections::BTreeMap};

use super::{
    super::{field, kind::Kind, part},
    Refused,
};

/// How many fields and files a form has at most.
const FIELDS_MAX: usize = 300;

/// A field, or a file.
#[derive(Debug)]
pub struct Field<'a> {
    /// What it says.
    pub bytes: Cow<'a, [u8]>,
    /// The name of the file.
    pub file: Option<String>,
    /// Its media type.
    pub kind: String,
}

/// A form: its fields by their names, the first of each.
#[derive(Debug, Default)]
pub struct Form<'a> {
    fields: BTreeMap<String, Field<'a>>,
}

impl<'a> Form<'a> {
    /// Reads a form.
    ///
    /// # Errors
    /// When it is none.
    pub fn parse(content_type: &str, body: &'a [u8]) -> Result<Self, Refused> {
        let kind = Kind::parse(content_type);
        let mut form = Self::default();
        match (kind.word.as_str(), kind.parameter("boundary")) {
            ("application/x-www-form-urlencoded", _) => {
                for (name, value) in form_urlencoded::parse(body).take(FIELDS_MAX) {
                    // What is no UTF-8 in there is lost; providers send what is not as files.
                    let bytes = Cow::Owned(value.into_owned().into_bytes());
                    let field = Field { bytes, file: None, kind: String::new() };
                    form.fields.entry(name.into_owned()).or_insert(field);
                }
            }
            ("multipart/form-data", Some(boundary)) => {
                let parts = part::split(body, 0..body.len(), boundary.as_bytes(), FIELDS_MAX);
                for range in parts.parts {
                    form.add(body.get(range).unwrap_or_default());
                }
            }
            _ => {
                return Err(Refused::unfit(
                    "send a form, as multipart/form-data or application/x-www-form-urlencoded",
                ));
            }
        }
        Ok(form)
    }

    fn add(&mut self, part: &'a [u8]) {
        let (fields, start) = field::read(part);
        let disposition = fields.first("content-disposition").map(Kind::parse).unwrap_or_default();
        let Some(name) = disposition.parameter("name") else { return };
        let kind = fields.first("content-type").map(|it| Kind::parse(it).word);
        let field = Field {
            bytes: Cow::Borrowed(part.get(start..).unwrap_or_default()),
            file: disposition.parameter("filename").map(ToOwned::to_owned),
            kind: kind.unwrap_or_default(),
        };
        self.fields.entry(name.to_owned()).or_insert(field);
    }

    /// A field as a text; empty when it is not there.
    pub fn text(&self, name: &str) -> Cow<'_, str> {
        self.fields.get(name).map_or(Cow::Borrowed(""), |it| String::from_utf8_lossy(&it.bytes))
    }

    /// The bytes of a field.
    pub fn bytes(&self, name: &str) -> Option<&[u8]> {
        self.fields.get(name).map(|it| &*it.bytes).filter(|it| !it.is_empty())
    }

    /// The files, by the names of their fields.
    pub fn files(&self) -> impl Iterator<Item = (&str, &Field<'a>)> {
        self.fields.iter().filter(|it| it.1.file.is_some()).map(|(name, it)| (name.as_str(), it))
    }
}
