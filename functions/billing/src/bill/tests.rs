//! What is taxed at several rates, as a whole and taken back in parts.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::json;
use shared::domain::Timestamp;

use super::{close::Parties, taken::Taken, *};
use crate::{
    ledger::{Event, Sale},
    tax::{Category, Rate},
};

const CLASSES: [&str; 5] = ["books", "food", "school", "clinic", "zero"];

fn parties(seller: &str, buyer: &str, is_business: bool) -> Parties {
    let exempt = |reason: &str| json!({"elsewhere": {"kind": "exempt", "reason": reason}});
    let reduced = |de: u32, fr: u32| {
        let rate = |it: u32| json!({"kind": "reduced", "rate_hundredths": it});
        json!({"places": {"DE": rate(de), "FR": rate(fr)}})
    };
    let classes = json!({
        "books": reduced(700, 550), "food": reduced(700, 1_000), "school": exempt("Education"),
        "clinic": exempt("Health"), "zero": {"elsewhere": {"kind": "zero"}},
    });
    let entity = json!({
        "name": "default", "party": {"name": "Tea", "country": seller}, "tax_classes": classes,
        "vat": {"taxes_at_destination": true, "has_oss": true},
        "invoice_number": "{counter}", "credit_note_number": "{counter}", "zone": "UTC",
        "net_days": 14, "draft_hours": 1, "proration": {}, "precision": "second", "portal": {},
        "dunning": {"retry_days": [1], "grace_days": 1, "last": "cancel"}, "updated_at": "2030-01-01T00:00:00Z",
    });
    let vat_id = is_business.then(|| format!("{buyer}123456789"));
    let vat_id = vat_id.map(|it| if buyer == "FR" { "FR12123456789".to_owned() } else { it });
    let customer = json!({
        "id": "acme", "email": "a@example.com", "locale": "en", "zone": "UTC", "entity": "default",
        "party": {"name": "Acme", "country": buyer, "vat_id": vat_id}, "collection": "send_invoice",
        "vat_id_checked_at": is_business.then_some("2030-01-01T00:00:00Z"),
        "updated_at": "2030-01-01T00:00:00Z",
    });
    Parties {
        entity: serde_json::from_value(entity).unwrap(),
        customer: serde_json::from_value(customer).unwrap(),
    }
}

fn bill(lines: Vec<BillLine>) -> Bill {
    let bill = json!({
        "id": "inv_1", "kind": "invoice", "customer": "acme", "entity": "default", "state": "draft",
        "currency": "EUR", "lines": [], "paid": 0, "credited": 0, "refunded": 0,
        "totals": {"net": 0, "tax": 0, "gross": 0, "prepaid": 0, "due": 0},
        "collection": "send_invoice", "locale": "en", "created_at": "2030-01-01T00:00:00Z",
    });
    Bill { lines, ..serde_json::from_value(bill).unwrap() }
}

fn line(amount: i64, class: Option<&str>) -> BillLine {
    BillLine::one("It".to_owned(), amount, None).of_class(class.map(str::to_owned))
}

fn priced(parties: &Parties, lines: Vec<BillLine>) -> Bill {
    let mut bill = bill(lines);
    close::price(parties, &mut bill).unwrap();
    bill
}

/// Category, rate, base and tax of each.
fn told(bill: &Bill) -> Vec<(String, u32, i64, i64)> {
    let of = |it: &TaxSum| (it.how.category.clone(), it.how.rate_hundredths, it.base, it.tax);
    bill.taxes.iter().map(of).collect()
}

