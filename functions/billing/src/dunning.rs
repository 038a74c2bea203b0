//! After a payment failed: when to try again, how long benefits last, and how it ends.
//!
//! Days are counted from the first failure, each of 86 400 seconds. Smart days are counted by the
//! wall clock of the customer's zone, also from the first failure: one that falls on a Saturday or
//! a Sunday is moved to the Monday after it, and all to the time of day at which the customer last
//! paid. The next step is a function of the history and the time alone, so it can be asked for as
//! often as one likes.

mod codes;
#[cfg(test)]
mod tests;

use std::time::Duration;

use chrono::{Datelike, Days, NaiveDate, Weekday};
use shared::domain::{Timestamp, Zone};

pub use codes::{Provider, classify};

/// The most tries for one invoice. Visa fines merchants for more than 15 in 30 days.
pub const ATTEMPTS_MAX: usize = 15;
/// The most retries that a schedule names.
pub const RETRIES_MAX: usize = 10;
/// The last day that a schedule may name.
pub const DAYS_MAX: u16 = 90;

const DAY: Duration = Duration::from_secs(86_400);

/// What a refusal means for the next try.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Decline {
    /// Another try with the same payment method may succeed.
    Soft,
    /// No try with this payment method will ever succeed, and networks fine those who try.
    Hard,
    /// The customer must do something: authenticate, correct the card, call the bank.
    NeedsCustomer,
}

/// How it ends when nothing helped.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Final {
    /// The subscription ends.
    Cancel,
    /// The subscription rests until it is paid.
    Pause,
    /// The subscription goes on, and the invoice stays open.
    Unpaid,
}

/// What an operator decided.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Policy {
    days: Vec<u16>,
    grace_days: u16,
    last: Final,
    /// The zone of smart days.
    smart: Option<Zone>,
}

/// One refused try.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Attempt {
    /// When it was refused.
    pub at: Timestamp,
    /// Why.
    pub decline: Decline,
}

/// What has happened to one invoice that is not paid.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct History {
    /// The refused tries, oldest first. The first one begins the count of days.
    pub attempts: Vec<Attempt>,
    /// When the customer last gave another payment method or confirmed the one there is.
    pub method_changed_at: Option<Timestamp>,
    /// When the customer last paid something. Smart days are at this time of day; without it, and
    /// where it is not before the first failure, at the time of that.
    pub paid_at: Option<Timestamp>,
}

/// What to do next.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Step {
    /// Nothing was refused.
    Nothing,
    /// Try now.
    RetryNow,
    /// Try at this moment; until then there is nothing to do.
    RetryAt(Timestamp),
    /// Wait for another payment method; give up at this moment.
    AwaitMethod(Timestamp),
    /// Wait for the customer to act; give up at this moment.
    AwaitCustomer(Timestamp),
    /// Give up in this way.
    Finish(Final),
}

/// Why a policy is none.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Error {
    /// The days do not rise, or are too many or too late.
    #[error("retries are 1 to 10 rising days after the first failure, from day 1 to day 90")]
    BadDays,
    /// The grace is longer than anything.
    #[error("a grace period is 90 days at most")]
    BadGrace,
}

impl Default for Policy {
    /// Retries on days 2, 7, 14 and 21, benefits for 7 days, then the subscription ends.
    fn default() -> Self {
        Self { days: vec![2, 7, 14, 21], grace_days: 7, last: Final::Cancel, smart: None }
    }
}

impl Policy {
    /// Retries on `days` after the first failure, benefits for `grace_days`, then `last`.
    pub fn new(days: Vec<u16>, grace_days: u16, last: Final) -> Result<Self, Error> {
        let rises = days.windows(2).all(|it| matches!(it, [a, b] if a < b));
        let in_range = days.iter().all(|it| (1..=DAYS_MAX).contains(it));
        if !rises || !in_range || days.is_empty() || days.len() > RETRIES_MAX {
            return Err(Error::BadDays);
        }
        if grace_days > DAYS_MAX {
            return Err(Error::BadGrace);
        }
        Ok(Self { days, grace_days, last, smart: None })
    }

    /// The same with smart days: on days on which people work, at the time of day at which the
    /// customer last paid. Two days of a schedule that are moved to one Monday are one try. The
    /// grace is counted as before.
    pub fn smart(self, zone: Zone) -> Self {
        Self { smart: Some(zone), ..self }
    }

    /// What to do at `now`.
    ///
    /// A payment method that changed after the last refusal is tried at once. Otherwise a soft
    /// refusal waits for the next day of the schedule, a hard one for another payment method, and
    /// one that needs the customer for the customer; on the schedule's last day the waiting ends.
    pub fn next(&self, history: &History, now: Timestamp) -> Step {
        let (Some(first), Some(latest)) = (history.attempts.first(), history.attempts.last())
        else {
            return Step::Nothing;
        };
        if history.attempts.len() >= ATTEMPTS_MAX {
            return Step::Finish(self.last);
        }
        let changed = history.method_changed_at.is_some_and(|it| latest.at < it && it <= now);
        if changed {
            return Step::RetryNow;
        }
        let end = self.end(history, first.at);
        match latest.decline {
            Decline::Soft => self.by_schedule(history, first.at, latest.at, now),
            _ if now >= end => Step::Finish(self.last),
            Decline::Hard => Step::AwaitMethod(end),
            Decline::NeedsCustomer => Step::AwaitCustomer(end),
        }
    }

    /// Whether the customer keeps the benefits at `now`, though the invoice is not paid.
    pub fn has_benefits(&self, history: &History, now: Timestamp) -> bool {
        history.attempts.first().is_none_or(|it| now < day(it.at, self.grace_days))
    }

    fn by_schedule(
        &self,
        history: &History,
        first: Timestamp,
        latest: Timestamp,
        now: Timestamp,
    ) -> Step {
        let mut dues = self.days.iter().map(|it| self.due(history, first, *it));
        match dues.find(|it| latest < *it) {
            Some(due) if due <= now => Step::RetryNow,
            Some(due) => Step::RetryAt(due),
            None => Step::Finish(self.last),
        }
    }

    fn end(&self, history: &History, first: Timestamp) -> Timestamp {
        self.due(history, first, self.days.last().copied().unwrap_or(0))
    }

    /// When the try on this day of the schedule is due: later than the first failure, and not
    /// before that of an earlier day.
    fn due(&self, history: &History, first: Timestamp, days: u16) -> Timestamp {
        let Some(zone) = self.smart else { return day(first, days) };
        let failed = zone.local(first);
        let paid = history.paid_at.filter(|it| *it < first).map(|it| zone.local(it));
        let plus = |date: NaiveDate, days| date.checked_add_days(Days::new(days)).unwrap_or(date);
        let date = plus(failed.date(), days.into());
        let rest = match date.weekday() {
            Weekday::Sat => 2,
            Weekday::Sun => 1,
            _ => 0,
        };
        zone.first_at(plus(date, rest).and_time(paid.unwrap_or(failed).time()))
    }
}

fn day(first: Timestamp, days: u16) -> Timestamp {
    first + DAY * u32::from(days)
}
