//! Quiet hours where wall clocks jump, beside a reading of the same clock minute by minute.

use std::{ops::Range, time::Duration};

use chrono::NaiveDateTime;
use proptest::prelude::*;

use super::*;
use crate::transitions::{JUMPS, ZONES, moment, zone};

const MINUTE: Duration = Duration::from_secs(60);

fn hours(text: &str) -> QuietHours {
    serde_json::from_str::<QuietHours>(text).unwrap().checked().unwrap()
}

fn nightly(from: &str, to: &str) -> QuietHours {
    hours(&format!(r#"{{"windows":[{{"from":"{from}","to":"{to}"}}]}}"#))
}

/// The wall clock from some moment on, minute by minute.
struct Clock {
    start: Timestamp,
    shown: Vec<NaiveDateTime>,
}

impl Clock {
    fn around(at: Timestamp, zone: Zone, days: u64) -> Self {
        let start = Timestamp(at.0 - at.0.rem_euclid(60_000)) - MINUTE * 1440 * days as u32;
        let minutes = 0..days as u32 * 2 * 1440;
        Self { start, shown: minutes.map(|it| zone.local(start + MINUTE * it)).collect() }
    }

    /// The first minute that shows this or more. Dates never go back, so this needs no order.
    fn first(&self, local: NaiveDateTime) -> usize {
        self.shown.iter().position(|it| *it >= local).unwrap_or(self.shown.len())
    }

    /// The minutes of each quiet stretch.
    fn quiet(&self, it: &QuietHours) -> Vec<Range<usize>> {
        let dates = self.shown.first().unwrap().date().iter_days();
        let last = self.shown.last().unwrap().date();
        let dates = dates.take_while(|it| *it <= last);
        let stretch = |date: NaiveDate, it: &QuietWindow| {
            let to = if it.to > it.from { date } else { date.succ_opt().unwrap() };
            self.first(date.and_time(it.from.time()))..self.first(to.and_time(it.to.time()))
        };
        dates
            .flat_map(|date| {
                let on = it.windows.iter().filter(move |it| it.is_on(date.weekday()));
                on.map(move |it| stretch(date, it))
            })
            .collect()
    }
}

/// Every ten minutes around each jump of each zone the notice goes out at the first minute that is
/// in no stretch.
fn holds_everywhere(it: &QuietHours) {
    for (zone, jump) in JUMPS.iter() {
        let clock = Clock::around(jump.at, *zone, 6);
        let mut is_quiet = vec![false; clock.shown.len()];
        for stretch in clock.quiet(it) {
            is_quiet.get_mut(stretch).into_iter().flatten().for_each(|it| *it = true);
        }
        // The first days and the last are left out: stretches reach in and out there.
        for minute in (5 * 1440..8 * 1440).step_by(10) {
            let opens = (minute..).find(|it| !is_quiet[*it]).unwrap();
            let expected = clock.start + MINUTE * u32::try_from(opens).unwrap();
            let now = clock.start + MINUTE * u32::try_from(minute).unwrap();

            let found = it.opens_at(now, *zone);
            assert_eq!(found, expected, "{zone:?} {jump:?} at {now}: {found} for {expected}");
        }
    }
}

#[test]
fn a_night_is_quiet_across_every_jump() {
    holds_everywhere(&nightly("22:00", "07:00"));
}

#[test]
fn a_window_that_ends_where_the_clock_jumps_ends_once() {
    for to in ["00:00", "00:30", "01:30", "02:00", "02:15", "02:30", "03:00"] {
        holds_everywhere(&nightly("20:00", to));
    }
}

#[test]
fn a_window_that_begins_where_the_clock_jumps_begins_once() {
    for from in ["00:00", "00:30", "02:00", "02:30"] {
        holds_everywhere(&nightly(from, "06:00"));
    }
}

#[test]
fn windows_that_overlap_or_touch_are_one() {
    holds_everywhere(&hours(
        r#"{"windows":[
            {"days":["sat","sun"],"from":"00:00","to":"00:00"},
            {"from":"21:00","to":"01:00"},{"from":"01:00","to":"02:30"},{"from":"02:00","to":"05:00"}
        ]}"#,
    ));
}

