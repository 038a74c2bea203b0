//! Bills as documents: a page, a PDF, an electronic invoice.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use shared::{
    domain::Timestamp,
    http::{Response, StatusCode, header, respond, with_header},
    ports::Tenant,
    problem::Problem,
    route::Call,
};

use super::{Bill, BillState, close, handle::find, line::BillLine};
use crate::{
    customer::Collection,
    document,
    einvoice::{self, Header, Profile, Syntax, Violation},
    entity::Party,
    invoice::State,
    period::{Period, Zone},
    tax::Category,
};

/// Reads it as a document.
pub async fn get(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let bill = find(at, call).await?;
    let parties = close::Parties::of(at, &bill.customer).await?;
    let profile = match call.query("profile").as_deref() {
        None | Some("en16931") => Profile::En16931,
        Some("xrechnung") => Profile::XRechnung,
        Some("peppol") => Profile::Peppol,
        Some(_) => return Err(Problem::unfitting("profile", "en16931, xrechnung or peppol")),
    };
    let printed = printed(&bill, &parties, profile)?;
    match call.query("format").as_deref() {
        None | Some("html") => page(&printed),
        Some("pdf") => pdf(&bill, &printed),
        Some("cii") => xml(&bill, &printed, Syntax::Cii),
        Some("ubl") => xml(&bill, &printed, Syntax::Ubl),
        Some(_) => Err(Problem::unfitting("format", "html, pdf, cii or ubl")),
    }
}

fn page(it: &document::Invoice) -> Result<Response, Problem> {
    let text = document::html(it).map_err(broken)?;
    let response = respond(StatusCode::OK, "text/html; charset=utf-8", text);
    Ok(with_header(response, header::CONTENT_SECURITY_POLICY, &document::policy()))
}

fn pdf(bill: &Bill, it: &document::Invoice) -> Result<Response, Problem> {
    let bytes = document::pdf(it).map_err(broken)?;
    Ok(named(respond(StatusCode::OK, "application/pdf", bytes), bill, "pdf"))
}

fn xml(bill: &Bill, it: &document::Invoice, syntax: Syntax) -> Result<Response, Problem> {
    if bill.state == BillState::Draft {
        let why = "a draft is no electronic invoice: finalise it first";
        return Err(super::credit::wrong_state(why));
    }
    let text = einvoice::write(syntax, &it.header, &it.document).map_err(refused)?;
    Ok(named(respond(StatusCode::OK, "application/xml", text), bill, "xml"))
}

fn refused(all: Vec<Violation>) -> Problem {
    let words: Vec<_> = all.iter().map(|it| format!("{}: {}", it.rule, it.text)).collect();
    let kind = "/problems/billing/no-electronic-invoice";
    Problem::new(StatusCode::CONFLICT, kind, "It cannot be an electronic invoice")
        .detail(words.join("; "))
}

fn broken(err: document::Error) -> Problem {
    Problem::internal().caused_by(err.to_string())
}

fn named(response: Response, bill: &Bill, suffix: &str) -> Response {
    let value = format!("inline; filename=\"{}\"", name(bill, suffix));
    with_header(response, header::CONTENT_DISPOSITION, &value)
}

/// What the file is called.
pub fn name(bill: &Bill, suffix: &str) -> String {
    let name = bill.number.as_deref().unwrap_or("draft").replace('/', "-");
    format!("{name}.{suffix}")
}

/// A bill as it is mailed.
pub struct Drawn {
    /// The PDF: the bytes that [`get`] answers with at this moment.
    pub pdf: Vec<u8>,
    /// What a mail says of it.
    pub said: document::Said,
}

/// Draws it.
///
/// # Errors
/// When its parties are gone, or it cannot be drawn.
pub async fn drawn(at: &impl Tenant, bill: &Bill) -> Result<Drawn, Problem> {
    let parties = close::Parties::of(at, &bill.customer).await?;
    let printed = printed(bill, &parties, Profile::En16931)?;
    let pdf = document::pdf(&printed).map_err(broken)?;
    Ok(Drawn { pdf, said: document::said(&printed, bill.left()).map_err(broken)? })
}

