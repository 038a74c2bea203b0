//! Pages and PDFs: the same as the kept ones, and what must and must not be in them.
//!
//! The kept files in fixtures/billing/documents are read by other programs; check.py beside them
//! says which.

use std::{collections::BTreeMap, fs, path::PathBuf};

use proptest::prelude::*;

use super::*;
use crate::{
    einvoice::{Contact, Party, Profile},
    invoice::{Adjustment, Kind, Line, Vat},
    money::Currency,
    tax::{Category, Rate, SMALL_ENTERPRISE},
};

fn day(month: u32, day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, month, day).unwrap()
}

fn vat(code: &str, rate: u32) -> Vat {
    Vat { category: Category::parse(code).unwrap(), rate: Rate::new(rate).unwrap() }
}

fn line(id: usize, name: &str, quantity: i64, unit: &str, price: i64, vat: Vat) -> Line {
    let (id, name, unit) = (id.to_string(), name.to_owned(), unit.to_owned());
    Line { id, name, quantity, unit, price, adjustments: vec![], vat }
}

fn adjustment(is_charge: bool, amount: i64, reason: &str, vat: Vat) -> Adjustment {
    Adjustment { is_charge, amount, reason: reason.to_owned(), vat }
}

fn seller() -> Party {
    Party {
        name: "Acme Werkzeuge GmbH".to_owned(),
        street: Some("Hauptstraße 1".to_owned()),
        city: Some("Berlin".to_owned()),
        postcode: Some("10115".to_owned()),
        country: "DE".to_owned(),
        vat_id: Some("DE123456789".to_owned()),
        legal_id: Some("HRB 12345 B".to_owned()),
        endpoint: Some(("EM".to_owned(), "billing@example.com".to_owned())),
        contact: Some(Contact {
            name: "Buchhaltung".to_owned(),
            phone: "+49 30 1234567".to_owned(),
            mail: "billing@example.com".to_owned(),
        }),
    }
}

fn buyer(name: &str, country: &str, vat_id: &str) -> Party {
    Party {
        name: name.to_owned(),
        street: Some("Παπάγου 7".to_owned()),
        city: Some("София".to_owned()),
        postcode: Some("1000".to_owned()),
        country: country.to_owned(),
        vat_id: Some(vat_id.to_owned()),
        ..Party::default()
    }
}

fn header() -> Header {
    Header {
        profile: Profile::XRechnung,
        number: "ACME-2026-000042".to_owned(),
        issued: day(11, 1),
        due: Some(day(11, 15)),
        terms: Some("Ohne Abzug.\nBei Verzug fallen Zinsen an.".to_owned()),
        note: Some("Vielen Dank & <auf bald>".to_owned()),
        buyer_reference: Some("04011000-12345-03".to_owned()),
        order: Some("PO-7".to_owned()),
        period: Some((day(10, 1), day(10, 31))),
        periods: BTreeMap::from([("1".to_owned(), (day(10, 1), day(10, 31)))]),
        delivered: None,
        preceding: None,
        iban: Some("DE75512108001245126199".to_owned()),
        exemptions: BTreeMap::new(),
        seller_tax_id: None,
        seller: seller(),
        buyer: buyer("Käufer & Söhne <AG>", "AT", "ATU12345678"),
    }
}

/// The reasons of the lines 1, 2, …
fn exempt(reasons: &[&str]) -> BTreeMap<String, String> {
    let reason = |(id, it): (usize, &&str)| (id.to_string(), (*it).to_owned());
    (1..).zip(reasons).map(reason).collect()
}

fn document(lines: Vec<Line>) -> Document {
    let (kind, currency) = (Kind::Invoice, Currency::EUR);
    Document {
        kind,
        currency,
        lines,
        adjustments: vec![],
        prepaid: 0,
        round: 0,
        taxes: BTreeMap::new(),
    }
}

