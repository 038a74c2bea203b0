//! Deliveries and attempts in SQL.

use serde_json::json;
use shared::{
    domain::{Commit, Id, Timestamp},
    ports::{PortError, Row, Tenant, Value},
};

use super::events;
use crate::sender::{
    attempt::Attempt,
    courier::{Due, Tried},
    delivery::{DeliveryState, EndpointDelivery},
    event::EVENT_BYTES_MAX,
    poll::PolledEvent,
};

const COUNT_ON: &str = "
    update webhook_endpoints set sequence = sequence + 1 where tenant = ?1 and id = ?2";
// The number is the one that the statement before has just counted.
const INSERT: &str = "
    insert into webhook_deliveries
      (tenant, endpoint, sequence, event, state, due_at_ms, last_error, created_at_ms)
    select ?1, id, sequence, ?3, ?4, ?5, ?6, ?5 from webhook_endpoints
    where tenant = ?1 and id = ?2
      and exists (select 1 from webhook_events where tenant = ?1 and id = ?3)";
const DUE: &str = "
    select d.sequence, d.attempts, d.due_at_ms,
      e.id, e.type, e.customer, e.channels, e.version, e.data, e.happened_at_ms, e.trace
    from webhook_deliveries d
    left join webhook_events e on e.tenant = ?1 and e.id = d.event
    where d.tenant = ?1 and d.endpoint = ?2 and d.state = 'waiting'
    order by d.due_at_ms, d.sequence limit ?3";
// Little more is read than one body takes: the data before a row has fewer characters than that.
const FIRST_WAITING: &str = "
    select sequence, attempts, due_at_ms,
      id, type, customer, channels, version, data, happened_at_ms, trace
    from (
      select d.sequence, d.attempts, d.due_at_ms,
        e.id, e.type, e.customer, e.channels, e.version, e.data, e.happened_at_ms, e.trace,
        sum(length(e.data)) over (
          order by d.sequence rows between unbounded preceding and 1 preceding) as bytes_before
      from (
        select sequence, attempts, due_at_ms, event from webhook_deliveries
        where tenant = ?1 and endpoint = ?2 and state = 'waiting'
        order by sequence limit ?3) d
      left join webhook_events e on e.tenant = ?1 and e.id = d.event)
    where coalesce(bytes_before, 0) < ?4
    order by sequence";
const TRIED: &str = "
    update webhook_deliveries set state = ?4, attempts = attempts + ?5, due_at_ms = ?6,
      last_status = ?7, last_error = ?8, ended_at_ms = ?9
    where tenant = ?1 and endpoint = ?2 and sequence = ?3";
// Attempts count on when a delivery is sent again. One that is gone meanwhile has none.
const INSERT_ATTEMPT: &str = "
    insert into webhook_attempts
      (tenant, endpoint, sequence, number, at_ms, latency_ms, status, error, headers, body, cut,
       trace_id, span_id, server)
    select ?1, ?2, ?3,
      (select coalesce(max(number), 0) + 1 from webhook_attempts
       where tenant = ?1 and endpoint = ?2 and sequence = ?3),
      ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13
    from webhook_deliveries where tenant = ?1 and endpoint = ?2 and sequence = ?3";
const ATTEMPTS: &str = "
    select number, at_ms, latency_ms, status, error, headers, body, cut, trace_id, span_id, server
    from webhook_attempts
    where tenant = ?1 and endpoint = ?2 and sequence = ?3 order by number";
// What came back is left out, as it is not part of a span.
const ATTEMPTS_OF_EVENT: &str = "
    select d.endpoint, a.number, a.at_ms, a.latency_ms, a.status, a.error, '[]', '', a.cut,
      a.trace_id, a.span_id, a.server
    from webhook_deliveries d
    join webhook_attempts a
      on a.tenant = ?1 and a.endpoint = d.endpoint and a.sequence = d.sequence
    where d.tenant = ?1 and d.event = ?2
    order by d.endpoint, d.sequence, a.number limit ?3";
const FIND: &str = "
    select d.sequence, d.event, e.type, d.state, d.attempts, d.due_at_ms, d.last_status,
      d.last_error, d.created_at_ms, d.ended_at_ms
    from webhook_deliveries d
    left join webhook_events e on e.tenant = ?1 and e.id = d.event
    where d.tenant = ?1 and d.endpoint = ?2 and d.sequence = ?3";
const LIST: &str = "
    select d.sequence, d.event, e.type, d.state, d.attempts, d.due_at_ms, d.last_status,
      d.last_error, d.created_at_ms, d.ended_at_ms
    from webhook_deliveries d
    left join webhook_events e on e.tenant = ?1 and e.id = d.event
    where d.tenant = ?1 and d.endpoint = ?2 and d.sequence < ?3 and (?4 = '' or d.state = ?4)
    order by d.sequence desc limit ?5";
const MANIFEST: &str = "
    select d.sequence, d.event, e.type, d.state, d.attempts, d.due_at_ms, d.last_status,
      d.last_error, d.created_at_ms, d.ended_at_ms
    from webhook_deliveries d
    left join webhook_events e on e.tenant = ?1 and e.id = d.event
    where d.tenant = ?1 and d.endpoint = ?2 and d.sequence > ?3
    order by d.sequence limit ?4";
