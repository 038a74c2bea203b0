//! Batches in SQL.

use serde_json::json;
use shared::{
    domain::{Commit, Id, Timestamp},
    ports::{PortError, Tenant, Value},
};

use super::{deliveries, notices};
use crate::{
    batch::Row,
    delivery::{Delivery, State},
    eligible,
    notice::Notice,
    preference::Because,
};

const FIND: &str = "
    select id, batch, last_at_ms, version from notify_batches
    where tenant = ?1 and recipient = ?2 and kind = ?3 and channel = ?4";
const INSERT: &str = "
    insert into notify_batches (tenant, recipient, kind, channel, id, batch, last_at_ms, version)
    values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
    on conflict (tenant, recipient, kind, channel) do nothing";
const UPDATE: &str = "
    update notify_batches set id = ?5, batch = ?6, last_at_ms = ?7, version = ?8
    where tenant = ?1 and recipient = ?2 and kind = ?3 and channel = ?4 and version = ?8 - 1";
const FIRST: &str = "
    select id, notice, kind, recipient, contact, channel, state, because, why, due_at_ms, done_at_ms,
      provider, reference, fallback, heard, batch, within
    from notify_deliveries
    where tenant = ?1 and batch = ?2 and state = 'waiting' order by id limit 1";
// The latest ones, the first of them first.
const NOTICES: &str = "
    select n.id, n.kind, n.key, n.about, n.url, n.urgent, n.data, n.created_at_ms, n.recipients,
      n.files, n.revised_at_ms, n.withdrawn_at_ms, n.revision, n.actor, n.expires_at_ms, n.mail
    from notify_notices n
    where n.tenant = ?1 and n.id in (
      select d.notice from notify_deliveries d
      where d.tenant = ?1 and d.batch = ?2 and d.state = 'waiting'
      order by d.id desc limit ?3)
    order by n.id";
// Resources are a list in JSON.
const ABOUT: &str = "
    select 1 from notify_deliveries d
    join notify_notices n on n.tenant = d.tenant and n.id = d.notice
    where d.tenant = ?1 and n.tenant = ?1 and d.batch = ?2 and d.state = 'waiting'
      and n.about in (select value from json_each(?3))
    limit 1";
const MUTED: &str = "
    update notify_deliveries
    set state = 'withheld', because = ?4, why = 'it is not wanted', done_at_ms = ?5
    where tenant = ?1 and batch = ?2 and state = 'waiting' and notice in (
      select n.id from notify_notices n
      where n.tenant = ?1 and n.about in (select value from json_each(?3)))";
const ANY_EXPIRED: &str = "
    select 1 from notify_deliveries d
    join notify_notices n on n.tenant = d.tenant and n.id = d.notice
    where d.tenant = ?1 and n.tenant = ?1 and d.batch = ?2 and d.state = 'waiting'
      and n.expires_at_ms <= ?3
    limit 1";
const EXPIRED: &str = "
    update notify_deliveries set state = 'withheld', why = ?4, done_at_ms = ?3
    where tenant = ?1 and batch = ?2 and state = 'waiting' and notice in (
      select n.id from notify_notices n where n.tenant = ?1 and n.expires_at_ms <= ?3)";
const COUNT: &str = "
    select count(*) from notify_deliveries
    where tenant = ?1 and batch = ?2 and state = 'waiting'";
const END: &str = "
    update notify_deliveries set state = ?4, why = ?5, done_at_ms = ?6, within = ?7
    where tenant = ?1 and batch = ?2 and id <> ?3 and state = 'waiting'";

/// What is open, or was, for the recipient, type and channel of a delivery.
pub async fn find_batch(at: &impl Tenant, of: &Delivery) -> Result<Option<Row>, PortError> {
    let params: [Value; 3] = [(&of.recipient).into(), (&of.kind).into(), of.channel.word().into()];
    let Some(row) = at.query(FIND, params).await?.into_iter().next() else { return Ok(None) };
    let [id, batch, last_at, version] = row.columns()?;
    let batch = match batch {
        Value::Null => None,
        it => Some(it.json()?),
    };
    Ok(Some(Row {
        id: Id::trusted(id.text()?),
        batch,
        last_at: last_at.timestamp()?,
        version: version.integer()?,
    }))
}

/// Writes it, unless it is no longer the version before this.
pub fn put_batch(of: &Delivery, it: &Row) -> Commit {
    let params: [Value; 7] = [
        (&of.recipient).into(),
        (&of.kind).into(),
        of.channel.word().into(),
        (&it.id).into(),
        it.batch.as_ref().map(|it| json!(it).to_string()).into(),
        it.last_at.into(),
        it.version.into(),
    ];
    Commit::new().write_one(if it.version == 1 { INSERT } else { UPDATE }, params)
}

/// The first delivery of a batch that was not called off.
pub async fn first_in_batch(at: &impl Tenant, batch: &Id) -> Result<Option<Delivery>, PortError> {
    let rows = at.query(FIRST, [batch.into()]).await?;
    rows.into_iter().next().map(deliveries::read).transpose()
}

/// The latest notices of a batch, the first of them first.
pub async fn notices_in_batch(
    at: &impl Tenant,
    batch: &Id,
    limit: u32,
) -> Result<Vec<Notice>, PortError> {
    let rows = at.query(NOTICES, [Value::from(batch), limit.into()]).await?;
    rows.into_iter().map(notices::read).collect()
}

/// Whether one of the batch is about one of these resources.
pub async fn is_in_batch(
    at: &impl Tenant,
    batch: &Id,
    resources: &[&String],
) -> Result<bool, PortError> {
    Ok(!at.query(ABOUT, [Value::from(batch), (&json!(resources)).into()]).await?.is_empty())
}

/// Withholds what of the batch is about one of these resources.
pub fn withhold_muted(batch: &Id, resources: &[&String], now: Timestamp) -> Commit {
    let because = json!(Because::Muted);
    let params: [Value; 4] =
        [batch.into(), (&json!(resources)).into(), (&because).into(), now.into()];
    Commit::new().write(MUTED, params)
}

/// Whether one of the batch has expired.
pub async fn has_expired_in_batch(at: &impl Tenant, batch: &Id) -> Result<bool, PortError> {
    Ok(!at.query(ANY_EXPIRED, [Value::from(batch), at.now().into()]).await?.is_empty())
}

/// Withholds what of the batch has expired.
pub fn withhold_expired(batch: &Id, now: Timestamp) -> Commit {
    Commit::new().write(EXPIRED, [batch.into(), now.into(), eligible::EXPIRED.into()])
}

pub async fn count_in_batch(at: &impl Tenant, batch: &Id) -> Result<i64, PortError> {
    let Some(row) = at.query(COUNT, [batch.into()]).await?.into_iter().next() else { return Ok(0) };
    let [count] = row.columns()?;
    count.integer()
}

/// Ends all deliveries of a batch but the one that carries them.
pub fn end_batch(carrier: &Delivery, state: State, why: Option<&str>, now: Timestamp) -> Commit {
    let params: [Value; 6] = [
        carrier.batch.as_ref().map(ToString::to_string).into(),
        (&carrier.id).into(),
        state.word().into(),
        why.map(str::to_owned).into(),
        now.into(),
        (&carrier.id).into(),
    ];
    Commit::new().write(END, params)
}
