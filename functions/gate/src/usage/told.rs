//! What invoices ask the counters, in the log: `usage.asked` is answered by `usage.told`, once.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use shared::{
    domain::{Commit, Draft, Entry, Timestamp},
    ports::{PortError, Tenant},
};

use super::{
    amount::Amount,
    counter::{self, Question},
    period::Piece,
    store,
};

/// The entry that asks: a meter, a customer, and a stretch of time.
pub const ASKED: &str = "usage.asked";
/// How many groups are told at most, and one more, by which too many are seen.
const GROUPS_MAX: u32 = 101;

/// What is asked, as far as it can be read.
struct Asked<'a> {
    meter: &'a str,
    customer: &'a str,
    from: Timestamp,
    to: Timestamp,
    group: Option<&'a str>,
}

/// Answers the questions among the entries. What has no exact answer is told as an error, and is
/// never a guess.
///
/// # Errors
/// When the database fails: then they are answered later.
pub async fn answer(at: &impl Tenant, entries: &[Entry]) -> Result<Commit, PortError> {
    let mut commit = Commit::new();
    for entry in entries.iter().filter(|it| it.action == ASKED) {
        let mut data = entry.data.clone();
        let said = match read(&entry.data) {
            Some(asked) => tell(at, &asked).await?,
            None => json!({"error": "the question cannot be read"}),
        };
        if let (Some(data), Value::Object(said)) = (data.as_object_mut(), said) {
            data.extend(said);
        }
        let subject = entry.subject.clone();
        commit = commit.entry(Draft { action: "usage.told", subject, data });
    }
    Ok(commit)
}

fn read(data: &Value) -> Option<Asked<'_>> {
    let text = |name: &str| data.get(name).and_then(Value::as_str);
    Some(Asked {
        meter: text("meter")?,
        customer: text("customer")?,
        from: text("from").and_then(Timestamp::parse)?,
        to: text("to").and_then(Timestamp::parse)?,
        group: text("group_by"),
    })
}

async fn tell(at: &impl Tenant, it: &Asked<'_>) -> Result<Value, PortError> {
    let Some(meter) = counter::find(at, it.meter).await? else {
        return Ok(json!({"error": format!("there is no meter {}", it.meter)}));
    };
    let question = Question {
        meter: &meter,
        subject: Some(it.customer),
        member: None,
        group: "",
        top: GROUPS_MAX,
    };
    let total = counter::one(at, question, it.from, it.to).await?.amount;
    let mut groups = BTreeMap::<String, Amount>::new();
    if let Some(group) = it.group {
        let all = [Piece { label: String::new(), from: it.from, to: it.to }];
        let found = counter::tallies(at, Question { group, ..question }, &all).await?;
        groups = found.into_iter().map(|(name, it)| (name, it.amount)).collect();
    }
    // Afterwards, so that what is pruned meanwhile is noticed.
    Ok(match store::state(at).await?.knows(it.from, it.to) {
        Ok(()) => json!({"value": total, "groups": groups}),
        Err(why) => json!({"error": why}),
    })
}