const RESEND: &str = "
    update webhook_deliveries
    set state = 'waiting', attempts = 0, due_at_ms = ?4, ended_at_ms = null
    where tenant = ?1 and endpoint = ?2 and sequence = ?3";
const RECOVER: &str = "
    update webhook_deliveries
    set state = 'waiting', attempts = 0, due_at_ms = ?5, ended_at_ms = null
    where tenant = ?1 and endpoint = ?2 and state in ('failed', 'held')
      and created_at_ms >= ?3 and created_at_ms < ?4";
const COUNT_LOST: &str = "
    select count(*) from webhook_deliveries
    where tenant = ?1 and endpoint = ?2 and state in ('failed', 'held')
      and created_at_ms >= ?3 and created_at_ms < ?4";
const AFTER: &str = "
    select d.sequence,
      e.id, e.type, e.customer, e.channels, e.version, e.data, e.happened_at_ms, e.trace
    from webhook_deliveries d
    join webhook_events e on e.tenant = ?1 and e.id = d.event
    where d.tenant = ?1 and d.endpoint = ?2 and d.sequence > ?3
      and d.state <> 'held'
    order by d.sequence limit ?4";

/// Gives a delivery of this event the endpoint's next number.
pub fn insert_delivery(
    endpoint: &Id,
    event: &Id,
    state: DeliveryState,
    why: Option<&str>,
    now: Timestamp,
) -> Commit {
    let params: [Value; 5] =
        [endpoint.into(), event.into(), state.word().into(), now.into(), why.into()];
    // If the endpoint was deleted meanwhile, there is nobody to deliver to.
    Commit::new().write(COUNT_ON, [endpoint.into()]).write(INSERT, params)
}

/// Those that wait for this endpoint, the first due first.
pub async fn due(at: &impl Tenant, endpoint: &Id, limit: u32) -> Result<Vec<Due>, PortError> {
    let rows = at.query(DUE, [endpoint.into(), limit.into()]).await?;
    rows.into_iter().map(read_due).collect()
}

/// Those with the lowest numbers that wait for this endpoint, as many as may fit into one body.
pub async fn first_waiting(
    at: &impl Tenant,
    endpoint: &Id,
    limit: u32,
) -> Result<Vec<Due>, PortError> {
    let bytes = i64::try_from(EVENT_BYTES_MAX).unwrap_or(i64::MAX);
    let rows = at.query(FIRST_WAITING, [endpoint.into(), limit.into(), bytes.into()]).await?;
    rows.into_iter().map(read_due).collect()
}

fn read_due(row: Row) -> Result<Due, PortError> {
    let [sequence, attempts, due, id, kind, customer, channels, version, data, happened, trace] =
        row.columns()?;
    let event = match id {
        Value::Null => None,
        id => Some(events::event([id, kind, customer, channels, version, data, happened, trace])?),
    };
    Ok(Due {
        sequence: sequence.integer()?,
        attempts: u32::try_from(attempts.integer()?).unwrap_or(u32::MAX),
        at: due.timestamp()?,
        event,
    })
}

/// Writes what came of a delivery this time.
pub fn tried(endpoint: &Id, it: &Tried, now: Timestamp) -> Commit {
    let attempts = i64::from(it.attempt.is_some());
    let status = it.attempt.as_ref().and_then(|it| it.status);
    let ended = (it.state != DeliveryState::Waiting).then_some(now);
    let params: [Value; 8] = [
        endpoint.into(),
        it.sequence.into(),
        it.state.word().into(),
        attempts.into(),
        it.due.into(),
        status.map(u32::from).into(),
        it.error.as_deref().into(),
        ended.into(),
    ];
    let commit = Commit::new().write(TRIED, params);
    match &it.attempt {
        Some(attempt) => commit.write(INSERT_ATTEMPT, of_attempt(endpoint, it.sequence, attempt)),
        None => commit,
    }
}

fn of_attempt(endpoint: &Id, sequence: i64, it: &Attempt) -> [Value; 12] {
    [
        endpoint.into(),
        sequence.into(),
        it.at.into(),
        it.latency_ms.into(),
        it.status.map(u32::from).into(),
        it.error.as_deref().into(),
        (&json!(it.headers)).into(),
        (&it.body).into(),
        it.body_cut.into(),
        it.trace_id.as_deref().into(),
        it.span_id.as_deref().into(),
        it.server.as_deref().into(),
    ]
}

/// The attempts at a delivery, oldest first.
pub async fn attempts(
    at: &impl Tenant,
    endpoint: &Id,
    sequence: i64,
) -> Result<Vec<Attempt>, PortError> {
    let rows = at.query(ATTEMPTS, [endpoint.into(), sequence.into()]).await?;
    rows.into_iter().map(|row| row.columns().and_then(attempt)).collect()
}

