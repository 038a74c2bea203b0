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
    subscription::renew,
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
    let own = [Some(&bill.id), bill.continues.as_ref()];
    let is_late = |it: &Reading| !it.running && !own.contains(&Some(&it.invoice));
    for reading in readings.into_iter().filter(is_late) {
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

/// What meters say of a bill's own period: it is kept, and charged when all of them have answered.
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
    let known = store::find_reading(at, own(bill)).await?;
    let mut reading = known.unwrap_or_else(|| Reading::of(bill, &subscription));
    reading.hear(plan, question, told);
    reading.version += 1;
    if bill.waits_for(None) {
        return Ok((Vec::new(), store::write_reading(&reading)));
    }
    let lines = settle(bill, plan, &mut reading)?;
    let commit = store::write_reading(&reading);
    let commit = match reading.last_look() {
        Some(due) => commit.job(look(&reading, due)),
        None => commit,
    };
    Ok((lines, commit))
}

/// The reading of a bill's own period.
fn own(bill: &Bill) -> &str {
    bill.continues.as_deref().unwrap_or(&bill.id)
}

/// Charges a bill's own period, with its coupons.
fn settle(bill: &mut Bill, plan: &Plan, reading: &mut Reading) -> Result<Vec<BillLine>, Problem> {
    let lines = reading.settle(plan, &mut bill.coupons)?;
    reading.running = false;
    reading.is_on(&bill.id);
    Ok(lines)
}

fn look(it: &Reading, due: Timestamp) -> NewJob {
    let id = format!("{LOOK}:{}", it.invoice);
    NewJob::new(LOOK, id, json!({"id": it.invoice})).at(due)
}

/// What meters say again of what was charged by the invoice that the question names: it is kept, and
/// the difference is charged when all of them have answered. Where they do not know any more what was
/// counted, it stays as it was charged, and is asked no more.
///
/// # Errors
/// When the amounts are too large, or something cannot be read.
pub async fn differs(
    at: &impl Tenant,
    bill: &Bill,
    plan: &Plan,
    question: Question,
    (told, said): (i64, Result<Quantities, String>),
) -> Result<(Vec<BillLine>, Commit), Problem> {
    let first = question.after.clone().unwrap_or_default();
    let Some(mut reading) = store::find_reading(at, &first).await? else {
        return Ok(Default::default());
    };
    let mut commit = Commit::new();
    match said {
        Ok(quantities) => reading.hear(plan, question, (told, quantities)),
        Err(why) => {
            reading.open = false;
            commit = commit.entry(unknown(bill, &first, &why));
        }
    }
    reading.version += 1;
    let lines = match bill.waits_for(Some(&first)) {
        true => Vec::new(),
        false => reading.settle_again(plan)?,
    };
    if !lines.is_empty() {
        reading.is_on(&bill.id);
    }
    Ok((lines, store::write_reading(&reading).and(commit)))
}

fn unknown(bill: &Bill, first: &str, why: &str) -> Draft {
    let entry = Draft::new("invoice.late_usage_unknown", &Id::trusted(first.to_owned()));
    entry.with(json!({"asked_with": bill.id, "why": why}))
}

/// What was heard for a draft whose other meters are not waited for: it is charged, and what the
/// others would have said is left out for good.
///
/// # Errors
/// When the amounts are too large, or something cannot be read.
pub async fn leave_out(at: &impl Tenant, bill: &mut Bill) -> Result<Commit, Problem> {
    let mut commit = Commit::new();
    let mut asked: Vec<_> = bill.awaiting.drain(..).map(|it| it.after).collect();
    asked.dedup();
    for after in asked {
        let id = after.as_deref().unwrap_or(own(bill));
        let Some(mut reading) = store::find_reading(at, id).await? else { continue };
        let Some(any) = reading.answers.first().map(|it| it.question.clone()) else { continue };
        let plan = renew::plan(at, &any.plan, any.plan_version).await?;
        let lines = match (reading.is_unsettled(), &after) {
            (false, _) => Vec::new(),
            (true, None) => settle(bill, &plan, &mut reading)?,
            (true, Some(_)) => reading.settle_again(&plan)?,
        };
        if !lines.is_empty() {
            reading.is_on(&bill.id);
        }
        // What was billed before its period ended is not asked again either.
        reading.open &= after.is_some() || bill.continues.is_none();
        reading.version += 1;
        commit = commit.and(store::write_reading(&reading));
        draft::place(bill, lines)?;
    }
    Ok(commit)
}

/// What is written when somebody drops a draft, or takes back the whole of an invoice: the usage
/// that is on it is asked no more, so that it is neither charged nor given back by another one. Of a
/// period that still runs it is forgiven, and what is used beyond it is asked all the same.
///
/// # Errors
/// When something cannot be read.
pub async fn forgive(at: &impl Tenant, bill: &Bill) -> Result<Commit, Problem> {
    let Some(subscription) = &bill.subscription else { return Ok(Commit::new()) };
    let mut commit = Commit::new();
    for mut it in store::open_readings(at, subscription, READINGS_MAX).await? {
        let is_end = bill.continues.as_ref() == Some(&it.invoice);
        let is_on = it.invoice == bill.id || it.later.contains(&bill.id);
        let any = it.answers.first().map(|it| it.question.clone());
        commit = match (it.running, any) {
            (true, Some(any)) if is_on => {
                let plan = renew::plan(at, &any.plan, any.plan_version).await?;
                it.forgive(&plan, &bill.lines)?;
                it.version += 1;
                commit.and(store::write_reading(&it))
            }
            (true, _) if is_end => commit.and(store::close_reading(&it.invoice)),
            (false, _) if is_on => commit.and(store::close_reading(&it.invoice)),
            _ => commit,
        };
    }
    Ok(commit)
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