fn taxed() -> Document {
    let (full, low) = (vat("S", 1_900), vat("S", 700));
    let mut seats = line(1, "Plan \"Pro\", Plätze", 12_000, "MON", 19_990_000, full);
    seats.adjustments = vec![adjustment(false, 1_500, "Jahresrabatt", full)];
    let name = "Aufrufe der Schnittstelle über das Kontingent hinaus, gemessen und auf volle \
                Tausend abgerundet";
    let usage = line(2, name, 1_234_567, "C62", 12_500, full);
    let lines =
        vec![seats, usage, line(3, "Handbuch, zurückgegeben", -1_000, "C62", 5_000_000, low)];
    let adjustments = vec![adjustment(false, 1_000, "Treue", full)];
    Document { adjustments, prepaid: 5_000, ..document(lines) }
}

/// Two rates, the rate zero, and what is exempt for two reasons.
fn mixed() -> Document {
    let items = [
        ("Plan \"Pro\"", vat("S", 1_900)),
        ("Handbuch, gedruckt", vat("S", 700)),
        ("Einführungskurs", vat("E", 0)),
        ("Photovoltaik-Modul", vat("Z", 0)),
        ("Arbeitsmedizinische Beratung", vat("E", 0)),
    ];
    let item = |(id, (name, vat)): (usize, (&str, Vat))| {
        let price = 12_350_000 * i64::try_from(id).unwrap();
        line(id, name, 1_000, "C62", price, vat)
    };
    document((1..).zip(items).map(item).collect())
}

/// Why the third and the fifth line are exempt.
fn two_reasons() -> BTreeMap<String, String> {
    let all = [("3", "§ 4 Nr. 21 UStG: Bildung"), ("5", "§ 4 Nr. 14 UStG: Heilbehandlung")];
    all.map(|(id, reason)| (id.to_owned(), reason.to_owned())).into()
}

fn many() -> Document {
    let item = |id| {
        line(id, &format!("Plaza n.º {id} de la cuenta"), 1_500, "HUR", 12_340_000, vat("S", 2_100))
    };
    document((1..=90).map(item).collect())
}

fn invoice(locale: &str, header: Header, document: Document) -> Invoice {
    let totals = document.totals().unwrap();
    let (locale, state, paid_at) = (locale.to_owned(), State::Finalised, None);
    Invoice { header, document, totals, locale, state, paid_at }
}

/// The name of a kept page and PDF, and what it is made of.
fn cases() -> Vec<(&'static str, Invoice)> {
    let one =
        |code, name: &str| document(vec![line(1, name, 1_000, "C62", 490_000_000, vat(code, 0))]);
    let plain = || Header { note: None, terms: Some("30 days".to_owned()), ..header() };
    let abroad = Header { profile: Profile::Peppol, ..plain() };
    let before = Some(("ACME-2026-000042".to_owned(), day(11, 1)));
    let number = "ACME-2026-000043".to_owned();
    let small = Header { exemptions: exempt(&[SMALL_ENTERPRISE]), ..plain() };
    let credit = Header { number, preceding: before, iban: None, ..header() };
    vec![
        ("open", invoice("de-DE", header(), taxed())),
        (
            "paid",
            Invoice {
                state: State::Paid,
                paid_at: Some(day(11, 3)),
                ..invoice("en", abroad, one("AE", "Consulting"))
            },
        ),
        ("credit-note", invoice("fr", credit, taxed().credit().unwrap())),
        ("mixed", invoice("de", Header { exemptions: two_reasons(), ..plain() }, mixed())),
        ("many-lines", invoice("es", plain(), many())),
        ("small-enterprise", invoice("it", small, one("E", "Consulenza"))),
        ("draft", Invoice { state: State::Draft, ..invoice("nl", plain(), one("AE", "Advies")) }),
    ]
}

fn case(name: &str) -> Invoice {
    cases().into_iter().find(|it| it.0 == name).unwrap().1
}