/// The document of a bill. A draft shows who is on it now; what has a number shows who was.
fn printed(
    bill: &Bill,
    parties: &close::Parties,
    profile: Profile,
) -> Result<document::Invoice, Problem> {
    let zone = parties.entity.zone;
    let mut priced = bill.clone();
    if bill.state == BillState::Draft {
        close::price(parties, &mut priced)?;
    }
    let document = priced.document().map_err(super::draft::too_large)?;
    let totals = document.totals().map_err(super::draft::too_large)?;
    let seller = bill.seller.as_ref().unwrap_or(&parties.entity.party);
    let buyer = bill.buyer.as_ref().unwrap_or(&parties.customer.party);
    let references = bill.references.clone().unwrap_or_else(|| close::references(parties));
    let issued = day(bill.finalised_at.unwrap_or(bill.created_at), zone);
    let transfers = bill.collection == Collection::SendInvoice;
    let lines = bill.lines.iter().enumerate();
    let periods = lines.filter_map(|(at, it)| Some(((at + 1).to_string(), days(it.period?, zone))));
    let header = Header {
        profile,
        number: bill.number.clone().unwrap_or_default(),
        issued,
        due: bill.due_at.map(|it| day(it, zone)),
        terms: None,
        note: bill.note.clone().or(references.note),
        buyer_reference: references.buyer_reference,
        order: references.order,
        period: bill.period.map(|it| days(it, zone)),
        periods: periods.collect(),
        delivered: bill.period.is_none().then_some(issued),
        preceding: bill.preceding.as_ref().map(|it| (it.number.clone(), day(it.at, zone))),
        iban: references.iban.filter(|_| transfers),
        exemptions: exemptions(&priced),
        seller_tax_id: seller.tax_id.clone(),
        seller: party(seller, None),
        buyer: party(buyer, references.endpoint),
    };
    Ok(document::Invoice {
        header,
        document,
        totals,
        locale: bill.locale.clone(),
        state: state(bill.state),
        paid_at: bill.paid_at.map(|it| day(it, zone)),
    })
}

/// Why lines are exempt, by their numbers.
fn exemptions(bill: &Bill) -> BTreeMap<String, String> {
    let exempt = |(line, number): (&BillLine, usize)| {
        let how = bill.tax_of(line);
        let is_exempt = how.category == Category::Exempt.code();
        Some((number.to_string(), how.text.filter(|_| is_exempt)?))
    };
    bill.lines.iter().zip(1..).filter_map(exempt).collect()
}

fn party(it: &Party, endpoint: Option<(String, String)>) -> einvoice::Party {
    let contact = it.contact.as_ref().map(|it| einvoice::Contact {
        name: it.name.clone(),
        phone: it.phone.clone(),
        mail: it.mail.clone(),
    });
    einvoice::Party {
        name: it.name.clone(),
        street: it.street.clone(),
        city: it.city.clone(),
        postcode: it.postcode.clone(),
        country: it.country.clone(),
        vat_id: it.vat_id.clone(),
        legal_id: it.legal_id.clone(),
        endpoint,
        contact,
    }
}

fn state(it: BillState) -> State {
    match it {
        BillState::Draft => State::Draft,
        BillState::Open => State::Finalised,
        BillState::Paid => State::Paid,
        BillState::Void => State::Void,
        BillState::Uncollectible => State::Uncollectible,
    }
}

fn day(at: Timestamp, zone: Zone) -> NaiveDate {
    zone.local(at).date()
}

/// The first and the last day of a period, which ends before its last moment.
fn days(it: Period, zone: Zone) -> (NaiveDate, NaiveDate) {
    (day(it.from, zone), day(Timestamp((it.to.0 - 1).max(it.from.0)), zone))
}
