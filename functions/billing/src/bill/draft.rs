//! Drafts: what is charged becomes lines, and what meters must say first becomes questions.

use serde_json::json;
use shared::{
    domain::{Commit, Draft, Id, NewJob, Timestamp},
    ports::{PortError, Tenant},
    problem::Problem,
};

use super::{
    Bill, BillKind, BillState, BillTotals, Question,
    line::{BillLine, LINES_MAX},
};
use crate::{
    coupon::Applied,
    customer::Customer,
    entity::Entity,
    period::Period,
    plan::{Basis, Plan, Price},
    price::{self, Quantity},
    store,
    subscription::Subscription,
};

/// Closes a draft when its time has come.
pub const CLOSE: &str = "billing.close";

/// A draft without lines.
///
/// # Errors
/// When there is no id to be had.
pub fn begin(
    at: &impl Tenant,
    customer: &Customer,
    currency: crate::money::Currency,
) -> Result<Bill, PortError> {
    Ok(Bill {
        id: at.new_id("inv")?.to_string(),
        kind: BillKind::Invoice,
        customer: customer.id.clone(),
        entity: customer.entity.clone(),
        subscription: None,
        number: None,
        state: BillState::Draft,
        currency,
        lines: Vec::new(),
        tax: None,
        taxes: Vec::new(),
        totals: BillTotals::default(),
        wallet: Vec::new(),
        coupons: Vec::new(),
        paid: 0,
        credited: 0,
        refunded: 0,
        collection: customer.collection,
        seller: None,
        buyer: None,
        references: None,
        locale: customer.locale.clone(),
        period: None,
        threshold: None,
        continues: None,
        deferred: 0,
        awaiting: Vec::new(),
        draft_until: None,
        held: None,
        applies: None,
        preceding: None,
        note: None,
        created_at: at.now(),
        finalised_at: None,
        due_at: None,
        paid_at: None,
        failures: Vec::new(),
        version: 1,
    })
}

/// What `plan` costs in advance for a whole period, before coupons.
///
/// # Errors
/// When that is too large.
pub fn advance(
    plan: &Plan,
    seats: u32,
    charged_once: &[String],
    period: Period,
) -> Result<Vec<BillLine>, price::Error> {
    let mut lines = Vec::new();
    for it in &plan.prices {
        let count = match &it.basis {
            Basis::Recurring => 1,
            Basis::PerSeat => seats,
            Basis::Once if charged_once.contains(&it.name) => continue,
            Basis::Once => 1,
            Basis::Metered { .. } => continue,
        };
        let line = priced(plan, it, Quantity::of(i64::from(count)))?;
        lines.push(if it.basis == Basis::Once { line } else { line.during(period) });
    }
    Ok(lines)
}

/// The line of `quantity` by a price of the plan.
///
/// # Errors
/// When that is too large.
pub fn priced(plan: &Plan, it: &Price, quantity: Quantity) -> Result<BillLine, price::Error> {
    let charge = it.limits.apply(it.model.charge(quantity)?)?;
    let line = BillLine::charged(plan.title_of(it), &it.name, quantity, &charge);
    Ok(line.of_class(it.tax_class.clone()))
}

/// What is asked of the meters of `plan` for `period`.
///
/// # Errors
/// When there are no ids to be had.
pub fn questions(
    at: &impl Tenant,
    plan: &Plan,
    period: Period,
) -> Result<Vec<Question>, PortError> {
    let metered = plan.prices.iter().filter_map(|it| match &it.basis {
        Basis::Metered { meter, group_by } => Some((it, meter, group_by)),
        _ => None,
    });
    let question = |(it, meter, group_by): (&Price, &String, &Option<String>)| {
        Ok(Question {
            id: at.new_id("usk")?.to_string(),
            plan: plan.name.clone(),
            plan_version: plan.version,
            price: it.name.clone(),
            meter: meter.clone(),
            group_by: group_by.clone(),
            period,
            after: None,
        })
    };
    metered.map(question).collect()
}

/// Asks the meters of `plan` for `period`, whose usage `before` may have been billed for in part.
///
/// # Errors
/// When there are no ids to be had.
pub fn meter(
    at: &impl Tenant,
    bill: &mut Bill,
    plan: &Plan,
    period: Period,
    before: &Subscription,
) -> Result<(), PortError> {
    bill.continues = before.progress.as_ref().and_then(|it| it.first.clone());
    bill.awaiting = questions(at, plan, period)?;
    Ok(())
}