#[test]
fn each_line_is_taxed_by_its_class_and_the_bill_says_what_each_tax_comes_to() {
    let lines = || vec![line(1_000, None), line(500, Some("books")), line(300, Some("school"))];

    let home = priced(&parties("DE", "DE", false), lines());
    let abroad = priced(&parties("DE", "FR", false), lines());
    let business = priced(&parties("DE", "FR", true), lines());
    let outside = priced(&parties("DE", "US", false), lines());

    let sums = |std, low, tax, low_tax| {
        [("S", low, 500, low_tax), ("S", std, 1_000, tax), ("E", 0, 300, 0)]
            .map(|(code, rate, base, tax)| (code.to_owned(), rate, base, tax))
    };
    assert_eq!(told(&home), sums(1_900, 700, 190, 35));
    assert_eq!(told(&abroad), sums(2_000, 550, 200, 28));
    assert_eq!((home.totals.tax, home.totals.gross), (225, 2_025));
    assert!(home.lines[0].tax.is_none() && home.tax.unwrap().rate_hundredths == 1_900);
    let reason = home.lines[2].tax.as_ref().and_then(|it| it.text.as_deref());
    assert_eq!(reason, Some("Education"));
    // Whose buyer owes the tax, or who is outside, has one treatment, whatever the classes say.
    for (bill, code) in [(business, "AE"), (outside, "O")] {
        assert_eq!((bill.tax.unwrap().category.as_str(), bill.totals.tax), (code, 0));
        assert!(bill.taxes.is_empty() && bill.lines.iter().all(|it| it.tax.is_none()));
    }
}

#[test]
fn what_is_all_of_one_class_is_told_as_what_is_of_none() {
    let books = priced(&parties("DE", "DE", false), vec![line(100, Some("books")); 2]);

    let tax = books.tax.as_ref().unwrap();
    assert_eq!((tax.rate_hundredths, books.totals.tax), (700, 14));
    assert!(books.taxes.is_empty() && books.lines.iter().all(|it| it.tax.is_none()));
}

#[test]
fn a_class_that_the_entity_lacks_is_never_the_standard_rate() {
    for (buyer, is_business) in [("DE", false), ("FR", true), ("US", false)] {
        let mut draft = bill(vec![line(100, None), line(100, Some("tea"))]);

        let problem = close::price(&parties("DE", buyer, is_business), &mut draft).unwrap_err();

        let why = "tax_class: the entity default has no tax class tea: put it there first";
        assert_eq!(problem.words(), why);
    }
}

#[test]
fn a_bill_that_was_kept_before_there_were_classes_is_read_and_added_up_as_it_was() {
    let kept = json!({
        "id": "inv_1", "kind": "invoice", "customer": "acme", "entity": "default",
        "number": "2030-1", "state": "open", "currency": "EUR",
        "lines": [{"name": "Tea", "quantity": 3, "unit_amount": 333, "amount": 999}],
        "tax": {"category": "S", "rate_hundredths": 1900, "place": "DE", "by_oss": false},
        "totals": {"net": 999, "tax": 190, "gross": 1189, "prepaid": 0, "due": 1189},
        "paid": 0, "credited": 0, "refunded": 0, "collection": "send_invoice", "locale": "en",
        "deferred": 0, "created_at": "2030-01-01T00:00:00.000Z", "version": 1,
    });

    let bill: Bill = serde_json::from_value(kept.clone()).unwrap();
    let totals = bill.document().unwrap().totals().unwrap();

    assert_eq!(json!(bill), kept);
    assert_eq!((totals.net, totals.tax, totals.gross), (999, 190, 1_189));
    let note = noted(&bill, &Taken::of(&bill, 119).unwrap());
    assert_eq!((note.totals.net, note.totals.tax, note.taxes.len()), (100, 19, 0));
}

#[test]
fn what_is_owed_is_told_by_what_it_comes_to_with_tax() {
    let at = parties("DE", "DE", false);

    // 10.00 at 19 % in place of 10.50 at 7 %, and the other way round.
    let dearer = priced(&at, vec![line(-1_050, Some("books")), line(1_000, None)]);
    let cheaper = priced(&at, vec![line(-1_000, None), line(1_050, Some("books"))]);

    assert_eq!((dearer.kind, cheaper.kind), (BillKind::Invoice, BillKind::CreditNote));
    assert_eq!((dearer.totals.net, dearer.totals.tax, dearer.totals.gross), (-50, 116, 66));
    assert_eq!((cheaper.totals.net, cheaper.totals.tax, cheaper.totals.gross), (-50, 116, 66));
}

