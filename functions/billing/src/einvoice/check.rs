//! The rules of EN 16931-1, XRechnung 3.0 and Peppol BIS 3.0 that the types leave open. The
//! rules of calculation are kept by `invoice`.

use super::{Header, Party, Profile};
use crate::{
    invoice::{Document, Error, Totals},
    tax::Category,
};

/// A rule that is broken.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("[{rule}] {text}")]
pub struct Violation {
    /// Its name in the standard.
    pub rule: &'static str,
    /// What to do.
    pub text: String,
}

/// The totals of a document that breaks no rule, or all the rules that it breaks.
pub(super) fn check(header: &Header, document: &Document) -> Result<Totals, Vec<Violation>> {
    let totals = document.totals().map_err(|err| vec![broken(&err)])?;
    let mut rules = base(header, document, &totals);
    rules.extend(vat(header, document));
    match header.profile {
        Profile::En16931 => {}
        Profile::XRechnung => rules.extend(xrechnung(header)),
        Profile::Peppol => rules.extend(peppol(header)),
    }
    let broken: Vec<_> = rules
        .into_iter()
        .filter(|(holds, ..)| !holds)
        .map(|(_, rule, text)| Violation { rule, text: text.to_owned() })
        .collect();
    if broken.is_empty() { Ok(totals) } else { Err(broken) }
}

/// Whether it holds, its name, what to do if not.
type Rule = (bool, &'static str, &'static str);

fn base(header: &Header, document: &Document, totals: &Totals) -> Vec<Rule> {
    let (seller, buyer) = (&header.seller, &header.buyer);
    let dated = header.due.is_some() || header.terms.is_some();
    let ordered = header.period.is_none_or(|(from, to)| from <= to);
    let lines_ordered = header.periods.values().all(|(from, to)| from <= to);
    let named = document.lines.iter().all(|it| is_told(&it.name));
    let measured = document.lines.iter().all(|it| is_told(&it.unit));
    let adjusted = document.adjustments.iter().all(|it| is_told(&it.reason));
    let mut of_lines = document.lines.iter().flat_map(|it| &it.adjustments);
    let lines_adjusted = of_lines.all(|it| is_told(&it.reason));
    let digits = document.currency.digits() <= 2;
    let id = seller.vat_id.is_some() || seller.legal_id.is_some();
    vec![
        (is_told(&header.number), "BR-02", "give the document a number"),
        (is_told(&seller.name), "BR-06", "name the seller"),
        (is_told(&buyer.name), "BR-07", "name the buyer"),
        (is_country(seller), "BR-09", "give the seller's country in two capital letters"),
        (is_country(buyer), "BR-11", "give the buyer's country in two capital letters"),
        (measured, "BR-23", "give each line a unit of UN/ECE Recommendation 20"),
        (named, "BR-25", "name what each line is for"),
        (ordered, "BR-29", "end the period after it begins"),
        (lines_ordered, "BR-30", "end the period of each line after it begins"),
        (adjusted, "BR-33", "give a reason for each allowance and charge"),
        (lines_adjusted, "BR-42", "give a reason for each line's allowance and charge"),
        (digits, "BR-DEC-01", "use a currency with two digits at most"),
        (totals.due <= 0 || dated, "BR-CO-25", "say when or how it is to be paid"),
        (id, "BR-CO-26", "give the seller's VAT id or number in a register"),
        (is_vat_id(seller), "BR-CO-09", "begin the seller's VAT id with its country"),
        (is_vat_id(buyer), "BR-CO-09", "begin the buyer's VAT id with its country"),
    ]
}

