//! What meters counted: answers to `usage.asked` become lines of the draft that waits for them.

use serde_json::Value;
use shared::{
    domain::{Commit, Draft, Entry, Failure, Id, Job, NewJob},
    ports::Tenant,
    problem::Problem,
};

use crate::{
    bill::{
        Bill, BillState, Question, draft,
        line::{BillLine, NAME_CHARS_MAX},
    },
    plan::Plan,
    price::Quantity,
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
        commit.job(NewJob::new(TOLD, id, json!({"data": it.data})))
    })
}

/// Works an answer: each question is answered once.
///
/// # Errors
/// The failure, and whether to try again.
pub async fn work(at: &impl Tenant, job: &Job) -> Result<Commit, Failure> {
    let data = job.body.get("data").cloned().unwrap_or_default();
    let word = |name: &str| data.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let Some(mut bill) = store::find_bill(at, &word("invoice")).await? else {
        return Ok(Commit::new());
    };
    let place = bill.awaiting.iter().position(|it| it.id == word("question"));
    let (Some(place), BillState::Draft) = (place, bill.state) else { return Ok(Commit::new()) };
    if let Some(why) = data.get("error").and_then(Value::as_str) {
        return Ok(held(bill, why));
    }
    let before = bill.clone();
    let question = bill.awaiting.remove(place);
    match answered(at, &mut bill, &question, &data).await {
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

async fn answered(
    at: &impl Tenant,
    bill: &mut Bill,
    question: &Question,
    data: &Value,
) -> Result<Commit, Problem> {
    let plan = renew::plan(at, &question.plan, question.plan_version).await?;
    let lines = lines(&plan, question, data)?;
    if !draft::has_room(bill, lines.len()) {
        return Err(Problem::unfitting("lines", "the invoice has too many lines"));
    }
    let lines = draft::discount(lines, &mut bill.coupons, &plan.name)?;
    bill.lines.extend(lines.into_iter().map(|it| it.during(question.period)));
    bill.totals.net = bill.net().map_err(draft::too_large)?;
    bill.version += 1;
    let commit = store::update_bill(bill);
    Ok(match bill.awaiting.is_empty() {
        true => commit.job(draft::close_job(&bill.id, at.now())),
        false => commit,
    })
}

/// One line, or one for each group.
fn lines(plan: &Plan, question: &Question, data: &Value) -> Result<Vec<BillLine>, Problem> {
    let price = plan.prices.iter().find(|it| it.name == question.price);
    let price = price.ok_or_else(|| Problem::internal().caused_by("the price is gone"))?;
    let read = |text: &Value| {
        let text = text.as_str().unwrap_or_default();
        Quantity::parse(text).map_err(|err| Problem::unfitting("value", err))
    };
    let groups = data.get("groups").and_then(Value::as_object).filter(|it| !it.is_empty());
    let Some(groups) = groups.filter(|_| question.group_by.is_some()) else {
        let value = read(data.get("value").unwrap_or(&Value::Null))?;
        return Ok(vec![draft::priced(plan, price, value).map_err(draft::too_large)?]);
    };
    if groups.len() > GROUPS_MAX {
        let why = format!("{} values of one dimension: {GROUPS_MAX} at most", groups.len());
        return Err(Problem::unfitting("groups", why));
    }
    let mut lines = Vec::new();
    for (name, value) in groups {
        let line = draft::priced(plan, price, read(value)?).map_err(draft::too_large)?;
        let title: String = format!("{}: {name}", line.name).chars().take(NAME_CHARS_MAX).collect();
        lines.push(BillLine { name: title, ..line });
    }
    Ok(lines)
}
