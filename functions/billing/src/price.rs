//! Prices: what so many of something cost.
//!
//! Everything is exact until the end: quantities are millionths of a unit, prices ten-billionths of
//! a minor unit, products 128 bits. The sum is rounded half away from zero, once, to minor units;
//! its parts add up to it.

mod model;
mod number;
#[cfg(test)]
mod tests;

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use model::{Model, PercentTier, Tier};
pub use number::{Quantity, UnitAmount};

use crate::money::{self, AMOUNT_MAX};

/// How many tiers a price has at most.
pub const TIERS_MAX: usize = 50;

/// What a quantity costs.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Charge {
    /// Minor units.
    pub amount: i64,
    /// How that came about: their amounts add up to it.
    pub parts: Vec<Part>,
}

/// A part of a charge.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Part {
    /// What it is.
    pub kind: PartKind,
    /// How many of the quantity.
    pub quantity: Quantity,
    /// What each of them costs.
    pub unit_amount: UnitAmount,
    /// What they cost beside that, in minor units.
    pub flat: i64,
    /// What it comes to, in minor units.
    pub amount: i64,
}

/// What a part of a charge is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PartKind {
    /// Units by their price.
    Units,
    /// Whole packages.
    Packages,
    /// A percentage, in hundredths of a percent.
    Percentage(u32),
    /// What is missing to the least that is charged.
    Minimum,
    /// What is beyond the most that is charged; below zero.
    Maximum,
}

/// The least and the most that is charged in a period, in minor units.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(as = PriceLimits)]
pub struct Limits {
    /// A minimum commitment: what is missing to it is charged as well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minimum: Option<i64>,
    /// A cap: what is beyond it is not charged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub maximum: Option<i64>,
}

/// Why there is no price, or no amount.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Error {
    /// No decimal, or one with too many places.
    #[error("a quantity is a decimal of up to 6 places, from 0 to 999999999999, as 12.5")]
    BadQuantity,
    /// No decimal, or one with too many places.
    #[error(
        "a unit amount is a decimal of up to 10 places, from 0 to 99999999, as 0.0125: minor units of the currency"
    )]
    BadUnitAmount,
    /// An amount out of range.
    #[error("an amount is 0 to 999999999999 minor units")]
    BadAmount,
    /// No tiers, too many, not rising, or the last one ends.
    #[error("tiers are 1 to 50, `up_to` rises from 1, and only the last one has none")]
    BadTiers,
    /// A package of nothing.
    #[error("a package has 1 unit or more")]
    BadPackage,
    /// More than all of it.
    #[error("a percentage is 0 to 10000 hundredths of a percent")]
    BadPercentage,
    /// A minimum beyond the maximum.
    #[error("the minimum is not beyond the maximum")]
    BadLimits,
    /// Beyond what is kept.
    #[error("the amount is too large")]
    TooLarge,
}

impl From<money::Error> for Error {
    fn from(_: money::Error) -> Self {
        Self::TooLarge
    }
}

impl Limits {
    /// The limits, if they make sense.
    ///
    /// # Errors
    /// What does not.
    pub fn checked(self) -> Result<Self, Error> {
        let amounts = [self.minimum, self.maximum];
        if amounts.iter().flatten().any(|it| !(0..=AMOUNT_MAX).contains(it)) {
            return Err(Error::BadAmount);
        }
        match (self.minimum, self.maximum) {
            (Some(least), Some(most)) if least > most => Err(Error::BadLimits),
            _ => Ok(self),
        }
    }

    /// The charge within the limits: what that adds or takes is a part of its own.
    ///
    /// # Errors
    /// When it is too large.
    pub fn apply(&self, charge: Charge) -> Result<Charge, Error> {
        let least = self.minimum.unwrap_or(charge.amount);
        let most = self.maximum.unwrap_or(i64::MAX);
        let bounded = charge.amount.max(least).min(most);
        let kind = match bounded.cmp(&charge.amount) {
            std::cmp::Ordering::Equal => return Ok(charge),
            std::cmp::Ordering::Greater => PartKind::Minimum,
            std::cmp::Ordering::Less => PartKind::Maximum,
        };
        let difference = bounded.checked_sub(charge.amount).ok_or(Error::TooLarge)?;
        let mut parts = charge.parts;
        parts.push(Part { kind, flat: difference, amount: difference, ..Part::default() });
        Ok(Charge { amount: bounded, parts })
    }
}

impl Part {
    /// Whether its amount depends on how many there are.
    pub fn is_counted(&self) -> bool {
        self.quantity > Quantity::ZERO
    }
}

impl Default for Part {
    fn default() -> Self {
        Self {
            kind: PartKind::Units,
            quantity: Quantity::ZERO,
            unit_amount: UnitAmount::ZERO,
            flat: 0,
            amount: 0,
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            PartKind::Units => write!(f, "{} × {}", self.quantity, self.unit_amount)?,
            PartKind::Packages => {
                // A package may cost more than a unit amount can say.
                let count = self.quantity.whole().unwrap_or(1).max(1);
                return write!(f, "{} packages × {}", self.quantity, self.amount / count);
            }
            PartKind::Percentage(hundredths) => {
                let (whole, part) = (hundredths / 100, hundredths % 100);
                write!(f, "{} × {whole}.{part:02} %", self.quantity)?;
            }
            PartKind::Minimum => return write!(f, "minimum + {}", self.flat),
            PartKind::Maximum => return write!(f, "cap − {}", self.flat.unsigned_abs()),
        }
        match self.flat {
            0 => Ok(()),
            flat => write!(f, " + {flat}"),
        }
    }
}
