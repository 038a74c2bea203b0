//! Electronic invoices by EN 16931-1: one document, written as CII D22B or as UBL 2.1.
//!
//! Nothing is written that breaks a rule of the standard which the types leave open: the rules are
//! checked first, and each that is broken is told by its name.

mod check;
mod cii;
mod decimal;
#[cfg(test)]
mod tests;
mod ubl;
mod xml;

use std::collections::BTreeMap;

use chrono::NaiveDate;

pub use check::Violation;

use crate::{
    invoice::{Document, Line, Totals, Vat},
    tax::Category,
};

/// The two syntaxes that Commission Implementing Decision (EU) 2017/1870 lists.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Syntax {
    /// UN/CEFACT Cross Industry Invoice D22B.
    Cii,
    /// OASIS UBL 2.1.
    Ubl,
}

/// Which specification the document says it keeps (BT-24), and whose further rules are checked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Profile {
    /// The standard itself.
    En16931,
    /// XRechnung 3.0, of German authorities.
    XRechnung,
    /// Peppol BIS Billing 3.0.
    Peppol,
}

/// What stands on the document beside its amounts.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Header {
    /// The specification.
    pub profile: Profile,
    /// BT-1.
    pub number: String,
    /// BT-2.
    pub issued: NaiveDate,
    /// BT-9.
    pub due: Option<NaiveDate>,
    /// BT-20: terms of payment in words.
    pub terms: Option<String>,
    /// BT-22.
    pub note: Option<String>,
    /// BT-10: in Germany the Leitweg-ID.
    pub buyer_reference: Option<String>,
    /// BT-13: the buyer's order.
    pub order: Option<String>,
    /// BG-14: first and last day of what is invoiced.
    pub period: Option<(NaiveDate, NaiveDate)>,
    /// BG-26: first and last day of what a line is for, by the line's id. Together they widen BG-14,
    /// which they may not leave (PEPPOL-EN16931-R110 and R111).
    pub periods: BTreeMap<String, (NaiveDate, NaiveDate)>,
    /// BT-72: when it was supplied; Article 226(7) of Directive 2006/112/EC asks for it, or the
    /// period, where it is not the day of issue.
    pub delivered: Option<NaiveDate>,
    /// BG-3: the invoice that a credit note mirrors.
    pub preceding: Option<(String, NaiveDate)>,
    /// BT-84: where to pay to, for a credit transfer.
    pub iban: Option<String>,
    /// BT-120 where the category is E: the reason for the exemption of a line, by the line's id.
    /// Where they differ, all of them stand in the one place that there is (BR-E-01).
    pub exemptions: BTreeMap<String, String>,
    /// BT-32: the seller's number at the local tax office, for who has no VAT id.
    pub seller_tax_id: Option<String>,
    /// BG-4.
    pub seller: Party,
    /// BG-7.
    pub buyer: Party,
}

/// A seller or a buyer.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Party {
    /// BT-27, BT-44.
    pub name: String,
    /// BT-35, BT-50.
    pub street: Option<String>,
    /// BT-37, BT-52.
    pub city: Option<String>,
    /// BT-38, BT-53.
    pub postcode: Option<String>,
    /// BT-40, BT-55: ISO 3166-1 alpha-2.
    pub country: String,
    /// BT-31, BT-48.
    pub vat_id: Option<String>,
    /// BT-30, BT-47: the number in a register of companies.
    pub legal_id: Option<String>,
    /// BT-34, BT-49: the scheme of the EAS list (EM for mail, 9930 for a German VAT id), the
    /// address.
    pub endpoint: Option<(String, String)>,
    /// BG-6, BG-9.
    pub contact: Option<Contact>,
}

/// A person or department.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Contact {
    /// BT-41, BT-56.
    pub name: String,
    /// BT-42, BT-57.
    pub phone: String,
    /// BT-43, BT-58.
    pub mail: String,
}

/// Writes the document, or tells every rule that it breaks.
pub fn write(
    syntax: Syntax,
    header: &Header,
    document: &Document,
) -> Result<String, Vec<Violation>> {
    let totals = check::check(header, document)?;
    let input = Input { header, document, totals: &totals };
    Ok(match syntax {
        Syntax::Cii => cii::write(input),
        Syntax::Ubl => ubl::write(input),
    })
}

/// What both syntaxes are written from.
#[derive(Clone, Copy)]
struct Input<'a> {
    header: &'a Header,
    document: &'a Document,
    totals: &'a Totals,
}

impl Input<'_> {
    fn amount(&self, minor: i64) -> String {
        decimal::fixed(minor, self.document.currency.digits())
    }

    fn price(&self, price: i64) -> String {
        // Ten-thousandths of a minor unit: four digits more.
        decimal::trimmed(price, self.document.currency.digits() + 4)
    }

    /// BT-31 and BT-48: they may not stand beside the category O (BR-O-02).
    fn vat_id<'p>(&self, party: &'p Party) -> Option<&'p str> {
        let out = self.document.lines.iter().any(|it| it.vat.category == Category::OutOfScope);
        party.vat_id.as_deref().filter(|_| !out)
    }

    /// BG-14: as far as the lines go, where it is told.
    fn period(&self) -> Option<(NaiveDate, NaiveDate)> {
        let lines = self.header.periods.values();
        let whole = self.header.period?;
        Some(lines.fold(whole, |(from, to), it| (from.min(it.0), to.max(it.1))))
    }

    /// BG-26.
    fn line_period(&self, line: &Line) -> Option<(NaiveDate, NaiveDate)> {
        self.header.periods.get(&line.id).copied()
    }

    /// BT-120.
    fn reason(&self, vat: Vat) -> Option<String> {
        let own = self.header.reasons();
        match vat.category == Category::Exempt && !own.is_empty() {
            true => Some(own.join("; ")),
            false => vat.category.legal_text().map(str::to_owned),
        }
    }
}

impl Header {
    /// Why lines are exempt: each reason once, in the order of the lines' numbers.
    pub fn reasons(&self) -> Vec<&str> {
        let mut lines: Vec<_> = self.exemptions.iter().collect();
        // As numbers where they are: 2 is before 10.
        lines.sort_by_key(|(id, _)| (id.len(), *id));
        let mut reasons: Vec<&str> = Vec::new();
        for (_, reason) in lines {
            if !reasons.contains(&reason.as_str()) {
                reasons.push(reason);
            }
        }
        reasons
    }
}

/// BT-119 and its like: none for the category O (BR-O-05), else a percentage.
fn percent(vat: Vat) -> Option<String> {
    let rate = decimal::trimmed(i64::from(vat.rate.hundredths()), 2);
    (vat.category != Category::OutOfScope).then_some(rate)
}

impl Profile {
    /// BT-24.
    pub fn specification(self) -> &'static str {
        match self {
            Self::En16931 => "urn:cen.eu:en16931:2017",
            Self::XRechnung => {
                "urn:cen.eu:en16931:2017#compliant#urn:xeinkauf.de:kosit:xrechnung_3.0"
            }
            Self::Peppol => {
                "urn:cen.eu:en16931:2017#compliant#urn:fdc:peppol.eu:2017:poacc:billing:3.0"
            }
        }
    }

    /// BT-23.
    pub fn process(self) -> Option<&'static str> {
        (self != Self::En16931).then_some("urn:fdc:peppol.eu:2017:poacc:billing:01:1.0")
    }
}
