//! Windows: which stretch of time a quota is for. Pure.
//!
//! A window begins when the wall clock of its zone first shows its start. Where the clock skips
//! that moment, it begins with the skip; where the clock shows it twice, with the first time. So
//! windows follow each other without a gap and without an overlap, whatever the zone does.

#[cfg(test)]
mod tests;

use std::fmt;

use chrono::{DateTime, Datelike, Days, Months, NaiveDate, NaiveDateTime, NaiveTime};
use serde::{Deserialize, Serialize};
pub use shared::domain::Zone;
use shared::{
    domain::{Timestamp, zone},
    problem::Problem,
};
use utoipa::ToSchema;

/// The first and the last moment that windows are known of: the years 1900 to 9000. What is
/// outside of that is taken for the nearest of these.
const EARLIEST: Timestamp = Timestamp(-2_208_988_800_000);
const LATEST: Timestamp = Timestamp(221_845_392_000_000);
/// No window is more than this many away from the one that the calendar suggests.
const STEPS_MAX: usize = 4;
/// How many units a window by the anchor has at most.
pub const COUNT_MAX: u32 = 120;
const HOUR_MS: i64 = 60 * 60 * 1000;

/// How long a window is, and where it begins.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct QuotaWindow {
    /// What it is made of.
    pub every: WindowUnit,
    /// Of how many, by the anchor: 1 to 120. By the calendar it is 1.
    #[serde(default = "one")]
    pub count: u32,
    /// Where it begins: with the calendar's unit, or where the subject's anchor says.
    #[serde(default)]
    pub aligned: WindowAlignment,
}

fn one() -> u32 {
    1
}

/// What a window is made of.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WindowUnit {
    /// An hour of the wall clock. One that happens twice is two windows.
    Hour,
    /// A day of the wall clock: 23, 24 or 25 hours.
    Day,
    /// Monday to Sunday (ISO 8601).
    Week,
    /// A month.
    Month,
    /// January, April, July or October, and the two months after.
    Quarter,
    /// A year.
    Year,
}

/// Where a window begins.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WindowAlignment {
    /// With the calendar's unit, at midnight of the zone.
    #[default]
    Calendar,
    /// With the anchor, and every so many months, quarters or years before and after it. An anchor
    /// on the 29th, 30th or 31st is the last day of a month that has none.
    Anchor,
}

/// A stretch of time: `from` is in it, `to` is not.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
pub struct WindowSpan {
    /// The first moment in it.
    pub from: Timestamp,
    /// The first moment after it.
    pub to: Timestamp,
}

/// By what windows are told: a zone, and the moment from which billing counts.
#[derive(Clone, Copy, Debug)]
pub struct Calendar {
    /// Where the wall clock hangs.
    pub zone: Zone,
    /// From when billing counts.
    pub anchor: Timestamp,
}

impl QuotaWindow {
    /// The window, if it makes sense.
    ///
    /// # Errors
    /// 422 that says what does not.
    pub fn checked(self, path: &str) -> Result<Self, Problem> {
        let by_anchor = self.aligned == WindowAlignment::Anchor;
        if by_anchor && self.every.months().is_none() {
            return Err(Problem::unfitting(path, "by the anchor go month, quarter and year"));
        }
        let most = if by_anchor { COUNT_MAX } else { 1 };
        if !(1..=most).contains(&self.count) {
            return Err(Problem::unfitting(path, format!("count is 1 to {most}")));
        }
        Ok(self)
    }

    /// How many months it has by the anchor.
    fn months(self) -> Option<i64> {
        let by_anchor = self.aligned == WindowAlignment::Anchor;
        self.every.months().filter(|_| by_anchor).map(|it| it * i64::from(self.count.max(1)))
    }
}

impl fmt::Display for QuotaWindow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = match self.every {
            WindowUnit::Hour => "hour",
            WindowUnit::Day => "day",
            WindowUnit::Week => "week",
            WindowUnit::Month => "month",
            WindowUnit::Quarter => "quarter",
            WindowUnit::Year => "year",
        };
        match self.aligned {
            WindowAlignment::Calendar => f.write_str(unit),
            WindowAlignment::Anchor => write!(f, "{}-{unit}-by-anchor", self.count),
        }
    }
}

impl WindowUnit {
    fn months(self) -> Option<i64> {
        match self {
            Self::Hour | Self::Day | Self::Week => None,
            Self::Month => Some(1),
            Self::Quarter => Some(3),
            Self::Year => Some(12),
        }
    }
}

impl WindowSpan {
    /// Whether the moment is in it.
    pub fn has(&self, moment: Timestamp) -> bool {
        self.from <= moment && moment < self.to
    }