#[test]
fn unused_time_is_given_back_at_the_tax_of_what_was_charged_for_it() {
    let period = |from, to| Period { from: Timestamp(from), to: Timestamp(to) };
    let usage = line(10_000, None).during(period(0, 100));
    let books = line(1_000, Some("books")).during(period(100, 200));
    let school = line(500, Some("school")).during(period(100, 200));
    let bill = priced(&parties("DE", "DE", false), vec![usage, books, school]);

    let half = Taken::unused(&bill, 750, Timestamp(150)).unwrap();
    let too_much = Taken::unused(&bill, 9_000, Timestamp(150)).unwrap();

    assert_eq!(half.of_each, [535, 0, 250]);
    assert_eq!(too_much.of_each, [1_070, 0, 500]);
    assert_eq!(Taken::unused(&bill, 1, Timestamp(200)).unwrap().amount(), 0);
}

#[test]
fn what_comes_to_all_but_is_of_one_tax_only_is_not_the_invoice_itself() {
    let period = Period { from: Timestamp(0), to: Timestamp(100) };
    let lines = vec![line(-100, Some("books")).during(period), line(200, None).during(period)];
    let mut bill = priced(&parties("DE", "DE", false), lines);

    let taken = Taken::unused(&bill, 150, Timestamp(0)).unwrap();
    let note = noted(&bill, &taken);
    bill.count(&taken);

    // The 1.31 that were owed, at 19 %.
    assert_eq!((taken.of_each, bill.credited), (vec![0, 131], 131));
    assert_eq!((note.totals.net, note.totals.tax, note.lines.len()), (110, 21, 1));
    assert_eq!((note.tax.unwrap().rate_hundredths, note.taxes.len()), (1_900, 0));
}

#[test]
fn what_a_provider_paid_back_beyond_the_invoice_has_no_tax() {
    let bill = priced(&parties("DE", "DE", false), vec![line(100, None)]);

    let note = noted(&bill, &Taken::of(&bill, 200).unwrap());

    assert_eq!((note.totals.net, note.totals.tax, note.totals.gross), (181, 19, 200));
    assert_eq!(told(&note), [("S".to_owned(), 1_900, 100, 19), ("Z".to_owned(), 0, 81, 0)]);
}

fn noted(invoice: &Bill, taken: &Taken) -> Bill {
    let mut note = Bill { kind: BillKind::CreditNote, credited: 0, ..invoice.clone() };
    note.takes(invoice, taken, "Credit");
    note
}

fn any_lines() -> impl Strategy<Value = Vec<BillLine>> {
    let some = (0i64..100_000, 0i64..1_000, 0usize..8, prop::bool::weighted(0.2));
    let some = some.prop_map(|(amount, off, class, is_back)| {
        let it = line(amount, CLASSES.get(class).copied()).less(off.min(amount), "TEA");
        if is_back { it.turned() } else { it }
    });
    prop::collection::vec(some, 1..12)
}

/// Whether what a bill says of its sums is so, also in the document.
fn adds_up(bill: &Bill) -> Result<(), TestCaseError> {
    let BillTotals { net, tax, gross, .. } = bill.totals;
    let sums = bill.tax_sums();
    let lines: i64 = bill.lines.iter().map(|it| it.amount).sum();
    prop_assert_eq!((lines, net + tax), (net, gross));
    prop_assert_eq!(sums.iter().map(|it| it.base).sum::<i64>(), net);
    prop_assert_eq!(sums.iter().map(|it| it.tax).sum::<i64>(), tax);
    let totals = bill.document().unwrap().totals().unwrap();
    prop_assert_eq!((totals.net, totals.tax, totals.gross), (net, tax, gross));
    let sale = Sale { earned: net, deferred: 0, tax };
    let posted = Event::Finalised(sale).post(bill.currency);
    prop_assert!(posted.is_ok() || Event::Finalised(sale).is_nothing(), "{posted:?}");
    let again: Bill = serde_json::from_value(json!(bill)).unwrap();
    prop_assert_eq!(&again, bill);
    Ok(())
}

