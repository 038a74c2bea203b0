//! Whatever comes late, and in whatever order: all invoices together are what one would have been.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::{
    bill::line::BillLine,
    coupon::Coupon,
    money::Currency,
    progressive::{self, Heard},
};

fn plan() -> Plan {
    let metered = |name: &str, group_by: Option<&str>, model: serde_json::Value| {
        json!({"name": name, "title": name, "model": model,
            "basis": {"kind": "metered", "meter": name, "group_by": group_by}})
    };
    let calls = metered(
        "calls",
        None,
        json!({"model": "graduated", "tiers": [
            {"up_to": 100}, {"up_to": 1000, "unit_amount": "0.35"}, {"unit_amount": "0.1"}]}),
    );
    let jobs = metered(
        "jobs",
        Some("member"),
        json!({"model": "volume", "tiers": [
            {"up_to": 500, "unit_amount": "2.5"}, {"unit_amount": "1.3"}]}),
    );
    let mut files = metered("files", None, json!({"model": "package", "size": 30, "amount": 75}));
    files["limits"] = json!({"minimum": 100, "maximum": 5000});
    serde_json::from_value(json!({
        "name": "api", "title": "API", "currency": "EUR", "trial_days": 0, "features": {},
        "interval": {"unit": "month", "count": 1}, "prices": [calls, jobs, files],
        "version": 1, "created_at": "2030-01-01T00:00:00Z",
    }))
    .unwrap()
}

fn question(price: &str) -> Question {
    let period = Period { from: Timestamp(0), to: Timestamp(2_678_400_000) };
    let (plan, price, meter) = ("api".to_owned(), price.to_owned(), price.to_owned());
    let group_by = (price == "jobs").then(|| "member".to_owned());
    Question {
        id: String::new(),
        plan,
        plan_version: 1,
        price,
        meter,
        group_by,
        period,
        after: None,
    }
}

fn coupons(percent: Option<u32>, amount: Option<i64>, percent_first: bool) -> Vec<Applied> {
    let of = |code: &str, off: serde_json::Value| {
        let coupon = json!({"off": off, "duration": {"kind": "forever"}});
        Applied::new(code.to_owned(), serde_json::from_value::<Coupon>(coupon).unwrap())
    };
    let percent = percent.map(|it| of("P", json!({"kind": "percent", "hundredths": it})));
    let currency = Currency::EUR;
    let amount =
        amount.map(|it| of("A", json!({"kind": "amount", "amount": it, "currency": currency})));
    let both = if percent_first { [percent, amount] } else { [amount, percent] };
    both.into_iter().flatten().collect()
}

fn reading(coupons: &[Applied]) -> Reading {
    Reading {
        invoice: "inv_1".to_owned(),
        subscription: "sub_1".to_owned(),
        coupons: coupons.to_vec(),
        answers: Vec::new(),
        later: Vec::new(),
        open: true,
        running: false,
        version: 0,
    }
}

fn quantities(of: &[(&str, i64)]) -> Quantities {
    of.iter().map(|(group, it)| ((*group).to_owned(), Quantity::from_millionths(*it))).collect()
}

/// What one invoice charges.
fn first(it: &mut Reading, coupons: &[Applied], all: &[Quantities]) -> Vec<BillLine> {
    for (price, quantities) in ["calls", "jobs", "files"].into_iter().zip(all) {
        it.hear(&plan(), question(price), (1, quantities.clone()));
    }
    it.settle(&plan(), &mut coupons.to_vec()).unwrap()
}

/// What a later answer charges.
fn again(it: &mut Reading, price: &str, told: (i64, Quantities)) -> Vec<BillLine> {
    it.hear(&plan(), question(price), told);
    it.settle_again(&plan()).unwrap()
}

fn sum<'a>(lines: impl IntoIterator<Item = &'a BillLine>) -> i64 {
    lines.into_iter().map(|it| it.amount).sum()
}

fn amounts() -> impl Strategy<Value = i64> {
    prop_oneof![Just(0i64), 0i64..200_000_000, 0i64..5_000_000_000]
}

/// What the three meters say: the second by the value of a dimension.
fn said() -> impl Strategy<Value = [Quantities; 3]> {
    let groups = prop::collection::btree_map("[abc]", amounts(), 0..4);
    (amounts(), groups, amounts()).prop_map(|(calls, jobs, files)| {
        let jobs: Quantities =
            jobs.into_iter().map(|(it, n)| (it, Quantity::from_millionths(n))).collect();
        let jobs = if jobs.is_empty() { quantities(&[("", 0)]) } else { jobs };
        [quantities(&[("", calls)]), jobs, quantities(&[("", files)])]
    })
}

