//! What stands on a document, in the words of its reader: the page and the PDF show the same.

use paper::sheet::Fact;

use super::{
    Error, Invoice, TEXT_CHARS_MAX, epc,
    format::fill,
    words::{self, Words},
};
use crate::{
    einvoice::Party,
    invoice::{Adjustment, Kind, LINES_MAX, Line, State, Vat},
    tax::{Category, SMALL_ENTERPRISE},
};

/// All that is shown.
pub struct Content {
    pub words: &'static Words,
    /// What it is and its number: "Invoice 2026-0001".
    pub title: String,
    /// Where it stands. Words, for colour alone would not tell everybody.
    pub status: Option<String>,
    pub seller: Address,
    pub buyer: Address,
    /// Number, dates, references.
    pub facts: Vec<Fact>,
    pub rows: Vec<Row>,
    /// From the sum of the lines down to what is due. The last one is what matters.
    pub sums: Vec<Sum>,
    /// What the law wants to read.
    pub legal: Vec<String>,
    /// Where and how to pay.
    pub payment: Vec<Fact>,
    /// The same for a banking app, and what to do with it.
    pub code: Option<(epc::Code, String)>,
    pub note: Option<String>,
}

/// Who sells, or who buys.
pub struct Address {
    pub name: String,
    /// Street, place, country.
    pub lines: Vec<String>,
    /// Numbers and contact.
    pub facts: Vec<Fact>,
}

/// A line of the document.
pub struct Row {
    pub name: String,
    /// The period, and what was taken off or put on.
    pub details: Vec<String>,
    pub quantity: String,
    pub price: String,
    pub vat: String,
    pub amount: String,
}

/// A line of the totals.
pub struct Sum {
    pub label: String,
    pub amount: String,
    pub is_total: bool,
}

impl Content {
    /// Refuses what has more lines than [`LINES_MAX`] or more characters than [`TEXT_CHARS_MAX`],
    /// or a line whose amount does not fit.
    pub fn of(invoice: &Invoice) -> Result<Self, Error> {
        let words = words::of(&invoice.locale);
        let header = &invoice.header;
        if invoice.document.lines.len() > LINES_MAX {
            return Err(crate::invoice::Error::BadLineCount.into());
        }
        let several = header.reasons().len() > 1;
        let rows = invoice.document.lines.iter().map(|it| row(words, invoice, it, several));
        let kind = match invoice.document.kind {
            Kind::Invoice => words.invoice,
            Kind::CreditNote => words.credit_note,
        };
        let content = Self {
            words,
            title: format!("{kind} {}", header.number).trim().to_owned(),
            status: status(words, invoice),
            seller: seller(words, invoice),
            buyer: address(words, invoice, &header.buyer),
            facts: facts(words, invoice),
            rows: rows.collect::<Result<_, Error>>()?,
            sums: sums(words, invoice),
            legal: legal(words, invoice),
            payment: payment(words, invoice),
            code: code(words, invoice),
            note: header.note.clone(),
        };
        if content.chars() > TEXT_CHARS_MAX { Err(Error::TooLong) } else { Ok(content) }
    }

    /// How many characters of it are the seller's and the buyer's own.
    fn chars(&self) -> usize {
        let facts = [&self.facts, &self.payment, &self.seller.facts, &self.buyer.facts];
        let facts = facts.into_iter().flatten().map(|(_, it)| it);
        let rows = self.rows.iter().flat_map(|it| it.details.iter().chain([&it.name]));
        let parties = [&self.seller, &self.buyer].into_iter();
        let parties = parties.flat_map(|it| it.lines.iter().chain([&it.name]));
        let sums = self.sums.iter().map(|it| &it.label);
        let others = self.legal.iter().chain(&self.note).chain([&self.title]);
        facts
            .chain(rows)
            .chain(parties)
            .chain(sums)
            .chain(others)
            .map(|it| it.chars().count())
            .sum()
    }
}

fn status(words: &Words, invoice: &Invoice) -> Option<String> {
    Some(match (invoice.state, invoice.paid_at) {
        (State::Draft, _) => words.draft.to_owned(),
        // Nobody owes anything for it.
        _ if invoice.document.kind == Kind::CreditNote => return None,
        (State::Paid, Some(day)) => fill(words.paid_on, &[("{date}", &words.day(day))]),
        (State::Paid, None) => words.paid.to_owned(),
        (State::Void, _) => words.void.to_owned(),
        // That it was given up is the seller's business; the buyer still owes it.
        (State::Finalised | State::Uncollectible, _) => words.open.to_owned(),
    })
}

