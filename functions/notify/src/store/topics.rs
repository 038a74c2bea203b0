//! Topics, and the audiences of notices, in SQL.

use serde_json::json;
use shared::{
    domain::{Commit, Id, Timestamp},
    ports::{PortError, Row, Tenant, Value},
};

use crate::{
    audience::Part,
    recipient::Recipient,
    topic::{SUBSCRIBERS_MAX, Subscriber},
};

const LIST: &str = "
    select recipient, contact, at_ms from notify_subscribers
    where tenant = ?1 and topic = ?2 and recipient > ?3 order by recipient limit ?4";
const HAS_TOPIC: &str = "select 1 from notify_topics where tenant = ?1 and topic = ?2";
const COUNT: &str = "select count(*) from notify_subscribers where tenant = ?1 and topic = ?2";
const INSERT: &str = "
    insert into notify_subscribers (tenant, topic, recipient, contact, at_ms)
    values (?1, ?2, ?3, ?4, ?5)
    on conflict (tenant, topic, recipient) do update set contact = excluded.contact";
const DELETE: &str = "
    delete from notify_subscribers where tenant = ?1 and topic = ?2 and recipient = ?3";
// It counts after all that were added with it: a row that is there is touched only while there are
// not too many, so a list that is too long, and only that, is a conflict.
const CHECK: &str = "
    insert into notify_topics (tenant, topic, checked)
    select ?1, ?2, 1
    where (select count(*) from notify_subscribers where tenant = ?1 and topic = ?2) <= ?3
    on conflict (tenant, topic) do update set checked = checked + 1";
const INSERT_PART: &str = "
    insert into notify_audiences (tenant, notice, part, who) values (?1, ?2, ?3, ?4)";
const FIND_PART: &str = "
    select who from notify_audiences where tenant = ?1 and notice = ?2 and part = ?3";
const MOVE_PART: &str = "
    update notify_audiences set who = ?4 where tenant = ?1 and notice = ?2 and part = ?3";
const DELETE_PART: &str = "
    delete from notify_audiences where tenant = ?1 and notice = ?2 and part = ?3";
const DELETE_PARTS: &str = "delete from notify_audiences where tenant = ?1 and notice = ?2";
const HAS_PARTS: &str = "
    select 1 from notify_audiences where tenant = ?1 and notice = ?2 limit 1";

/// Whether somebody was ever subscribed to the topic.
pub async fn has_topic(at: &impl Tenant, topic: &str) -> Result<bool, PortError> {
    Ok(!at.query(HAS_TOPIC, [topic.into()]).await?.is_empty())
}

/// The subscribers after the one with this key.
pub async fn list_subscribers(
    at: &impl Tenant,
    topic: &str,
    after: &str,
    limit: u32,
) -> Result<Vec<Subscriber>, PortError> {
    let params: [Value; 3] = [topic.into(), after.into(), limit.into()];
    at.query(LIST, params).await?.into_iter().map(read).collect()
}

pub async fn count_subscribers(at: &impl Tenant, topic: &str) -> Result<usize, PortError> {
    let Some(row) = at.query(COUNT, [topic.into()]).await?.into_iter().next() else { return Ok(0) };
    let [count] = row.columns()?;
    Ok(usize::try_from(count.integer()?).unwrap_or(usize::MAX))
}

pub fn insert_subscriber(topic: &str, it: &Recipient, now: Timestamp) -> Commit {
    let contact = it.contact.as_ref().map(|it| json!(it).to_string());
    let params: [Value; 4] = [topic.into(), it.key.as_str().into(), contact.into(), now.into()];
    Commit::new().write(INSERT, params)
}

pub fn delete_subscriber(topic: &str, key: &str) -> Commit {
    Commit::new().write(DELETE, [Value::from(topic), key.into()])
}

/// A conflict when the topic has too many.
pub fn check_subscribers(topic: &str) -> Commit {
    Commit::new().write_one(CHECK, [Value::from(topic), SUBSCRIBERS_MAX.into()])
}

pub fn insert_part(notice: &Id, number: u32, it: &Part) -> Commit {
    let params: [Value; 3] = [notice.into(), number.into(), (&json!(it)).into()];
    Commit::new().write_one(INSERT_PART, params)
}

pub async fn find_part(
    at: &impl Tenant,
    notice: &Id,
    number: u32,
) -> Result<Option<Part>, PortError> {
    let rows = at.query(FIND_PART, [Value::from(notice), number.into()]).await?;
    let Some(row) = rows.into_iter().next() else { return Ok(None) };
    let [who] = row.columns()?;
    who.json().map(Some)
}

/// Writes how far a part is, unless the notice was called off, which is a conflict.
pub fn move_part(notice: &Id, number: u32, it: &Part) -> Commit {
    let params: [Value; 3] = [notice.into(), number.into(), (&json!(it)).into()];
    Commit::new().write_one(MOVE_PART, params)
}

/// Ends a part, unless the notice was called off, which is a conflict.
pub fn end_part(notice: &Id, number: u32) -> Commit {
    Commit::new().write_one(DELETE_PART, [Value::from(notice), number.into()])
}

/// Calls off what of the audience was not reached yet.
pub fn delete_parts(notice: &Id) -> Commit {
    Commit::new().write(DELETE_PARTS, [notice.into()])
}

/// Whether some of the audience were not reached yet.
pub async fn has_parts(at: &impl Tenant, notice: &Id) -> Result<bool, PortError> {
    Ok(!at.query(HAS_PARTS, [notice.into()]).await?.is_empty())
}

fn read(row: Row) -> Result<Subscriber, PortError> {
    let [recipient, contact, at] = row.columns()?;
    let contact = match contact {
        Value::Null => None,
        it => Some(it.json()?),
    };
    Ok(Subscriber { recipient: recipient.text()?, contact, at: at.timestamp()? })
}
