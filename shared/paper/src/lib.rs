//! Documents that people read, as PDF: PDF/A-3a (ISO 19005-3), tagged, with its fonts in it.
//!
//! `sheet` puts texts on pages, `table` and `chart` what stands in rows and bars; `canvas` draws
//! and numbers what is drawn, `tags` says what it means, `font` measures and subsets, `file` writes
//! the objects and `metadata` the XMP. All of it is pure: equal content makes equal bytes.
//!
//! It is a crate of its own, so that only who draws carries it.

pub mod canvas;
pub mod chart;
mod file;
pub mod font;
mod metadata;
pub mod sheet;
pub mod table;
pub mod tags;

use chrono::NaiveDateTime;
pub use pdf_writer::types::{AssociationKind, StructRole, TableHeaderScope};

pub use file::write;
pub use metadata::printable;

/// What a file says of itself, beside its pages.
pub struct About<'a> {
    /// Its title, which viewers show in place of its name.
    pub title: &'a str,
    /// Who says what stands in it.
    pub creator: &'a str,
    /// BCP 47: the language of its words.
    pub lang: &'a str,
    /// When it says that it was made, universal time. An argument, so that equal content makes
    /// equal bytes.
    pub made: NaiveDateTime,
    /// The file that goes into it.
    pub attachment: Option<Attachment<'a>>,
    /// What more its metadata say: descriptions in RDF/XML, or nothing.
    pub descriptions: &'a str,
}

/// A file in the file.
pub struct Attachment<'a> {
    /// Its name.
    pub name: &'a str,
    /// What it is, as `text/xml`.
    pub media: &'a str,
    /// What people call it.
    pub description: &'a str,
    /// What it is to the pages.
    pub relation: AssociationKind,
    /// What is in it.
    pub bytes: &'a [u8],
}

/// Why there is no file: a mistake of ours.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// The metadata failed.
    #[error("the metadata could not be written: {0}")]
    Metadata(String),
    /// The font failed.
    #[error("the font could not be used: {0}")]
    Font(String),
}