proptest! {
    #[test]
    fn what_is_of_no_class_is_told_byte_for_byte_as_before_there_were_any(
        amounts in prop::collection::vec(0i64..1_000_000, 1..8), buyer in 0usize..3,
    ) {
        let at = parties("DE", ["DE", "FR", "US"][buyer], false);
        let lines: Vec<_> = amounts.iter().map(|it| line(*it, None)).collect();

        let bill = priced(&at, lines.clone());

        let (category, rate) = [("S", 1_900), ("S", 2_000), ("O", 0)][buyer];
        let place = ["DE", "FR", "US"][buyer];
        let net: i64 = amounts.iter().sum();
        let tax = Rate::new(rate).unwrap().of(net);
        let mut expected = json!({"category": category, "rate_hundredths": rate, "place": place,
            "by_oss": place == "FR"});
        if category == "O" {
            expected["text"] = json!(Category::OutOfScope.legal_text());
        }
        let mut before = super::tests::bill(lines);
        before.tax = Some(serde_json::from_value(expected).unwrap());
        before.totals = BillTotals { net, tax, gross: net + tax, prepaid: 0, due: net + tax };
        prop_assert_eq!(serde_json::to_string(&bill).unwrap(), serde_json::to_string(&before).unwrap());
        prop_assert!(json!(bill).get("taxes").is_none() && json!(bill)["lines"][0].get("tax").is_none());
    }

    #[test]
    fn whoever_buys_what_is_outside_of_the_union_never_stands_beside_what_is_not(
        lines in any_lines(), seller in 0usize..3, buyer in 0usize..4, is_business: bool,
    ) {
        let (seller, buyer) = (["DE", "FR", "US"][seller], ["DE", "FR", "AT", "US"][buyer]);
        let is_business = is_business && ["DE", "FR"].contains(&buyer);

        let bill = priced(&parties(seller, buyer, is_business), lines);

        let codes: BTreeSet<_> = bill.lines.iter().map(|it| bill.tax_of(it).category).collect();
        let overrides = ["O", "AE", "G"];
        prop_assert!(codes.len() == 1 || codes.iter().all(|it| !overrides.contains(&it.as_str())));
        adds_up(&bill)?;
    }

    #[test]
    fn credit_notes_one_after_the_other_take_back_exactly_all(
        lines in any_lines(), steps in prop::collection::vec(1u32..1_000, 0..10), cents: bool,
    ) {
        let mut invoice = priced(&parties("DE", "DE", false), lines);
        prop_assume!(invoice.kind == BillKind::Invoice && invoice.totals.gross > 0);
        let sums = invoice.tax_sums();
        let mut back = vec![(0, 0); sums.len()];

        for step in steps.into_iter().chain([1_000]) {
            let left = invoice.totals.gross - invoice.credited;
            let some = if cents { i64::from(step % 7) } else { left * i64::from(step) / 1_000 };
            let amount = if step == 1_000 { left } else { some.min(left) };
            if amount == 0 {
                continue;
            }
            let taken = Taken::of(&invoice, amount).unwrap();
            let note = noted(&invoice, &taken);
            invoice.count(&taken);

            prop_assert_eq!((note.totals.gross, taken.beyond), (amount, 0));
            adds_up(&note)?;
            for it in note.tax_sums() {
                let at = sums.iter().position(|sum| sum.how == it.how).unwrap();
                back[at] = (back[at].0 + it.base, back[at].1 + it.tax);
            }
        }

        prop_assert_eq!(invoice.credited, invoice.totals.gross);
        prop_assert_eq!(back, sums.iter().map(|it| (it.base, it.tax)).collect::<Vec<_>>());
        prop_assert!(Taken::of(&invoice, 0).unwrap().of_each.iter().all(|it| *it == 0));
    }

    #[test]
    fn a_part_of_one_tax_is_what_it_was_before_there_were_several(
        net in 1i64..10_000_000, part in 1u32..=1_000,
    ) {
        let bill = priced(&parties("DE", "DE", false), vec![line(net, None)]);
        let amount = (bill.totals.gross * i64::from(part) / 1_000).max(1);

        let note = noted(&bill, &Taken::of(&bill, amount).unwrap());

        prop_assert_eq!(note.totals.tax, credit::tax_share(&bill, amount));
    }
}
