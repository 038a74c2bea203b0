//! Audiences: whom a notice is for, when they are many, or named by topics or by what members are.
//!
//! They are kept in parts with the notice, and each part is a job that makes the deliveries of some
//! and leads to the next, so that ten thousand take no more memory than fifty. Who is in several
//! parts is told once: a delivery is one of a notice, a recipient and a channel.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use shared::{
    domain::{Commit, Failure, Id, Job, NewJob},
    ports::{PortError, Tenant},
    problem::Problem,
};

use crate::{
    delivery,
    notice::Notice,
    recipient::{self, MemberQuery, NewRecipient, Recipient},
    store,
    workflow::Workflow,
};

/// Makes the deliveries of a part.
pub const FAN: &str = "notify.fan";
/// How many recipients a notice has at most.
pub const RECIPIENTS_MAX: usize = 10_000;
/// How many of them are told of at once, in the answer itself; more are an audience.
pub const AT_ONCE_MAX: usize = 100;
/// How many recipients a job takes.
const SLICE: u32 = 50;

/// Some of an audience.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// These.
    Listed(Vec<NewRecipient>),
    /// The subscribers of a topic after the one with this key.
    Topic {
        /// The topic.
        name: String,
        /// Nobody, or the last one who was reached.
        after: String,
    },
    /// The members of whom a query holds after the one with this id.
    Members {
        /// The query.
        query: MemberQuery,
        /// Nobody, or the last one who was reached.
        after: String,
    },
}

/// Whether these are reached in parts.
pub fn is_large(to: &[NewRecipient]) -> bool {
    to.len() > AT_ONCE_MAX || to.iter().any(is_many)
}

/// Whether it stands for some who are named elsewhere.
fn is_many(it: &NewRecipient) -> bool {
    matches!(it, NewRecipient::Topic(_) | NewRecipient::Members(_))
}

/// How many they are: who is named twice counts twice.
///
/// # Errors
/// The 422 when they are too many, or nobody.
pub async fn count(at: &impl Tenant, to: &[NewRecipient]) -> Result<usize, Problem> {
    let mut count = to.len();
    // Who is too many already is not looked at.
    for (number, it) in to.iter().enumerate().take_while(|_| to.len() <= RECIPIENTS_MAX) {
        match it {
            NewRecipient::Topic(name) => {
                count = count.saturating_add(store::count_subscribers(at, name).await?) - 1;
            }
            NewRecipient::Members(query) => {
                query.check(&format!("to[{number}].members"))?;
                count = count.saturating_add(store::count_members(at, query).await?) - 1;
            }
            NewRecipient::Member(id) if Id::parse("mem", id).is_none() => {
                let path = format!("to[{number}].member");
                return Err(Problem::unfitting(&path, "the id of a member, as mem_…"));
            }
            _ => {}
        }
    }
    match (1..=RECIPIENTS_MAX).contains(&count) {
        true => Ok(count),
        false => {
            let why = format!("1 to {RECIPIENTS_MAX} recipients, and these are {count}");
            Err(Problem::unfitting("to", why))
        }
    }
}

/// The parts of an audience, those last that are named elsewhere.
pub fn parts(to: Vec<NewRecipient>) -> Vec<Part> {
    let (many, listed): (Vec<_>, Vec<_>) = to.into_iter().partition(is_many);
    let listed = listed.chunks(SLICE as usize).map(|it| Part::Listed(it.to_vec()));
    let many = many.into_iter().filter_map(|it| match it {
        NewRecipient::Topic(name) => Some(Part::Topic { name, after: String::new() }),
        NewRecipient::Members(query) => Some(Part::Members { query, after: String::new() }),
        _ => None,
    });
    listed.chain(many).collect()
}

/// The parts with the job of the first.
pub fn queued(notice: &Id, parts: &[Part]) -> Commit {
    let numbered = (0..).zip(parts);
    let commit = numbered
        .fold(Commit::new(), |it, (number, part)| it.and(store::insert_part(notice, number, part)));
    commit.job(job(notice, 0))
}

