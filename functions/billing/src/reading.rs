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
    /// The coupons of that invoice, as they were before the first answer.
    pub coupons: Vec<Applied>,
    /// What was said, in the order of the answers.
    pub answers: Vec<Answer>,
    /// Later invoices that have something of it.
    pub later: Vec<String>,
    /// Whether it is asked again.
    pub open: bool,
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
    /// What was charged by now, in minor units after discounts, by value of the dimension.
    pub charged: BTreeMap<String, i64>,
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
            version: 0,
        }
    }

    /// For which time it is.
    pub fn period(&self) -> Option<Period> {
        self.answers.first().map(|it| it.question.period)
    }

    /// Takes the first answer to a question, and says what it charges. What coupons take off is
    /// counted on those.
    ///
    /// # Errors
    /// When the amounts are too large.
    pub fn first(
        &mut self,
        plan: &Plan,
        question: Question,
        (told, quantities): (i64, Quantities),
        coupons: &mut [Applied],
    ) -> Result<Vec<BillLine>, Problem> {
        let lines = charged(plan, &question, &quantities, coupons)?;
        let sums = lines.iter().map(|(group, it)| (group.clone(), it.amount)).collect();
        let period = question.period;
        self.answers.push(Answer { question, told, quantities, charged: sums });
        Ok(lines.into_values().map(|it| it.during(period)).collect())
    }

    /// Takes a later answer, and says what is different from what was charged: below zero where it
    /// is less. An answer that came earlier than the one that is known changes nothing.
    ///
    /// # Errors
    /// When the amounts are too large.
    pub fn again(
        &mut self,
        plan: &Plan,
        price: &str,
        (told, quantities): (i64, Quantities),
    ) -> Result<Vec<BillLine>, Problem> {
        let known = self.answers.iter_mut().find(|it| it.question.price == price);
        let Some(known) = known.filter(|it| it.told < told) else { return Ok(Vec::new()) };
        let before = std::mem::replace(&mut known.quantities, quantities);
        known.told = told;
        // What a coupon took off one line it may now take off another, so all are charged anew.
        let (mut coupons, mut lines) = (self.coupons.clone(), Vec::new());
        for it in &mut self.answers {
            let anew = charged(plan, &it.question, &it.quantities, &mut coupons)?;
            let was = if it.question.price == price { &before } else { &it.quantities };
            for (group, amount) in differences(&it.charged, &anew) {
                let name = match anew.get(&group) {
                    Some(line) => line.name.clone(),
                    None => title(plan, price_of(plan, &it.question)?, &group),
                };
                let line = BillLine::one(name, amount, Some(it.question.period));
                lines.push(BillLine {
                    price: Some(it.question.price.clone()),
                    detail: moved(was, &it.quantities, &group),
                    after: Some(self.invoice.clone()),
                    ..line
                });
            }
            it.charged = anew.into_iter().map(|(group, line)| (group, line.amount)).collect();
        }
        Ok(lines)
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
    after: &BTreeMap<String, BillLine>,
) -> Vec<(String, i64)> {
    let gone = before.keys().filter(|it| !after.contains_key(*it));
    let all = after.keys().chain(gone);
    let difference = |group: &String| {
        let after = after.get(group).map_or(0, |it| it.amount);
        after - before.get(group).copied().unwrap_or(0)
    };
    all.map(|it| (it.clone(), difference(it))).filter(|it| it.1 != 0).collect()
}

/// How the quantity has changed, for the reader: `350 → 400`.
fn moved(before: &Quantities, after: &Quantities, group: &str) -> Option<String> {
    let of = |all: &Quantities| all.get(group).copied().unwrap_or(Quantity::ZERO);
    let (before, after) = (of(before), of(after));
    (before != after).then(|| format!("{before} → {after}"))
}
