//! What meters counted: answers to `usage.asked` become lines of the draft that waits for them.

use serde_json::Value;
use shared::{
    domain::{Commit, Draft, Entry, Failure, Id, Job, NewJob},
    ports::Tenant,
    problem::Problem,
};

use crate::{
    bill::{Bill, BillState, Question, draft},
    late,
    price::Quantity,
    progressive,
    reading::Quantities,
    store,
    subscription::renew,
};
use serde_json::json;

/// Works an answer of a meter.
pub const TOLD: &str = "billing.told";
/// How many lines one answer becomes at most.
pub const GROUPS_MAX: usize = 100;

/// The jobs that entries of the log are to us.
pub fn told(entries: &[Entry]) -> Commit {
    entries.iter().fold(Commit::new(), |commit, it| {
        let id = format!("{TOLD}:{:012}", it.sequence);
        let body = json!({"sequence": it.sequence, "data": it.data});
        commit.job(NewJob::new(TOLD, id, body))
    })
}

/// Works an answer: each question is answered once.
///
/// # Errors
/// The failure, and whether to try again.
pub async fn work(at: &impl Tenant, job: &Job) -> Result<Commit, Failure> {
    let data = job.body.get("data").cloned().unwrap_or_default();
    if data.get("subscription").is_some_and(Value::is_string) {
        return progressive::told(at, job, &data).await.map_err(crate::failed);
    }
    let word = |name: &str| data.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let Some(mut bill) = store::find_bill(at, &word("invoice")).await? else {
        return Ok(Commit::new());
    };
    let place = bill.awaiting.iter().position(|it| it.id == word("question"));
    let (Some(place), BillState::Draft) = (place, bill.state) else { return Ok(Commit::new()) };
    let before = bill.clone();
    let question = bill.awaiting.remove(place);
    let told = job.body.get("sequence").and_then(Value::as_i64).unwrap_or_default();
    match answered(at, &mut bill, question, (told, &data)).await {
        Err(problem) if problem.status().is_client_error() => Ok(held(before, &problem.words())),
        other => other.map_err(crate::failed),
    }
}

/// A question that has no answer holds the draft: somebody finalises it, or asks again.
fn held(bill: Bill, why: &str) -> Commit {
    let subject = Id::trusted(bill.id.clone());
    let held = Bill { held: Some(why.to_owned()), version: bill.version + 1, ..bill };
    let entry = Draft::new("invoice.held", &subject).with(json!({"why": why}));
    store::update_bill(&held).entry(entry)
}

/// Puts an answer on the draft: what it charges, or how it differs from what was charged before.
async fn answered(
    at: &impl Tenant,
    bill: &mut Bill,
    question: Question,
    (told, data): (i64, &Value),
) -> Result<Commit, Problem> {
    let plan = renew::plan(at, &question.plan, question.plan_version).await?;
    let said = said(&question, data);
    let (lines, read) = match question.after {
        // The invoice is owed all the same: what was charged stands where there is no answer.
        Some(_) => {
            let said = said.map_err(|problem| problem.words());
            late::differs(at, bill, &plan, question, (told, said)).await?
        }
        None => late::begins(at, bill, &plan, question, (told, said?)).await?,
    };
    draft::place(bill, lines)?;
    Ok(read.and(answer_taken(at, bill)))
}

fn answer_taken(at: &impl Tenant, bill: &mut Bill) -> Commit {
    bill.version += 1;
    let commit = store::update_bill(bill);
    match bill.awaiting.is_empty() {
        true => commit.job(draft::close_job(&bill.id, at.now())),
        false => commit,
    }
}

/// What an answer says: one quantity, or one for each value of the dimension.
///
/// # Errors
/// When it says why there is none, or makes no sense.
pub fn said(question: &Question, data: &Value) -> Result<Quantities, Problem> {
    if let Some(why) = data.get("error").and_then(Value::as_str) {
        return Err(Problem::unfitting("", why));
    }
    let read = |text: &Value| {
        let text = text.as_str().unwrap_or_default();
        Quantity::parse(text).map_err(|err| Problem::unfitting("value", err))
    };
    let groups = data.get("groups").and_then(Value::as_object).filter(|it| !it.is_empty());
    let Some(groups) = groups.filter(|_| question.group_by.is_some()) else {
        let value = read(data.get("value").unwrap_or(&Value::Null))?;
        return Ok(Quantities::from([(String::new(), value)]));
    };
    if groups.len() > GROUPS_MAX {
        let why = format!("{} values of one dimension: {GROUPS_MAX} at most", groups.len());
        return Err(Problem::unfitting("groups", why));
    }
    groups.iter().map(|(group, value)| Ok((group.clone(), read(value)?))).collect()
}
