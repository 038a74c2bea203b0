//! Readings: what meters said for an invoice, and what of it was charged. What they say later is
//! charged as the difference, so that all together comes to what one invoice would have said. Pure.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};
use shared::{domain::Timestamp, problem::Problem};

use crate::{
    bill::{
        Bill, Question, draft,
        line::{BillLine, NAME_CHARS_MAX},
    },
    coupon::Applied,
    period::Period,
    plan::{Plan, Price},
    price::Quantity,
};

#[cfg(test)]
mod tests;

/// How long after a period its usage may still come: a day more than meters take events for, unless
/// somebody says otherwise.
pub const LATE: Duration = Duration::from_secs(36 * 86_400);

/// For how long meters know what they counted: two days less than they keep it.
pub const KNOWN: Duration = Duration::from_secs(398 * 86_400);

/// A quantity for each value of a dimension; one without a name where there is no dimension.
pub type Quantities = BTreeMap<String, Quantity>;

/// What the meters of a plan said for one invoice.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Reading {
    /// The invoice that charged it first.
    pub invoice: String,
    /// Whose usage it is.
    pub subscription: String,
    /// The coupons that it was charged with, as they were before that.
    pub coupons: Vec<Applied>,
    /// What was said, in the order of the plan's prices.
    pub answers: Vec<Answer>,
    /// Later invoices that have something of it.
    pub later: Vec<String>,
    /// Whether it is asked again.
    pub open: bool,
    /// Whether its period runs still: it is asked for more than what was charged.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub running: bool,
    /// Counts its changes.
    pub version: i64,
}

/// What one meter said last.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Answer {
    /// What it was asked.
    pub question: Question,
    /// The place of the answer in the log.
    pub told: i64,
    /// What it said.
    pub quantities: Quantities,
    /// What it had said when it was charged last, where it is not charged anew yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Quantities>,
    /// What was charged by now, in minor units after discounts, by value of the dimension.
    pub charged: BTreeMap<String, i64>,
    /// What of that was taken back as a whole, while the period ran. It was given back then: that usage
    /// becomes less gives back only what is beyond it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub forgiven: BTreeMap<String, i64>,
}

impl Reading {
    /// One of a draft whose meters have said nothing yet.
    pub fn of(bill: &Bill, subscription: &str) -> Self {
        Self {
            invoice: bill.id.clone(),
            subscription: subscription.to_owned(),
            coupons: bill.coupons.clone(),
            answers: Vec::new(),
            later: Vec::new(),
            open: true,
            running: false,
            version: 0,
        }
    }

    /// For which time it is.
    pub fn period(&self) -> Option<Period> {
        self.answers.first().map(|it| it.question.period)
    }

    /// Takes what a meter said, in the order of the plan's prices. What came earlier than what is
    /// known changes nothing.
    pub fn hear(&mut self, plan: &Plan, question: Question, (told, quantities): (i64, Quantities)) {
        let known = self.answers.iter_mut().find(|it| it.question.price == question.price);
        let Some(known) = known else {
            let (charged, forgiven) = Default::default();
            let new = Answer { question, told, quantities, before: None, charged, forgiven };
            self.answers.push(new);
            let place = |name: &str| plan.prices.iter().position(|it| it.name == name);
            self.answers.sort_by_key(|it| place(&it.question.price));
            return;
        };
        if known.told < told {
            let before = std::mem::replace(&mut known.quantities, quantities);
            known.before.get_or_insert(before);
            (known.told, known.question.period) = (told, question.period);
        }
    }

    /// Charges what was heard, less these coupons, on which it is counted what they take off. What
    /// was charged before is charged anew, and only the difference is a line: below zero where it
    /// is less.
    ///
    /// # Errors
    /// When the amounts are too large.
    pub fn settle(
        &mut self,
        plan: &Plan,
        coupons: &mut [Applied],
    ) -> Result<Vec<BillLine>, Problem> {
        self.coupons = coupons.to_vec();
        let mut lines = Vec::new();
        // What a coupon took off one line it may now take off another, so all are charged anew.
        for it in &mut self.answers {
            let anew = charged(plan, &it.question, &it.quantities, coupons)?;
            let sums = it.counted(&anew);
            let before = std::mem::replace(&mut it.charged, sums);
            let was = it.before.take();
            if before.is_empty() {
                let period = it.question.period;
                lines.extend(anew.into_values().map(|line| line.during(period)));
                continue;
            }
            let was = was.as_ref().unwrap_or(&it.quantities);
            let price = price_of(plan, &it.question)?;
            for (group, amount) in differences(&before, &it.charged) {
                let name = match anew.get(&group) {
                    Some(line) => line.name.clone(),
                    None => title(plan, price, &group),
                };
                let line = BillLine::one(name, amount, Some(it.question.period));
                let line = line.of_class(price.tax_class.clone());
                lines.push(BillLine {
                    price: Some(it.question.price.clone()),
                    detail: moved(was, &it.quantities, &group),
                    after: Some(self.invoice.clone()),
                    ..line
                });
            }
        }
        Ok(lines)
    }

