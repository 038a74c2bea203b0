//! What the file says of itself: XMP (ISO 16684-1), with the extension schema of Factur-X.

use askama::Template;
use chrono::NaiveDate;

use crate::{
    document::{Error, content::Content, facturx},
    einvoice::printable,
};

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
    has_invoice: bool,
    file_name: &'a str,
    level: &'a str,
    properties: [(&'a str, &'a str); 4],
}

/// Writes the packet.
pub fn write(content: &Content, issued: NaiveDate, has_invoice: bool) -> Result<String, Error> {
    let metadata = Metadata {
        bom: '\u{feff}',
        title: &printable(&content.title),
        creator: &printable(&content.seller.name),
        lang: content.words.lang,
        tool: TOOL,
        moment: &issued.format("%Y-%m-%dT00:00:00Z").to_string(),
        has_invoice,
        file_name: facturx::FILE_NAME,
        level: facturx::LEVEL,
        properties: [
            ("DocumentFileName", "The name of the embedded XML document"),
            ("DocumentType", "The type of the hybrid document in capital letters, e.g. INVOICE"),
            ("Version", "The version of the standard that applies to the embedded XML document"),
            ("ConformanceLevel", "The conformance level of the embedded XML document"),
        ],
    };
    metadata.render().map_err(|err| Error::Template(err.to_string()))
}