/// Compares with the kept file, or keeps it.
fn keep(name: &str, written: &[u8]) {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/billing/documents");
    let file = folder.join(name);
    if std::env::var_os("UPDATE").is_some() {
        fs::create_dir_all(&folder).unwrap();
        fs::write(&file, written).unwrap();
    }
    assert!(written == fs::read(&file).unwrap(), "{name} is not the kept one");
}

#[test]
fn documents_are_written_as_the_kept_ones() {
    for (name, invoice) in cases() {
        keep(&format!("{name}.html"), html(&invoice).unwrap().as_bytes());
        keep(&format!("{name}.pdf"), &pdf(&invoice).unwrap());
    }
}

#[test]
fn an_invoice_carries_its_xml_and_a_draft_does_not() {
    for (name, invoice) in cases() {
        let printed = print(&invoice).unwrap();
        let text = String::from_utf8_lossy(&printed.bytes).into_owned();

        assert_eq!(printed.violations, []);
        let is_electronic = name != "draft";
        assert_eq!(text.contains("fx:ConformanceLevel"), is_electronic, "{name}");
        assert_eq!(text.contains("/AFRelationship/Alternative"), is_electronic, "{name}");
    }
}

#[test]
fn what_breaks_a_rule_is_printed_without_xml_and_says_why() {
    let mut dinar = case("paid");
    dinar.document.currency = Currency::parse("KWD").unwrap();
    let mut other = case("open");
    other.totals.tax += 1;

    for (invoice, rule) in [(dinar, "BR-DEC-01"), (other, "BR-CO-17")] {
        let printed = print(&invoice).unwrap();
        let rules: Vec<_> = printed.violations.iter().map(|it| it.rule).collect();
        assert_eq!(rules, [rule]);
        assert!(!String::from_utf8_lossy(&printed.bytes).contains("fx:ConformanceLevel"));
    }
}

#[test]
fn a_character_that_the_font_lacks_is_told() {
    let mut invoice = case("open");
    assert_eq!(print(&invoice).unwrap().missing, BTreeSet::new());

    invoice.header.buyer.name = "東京 Ltd".to_owned();
    assert_eq!(print(&invoice).unwrap().missing, BTreeSet::from(['東', '京']));
}

#[test]
fn the_words_of_all_languages_are_in_the_font() {
    let mut fonts = paper::font::Fonts::new().unwrap();
    for words in &super::words::ALL {
        fonts.regular.encode(&format!("{words:?}"));
        fonts.bold.encode(&format!("{words:?}"));
    }
    assert_eq!(fonts.missing(), BTreeSet::new());
}

#[test]
fn the_page_escapes_and_has_no_script_and_no_other_style() {
    let page = html(&case("open")).unwrap();

    assert!(page.contains("Käufer &#38; Söhne &#60;AG&#62;"), "{page}");
    assert!(!page.contains("<AG>") && !page.contains("<auf bald>"));
    for word in ["<script", " style=", " src=", " onclick", "http"] {
        assert!(!page.contains(word), "{word}");
    }
    let style = page.split("<style>").nth(1).unwrap().split("</style>").next().unwrap();
    let hash = <sha2::Sha256 as sha2::Digest>::digest(style);
    assert!(policy().contains(&data_encoding::BASE64.encode(&hash)));
}

#[test]
fn each_language_tells_why_there_is_no_tax() {
    for (locale, text) in [
        ("en", "Reverse charge"),
        ("de", "Steuerschuldnerschaft des Leistungsempfängers"),
        ("fr", "Autoliquidation"),
        ("es", "Inversión del sujeto pasivo"),
        ("it", "Inversione contabile"),
        ("nl", "Btw verlegd"),
    ] {
        let invoice = Invoice { locale: locale.to_owned(), ..case("paid") };
        let page = html(&invoice).unwrap();
        assert!(page.contains(text) && page.contains(&format!("lang=\"{locale}\"")), "{locale}");
    }
    assert!(html(&case("small-enterprise")).unwrap().contains("piccola impresa"));
    let own = Header { exemptions: exempt(&["Education"]), ..case("small-enterprise").header };
    let own = Invoice { header: own, ..case("small-enterprise") };
    assert!(html(&own).unwrap().contains("<p>Education</p>"));
}