/// Takes coupons off the lines, and counts on the coupons how much that was.
///
/// # Errors
/// When the amounts are too large.
pub fn discount(
    lines: Vec<BillLine>,
    coupons: &mut [Applied],
    plan: &str,
) -> Result<Vec<BillLine>, Problem> {
    let amounts: Vec<_> = lines.iter().map(|it| (plan, it.amount.max(0))).collect();
    let off = crate::coupon::take(coupons, &amounts).map_err(too_large)?;
    let codes: Vec<_> = coupons.iter().map(|it| it.code.as_str()).collect();
    let reason = codes.join(", ");
    Ok(lines.into_iter().zip(off).map(|(line, off)| line.less(off, &reason)).collect())
}

/// The coupons of a subscription, as they are now.
///
/// # Errors
/// When they cannot be read.
pub async fn coupons(at: &impl Tenant, it: &Subscription) -> Result<Vec<Applied>, PortError> {
    let mut all = Vec::new();
    for redeemed in &it.coupons {
        if let Some(found) = store::find_coupon(at, &redeemed.code).await?
            && found.lasts(redeemed.periods)
        {
            all.push(Applied::new(redeemed.code.clone(), found.coupon));
        }
    }
    Ok(all)
}

/// Counts one more period for each coupon.
pub fn count_coupons(it: &mut Subscription) {
    for coupon in &mut it.coupons {
        coupon.periods = coupon.periods.saturating_add(1);
    }
}

/// What writes a new draft: its row, and when its meters are asked, or it is closed. They are asked
/// as late as that, so that late usage counts; what was asked before is asked again at once.
pub fn write(at: &impl Tenant, entity: &Entity, mut bill: Bill) -> Commit {
    if !bill.awaiting.is_empty() {
        let waits = bill.awaiting.iter().any(|it| it.after.is_none());
        let hours = if waits { u64::from(entity.draft_hours) } else { 0 };
        bill.draft_until = Some(at.now() + std::time::Duration::from_secs(hours * 3600));
    }
    bill.totals.net = bill.net().unwrap_or(i64::MAX);
    let subject = Id::trusted(bill.id.clone());
    let entry = Draft::new("invoice.drafted", &subject).with(json!({
        "customer": bill.customer, "subscription": bill.subscription, "net": bill.totals.net,
        "currency": bill.currency,
    }));
    let commit = store::insert_bill(&bill).entry(entry);
    match bill.draft_until {
        Some(until) => commit.job(close_job(&bill.id, until)),
        None => commit,
    }
}

/// The entries that ask the meters.
pub fn ask(bill: &Bill) -> Commit {
    let of = ("invoice", bill.id.as_str());
    let asked = bill.awaiting.iter().map(|it| question(it, &bill.customer, of));
    asked.fold(Commit::new(), Commit::entry)
}

/// The entry that asks a question, for an invoice or whatever else takes the answer.
pub fn question(it: &Question, customer: &str, (what, id): (&str, &str)) -> Draft {
    let data = json!({
        "question": it.id, (what): id, "customer": customer, "meter": it.meter,
        "from": it.period.from, "to": it.period.to, "group_by": it.group_by,
    });
    Draft { action: "usage.asked", subject: it.id.clone(), data }
}

/// The job that closes a draft, or asks its meters first.
pub fn close_job(bill: &str, due: Timestamp) -> NewJob {
    NewJob::new(CLOSE, format!("{CLOSE}:{bill}"), json!({"id": bill})).at(due).sooner()
}

/// Puts lines of usage on it. What came late for others stands at the end, by their invoices: so
/// the order is the same whichever meter answered first.
///
/// # Errors
/// When there is no room, or they are too large.
pub fn place(bill: &mut Bill, lines: Vec<BillLine>) -> Result<(), Problem> {
    if bill.lines.len().saturating_add(lines.len()) > LINES_MAX {
        return Err(Problem::unfitting("lines", "the invoice has too many lines"));
    }
    bill.lines.extend(lines);
    let own = bill.continues.clone();
    bill.lines.sort_by_cached_key(|it| it.after.clone().filter(|it| Some(it) != own.as_ref()));
    bill.totals.net = bill.net().map_err(too_large)?;
    Ok(())
}

pub(crate) fn too_large(err: impl ToString) -> Problem {
    Problem::unfitting("amount", err)
}
