//! Periods by the calendar: dates worked out by hand, and properties in zones that change.

use chrono::{NaiveDate, NaiveDateTime, TimeDelta};
use proptest::prelude::*;

use super::*;

/// With changes of time in spring and autumn, with a day that was left out, and with two changes
/// each year around Ramadan.
const ZONES: [&str; 4] = ["Europe/Berlin", "America/New_York", "Pacific/Apia", "Africa/Casablanca"];

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

fn anchor(text: &str, zone: &str) -> Anchor {
    Anchor { at: at(text), zone: zone.parse().unwrap() }
}

#[test]
fn an_anchor_on_the_last_day_returns_to_it() {
    let monthly = Interval::new(Unit::Month, 1).unwrap();
    let anchor = anchor("2027-01-31T12:00:00Z", "UTC");

    let starts: Vec<_> = (0..5)
        .map(|it| monthly.period(&anchor, it).unwrap().from.to_string()[..10].to_owned())
        .collect();

    let expected = ["2027-01-31", "2027-02-28", "2027-03-31", "2027-04-30", "2027-05-31"];
    assert_eq!(starts, expected);
}

#[test]
fn the_wall_clock_is_kept_over_a_change_of_time() {
    let daily = Interval::new(Unit::Day, 1).unwrap();
    // 02:30 does not exist on 2030-03-31 in Berlin.
    let anchor = anchor("2030-03-30T02:30:00+01:00", "Europe/Berlin");

    let skipped = daily.period(&anchor, 1).unwrap();

    assert_eq!(skipped.from, at("2030-03-31T03:00:00+02:00"));
    assert_eq!(skipped.to, at("2030-04-01T02:30:00+02:00"));
    assert_eq!(daily.index_at(&anchor, skipped.from), Some(1));
    assert_eq!(daily.index_at(&anchor, Timestamp(skipped.from.0 - 1)), Some(0));
}

#[test]
fn parts_are_told_by_the_second_or_by_the_day() {
    let period = Period { from: at("2030-04-01T00:00:00Z"), to: at("2030-05-01T00:00:00Z") };
    let (zone, moment) = (Zone::default(), at("2030-04-16T12:00:00Z"));

    assert_eq!(period.remaining(moment, Precision::Day, zone), (15, 30));
    assert_eq!(
        period.remaining(moment, Precision::Second, zone),
        (14 * 86_400 + 43_200, 30 * 86_400)
    );
    assert_eq!(period.remaining(period.to, Precision::Day, zone), (0, 30));
}

#[test]
fn a_day_that_a_zone_leaves_out_is_no_period() {
    let daily = Interval::new(Unit::Day, 1).unwrap();
    // After Thursday the 29th of December 2011 came Saturday the 31st.
    let anchor = anchor("2011-12-28T00:00:00-10:00", "Pacific/Apia");

    let (number, period) = daily.after(&anchor, 1).unwrap();

    assert_eq!(daily.period(&anchor, 2).unwrap().millis(), 0);
    assert_eq!((number, period.from), (3, at("2011-12-31T00:00:00+14:00")));
    assert_eq!(period.to, at("2012-01-01T00:00:00+14:00"));
    assert_eq!(daily.index_at(&anchor, period.from), Some(3));
}

fn intervals() -> impl Strategy<Value = Interval> {
    let unit = prop_oneof![Just(Unit::Day), Just(Unit::Week), Just(Unit::Month), Just(Unit::Year)];
    (unit, 1u32..=3).prop_map(|(unit, count)| Interval::new(unit, count).unwrap())
}

/// From 2005 to 2045, to the quarter of an hour, so that a change of time is often met.
fn anchors() -> impl Strategy<Value = Anchor> {
    let quarter = 1_104_537_600_000i64 / 900_000..2_366_841_600_000 / 900_000;
    (quarter, prop::sample::select(&ZONES[..])).prop_map(|(quarter, zone)| Anchor {
        at: Timestamp(quarter * 900_000),
        zone: zone.parse().unwrap(),
    })
}