    /// How long it is, in milliseconds.
    pub fn millis(&self) -> i64 {
        self.to.0.saturating_sub(self.from.0).max(0)
    }

    /// What is in this and in the other.
    pub fn within(&self, other: Self) -> Self {
        Self { from: self.from.max(other.from), to: self.to.min(other.to) }
    }
}

impl Calendar {
    /// The window that the moment is in.
    pub fn window_at(&self, window: QuotaWindow, moment: Timestamp) -> WindowSpan {
        let moment = moment.clamp(EARLIEST, LATEST);
        if window.every == WindowUnit::Hour {
            return self.hour_at(moment);
        }
        let mut number = self.number(window, self.zone.local(moment));
        // Where the clock goes back over midnight, a moment shows the date of the window before.
        for _ in 0..STEPS_MAX {
            if self.start(window, number) > moment {
                number -= 1;
            } else if self.start(window, number + 1) <= moment {
                number += 1;
            }
        }
        WindowSpan { from: self.start(window, number), to: self.start(window, number + 1) }
    }

    /// The hour that the moment is in. Its grid is that of the wall clock, which is another one
    /// only after a zone moved by a part of an hour; there an hour ends early.
    fn hour_at(&self, moment: Timestamp) -> WindowSpan {
        let grid = |at: Timestamp| self.zone.offset_ms(at).rem_euclid(HOUR_MS);
        let here = grid(moment);
        let from = Timestamp((moment.0 + here).div_euclid(HOUR_MS) * HOUR_MS - here);
        let to = Timestamp(from.0 + HOUR_MS);
        let from = match grid(from) == here {
            true => from,
            false => zone::first(from, moment, |it| grid(it) == here),
        };
        let to = match grid(Timestamp(to.0 - 1)) == here {
            true => to,
            false => zone::first(moment, to, |it| grid(it) != here),
        };
        WindowSpan { from, to }
    }

    /// The number of the window that has this date, or a neighbour of it.
    fn number(&self, window: QuotaWindow, local: NaiveDateTime) -> i64 {
        let months = months(local.date());
        match (window.months(), window.every.months()) {
            (Some(length), _) => {
                (months - self::months(self.anchor_local().date())).div_euclid(length)
            }
            (None, Some(length)) => months.div_euclid(length),
            (None, None) if window.every == WindowUnit::Week => (days(local) + 3).div_euclid(7),
            (None, None) => days(local),
        }
    }

    /// When the window with this number begins.
    fn start(&self, window: QuotaWindow, number: i64) -> Timestamp {
        if let Some(length) = window.months() {
            if number == 0 {
                // As it is, also where the clock shows it for the second time.
                return self.anchor.clamp(EARLIEST, LATEST);
            }
            let anchor = self.anchor_local();
            let date = plus_months(anchor.date(), number * length);
            return self.zone.first_at(NaiveDateTime::new(date, anchor.time()));
        }
        let epoch = DateTime::UNIX_EPOCH.date_naive();
        let date = match window.every.months() {
            Some(length) => plus_months(epoch, number * length - months(epoch)),
            None if window.every == WindowUnit::Week => plus_days(epoch, number * 7 - 3),
            None => plus_days(epoch, number),
        };
        self.zone.first_at(NaiveDateTime::new(date, NaiveTime::MIN))
    }

    fn anchor_local(&self) -> NaiveDateTime {
        self.zone.local(self.anchor.clamp(EARLIEST, LATEST))
    }
}

fn days(local: NaiveDateTime) -> i64 {
    local.date().signed_duration_since(DateTime::UNIX_EPOCH.date_naive()).num_days()
}

/// Months since the year 0.
fn months(date: NaiveDate) -> i64 {
    i64::from(date.year()) * 12 + i64::from(date.month0())
}

fn plus_days(date: NaiveDate, days: i64) -> NaiveDate {
    let by = Days::new(days.unsigned_abs());
    let moved = if days < 0 { date.checked_sub_days(by) } else { date.checked_add_days(by) };
    // Not reached: the moments are between 1900 and 9000.
    moved.unwrap_or(date)
}

/// The same day of another month, or the last that it has.
fn plus_months(date: NaiveDate, months: i64) -> NaiveDate {
    let by = Months::new(u32::try_from(months.unsigned_abs()).unwrap_or(u32::MAX));
    let moved = if months < 0 { date.checked_sub_months(by) } else { date.checked_add_months(by) };
    // Not reached: the moments are between 1900 and 9000.
    moved.unwrap_or(date)
}
