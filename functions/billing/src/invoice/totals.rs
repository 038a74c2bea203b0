//! The sums of a document. Each field names the rule of EN 16931-1 that makes it.

use std::collections::BTreeMap;

use super::{Document, Error, TAX_OFF_MAX, Vat};
use crate::tax::Rounding;

/// The sums of a document, in minor units.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Totals {
    /// BT-106: the sum of the lines' net amounts (BR-CO-10).
    pub lines: i64,
    /// BT-107: the sum of the document's allowances (BR-CO-11).
    pub allowances: i64,
    /// BT-108: the sum of the document's charges (BR-CO-12).
    pub charges: i64,
    /// BT-109: lines - allowances + charges (BR-CO-13).
    pub net: i64,
    /// BT-110: the sum of the subtotals' tax (BR-CO-14).
    pub tax: i64,
    /// BT-112: net + tax (BR-CO-15).
    pub gross: i64,
    /// BT-113, as given.
    pub prepaid: i64,
    /// BT-114, as given.
    pub round: i64,
    /// BT-115: gross - prepaid + round (BR-CO-16).
    pub due: i64,
    /// BG-23: one for each category and rate, in the order of these (BR-CO-18).
    pub subtotals: Vec<Subtotal>,
}

/// What is taxed alike (BG-23).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Subtotal {
    /// Category and rate.
    pub vat: Vat,
    /// BT-116: lines - allowances + charges of this category and rate (BR-S-08, BR-Z-08, …).
    pub base: i64,
    /// BT-117: base by rate, rounded (BR-CO-17, BR-S-09), or what the document tells.
    pub tax: i64,
}

pub(super) fn of(document: &Document, rounding: Rounding) -> Result<Totals, Error> {
    let mut bases: BTreeMap<Vat, Vec<i64>> = BTreeMap::new();
    let mut lines = Vec::new();
    for line in &document.lines {
        let net = line.net()?;
        lines.push(net);
        bases.entry(line.vat).or_default().push(net);
    }
    for it in &document.adjustments {
        bases.entry(it.vat).or_default().push(it.signed());
    }
    let amounts = |is_charge: bool| {
        document.adjustments.iter().filter(move |it| it.is_charge == is_charge).map(|it| it.amount)
    };
    let subtotals = bases
        .iter()
        .map(|(vat, all)| told(subtotal(*vat, all, rounding)?, document.taxes.get(vat)));
    let subtotals = subtotals.collect::<Result<Vec<_>, _>>()?;
    let lines = sum(lines)?;
    let (allowances, charges) = (sum(amounts(false))?, sum(amounts(true))?);
    let net = sum([lines, -allowances, charges])?;
    let tax = sum(subtotals.iter().map(|it| it.tax))?;
    let gross = sum([net, tax])?;
    let (prepaid, round) = (document.prepaid, document.round);
    let due = sum([gross, -prepaid, round])?;
    Ok(Totals { lines, allowances, charges, net, tax, gross, prepaid, round, due, subtotals })
}

fn subtotal(vat: Vat, bases: &[i64], rounding: Rounding) -> Result<Subtotal, Error> {
    let tax = vat.rate.of_all(bases, rounding).ok_or(Error::TooLarge)?;
    Ok(Subtotal { vat, base: sum(bases.iter().copied())?, tax })
}

/// With the tax that is told, if one is.
fn told(worked_out: Subtotal, tax: Option<&i64>) -> Result<Subtotal, Error> {
    let tax = tax.copied().unwrap_or(worked_out.tax);
    match tax.abs_diff(worked_out.tax) > TAX_OFF_MAX {
        true => Err(Error::BadTax),
        false => Ok(Subtotal { tax, ..worked_out }),
    }
}

/// Adds in 128 bits, so that the order does not decide whether the sum fits.
fn sum(amounts: impl IntoIterator<Item = i64>) -> Result<i64, Error> {
    let sum: i128 = amounts.into_iter().map(i128::from).sum();
    i64::try_from(sum).map_err(|_| Error::TooLarge)
}
