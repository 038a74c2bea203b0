//! Periods: how long something is paid for, and when the next one begins.
//!
//! Periods are counted from an anchor by the wall clock of a zone. An anchor on the 29th, 30th or
//! 31st is the last day of a month that has none, and returns. Where the clock skips the moment a
//! period begins with the skip, and where it shows it twice with the first time: so periods follow
//! each other without a gap and without an overlap.

#[cfg(test)]
mod tests;

use chrono::{Datelike, Days, Months, NaiveDateTime};
use serde::{Deserialize, Deserializer, Serialize, de};
use shared::domain::Timestamp;
pub use shared::domain::Zone;
use utoipa::ToSchema;

use crate::money;

/// What an interval is made of.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = IntervalUnit)]
pub enum Unit {
    /// A day of the wall clock.
    Day,
    /// Seven of them.
    Week,
    /// A month.
    Month,
    /// A year.
    Year,
}

/// How long a period is: up to 366 days, 52 weeks, 36 months or 3 years.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, ToSchema)]
#[schema(as = BillingInterval)]
pub struct Interval {
    /// What it is made of.
    pub unit: Unit,
    /// Of how many.
    pub count: u32,
}

/// From when periods count, and by which clock.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Anchor {
    /// When the period with the number 0 begins.
    pub at: Timestamp,
    /// Where the wall clock hangs.
    pub zone: Zone,
}

/// A stretch of time: `from` is in it, `to` is not.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[schema(as = BillingPeriod)]
pub struct Period {
    /// The first moment in it.
    pub from: Timestamp,
    /// The first moment after it.
    pub to: Timestamp,
}

/// By what parts of a period are told.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ProrationPrecision)]
pub enum Precision {
    /// By the second.
    #[default]
    Second,
    /// By the day of the wall clock: the day of a change is part of what remains.
    Day,
}

/// The number of a period that is ever looked for, from the anchor.
const NUMBER_MAX: i64 = 100_000;

impl Interval {
    /// The interval, if it is one that there is.
    ///
    /// # Errors
    /// Which there are.
    pub fn new(unit: Unit, count: u32) -> Result<Self, &'static str> {
        let most = match unit {
            Unit::Day => 366,
            Unit::Week => 52,
            Unit::Month => 36,
            Unit::Year => 3,
        };
        match (1..=most).contains(&count) {
            true => Ok(Self { unit, count }),
            false => Err("an interval is 1 to 366 days, 52 weeks, 36 months or 3 years"),
        }
    }

    /// The period with this number; 0 begins with the anchor. `None` when it is too far away.
    pub fn period(&self, anchor: &Anchor, number: i64) -> Option<Period> {
        let (from, to) = (self.start(anchor, number)?, self.start(anchor, number + 1)?);
        Some(Period { from, to })
    }

    /// The period that follows the one with this number, and its own number. A zone that leaves
    /// out a day, as Pacific/Apia did with 2011-12-30, leaves a daily period without any time: it
    /// is passed over. `None` when it is too far away.
    pub fn after(&self, anchor: &Anchor, number: i64) -> Option<(i64, Period)> {
        let mut next = number + 1;
        let mut period = self.period(anchor, next)?;
        if period.millis() == 0 {
            next += 1;
            period = self.period(anchor, next)?;
        }
        Some((next, period))
    }

    /// The number of the period that `at` is in.
    pub fn index_at(&self, anchor: &Anchor, at: Timestamp) -> Option<i64> {
        let (mut low, mut high) = (-NUMBER_MAX, NUMBER_MAX);
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            // What is too far away to be told is beyond any moment.
            let begins = self.start(anchor, middle);
            let is_later = begins.map_or(middle > 0, |it| it > at);
            if is_later { high = middle } else { low = middle }
        }
        let period = self.period(anchor, low)?;
        period.contains(at).then_some(low)
    }

    /// About how many seconds it has, to compare prices by: a month is a twelfth of a year of
    /// 365.2425 days.
    pub fn seconds(&self) -> i64 {
        let unit = match self.unit {
            Unit::Day => 86_400,
            Unit::Week => 7 * 86_400,
            Unit::Month => 2_629_746,
            Unit::Year => 31_556_952,
        };
        unit * i64::from(self.count)
    }

    fn start(&self, anchor: &Anchor, number: i64) -> Option<Timestamp> {
        if number.abs() > NUMBER_MAX {
            return None;
        }
        if number == 0 {
            // As it is, also where the clock shows it for the second time.
            return Some(anchor.at);
        }
        let local = anchor.zone.local(anchor.at);
        let steps = number.checked_mul(i64::from(self.count))?;
        let moved = match self.unit {
            Unit::Day => plus_days(local, steps),
            Unit::Week => plus_days(local, steps.checked_mul(7)?),
            Unit::Month => plus_months(local, steps),
            Unit::Year => plus_months(local, steps.checked_mul(12)?),
        }?;
        (1900..=9000).contains(&moved.year()).then(|| anchor.zone.first_at(moved))
    }
}

fn plus_days(local: NaiveDateTime, days: i64) -> Option<NaiveDateTime> {
    let by = Days::new(days.unsigned_abs());
    if days < 0 { local.checked_sub_days(by) } else { local.checked_add_days(by) }
}

fn plus_months(local: NaiveDateTime, months: i64) -> Option<NaiveDateTime> {
    let by = Months::new(u32::try_from(months.unsigned_abs()).ok()?);
    if months < 0 { local.checked_sub_months(by) } else { local.checked_add_months(by) }
}

impl<'de> Deserialize<'de> for Interval {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Text {
            unit: Unit,
            #[serde(default = "one")]
            count: u32,
        }
        fn one() -> u32 {
            1
        }
        let text = Text::deserialize(deserializer)?;
        Self::new(text.unit, text.count).map_err(de::Error::custom)
    }
}

impl Period {
    /// Whether the moment is in it.
    pub fn contains(&self, at: Timestamp) -> bool {
        self.from <= at && at < self.to
    }

    /// How long it is, in milliseconds.
    pub fn millis(&self) -> i64 {
        self.to.0.saturating_sub(self.from.0).max(0)
    }

    /// How much of it remains at `at`, as a part and the whole. Nothing after it, all before it.
    pub fn remaining(&self, at: Timestamp, precision: Precision, zone: Zone) -> (i64, i64) {
        let at = at.clamp(self.from, self.to);
        match precision {
            Precision::Second => {
                let whole = money::divided(i128::from(self.millis()), 1000);
                let part = money::divided(i128::from(self.to.0 - at.0), 1000);
                let (part, whole) = (i64::try_from(part), i64::try_from(whole));
                let whole = whole.unwrap_or(i64::MAX).max(1);
                (part.unwrap_or(0).min(whole), whole)
            }
            Precision::Day => {
                let day = |it: Timestamp| i64::from(zone.local(it).date().num_days_from_ce());
                let whole = (day(self.to) - day(self.from)).max(1);
                let part = match at == self.from {
                    // All of it, also where it begins and ends on one day.
                    true => whole,
                    false => day(self.to) - day(at),
                };
                (part.clamp(0, whole), whole)
            }
        }
    }
}

/// The year that the wall clock of the zone shows.
pub fn year(at: Timestamp, zone: Zone) -> u16 {
    u16::try_from(zone.local(at).year()).unwrap_or(1)
}
