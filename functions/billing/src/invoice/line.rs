//! A line of a document, and what is taken off it or put on it.

use super::{ADJUSTMENTS_MAX, Error};
use crate::tax::{Category, Rate};

/// A price is told in ten-thousandths of a minor unit: 1 cent is 10 000.
pub const PRICE_UNITS: i64 = 10_000;
/// A quantity is told in thousandths.
pub const QUANTITY_UNITS: i64 = 1_000;

/// Category and rate of an amount.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Vat {
    /// BT-151, BT-95, BT-102.
    pub category: Category,
    /// BT-152, BT-96, BT-103.
    pub rate: Rate,
}

/// An allowance (taken off) or a charge (put on), of a line or of a document.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Adjustment {
    /// A charge; otherwise an allowance.
    pub is_charge: bool,
    /// Minor units without tax, above 0.
    pub amount: i64,
    /// Why (BT-97, BT-104, BT-139, BT-144).
    pub reason: String,
    /// The tax of a document's adjustment. A line's adjustment has the line's tax, whatever
    /// stands here.
    pub vat: Vat,
}

/// What was supplied, at which price (BG-25).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Line {
    /// Unique in the document (BT-126).
    pub id: String,
    /// What it is (BT-153).
    pub name: String,
    /// Thousandths of the unit (BT-129). Negative when something is given back.
    pub quantity: i64,
    /// The code of the unit in UN/ECE Recommendation 20: C62 (one), MON (month), HUR (hour).
    pub unit: String,
    /// Ten-thousandths of a minor unit for one unit, without tax, 0 or more (BT-146).
    pub price: i64,
    /// Taken off or put on this line (BG-27, BG-28).
    pub adjustments: Vec<Adjustment>,
    /// How it is taxed (BG-30).
    pub vat: Vat,
}

impl Adjustment {
    /// What it does to the sum: a charge adds, an allowance takes.
    pub fn signed(&self) -> i64 {
        if self.is_charge { self.amount } else { -self.amount }
    }
}

impl Line {
    /// BT-131, in minor units: price by quantity, rounded half away from zero, less the line's
    /// allowances, plus its charges.
    pub fn net(&self) -> Result<i64, Error> {
        let product = i128::from(self.price) * i128::from(self.quantity);
        let one = i128::from(PRICE_UNITS) * i128::from(QUANTITY_UNITS);
        let rounded = (product + one / 2 * product.signum()) / one;
        let adjusted =
            self.adjustments.iter().fold(rounded, |sum, it| sum + i128::from(it.signed()));
        i64::try_from(adjusted).map_err(|_| Error::TooLarge)
    }
}

pub(super) fn check_adjustments(all: &[Adjustment]) -> Result<(), Error> {
    if all.len() > ADJUSTMENTS_MAX {
        return Err(Error::TooManyAdjustments);
    }
    if all.iter().any(|it| it.amount <= 0) {
        return Err(Error::BadAdjustment);
    }
    Ok(())
}
