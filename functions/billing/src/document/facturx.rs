//! The electronic invoice in the PDF: Factur-X 1.0 (ZUGFeRD 2), profile EN 16931.

use super::Invoice;
use crate::{
    einvoice::{self, Header, Profile, Syntax, Violation},
    invoice::State,
};

/// The name that the specification prescribes.
pub const FILE_NAME: &str = "factur-x.xml";
/// What the metadata call the profile.
pub const LEVEL: &str = "EN 16931";

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