/// Up to this many attempts at the deliveries of an event, each with its endpoint.
pub async fn attempts_of_event(
    at: &impl Tenant,
    event: &Id,
    limit: u32,
) -> Result<Vec<(Id, Attempt)>, PortError> {
    let rows = at.query(ATTEMPTS_OF_EVENT, [event.into(), limit.into()]).await?;
    rows.into_iter()
        .map(|row| {
            let [endpoint, a, b, c, d, e, f, g, h, i, j, k] = row.columns()?;
            Ok((Id::trusted(endpoint.text()?), attempt([a, b, c, d, e, f, g, h, i, j, k])?))
        })
        .collect()
}

/// An attempt from its columns, in the order of [`ATTEMPTS`].
fn attempt(columns: [Value; 11]) -> Result<Attempt, PortError> {
    let [number, at, latency, status, error, headers, body, cut, trace_id, span_id, server] =
        columns;
    Ok(Attempt {
        number: u32::try_from(number.integer()?).unwrap_or(u32::MAX),
        at: at.timestamp()?,
        latency_ms: latency.integer()?,
        status: optional_status(status)?,
        error: error.optional_text()?,
        headers: headers.json()?,
        body: body.text()?,
        body_cut: cut.integer()? == 1,
        trace_id: trace_id.optional_text()?,
        span_id: span_id.optional_text()?,
        server: server.optional_text()?,
    })
}

fn optional_status(value: Value) -> Result<Option<u16>, PortError> {
    match value {
        Value::Null => Ok(None),
        other => Ok(u16::try_from(other.integer()?).ok()),
    }
}

pub async fn find_delivery(
    at: &impl Tenant,
    endpoint: &Id,
    sequence: i64,
) -> Result<Option<EndpointDelivery>, PortError> {
    let rows = at.query(FIND, [endpoint.into(), sequence.into()]).await?;
    rows.into_iter().next().map(read).transpose()
}

/// The deliveries before this number, newest first.
pub async fn list_deliveries(
    at: &impl Tenant,
    endpoint: &Id,
    state: Option<DeliveryState>,
    before: i64,
    limit: u32,
) -> Result<Vec<EndpointDelivery>, PortError> {
    let state = state.map_or("", DeliveryState::word);
    let params = [endpoint.into(), before.into(), state.into(), limit.into()];
    at.query(LIST, params).await?.into_iter().map(read).collect()
}

/// The deliveries after this number, oldest first.
pub async fn manifest(
    at: &impl Tenant,
    endpoint: &Id,
    after: i64,
    limit: u32,
) -> Result<Vec<EndpointDelivery>, PortError> {
    let rows = at.query(MANIFEST, [endpoint.into(), after.into(), limit.into()]).await?;
    rows.into_iter().map(read).collect()
}

fn read(row: Row) -> Result<EndpointDelivery, PortError> {
    let [sequence, event, kind, state, attempts, due, status, error, created, ended] =
        row.columns()?;
    let state = match state.text()?.as_str() {
        "waiting" => DeliveryState::Waiting,
        "delivered" => DeliveryState::Delivered,
        "failed" => DeliveryState::Failed,
        "held" => DeliveryState::Held,
        "polled" => DeliveryState::Polled,
        _ => DeliveryState::Skipped,
    };
    Ok(EndpointDelivery {
        sequence: sequence.integer()?,
        event: Id::trusted(event.text()?),
        kind: kind.optional_text()?,
        state,
        attempts: u32::try_from(attempts.integer()?).unwrap_or(u32::MAX),
        due_at: Some(due.timestamp()?).filter(|_| state == DeliveryState::Waiting),
        last_status: optional_status(status)?,
        last_error: error.optional_text()?,
        created_at: created.timestamp()?,
        ended_at: ended.optional_timestamp()?,
    })
}

pub fn resend(endpoint: &Id, sequence: i64, now: Timestamp) -> Commit {
    Commit::new().write_one(RESEND, [endpoint.into(), sequence.into(), now.into()])
}

/// Puts all on their way again that were lost in this time.
pub fn recover(endpoint: &Id, since: Timestamp, until: Timestamp, now: Timestamp) -> Commit {
    Commit::new().write(RECOVER, [endpoint.into(), since.into(), until.into(), now.into()])
}

pub async fn count_lost(
    at: &impl Tenant,
    endpoint: &Id,
    since: Timestamp,
    until: Timestamp,
) -> Result<i64, PortError> {
    let rows = at.query(COUNT_LOST, [endpoint.into(), since.into(), until.into()]).await?;
    rows.into_iter().next().map_or(Ok(0), |row| row.columns().and_then(|[it]| it.integer()))
}

/// What is for whoever polls, after this number.
pub async fn after(
    at: &impl Tenant,
    endpoint: &Id,
    after: i64,
    limit: u32,
) -> Result<Vec<PolledEvent>, PortError> {
    let rows = at.query(AFTER, [endpoint.into(), after.into(), limit.into()]).await?;
    rows.into_iter()
        .map(|row| {
            let [sequence, id, kind, customer, channels, version, data, happened, trace] =
                row.columns()?;
            let columns = [id, kind, customer, channels, version, data, happened, trace];
            let event = events::event(columns)?;
            Ok(PolledEvent { sequence: sequence.integer()?, event })
        })
        .collect()
}
