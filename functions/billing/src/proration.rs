//! Proration: what a change in the middle of a period comes to. Pure.
//!
//! What was paid for the rest of the period is given back, and the rest is charged by the new
//! price. What is given back is never more than what was paid for it. What is previewed is what is
//! charged.

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use shared::domain::Timestamp;
use utoipa::ToSchema;

use crate::{
    money::{self, Currency},
    period::{Anchor, Interval, Period, Precision},
};

/// Which way a change goes.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ChangeDirection)]
pub enum Direction {
    /// To another plan that costs more for the same time.
    Upgrade,
    /// To another plan that costs less for the same time.
    Downgrade,
    /// To periods of another length, whatever else changes.
    Interval,
    /// More seats of the same plan.
    SeatsUp,
    /// Fewer seats of the same plan.
    SeatsDown,
    /// To another plan that costs as much, or nothing changes.
    Same,
}

/// When a change takes effect, and how it is charged.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ChangeTiming)]
pub enum Timing {
    /// At once; the difference for the rest of the period is charged now.
    Now,
    /// At once; the difference is on the next invoice.
    NextInvoice,
    /// With the next period; nothing is charged before.
    AtRenewal,
    /// At once; a whole new period begins and is charged, less what was paid and not used.
    Reset,
    /// At once, and the difference is not charged.
    None,
}

/// Which timing goes with which direction.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(as = ProrationRules)]
pub struct Rules {
    /// `now` when left out.
    pub upgrade: Timing,
    /// `at_renewal` when left out.
    pub downgrade: Timing,
    /// `reset` when left out.
    pub interval: Timing,
    /// `now` when left out.
    pub seats_up: Timing,
    /// `at_renewal` when left out.
    pub seats_down: Timing,
    /// `none` when left out.
    pub same: Timing,
}

/// What somebody has, or wants to have.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Side {
    /// The plan.
    pub plan: String,
    /// How many seats.
    pub seats: u32,
    /// What each thing costs in a whole period, discounts taken off: nothing below zero.
    pub items: Vec<Item>,
    /// How long a period is.
    pub interval: Interval,
    /// The currency.
    pub currency: Currency,
}

/// A thing that costs something in each period.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Item {
    /// What it is called.
    pub name: String,
    /// What it costs in a whole period, in minor units.
    pub amount: i64,
    /// Its tax class.
    pub tax_class: Option<String>,
}

/// A change.
#[derive(Clone, Debug)]
pub struct Change {
    /// What there is.
    pub old: Side,
    /// What there is to be.
    pub new: Side,
    /// The period that runs.
    pub period: Period,
    /// When it changes.
    pub at: Timestamp,
    /// From when the periods count that a reset begins.
    pub anchor: Anchor,
    /// By what parts of a period are told.
    pub precision: Precision,
    /// When which change is charged.
    pub rules: Rules,
    /// Rather than the rules.
    pub timing: Option<Timing>,
    /// Whether nothing is charged yet.
    pub on_trial: bool,
    /// What was charged for the period that runs, in minor units.
    pub paid: i64,
}

/// What a change comes to.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, ToSchema)]
pub struct Preview {
    /// Which way it goes.
    pub direction: Direction,
    /// When and how it is charged.
    pub timing: Timing,
    /// What is given back and charged for the rest of the period, without tax.
    pub lines: Vec<PreviewLine>,
    /// What the lines come to.
    pub total: i64,
    /// When it takes effect.
    pub effective_at: Timestamp,
    /// The period that begins with it, if one does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new_period: Option<Period>,
}

/// A line of what a change comes to.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, ToSchema)]
pub struct PreviewLine {
    /// What it is.
    pub name: String,
    /// Minor units without tax; below zero it is given back.
    pub amount: i64,
    /// The tax class of the price that it is by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tax_class: Option<String>,
    /// From when it is.
    pub from: Timestamp,
    /// Until when it is.
    pub to: Timestamp,
    /// How much of the period that is, by the second or the day.
    pub part: i64,
    /// How much the whole period is.
    pub whole: i64,
}

/// Why a change cannot be worked out.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Error {
    /// There is no rate of exchange.
    #[error("a change keeps the currency: cancel, and subscribe anew")]
    OtherCurrency,
    /// Beyond what is kept.
    #[error("the amounts are too large")]
    TooLarge,
    /// A timing that leaves the length of the period unclear.
    #[error("another interval begins anew or at renewal: choose reset or at_renewal")]
    NeedsReset,
}

impl From<money::Error> for Error {
    fn from(_: money::Error) -> Self {
        Self::TooLarge
    }
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            upgrade: Timing::Now,
            downgrade: Timing::AtRenewal,
            interval: Timing::Reset,
            seats_up: Timing::Now,
            seats_down: Timing::AtRenewal,
            same: Timing::None,
        }
    }
}

impl Rules {
    /// The timing of a direction.
    pub fn of(&self, direction: Direction) -> Timing {
        match direction {
            Direction::Upgrade => self.upgrade,
            Direction::Downgrade => self.downgrade,
            Direction::Interval => self.interval,
            Direction::SeatsUp => self.seats_up,
            Direction::SeatsDown => self.seats_down,
            Direction::Same => self.same,
        }
    }
}

impl Side {
    fn sum(&self) -> Result<i64, Error> {
        self.items
            .iter()
            .try_fold(0i64, |sum, it| sum.checked_add(it.amount))
            .ok_or(Error::TooLarge)
    }
}

