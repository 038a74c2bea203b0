//! The inbox in SQL.

use serde_json::json;
use shared::{
    domain::{Commit, Id, Timestamp},
    ports::{PortError, Row, Tenant, Value},
};

use crate::inbox::{InboxCounts, InboxItem, InboxWords, MarkedAs, Shown};

const INSERT: &str = "
    insert into notify_inbox (tenant, recipient, id, notice, words, at_ms, expires_at_ms)
    values (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
const LIST: &str = "
    select id, notice, words, at_ms, seen_at_ms, read_at_ms, archived_at_ms, snoozed_until_ms,
      expires_at_ms
    from notify_inbox
    where tenant = ?1 and recipient = ?2 and (?3 is null or id < ?3)
      and (?7 is null or words ->> '$.category' = ?7)
      and (expires_at_ms is null or expires_at_ms > ?5) and case ?4
      when 'all' then 1
      when 'archived' then archived_at_ms is not null
      when 'snoozed' then archived_at_ms is null and snoozed_until_ms > ?5
      else archived_at_ms is null and coalesce(snoozed_until_ms, 0) <= ?5
        and (?4 = 'active' or read_at_ms is null) end
    order by id desc limit ?6";
const FIND: &str = "
    select id, notice, words, at_ms, seen_at_ms, read_at_ms, archived_at_ms, snoozed_until_ms,
      expires_at_ms
    from notify_inbox where tenant = ?1 and recipient = ?2 and id = ?3";
// A notice leaves one item with each.
const FIND_OF: &str = "
    select id from notify_inbox where tenant = ?1 and recipient = ?2 and notice = ?3 limit 1";
const REVISE: &str = "
    update notify_inbox set words = ?4 where tenant = ?1 and recipient = ?2 and id = ?3";
const DELETE: &str = "
    delete from notify_inbox where tenant = ?1 and recipient = ?2 and id = ?3";
const IS_READ: &str = "
    select 1 from notify_inbox
    where tenant = ?1 and recipient = ?2 and notice = ?3 and read_at_ms is not null limit 1";
const COUNT: &str = "
    select count(case when seen_at_ms is null then 1 end), count(case when read_at_ms is null then 1 end)
    from notify_inbox
    where tenant = ?1 and recipient = ?2 and archived_at_ms is null
      and coalesce(snoozed_until_ms, 0) <= ?3 and (expires_at_ms is null or expires_at_ms > ?3)";
const SEEN: &str = "
    update notify_inbox set seen_at_ms = coalesce(seen_at_ms, ?5)
    where tenant = ?1 and recipient = ?2 and id >= ?3 and id <= ?4";
const READ: &str = "
    update notify_inbox
    set seen_at_ms = coalesce(seen_at_ms, ?5), read_at_ms = coalesce(read_at_ms, ?5)
    where tenant = ?1 and recipient = ?2 and id >= ?3 and id <= ?4";
const UNREAD: &str = "
    update notify_inbox set read_at_ms = null
    where tenant = ?1 and recipient = ?2 and id >= ?3 and id <= ?4";
const ARCHIVED: &str = "
    update notify_inbox set archived_at_ms = coalesce(archived_at_ms, ?5)
    where tenant = ?1 and recipient = ?2 and id >= ?3 and id <= ?4";
const SNOOZED: &str = "
    update notify_inbox set snoozed_until_ms = ?5
    where tenant = ?1 and recipient = ?2 and id >= ?3 and id <= ?4";
const ACTIVE: &str = "
    update notify_inbox set archived_at_ms = null, snoozed_until_ms = null
    where tenant = ?1 and recipient = ?2 and id >= ?3 and id <= ?4";

/// Whether the recipient has read what the notice left in the inbox.
pub async fn is_read(at: &impl Tenant, notice: &Id, recipient: &str) -> Result<bool, PortError> {
    Ok(!at.query(IS_READ, [recipient.into(), notice.into()]).await?.is_empty())
}

pub fn insert_item(recipient: &str, it: &InboxItem) -> Commit {
    let params: [Value; 6] = [
        recipient.into(),
        (&it.id).into(),
        (&it.notice).into(),
        (&json!(it.words)).into(),
        it.at.into(),
        it.expires_at.into(),
    ];
    Commit::new().write_one(INSERT, params)
}

/// The items of a category, or of any, before the one with the id `before`, the latest first.
pub async fn list_items(
    at: &impl Tenant,
    recipient: &str,
    shown: Shown,
    category: Option<&str>,
    before: Option<&str>,
    limit: u32,
) -> Result<Vec<InboxItem>, PortError> {
    let params: [Value; 6] = [
        recipient.into(),
        before.map(str::to_owned).into(),
        shown.word().into(),
        at.now().into(),
        limit.into(),
        category.map(str::to_owned).into(),
    ];
    at.query(LIST, params).await?.into_iter().map(read).collect()
}

/// One item.
pub async fn find_item(
    at: &impl Tenant,
    recipient: &str,
    id: &str,
) -> Result<Option<InboxItem>, PortError> {
    at.query(FIND, [recipient.into(), id.into()]).await?.into_iter().next().map(read).transpose()
}

/// The item that a notice left with its recipient.
pub async fn find_item_of(
    at: &impl Tenant,
    recipient: &str,
    notice: &Id,
) -> Result<Option<Id>, PortError> {
    let rows = at.query(FIND_OF, [recipient.into(), notice.into()]).await?;
    let id = |row: Row| row.columns().and_then(|[id]| id.text()).map(Id::trusted);
    rows.into_iter().next().map(id).transpose()
}

/// Says something else.
pub fn revise_item(recipient: &str, id: &Id, words: &InboxWords) -> Commit {
    Commit::new().write(REVISE, [recipient.into(), id.into(), (&json!(words)).into()])
}

pub fn delete_item(recipient: &str, id: &Id) -> Commit {
    Commit::new().write(DELETE, [Value::from(recipient), id.into()])
}

pub async fn count_items(at: &impl Tenant, recipient: &str) -> Result<InboxCounts, PortError> {
    let rows = at.query(COUNT, [recipient.into(), at.now().into()]).await?;
    let Some(row) = rows.into_iter().next() else {
        return Ok(InboxCounts { unseen: 0, unread: 0 });
    };
    let [unseen, unread] = row.columns()?;
    Ok(InboxCounts { unseen: unseen.integer()?, unread: unread.integer()? })
}

/// Marks what is from one id to another, both included.
pub fn mark_items(
    recipient: &str,
    to: MarkedAs,
    first: &str,
    last: &str,
    now: Timestamp,
    until: Option<Timestamp>,
) -> Commit {
    let range: [Value; 3] = [recipient.into(), first.into(), last.into()];
    let (text, moment) = match to {
        MarkedAs::Seen => (SEEN, Some(now)),
        MarkedAs::Read => (READ, Some(now)),
        MarkedAs::Archived => (ARCHIVED, Some(now)),
        MarkedAs::Snoozed => (SNOOZED, until),
        MarkedAs::Unread => (UNREAD, None),
        MarkedAs::Active => (ACTIVE, None),
    };
    let params: Vec<Value> = range.into_iter().chain(moment.map(Value::from)).collect();
    Commit::new().write(text, params)
}

fn read(row: Row) -> Result<InboxItem, PortError> {
    let [id, notice, words, at, seen_at, read_at, archived_at, snoozed_until, expires_at] =
        row.columns()?;
    Ok(InboxItem {
        id: Id::trusted(id.text()?),
        notice: Id::trusted(notice.text()?),
        words: words.json()?,
        at: at.timestamp()?,
        seen_at: seen_at.optional_timestamp()?,
        read_at: read_at.optional_timestamp()?,
        archived_at: archived_at.optional_timestamp()?,
        snoozed_until: snoozed_until.optional_timestamp()?,
        expires_at: expires_at.optional_timestamp()?,
    })
}
