//! Events and their types in SQL.

use serde_json::json;
use shared::{
    domain::{Commit, Id, Timestamp},
    ports::{PortError, Row, Tenant, Value},
};

use crate::sender::{endpoint::Endpoint, event::Event, event_type::EventType, trace::Trace};

const INSERT: &str = "
    insert into webhook_events
      (tenant, id, type, customer, channels, version, data, happened_at_ms, at_ms, trace,
       expires_at_ms)
    values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
const FIND: &str = "
    select id, type, customer, channels, version, data, happened_at_ms, trace
    from webhook_events where tenant = ?1 and id = ?2";
const PUBLISHED_AT: &str = "select at_ms from webhook_events where tenant = ?1 and id = ?2";
const LIST: &str = "
    select id, type, customer, channels, version, data, happened_at_ms, trace
    from webhook_events where tenant = ?1 and id < ?2 order by id desc limit ?3";
// The tenant's own endpoints hear of all customers.
const MISSED: &str = "
    select id, type, customer, channels, version, data, happened_at_ms, trace
    from webhook_events
    where tenant = ?1 and id > ?2 and at_ms >= ?3 and at_ms < ?4
      and (?5 = '' or customer = ?5)
      and not exists (
        select 1 from webhook_deliveries d
        where d.tenant = ?1 and d.event = webhook_events.id and d.endpoint = ?6)
    order by id limit ?7";

const FIND_TYPE: &str = "
    select name, description, sample, version from webhook_event_types
    where tenant = ?1 and name = ?2";
const LIST_TYPES: &str = "
    select name, description, sample, version from webhook_event_types
    where tenant = ?1 and name > ?2 order by name limit ?3";
const INSERT_TYPE: &str = "
    insert into webhook_event_types (tenant, name, description, sample, version)
    values (?1, ?2, ?3, ?4, ?5) on conflict (tenant, name) do nothing";
const UPDATE_TYPE: &str = "
    update webhook_event_types set description = ?3, sample = ?4, version = ?5
    where tenant = ?1 and name = ?2 and version = ?6";
const DELETE_TYPE: &str = "delete from webhook_event_types where tenant = ?1 and name = ?2";

/// Keeps an event until it expires.
pub fn insert_event(it: &Event, now: Timestamp, expires: Timestamp) -> Commit {
    let params: [Value; 10] = [
        (&it.id).into(),
        (&it.kind).into(),
        it.customer.as_deref().unwrap_or("").into(),
        (&json!(it.channels)).into(),
        it.version.as_deref().into(),
        (&it.data).into(),
        it.timestamp.into(),
        now.into(),
        (&json!(it.trace)).into(),
        expires.into(),
    ];
    Commit::new().write_one(INSERT, params)
}

pub async fn find_event(at: &impl Tenant, id: &Id) -> Result<Option<Event>, PortError> {
    at.query(FIND, [id.into()]).await?.into_iter().next().map(read).transpose()
}

/// When an event was published here.
pub async fn published_at(at: &impl Tenant, id: &Id) -> Result<Option<Timestamp>, PortError> {
    let row = at.query(PUBLISHED_AT, [id.into()]).await?.into_iter().next();
    row.map(|row| row.columns().and_then(|[it]| it.timestamp())).transpose()
}

/// The events before this id, newest first.
pub async fn list_events(
    at: &impl Tenant,
    before: &str,
    limit: u32,
) -> Result<Vec<Event>, PortError> {
    let rows = at.query(LIST, [before.into(), limit.into()]).await?;
    rows.into_iter().map(read).collect()
}

/// The events of this time that were never queued for this endpoint.
pub async fn missed_events(
    at: &impl Tenant,
    endpoint: &Endpoint,
    (since, until): (Timestamp, Timestamp),
    after: &str,
    limit: u32,
) -> Result<Vec<Event>, PortError> {
    let params: [Value; 6] = [
        after.into(),
        since.into(),
        until.into(),
        endpoint.customer.as_deref().unwrap_or("").into(),
        (&endpoint.id).into(),
        limit.into(),
    ];
    at.query(MISSED, params).await?.into_iter().map(read).collect()
}

fn read(row: Row) -> Result<Event, PortError> {
    event(row.columns()?)
}

/// An event from its columns, in the order of [`FIND`].
pub(super) fn event(columns: [Value; 8]) -> Result<Event, PortError> {
    let [id, kind, customer, channels, version, data, timestamp, trace] = columns;
    let id = Id::trusted(id.text()?);
    let trace = match trace {
        Value::Null => Trace::of_event(&id),
        kept => kept.json()?,
    };
    Ok(Event {
        id,
        kind: kind.text()?,
        customer: Some(customer.text()?).filter(|it| !it.is_empty()),
        channels: channels.json()?,
        version: version.optional_text()?,
        data: data.json()?,
        timestamp: timestamp.timestamp()?,
        trace,
    })
}

pub async fn find_event_type(at: &impl Tenant, name: &str) -> Result<Option<EventType>, PortError> {
    at.query(FIND_TYPE, [name.into()]).await?.into_iter().next().map(read_type).transpose()
}

pub async fn list_event_types(
    at: &impl Tenant,
    after: &str,
    limit: u32,
) -> Result<Vec<EventType>, PortError> {
    let rows = at.query(LIST_TYPES, [after.into(), limit.into()]).await?;
    rows.into_iter().map(read_type).collect()
}

/// Writes a type, unless it is no longer the version that was read.
pub fn put_event_type(it: &EventType, read: Option<i64>) -> Commit {
    let mut params: Vec<Value> =
        vec![(&it.name).into(), (&it.description).into(), (&it.sample).into(), it.version.into()];
    params.extend(read.map(Value::from));
    Commit::new().write_one(if read.is_some() { UPDATE_TYPE } else { INSERT_TYPE }, params)
}

pub fn delete_event_type(name: &str) -> Commit {
    Commit::new().write_one(DELETE_TYPE, [name.into()])
}

fn read_type(row: Row) -> Result<EventType, PortError> {
    let [name, description, sample, version] = row.columns()?;
    Ok(EventType {
        name: name.text()?,
        description: description.text()?,
        sample: sample.json()?,
        version: version.integer()?,
    })
}