/// What the wall clock is to show when the period begins, worked out from the calendar alone.
fn wanted(interval: Interval, anchor: NaiveDateTime, number: i64) -> NaiveDateTime {
    let steps = number * i64::from(interval.count);
    let months = match interval.unit {
        Unit::Day => return anchor + TimeDelta::days(steps),
        Unit::Week => return anchor + TimeDelta::days(steps * 7),
        Unit::Month => steps,
        Unit::Year => steps * 12,
    };
    let month = i64::from(anchor.year()) * 12 + i64::from(anchor.month0()) + months;
    let first = |month: i64| {
        let (year, month) = (month.div_euclid(12), month.rem_euclid(12) + 1);
        NaiveDate::from_ymd_opt(year.try_into().unwrap(), month.try_into().unwrap(), 1).unwrap()
    };
    let days = first(month + 1).signed_duration_since(first(month)).num_days();
    let day = i64::from(anchor.day0()).min(days - 1);
    (first(month) + TimeDelta::days(day)).and_time(anchor.time())
}

proptest! {
    #[test]
    fn every_moment_is_in_one_period(
        interval in intervals(), anchor in anchors(), number in -20i64..60, within in 0.0f64..1.0,
    ) {
        let period = interval.period(&anchor, number).unwrap();
        let next = interval.period(&anchor, number + 1).unwrap();
        prop_assert_eq!(period.to, next.from);
        prop_assert!(period.from <= period.to);
        prop_assert!(period.from < period.to || interval.unit == Unit::Day);
        prop_assume!(period.from < period.to);

        #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "any moment in it will do")]
        let moment = period.from.0 + (period.millis() as f64 * within) as i64;

        for at in [period.from.0, moment.min(period.to.0 - 1), period.to.0 - 1] {
            prop_assert_eq!(interval.index_at(&anchor, Timestamp(at)), Some(number));
        }
    }

    #[test]
    fn a_period_begins_when_the_calendar_says(
        interval in intervals(), anchor in anchors(), number in -20i64..60,
    ) {
        prop_assume!(number != 0);
        let zone = anchor.zone;
        let wanted = wanted(interval, zone.local(anchor.at), number);

        let from = interval.period(&anchor, number).unwrap().from;

        // At that time, or with the end of what the clock skips; and it showed it never before.
        prop_assert!(zone.local(from) >= wanted);
        prop_assert!(zone.local(from) == wanted || zone.local(Timestamp(from.0 - 1)) < wanted);
        for minutes in 1..=120 {
            prop_assert!(zone.local(Timestamp(from.0 - minutes * 60_000)) != wanted);
        }
    }

    #[test]
    fn what_follows_has_time_in_it_and_leaves_no_gap(
        interval in intervals(), anchor in anchors(), number in -20i64..60,
    ) {
        let period = interval.period(&anchor, number).unwrap();

        let (place, next) = interval.after(&anchor, number).unwrap();

        prop_assert_eq!(period.to, next.from);
        prop_assert!(next.millis() > 0);
        prop_assert_eq!(interval.index_at(&anchor, next.from), Some(place));
    }

    #[test]
    fn what_remains_falls_from_all_to_nothing(
        interval in intervals(), anchor in anchors(), number in -20i64..20,
        first in 0i64..=1_000, more in 0i64..=1_000, days: bool,
    ) {
        let precision = if days { Precision::Day } else { Precision::Second };
        let period = interval.period(&anchor, number).unwrap();
        prop_assume!(period.millis() > 0);
        let at = |part: i64| Timestamp(period.from.0 + period.millis() * part.min(1_000) / 1_000);
        let remaining = |at| period.remaining(at, precision, anchor.zone);

        let (one, whole) = remaining(at(first));
        let (two, same) = remaining(at(first + more));

        prop_assert_eq!(whole, same);
        prop_assert!(0 <= two && two <= one && one <= whole);
        prop_assert_eq!(remaining(period.from), (whole, whole));
        prop_assert_eq!(remaining(Timestamp(period.from.0 - 1)), (whole, whole));
        prop_assert_eq!(remaining(period.to), (0, whole));
    }
}
