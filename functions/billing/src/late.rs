//! Usage that comes late: what was charged is asked of the meters again with the next invoices of
//! the subscription, and the difference is charged or given back there.

use std::time::Duration;

use serde_json::json;
use shared::{
    domain::{Commit, Draft, Failure, Id, Job, NewJob, Timestamp},
    ports::{PortError, Tenant},
    problem::Problem,
};

use crate::{
    bill::{Bill, Question, close, draft, line::BillLine},
    plan::Plan,
    reading::{Quantities, Reading},
    store,
};

/// Looks at what nothing else looks at again.
pub const LOOK: &str = "billing.look";
/// How many questions are asked again with one invoice, the oldest first.
pub const LOOKS_MAX: usize = 100;
/// How many readings are looked through for them.
pub const READINGS_MAX: u32 = 100;
/// How far away the next invoice is at most for which what comes late waits.
pub const WAIT: Duration = Duration::from_secs(31 * 86_400);

/// What is asked again with `bill`, beside what it asks already, and which readings are asked then.
///
/// # Errors
/// When something cannot be read.
pub async fn questions(
    at: &impl Tenant,
    bill: &Bill,
) -> Result<(Vec<Question>, Vec<Reading>), PortError> {
    let Some(subscription) = &bill.subscription else { return Ok(Default::default()) };
    let readings = store::open_readings(at, subscription, READINGS_MAX).await?;
    let (mut all, mut asked) = (Vec::new(), Vec::new());
    for reading in readings.into_iter().filter(|it| it.invoice != bill.id) {
        let mut more = again(at, bill, &reading)?;
        if all.len() + more.len() > LOOKS_MAX {
            break;
        }
        all.append(&mut more);
        asked.push(reading);
    }
    Ok((all, asked))
}

fn again(at: &impl Tenant, bill: &Bill, reading: &Reading) -> Result<Vec<Question>, PortError> {
    let after = Some(reading.invoice.clone());
    let is_asked =
        |price: &str| bill.awaiting.iter().any(|it| it.after == after && it.price == price);
    let all = reading.answers.iter().map(|it| &it.question);
    let new = all.filter(|it| !is_asked(&it.price));
    let ask = |it: &Question| {
        let id = at.new_id("usk")?.to_string();
        Ok(Question { id, after: after.clone(), ..it.clone() })
    };
    new.map(ask).collect()
}

/// Asks again with a draft that is about to ask its meters. What is asked late enough is asked for
/// the last time.
///
/// # Errors
/// When something cannot be read.
pub async fn ask(at: &impl Tenant, bill: &mut Bill) -> Result<Commit, PortError> {
    let (more, readings) = questions(at, bill).await?;
    bill.awaiting.extend(more);
    let over = readings.iter().filter(|it| it.is_over(at.now()));
    Ok(over.fold(Commit::new(), |commit, it| commit.and(store::close_reading(&it.invoice))))
}

/// What a first answer charges, and what is kept of it.
///
/// # Errors
/// When the amounts are too large, or something cannot be read.
pub async fn begins(
    at: &impl Tenant,
    bill: &mut Bill,
    plan: &Plan,
    question: Question,
    told: (i64, Quantities),
) -> Result<(Vec<BillLine>, Commit), Problem> {
    let subscription = bill.subscription.clone().unwrap_or_default();
    let known = store::find_reading(at, &bill.id).await?;
    let mut reading = known.unwrap_or_else(|| Reading::of(bill, &subscription));
    let lines = reading.first(plan, question, told, &mut bill.coupons)?;
    reading.version += 1;
    let commit = store::write_reading(&reading);
    let commit = match reading.last_look().filter(|_| reading.version == 1) {
        Some(due) => commit.job(look(&reading, due)),
        None => commit,
    };
    Ok((lines, commit))
}

fn look(it: &Reading, due: Timestamp) -> NewJob {
    let id = format!("{LOOK}:{}", it.invoice);
    NewJob::new(LOOK, id, json!({"id": it.invoice})).at(due)
}

/// What a later answer changes, and what is kept of it.
///
/// # Errors
/// When the amounts are too large, or something cannot be read.
pub async fn differs(
    at: &impl Tenant,
    bill: &Bill,
    plan: &Plan,
    first: &str,
    (price, told): (&str, (i64, Quantities)),
) -> Result<(Vec<BillLine>, Commit), Problem> {
    let Some(mut reading) = store::find_reading(at, first).await? else {
        return Ok(Default::default());
    };
    let lines = reading.again(plan, price, told)?;
    if !lines.is_empty() && !reading.later.contains(&bill.id) {
        reading.later.push(bill.id.clone());
    }
    reading.version += 1;
    Ok((lines, store::write_reading(&reading)))
}

/// What is written where the meters do not know any more what was counted: it is asked no more.
pub fn unknown(bill: &Bill, first: &str, why: &str) -> Commit {
    let entry = Draft::new("invoice.late_usage_unknown", &Id::trusted(first.to_owned()));
    store::close_reading(first).entry(entry.with(json!({"asked_with": bill.id, "why": why})))
}

/// What is written when somebody drops a draft, or takes back the whole of an invoice: the usage
/// that is on it is asked no more, so that it is neither charged nor given back by another one.
///
/// # Errors
/// When something cannot be read.
pub async fn forgive(at: &impl Tenant, bill: &Bill) -> Result<Commit, PortError> {
    let Some(subscription) = &bill.subscription else { return Ok(Commit::new()) };
    let readings = store::open_readings(at, subscription, READINGS_MAX).await?;
    let of_it = readings.iter().filter(|it| it.invoice == bill.id || it.later.contains(&bill.id));
    Ok(of_it.fold(Commit::new(), |commit, it| commit.and(store::close_reading(&it.invoice))))
}

/// Works the look at a reading when nothing can come any more. Where the next invoice is near it
/// waits for that; else, as where the subscription has ended, it is asked for an invoice of its own.
///
/// # Errors
/// The failure, and whether to try again.
pub async fn work(at: &impl Tenant, job: &Job) -> Result<Commit, Failure> {
    let id = job.subject()?;
    let Some(reading) = store::find_reading(at, id.as_str()).await?.filter(|it| it.open) else {
        return Ok(Commit::new());
    };
    let found = store::find_subscription(at, &reading.subscription).await?;
    let Some(subscription) = found else { return Ok(Commit::new()) };
    if subscription.due().is_some_and(|it| it <= at.now() + WAIT) {
        return Ok(Commit::new());
    }
    let parties = close::Parties::of(at, &subscription.customer).await.map_err(crate::failed)?;
    let mut bill = draft::begin(at, &parties.customer, subscription.currency)?;
    bill.subscription = Some(subscription.id);
    bill.period = reading.period();
    bill.awaiting = questions(at, &bill).await?.0;
    Ok(draft::write(at, &parties.entity, bill))
}
