//! What the file says of itself: XMP (ISO 16684-1).

use askama::Template;

use crate::{About, Error};

/// What made the file.
pub const TOOL: &str = "Backplane";

#[derive(Template)]
#[template(path = "metadata.xml")]
struct Metadata<'a> {
    bom: char,
    title: &'a str,
    creator: &'a str,
    lang: &'a str,
    tool: &'a str,
    moment: &'a str,
    descriptions: &'a str,
}

/// Writes the packet.
pub fn write(about: &About<'_>) -> Result<String, Error> {
    let metadata = Metadata {
        bom: '\u{feff}',
        title: &printable(about.title),
        creator: &printable(about.creator),
        lang: about.lang,
        tool: TOOL,
        moment: &about.made.format("%Y-%m-%dT%H:%M:%SZ").to_string(),
        descriptions: about.descriptions,
    };
    metadata.render().map_err(|err| Error::Metadata(err.to_string()))
}

/// What XML 1.0 can carry: its production Char leaves most control characters out, even escaped.
pub fn printable(text: &str) -> String {
    let fits = |it: &char| matches!(it, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
    text.chars().filter(fits).collect()
}