proptest! {
    #[test]
    fn all_invoices_together_are_what_one_would_have_been(
        begun in said(), then in prop::collection::vec((0usize..3, said()), 0..6), last in said(),
        percent in prop::option::of(1u32..=10_000), amount in prop::option::of(1i64..10_000),
        percent_first: bool,
    ) {
        let coupons = coupons(percent, amount, percent_first);
        let mut known = reading(&coupons);

        let mut charged = sum(&first(&mut known, &coupons, &begun));
        let last = last.into_iter().enumerate();
        let looks = then.into_iter().map(|(which, all)| (which, all[which].clone())).chain(last.clone());
        for (at, (which, quantities)) in looks.enumerate() {
            let price = ["calls", "jobs", "files"][which];
            let told = (2 + i64::try_from(at).unwrap(), quantities);
            charged += sum(&again(&mut known, price, told));
            prop_assert!(charged >= 0, "more is given back than was charged");
        }

        let last: Vec<_> = last.map(|it| it.1).collect();
        let one = first(&mut reading(&coupons), &coupons, &last);
        prop_assert_eq!(charged, sum(&one));
        // Also of each price, however discounts have moved between them.
        for (answer, price) in known.answers.iter().zip(["calls", "jobs", "files"]) {
            let one = one.iter().filter(|it| it.price.as_deref() == Some(price));
            prop_assert_eq!(answer.charged.values().sum::<i64>(), sum(one));
        }
    }
}

/// What a look hears.
fn heard(all: &[Quantities], told: i64) -> Vec<Heard> {
    let one = |(price, it): (&str, &Quantities)| Heard {
        question: question(price),
        told,
        quantities: progressive::used(it.clone()),
    };
    ["calls", "jobs", "files"].into_iter().zip(all).map(one).collect()
}

proptest! {
    /// Usage goes up and down, and is billed at any of the looks, or at none.
    #[test]
    fn whatever_is_billed_before_the_period_ends_all_invoices_together_are_what_one_would_have_been(
        looks in prop::collection::vec((any::<bool>(), said()), 0..6), end in said(), late in said(),
        percent in prop::option::of(1u32..=10_000), amount in prop::option::of(1i64..10_000),
        percent_first: bool,
    ) {
        let (all, some) = (coupons(percent, amount, percent_first), coupons(percent, None, true));
        let (mut known, mut charged, mut told) = (reading(&some), 0, 0);

        for (is_billed, all) in looks {
            told += 1;
            let mut then = known.clone();
            let heard = heard(&all, told);
            let lines = progressive::rate(&plan(), &mut then, &heard, &mut some.clone()).unwrap();
            prop_assert_eq!(charged + sum(&lines), then.charged());
            if is_billed {
                (known, charged) = (then, charged + sum(&lines));
            }
        }
        for usage in [&end, &late] {
            told += 1;
            for (price, quantities) in ["calls", "jobs", "files"].into_iter().zip(usage) {
                known.hear(&plan(), question(price), (told, quantities.clone()));
            }
            charged += sum(&known.settle(&plan(), &mut all.clone()).unwrap());

            let one = first(&mut reading(&all), &all, usage);
            prop_assert_eq!((charged, known.charged()), (sum(&one), sum(&one)));
        }
    }
}

proptest! {
    /// Of each of these looks an invoice is made; some of them are taken back whole.
    #[test]
    fn what_was_forgiven_is_neither_charged_nor_given_back_again(
        looks in prop::collection::vec((any::<bool>(), said()), 1..6), end in said(),
    ) {
        let (mut known, mut paid, mut forgiven) = (reading(&[]), 0, 0);
        for (told, (is_forgiven, all)) in (1..).zip(looks) {
            let lines = progressive::rate(&plan(), &mut known, &heard(&all, told), &mut []).unwrap();
            // Usage that rises only: what one invoice gives back is not given back by another's credit.
            if is_forgiven && lines.iter().all(|it| it.amount >= 0) {
                known.forgive(&plan(), &lines).unwrap();
                forgiven += sum(&lines);
            } else {
                paid += sum(&lines);
            }
            prop_assert!(paid >= 0, "{} more was given back than was paid", -paid);
        }
        for (price, quantities) in ["calls", "jobs", "files"].into_iter().zip(&end) {
            known.hear(&plan(), question(price), (9, quantities.clone()));
        }
        paid += sum(&known.settle(&plan(), &mut []).unwrap());

        let one = sum(&first(&mut reading(&[]), &[], &end));
        prop_assert!(paid >= 0 && paid >= one - forgiven, "{paid} of {one} less {forgiven}");
        prop_assert!(forgiven > 0 || paid == one);
    }
}