#[test]
fn each_rate_is_told_and_each_line_says_why_it_is_exempt() {
    let page = html(&case("mixed")).unwrap();

    for rate in ["19\u{a0}%", "7\u{a0}%", "0\u{a0}%"] {
        // On its line, and with what all of them come to.
        assert_eq!(page.matches(&format!(">{rate}<")).count(), 1, "{rate}");
        assert_eq!(page.matches(&format!("USt {rate} auf")).count(), 1, "{rate}");
    }
    for reason in two_reasons().values() {
        assert_eq!(page.matches(reason.as_str()).count(), 2, "{reason}");
    }
    // Where there is one, it is said once.
    let one = Header { exemptions: exempt(&["A", "A", "A"]), ..case("mixed").header };
    let page = html(&Invoice { header: one, ..case("mixed") }).unwrap();
    assert_eq!(page.matches(">A<").count(), 1);
}

#[test]
fn a_country_is_named_in_the_language_of_the_reader() {
    let mut invoice = case("open");
    assert!(html(&invoice).unwrap().contains("Österreich"));

    invoice.header.buyer.country = "JP".to_owned();
    assert!(html(&invoice).unwrap().contains("<br>JP<br>"));
}

#[test]
fn only_what_is_owed_in_euro_has_a_code_to_pay() {
    let has_code = |invoice: &Invoice| html(invoice).unwrap().contains("<svg");
    let open = case("open");
    let mut pounds = open.clone();
    pounds.document.currency = Currency::parse("GBP").unwrap();

    assert!(has_code(&open));
    assert!(has_code(&Invoice { state: State::Uncollectible, ..open.clone() }));
    for state in [State::Draft, State::Paid, State::Void] {
        assert!(!has_code(&Invoice { state, ..open.clone() }), "{state:?}");
    }
    assert!(!has_code(&pounds) && !has_code(&case("credit-note")));
}

#[test]
fn what_cannot_be_calculated_is_refused() {
    let mut large = case("open");
    large.document.lines[0].quantity = i64::MAX;
    large.document.lines[0].price = i64::MAX;
    assert!(matches!(print(&large), Err(Error::Document(invoice::Error::TooLarge))));

    let mut long = case("open");
    long.document.lines = vec![long.document.lines[0].clone(); invoice::LINES_MAX + 1];
    assert!(matches!(html(&long), Err(Error::Document(invoice::Error::BadLineCount))));

    let note = |chars| Header { note: Some("x ".repeat(chars / 2)), ..header() };
    let long = |chars| Invoice { header: note(chars), ..case("open") };
    assert!(matches!(print(&long(TEXT_CHARS_MAX)), Err(Error::TooLong)));
    assert!(print(&long(TEXT_CHARS_MAX - 1_000)).is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn no_text_breaks_a_page_or_a_pdf(text in any::<String>(), long in "[a-z ]{0,3000}") {
        let mut invoice = case("open");
        invoice.header.number = text.clone();
        invoice.header.note = Some(long.clone());
        invoice.header.buyer.name = text.clone();
        invoice.header.seller.name = long;
        invoice.document.lines[0].name = text.repeat(50);
        invoice.locale = text;

        let page = html(&invoice).unwrap();
        prop_assert_eq!(page.matches("</main>").count(), 1);
        let printed = print(&invoice).unwrap();
        prop_assert!(printed.bytes.ends_with(b"%%EOF"));
        prop_assert_eq!(printed, print(&invoice).unwrap());
    }
}
