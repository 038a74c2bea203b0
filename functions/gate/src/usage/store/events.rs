//! Raw events in SQL.

use serde_json::{Value as Json, json};
use shared::{
    domain::{Commit, Timestamp},
    ports::{PortError, Row as SqlRow, Tenant, Value},
};

use crate::usage::{
    amount::Amount,
    counter::Tally,
    event::Place,
    meter::{Aggregation, Meter},
    plan::{Row, RowState},
};

const FIND: &str = "
    select e.source, e.id, e.meter, e.subject, e.member, e.key, e.route, e.dimensions, e.word,
      e.value, e.time_ms, e.hash, e.state
    from json_each(?2) k cross join usage_events e
    where e.tenant = ?1 and e.source = json_extract(k.value, '$[0]')
      and e.id = json_extract(k.value, '$[1]')";
const INSERT: &str = "
    insert into usage_events (tenant, source, id, meter, subject, member, key, route, dimensions,
      word, value, time_ms, at_ms, hash, state)
    select ?1, json_extract(value, '$[0]'), json_extract(value, '$[1]'),
      json_extract(value, '$[2]'), json_extract(value, '$[3]'), json_extract(value, '$[4]'),
      json_extract(value, '$[5]'), json_extract(value, '$[6]'), json_extract(value, '$[7]'),
      json_extract(value, '$[8]'), json_extract(value, '$[9]'), json_extract(value, '$[10]'),
      cast(?3 as integer), json_extract(value, '$[11]'), json_extract(value, '$[12]')
    from json_each(?2) where true
    on conflict (tenant, source, id) do nothing";
// It changes one row if the insert before it kept all of them, and none if one was there already:
// its guard undoes the commit then.
const KEPT_ALL: &str = "
    insert into usage_state (tenant, events)
    select ?1, cast(?2 as integer) where changes() = cast(?2 as integer)
    on conflict (tenant) do update set events = events + excluded.events";
const SETTLE: &str = "
    update usage_events set state = ?4
    where tenant = ?1 and source = ?2 and id = ?3 and state = 'counted'";
const RECOUNT: &str = "
    select cast(coalesce(sum(value / 1000000), 0) as text),
      cast(coalesce(sum(value % 1000000), 0) as text), count(*), coalesce(max(value), 0),
      count(distinct word)
    from usage_events
    where tenant = ?1 and meter = ?2 and state = 'counted'
      and time_ms >= cast(?3 as integer) and time_ms < cast(?4 as integer)
      and (?5 is null or subject = ?5)";

/// Those of these raw events that are there: `keys` is a list of source and id.
pub async fn events(at: &impl Tenant, keys: &Json) -> Result<Vec<Row>, PortError> {
    at.query(FIND, [keys.into()]).await?.into_iter().map(read).collect()
}

fn read(row: SqlRow) -> Result<Row, PortError> {
    let [
        source,
        id,
        meter,
        subject,
        member,
        key,
        route,
        dimensions,
        word,
        value,
        time,
        hash,
        state,
    ] = row.columns()?;
    let state = match state.text()?.as_str() {
        "counted" => RowState::Counted,
        "corrected" => RowState::Corrected,
        _ => RowState::Voided,
    };
    Ok(Row {
        source: source.text()?,
        id: id.text()?,
        meter: meter.text()?,
        place: Place {
            subject: subject.text()?,
            member: member.text()?,
            key: key.text()?,
            route: route.text()?,
        },
        dimensions: dimensions.json()?,
        word: word.text()?,
        value: value.integer()?,
        time: time.timestamp()?,
        hash: hash.text()?,
        state,
    })
}

/// Keeps these raw events, all of them; it is a conflict if one is there already.
pub fn insert_events(rows: &[&Row], now: Timestamp) -> Commit {
    if rows.is_empty() {
        return Commit::new();
    }
    let values = rows.iter().map(|it| {
        let Place { subject, member, key, route } = &it.place;
        json!([
            it.source,
            it.id,
            it.meter,
            subject,
            member,
            key,
            route,
            json!(it.dimensions).to_string(),
            it.word,
            it.value,
            it.time.0,
            it.hash,
            it.state.word(),
        ])
    });
    let values: Json = values.collect();
    let count = i64::try_from(rows.len()).unwrap_or(i64::MAX);
    Commit::new()
        .write(INSERT, [Value::from(&values), now.into()])
        .write_one(KEPT_ALL, [Value::from(count)])
}

/// Lets a raw event count no more; it is a conflict if it does not count already.
pub fn settle(source: &str, id: &str, state: RowState) -> Commit {
    Commit::new().write_one(SETTLE, [source.into(), id.into(), state.word().into()])
}

/// What the raw events come to, without any counter.
pub async fn recount(
    at: &impl Tenant,
    meter: &Meter,
    subject: Option<&str>,
    from: Timestamp,
    to: Timestamp,
) -> Result<Tally, PortError> {
    let params: [Value; 4] = [(&meter.name).into(), from.into(), to.into(), subject.into()];
    let rows = at.query(RECOUNT, params).await?;
    let Some(row) = rows.into_iter().next() else { return Ok(Tally::default()) };
    let [whole, micros, count, peak, words] = row.columns()?;
    let count = count.integer()?;
    let amount = match meter.aggregation {
        Aggregation::Sum => Amount::parts(super::wide(whole)?, super::wide(micros)?),
        Aggregation::Count => Amount::units(count),
        Aggregation::Max => Amount(peak.integer()?.into()),
        Aggregation::Unique => Amount::units(words.integer()?),
    };
    Ok(Tally { amount, count })
}
