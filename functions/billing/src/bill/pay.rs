//! Collecting: a bill that is owed is asked of the provider, or waits for the customer.

use serde_json::json;
use shared::{
    domain::{Commit, Draft, Failure, Id, Job, NewJob},
    ports::Tenant,
    problem::Problem,
};

use super::{Bill, BillState, close::Parties};
use crate::{
    customer::Collection,
    payment::Payment,
    store,
    subscription::{self, State},
};

/// Says that a bill is overdue.
pub const OVERDUE: &str = "billing.overdue";

/// What collects a bill that has been priced: a payment is asked of the provider, or it is noted
/// when it will be overdue. Nothing when nothing is due.
///
/// # Errors
/// When there is no id to be had.
pub fn collect(at: &impl Tenant, parties: &Parties, bill: &Bill) -> Result<Commit, Problem> {
    let due = bill.left_of_due();
    if due == 0 || bill.state == BillState::Paid {
        return Ok(Commit::new());
    }
    match (bill.collection, parties.payer()) {
        (Collection::ChargeAutomatically, Some((account, method))) => {
            request(at, bill, account, method, due)
        }
        _ => Ok(match bill.due_at {
            Some(end) => Commit::new().job(overdue_job(bill, end)),
            None => Commit::new(),
        }),
    }
}

fn overdue_job(bill: &Bill, end: shared::domain::Timestamp) -> NewJob {
    NewJob::new(OVERDUE, format!("{OVERDUE}:{}", bill.id), json!({"id": bill.id})).at(end)
}

/// Asks the provider for `amount`.
///
/// # Errors
/// When there is no id to be had.
pub fn request(
    at: &impl Tenant,
    bill: &Bill,
    account: String,
    method: Option<String>,
    amount: i64,
) -> Result<Commit, Problem> {
    let payment = Payment { account: Some(account), method, ..Payment::of(at, bill, amount)? };
    let title = bill.lines.first().map(|it| it.name.clone()).unwrap_or_default();
    let entry = Draft::new("payment.requested", &Id::trusted(payment.id.clone())).with(json!({
        "payment": payment.id, "account": payment.account, "customer": payment.customer,
        "method": payment.method, "amount": amount, "currency": bill.currency,
        "invoice": bill.id, "number": bill.number,
        "description": bill.number.clone().unwrap_or(title),
    }));
    Ok(store::insert_payment(&payment).entry(entry))
}

/// Works the job of a bill that should be paid by now: somebody is told, and the subscription is
/// past due.
///
/// # Errors
/// The failure, and whether to try again.
pub async fn overdue(at: &impl Tenant, job: &Job) -> Result<Commit, Failure> {
    let id = job.subject()?;
    let Some(bill) = store::find_bill(at, id.as_str()).await? else { return Ok(Commit::new()) };
    if bill.left() == 0 {
        return Ok(Commit::new());
    }
    let data = json!({
        "customer": bill.customer, "number": bill.number, "left": bill.left(),
        "currency": bill.currency, "due_at": bill.due_at,
    });
    let commit = Commit::new().entry(Draft::new("invoice.overdue", &id).with(data));
    let late = past_due(at, &bill).await.map_err(crate::failed)?;
    Ok(commit.and(late))
}

/// Puts the bill's subscription past due, if it runs.
///
/// # Errors
/// When it cannot be read.
pub async fn past_due(at: &impl Tenant, bill: &Bill) -> Result<Commit, Problem> {
    let Some(before) = subscription_of(at, bill).await? else { return Ok(Commit::new()) };
    if !matches!(before.state, State::Active) {
        return Ok(Commit::new());
    }
    let parties = Parties::of(at, &bill.customer).await?;
    let days = u64::from(parties.entity.dunning.grace_days);
    let end = at.now() + std::time::Duration::from_secs(days * 86_400);
    let mut after = before.clone();
    after.state = State::PastDue;
    after.grace_until = Some(end);
    let data = json!({"invoice": bill.id, "grace_until": end});
    let action = "subscription.past_due";
    let commit = subscription::write(at, Some(&before), &mut after, action, data).await?;
    Ok(commit.job(subscription::renew::grace_job(&after, end)))
}

/// The subscription that a bill is for.
///
/// # Errors
/// When it cannot be read.
pub async fn subscription_of(
    at: &impl Tenant,
    bill: &Bill,
) -> Result<Option<subscription::Subscription>, Problem> {
    match &bill.subscription {
        Some(id) => Ok(store::find_subscription(at, id).await?),
        None => Ok(None),
    }
}

/// What follows when a bill has nothing left to pay: what waited for it takes effect, and a
/// subscription that was past due is not any more.
///
/// # Errors
/// When something cannot be read.
pub async fn settled(at: &impl Tenant, bill: &Bill) -> Result<Commit, Problem> {
    let Some(before) = subscription_of(at, bill).await? else { return Ok(Commit::new()) };
    let mut after = before.clone();
    if let Some(change) = &bill.applies
        && before.awaiting_payment.as_deref() == Some(bill.id.as_str())
    {
        return subscription::effect::take_effect(at, &before, change, bill).await;
    }
    let action = match before.state {
        // What was taken back was not paid.
        State::Incomplete if bill.state == BillState::Void => return Ok(Commit::new()),
        State::Incomplete => "subscription.activated",
        State::PastDue | State::Unpaid => "subscription.recovered",
        _ => return Ok(Commit::new()),
    };
    // Another invoice of it may be owed still.
    let owed = store::list_bills_by(at, &before.id, "", 200).await?;
    if owed.iter().any(|it| it.id != bill.id && it.left() > 0 && !it.failures.is_empty()) {
        return Ok(Commit::new());
    }
    after.state = State::Active;
    after.grace_until = None;
    if before.state == State::Incomplete {
        after.cancellation = None;
    }
    let data = json!({"invoice": bill.id});
    Ok(subscription::write(at, Some(&before), &mut after, action, data).await?)
}
