//! Meters, settings, and what is old, in SQL.

use serde_json::json;
use shared::{
    domain::{Commit, Timestamp},
    ports::{PortError, Row, Tenant, Value},
};

use crate::usage::{
    meter::{Aggregation, METERS_MAX, Meter},
    settings::State,
};

const STATE: &str = "
    select late_days, version, events_from_ms, counters_from_ms from usage_state
    where tenant = ?1";
const PUT_STATE: &str = "
    insert into usage_state (tenant, late_days, version) values (?1, ?2, ?3)
    on conflict (tenant) do update set late_days = excluded.late_days, version = excluded.version
    where version = ?4";

const METERS: &str = "
    select name, aggregation, dimension, unit, description, version, deleted from usage_meters
    where tenant = ?1 and name in (select value from json_each(?2))";
const ALL_METERS: &str = "
    select name, aggregation, dimension, unit, description, version, deleted from usage_meters
    where tenant = ?1 order by name limit ?2";
const INSERT_METER: &str = "
    insert into usage_meters
      (tenant, name, aggregation, dimension, unit, description, version, deleted)
    values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) on conflict (tenant, name) do nothing";
const UPDATE_METER: &str = "
    update usage_meters set unit = ?5, description = ?6, version = ?7, deleted = ?8
    where tenant = ?1 and name = ?2 and aggregation = ?3 and dimension = ?4 and version = ?9";

const ANY_EVENT: &str = "select 1 from usage_events where tenant = ?1 limit 1";
const ANY_COUNTER: &str = "select 1 from usage_counters where tenant = ?1 limit 1";
const OLD_EVENT: &str = "
    select 1 from usage_events where tenant = ?1 and time_ms < cast(?2 as integer) limit 1";
const OLD_COUNTER: &str = "
    select 1 from usage_counters where tenant = ?1 and start_ms < cast(?2 as integer)
    union all
    select 1 from usage_uniques where tenant = ?1 and start_ms < cast(?2 as integer)
    union all
    select 1 from usage_statuses where tenant = ?1 and start_ms < cast(?2 as integer)
    union all
    select 1 from usage_latencies where tenant = ?1 and start_ms < cast(?2 as integer)
    limit 1";
const REMEMBER: &str = "
    update usage_state set events_from_ms = max(events_from_ms, cast(?2 as integer)),
      counters_from_ms = max(counters_from_ms, cast(?3 as integer))
    where tenant = ?1";
// By the time up to which a page goes: a list of rowids would be looked for among all rows of the
// tenant. Whatever is of the same moment goes with it.
const PRUNE_EVENTS: &str = "
    delete from usage_events where tenant = ?1 and time_ms <= (
      select max(time_ms) from (
        select time_ms from usage_events where tenant = ?1 and time_ms < cast(?2 as integer)
        order by time_ms limit ?3))";
const PRUNE_COUNTERS: &str = "
    delete from usage_counters where tenant = ?1 and start_ms <= (
      select max(start_ms) from (
        select start_ms from usage_counters where tenant = ?1 and start_ms < cast(?2 as integer)
        order by start_ms limit ?3))";
const PRUNE_UNIQUES: &str = "
    delete from usage_uniques where tenant = ?1 and start_ms <= (
      select max(start_ms) from (
        select start_ms from usage_uniques where tenant = ?1 and start_ms < cast(?2 as integer)
        order by start_ms limit ?3))";
const PRUNE_STATUSES: &str = "
    delete from usage_statuses where tenant = ?1 and start_ms <= (
      select max(start_ms) from (
        select start_ms from usage_statuses where tenant = ?1 and start_ms < cast(?2 as integer)
        order by start_ms limit ?3))";
const PRUNE_LATENCIES: &str = "
    delete from usage_latencies where tenant = ?1 and start_ms <= (
      select max(start_ms) from (
        select start_ms from usage_latencies where tenant = ?1 and start_ms < cast(?2 as integer)
        order by start_ms limit ?3))";

