//! Calendars: when people work, by the wall clock where they are. Pure.
//!
//! **A moment is worked when the wall clock of the zone shows a date and a time that are within the
//! hours of that date.** That is all of the definition, so where the clock jumps it says:
//! * What the clock skips is never shown, and is not worked: from 02:30 to 03:30, where 02:00 to
//!   03:00 is skipped, is half an hour.
//! * What the clock shows twice is worked twice: from 02:30 to 03:30, where 02:00 to 03:00 is shown
//!   twice, is an hour and a half in two stretches.
//! * A day that a zone leaves out has no hours.
//!
//! Hours of a day are those of `special` for its date, else none on a holiday, else those of its
//! weekday. Nothing here goes minute by minute: a day is a step, and so is a jump of the clock.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{Datelike, Days, NaiveDate};
use serde::{Deserialize, Serialize};
use shared::{
    domain::{Timestamp, Zone, zone},
    problem::Problem,
};
use utoipa::ToSchema;

use super::{
    holiday::{Holiday, Rule},
    hours::{self, Day, Interval},
};

/// How many holidays a calendar has at most.
pub const HOLIDAYS_MAX: usize = 400;
/// How many of them come again by a rule.
pub const RULES_MAX: usize = 60;
/// How many days have hours of their own.
pub const SPECIAL_MAX: usize = 400;
/// How far working time is counted and looked for, in days: ten years. What is not reached by then
/// is never reached.
pub const HORIZON_DAYS: i64 = 3_653;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;
const HORIZON_MS: i64 = HORIZON_DAYS * DAY_MS;
/// The years in which a calendar has to open: the weekdays of all dates come again after 28.
const CYCLE_YEARS: std::ops::Range<i32> = 2020..2048;

/// When people work, as it is put and read.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = WorkingCalendarText)]
pub struct CalendarText {
    /// The IANA zone of the wall clock, as `Europe/Berlin`.
    #[serde(default)]
    #[schema(value_type = String)]
    pub zone: Zone,
    /// Whether all time is worked. Then there is nothing else to say.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub always: bool,
    /// The hours of each weekday, up to 8 stretches in their order; a day that is left out has none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub hours: BTreeMap<Day, Vec<Interval>>,
    /// Days without hours: up to 400, up to 60 of which come again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holidays: Vec<Holiday>,
    /// Days with hours of their own, whatever else is said of them: up to 400.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub special: Vec<SpecialDay>,
}

/// A day with hours of its own.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = WorkingSpecialDay)]
pub struct SpecialDay {
    /// The date.
    #[schema(value_type = String, format = Date)]
    pub date: NaiveDate,
    /// Its hours, up to 8 stretches in their order; none is a day off.
    pub hours: Vec<Interval>,
}

/// When people work. Whoever holds one need not check it: it opens in every year.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Calendar {
    text: CalendarText,
    special: BTreeMap<NaiveDate, Vec<Interval>>,
    closed: BTreeSet<NaiveDate>,
    rules: Vec<Rule>,
}

impl Calendar {
    /// All time is worked.
    pub fn always() -> Self {
        Self { text: CalendarText { always: true, ..CalendarText::default() }, ..Self::default() }
    }

    /// The calendar that is written so.
    ///
    /// # Errors
    /// 422 with what is wrong in it.
    pub fn new(text: CalendarText) -> Result<Self, Problem> {
        let more = !(text.hours.is_empty() && text.holidays.is_empty() && text.special.is_empty());
        if text.always {
            let why = "where all time is worked, leave out hours, holidays and special";
            return if more { Err(Problem::unfitting("always", why)) } else { Ok(Self::always()) };
        }
        for it in text.hours.values() {
            hours::check(it).map_err(|why| Problem::unfitting("hours", why))?;
        }
        let mut it = Self { text, ..Self::default() };
        it.take_holidays().map_err(|why| Problem::unfitting("holidays", why))?;
        it.take_special().map_err(|why| Problem::unfitting("special", why))?;
        if it.opens_each_year() {
            Ok(it)
        } else {
            let why = "leave some hours open in every year, or set always";
            Err(Problem::unfitting("hours", why))
        }
    }

    fn take_holidays(&mut self) -> Result<(), String> {
        if self.text.holidays.len() > HOLIDAYS_MAX {
            return Err(format!("there are at most {HOLIDAYS_MAX}"));
        }
        for it in &self.text.holidays {
            match it.rule()? {
                Some(rule) => self.rules.push(rule),
                None => _ = self.closed.insert(it.date),
            }
        }
        if self.rules.len() > RULES_MAX {
            return Err(format!("at most {RULES_MAX} have a rule"));
        }
        Ok(())
    }

    fn take_special(&mut self) -> Result<(), String> {
        if self.text.special.len() > SPECIAL_MAX {
            return Err(format!("there are at most {SPECIAL_MAX}"));
        }
        for it in &self.text.special {
            hours::check(&it.hours)?;
            if self.special.insert(it.date, it.hours.clone()).is_some() {
                return Err(format!("{} is there twice", it.date));
            }
        }
        Ok(())
    }

