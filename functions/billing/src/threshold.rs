//! Thresholds: what the usage of a period comes to when it is billed before the period ends. Pure.

use serde::{Deserialize, Serialize};
use shared::domain::Timestamp;
use utoipa::ToSchema;

use crate::money::AMOUNT_MAX;

/// How many steps there are at most.
pub const STEPS_MAX: usize = 10;
/// How many invoices a period has at most because of thresholds. What is beyond the last of them is
/// billed when it ends.
pub const INVOICES_MAX: u32 = 100;

/// When usage is billed before its period ends: as soon as that of the period comes to so much, in
/// minor units of the currency, without tax. Each is reached once in a period.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = UsageThresholds)]
pub struct Thresholds {
    /// Up to 10, rising, as `[5000, 20000]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<i64>,
    /// Beyond the last of them, each time so much more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<i64>,
}

/// How far a subscription is with the thresholds of its plan, in the period that runs.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[schema(as = UsageProgress)]
pub struct Progress {
    /// The thresholds, as they were in the plan when it was taken.
    pub thresholds: Thresholds,
    /// The one that is next. Without it what is used is billed when the period ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<i64>,
    /// What was billed of the period's usage, in minor units without tax, after discounts.
    pub billed: i64,
    /// How many invoices that were.
    pub invoices: u32,
    /// The first of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<String>,
    /// Until when usage is on the latest of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// Why thresholds make no sense.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Error {
    /// Neither steps nor one that repeats.
    #[error("name steps, or how much is billed every time; leave it out for none")]
    Nothing,
    /// Too many.
    #[error("up to {STEPS_MAX} steps")]
    TooMany,
    /// Nothing, or too much.
    #[error("each is 1 to {AMOUNT_MAX} minor units")]
    BadAmount,
    /// Not one above the other.
    #[error("steps rise: each is more than the one before")]
    NotRising,
}

impl Thresholds {
    /// The thresholds, if they make sense.
    ///
    /// # Errors
    /// What does not.
    pub fn checked(self) -> Result<Self, Error> {
        let Self { steps, every } = &self;
        if steps.is_empty() && every.is_none() {
            return Err(Error::Nothing);
        }
        if steps.len() > STEPS_MAX {
            return Err(Error::TooMany);
        }
        if !steps.iter().chain(every).all(|it| (1..=AMOUNT_MAX).contains(it)) {
            return Err(Error::BadAmount);
        }
        match steps.is_sorted_by(|one, next| one < next) {
            true => Ok(self),
            false => Err(Error::NotRising),
        }
    }

    /// The highest one that usage of so much reaches.
    pub fn reached(&self, amount: i64) -> Option<i64> {
        let last = self.last();
        match self.every {
            Some(every) if amount - last >= every => Some(amount - (amount - last) % every),
            _ => self.steps.iter().rev().find(|it| **it <= amount).copied(),
        }
    }

    /// The lowest one that usage of so much does not reach.
    pub fn next(&self, amount: i64) -> Option<i64> {
        let step = self.steps.iter().find(|it| **it > amount).copied();
        let beyond = |every: i64| {
            let last = self.last();
            last + ((amount - last) / every + 1) * every
        };
        step.or_else(|| self.every.map(beyond))
    }

    fn last(&self) -> i64 {
        self.steps.last().copied().unwrap_or(0)
    }
}

impl Progress {
    /// At the beginning of a period.
    pub fn of(thresholds: &Thresholds) -> Self {
        Self {
            thresholds: thresholds.clone(),
            next: thresholds.next(0),
            billed: 0,
            invoices: 0,
            first: None,
            until: None,
        }
    }

    /// The threshold that usage of so much reaches, if it has not been reached before.
    pub fn reached(&self, amount: i64) -> Option<i64> {
        self.next.filter(|it| *it <= amount)?;
        self.thresholds.reached(amount)
    }

    /// Once usage of so much is billed, until then, with this invoice. What was reached is not
    /// reached again in the period, also where usage is lowered.
    pub fn billed(&self, amount: i64, until: Timestamp, invoice: &str) -> Self {
        let invoices = self.invoices + 1;
        let next = self.thresholds.next(amount).filter(|_| invoices < INVOICES_MAX);
        Self {
            thresholds: self.thresholds.clone(),
            next,
            billed: amount,
            invoices,
            first: self.first.clone().or_else(|| Some(invoice.to_owned())),
            until: Some(until),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn thresholds(steps: &[i64], every: Option<i64>) -> Thresholds {
        Thresholds { steps: steps.to_vec(), every }
    }

    #[test]
    fn steps_come_one_after_the_other_and_then_each_so_much_more() {
        let it = thresholds(&[5_000, 20_000], Some(50_000));

        let next = [0, 4_999, 5_000, 19_999, 20_000, 69_999, 70_000].map(|all| it.next(all));
        let reached = [4_999, 5_000, 20_000, 69_999, 70_000, 500_000].map(|all| it.reached(all));

        let of = |all: &[i64]| all.iter().map(|it| Some(*it)).collect::<Vec<_>>();
        assert_eq!(next[..], of(&[5_000, 5_000, 20_000, 20_000, 70_000, 70_000, 120_000])[..]);
        assert_eq!(reached[0], None);
        assert_eq!(reached[1..], of(&[5_000, 20_000, 20_000, 70_000, 470_000])[..]);
    }

    #[test]
    fn what_was_reached_is_not_reached_again() {
        let begun = Progress::of(&thresholds(&[100, 200], None));

        let once = begun.billed(150, Timestamp(1), "inv_1");
        let twice = once.billed(260, Timestamp(2), "inv_2");

        assert_eq!((begun.reached(99), begun.reached(150)), (None, Some(100)));
        assert_eq!((once.reached(199), once.reached(200)), (None, Some(200)));
        assert_eq!((twice.reached(9_999), twice.next), (None, None));
        assert_eq!((twice.first.as_deref(), twice.invoices), (Some("inv_1"), 2));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let check = |steps: &[i64], every| thresholds(steps, every).checked().err();

        assert_eq!(check(&[5_000], None), None);
        assert_eq!(check(&[], Some(5_000)), None);
        assert_eq!(check(&[], None), Some(Error::Nothing));
        assert_eq!(check(&[0], None), Some(Error::BadAmount));
        assert_eq!(check(&[1], Some(-1)), Some(Error::BadAmount));
        assert_eq!(check(&[AMOUNT_MAX + 1], None), Some(Error::BadAmount));
        assert_eq!(check(&[2, 2], None), Some(Error::NotRising));
        assert_eq!(check(&[2, 1], Some(1)), Some(Error::NotRising));
        assert_eq!(check(&(1..=11).collect::<Vec<_>>(), None), Some(Error::TooMany));
    }

    proptest! {
        #[test]
        fn the_one_that_is_reached_and_the_next_one_are_neighbours(
            steps in prop::collection::btree_set(1i64..10_000, 0..5),
            every in prop::option::of(1i64..10_000), amount in 0i64..100_000,
        ) {
            let it = Thresholds { steps: steps.into_iter().collect(), every };
            prop_assume!(it.clone().checked().is_ok());

            let (reached, next) = (it.reached(amount), it.next(amount));

            prop_assert!(reached.is_none_or(|it| it <= amount));
            prop_assert!(next.is_none_or(|it| it > amount));
            prop_assert_eq!(it.next(reached.unwrap_or(0)), next);
            prop_assert_eq!(next.and_then(|at| it.reached(at)), next);
            prop_assert_eq!(it.next(i64::MAX / 4).is_none(), every.is_none());
        }
    }
}
