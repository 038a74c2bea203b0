//! How a bill is taxed: each line by its class, all of them where one place of supply says. What is
//! finalised keeps it, whatever becomes of the classes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use shared::problem::Problem;
use utoipa::ToSchema;

use super::{Bill, close::Parties, line::BillLine};
use crate::{
    entity::Entity,
    invoice::{self, Totals, Vat},
    plan::Plan,
    tax::{self, Category, Rate, Supply, Treatment},
};

/// How a document is taxed.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[schema(as = InvoiceTax)]
pub struct BillTax {
    /// The category of UNTDID 5305, as `S`, `AE`, `O`.
    pub category: String,
    /// In hundredths of a percent: 1900 is 19 %.
    pub rate_hundredths: u32,
    /// Whose tax it is, or would be.
    pub place: String,
    /// Whether it is declared through the One Stop Shop.
    pub by_oss: bool,
    /// What the law wants to be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// How some lines of a document are taxed: in the same place as all others.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[schema(as = InvoiceLineTax)]
pub struct LineTax {
    /// The category of UNTDID 5305, as `S`, `Z`, `E`.
    pub category: String,
    /// In hundredths of a percent: 700 is 7 %.
    pub rate_hundredths: u32,
    /// What the law wants to be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// What lines come to that are taxed alike, in minor units.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[schema(as = InvoiceTaxSum)]
pub struct TaxSum {
    /// How they are taxed.
    #[serde(flatten)]
    pub how: LineTax,
    /// What they come to without tax.
    pub base: i64,
    /// The tax.
    pub tax: i64,
    /// What credit notes have taken back of both.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub credited: i64,
}

fn is_zero(it: &i64) -> bool {
    *it == 0
}

impl BillTax {
    fn of(it: Treatment) -> Self {
        Self {
            category: it.category.code().to_owned(),
            rate_hundredths: it.rate.hundredths(),
            place: it.place,
            by_oss: it.by_oss,
            text: it.legal_text,
        }
    }

    /// The same without its place.
    pub fn of_line(&self) -> LineTax {
        let (category, text) = (self.category.clone(), self.text.clone());
        LineTax { category, rate_hundredths: self.rate_hundredths, text }
    }
}

impl LineTax {
    /// What is not taxed at a rate above zero, but could be.
    pub fn zero() -> Self {
        let category = Category::Zero.code().to_owned();
        Self { category, rate_hundredths: 0, text: None }
    }

    /// Category and rate.
    ///
    /// # Errors
    /// When there is none of that kind.
    pub fn vat(&self) -> Result<Vat, invoice::Error> {
        let bad = invoice::Error::BadRate { category: "?", rate: self.rate_hundredths };
        let category = Category::parse(&self.category).ok_or(bad.clone())?;
        let rate = Rate::new(self.rate_hundredths).ok_or(bad)?;
        Ok(Vat { category, rate })
    }
}

impl TaxSum {
    /// With tax.
    pub fn gross(&self) -> i64 {
        self.base.saturating_add(self.tax)
    }
}

impl Bill {
    /// How a line is taxed. One of a draft is not.
    pub fn tax_of(&self, line: &BillLine) -> LineTax {
        let none = || LineTax {
            category: Category::OutOfScope.code().to_owned(),
            rate_hundredths: 0,
            text: None,
        };
        let all = || self.tax.as_ref().map(BillTax::of_line);
        line.tax.clone().or_else(all).unwrap_or_else(none)
    }

    /// What each tax comes to: at least one, that of all lines.
    pub fn tax_sums(&self) -> Vec<TaxSum> {
        if !self.taxes.is_empty() {
            return self.taxes.clone();
        }
        let how = match self.lines.first() {
            Some(line) => self.tax_of(line),
            None => LineTax::zero(),
        };
        let (base, tax) = (self.totals.net, self.totals.tax);
        vec![TaxSum { how, base, tax, credited: self.credited }]
    }

    /// The taxes that are kept, by category and rate.
    pub(super) fn told_taxes(&self) -> Result<BTreeMap<Vat, i64>, invoice::Error> {
        let mut told: BTreeMap<Vat, i64> = BTreeMap::new();
        for it in &self.taxes {
            let tax = told.entry(it.how.vat()?).or_default();
            *tax = tax.checked_add(it.tax).ok_or(invoice::Error::TooLarge)?;
        }
        Ok(told)
    }

