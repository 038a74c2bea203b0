//! The electronic invoice in the PDF: Factur-X 1.0 (ZUGFeRD 2), profile EN 16931.

use askama::Template;
use paper::{AssociationKind, Attachment};

use super::{Error, Invoice};
use crate::{
    einvoice::{self, Header, Profile, Syntax, Violation},
    invoice::State,
};

/// The name that the specification prescribes.
const FILE_NAME: &str = "factur-x.xml";
/// What the metadata call the profile.
const LEVEL: &str = "EN 16931";
/// What the metadata say, and what that means.
const PROPERTIES: [(&str, &str); 4] = [
    ("DocumentFileName", "The name of the embedded XML document"),
    ("DocumentType", "The type of the hybrid document in capital letters, e.g. INVOICE"),
    ("Version", "The version of the standard that applies to the embedded XML document"),
    ("ConformanceLevel", "The conformance level of the embedded XML document"),
];

#[derive(Template)]
#[template(path = "facturx.xml")]
struct Metadata {
    file_name: &'static str,
    level: &'static str,
    properties: [(&'static str, &'static str); 4],
}

/// The XML that goes into the PDF. `None` for a draft.
///
/// It names EN 16931 itself, whichever specification the header names: Factur-X knows neither
/// XRechnung nor Peppol under its own file name, and what keeps their rules keeps those of
/// EN 16931 as well.
pub fn attachment(invoice: &Invoice) -> Result<Option<String>, Vec<Violation>> {
    if invoice.state == State::Draft {
        return Ok(None);
    }
    let header = Header { profile: Profile::En16931, ..invoice.header.clone() };
    let xml = einvoice::write(Syntax::Cii, &header, &invoice.document)?;
    if invoice.document.totals().ok().as_ref() != Some(&invoice.totals) {
        // Two truths in one file would be worse than one.
        let text = "the totals are not those of the standard: round the tax per total";
        return Err(vec![Violation { rule: "BR-CO-17", text: text.to_owned() }]);
    }
    Ok(Some(xml))
}

/// The XML as the file in the PDF.
pub fn attached(xml: &str) -> Attachment<'_> {
    Attachment {
        name: FILE_NAME,
        media: "text/xml",
        description: "Factur-X",
        relation: AssociationKind::Alternative,
        bytes: xml.as_bytes(),
    }
}

/// What the metadata of the PDF say of it: an extension of XMP, with its schema.
pub fn metadata() -> Result<String, Error> {
    let metadata = Metadata { file_name: FILE_NAME, level: LEVEL, properties: PROPERTIES };
    metadata.render().map_err(|err| Error::Template(err.to_string()))
}
