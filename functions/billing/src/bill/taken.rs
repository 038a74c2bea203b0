//! What a credit note takes back of each tax of an invoice. Pure.
//!
//! It takes of all of them in proportion, or of those that it is about; what is left of each is known,
//! so that notes which take back all together take back exactly all.

use super::{
    Bill, BillTotals,
    line::BillLine,
    taxed::{BillTax, LineTax, TaxSum},
};
use crate::{
    money::{self, Error},
    period::Period,
};
use shared::domain::Timestamp;

/// What is taken back, in minor units.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Taken {
    /// With tax, of each of [`Bill::tax_sums`].
    pub of_each: Vec<i64>,
    /// What is more than all that is left: a provider paid back what was paid beyond the invoice.
    pub beyond: i64,
}

/// What is taken back of one tax.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Part {
    how: LineTax,
    base: i64,
    tax: i64,
}

impl Taken {
    /// So much of an invoice, of each tax in proportion to what is left of it.
    ///
    /// # Errors
    /// When it is less than nothing.
    pub fn of(bill: &Bill, amount: i64) -> Result<Self, Error> {
        let left: Vec<i64> = bill.tax_sums().iter().map(left_of).collect();
        let most = left.iter().fold(0i64, |sum, it| sum.saturating_add(*it)).max(0);
        let within = amount.min(most);
        Ok(Self { of_each: money::take(within, &left)?, beyond: amount - within })
    }

    /// What is taken back of the time from `end` on, of which `net` without tax was charged in advance:
    /// by the taxes of the lines that it is on. Never more than is left of them.
    ///
    /// # Errors
    /// When the amounts are too large.
    pub fn unused(bill: &Bill, net: i64, end: Timestamp) -> Result<Self, Error> {
        let sums = bill.tax_sums();
        let covers = |it: &Period| it.from <= end && end < it.to;
        let charged = |sum: &TaxSum| -> i64 {
            let lines = bill.lines.iter().filter(|it| it.period.as_ref().is_some_and(covers));
            let lines = lines.filter(|it| bill.tax_of(it) == sum.how);
            lines.fold(0i64, |all, it| all.saturating_add(it.amount)).max(0)
        };
        let weights: Vec<i64> = match sums.as_slice() {
            [_] => vec![1],
            _ => sums.iter().map(charged).collect(),
        };
        let nothing = Self { of_each: vec![0; sums.len()], beyond: 0 };
        if net <= 0 || weights.iter().all(|it| *it == 0) {
            return Ok(nothing);
        }
        let nets = money::split(net, &weights)?;
        let mut most = sums.iter().fold(0i64, |sum, it| sum.saturating_add(left_of(it))).max(0);
        let mut of_each = Vec::new();
        for (sum, net) in sums.iter().zip(nets) {
            let net = net.min(sum.base.max(0));
            let tax = if net > 0 { money::share(sum.tax, net, sum.base)? } else { 0 };
            let amount = net.saturating_add(tax).min(left_of(sum)).min(most).max(0);
            most -= amount;
            of_each.push(amount);
        }
        Ok(Self { of_each, ..nothing })
    }

    /// All of it, with tax.
    pub fn amount(&self) -> i64 {
        self.of_each.iter().fold(self.beyond, |sum, it| sum.saturating_add(*it))
    }

    /// Whether it is all of an invoice, of which nothing was taken before.
    fn is_all(&self, sums: &[TaxSum]) -> bool {
        let mut each = sums.iter().zip(&self.of_each);
        self.beyond == 0 && each.all(|(sum, it)| sum.credited == 0 && *it == sum.gross())
    }