fn job(notice: &Id, part: u32) -> NewJob {
    let id = format!("{FAN}:{notice}:{part}");
    NewJob::new(FAN, id, json!({"id": notice, "part": part}))
}

/// The first of an audience, on whom a template is tried. `None` when there is nobody.
///
/// # Errors
/// When the database fails.
pub async fn first(at: &impl Tenant, parts: &[Part]) -> Result<Option<Recipient>, PortError> {
    let Some(part) = parts.first() else { return Ok(None) };
    Ok(part.read(at).await?.0.into_iter().next())
}

/// Makes the deliveries of a part, and leads to the next.
///
/// # Errors
/// No failure while the part goes on; else the database's.
pub async fn work(at: &impl Tenant, job: &Job) -> Result<Commit, Failure> {
    let id = job.subject()?;
    let number = job.body.get("part").and_then(Value::as_u64).and_then(|it| it.try_into().ok());
    let number = number.ok_or_else(|| Failure::dead("the job names no part"))?;
    // What was called off has no parts any more.
    let Some(part) = store::find_part(at, &id, number).await? else { return Ok(Commit::new()) };
    let Some(notice) = store::find_notice(at, &id).await? else { return Ok(Commit::new()) };
    let Some(workflow) = store::find_workflow(at, &notice.kind).await? else {
        return Ok(store::delete_parts(&id));
    };
    let (recipients, rest) = part.read(at).await?;
    let commit = told(at, &notice, &workflow, &recipients)?;
    match rest {
        Some(rest) => {
            let commit = commit.and(store::move_part(&id, number, &rest));
            Err(Failure::postponed(Duration::ZERO, commit))
        }
        None => Ok(commit.and(store::end_part(&id, number)).job(self::job(&id, number + 1))),
    }
}

fn told(
    at: &impl Tenant,
    notice: &Notice,
    workflow: &Workflow,
    recipients: &[Recipient],
) -> Result<Commit, PortError> {
    let mut commit = Commit::new();
    for recipient in recipients {
        for it in delivery::all(at, notice, workflow, recipient)? {
            commit = commit.and(delivery::offered(&it));
        }
    }
    Ok(commit)
}

impl Part {
    /// Who is in it, as far as a job takes them, and what is left of it.
    async fn read(&self, at: &impl Tenant) -> Result<(Vec<Recipient>, Option<Self>), PortError> {
        let mut found = Vec::new();
        match self {
            Self::Listed(list) => {
                for it in list {
                    found.extend(recipient::find_or_name(at, it.clone()).await?);
                }
                Ok((found, None))
            }
            Self::Topic { name, after } => {
                let page = store::list_subscribers(at, name, after, SLICE).await?;
                let last = page.last().map(|it| it.recipient.clone());
                let is_full = page.len() == SLICE as usize;
                for it in page {
                    let new = match it.contact {
                        Some(it) => NewRecipient::Contact(it),
                        None => NewRecipient::Member(it.recipient),
                    };
                    found.extend(recipient::find_or_name(at, new).await?);
                }
                let rest = last.filter(|_| is_full);
                Ok((found, rest.map(|after| Self::Topic { name: name.clone(), after })))
            }
            Self::Members { query, after } => {
                let ids = store::list_members(at, query, after, SLICE).await?;
                let rest = ids.last().cloned().filter(|_| ids.len() == SLICE as usize);
                for id in ids {
                    found.extend(recipient::find(at, NewRecipient::Member(id)).await?);
                }
                Ok((found, rest.map(|after| Self::Members { query: query.clone(), after })))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_have_everybody_once_and_those_of_many_last() {
        let member = |it: usize| NewRecipient::Member(format!("mem_{it}"));
        let mut to: Vec<_> = (0..120).map(member).collect();
        to.insert(3, NewRecipient::Topic("news".to_owned()));
        to.insert(3, NewRecipient::Members(MemberQuery::default()));

        let parts = parts(to);

        let sizes = parts.iter().map(|it| match it {
            Part::Listed(it) => it.len(),
            Part::Topic { .. } | Part::Members { .. } => 0,
        });
        assert_eq!(sizes.collect::<Vec<_>>(), [50, 50, 20, 0, 0]);
    }
}
