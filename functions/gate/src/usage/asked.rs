//! Questions that are asked in the log: each `usage.asked` is answered there by one `usage.told`,
//! in the commit that takes it in. So a function that invoices need not know the one that counts.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};
use shared::{
    domain::{Commit, Draft, Entry, Id, Timestamp, WORD, is_word},
    ports::{PortError, Tenant},
};

use super::{
    amount::Amount,
    counter::{self, Question},
    query::SPAN_MAX,
    store,
};

/// The action of a question.
pub const ASKED: &str = "usage.asked";
/// The action of an answer.
const TOLD: &str = "usage.told";
/// How many groups an answer has at most: it is one entry of the log.
pub const GROUPS_MAX: u32 = 100;
/// By what an answer may be told apart. Its customer is given.
const GROUPS: [&str; 3] = ["member", "key", "route"];
/// What of the question its answer says again, as it was said.
const SAID: [&str; 6] = ["question", "invoice", "customer", "meter", "from", "to"];
/// What it says again where it was said: a question before there is an invoice.
const SUBSCRIPTION: &str = "subscription";

/// What a question says, beside what is only said again.
#[derive(Debug, Deserialize)]
struct Asked {
    customer: String,
    meter: String,
    from: Timestamp,
    to: Timestamp,
    #[serde(default)]
    group_by: Option<String>,
}

/// What is told.
struct Told {
    value: Amount,
    groups: BTreeMap<String, Amount>,
}

/// Why nothing is told.
enum Untold {
    /// There is no answer, for this reason. That is told.
    Ever(String),
    /// It could not be looked up now: the question is taken in again.
    Now(PortError),
}

impl From<PortError> for Untold {
    fn from(err: PortError) -> Self {
        Self::Now(err)
    }
}

/// Answers questions: with the exact value, and by group when that is asked for, or with the
/// reason why there is none. Never with a guess.
///
/// # Errors
/// When the database fails.
pub async fn follow(
    at: &impl Tenant,
    questions: impl Iterator<Item = &Entry>,
) -> Result<Commit, PortError> {
    let mut commit = Commit::new();
    for entry in questions {
        let outcome = match tell(at, entry).await {
            Ok(told) => Ok(told),
            Err(Untold::Ever(why)) => Err(why),
            Err(Untold::Now(err)) => return Err(err),
        };
        commit = commit.entry(answer(entry, outcome));
    }
    Ok(commit)
}

fn answer(question: &Entry, outcome: Result<Told, String>) -> Draft {
    let said = |it: &str| question.data.get(it).cloned().unwrap_or_default();
    let mut data: serde_json::Map<_, _> =
        SAID.iter().map(|it| ((*it).to_owned(), said(it))).collect();
    if let Some(it) = question.data.get(SUBSCRIPTION) {
        data.insert(SUBSCRIPTION.to_owned(), it.clone());
    }
    match outcome {
        Ok(Told { value, groups }) => {
            data.insert("value".to_owned(), json!(value));
            data.insert("groups".to_owned(), json!(groups));
        }
        Err(why) => {
            data.insert("error".to_owned(), json!(why));
        }
    }
    Draft::new(TOLD, &Id::trusted(question.subject.clone())).with(Value::Object(data))
}

async fn tell(at: &impl Tenant, question: &Entry) -> Result<Told, Untold> {
    let asked = Asked::deserialize(&question.data).map_err(|err| Untold::Ever(err.to_string()))?;
    let Asked { customer, meter, from, to, group_by } = &asked;
    asked.checked().map_err(Untold::Ever)?;
    let found = counter::find(at, meter).await?;
    let meter = found.ok_or_else(|| Untold::Ever(format!("there is no meter {meter}")))?;
    let subject = Some(customer.as_str());
    let one = Question { meter: &meter, subject, member: None, group: "", top: 1 };
    let total = counter::one(at, one, *from, *to).await?;
    let groups = match group_by {
        Some(group) => {
            let groups =
                by_group(at, Question { group, top: GROUPS_MAX + 1, ..one }, &asked).await?;
            // What is counted between the two belongs to both or to none.
            if counter::one(at, one, *from, *to).await? != total {
                let why = "counted meanwhile: it is asked again";
                return Err(Untold::Now(PortError::new("usage", why)));
            }
            groups
        }
        None => BTreeMap::new(),
    };
    // Afterwards, so that what is pruned meanwhile is noticed.
    store::state(at).await?.knows(*from, *to).map_err(Untold::Ever)?;
    Ok(Told { value: total.amount, groups })
}

async fn by_group(
    at: &impl Tenant,
    question: Question<'_>,
    asked: &Asked,
) -> Result<BTreeMap<String, Amount>, Untold> {
    let tallies = counter::groups(at, question, asked.from, asked.to).await?;
    let groups: BTreeMap<_, _> = tallies.into_iter().map(|(word, it)| (word, it.amount)).collect();
    if groups.len() > GROUPS_MAX as usize {
        let why = format!("that makes more than {GROUPS_MAX} groups: ask without group_by");
        return Err(Untold::Ever(why));
    }
    Ok(groups)
}

impl Asked {
    fn checked(&self) -> Result<(), String> {
        let Self { customer, from, to, group_by, .. } = self;
        if !is_word(customer) {
            return Err(format!("customer: {WORD}"));
        }
        if from > to || from.0 < 0 || to.since(*from) > SPAN_MAX {
            return Err("from is before to, by 400 days at most".to_owned());
        }
        match group_by {
            Some(it) if !GROUPS.contains(&it.as_str()) => {
                Err(format!("group_by is one of {}", GROUPS.join(", ")))
            }
            _ => Ok(()),
        }
    }
}