    /// What is taken of each tax. What is beyond all of them is not taxed.
    fn parts(&self, sums: &[TaxSum]) -> Vec<Part> {
        let taken = sums.iter().zip(&self.of_each).filter(|(_, amount)| **amount != 0);
        let mut parts: Vec<Part> = taken.map(|(sum, amount)| Part::of(sum, *amount)).collect();
        if self.beyond > 0 {
            match parts.iter_mut().find(|it| it.how.rate_hundredths == 0) {
                Some(it) => it.base = it.base.saturating_add(self.beyond),
                None => parts.push(Part { how: beyond_all(sums), base: self.beyond, tax: 0 }),
            }
        }
        parts
    }
}

/// How what is more than all is taxed: as what has no tax anyway, or at the rate zero.
fn beyond_all(sums: &[TaxSum]) -> LineTax {
    let untaxed = sums.iter().find(|it| it.how.rate_hundredths == 0);
    untaxed.map_or_else(LineTax::zero, |it| it.how.clone())
}

/// What no credit note has taken back, with tax.
fn left_of(sum: &TaxSum) -> i64 {
    sum.gross().saturating_sub(sum.credited)
}

/// How much of the first `amount` of them is tax: rounded once, so that what one note after the other
/// takes is never off by more than that.
fn tax_of_first(sum: &TaxSum, amount: i64) -> i64 {
    let (part, whole) = (amount.saturating_abs(), sum.gross().saturating_abs());
    money::share(sum.tax, part.min(whole), whole).unwrap_or(0)
}

impl Part {
    fn of(sum: &TaxSum, amount: i64) -> Self {
        let all = sum.credited.saturating_add(amount);
        let tax = tax_of_first(sum, all) - tax_of_first(sum, sum.credited);
        Self { how: sum.how.clone(), base: amount - tax, tax }
    }
}

impl Bill {
    /// Puts on a credit note of `invoice` what it takes: the invoice's own lines where that is all of
    /// it, else one line for each tax.
    pub(super) fn takes(&mut self, invoice: &Bill, taken: &Taken, reason: &str) {
        let sums = invoice.tax_sums();
        let parts = taken.parts(&sums);
        let sum =
            |of: fn(&Part) -> i64| parts.iter().fold(0i64, |all, it| all.saturating_add(of(it)));
        let (net, tax, gross) = (sum(|it| it.base), sum(|it| it.tax), taken.amount());
        self.totals = BillTotals { net, tax, gross, prepaid: 0, due: gross };
        if taken.is_all(&sums) {
            (self.lines, self.taxes) = (invoice.lines.clone(), invoice.taxes.clone());
            return;
        }
        let line = |it: &Part| BillLine::one(reason.to_owned(), it.base, invoice.period);
        self.lines = parts.iter().map(line).collect();
        if let Some(common) = self.tax.clone() {
            self.tell_tax(common_of(common, &parts), parts.iter().map(|it| it.how.clone()));
        }
        self.taxes.clear();
        // One tax that is what it is by its rate is told by the totals.
        let worked_out = self.document().and_then(|it| it.totals()).map(|it| it.tax);
        if parts.len() > 1 || worked_out != Ok(tax) {
            let sum = |it: Part| TaxSum { how: it.how, base: it.base, tax: it.tax, credited: 0 };
            self.taxes = parts.into_iter().map(sum).collect();
        }
    }

    /// Counts what a credit note has taken.
    pub(super) fn count(&mut self, taken: &Taken) {
        self.credited = self.credited.saturating_add(taken.amount());
        for (sum, amount) in self.taxes.iter_mut().zip(&taken.of_each) {
            sum.credited = sum.credited.saturating_add(*amount);
        }
    }
}

/// How all are taxed that say nothing else: as on the invoice, unless nothing of that is taken.
fn common_of(common: BillTax, parts: &[Part]) -> BillTax {
    let of_all = common.of_line();
    match parts.first() {
        Some(first) if !parts.iter().any(|it| it.how == of_all) => {
            let LineTax { category, rate_hundredths, text } = first.how.clone();
            BillTax { category, rate_hundredths, text, ..common }
        }
        _ => common,
    }
}
