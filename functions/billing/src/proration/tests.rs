//! Changes worked out by hand, and properties.

use proptest::prelude::*;

use super::*;
use crate::period::{Unit, Zone};

fn item(name: &str, amount: i64) -> Item {
    Item { name: name.to_owned(), amount, tax_class: None }
}

fn side(plan: &str, seats: u32, amount: i64, unit: Unit) -> Side {
    Side {
        plan: plan.to_owned(),
        seats,
        items: vec![item(plan, amount)],
        interval: Interval::new(unit, 1).unwrap(),
        currency: Currency::EUR,
    }
}

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

/// In the middle of April, of which 10.00 was paid.
fn change(old: Side, new: Side) -> Change {
    let moment = at("2030-04-16T00:00:00Z");
    Change {
        paid: old.items.iter().map(|it| it.amount).sum(),
        old,
        new,
        period: Period { from: at("2030-04-01T00:00:00Z"), to: at("2030-05-01T00:00:00Z") },
        at: moment,
        anchor: Anchor { at: moment, zone: Zone::default() },
        precision: Precision::Second,
        rules: Rules::default(),
        timing: None,
        on_trial: false,
    }
}

fn amounts(it: &Preview) -> Vec<i64> {
    it.lines.iter().map(|it| it.amount).collect()
}

#[test]
fn an_upgrade_in_the_middle_costs_half_of_the_difference() {
    let change = change(side("a", 0, 1000, Unit::Month), side("b", 0, 3000, Unit::Month));

    let preview = preview(&change).unwrap();

    assert_eq!((preview.direction, preview.timing), (Direction::Upgrade, Timing::Now));
    assert_eq!(amounts(&preview), [-500, 1500]);
    assert_eq!(preview.total, 1000);
}

#[test]
fn a_downgrade_waits_for_the_renewal_unless_it_is_told_otherwise() {
    let mut change = change(side("b", 0, 3000, Unit::Month), side("a", 0, 1000, Unit::Month));

    let waits = preview(&change).unwrap();
    change.timing = Some(Timing::Now);
    let now = preview(&change).unwrap();

    assert_eq!((waits.timing, waits.total), (Timing::AtRenewal, 0));
    assert_eq!(waits.effective_at, change.period.to);
    assert_eq!((amounts(&now), now.total), (vec![-1500, 500], -1000));
}

#[test]
fn another_interval_begins_anew_and_gives_back_what_was_not_used() {
    let change = change(side("a", 0, 1000, Unit::Month), side("a", 0, 10_000, Unit::Year));

    let preview = preview(&change).unwrap();

    assert_eq!((preview.direction, preview.timing), (Direction::Interval, Timing::Reset));
    assert_eq!(amounts(&preview), [-500, 10_000]);
    assert_eq!(preview.new_period.unwrap().to, at("2031-04-16T00:00:00Z"));
}

#[test]
fn each_line_is_of_the_class_of_its_own_price() {
    let of = |name: &str, amount: i64, class: Option<&str>| Item {
        tax_class: class.map(str::to_owned),
        ..item(name, amount)
    };
    let mut change = change(side("a", 0, 0, Unit::Month), side("b", 0, 0, Unit::Month));
    change.old.items = vec![of("app", 1000, None), of("book", 500, Some("books"))];
    change.new.items = vec![of("all", 4000, Some("books"))];
    change.paid = 1500;
    let now = Change { timing: Some(Timing::Now), ..change.clone() };
    let reset = Change { timing: Some(Timing::Reset), ..change };

    let told = |change: &Change| {
        let lines = preview(change).unwrap().lines.into_iter();
        lines.map(|it| (it.amount, it.tax_class)).collect::<Vec<_>>()
    };

    let books = || Some("books".to_owned());
    assert_eq!(told(&now), [(-500, None), (-250, books()), (2000, books())]);
    assert_eq!(told(&reset), [(-500, None), (-250, books()), (4000, books())]);
}

#[test]
fn seats_are_told_by_their_number_and_interval_wins() {
    let direction = |old: (u32, Unit), new: (u32, Unit)| {
        super::direction(&side("a", old.0, 1, old.1), &side("a", new.0, 1, new.1)).unwrap()
    };

    assert_eq!(direction((1, Unit::Month), (2, Unit::Month)), Direction::SeatsUp);
    assert_eq!(direction((2, Unit::Month), (1, Unit::Month)), Direction::SeatsDown);
    assert_eq!(direction((1, Unit::Month), (2, Unit::Year)), Direction::Interval);
    assert_eq!(direction((1, Unit::Month), (1, Unit::Month)), Direction::Same);
}

#[test]
fn what_was_not_paid_is_not_given_back() {
    let old = side("a", 0, 1000, Unit::Month);
    let change = Change { paid: 400, ..change(old, side("b", 0, 3000, Unit::Month)) };

    assert_eq!(amounts(&preview(&change).unwrap()), [-200, 1500]);
}

#[test]
fn a_trial_charges_nothing_and_a_currency_stays() {
    let change = change(side("a", 0, 1000, Unit::Month), side("b", 0, 3000, Unit::Year));
    let trial = Change { on_trial: true, ..change.clone() };
    let mut other = change.clone();
    other.new.currency = Currency::parse("USD").unwrap();
    let kept = Change { timing: Some(Timing::Now), ..change };

    assert_eq!(preview(&trial).unwrap().lines, []);
    assert_eq!(preview(&other), Err(Error::OtherCurrency));
    assert_eq!(preview(&kept), Err(Error::NeedsReset));
}

