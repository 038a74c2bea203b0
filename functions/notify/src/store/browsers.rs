//! Browsers and the keys of push in SQL.

use shared::{
    domain::{Commit, Id, Timestamp},
    ports::{PortError, Row, Tenant, Value},
};

use crate::{
    browser::{BROWSERS_MAX, Browser},
    vapid_key::{KEYS_MAX, VapidKey},
};

const KEYS: &str = "
    select id, public, sealed, created_at_ms from notify_push_keys
    where tenant = ?1 order by id desc limit ?2";
const PRUNE_KEYS: &str = "
    delete from notify_push_keys where tenant = ?1 and created_at_ms < ?2
      and public not in (select s.key from notify_push_subscriptions s where s.tenant = ?1)";
const INSERT_KEY: &str = "
    insert into notify_push_keys (tenant, id, public, sealed, created_at_ms)
    select ?1, ?2, ?3, ?4, ?5
    where (select count(*) from notify_push_keys where tenant = ?1) < ?6";
const FIND: &str = "
    select id, recipient, host, key, created_at_ms, place, sealed from notify_push_subscriptions
    where tenant = ?1 and id = ?2";
const FIND_AT: &str = "
    select id, recipient, host, key, created_at_ms, place, sealed from notify_push_subscriptions
    where tenant = ?1 and place = ?2";
const LIST: &str = "
    select id, recipient, host, key, created_at_ms, place, sealed from notify_push_subscriptions
    where tenant = ?1 and recipient = ?2 order by id limit ?3";
const PUT: &str = "
    insert into notify_push_subscriptions (tenant, id, recipient, host, key, created_at_ms, place,
      sealed)
    values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
    on conflict (tenant, id) do update set recipient = excluded.recipient, key = excluded.key,
      created_at_ms = excluded.created_at_ms, sealed = excluded.sealed";
const PRUNE: &str = "
    delete from notify_push_subscriptions
    where tenant = ?1 and recipient = ?2 and id <= (
      select s.id from notify_push_subscriptions s where s.tenant = ?1 and s.recipient = ?2
      order by s.id desc limit 1 offset ?3)";
const DELETE: &str = "delete from notify_push_subscriptions where tenant = ?1 and id = ?2";

/// The keys, the latest first.
pub async fn list_push_keys(at: &impl Tenant) -> Result<Vec<VapidKey>, PortError> {
    at.query(KEYS, [KEYS_MAX.into()]).await?.into_iter().map(read_key).collect()
}

/// Writes a key, unless there are too many; those from before this that nobody uses go.
pub fn insert_push_key(it: &VapidKey, before: Timestamp) -> Commit {
    let params: [Value; 5] = [
        (&it.id).into(),
        it.public_key.as_str().into(),
        it.sealed.as_str().into(),
        it.created_at.into(),
        KEYS_MAX.into(),
    ];
    Commit::new().write(PRUNE_KEYS, [before.into()]).write_one(INSERT_KEY, params)
}

pub async fn find_browser(at: &impl Tenant, id: &Id) -> Result<Option<Browser>, PortError> {
    at.query(FIND, [id.into()]).await?.into_iter().next().map(read).transpose()
}

/// The one with this endpoint.
pub async fn find_browser_at(at: &impl Tenant, place: &str) -> Result<Option<Browser>, PortError> {
    at.query(FIND_AT, [place.into()]).await?.into_iter().next().map(read).transpose()
}

/// Those of a recipient, the oldest first.
pub async fn browsers_of(at: &impl Tenant, recipient: &str) -> Result<Vec<Browser>, PortError> {
    let params = [Value::from(recipient), BROWSERS_MAX.into()];
    at.query(LIST, params).await?.into_iter().map(read).collect()
}

/// Writes one, and lets the oldest of its recipient go.
pub fn put_browser(it: &Browser) -> Commit {
    let params: [Value; 7] = [
        (&it.id).into(),
        it.recipient.as_str().into(),
        it.host.as_str().into(),
        it.public_key.as_str().into(),
        it.created_at.into(),
        it.place.as_str().into(),
        it.sealed.as_str().into(),
    ];
    let oldest: [Value; 2] = [it.recipient.as_str().into(), BROWSERS_MAX.into()];
    Commit::new().write_one(PUT, params).write(PRUNE, oldest)
}

pub fn delete_browser(id: &Id) -> Commit {
    Commit::new().write(DELETE, [id.into()])
}

fn read_key(row: Row) -> Result<VapidKey, PortError> {
    let [id, public, sealed, created_at] = row.columns()?;
    Ok(VapidKey {
        id: Id::trusted(id.text()?),
        public_key: public.text()?,
        sealed: sealed.text()?,
        created_at: created_at.timestamp()?,
    })
}

fn read(row: Row) -> Result<Browser, PortError> {
    let [id, recipient, host, key, created_at, place, sealed] = row.columns()?;
    Ok(Browser {
        id: Id::trusted(id.text()?),
        recipient: recipient.text()?,
        host: host.text()?,
        public_key: key.text()?,
        created_at: created_at.timestamp()?,
        place: place.text()?,
        sealed: sealed.text()?,
    })
}