    /// Whether the weekdays and what comes again leave something open in every year. Single days
    /// are left out: they are few, and are over some time.
    fn opens_each_year(&self) -> bool {
        let opens = |it: &NaiveDate| {
            let is_on =
                self.text.hours.get(&Day::of(it.weekday())).is_some_and(|it| !it.is_empty());
            is_on && !self.rules.iter().any(|rule| rule.names(*it))
        };
        let mut years = CYCLE_YEARS;
        years.all(|year| {
            let days =
                NaiveDate::from_ymd_opt(year, 1, 1).into_iter().flat_map(|it| it.iter_days());
            days.take_while(|it| it.year() == year).any(|it| opens(&it))
        })
    }

    /// As it is written.
    pub fn text(&self) -> &CalendarText {
        &self.text
    }

    /// The hours of a date.
    fn hours(&self, date: NaiveDate) -> &[Interval] {
        if let Some(it) = self.special.get(&date) {
            return it;
        }
        if self.closed.contains(&date) || self.rules.iter().any(|it| it.names(date)) {
            return &[];
        }
        self.text.hours.get(&Day::of(date.weekday())).map_or(&[], Vec::as_slice)
    }

    /// The stretches of working time from one moment to another, in their order, cut at both: each
    /// from its first moment to the one at which it is over. No further than the horizon.
    pub fn stretches(&self, from: Timestamp, to: Timestamp) -> impl Iterator<Item = Stretch> {
        let to = to.0.min(from.0.saturating_add(HORIZON_MS));
        let always = self.text.always && from.0 < to;
        let always = always.then_some(Stretch { from, to: Timestamp(to) });
        let at = if self.text.always { to } else { from.0 };
        always.into_iter().chain(Spans { calendar: self, at, to }.flatten())
    }

    /// How much is worked from one moment to another, in milliseconds.
    pub fn worked(&self, from: Timestamp, to: Timestamp) -> i64 {
        self.stretches(from, to).map(Stretch::millis).sum()
    }

    /// The first moment at which this much, in milliseconds, was worked from `from` on: `from`
    /// itself for nothing, and the end of a stretch rather than the start of the next. `None` when
    /// it is beyond the horizon.
    pub fn after(&self, from: Timestamp, millis: i64) -> Option<Timestamp> {
        if millis <= 0 {
            return Some(from);
        }
        let mut left = millis;
        for it in self.stretches(from, Timestamp::NEVER) {
            if it.millis() >= left {
                return Some(Timestamp(it.from.0 + left));
            }
            left -= it.millis();
        }
        None
    }

    /// Whether this moment is worked.
    pub fn is_open(&self, at: Timestamp) -> bool {
        self.stretches(at, Timestamp(at.0.saturating_add(1))).next().is_some()
    }

    /// Whether this moment is worked, or ends a stretch: still a time to tell somebody.
    pub fn touches(&self, at: Timestamp) -> bool {
        self.is_open(at) || self.is_open(Timestamp(at.0.saturating_sub(1)))
    }

    /// The first moment from this one on that is worked. `None` when it is beyond the horizon.
    pub fn opens_at(&self, at: Timestamp) -> Option<Timestamp> {
        self.stretches(at, Timestamp::NEVER).next().map(|it| it.from)
    }
}

/// A stretch of time: from its first moment to the one at which it is over.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Stretch {
    /// Its first moment.
    pub from: Timestamp,
    /// The first moment after it.
    pub to: Timestamp,
}

impl Stretch {
    /// How long it is, in milliseconds.
    pub fn millis(self) -> i64 {
        self.to.0 - self.from.0
    }
}

/// Walks from `at` to `to` in steps in which the wall clock shows one date and does not jump, and
/// gives what of each is worked.
struct Spans<'a> {
    calendar: &'a Calendar,
    at: i64,
    to: i64,
}

impl Iterator for Spans<'_> {
    type Item = Vec<Stretch>;

    fn next(&mut self) -> Option<Vec<Stretch>> {
        if self.at >= self.to {
            return None;
        }
        let offset = self.calendar.text.zone.offset_ms(Timestamp(self.at));
        let day = (self.at + offset).div_euclid(DAY_MS);
        let midnight = (day + 1) * DAY_MS - offset;
        let end = self.steady_until(offset, midnight);
        let (from, to) = (self.at, end.min(self.to));
        self.at = end;
        let start = day * DAY_MS - offset;
        let cut = |it: &Interval| {
            let from = Timestamp((start + it.from.millis()).max(from));
            let to = Timestamp((start + it.to.millis()).min(to));
            (from < to).then_some(Stretch { from, to })
        };
        let date = date(day)?;
        Some(self.calendar.hours(date).iter().filter_map(cut).collect())
    }
}

impl Spans<'_> {
    /// Until when the wall clock does not jump, and midnight at the latest. No zone jumps there and
    /// back within a day: a test looks at all of them.
    fn steady_until(&self, offset: i64, midnight: i64) -> i64 {
        let differs = |it: Timestamp| self.calendar.text.zone.offset_ms(it) != offset;
        let last = Timestamp(midnight - 1);
        if differs(last) { zone::first(Timestamp(self.at), last, differs).0 } else { midnight }
    }
}

/// The date that is this many days from 1970-01-01.
fn date(day: i64) -> Option<NaiveDate> {
    let epoch = NaiveDate::default();
    let days = Days::new(day.unsigned_abs());
    if day < 0 { epoch.checked_sub_days(days) } else { epoch.checked_add_days(days) }
}
