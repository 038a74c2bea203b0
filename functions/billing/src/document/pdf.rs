//! The PDF: PDF/A-3a (ISO 19005-3), tagged, with its fonts in it.
//!
//! `layout` puts the content on pages, `table` the lines; `canvas` draws and numbers what is drawn,
//! `tags` says what it means, `font` measures and subsets, `file` writes the objects and `metadata`
//! the XMP.

mod canvas;
mod file;
mod font;
mod layout;
mod metadata;
mod table;
mod tags;

use std::collections::BTreeSet;

use chrono::NaiveDate;

use super::{Error, content::Content};

/// Writes the file: its bytes, and the characters that the font lacks. The day of issue is the
/// day at which the file says it was made, so that equal content makes equal bytes.
pub fn write(
    content: &Content,
    issued: NaiveDate,
    invoice: Option<&String>,
) -> Result<(Vec<u8>, BTreeSet<char>), Error> {
    let canvas = layout::draw(content)?;
    let missing = canvas.fonts.missing();
    let bytes = file::write(canvas, &file::About { content, issued, invoice })?;
    Ok((bytes, missing))
}
