//! Invoices and credit notes as a person reads them: a page, and a PDF that machines read as well.
//!
//! `content` says in the words of a language what stands on a document, `html` and `pdf` show it,
//! `facturx` puts the CII of EN 16931 into the PDF. All of it is a pure function: equal invoices
//! make equal bytes.

mod content;
mod epc;
mod facturx;
mod format;
mod html;
mod pdf;
#[cfg(test)]
mod tests;
mod words;

use std::collections::BTreeSet;

use chrono::NaiveDate;
use serde::Serialize;

pub use html::policy;

use crate::{
    einvoice::{Header, Violation},
    invoice::{self, Document, State, Totals},
};

/// The most characters of all texts of a document, of which its lines are most.
pub const TEXT_CHARS_MAX: usize = 250_000;

/// What a page and a PDF are made of.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Invoice {
    /// Number, dates, seller, buyer.
    pub header: Header,
    /// Lines, allowances and charges.
    pub document: Document,
    /// What they add up to: `document.totals()`, or what was kept of it.
    pub totals: Totals,
    /// BCP 47: the language of the buyer. English where it is none of en, de, fr, es, it, nl.
    pub locale: String,
    /// Where it stands. A draft says that it is one, and is no electronic invoice.
    pub state: State,
    /// The day of the last payment, for one that is paid.
    pub paid_at: Option<NaiveDate>,
}

/// A PDF, and what is to be known of it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Printed {
    /// The file: PDF/A-3a (ISO 19005-3), and Factur-X where `violations` is empty.
    pub bytes: Vec<u8>,
    /// Why no electronic invoice is in it: the rules of EN 16931 that it breaks. Empty as well for
    /// a draft, which is none.
    pub violations: Vec<Violation>,
    /// Characters that the font lacks. A replacement character stands in their place; in the
    /// electronic invoice they are as they were.
    pub missing: BTreeSet<char>,
}

/// Why there is no page or PDF.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// The amount of a line does not fit, or the document has too many lines.
    #[error("the document cannot be calculated: {0}")]
    Document(#[from] invoice::Error),
    /// [`TEXT_CHARS_MAX`].
    #[error("the texts of a document have 250,000 characters at most")]
    TooLong,
    /// The template failed, which is a mistake of ours.
    #[error("the page could not be written: {0}")]
    Template(String),
    /// The PDF failed, which is a mistake of ours as well.
    #[error(transparent)]
    Paper(#[from] paper::Error),
}

/// What a mail says of a document, in the words of its reader.
#[derive(Clone, Debug, Serialize)]
pub struct Said {
    /// The language: `en`, `de`, `fr`, `es`, `it` or `nl`.
    pub locale: &'static str,
    /// What it is and its number, as `Rechnung T-2030-0001`.
    pub title: String,
    /// What it comes to with tax.
    pub gross: String,
    /// What is left to pay.
    pub due: String,
    /// Until when it is to be paid.
    pub due_at: Option<String>,
}

/// What a mail says of it, of which `left` minor units are to be paid.
pub fn said(invoice: &Invoice, left: i64) -> Result<Said, Error> {
    let content = content::Content::of(invoice)?;
    let (words, currency) = (content.words, invoice.document.currency);
    Ok(Said {
        locale: words.lang,
        title: content.title,
        gross: words.amount(invoice.totals.gross, currency),
        due: words.amount(left, currency),
        due_at: invoice.header.due.map(|it| words.day(it)),
    })
}

/// The page: a whole HTML document without scripts. [`policy`] is the Content-Security-Policy
/// that it keeps.
pub fn html(invoice: &Invoice) -> Result<String, Error> {
    html::write(&content::Content::of(invoice)?)
}

/// The PDF: [`print()`] without what is to be known of it.
pub fn pdf(invoice: &Invoice) -> Result<Vec<u8>, Error> {
    Ok(print(invoice)?.bytes)
}

/// The PDF, as Factur-X (profile EN 16931) where the rules of EN 16931 admit it.
pub fn print(invoice: &Invoice) -> Result<Printed, Error> {
    let content = content::Content::of(invoice)?;
    let (attached, violations) = match facturx::attachment(invoice) {
        Ok(attached) => (attached, vec![]),
        Err(violations) => (None, violations),
    };
    let (bytes, missing) = pdf::write(&content, invoice.header.issued, attached.as_ref())?;
    Ok(Printed { bytes, violations, missing })
}