#[test]
fn the_recipients_own_zone_counts() {
    let night = nightly("22:00", "07:00");
    let now = moment("2030-01-15T21:30:00Z");

    assert_eq!(night.opens_at(now, zone("Europe/Berlin")), moment("2030-01-16T06:00:00Z"));
    assert_eq!(night.opens_at(now, zone("America/New_York")), now);
    assert_eq!(night.opens_at(now, zone("Asia/Kolkata")), moment("2030-01-16T01:30:00Z"));
}

#[test]
fn an_end_that_is_skipped_is_the_skip_and_one_that_is_shown_twice_the_first() {
    let night = nightly("22:00", "02:30");
    let berlin = zone("Europe/Berlin");

    let gap = moment("2030-03-31T00:30:00Z");
    assert_eq!(night.opens_at(gap, berlin), moment("2030-03-31T01:00:00Z"));
    let overlap = moment("2030-10-26T23:00:00Z");
    assert_eq!(night.opens_at(overlap, berlin), moment("2030-10-27T00:30:00Z"));
    // 02:10, shown a second time: that window was over.
    let again = moment("2030-10-27T01:10:00Z");
    assert_eq!(night.opens_at(again, berlin), again);
}

#[test]
fn what_is_urgent_goes_out_and_dropping_is_said() {
    let mut night = nightly("22:00", "07:00");
    let (now, utc) = (moment("2030-01-15T23:00:00Z"), Zone::default());
    let morning = Outcome::At(moment("2030-01-16T07:00:00Z"));

    assert_eq!(night.outcome(now, utc, false), morning);
    assert_eq!(night.outcome(now, utc, true), Outcome::At(now));
    night.then = Then::Drop;
    assert_eq!(night.outcome(now, utc, false), Outcome::Dropped);
    assert_eq!(night.outcome(now, utc, true), Outcome::At(now));
    let noon = moment("2030-01-15T12:00:00Z");
    assert_eq!(night.outcome(noon, utc, false), Outcome::At(noon));
}

#[test]
fn hours_that_never_end_are_refused() {
    let parsed = |text: &str| serde_json::from_str::<QuietHours>(text).unwrap().checked();

    assert_eq!(parsed(r#"{"windows":[]}"#), Err(Error::Windows));
    let always = r#"{"windows":[{"from":"06:00","to":"18:00"},{"from":"18:00","to":"06:00"}]}"#;
    assert_eq!(parsed(always), Err(Error::Always));
    assert_eq!(parsed(r#"{"windows":[{"from":"00:00","to":"00:00"}]}"#), Err(Error::Always));
    assert!(parsed(r#"{"windows":[{"from":"00:00","to":"23:59"}]}"#).is_ok());
    for bad in ["24:00", "7:00", "07:60", "0700", "07:00:00", "+7:00"] {
        let text = format!(r#"{{"windows":[{{"from":"{bad}","to":"08:00"}}]}}"#);
        let err = serde_json::from_str::<QuietHours>(&text).unwrap_err().to_string();
        assert!(err.contains(TIME), "{bad}: {err}");
    }
}

proptest! {
    #[test]
    fn what_opens_is_open_and_no_earlier_than_now(
        at in 0i64..4_102_444_800,
        from in 0u32..1440,
        minutes in 1u32..1439,
        index in 0..ZONES.len(),
    ) {
        let text = |minute: u32| format!("{:02}:{:02}", minute / 60 % 24, minute % 60);
        let night = nightly(&text(from), &text(from + minutes));
        let (now, zone) = (Timestamp(at * 1000), zone(ZONES[index]));

        let opens = night.opens_at(now, zone);

        prop_assert!(opens >= now);
        prop_assert_eq!(night.opens_at(opens, zone), opens);
    }
}