/// Where the tenant's usage stands.
pub async fn state(at: &impl Tenant) -> Result<State, PortError> {
    let rows = at.query(STATE, []).await?;
    let Some(row) = rows.into_iter().next() else { return Ok(State::default()) };
    let [late_days, version, events_from, counters_from] = row.columns()?;
    let late_days = late_days.integer()?;
    Ok(State {
        late_days: u32::try_from(late_days).map_err(|err| PortError::new("sql", err))?,
        version: version.integer()?,
        events_from: events_from.timestamp()?,
        counters_from: counters_from.timestamp()?,
    })
}

/// Changes the settings, unless they are no longer the version that was read.
pub fn put_state(it: &State, read: i64) -> Commit {
    Commit::new().write_one(PUT_STATE, [it.late_days.into(), it.version.into(), read.into()])
}

/// The meters of these names, those that are deleted as well.
pub async fn meters(at: &impl Tenant, names: &[&str]) -> Result<Vec<Meter>, PortError> {
    let rows = at.query(METERS, [Value::from(&json!(names))]).await?;
    rows.into_iter().map(read).collect()
}

/// All of the tenant's own meters, those that are deleted as well.
pub async fn all_meters(at: &impl Tenant) -> Result<Vec<Meter>, PortError> {
    let limit = i64::try_from(METERS_MAX).unwrap_or(i64::MAX);
    at.query(ALL_METERS, [limit.into()]).await?.into_iter().map(read).collect()
}

fn read(row: Row) -> Result<Meter, PortError> {
    let [name, aggregation, dimension, unit, description, version, deleted] = row.columns()?;
    Ok(Meter {
        name: name.text()?,
        aggregation: match aggregation.text()?.as_str() {
            "sum" => Aggregation::Sum,
            "count" => Aggregation::Count,
            "max" => Aggregation::Max,
            _ => Aggregation::Unique,
        },
        dimension: dimension.text()?,
        unit: unit.text()?,
        description: description.text()?,
        version: version.integer()?,
        deleted: deleted.integer()? != 0,
    })
}

/// Writes a meter, unless it is no longer the version that was read.
pub fn put_meter(it: &Meter, read: Option<i64>) -> Commit {
    let mut params: Vec<Value> = vec![
        (&it.name).into(),
        it.aggregation.word().into(),
        (&it.dimension).into(),
        (&it.unit).into(),
        (&it.description).into(),
        it.version.into(),
        it.deleted.into(),
    ];
    params.extend(read.map(Value::from));
    Commit::new().write_one(if read.is_some() { UPDATE_METER } else { INSERT_METER }, params)
}

/// Whether there is anything that will be old one day.
pub async fn anything_left(at: &impl Tenant) -> Result<bool, PortError> {
    Ok(!at.query(ANY_EVENT, []).await?.is_empty() || !at.query(ANY_COUNTER, []).await?.is_empty())
}

/// Whether there are raw events, or counters, of before these moments.
pub async fn anything_before(
    at: &impl Tenant,
    events: Timestamp,
    counters: Timestamp,
) -> Result<bool, PortError> {
    Ok(!at.query(OLD_EVENT, [events.into()]).await?.is_empty()
        || !at.query(OLD_COUNTER, [counters.into()]).await?.is_empty())
}

/// Removes some rows of each kind that are of before these moments: this many, and those of the
/// same moment as the last of them. Remembers that what was there is not known any more.
pub fn prune(events: Timestamp, counters: Timestamp, rows: u32) -> Commit {
    let old = [PRUNE_COUNTERS, PRUNE_UNIQUES, PRUNE_STATUSES, PRUNE_LATENCIES];
    let commit = Commit::new()
        .write(REMEMBER, [Value::from(events), counters.into()])
        .write(PRUNE_EVENTS, [Value::from(events), rows.into()]);
    old.into_iter().fold(commit, |commit, it| commit.write(it, [counters.into(), rows.into()]))
}
