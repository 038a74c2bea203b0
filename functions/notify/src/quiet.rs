//! Quiet hours: when somebody is not to be disturbed, by the wall clock where that one is. Pure.
//!
//! A quiet window begins when the wall clock first shows its start and ends when it first shows its
//! end. Where the clock skips that moment, it is the skip; where it shows it twice, the first time.
//! So each window is one stretch, whatever the zone does, and nothing is deferred twice for an hour
//! that happens twice.

#[cfg(test)]
mod tests;

use chrono::{Datelike, Days, NaiveDate, NaiveTime, Timelike, Weekday};
use serde::{Deserialize, Serialize};
use shared::domain::{Timestamp, Zone};
use utoipa::ToSchema;

/// How many windows there are at most.
pub const WINDOWS_MAX: usize = 21;
/// How far ahead an open moment is looked for, in windows: each step leaves one behind, and they
/// leave some minute of the week open, which no zone skips two weeks in a row.
const STEPS_MAX: usize = 3 * WINDOWS_MAX * 7;
const DAY_MINUTES: usize = 24 * 60;
const WEEK_MINUTES: usize = 7 * DAY_MINUTES;
/// How a time of day is written.
const TIME: &str = "a time of day, as 22:00";

/// When somebody is not to be disturbed, and what becomes of what falls into it.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct QuietHours {
    /// 1 to 21 stretches of the week.
    pub windows: Vec<QuietWindow>,
    /// What becomes of a notice; it is deferred when this is left out.
    #[serde(default)]
    pub then: Then,
}

/// A stretch of the day, on some days.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct QuietWindow {
    /// On which days it begins; on all when left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub days: Vec<Day>,
    /// When it begins, as `22:00`.
    #[schema(value_type = String)]
    pub from: TimeOfDay,
    /// When it ends, as `07:00`: on the next day when that is not after `from`.
    #[schema(value_type = String)]
    pub to: TimeOfDay,
}

/// A time of day of the wall clock, to the minute.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct TimeOfDay(NaiveTime);

/// A day of the week.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = QuietDay)]
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

/// What becomes of a notice in quiet hours.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = QuietThen)]
pub enum Then {
    /// It is sent when they are over.
    #[default]
    Defer,
    /// It is not sent.
    Drop,
}

/// When a notice goes out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// At this moment: now, or when the quiet hours are over.
    At(Timestamp),
    /// Not at all.
    Dropped,
}

/// Why quiet hours are not taken.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Error {
    /// There is none, or there are too many.
    #[error("name 1 to {WINDOWS_MAX} windows")]
    Windows,
    /// They leave nothing of the week.
    #[error("leave some minute of the week open, or turn the channel off")]
    Always,
}

impl QuietHours {
    /// The same, if they leave some of the week open.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn checked(self) -> Result<Self, Error> {
        if !(1..=WINDOWS_MAX).contains(&self.windows.len()) {
            return Err(Error::Windows);
        }
        let is_open = |minute| !self.windows.iter().any(|it| it.covers(minute));
        if (0..WEEK_MINUTES).any(is_open) { Ok(self) } else { Err(Error::Always) }
    }

    /// When what would go out now does so, where the wall clock is that of `zone`. What is urgent
    /// goes out now.
    pub fn outcome(&self, now: Timestamp, zone: Zone, urgent: bool) -> Outcome {
        let opens_at = if urgent { now } else { self.opens_at(now, zone) };
        match self.then {
            Then::Drop if opens_at > now => Outcome::Dropped,
            _ => Outcome::At(opens_at),
        }
    }

    /// The first moment from `now` on that is not quiet.
    pub fn opens_at(&self, now: Timestamp, zone: Zone) -> Timestamp {
        let mut moment = now;
        for _ in 0..STEPS_MAX {
            let Some(end) = self.quiet_until(moment, zone) else { break };
            moment = end;
        }
        moment
    }

    /// When the longest of the windows that the moment is in ends. `None` when it is in none.
    fn quiet_until(&self, moment: Timestamp, zone: Zone) -> Option<Timestamp> {
        let today = zone.local(moment).date();
        // A window that began yesterday may still be; a day that the zone skips lies between at most.
        let dates = (0..3).filter_map(|it| today.checked_sub_days(Days::new(it)));
        dates
            .flat_map(|date| self.windows.iter().filter_map(move |it| it.span(date, zone)))
            .filter(|(from, to)| (*from..*to).contains(&moment))
            .map(|(_, to)| to)
            .max()
    }
}

impl QuietWindow {
    fn is_on(&self, weekday: Weekday) -> bool {
        self.days.is_empty() || self.days.iter().any(|it| it.weekday() == weekday)
    }

    /// From when until when it is, if it begins on this date.
    fn span(&self, date: NaiveDate, zone: Zone) -> Option<(Timestamp, Timestamp)> {
        if !self.is_on(date.weekday()) {
            return None;
        }
        let last = if self.to > self.from { date } else { date.succ_opt()? };
        Some((zone.first_at(date.and_time(self.from.0)), zone.first_at(last.and_time(self.to.0))))
    }

    /// Whether it covers this minute of a week that begins on Monday.
    fn covers(&self, minute: usize) -> bool {
        let length = match (self.to.minute() + DAY_MINUTES - self.from.minute()) % DAY_MINUTES {
            0 => DAY_MINUTES,
            it => it,
        };
        (0..7).zip([Day::Mon, Day::Tue, Day::Wed, Day::Thu, Day::Fri, Day::Sat, Day::Sun]).any(
            |(number, day)| {
                let from = number * DAY_MINUTES + self.from.minute();
                self.is_on(day.weekday()) && (minute + WEEK_MINUTES - from) % WEEK_MINUTES < length
            },
        )
    }
}

impl TimeOfDay {
    /// The time itself.
    pub fn time(self) -> NaiveTime {
        self.0
    }

    /// The minute of the day.
    fn minute(self) -> usize {
        usize::try_from(self.0.num_seconds_from_midnight() / 60).unwrap_or(0)
    }
}

impl TryFrom<String> for TimeOfDay {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        // chrono would also read `7:5`; a time is written in one way only.
        let time = NaiveTime::parse_from_str(&text, "%H:%M").ok().filter(|_| text.len() == 5);
        time.map(Self).ok_or_else(|| format!("expected {TIME}"))
    }
}

impl From<TimeOfDay> for String {
    fn from(it: TimeOfDay) -> Self {
        it.0.format("%H:%M").to_string()
    }
}

impl Day {
    fn weekday(self) -> Weekday {
        match self {
            Self::Mon => Weekday::Mon,
            Self::Tue => Weekday::Tue,
            Self::Wed => Weekday::Wed,
            Self::Thu => Weekday::Thu,
            Self::Fri => Weekday::Fri,
            Self::Sat => Weekday::Sat,
            Self::Sun => Weekday::Sun,
        }
    }
}
