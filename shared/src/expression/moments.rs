//! Timestamps and durations, as CEL writes them.

use chrono::{DateTime, Datelike, SecondsFormat, TimeDelta, Timelike, Utc};

use super::{Trouble, failed, functions::Function};

/// 0001-01-01T00:00:00Z and the last second of 9999, in seconds since 1970.
const SECONDS: std::ops::RangeInclusive<i64> = -62_135_596_800..=253_402_300_799;
/// About ten thousand years, in seconds.
const DURATION_SECONDS_MAX: i64 = 315_576_000_000;

/// The longest text of a duration, in bytes: each of its numbers takes a while to read.
const DURATION_BYTES_MAX: usize = 64;

/// Units of a duration in nanoseconds, longer names first.
const UNITS: [(&str, f64); 7] =
    [("ns", 1.0), ("us", 1e3), ("µs", 1e3), ("ms", 1e6), ("h", 3.6e12), ("m", 6e10), ("s", 1e9)];

pub(super) fn read_timestamp(text: &str) -> Result<DateTime<Utc>, Trouble> {
    let parsed = DateTime::parse_from_rfc3339(text).ok().map(|it| it.to_utc());
    timestamp(parsed).map_err(|_| failed("a timestamp is written as 2030-01-31T12:00:00Z"))
}

/// A timestamp within what CEL allows.
pub(super) fn timestamp(it: Option<DateTime<Utc>>) -> Result<DateTime<Utc>, Trouble> {
    it.filter(|it| SECONDS.contains(&it.timestamp()))
        .ok_or_else(|| failed("a timestamp is within the years 1 to 9999"))
}

/// A duration within what CEL allows.
pub(super) fn duration(it: Option<TimeDelta>) -> Result<TimeDelta, Trouble> {
    it.filter(|it| it.num_seconds().abs() <= DURATION_SECONDS_MAX)
        .ok_or_else(|| failed("a duration is at most ten thousand years"))
}

pub(super) fn read_duration(text: &str) -> Result<TimeDelta, Trouble> {
    let wrong = || failed("a duration is written as 90s, 1h30m or 1.5s");
    let (is_negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    if rest.is_empty() || text.len() > DURATION_BYTES_MAX {
        return Err(wrong());
    }
    let mut nanos = 0f64;
    while !rest.is_empty() && rest != "0" {
        let end = rest.find(|it: char| !it.is_ascii_digit() && it != '.').ok_or_else(wrong)?;
        let (number, tail) = rest.split_at_checked(end).ok_or_else(wrong)?;
        let number: f64 = number.parse().map_err(|_| wrong())?;
        let (tail, unit) = UNITS
            .iter()
            .find_map(|(name, unit)| Some((tail.strip_prefix(name)?, unit)))
            .ok_or_else(wrong)?;
        nanos += number * unit;
        rest = tail;
    }
    let nanos = if is_negative { -nanos } else { nanos };
    let seconds = (nanos / 1e9).trunc();
    let within = (nanos - seconds * 1e9) as i64;
    // A cast of a double saturates, and `duration` refuses what is out of range.
    let whole = TimeDelta::try_seconds(seconds as i64);
    duration(whole.and_then(|it| it.checked_add(&TimeDelta::nanoseconds(within))))
}

pub(super) fn write_timestamp(it: &DateTime<Utc>) -> String {
    it.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

pub(super) fn write_duration(it: &TimeDelta) -> String {
    let sign = if *it < TimeDelta::zero() { "-" } else { "" };
    let (seconds, nanos) = (it.num_seconds().unsigned_abs(), it.subsec_nanos().unsigned_abs());
    if nanos == 0 {
        return format!("{sign}{seconds}s");
    }
    let fraction = format!("{nanos:09}");
    format!("{sign}{seconds}.{}s", fraction.trim_end_matches('0'))
}

/// `getHours()` and its like, in UTC.
pub(super) fn part(of: &DateTime<Utc>, what: Function) -> i64 {
    match what {
        Function::GetFullYear => of.year().into(),
        Function::GetMonth => of.month0().into(),
        Function::GetDayOfYear => of.ordinal0().into(),
        Function::GetDayOfMonth => of.day0().into(),
        Function::GetDate => of.day().into(),
        Function::GetDayOfWeek => of.weekday().num_days_from_sunday().into(),
        Function::GetHours => of.hour().into(),
        Function::GetMinutes => of.minute().into(),
        Function::GetSeconds => of.second().into(),
        _ => of.timestamp_subsec_millis().into(),
    }
}

/// `getHours()` and its like of a duration: the whole of it in that unit, as CEL has it.
pub(super) fn whole(of: &TimeDelta, what: Function) -> Option<i64> {
    match what {
        Function::GetHours => Some(of.num_hours()),
        Function::GetMinutes => Some(of.num_minutes()),
        Function::GetSeconds => Some(of.num_seconds()),
        Function::GetMilliseconds => Some(of.subsec_nanos() as i64 / 1_000_000),
        _ => None,
    }
}