#[test]
fn by_the_day_the_day_of_the_change_is_part_of_the_rest() {
    let old = side("a", 0, 3000, Unit::Month);
    let mut change = change(old, side("b", 0, 6000, Unit::Month));
    change.precision = Precision::Day;
    change.at = at("2030-04-30T23:59:59Z");

    assert_eq!(amounts(&preview(&change).unwrap()), [-100, 200]);
}

proptest! {
    #[test]
    fn never_more_is_given_back_than_was_paid_and_later_is_never_more(
        old in 0i64..10_000_000, new in 0i64..10_000_000, paid in 0i64..20_000_000,
        first in 0i64..2_592_000, later in 0i64..2_592_000,
    ) {
        let base = change(side("a", 0, old, Unit::Month), side("b", 0, new, Unit::Month));
        let at = |seconds: i64| Change {
            paid,
            at: Timestamp(base.period.from.0 + seconds.min(2_592_000) * 1000),
            timing: Some(Timing::Now),
            ..base.clone()
        };
        let back = |it: &Preview| -> i64 {
            it.lines.iter().map(|it| -it.amount.min(0)).sum()
        };
        let charged = |it: &Preview| -> i64 { it.lines.iter().map(|it| it.amount.max(0)).sum() };

        let one = preview(&at(first)).unwrap();
        let two = preview(&at(first + later)).unwrap();

        prop_assert!(back(&one) <= paid && back(&one) <= old);
        prop_assert!(back(&two) <= back(&one) && charged(&two) <= charged(&one));
        prop_assert_eq!(one.total, charged(&one) - back(&one));
    }

    #[test]
    fn what_is_given_back_and_charged_is_the_exact_share_of_the_sums(
        old in prop::collection::vec(0i64..100_000, 1..8),
        new in prop::collection::vec(0i64..100_000, 1..8),
        paid in 0i64..800_000, second in 0i64..=2_592_000, days: bool,
    ) {
        let change = many(&old, &new, paid, second, days);
        let (part, whole) =
            change.period.remaining(change.at, change.precision, change.anchor.zone);

        let preview = preview(&change).unwrap();

        let back: i64 = preview.lines.iter().map(|it| -it.amount.min(0)).sum();
        let charged: i64 = preview.lines.iter().map(|it| it.amount.max(0)).sum();
        let exact = |sum: i64| money::share(sum, part, whole).unwrap();
        prop_assert_eq!(back, exact(paid.min(old.iter().sum())));
        prop_assert_eq!(charged, exact(new.iter().sum()));
        prop_assert_eq!(preview.total, charged - back);
        prop_assert!(back <= paid);
    }

    #[test]
    fn however_often_it_changes_never_more_comes_back_than_was_paid(
        first in 0i64..100_000,
        steps in prop::collection::vec(
            (prop::collection::vec(0i64..100_000, 1..4), 0i64..600_000, 0usize..3), 1..12,
        ),
        days: bool,
    ) {
        let (mut items, mut paid, mut balance, mut second) = (vec![first], first, first, 0);
        for (new, later, timing) in steps {
            second += later;
            let timing = [Timing::Now, Timing::NextInvoice, Timing::None][timing];
            let change =
                Change { timing: Some(timing), ..many(&items, &new, paid, second, days) };

            let preview = preview(&change).unwrap();

            balance += preview.total;
            paid = change.paid_after(preview.timing).unwrap();
            prop_assert!(balance >= 0, "{} more than was paid", -balance);
            items = new;
        }
    }

    #[test]
    fn a_reset_charges_a_whole_period_and_gives_back_the_rest_of_the_old(
        old in 0i64..100_000, new in 0i64..100_000, second in 0i64..2_592_000,
        yearly: bool,
    ) {
        let unit = if yearly { Unit::Year } else { Unit::Month };
        let mut change = many(&[old], &[new], old, second, false);
        change.new.interval = Interval::new(unit, 1).unwrap();
        change.timing = Some(Timing::Reset);
        change.anchor.at = change.at;

        let preview = preview(&change).unwrap();

        let back = money::share(old, 2_592_000 - second, 2_592_000).unwrap();
        prop_assert_eq!(preview.total, new - back);
        let period = preview.new_period.unwrap();
        prop_assert_eq!(period.from, change.at);
        prop_assert!(period.to > change.period.from);
    }
}

/// A change of several things in April, so many seconds after its beginning.
fn many(old: &[i64], new: &[i64], paid: i64, second: i64, days: bool) -> Change {
    let items = |amounts: &[i64]| {
        let one = |(at, amount): (usize, &i64)| item(&at.to_string(), *amount);
        amounts.iter().enumerate().map(one).collect()
    };
    let mut it = change(side("a", 0, 0, Unit::Month), side("b", 0, 0, Unit::Month));
    (it.old.items, it.new.items, it.paid) = (items(old), items(new), paid);
    it.at = Timestamp(it.period.from.0 + second.min(2_592_000) * 1000);
    it.precision = if days { Precision::Day } else { Precision::Second };
    it.timing = Some(Timing::Now);
    it
}