    /// Says how each line is taxed: `common` for all, and beside the lines that differ.
    pub(super) fn tell_tax(&mut self, common: BillTax, each: impl IntoIterator<Item = LineTax>) {
        let of_all = common.of_line();
        for (line, how) in self.lines.iter_mut().zip(each) {
            line.tax = Some(how).filter(|it| *it != of_all);
        }
        self.tax = Some(common);
    }
}

/// Taxes each line of the draft by its class.
///
/// # Errors
/// What must be changed for it to have a tax.
pub fn apply(parties: &Parties, bill: &mut Bill) -> Result<(), Problem> {
    let mut known: BTreeMap<Option<String>, BillTax> = BTreeMap::new();
    for line in &bill.lines {
        if !known.contains_key(&line.tax_class) {
            let tax = BillTax::of(treatment(parties, line.tax_class.as_deref())?);
            known.insert(line.tax_class.clone(), tax);
        }
    }
    let each: Vec<_> =
        bill.lines.iter().filter_map(|it| known.get(&it.tax_class)).map(BillTax::of_line).collect();
    // What is of no class says it for all; where there is none of that, the first line.
    let first = bill.lines.first().and_then(|it| known.get(&it.tax_class));
    let common = match known.get(&None).or(first) {
        Some(it) => it.clone(),
        None => BillTax::of(treatment(parties, None)?),
    };
    bill.tell_tax(common, each);
    Ok(())
}

/// How what is of this class is taxed here. Who is not established in the Union is outside of its
/// VAT.
fn treatment(parties: &Parties, class: Option<&str>) -> Result<Treatment, Problem> {
    let class = parties.entity.class(class).map_err(|err| Problem::unfitting("tax_class", err))?;
    let seller = parties.entity.seller();
    if !tax::is_member(&seller.country) {
        return Ok(Treatment {
            category: Category::OutOfScope,
            rate: Rate::ZERO,
            place: parties.customer.party.country.clone(),
            by_oss: false,
            reason_code: Category::OutOfScope.reason_code(),
            legal_text: None,
        });
    }
    let checked = parties.customer.vat_id_checked_at.is_some();
    let vat_id = parties.customer.party.vat_id.as_deref().filter(|_| checked);
    let vat_id = vat_id.and_then(|it| tax::VatId::parse(it).ok());
    let buyer = tax::Buyer { country: parties.customer.party.country.clone(), vat_id };
    let law = |place: &str| class.map_or(Supply::Standard, |it| it.supply(place));
    tax::treat(&seller, &buyer, law).map_err(|err| Problem::unfitting("tax", err))
}

/// What each tax comes to, where `totals` and the bill's tax do not say all: where there are several.
pub fn sums(bill: &Bill, totals: &Totals) -> Result<Vec<TaxSum>, invoice::Error> {
    let mut sums: Vec<(Vat, TaxSum)> = Vec::new();
    for line in &bill.lines {
        let how = bill.tax_of(line);
        if let Some((_, it)) = sums.iter_mut().find(|(_, it)| it.how == how) {
            it.base = it.base.checked_add(line.amount).ok_or(invoice::Error::TooLarge)?;
            continue;
        }
        let vat = how.vat()?;
        // What is exempt for several reasons has no tax, whichever of them it is.
        let tax = totals.subtotals.iter().find(|it| it.vat == vat).map_or(0, |it| it.tax);
        sums.push((vat, TaxSum { how, base: line.amount, tax, credited: 0 }));
    }
    sums.sort_by_key(|(vat, _)| *vat);
    Ok(if sums.len() > 1 { sums.into_iter().map(|it| it.1).collect() } else { Vec::new() })
}

/// Whether an entity defines the tax classes of a plan.
///
/// # Errors
/// 422 that says which one it lacks.
pub fn check(entity: &Entity, plan: &Plan) -> Result<(), Problem> {
    let classes = plan.prices.iter().map(|it| it.tax_class.as_deref());
    let mut lacks = classes.filter_map(|it| entity.class(it).err());
    lacks.next().map_or(Ok(()), |why| Err(Problem::unfitting("plan", why)))
}