fn seller(words: &'static Words, invoice: &Invoice) -> Address {
    let mut address = address(words, invoice, &invoice.header.seller);
    if let Some(id) = &invoice.header.seller_tax_id {
        address.facts.push((words.tax_id, id.clone()));
    }
    if let Some(contact) = &invoice.header.seller.contact {
        let told = [&contact.name, &contact.phone, &contact.mail];
        let told: Vec<_> = told.into_iter().filter(|it| !it.trim().is_empty()).cloned().collect();
        address.facts.push((words.contact, told.join(", ")));
    }
    address
}

fn address(words: &'static Words, invoice: &Invoice, party: &Party) -> Address {
    let place = [&party.postcode, &party.city].into_iter().flatten().cloned().collect::<Vec<_>>();
    let country = words.country(&party.country).to_owned();
    let lines = [party.street.clone(), Some(place.join(" ")), Some(country)];
    let is_out = invoice.document.lines.iter().any(|it| it.vat.category == Category::OutOfScope);
    // As in the electronic invoice: no VAT id beside the category O (BR-O-02).
    let vat_id = party.vat_id.clone().filter(|_| !is_out);
    let facts = [(words.vat_id, vat_id), (words.legal_id, party.legal_id.clone())];
    Address {
        name: party.name.clone(),
        lines: lines.into_iter().flatten().filter(|it| !it.trim().is_empty()).collect(),
        facts: told(facts),
    }
}

fn facts(words: &'static Words, invoice: &Invoice) -> Vec<Fact> {
    let header = &invoice.header;
    let preceding = header.preceding.as_ref();
    let number = Some(header.number.clone()).filter(|it| !it.is_empty());
    told([
        (words.number, number),
        (words.issued, Some(words.day(header.issued))),
        (words.due, header.due.map(|it| words.day(it))),
        (words.period, header.period.map(|it| words.days(it))),
        (words.delivered, header.delivered.map(|it| words.day(it))),
        (words.preceding, preceding.map(|(number, day)| format!("{number}, {}", words.day(*day)))),
        (words.buyer_reference, header.buyer_reference.clone()),
        (words.order, header.order.clone()),
    ])
}

