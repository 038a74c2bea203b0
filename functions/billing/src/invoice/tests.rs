//! Documents that others published, and properties of all documents.

use proptest::prelude::*;
use serde::Deserialize;

use super::*;
use crate::tax::{Category, Rate};

const PUBLISHED: &str = include_str!("../../../../fixtures/billing/invoices.json");

#[derive(Deserialize)]
struct Example {
    source: String,
    currency: String,
    lines: Vec<GivenLine>,
    adjustments: Vec<GivenAdjustment>,
    prepaid: i64,
    expected: Expected,
}

#[derive(Deserialize)]
struct GivenLine {
    quantity: i64,
    price: i64,
    adjustments: Vec<i64>,
    category: String,
    rate: u32,
}

#[derive(Deserialize)]
struct GivenAdjustment {
    amount: i64,
    category: String,
    rate: u32,
}

#[derive(Deserialize)]
struct Expected {
    lines: i64,
    allowances: i64,
    charges: i64,
    net: i64,
    tax: i64,
    gross: i64,
    due: i64,
    subtotals: Vec<(String, u32, i64, i64)>,
}

fn vat(category: &str, rate: u32) -> Vat {
    Vat { category: Category::parse(category).unwrap(), rate: Rate::new(rate).unwrap() }
}

fn adjustment(signed: i64, vat: Vat) -> Adjustment {
    Adjustment { is_charge: signed > 0, amount: signed.abs(), reason: "because".into(), vat }
}

fn document(example: &Example) -> Document {
    let lines = example.lines.iter().zip(1..).map(|(it, id)| {
        let vat = vat(&it.category, it.rate);
        let adjustments = it.adjustments.iter().map(|signed| adjustment(*signed, vat)).collect();
        let (id, name, unit) = (format!("{id}"), "a thing".into(), "C62".into());
        Line { id, name, quantity: it.quantity, unit, price: it.price, adjustments, vat }
    });
    let adjustments = example.adjustments.iter();
    Document {
        kind: Kind::Invoice,
        currency: Currency::parse(&example.currency).unwrap(),
        lines: lines.collect(),
        adjustments: adjustments
            .map(|it| adjustment(it.amount, vat(&it.category, it.rate)))
            .collect(),
        prepaid: example.prepaid,
        round: 0,
        taxes: BTreeMap::new(),
    }
}

#[test]
fn published_documents_have_their_totals() {
    let examples: Vec<Example> = serde_json::from_str(PUBLISHED).unwrap();
    assert!(examples.len() >= 4);
    for example in examples {
        let totals = document(&example).totals().unwrap();
        let (it, source) = (&example.expected, &example.source);

        assert_eq!(totals.lines, it.lines, "{source}");
        assert_eq!((totals.allowances, totals.charges), (it.allowances, it.charges), "{source}");
        assert_eq!((totals.net, totals.tax), (it.net, it.tax), "{source}");
        assert_eq!((totals.gross, totals.due), (it.gross, it.due), "{source}");
        let subtotals = totals.subtotals.iter().map(|it| {
            (it.vat.category.code().to_owned(), it.vat.rate.hundredths(), it.base, it.tax)
        });
        assert_eq!(subtotals.collect::<Vec<_>>(), it.subtotals, "{source}");
    }
}

#[test]
fn a_document_that_breaks_a_rule_is_refused() {
    let examples: Vec<Example> = serde_json::from_str(PUBLISHED).unwrap();
    let good = document(&examples[0]);
    let with = |change: &dyn Fn(&mut Document)| {
        let mut bad = good.clone();
        change(&mut bad);
        bad.totals().unwrap_err()
    };

    assert_eq!(with(&|it| it.lines.clear()), Error::BadLineCount);
    assert_eq!(with(&|it| it.lines[1].id = "1".into()), Error::BadLineId("1".into()));
    assert_eq!(with(&|it| it.lines[0].price = -1), Error::NegativePrice("1".into()));
    assert_eq!(with(&|it| it.adjustments[0].amount = 0), Error::BadAdjustment);
    assert_eq!(with(&|it| it.prepaid = -1), Error::BadPrepaid);
    assert_eq!(with(&|it| it.round = i64::MAX), Error::TooLarge);
    let rate = Error::BadRate { category: "AE", rate: 1_900 };
    assert_eq!(with(&|it| it.lines[0].vat = vat2(Category::ReverseCharge, 1_900)), rate);
    let mixed = with(&|it| it.lines[0].vat = vat("O", 0));
    assert_eq!(mixed, Error::MixedOutOfScope);
    let huge = with(&|it| (it.lines[0].price, it.lines[0].quantity) = (i64::MAX, i64::MAX));
    assert_eq!(huge, Error::TooLarge);
}

