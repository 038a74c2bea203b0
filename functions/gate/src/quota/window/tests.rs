//! Known hard cases, and that windows tile time.

use chrono_tz::TZ_VARIANTS;
use proptest::prelude::*;

use super::{WindowUnit::*, *};

const DAY_MS: i64 = 24 * HOUR_MS;

fn moment(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

fn calendar(zone: &str, anchor: &str) -> Calendar {
    Calendar { zone: zone.parse().unwrap(), anchor: moment(anchor) }
}

fn every(every: WindowUnit) -> QuotaWindow {
    QuotaWindow { every, count: 1, aligned: WindowAlignment::Calendar }
}

fn by_anchor(every: WindowUnit, count: u32) -> QuotaWindow {
    QuotaWindow { every, count, aligned: WindowAlignment::Anchor }
}

#[test]
fn calendar_windows_at_the_hard_places() {
    let cases = [
        // Europe/Berlin: 23 and 25 hours.
        (
            "Europe/Berlin",
            Day,
            "2030-03-31T12:00:00Z",
            "2030-03-30T23:00:00Z",
            "2030-03-31T22:00:00Z",
        ),
        (
            "Europe/Berlin",
            Day,
            "2030-10-27T12:00:00Z",
            "2030-10-26T22:00:00Z",
            "2030-10-27T23:00:00Z",
        ),
        // The hour from 2 to 3 does not exist there, and later happens twice.
        (
            "Europe/Berlin",
            Hour,
            "2030-03-31T00:30:00Z",
            "2030-03-31T00:00:00Z",
            "2030-03-31T01:00:00Z",
        ),
        (
            "Europe/Berlin",
            Hour,
            "2030-03-31T01:30:00Z",
            "2030-03-31T01:00:00Z",
            "2030-03-31T02:00:00Z",
        ),
        (
            "Europe/Berlin",
            Hour,
            "2030-10-27T00:30:00Z",
            "2030-10-27T00:00:00Z",
            "2030-10-27T01:00:00Z",
        ),
        (
            "Europe/Berlin",
            Hour,
            "2030-10-27T01:30:00Z",
            "2030-10-27T01:00:00Z",
            "2030-10-27T02:00:00Z",
        ),
        // A grid of 45 minutes.
        (
            "Asia/Kathmandu",
            Hour,
            "2030-01-01T00:20:00Z",
            "2030-01-01T00:15:00Z",
            "2030-01-01T01:15:00Z",
        ),
        // Lord Howe goes back by half an hour, at 15:00 UTC: that hour is in two parts.
        (
            "Australia/Lord_Howe",
            Hour,
            "2030-04-06T14:30:00Z",
            "2030-04-06T14:00:00Z",
            "2030-04-06T15:00:00Z",
        ),
        (
            "Australia/Lord_Howe",
            Hour,
            "2030-04-06T15:10:00Z",
            "2030-04-06T15:00:00Z",
            "2030-04-06T15:30:00Z",
        ),
        (
            "Australia/Lord_Howe",
            Hour,
            "2030-04-06T15:40:00Z",
            "2030-04-06T15:30:00Z",
            "2030-04-06T16:30:00Z",
        ),
        // Samoa had no 30 December 2011.
        (
            "Pacific/Apia",
            Day,
            "2011-12-30T09:59:59Z",
            "2011-12-29T10:00:00Z",
            "2011-12-30T10:00:00Z",
        ),
        (
            "Pacific/Apia",
            Day,
            "2011-12-30T10:00:00Z",
            "2011-12-30T10:00:00Z",
            "2011-12-31T10:00:00Z",
        ),
        // St John's went back at one minute after midnight: its Sunday had 25 hours all the same.
        (
            "America/St_Johns",
            Day,
            "2010-11-07T02:30:30Z",
            "2010-11-07T02:30:00Z",
            "2010-11-08T03:30:00Z",
        ),
        (
            "America/St_Johns",
            Day,
            "2010-11-07T02:45:00Z",
            "2010-11-07T02:30:00Z",
            "2010-11-08T03:30:00Z",
        ),
        // São Paulo began summer at midnight: that day starts at 1 o'clock.
        (
            "America/Sao_Paulo",
            Day,
            "2018-11-04T12:00:00Z",
            "2018-11-04T03:00:00Z",
            "2018-11-05T02:00:00Z",
        ),
        // Weeks of ISO 8601, over the end of a year.
        ("UTC", Week, "2030-12-31T12:00:00Z", "2030-12-30T00:00:00Z", "2031-01-06T00:00:00Z"),
        ("UTC", Week, "1970-01-01T00:00:00Z", "1969-12-29T00:00:00Z", "1970-01-05T00:00:00Z"),
        (
            "America/New_York",
            Month,
            "2030-03-01T04:59:59Z",
            "2030-02-01T05:00:00Z",
            "2030-03-01T05:00:00Z",
        ),
        (
            "America/New_York",
            Month,
            "2030-03-10T12:00:00Z",
            "2030-03-01T05:00:00Z",
            "2030-04-01T04:00:00Z",
        ),
        ("UTC", Month, "2028-02-29T12:00:00Z", "2028-02-01T00:00:00Z", "2028-03-01T00:00:00Z"),
        (
            "Asia/Tokyo",
            Quarter,
            "2030-05-01T00:00:00Z",
            "2030-03-31T15:00:00Z",
            "2030-06-30T15:00:00Z",
        ),
        (
            "Pacific/Kiritimati",
            Year,
            "2030-06-01T00:00:00Z",
            "2029-12-31T10:00:00Z",
            "2030-12-31T10:00:00Z",
        ),
    ];
    for (zone, unit, at, from, to) in cases {
        let span = calendar(zone, "2030-01-01T00:00:00Z").window_at(every(unit), moment(at));
        let expected = WindowSpan { from: moment(from), to: moment(to) };
        assert_eq!(span, expected, "{zone} {unit:?} {at}: {} to {}", span.from, span.to);
    }
}

#[test]
fn an_anchor_on_the_31st_comes_back() {
    let calendar = calendar("UTC", "2030-01-31T10:00:00Z");
    let starts = [
        "2029-12-31T10:00:00Z",
        "2030-01-31T10:00:00Z",
        "2030-02-28T10:00:00Z",
        "2030-03-31T10:00:00Z",
        "2030-04-30T10:00:00Z",
        "2030-05-31T10:00:00Z",
    ];
    for (from, to) in starts.iter().zip(starts.iter().skip(1)) {
        let expected = WindowSpan { from: moment(from), to: moment(to) };
        assert_eq!(calendar.window_at(by_anchor(Month, 1), moment(from)), expected);
        let last = Timestamp(moment(to).0 - 1);
        assert_eq!(calendar.window_at(by_anchor(Month, 1), last), expected);
    }
}

#[test]
fn windows_by_the_anchor_at_the_hard_places() {
    let cases = [
        // 29 February, each year, and back on the next leap day.
        (
            "UTC",
            "2028-02-29T00:00:00Z",
            Year,
            1,
            "2029-03-01T00:00:00Z",
            "2029-02-28T00:00:00Z",
            "2030-02-28T00:00:00Z",
        ),
        (
            "UTC",
            "2028-02-29T00:00:00Z",
            Year,
            1,
            "2032-01-01T00:00:00Z",
            "2031-02-28T00:00:00Z",
            "2032-02-29T00:00:00Z",
        ),
        // 2100 is no leap year.
        (
            "UTC",
            "2096-02-29T00:00:00Z",
            Year,
            4,
            "2099-01-01T00:00:00Z",
            "2096-02-29T00:00:00Z",
            "2100-02-28T00:00:00Z",
        ),
        (
            "UTC",
            "2030-01-30T00:00:00Z",
            Month,
            1,
            "2030-03-01T00:00:00Z",
            "2030-02-28T00:00:00Z",
            "2030-03-30T00:00:00Z",
        ),
        (
            "UTC",
            "2030-11-30T00:00:00Z",
            Quarter,
            1,
            "2031-03-01T00:00:00Z",
            "2031-02-28T00:00:00Z",
            "2031-05-30T00:00:00Z",
        ),
        (
            "UTC",
            "2030-01-15T00:00:00Z",
            Month,
            2,
            "2030-04-01T00:00:00Z",
            "2030-03-15T00:00:00Z",
            "2030-05-15T00:00:00Z",
        ),
        // The 31st is that of the zone, where it is the 30th in UTC still.
        (
            "Asia/Tokyo",
            "2030-01-30T16:00:00Z",
            Month,
            1,
            "2030-03-01T00:00:00Z",
            "2030-02-27T16:00:00Z",
            "2030-03-30T16:00:00Z",
        ),
        // 10 o'clock is 10 o'clock, before and after the clock is changed.
        (
            "Europe/Berlin",
            "2030-03-15T09:00:00Z",
            Month,
            1,
            "2030-04-01T00:00:00Z",
            "2030-03-15T09:00:00Z",
            "2030-04-15T08:00:00Z",
        ),
        // 2:30 of 31 March does not exist: it is 3 o'clock.
        (
            "Europe/Berlin",
            "2030-01-31T01:30:00Z",
            Month,
            1,
            "2030-04-01T00:00:00Z",
            "2030-03-31T01:00:00Z",
            "2030-04-30T00:30:00Z",
        ),
        // An anchor in the second of two hours stays where it is.
        (
            "Europe/Berlin",
            "2030-10-27T01:30:00Z",
            Month,
            1,
            "2030-10-27T01:30:00Z",
            "2030-10-27T01:30:00Z",
            "2030-11-27T01:30:00Z",
        ),
        // Before the anchor there are windows as well.
        (
            "UTC",
            "2030-01-31T00:00:00Z",
            Month,
            1,
            "2029-11-30T00:00:00Z",
            "2029-11-30T00:00:00Z",
            "2029-12-31T00:00:00Z",
        ),
    ];
    for (zone, anchor, unit, count, at, from, to) in cases {
        let span = calendar(zone, anchor).window_at(by_anchor(unit, count), moment(at));
        let expected = WindowSpan { from: moment(from), to: moment(to) };
        assert_eq!(span, expected, "{zone} {anchor} {at}: {} to {}", span.from, span.to);
    }
}

#[test]
fn no_moment_makes_it_panic() {
    for at in [i64::MIN, -(1 << 53), 0, 1 << 53, i64::MAX] {
        for anchor in [i64::MIN, 0, i64::MAX] {
            let calendar =
                Calendar { zone: "Asia/Gaza".parse().unwrap(), anchor: Timestamp(anchor) };
            for window in [every(Hour), every(Week), every(Year), by_anchor(Year, COUNT_MAX)] {
                let span = calendar.window_at(window, Timestamp(at));
                assert!(span.from < span.to);
            }
        }
    }
}

fn any_window() -> impl Strategy<Value = QuotaWindow> {
    let units = prop::sample::select(vec![Hour, Day, Week, Month, Quarter, Year]);
    (units, 1..=24u32, any::<bool>()).prop_map(|(unit, count, anchored)| {
        if anchored && unit.months().is_some() { by_anchor(unit, count) } else { every(unit) }
    })
}

fn any_zone() -> impl Strategy<Value = Zone> {
    prop::sample::select(TZ_VARIANTS.to_vec()).prop_map(Zone)
}

/// From 1940 to 2100.
fn any_moment() -> impl Strategy<Value = Timestamp> {
    (-10_957 * DAY_MS..47_500 * DAY_MS).prop_map(Timestamp)
}

/// Within three days of where a zone is known to move, or anywhere.
fn hard_moment() -> impl Strategy<Value = Timestamp> {
    let near = prop::sample::select(vec![
        "2030-03-31T01:00:00Z",
        "2030-10-27T01:00:00Z",
        "2011-12-30T10:00:00Z",
        "2030-04-06T15:00:00Z",
        "1969-09-30T13:00:00Z",
        "2010-11-07T02:31:00Z",
    ]);
    let near = (near, -3 * DAY_MS..3 * DAY_MS).prop_map(|(at, by)| Timestamp(moment(at).0 + by));
    prop_oneof![any_moment(), near]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn windows_tile_time(
        zone in any_zone(), window in any_window(), anchor in any_moment(), at in hard_moment(),
        within in 0.0f64..1.0,
    ) {
        let calendar = Calendar { zone, anchor };
        let span = calendar.window_at(window, at);

        prop_assert!(span.has(at), "{} to {}", span.from, span.to);
        let next = calendar.window_at(window, span.to);
        prop_assert_eq!(next.from, span.to);
        let before = calendar.window_at(window, Timestamp(span.from.0 - 1));
        prop_assert_eq!(before.to, span.from);
        let other = Timestamp(span.from.0 + (span.millis() as f64 * within) as i64);
        prop_assert_eq!(calendar.window_at(window, other), span);
    }

    #[test]
    fn a_window_by_the_anchor_begins_on_its_day_or_the_last_of_the_month(
        zone in any_zone(), anchor in any_moment(), at in any_moment(), count in 1..=12u32,
    ) {
        let calendar = Calendar { zone, anchor };
        let span = calendar.window_at(by_anchor(Month, count), at);

        let (begins, anchor) = (zone.local(span.from), zone.local(anchor));
        let last = begins.date() + Days::new(1);
        let on_time = begins.day() == anchor.day() || last.month() != begins.month();
        // A skipped moment may be on the day after.
        prop_assert!(on_time || begins.time() != anchor.time(), "{begins} {anchor}");
    }
}