fn told<const N: usize>(facts: [(&'static str, Option<String>); N]) -> Vec<Fact> {
    facts.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

/// A line. Where lines are exempt for several reasons, it says its own.
fn row(words: &Words, invoice: &Invoice, line: &Line, several: bool) -> Result<Row, Error> {
    let currency = invoice.document.currency;
    let period = invoice.header.periods.get(&line.id).map(|it| words.days(*it));
    let adjusted = line
        .adjustments
        .iter()
        .map(|it| format!("{}: {}", adjustment(words, it), words.amount(it.signed(), currency)));
    let exempt = invoice.header.exemptions.get(&line.id).filter(|_| several);
    let exempt = exempt.map(|it| reason(words, it).to_owned());
    Ok(Row {
        name: line.name.clone(),
        details: period.into_iter().chain(adjusted).chain(exempt).collect(),
        quantity: words.quantity(line.quantity, &line.unit),
        price: words.price(line.price, currency),
        vat: rate(words, line.vat),
        amount: words.amount(line.net()?, currency),
    })
}

fn adjustment(words: &Words, it: &Adjustment) -> String {
    let word = if it.is_charge { words.charge } else { words.allowance };
    if it.reason.is_empty() { word.to_owned() } else { format!("{word} ({})", it.reason) }
}

/// The rate; for what is not taxed a dash, and the reason stands below the totals.
fn rate(words: &Words, vat: Vat) -> String {
    match vat.category {
        Category::Standard | Category::Zero => words.rate(vat.rate),
        _ => "–".to_owned(),
    }
}

fn sums(words: &Words, invoice: &Invoice) -> Vec<Sum> {
    let (totals, document) = (&invoice.totals, &invoice.document);
    let amount = |minor| words.amount(minor, document.currency);
    let mut sums: Vec<(String, i64)> = vec![];
    if !document.adjustments.is_empty() {
        sums.push((words.subtotal.to_owned(), totals.lines));
    }
    sums.extend(document.adjustments.iter().map(|it| (adjustment(words, it), it.signed())));
    sums.push((words.net.to_owned(), totals.net));
    for it in &totals.subtotals {
        let (rate, base) = (words.rate(it.vat.rate), amount(it.base));
        let is_rated = matches!(it.vat.category, Category::Standard | Category::Zero);
        let pattern = if is_rated { words.vat_on } else { words.no_vat_on };
        sums.push((fill(pattern, &[("{rate}", &rate), ("{base}", &base)]), it.tax));
    }
    if totals.subtotals.len() > 1 {
        sums.push((words.tax.to_owned(), totals.tax));
    }
    sums.push((words.gross.to_owned(), totals.gross));
    if totals.prepaid != 0 {
        sums.push((words.prepaid.to_owned(), totals.prepaid.saturating_neg()));
    }
    if totals.round != 0 {
        sums.push((words.round.to_owned(), totals.round));
    }
    let mut sums: Vec<_> = sums
        .into_iter()
        .map(|(label, minor)| Sum { label, amount: amount(minor), is_total: false })
        .collect();
    let last = match document.kind {
        Kind::Invoice => words.to_pay,
        Kind::CreditNote => words.to_credit,
    };
    // The amounts are those of the day of issue, as in the electronic invoice; what came later is
    // told below them.
    sums.push(Sum { label: last.to_owned(), amount: amount(totals.due), is_total: true });
    if document.kind == Kind::Invoice && invoice.state == State::Paid && totals.due != 0 {
        let (label, paid) =
            (status(words, invoice).unwrap_or_default(), amount(totals.due.saturating_neg()));
        sums.push(Sum { label, amount: paid, is_total: false });
    }
    sums
}

fn legal(words: &Words, invoice: &Invoice) -> Vec<String> {
    let texts = invoice.totals.subtotals.iter().flat_map(|it| match it.vat.category {
        Category::Standard | Category::Zero => vec![],
        Category::Exempt => reasons(words, invoice),
        Category::ReverseCharge => vec![words.reverse_charge],
        Category::Export => vec![words.export],
        Category::OutOfScope => vec![words.out_of_scope],
    });
    texts.map(str::to_owned).collect()
}

/// Why lines are exempt.
fn reasons<'a>(words: &Words, invoice: &'a Invoice) -> Vec<&'a str> {
    let own = invoice.header.reasons();
    match own.is_empty() {
        true => vec![words.exempt],
        false => own.into_iter().map(|it| reason(words, it)).collect(),
    }
}

fn reason<'a>(words: &Words, own: &'a str) -> &'a str {
    if own == SMALL_ENTERPRISE { words.small_enterprise } else { own }
}

/// Whether the buyer is to pay something.
fn is_payable(invoice: &Invoice) -> bool {
    let is_open = matches!(invoice.state, State::Finalised | State::Uncollectible);
    invoice.document.kind == Kind::Invoice && is_open && invoice.totals.due > 0
}

fn payment(words: &'static Words, invoice: &Invoice) -> Vec<Fact> {
    let header = &invoice.header;
    let terms = told([(words.terms, header.terms.clone())]);
    let Some(iban) = header.iban.as_ref().filter(|_| is_payable(invoice)) else {
        return if is_payable(invoice) { terms } else { vec![] };
    };
    let transfer = [
        (words.payee, Some(header.seller.name.clone())),
        (words.iban, Some(grouped(iban))),
        (words.reference, Some(header.number.clone())),
    ];
    terms.into_iter().chain(told(transfer)).collect()
}

/// An IBAN in groups of four, as ISO 13616 prints it.
fn grouped(iban: &str) -> String {
    let digits: Vec<char> = iban.chars().filter(|it| !it.is_whitespace()).collect();
    digits.chunks(4).map(|it| it.iter().collect::<String>()).collect::<Vec<_>>().join(" ")
}

fn code(words: &Words, invoice: &Invoice) -> Option<(epc::Code, String)> {
    let (header, currency) = (&invoice.header, invoice.document.currency);
    let iban = header.iban.as_ref().filter(|_| is_payable(invoice) && currency.code() == "EUR")?;
    let transfer = epc::Transfer {
        name: &header.seller.name,
        iban,
        cents: invoice.totals.due,
        text: &header.number,
    };
    let amount = words.amount(invoice.totals.due, currency);
    Some((transfer.code()?, fill(words.scan, &[("{amount}", &amount)])))
}
