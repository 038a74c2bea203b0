//! A line of a bill: what is charged, for which time, with what is taken off.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::taxed::LineTax;
use crate::{
    invoice::{Adjustment, Line, PRICE_UNITS, QUANTITY_UNITS, Vat},
    period::Period,
    price::{Charge, PartKind, Quantity},
};

/// How many lines a bill has at most.
pub const LINES_MAX: usize = 500;
/// The longest name of a line, in characters.
pub const NAME_CHARS_MAX: usize = 200;

/// A line.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize, ToSchema)]
#[schema(as = InvoiceLine)]
pub struct BillLine {
    /// What it is.
    pub name: String,
    /// The price of the plan that it is by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<String>,
    /// Its tax class, by which it is taxed when it is finalised; the standard rate when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tax_class: Option<String>,
    /// How it is taxed, where that is not what the invoice says for all its lines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tax: Option<LineTax>,
    /// How many; -1 when something is given back.
    pub quantity: i64,
    /// What one costs, in minor units without tax.
    pub unit_amount: i64,
    /// What is taken off, in minor units without tax.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub discount: i64,
    /// Why it is taken off: the codes of the coupons.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub discount_reason: Option<String>,
    /// What it comes to, in minor units without tax: quantity by unit amount, less the discount.
    pub amount: i64,
    /// How it was worked out, for the reader: `12345 api.calls: 10000 × 0.5, 2345 × 0.4`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// For which time it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period: Option<Period>,
    /// The invoice that charged this usage first, where the line is what came late: the difference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

fn is_zero(it: &i64) -> bool {
    *it == 0
}

impl BillLine {
    /// One of something for `amount`, which is given back when it is negative.
    pub fn one(name: String, amount: i64, period: Option<Period>) -> Self {
        Self {
            name,
            price: None,
            tax_class: None,
            tax: None,
            quantity: if amount < 0 { -1 } else { 1 },
            unit_amount: amount.saturating_abs(),
            discount: 0,
            discount_reason: None,
            amount,
            detail: None,
            period,
            after: None,
        }
    }

    /// `quantity` of something that came to `charge`. It shows quantity and price where that is
    /// exact, and one of it otherwise, with how it was worked out beside it.
    pub fn charged(name: String, price: &str, quantity: Quantity, charge: &Charge) -> Self {
        let one = Self {
            price: Some(price.to_owned()),
            detail: detail(quantity, charge),
            ..Self::one(name, charge.amount, None)
        };
        let whole = quantity.whole().filter(|it| *it > 0);
        match (whole, charge.parts.as_slice()) {
            (Some(count), [only]) if only.flat == 0 && charge.amount % count == 0 => {
                Self { quantity: count, unit_amount: charge.amount / count, detail: None, ..one }
            }
            _ => one,
        }
    }

    /// The same as one of this tax class.
    pub fn of_class(self, tax_class: Option<String>) -> Self {
        Self { tax_class, ..self }
    }

    /// The same for this time.
    pub fn during(self, period: Period) -> Self {
        Self { period: Some(period), ..self }
    }

    /// The same with something taken off.
    pub fn less(self, discount: i64, reason: &str) -> Self {
        match discount {
            0 => self,
            _ => Self {
                discount: self.discount + discount,
                discount_reason: Some(reason.to_owned()),
                amount: self.amount - discount,
                ..self
            },
        }
    }

    /// The same turned around: what was charged is given back.
    pub fn turned(self) -> Self {
        Self { quantity: -self.quantity, amount: -self.amount, ..self }
    }

    /// The line of the document that is added up, with this number.
    pub fn line(&self, number: usize, vat: Vat) -> Line {
        let reason = self.discount_reason.clone().unwrap_or_default();
        // What is given back has the discount as a charge.
        let adjustment = |amount| Adjustment {
            is_charge: self.quantity < 0,
            amount,
            reason: reason.clone(),
            vat,
        };
        Line {
            id: number.to_string(),
            name: self.name.clone(),
            quantity: self.quantity.saturating_mul(QUANTITY_UNITS),
            unit: "C62".to_owned(),
            price: self.unit_amount.saturating_mul(PRICE_UNITS),
            adjustments: (self.discount != 0)
                .then(|| adjustment(self.discount))
                .into_iter()
                .collect(),
            vat,
        }
    }
}

fn detail(quantity: Quantity, charge: &Charge) -> Option<String> {
    // An amount that is the same whatever the quantity is needs no words.
    let parts = charge.parts.iter().filter(|it| it.kind != PartKind::Units || it.is_counted());
    let parts: Vec<_> = parts.map(ToString::to_string).collect();
    (!parts.is_empty()).then(|| format!("{quantity}: {}", parts.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_back_keeps_its_sums() {
        let line = BillLine::one("Pro".to_owned(), 1000, None).less(100, "TEA");

        let back = line.clone().turned();

        assert_eq!(line.amount, 900);
        assert_eq!(back.amount, -900);
        let vat = Vat { category: crate::tax::Category::Standard, rate: crate::tax::Rate::ZERO };
        assert_eq!(line.line(1, vat).net(), Ok(900));
        assert_eq!(back.line(1, vat).net(), Ok(-900));
    }
}