fn vat(header: &Header, document: &Document) -> Vec<Rule> {
    let has = |category: Category| {
        let lines = document.lines.iter().map(|it| it.vat);
        lines.chain(document.adjustments.iter().map(|it| it.vat)).any(|it| it.category == category)
    };
    let (seller, buyer) = (&header.seller, &header.buyer);
    let (known, buyer_known) =
        (seller.vat_id.is_some(), buyer.vat_id.is_some() || buyer.legal_id.is_some());
    let taxed = known || header.seller_tax_id.as_deref().is_some_and(is_told);
    let why = header.exemptions.values().all(|it| is_told(it));
    let needs_id = "give the seller's VAT id, or the number at the tax office (not for exports)";
    vec![
        (!has(Category::Standard) || taxed, "BR-S-02", needs_id),
        (!has(Category::Zero) || taxed, "BR-Z-02", needs_id),
        (!has(Category::Exempt) || taxed, "BR-E-02", needs_id),
        (!has(Category::Exempt) || why, "BR-E-10", "say why it is exempt"),
        (!has(Category::Export) || known, "BR-G-02", needs_id),
        (!has(Category::ReverseCharge) || taxed, "BR-AE-02", needs_id),
        (!has(Category::ReverseCharge) || buyer_known, "BR-AE-02", "give the buyer's VAT id"),
        // The VAT id is left out beside O, so another id must be there.
        (
            !has(Category::OutOfScope) || seller.legal_id.is_some(),
            "BR-O-02",
            "give the seller's number in a register: a VAT id may not stand there",
        ),
    ]
}

fn xrechnung(header: &Header) -> Vec<Rule> {
    let seller = &header.seller;
    let contact = seller.contact.as_ref();
    let mut rules = endpoints(header);
    rules.extend([
        (header.iban.is_some(), "BR-DE-1", "say where to pay to"),
        (contact.is_some(), "BR-DE-2", "name the seller's contact"),
        (told(&seller.city), "BR-DE-3", "give the seller's city"),
        (told(&seller.postcode), "BR-DE-4", "give the seller's post code"),
        (contact.is_none_or(|it| is_told(&it.name)), "BR-DE-5", "name the seller's contact"),
        (contact.is_none_or(|it| is_told(&it.phone)), "BR-DE-6", "give the contact's phone"),
        (contact.is_none_or(|it| is_told(&it.mail)), "BR-DE-7", "give the contact's mail"),
        (told(&header.buyer.city), "BR-DE-8", "give the buyer's city"),
        (told(&header.buyer.postcode), "BR-DE-9", "give the buyer's post code"),
        (told(&header.buyer_reference), "BR-DE-15", "give the buyer's reference (Leitweg-ID)"),
    ]);
    rules
}

fn peppol(header: &Header) -> Vec<Rule> {
    let reference = told(&header.buyer_reference) || told(&header.order);
    let mut rules = endpoints(header);
    rules.push((reference, "PEPPOL-EN16931-R003", "give the buyer's reference or order"));
    rules
}

fn endpoints(header: &Header) -> Vec<Rule> {
    let at = |party: &Party| party.endpoint.is_some();
    vec![
        (at(&header.buyer), "PEPPOL-EN16931-R010", "give the buyer's electronic address"),
        (at(&header.seller), "PEPPOL-EN16931-R020", "give the seller's electronic address"),
    ]
}

fn broken(err: &Error) -> Violation {
    let rule = match err {
        Error::BadLineCount => "BR-16",
        Error::BadLineId(_) => "BR-21",
        Error::NegativePrice(_) => "BR-27",
        Error::BadRate { category: "S", .. } => "BR-S-05",
        Error::BadRate { category: "Z", .. } => "BR-Z-05",
        Error::BadRate { category: "E", .. } => "BR-E-05",
        Error::BadRate { category: "AE", .. } => "BR-AE-05",
        Error::BadRate { category: "G", .. } => "BR-G-05",
        Error::BadRate { .. } => "BR-O-05",
        Error::MixedOutOfScope => "BR-O-11",
        Error::BadTax => "BR-CO-17",
        _ => "BACKPLANE",
    };
    Violation { rule, text: err.to_string() }
}

fn is_told(text: &str) -> bool {
    !text.trim().is_empty()
}

fn told(text: &Option<String>) -> bool {
    text.as_deref().is_some_and(is_told)
}

fn is_country(party: &Party) -> bool {
    party.country.len() == 2 && party.country.bytes().all(|it| it.is_ascii_uppercase())
}

fn is_vat_id(party: &Party) -> bool {
    let begins = |it: &str| it.len() > 2 && it.bytes().take(2).all(|it| it.is_ascii_uppercase());
    party.vat_id.as_deref().is_none_or(begins)
}
