//! An invoice as EN 16931-1 calculates it: lines, allowances and charges, tax, what is due.
//!
//! All amounts are minor units of the document's one currency (BT-5). The names of the rules are
//! the standard's. A credit note carries the same positive amounts as the invoice that it mirrors:
//! its kind turns their sign.

mod credit_note;
mod line;
mod state;
#[cfg(test)]
mod tests;
mod totals;

use std::collections::{BTreeMap, BTreeSet};

pub use line::{Adjustment, Line, PRICE_UNITS, QUANTITY_UNITS, Vat};
pub use state::{Event, Refused, State};
pub use totals::{Subtotal, Totals};

use crate::{money::Currency, tax::Rounding};

/// The most lines of a document.
pub const LINES_MAX: usize = 1_000;
/// The most allowances and charges of a document, and of a line.
pub const ADJUSTMENTS_MAX: usize = 100;

/// How many minor units a tax that is told is from its base by its rate at most. An invoice rounds
/// once; what is taken of it is rounded twice, and so is its base.
pub const TAX_OFF_MAX: u64 = 3;

/// What a document does to what is owed (BT-3, codes of UNTDID 1001).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// 380: the buyer owes.
    Invoice,
    /// 381: the seller owes.
    CreditNote,
}

/// What is asked for, before it is added up.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Document {
    /// Invoice or credit note.
    pub kind: Kind,
    /// The currency of all amounts.
    pub currency: Currency,
    /// At least one (BR-16), with ids of their own.
    pub lines: Vec<Line>,
    /// Taken off or put on the document as a whole (BG-20, BG-21).
    pub adjustments: Vec<Adjustment>,
    /// Paid before (BT-113), in minor units, 0 or more.
    pub prepaid: i64,
    /// Added to make the amount payable round (BT-114), in minor units.
    pub round: i64,
    /// BT-117 where it is told rather than worked out, up to [`TAX_OFF_MAX`] from that: a credit note
    /// over an amount takes back a part of the tax that the invoice had.
    pub taxes: BTreeMap<Vat, i64>,
}

/// Why a document cannot be calculated or credited.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Error {
    /// BR-16.
    #[error("a document has 1 to 1000 lines")]
    BadLineCount,
    /// [`ADJUSTMENTS_MAX`].
    #[error("a document and a line have 100 allowances and charges at most")]
    TooManyAdjustments,
    /// Two lines of one id, or one without.
    #[error("the line id {0:?} is empty or used twice")]
    BadLineId(String),
    /// BR-27: what is given back is told by its quantity.
    #[error("line {0}: a price is not negative; make the quantity negative")]
    NegativePrice(String),
    /// An allowance or charge of nothing or less.
    #[error("an allowance or charge is above zero")]
    BadAdjustment,
    /// BR-S-05 and its like.
    #[error("category {category} does not go with the rate {rate} (hundredths of a percent)")]
    BadRate {
        /// The code of the category.
        category: &'static str,
        /// Hundredths of a percent.
        rate: u32,
    },
    /// BR-O-11 to BR-O-14.
    #[error("what is not subject to VAT stands on a document of its own")]
    MixedOutOfScope,
    /// Prepaid below zero.
    #[error("a prepaid amount is zero or more")]
    BadPrepaid,
    /// Further than [`TAX_OFF_MAX`] from what it is by its rate (BR-CO-17).
    #[error("a tax is its base by its rate")]
    BadTax,
    /// A sum that does not fit 63 bits.
    #[error("the amounts are too large")]
    TooLarge,
    /// Only an invoice is credited.
    #[error("a credit note is not credited; send an invoice")]
    NotAnInvoice,
    /// Asked to credit a line that is not there, or none.
    #[error("there is no line {0:?} to credit")]
    UnknownLine(String),
}

impl Kind {
    /// The code of UNTDID 1001.
    pub fn code(self) -> &'static str {
        match self {
            Self::Invoice => "380",
            Self::CreditNote => "381",
        }
    }

    /// What an amount of the document does to what the buyer owes: 1 or -1.
    pub fn sign(self) -> i64 {
        match self {
            Self::Invoice => 1,
            Self::CreditNote => -1,
        }
    }
}

impl Document {
    /// The totals by the rules of EN 16931-1, tax rounded per category total.
    pub fn totals(&self) -> Result<Totals, Error> {
        self.totals_rounded(Rounding::PerTotal)
    }

    /// The totals with another place of rounding. Only [`Rounding::PerTotal`] makes an electronic
    /// invoice by EN 16931-1.
    pub fn totals_rounded(&self, rounding: Rounding) -> Result<Totals, Error> {
        self.check()?;
        totals::of(self, rounding)
    }

    fn check(&self) -> Result<(), Error> {
        if !(1..=LINES_MAX).contains(&self.lines.len()) {
            return Err(Error::BadLineCount);
        }
        if self.prepaid < 0 {
            return Err(Error::BadPrepaid);
        }
        let mut ids = BTreeSet::new();
        for line in &self.lines {
            if line.id.is_empty() || !ids.insert(&line.id) {
                return Err(Error::BadLineId(line.id.clone()));
            }
            if line.price < 0 {
                return Err(Error::NegativePrice(line.id.clone()));
            }
            line::check_adjustments(&line.adjustments)?;
        }
        line::check_adjustments(&self.adjustments)?;
        self.check_vat()
    }

    fn check_vat(&self) -> Result<(), Error> {
        let mut categories = BTreeSet::new();
        for vat in
            self.lines.iter().map(|it| it.vat).chain(self.adjustments.iter().map(|it| it.vat))
        {
            if !vat.category.admits(vat.rate) {
                let rate = vat.rate.hundredths();
                return Err(Error::BadRate { category: vat.category.code(), rate });
            }
            categories.insert(vat.category);
        }
        if categories.len() > 1 && categories.contains(&crate::tax::Category::OutOfScope) {
            return Err(Error::MixedOutOfScope);
        }
        Ok(())
    }
}
