//! Calendars where wall clocks jump.

use chrono_tz::TZ_VARIANTS;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const HOUR: i64 = 60 * 60 * 1000;

fn moment(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

fn parsed(text: Value) -> Result<Calendar, Problem> {
    Calendar::new(serde_json::from_value(text).unwrap())
}

fn daily(zone: &str, hours: &[(&str, &str)]) -> Calendar {
    let hours: Vec<_> = hours.iter().map(|(from, to)| json!({"from": from, "to": to})).collect();
    let days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    let hours: serde_json::Map<_, _> =
        days.iter().map(|it| ((*it).to_owned(), json!(hours))).collect();
    parsed(json!({"zone": zone, "hours": hours})).unwrap()
}

fn office() -> Calendar {
    let day = json!([{"from": "09:00", "to": "12:30"}, {"from": "13:30", "to": "18:00"}]);
    parsed(json!({
        "zone": "Europe/Berlin",
        "hours": {"mon": day, "tue": day, "wed": day, "thu": day, "fri": [day[0]]},
        "holidays": [
            {"date": "2030-01-01", "rule": "FREQ=YEARLY", "except": ["2032-01-01"]},
            {"date": "2030-01-03", "name": "Moving"},
        ],
        "special": [{"date": "2030-01-05", "hours": [{"from": "10:00", "to": "11:00"}]}],
    }))
    .unwrap()
}

#[test]
fn a_week_has_its_stretches_its_holidays_and_its_special_days() {
    let all: Vec<_> = office()
        .stretches(moment("2029-12-31T00:00:00Z"), moment("2030-01-07T00:00:00Z"))
        .map(|it| format!("{} {}", &it.from.to_string()[5..16], &it.to.to_string()[5..16]))
        .collect();

    // Monday, not the first of January, Wednesday, not the third, Friday, and a Saturday.
    let expected = [
        "12-31T08:00 12-31T11:30",
        "12-31T12:30 12-31T17:00",
        "01-02T08:00 01-02T11:30",
        "01-02T12:30 01-02T17:00",
        "01-04T08:00 01-04T11:30",
        "01-05T09:00 01-05T10:00",
    ];
    assert_eq!(all, expected);
}

#[test]
fn working_time_ends_where_a_stretch_does() {
    let office = office();
    let start = moment("2029-12-31T16:00:00Z");

    assert_eq!(office.after(start, HOUR), Some(moment("2029-12-31T17:00:00Z")));
    assert_eq!(office.after(start, HOUR + 1), Some(moment("2030-01-02T08:00:00.001Z")));
    assert_eq!(office.after(start, 0), Some(start));
    assert_eq!(
        office.opens_at(moment("2029-12-31T17:00:00Z")),
        Some(moment("2030-01-02T08:00:00Z"))
    );
    assert!(!office.is_open(moment("2029-12-31T17:00:00Z")));
    assert!(office.touches(moment("2029-12-31T17:00:00Z")));
    assert!(!office.touches(moment("2029-12-31T17:00:00.001Z")));
}

#[test]
fn what_the_clock_skips_is_not_worked_and_what_it_shows_twice_is_worked_twice() {
    let night = daily("Europe/Berlin", &[("02:30", "03:30")]);
    let worked = |from: &str, to: &str| night.worked(moment(from), moment(to));

    assert_eq!(worked("2030-03-30T00:00:00Z", "2030-03-31T00:00:00Z"), HOUR);
    assert_eq!(worked("2030-03-31T00:00:00Z", "2030-04-01T00:00:00Z"), HOUR / 2);
    assert_eq!(worked("2030-10-27T00:00:00Z", "2030-10-28T00:00:00Z"), HOUR + HOUR / 2);
    let twice = night.stretches(moment("2030-10-27T00:00:00Z"), moment("2030-10-28T00:00:00Z"));
    let starts: Vec<_> = twice.map(|it| it.from).collect();
    assert_eq!(starts, [moment("2030-10-27T00:30:00Z"), moment("2030-10-27T01:30:00Z")]);
}

#[test]
fn half_hours_and_days_that_are_left_out_are_as_the_clock_shows_them() {
    // Lord Howe goes back by half an hour at 02:00, and forward by half an hour.
    let lord_howe = daily("Australia/Lord_Howe", &[("01:00", "03:00")]);
    let worked = |from: &str, to: &str| lord_howe.worked(moment(from), moment(to));
    assert_eq!(worked("2030-04-06T12:00:00Z", "2030-04-07T12:00:00Z"), 2 * HOUR + HOUR / 2);
    assert_eq!(worked("2030-10-05T12:00:00Z", "2030-10-06T12:00:00Z"), 2 * HOUR - HOUR / 2);
    // Apia had no 30 December 2011.
    let apia = daily("Pacific/Apia", &[("09:00", "17:00")]);
    let (from, to) = (moment("2011-12-29T10:00:00Z"), moment("2012-01-01T10:00:00Z"));
    let days: Vec<_> = apia.stretches(from, to).map(|it| apia.text.zone.local(it.from)).collect();
    let days: Vec<_> = days.iter().map(|it| it.date().to_string()).collect();
    assert_eq!(days, ["2011-12-29", "2011-12-31", "2012-01-01"]);
}

#[test]
fn stretches_that_meet_at_midnight_go_on() {
    let all = daily("America/St_Johns", &[("00:00", "08:00"), ("08:00", "24:00")]);
    let (from, to) = (moment("2030-03-01T00:00:00Z"), moment("2030-12-01T00:00:00Z"));

    assert_eq!(all.worked(from, to), to.0 - from.0);
    assert_eq!(Calendar::always().worked(from, to), to.0 - from.0);
    assert_eq!(Calendar::always().after(from, 12_345), Some(Timestamp(from.0 + 12_345)));
}

#[test]
fn what_is_beyond_the_horizon_is_never() {
    let rare = parsed(json!({
        "hours": {"mon": [{"from": "09:00", "to": "09:01"}]},
    }))
    .unwrap();
    let from = moment("2030-01-01T00:00:00Z");

    assert!(rare.after(from, 500 * 60_000).is_some());
    assert_eq!(rare.after(from, 600 * 60_000), None);
    assert!(rare.worked(from, Timestamp::NEVER) <= 522 * 60_000);
    assert_eq!(Calendar::always().after(from, HORIZON_MS + 1), None);
}

#[test]
fn a_calendar_that_never_opens_is_refused() {
    let monday = json!({"mon": [{"from": "09:00", "to": "17:00"}]});

    for bad in [
        json!({}),
        json!({"hours": {}}),
        json!({"hours": {"mon": []}}),
        json!({"special": [{"date": "2030-01-01", "hours": [{"from": "09:00", "to": "17:00"}]}]}),
        json!({"hours": monday, "holidays": [{"date": "2018-01-01", "rule": "FREQ=MONTHLY;BYDAY=MO"}]}),
        json!({"hours": monday, "always": true}),
        json!({"hours": {"mon": [{"from": "09:00", "to": "09:00"}]}}),
        json!({"hours": monday, "special": [{"date": "2030-01-01", "hours": []},
            {"date": "2030-01-01", "hours": []}]}),
    ] {
        assert_eq!(parsed(bad.clone()).unwrap_err().status(), 422, "{bad}");
    }
    assert!(serde_json::from_value::<CalendarText>(json!({"zone": "Europe/Atlantis"})).is_err());
    assert!(parsed(json!({"hours": monday})).is_ok());
}

#[test]
fn there_are_limits() {
    let holidays = |count: usize, rule: Option<&str>| {
        let dates = "2030-01-07".parse::<NaiveDate>().unwrap().iter_days();
        let all = dates.take(count).map(|it| match rule {
            Some(rule) => json!({"date": it, "rule": rule}),
            None => json!({"date": it}),
        });
        let all: Vec<_> = all.collect();
        parsed(json!({"hours": {"tue": [{"from": "09:00", "to": "17:00"}]}, "holidays": all}))
    };

    assert!(holidays(HOLIDAYS_MAX, None).is_ok());
    assert!(holidays(HOLIDAYS_MAX + 1, None).is_err());
    assert!(holidays(RULES_MAX, Some("FREQ=YEARLY")).is_ok());
    assert!(holidays(RULES_MAX + 1, Some("FREQ=YEARLY")).is_err());
}

#[test]
fn no_clock_jumps_there_and_back_within_a_day() {
    // What `steady_until` takes for granted, for whatever will be judged.
    let (from, to) = (moment("2024-01-01T00:00:00Z").0, moment("2039-01-01T00:00:00Z").0);
    for tz in TZ_VARIANTS {
        let offsets: Vec<_> = (from..to)
            .step_by(6 * HOUR as usize)
            .map(|it| Zone(tz).offset_ms(Timestamp(it)))
            .collect();
        let jumps: Vec<_> =
            (1..offsets.len()).filter(|it| offsets[*it] != offsets[it - 1]).collect();
        assert!(jumps.windows(2).all(|it| it[1] - it[0] > 4), "{tz}");
    }
}

proptest! {
    #[test]
    fn the_moment_after_some_work_is_the_first_with_that_much(
        start in 1_800_000_000_000i64..2_000_000_000_000, work in 1i64..400_000_000,
    ) {
        let office = office();
        let end = office.after(Timestamp(start), work).unwrap();

        prop_assert_eq!(office.worked(Timestamp(start), end), work);
        prop_assert!(office.worked(Timestamp(start), Timestamp(end.0 - 1)) < work);
    }

    #[test]
    fn working_time_adds_up(
        start in 1_800_000_000_000i64..2_000_000_000_000,
        one in 0i64..400_000_000, two in 0i64..400_000_000,
    ) {
        let office = office();
        let (a, b, c) = (Timestamp(start), Timestamp(start + one), Timestamp(start + one + two));

        prop_assert_eq!(office.worked(a, b) + office.worked(b, c), office.worked(a, c));
    }
}