#[test]
fn what_was_forgiven_of_a_value_is_known_by_it() {
    let usage = |ada: i64, eve: i64| {
        [
            quantities(&[]),
            quantities(&[("ada", ada * 1_000_000), ("eve", eve * 1_000_000)]),
            quantities(&[]),
        ]
    };
    let mut it = reading(&[]);
    let lines = progressive::rate(&plan(), &mut it, &heard(&usage(100, 40), 1), &mut []).unwrap();
    it.forgive(&plan(), &lines).unwrap();

    let less = progressive::rate(&plan(), &mut it, &heard(&usage(10, 60), 2), &mut []).unwrap();

    // Of what was 2.50 each, ada's stays forgiven, and eve's twenty more are charged.
    assert_eq!(
        less.iter().map(|it| (it.name.as_str(), it.amount)).collect::<Vec<_>>(),
        [("jobs: eve", 50)]
    );
    assert_eq!(
        it.answers[1].forgiven,
        BTreeMap::from([("ada".to_owned(), 250), ("eve".to_owned(), 100)])
    );
}

#[test]
fn a_least_amount_is_owed_by_the_end_of_the_period_only() {
    let usage = [quantities(&[]), quantities(&[]), quantities(&[("", 10_000_000)])];
    let (mut it, said) = (reading(&[]), quantities(&[("", 10_000_000)]));

    let lines = progressive::rate(&plan(), &mut it, &heard(&usage, 1), &mut []).unwrap();
    it.hear(&plan(), question("files"), (2, said));
    let last = it.settle(&plan(), &mut []).unwrap();

    assert_eq!((sum(&lines), sum(&last)), (75, 25));
}

#[test]
fn what_came_late_goes_on_in_the_tier_that_was_reached() {
    let mut it = reading(&[]);
    first(&mut it, &[], &[quantities(&[("", 900_000_000)])]);

    let late = again(&mut it, "calls", (2, quantities(&[("", 1_200_000_000)])));
    let less = again(&mut it, "calls", (3, quantities(&[("", 1_100_000_000)])));

    // 100 at 0.35 and 200 at 0.1; then 100 at 0.1 are given back.
    let line = |it: &[BillLine]| (it.len(), it[0].quantity, it[0].amount, it[0].detail.clone());
    assert_eq!(line(&late), (1, 1, 55, Some("900 → 1200".to_owned())));
    assert_eq!(line(&less), (1, -1, -10, Some("1200 → 1100".to_owned())));
    assert_eq!(late[0].after.as_deref(), Some("inv_1"));
}

#[test]
fn what_came_late_is_of_the_tax_class_of_its_price() {
    let mut plan = plan();
    plan.prices[1].tax_class = Some("books".to_owned());
    let mut it = reading(&[]);
    let mut told = |at: i64, all: &[(&str, i64)]| {
        it.hear(&plan, question("calls"), (at, quantities(&[("", 900_000_000)])));
        it.hear(&plan, question("jobs"), (at, quantities(all)));
        let lines = it.settle_again(&plan).unwrap().into_iter();
        lines.map(|it| (it.name, it.tax_class.unwrap_or_default())).collect::<Vec<_>>()
    };

    let first = told(1, &[("ada", 1_000_000)]);
    // One value has more, the other is gone.
    let late = told(2, &[("eve", 2_000_000)]);

    let of = |name: &str, class: &str| (name.to_owned(), class.to_owned());
    assert_eq!(first, [of("calls", ""), of("jobs: ada", "books")]);
    assert_eq!(late, [of("jobs: eve", "books"), of("jobs: ada", "books")]);
}

#[test]
fn the_plan_says_the_order_of_the_lines_whoever_answers_first() {
    let (mut it, said) = (reading(&[]), quantities(&[("", 40_000_000)]));
    for price in ["files", "jobs", "calls"] {
        it.hear(&plan(), question(price), (1, said.clone()));
    }

    let lines = it.settle(&plan(), &mut []).unwrap();

    let prices: Vec<_> = lines.iter().filter_map(|it| it.price.as_deref()).collect();
    assert_eq!(prices, ["calls", "jobs", "files"]);
}

#[test]
fn an_answer_that_was_overtaken_changes_nothing() {
    let mut it = reading(&[]);
    first(&mut it, &[], &[quantities(&[("", 900_000_000)])]);
    again(&mut it, "calls", (5, quantities(&[("", 1_200_000_000)])));

    let late = again(&mut it, "calls", (4, quantities(&[("", 950_000_000)])));

    assert_eq!(late, []);
}

#[test]
fn it_is_over_when_meters_take_nothing_for_it_any_more() {
    let mut it = reading(&[]);
    first(&mut it, &[], &[quantities(&[("", 1)])]);
    let end = question("calls").period.to;

    assert!(!it.is_over(Timestamp((end + LATE).0 - 1)));
    assert!(it.is_over(end + LATE));
}

#[test]
fn a_year_is_looked_at_while_the_meters_know_how_it_began() {
    let mut it = reading(&[]);
    first(&mut it, &[], &[quantities(&[("", 1)])]);
    let year = Period { from: Timestamp(0), to: Timestamp(365 * 86_400_000) };
    it.answers[0].question.period = year;

    assert_eq!(it.last_look(), Some(Timestamp(398 * 86_400_000)));
}