    /// The same with the coupons that it was charged with before.
    ///
    /// # Errors
    /// When the amounts are too large.
    pub fn settle_again(&mut self, plan: &Plan) -> Result<Vec<BillLine>, Problem> {
        let mut coupons = self.coupons.clone();
        self.settle(plan, &mut coupons)
    }

    /// Forgives what these lines charge of a period that still runs: they were taken back. What is
    /// used beyond it is charged all the same.
    ///
    /// # Errors
    /// When the plan has not the prices that were charged.
    pub fn forgive(&mut self, plan: &Plan, lines: &[BillLine]) -> Result<(), Problem> {
        for it in &mut self.answers {
            let price = price_of(plan, &it.question)?;
            for (group, charged) in &it.charged {
                let name = title(plan, price, group);
                let is_it = |line: &&BillLine| {
                    line.price.as_ref() == Some(&price.name) && line.name == name
                };
                let taken = lines.iter().filter(is_it).fold(0i64, |sum, it| sum + it.amount);
                let known = it.forgiven.get(group).copied().unwrap_or(0);
                // Never more than was charged: nothing is charged because it was forgiven.
                let all = known.saturating_add(taken).min(*charged);
                if all > 0 {
                    it.forgiven.insert(group.clone(), all);
                }
            }
        }
        Ok(())
    }

    /// Whether something was heard that is not charged.
    pub fn is_unsettled(&self) -> bool {
        let is_new = |it: &Answer| it.charged.is_empty() && !it.quantities.is_empty();
        self.answers.iter().any(|it| it.before.is_some() || is_new(it))
    }

    /// What was charged by now, in minor units after discounts.
    pub fn charged(&self) -> i64 {
        self.answers
            .iter()
            .flat_map(|it| it.charged.values())
            .fold(0, |sum, it| sum.saturating_add(*it))
    }

    /// Notes that an invoice has something of it.
    pub fn is_on(&mut self, invoice: &str) {
        if self.invoice != invoice && !self.later.iter().any(|it| it == invoice) {
            self.later.push(invoice.to_owned());
        }
    }

    /// When it is looked at for the last time: when nothing can come any more, and before the meters
    /// forget how the period began.
    pub fn last_look(&self) -> Option<Timestamp> {
        self.period().map(|it| (it.to + LATE).min(it.from + KNOWN).max(it.to))
    }

    /// Whether it is not looked at again after `now`.
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.last_look().is_none_or(|it| it <= now)
    }
}

impl Answer {
    /// What counts as charged once these lines are: no less than what was forgiven.
    fn counted(&self, lines: &BTreeMap<String, BillLine>) -> BTreeMap<String, i64> {
        let lines = lines.iter().map(|(group, line)| (group.clone(), line.amount));
        let mut sums: BTreeMap<String, i64> = lines.collect();
        for (group, least) in &self.forgiven {
            let sum = sums.entry(group.clone()).or_default();
            *sum = (*sum).max(*least);
        }
        sums
    }
}

/// One line, or one for each value of the dimension, less coupons.
fn charged(
    plan: &Plan,
    question: &Question,
    quantities: &Quantities,
    coupons: &mut [Applied],
) -> Result<BTreeMap<String, BillLine>, Problem> {
    let price = price_of(plan, question)?;
    let mut lines = Vec::new();
    for (group, quantity) in quantities {
        let line = draft::priced(plan, price, *quantity).map_err(draft::too_large)?;
        lines.push(BillLine { name: title(plan, price, group), ..line });
    }
    let lines = draft::discount(lines, coupons, &plan.name)?;
    Ok(quantities.keys().cloned().zip(lines).collect())
}

fn price_of<'a>(plan: &'a Plan, question: &Question) -> Result<&'a Price, Problem> {
    let price = plan.prices.iter().find(|it| it.name == question.price);
    price.ok_or_else(|| Problem::internal().caused_by("the price is gone"))
}

fn title(plan: &Plan, price: &Price, group: &str) -> String {
    let title = plan.title_of(price);
    match group {
        "" => title,
        _ => format!("{title}: {group}").chars().take(NAME_CHARS_MAX).collect(),
    }
}

fn differences(
    before: &BTreeMap<String, i64>,
    after: &BTreeMap<String, i64>,
) -> Vec<(String, i64)> {
    let gone = before.keys().filter(|it| !after.contains_key(*it));
    let all = after.keys().chain(gone);
    let difference = |group: &String| {
        let of = |all: &BTreeMap<String, i64>| all.get(group).copied().unwrap_or(0);
        of(after) - of(before)
    };
    all.map(|it| (it.clone(), difference(it))).filter(|it| it.1 != 0).collect()
}

/// How the quantity has changed, for the reader: `350 → 400`.
fn moved(before: &Quantities, after: &Quantities, group: &str) -> Option<String> {
    let of = |all: &Quantities| all.get(group).copied().unwrap_or(Quantity::ZERO);
    let (before, after) = (of(before), of(after));
    (before != after).then(|| format!("{before} → {after}"))
}
