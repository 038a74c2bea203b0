//! Settings, and what is kept no longer, in SQL.

use serde_json::json;
use shared::{
    domain::{Commit, Id, Timestamp},
    ports::{PortError, Row, Tenant, Value},
};

use crate::sender::retention::WebhookSettings;

const SETTINGS: &str = "
    select retention_days, version from webhook_settings where tenant = ?1";
const PUT_SETTINGS: &str = "
    insert into webhook_settings (tenant, retention_days, version) values (?1, ?2, ?3 + 1)
    on conflict (tenant) do update set
      retention_days = excluded.retention_days, version = excluded.version
    where version = ?3";

const EXPIRED_EVENTS: &str = "
    select id from webhook_events where tenant = ?1 and expires_at_ms <= ?2
    order by expires_at_ms limit ?3";
const EXPIRED_MESSAGES: &str = "
    select id from webhook_messages where tenant = ?1 and expires_at_ms <= ?2
    order by expires_at_ms limit ?3";
const NEXT_EVENT: &str = "
    select expires_at_ms from webhook_events where tenant = ?1
    order by expires_at_ms limit 1 offset ?2";
const NEXT_MESSAGE: &str = "
    select expires_at_ms from webhook_messages where tenant = ?1
    order by expires_at_ms limit 1 offset ?2";
const WAITING: &str = "
    select endpoint, sequence from webhook_deliveries
    where tenant = ?1 and event in (select value from json_each(?2)) and state = 'waiting'
    limit ?3";
const END: &str = "
    update webhook_deliveries set state = 'failed', last_error = ?4, ended_at_ms = ?5
    where tenant = ?1 and endpoint = ?2 and sequence = ?3";
const REMOVE_ATTEMPTS: &str = "
    delete from webhook_attempts where tenant = ?1 and (endpoint, sequence) in (
      select endpoint, sequence from webhook_deliveries
      where tenant = ?1 and event in (select value from json_each(?2)))";
const REMOVE_DELIVERIES: &str = "
    delete from webhook_deliveries
    where tenant = ?1 and event in (select value from json_each(?2))";
const REMOVE_EVENTS: &str = "
    delete from webhook_events where tenant = ?1 and id in (select value from json_each(?2))";
const REMOVE_MESSAGES: &str = "
    delete from webhook_messages where tenant = ?1 and id in (select value from json_each(?2))";

/// The tenant's settings, and how often they were changed.
pub async fn settings(at: &impl Tenant) -> Result<(WebhookSettings, i64), PortError> {
    let Some(row) = at.query(SETTINGS, []).await?.into_iter().next() else {
        return Ok((WebhookSettings::default(), 0));
    };
    let [days, version] = row.columns()?;
    let retention_days =
        u32::try_from(days.integer()?).map_err(|err| PortError::new("sql", err))?;
    Ok((WebhookSettings { retention_days }, version.integer()?))
}

/// Writes the settings, unless they are no longer the version that was read.
pub fn put_settings(it: WebhookSettings, read: i64) -> Commit {
    Commit::new().write_one(PUT_SETTINGS, [it.retention_days.into(), read.into()])
}

/// Up to this many events that are kept no longer, the longest due first.
pub async fn expired_events(
    at: &impl Tenant,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<Id>, PortError> {
    ids(at.query(EXPIRED_EVENTS, [now.into(), limit.into()]).await?)
}

/// Up to this many messages that are kept no longer, the longest due first.
pub async fn expired_messages(
    at: &impl Tenant,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<Id>, PortError> {
    ids(at.query(EXPIRED_MESSAGES, [now.into(), limit.into()]).await?)
}

fn ids(rows: Vec<Row>) -> Result<Vec<Id>, PortError> {
    rows.into_iter().map(|row| row.columns().and_then(|[id]| Ok(Id::trusted(id.text()?)))).collect()
}

/// When the next expires after so many events and so many messages.
pub async fn next_expiry(
    at: &impl Tenant,
    events: usize,
    messages: usize,
) -> Result<Option<Timestamp>, PortError> {
    let mut next = Vec::new();
    for (text, skipped) in [(NEXT_EVENT, events), (NEXT_MESSAGE, messages)] {
        let skipped = i64::try_from(skipped).unwrap_or(i64::MAX);
        let row = at.query(text, [skipped.into()]).await?.into_iter().next();
        next.extend(row.map(|it| it.columns().and_then(|[it]| it.timestamp())).transpose()?);
    }
    Ok(next.into_iter().min())
}

/// Up to this many deliveries of these events that wait still.
pub async fn waiting_of(
    at: &impl Tenant,
    events: &[Id],
    limit: u32,
) -> Result<Vec<(Id, i64)>, PortError> {
    let rows = at.query(WAITING, [(&json!(events)).into(), limit.into()]).await?;
    rows.into_iter()
        .map(|row| {
            let [endpoint, sequence] = row.columns()?;
            Ok((Id::trusted(endpoint.text()?), sequence.integer()?))
        })
        .collect()
}

/// Ends a delivery that is not tried any more.
pub fn end_delivery(endpoint: &Id, sequence: i64, why: &str, now: Timestamp) -> Commit {
    Commit::new().write(END, [endpoint.into(), sequence.into(), why.into(), now.into()])
}

/// Removes these events, with their deliveries and attempts, and these messages.
pub fn remove(events: &[Id], messages: &[Id]) -> Commit {
    let (events, messages) = (Value::from(&json!(events)), Value::from(&json!(messages)));
    [REMOVE_ATTEMPTS, REMOVE_DELIVERIES, REMOVE_EVENTS]
        .into_iter()
        .fold(Commit::new(), |commit, it| commit.write(it, [events.clone()]))
        .write(REMOVE_MESSAGES, [messages])
}
