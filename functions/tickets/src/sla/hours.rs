//! Hours: stretches of a day as its wall clock shows them. Pure.

use std::fmt;

use chrono::Weekday;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How many stretches a day has at most.
pub const INTERVALS_MAX: usize = 8;
/// The minutes of a day; also its end, `24:00`.
const DAY_MINUTES: u16 = 24 * 60;
/// How a time of day is written.
const TIME: &str = "a time of day, as 09:00, up to 24:00";

/// A time of day of the wall clock, to the minute: `00:00` to `24:00`.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct TimeOfDay(u16);

/// A stretch of a day. It ends on the day on which it begins: what goes on after midnight is
/// another stretch of the next day.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = WorkingInterval)]
pub struct Interval {
    /// When it begins, as `09:00`.
    #[schema(value_type = String)]
    pub from: TimeOfDay,
    /// When it is over, as `12:30`, later than `from`, and `24:00` at most.
    #[schema(value_type = String)]
    pub to: TimeOfDay,
}

/// A day of the week.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = WorkingDay)]
pub enum Day {
    /// Monday.
    Mon,
    /// Tuesday.
    Tue,
    /// Wednesday.
    Wed,
    /// Thursday.
    Thu,
    /// Friday.
    Fri,
    /// Saturday.
    Sat,
    /// Sunday.
    Sun,
}

impl TimeOfDay {
    /// From the start of the day, in milliseconds of the wall clock.
    pub fn millis(self) -> i64 {
        i64::from(self.0) * 60_000
    }
}

impl TryFrom<String> for TimeOfDay {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let two = |it: &str| {
            let plain = it.len() == 2 && it.bytes().all(|it| it.is_ascii_digit());
            plain.then(|| it.parse::<u16>().ok()).flatten()
        };
        let parts =
            text.split_once(':').and_then(|(hour, minute)| Some((two(hour)?, two(minute)?)));
        let minutes = parts.filter(|(_, minute)| *minute < 60).map(|(hour, it)| hour * 60 + it);
        let minutes = minutes.filter(|it| *it <= DAY_MINUTES);
        minutes.map(Self).ok_or_else(|| format!("expected {TIME}"))
    }
}

impl From<TimeOfDay> for String {
    fn from(it: TimeOfDay) -> Self {
        it.to_string()
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

impl Day {
    /// The day that chrono calls so.
    pub fn of(weekday: Weekday) -> Self {
        match weekday {
            Weekday::Mon => Self::Mon,
            Weekday::Tue => Self::Tue,
            Weekday::Wed => Self::Wed,
            Weekday::Thu => Self::Thu,
            Weekday::Fri => Self::Fri,
            Weekday::Sat => Self::Sat,
            Weekday::Sun => Self::Sun,
        }
    }
}

/// Whether these can be the hours of a day.
///
/// # Errors
/// Why not, in words for who wrote them.
pub fn check(hours: &[Interval]) -> Result<(), String> {
    if hours.len() > INTERVALS_MAX {
        return Err(format!("a day has at most {INTERVALS_MAX} stretches"));
    }
    if let Some(it) = hours.iter().find(|it| it.from >= it.to) {
        let why = "a stretch ends after it begins, on the same day: split it at 24:00";
        return Err(format!("{} to {}: {why}", it.from, it.to));
    }
    let mut pairs = hours.iter().zip(hours.iter().skip(1));
    match pairs.find(|(one, next)| next.from < one.to) {
        Some((one, next)) => {
            let why = "put stretches in their order, none into another";
            Err(format!("{} comes before {}: {why}", next.from, one.to))
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hours(text: &str) -> Result<(), String> {
        let hours: Vec<Interval> = serde_json::from_str(text).map_err(|err| err.to_string())?;
        check(&hours)
    }

    #[test]
    fn a_time_is_written_in_one_way() {
        for good in ["00:00", "09:05", "24:00"] {
            let it = TimeOfDay::try_from(good.to_owned()).unwrap();
            assert_eq!(String::from(it), good);
        }
        for bad in ["", "9:00", "24:01", "25:00", "09:60", "0900", "+9:00", "09:00:00", "-1:00"] {
            assert!(TimeOfDay::try_from(bad.to_owned()).is_err(), "{bad}");
        }
    }

    #[test]
    fn stretches_are_in_order_and_apart() {
        let two = r#"[{"from":"09:00","to":"12:00"},{"from":"12:00","to":"24:00"}]"#;

        assert_eq!(hours(two), Ok(()));
        assert!(hours(r#"[{"from":"09:00","to":"12:00"},{"from":"11:59","to":"13:00"}]"#).is_err());
        assert!(hours(r#"[{"from":"13:00","to":"14:00"},{"from":"09:00","to":"12:00"}]"#).is_err());
        assert!(hours(r#"[{"from":"22:00","to":"06:00"}]"#).is_err());
        assert!(hours(r#"[{"from":"09:00","to":"09:00"}]"#).is_err());
    }
}