impl Change {
    /// What has been paid for a whole period once the change has taken effect with this timing:
    /// what the new side costs, or still what it was where the difference is not charged.
    ///
    /// # Errors
    /// When that is too large.
    pub fn paid_after(&self, timing: Timing) -> Result<i64, Error> {
        match timing {
            Timing::None => Ok(self.paid),
            Timing::Now | Timing::NextInvoice | Timing::AtRenewal | Timing::Reset => self.new.sum(),
        }
    }
}

/// Which way it goes from one to the other: by what both cost for the same time.
///
/// # Errors
/// When that is too large.
pub fn direction(old: &Side, new: &Side) -> Result<Direction, Error> {
    if old.interval != new.interval {
        return Ok(Direction::Interval);
    }
    if old.plan == new.plan {
        return Ok(match new.seats.cmp(&old.seats) {
            std::cmp::Ordering::Greater => Direction::SeatsUp,
            std::cmp::Ordering::Less => Direction::SeatsDown,
            std::cmp::Ordering::Equal => by_cost(old, new)?,
        });
    }
    by_cost(old, new)
}

fn by_cost(old: &Side, new: &Side) -> Result<Direction, Error> {
    Ok(match new.sum()?.cmp(&old.sum()?) {
        std::cmp::Ordering::Greater => Direction::Upgrade,
        std::cmp::Ordering::Less => Direction::Downgrade,
        std::cmp::Ordering::Equal => Direction::Same,
    })
}

/// What the change comes to.
///
/// # Errors
/// Why it cannot be worked out.
pub fn preview(change: &Change) -> Result<Preview, Error> {
    if change.old.currency != change.new.currency {
        return Err(Error::OtherCurrency);
    }
    let direction = direction(&change.old, &change.new)?;
    let timing = match (change.on_trial, change.timing) {
        // Nothing is charged yet: the period that is charged first is by the new price.
        (true, _) => Timing::None,
        (false, Some(asked)) => asked,
        (false, None) => change.rules.of(direction),
    };
    let keeps_period = matches!(timing, Timing::Now | Timing::NextInvoice | Timing::None);
    if direction == Direction::Interval && keeps_period && !change.on_trial {
        return Err(Error::NeedsReset);
    }
    let new_period = match timing {
        Timing::Reset => {
            Some(change.new.interval.period(&change.anchor, 0).ok_or(Error::TooLarge)?)
        }
        _ => None,
    };
    let lines = match timing {
        Timing::None | Timing::AtRenewal => Vec::new(),
        Timing::Now | Timing::NextInvoice | Timing::Reset => lines(change, new_period)?,
    };
    let total = lines.iter().try_fold(0i64, |sum, it| sum.checked_add(it.amount));
    Ok(Preview {
        direction,
        timing,
        total: total.ok_or(Error::TooLarge)?,
        lines,
        effective_at: if timing == Timing::AtRenewal { change.period.to } else { change.at },
        new_period,
    })
}

fn lines(change: &Change, new_period: Option<Period>) -> Result<Vec<PreviewLine>, Error> {
    let (part, whole) = change.period.remaining(change.at, change.precision, change.anchor.zone);
    let rest = |word: &str, item: &Item, amount: i64| PreviewLine {
        name: format!("{word} time: {}", item.name),
        amount,
        tax_class: item.tax_class.clone(),
        from: change.at.clamp(change.period.from, change.period.to),
        to: change.period.to,
        part,
        whole,
    };
    let mut lines = Vec::new();
    for (item, back) in change.old.items.iter().zip(shares(&paid(change)?, part, whole)?) {
        lines.push(rest("Unused", item, -back));
    }
    let amounts: Vec<_> = change.new.items.iter().map(|it| it.amount).collect();
    match new_period {
        Some(period) => lines.extend(change.new.items.iter().map(|it| begun(it, period))),
        None => {
            for (item, amount) in change.new.items.iter().zip(shares(&amounts, part, whole)?) {
                lines.push(rest("Remaining", item, amount));
            }
        }
    }
    lines.retain(|it| it.amount != 0);
    Ok(lines)
}

fn begun(item: &Item, period: Period) -> PreviewLine {
    let Period { from, to } = period;
    let Item { name, amount, tax_class } = item.clone();
    PreviewLine { name, amount, tax_class, from, to, part: 1, whole: 1 }
}

/// The share of each amount. Their sum is rounded, not each for itself, so that many small items
/// come to what one of their sum does.
fn shares(amounts: &[i64], part: i64, whole: i64) -> Result<Vec<i64>, Error> {
    let sum = amounts.iter().try_fold(0i64, |sum, it| sum.checked_add(*it));
    match sum.ok_or(Error::TooLarge)? {
        0 => Ok(vec![0; amounts.len()]),
        sum => Ok(money::split(money::share(sum, part, whole)?, amounts)?),
    }
}

/// What was paid for each item of the old side: its price, or its share where less was paid.
fn paid(change: &Change) -> Result<Vec<i64>, Error> {
    let amounts: Vec<i64> = change.old.items.iter().map(|it| it.amount.max(0)).collect();
    let sum = change.old.sum()?;
    match sum > change.paid && sum > 0 {
        true => Ok(money::split(change.paid.max(0), &amounts)?),
        false => Ok(amounts),
    }
}