#[test]
fn a_tax_that_is_told_is_near_what_it_is_by_its_rate() {
    let examples: Vec<Example> = serde_json::from_str(PUBLISHED).unwrap();
    let plain = document(&examples[0]);
    let all = plain.totals().unwrap();
    let told = |off: i64| {
        let taxes = all.subtotals.iter().map(|it| (it.vat, it.tax + off)).take(1).collect();
        Document { taxes, ..plain.clone() }.totals()
    };

    let near = told(-3).unwrap();

    assert_eq!((near.net, near.tax, near.gross), (all.net, all.tax - 3, all.gross - 3));
    assert_eq!(told(0).unwrap(), all);
    assert_eq!([told(4), told(i64::MAX / 2)], [Err(Error::BadTax), Err(Error::BadTax)]);
}

fn vat2(category: Category, rate: u32) -> Vat {
    Vat { category, rate: Rate::new(rate).unwrap() }
}

#[test]
fn some_lines_are_credited_and_unknown_ones_are_not() {
    let examples: Vec<Example> = serde_json::from_str(PUBLISHED).unwrap();
    let invoice = document(&examples[0]);

    let part = invoice.credit_lines(&["1"]).unwrap();

    assert_eq!(part.totals().unwrap().lines, invoice.lines[0].net().unwrap());
    assert!(part.adjustments.is_empty());
    assert_eq!(invoice.credit_lines(&["1", "99"]), Err(Error::UnknownLine("99".into())));
    assert_eq!(invoice.credit_lines(&[]), Err(Error::UnknownLine(String::new())));
    assert_eq!(part.credit(), Err(Error::NotAnInvoice));
}

fn any_vat() -> impl Strategy<Value = Vat> {
    prop_oneof![Just(vat("S", 1_900)), Just(vat("S", 550)), Just(vat("AE", 0)), Just(vat("E", 0))]
}

fn any_line() -> impl Strategy<Value = Line> {
    let signed = prop::collection::vec((1i64..5_000, any::<bool>()), 0..3);
    (-100_000i64..100_000, 0i64..50_000_000, signed, any_vat()).prop_map(
        |(quantity, price, adjustments, vat)| Line {
            id: String::new(),
            name: "a thing".into(),
            quantity,
            unit: "C62".into(),
            price,
            adjustments: adjustments
                .into_iter()
                .map(|(it, up)| adjustment(if up { it } else { -it }, vat))
                .collect(),
            vat,
        },
    )
}

fn any_document() -> impl Strategy<Value = Document> {
    let adjustments = prop::collection::vec((1i64..5_000, any::<bool>(), any_vat()), 0..4);
    (prop::collection::vec(any_line(), 1..12), adjustments, 0i64..10_000).prop_map(
        |(mut lines, adjustments, prepaid)| {
            lines.iter_mut().zip(1..).for_each(|(it, id)| it.id = format!("{id}"));
            let adjustments = adjustments.into_iter();
            Document {
                kind: Kind::Invoice,
                currency: Currency::EUR,
                lines,
                adjustments: adjustments
                    .map(|(it, up, vat)| adjustment(if up { it } else { -it }, vat))
                    .collect(),
                prepaid,
                round: 0,
                taxes: BTreeMap::new(),
            }
        },
    )
}

proptest! {
    #[test]
    fn the_parts_add_up_to_the_whole(document in any_document()) {
        let all = document.totals().unwrap();

        let bases: i64 = all.subtotals.iter().map(|it| it.base).sum();
        let taxes: i64 = all.subtotals.iter().map(|it| it.tax).sum();
        let lines: i64 = document.lines.iter().map(|it| it.net().unwrap()).sum();
        prop_assert_eq!(all.lines, lines);
        prop_assert_eq!(all.net, lines - all.allowances + all.charges);
        prop_assert_eq!((bases, taxes), (all.net, all.tax));
        prop_assert_eq!(all.gross, all.net + all.tax);
        prop_assert_eq!(all.due, all.gross - document.prepaid);
        let each = document.totals_rounded(Rounding::PerLine).unwrap();
        let amounts = (document.lines.len() + document.adjustments.len()) as i64;
        prop_assert!((each.tax - all.tax).abs() <= amounts);
    }

    #[test]
    fn the_order_of_lines_does_not_matter(document in any_document(), turn in 0usize..12) {
        let mut turned = document.clone();
        let by = turn % turned.lines.len();
        turned.lines.rotate_left(by);
        turned.lines.reverse();
        turned.adjustments.reverse();

        prop_assert_eq!(turned.totals(), document.totals());
    }

    #[test]
    fn a_credit_note_mirrors_its_invoice(document in any_document()) {
        let note = document.credit().unwrap();

        let (whole, back) = (document.totals().unwrap(), note.totals().unwrap());
        prop_assert_eq!(document.kind.sign() * whole.gross + note.kind.sign() * back.gross, 0);
        prop_assert_eq!(whole.subtotals, back.subtotals);
        let ids: Vec<_> = document.lines.iter().map(|it| it.id.clone()).collect();
        let (left, right) = ids.split_at(ids.len() / 2);
        let part = |ids: &[String]| {
            let ids: Vec<_> = ids.iter().map(String::as_str).collect();
            document.credit_lines(&ids).map_or(0, |it| it.totals().unwrap().lines)
        };
        prop_assert_eq!(part(left) + part(right), whole.lines);
    }
}
