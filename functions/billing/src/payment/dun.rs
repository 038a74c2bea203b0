//! Dunning: what follows a payment that failed.

use serde_json::{Value, json};
use shared::{
    domain::{Commit, Draft, Failure, Id, Job, NewJob, Timestamp},
    ports::{PortError, Tenant},
    problem::Problem,
};

use super::{PAYMENTS_MAX, PaymentState};
use crate::{
    bill::{Bill, BillState, FailedAttempt, close, credit, pay},
    books, dunning,
    ledger::Event,
    store, subscription,
};

/// Tries again to collect, or gives up.
pub const DUN: &str = "billing.dun";
/// How many of the customer's latest paid invoices are looked at, for the hour of smart days.
const PAID_SEEN: u32 = 10;

/// What comes next, for the log.
pub(super) fn told(step: &dunning::Step) -> Value {
    match step {
        dunning::Step::RetryAt(at) => json!({"retry_at": at}),
        dunning::Step::AwaitMethod(at) => json!({"method_until": at}),
        dunning::Step::AwaitCustomer(at) => json!({"customer_until": at}),
        dunning::Step::RetryNow => json!({"retry_at": "now"}),
        dunning::Step::Finish(_) => json!({"ends": true}),
        dunning::Step::Nothing => Value::Null,
    }
}

/// What the entity's rules say comes next.
pub(super) async fn next_step(
    at: &impl Tenant,
    bill: &Bill,
    changed_at: Option<Timestamp>,
) -> Result<dunning::Step, Problem> {
    let parties = close::Parties::of(at, &bill.customer).await?;
    let (rules, zone) = (&parties.entity.dunning, parties.customer.zone);
    let policy = rules.policy(zone).map_err(|err| Problem::unfitting("dunning", err))?;
    let attempt = |it: &FailedAttempt| {
        let provider = match it.provider.as_str() {
            "paypal" => dunning::Provider::PayPal,
            _ => dunning::Provider::Stripe,
        };
        dunning::Attempt { at: it.at, decline: dunning::classify(provider, &it.code) }
    };
    let paid_at = match rules.smart {
        true => last_paid(at, bill).await?,
        false => None,
    };
    let history = dunning::History {
        attempts: bill.failures.iter().map(attempt).collect(),
        method_changed_at: changed_at,
        paid_at,
    };
    Ok(policy.next(&history, at.now()))
}

/// When the customer last paid an invoice, before this one was refused.
async fn last_paid(at: &impl Tenant, bill: &Bill) -> Result<Option<Timestamp>, PortError> {
    let Some(first) = bill.failures.first() else { return Ok(None) };
    let paid = store::list_paid(at, &bill.customer, PAID_SEEN).await?;
    let before = paid.iter().filter(|it| it.paid > 0).filter_map(|it| it.paid_at);
    Ok(before.filter(|it| *it < first.at).max())
}

/// The job of what comes next.
pub(super) fn dun_job(at: &impl Tenant, bill: &Bill, step: &dunning::Step) -> Commit {
    let due = match step {
        dunning::Step::Nothing => return Commit::new(),
        dunning::Step::RetryNow | dunning::Step::Finish(_) => at.now(),
        dunning::Step::RetryAt(due)
        | dunning::Step::AwaitMethod(due)
        | dunning::Step::AwaitCustomer(due) => *due,
    };
    let id = format!("{DUN}:{}:{}", bill.id, bill.failures.len());
    Commit::new().job(NewJob::new(DUN, id, json!({"id": bill.id})).at(due).sooner())
}

/// The job that tries again at once, because the customer has another method now.
pub fn retry_job(bill: &Bill, changed_at: Timestamp) -> NewJob {
    let body = json!({"id": bill.id, "changed_at": changed_at});
    NewJob::new(DUN, format!("{DUN}:{}:method:{}", bill.id, changed_at.0), body)
}

/// Works the job of a bill whose payment failed.
///
/// # Errors
/// The failure, and whether to try again.
pub async fn dun(at: &impl Tenant, job: &Job) -> Result<Commit, Failure> {
    let id = job.subject()?;
    let Some(bill) = store::find_bill(at, id.as_str()).await? else { return Ok(Commit::new()) };
    if bill.left() == 0 || bill.failures.is_empty() {
        return Ok(Commit::new());
    }
    let payments = store::list_payments(at, &bill.id, PAYMENTS_MAX).await?;
    if payments.iter().any(|it| it.state == PaymentState::Requested) {
        return Ok(Commit::new());
    }
    let changed = job.body.get("changed_at").and_then(Value::as_str).and_then(Timestamp::parse);
    let step = next_step(at, &bill, changed).await.map_err(crate::failed)?;
    match step {
        dunning::Step::RetryNow => {
            let parties = close::Parties::of(at, &bill.customer).await.map_err(crate::failed)?;
            pay::collect(at, &parties, &bill).map_err(crate::failed)
        }
        dunning::Step::Finish(last) => given_up(at, bill, last).await.map_err(crate::failed),
        // It was asked too early: the test clock, or a policy that changed.
        other => Ok(later(at, &bill, &other)),
    }
}

fn later(at: &impl Tenant, bill: &Bill, step: &dunning::Step) -> Commit {
    match step {
        dunning::Step::RetryAt(due)
        | dunning::Step::AwaitMethod(due)
        | dunning::Step::AwaitCustomer(due)
            if at.now() < *due =>
        {
            let id = format!("{DUN}:{}:{}:again:{}", bill.id, bill.failures.len(), due.0);
            Commit::new().job(NewJob::new(DUN, id, json!({"id": bill.id})).at(*due))
        }
        _ => Commit::new(),
    }
}

async fn given_up(
    at: &impl Tenant,
    mut bill: Bill,
    last: dunning::Final,
) -> Result<Commit, Problem> {
    bill.version += 1;
    bill.state = BillState::Uncollectible;
    let lost = bill.left_of_due();
    let tax = credit::tax_share(&bill, lost);
    let event = Event::WrittenOff { net: lost - tax, tax };
    let posted = books::post(at, event, bill.currency, &bill.id)?;
    let entry = Draft::new("invoice.given_up", &Id::trusted(bill.id.clone())).with(json!({
        "customer": bill.customer, "number": bill.number, "left": lost, "currency": bill.currency,
    }));
    let ended = match pay::subscription_of(at, &bill).await? {
        Some(it) => subscription::cancel::given_up(at, &it, last, &bill.id).await?,
        None => Commit::new(),
    };
    Ok(posted.and(store::update_bill(&bill)).entry(entry).and(ended))
}
