//! Counters in SQL.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};
use shared::{
    domain::Commit,
    ports::{PortError, Row, Tenant, Value},
};

use crate::usage::{
    amount::Amount,
    counter::{Question, Tally},
    event::Place,
    meter::Aggregation,
    period::{Cut, Piece},
    plan::{Bucket, Delta},
};

const ADD: &str = "
    insert into usage_counters (tenant, meter, subject, start_ms, member, key, route, whole,
      micros, count, peak)
    select ?1, json_extract(value, '$[0]'), json_extract(value, '$[1]'),
      json_extract(value, '$[2]'), json_extract(value, '$[3]'), json_extract(value, '$[4]'),
      json_extract(value, '$[5]'), json_extract(value, '$[6]'), json_extract(value, '$[7]'),
      json_extract(value, '$[8]'), json_extract(value, '$[9]')
    from json_each(?2) where true
    on conflict (tenant, meter, subject, start_ms, member, key, route) do update set
      whole = whole + excluded.whole, micros = micros + excluded.micros,
      count = count + excluded.count, peak = max(peak, excluded.peak)";
// If it was the largest value (?8) that was taken away, the next one is found among the raw events:
// while one may be taken away, all of its quarter of an hour are there.
const LOWER: &str = "
    update usage_counters set peak = coalesce((
      select max(e.value) from usage_events e
      where e.tenant = ?1 and e.meter = ?2 and e.subject = ?3 and e.member = ?5 and e.key = ?6
        and e.route = ?7 and e.state = 'counted'
        and e.time_ms >= cast(?4 as integer) and e.time_ms < cast(?4 as integer) + 900000), 0)
    where tenant = ?1 and meter = ?2 and subject = ?3 and start_ms = ?4 and member = ?5
      and key = ?6 and route = ?7 and peak <= cast(?8 as integer)";
const ADD_UNIQUES: &str = "
    insert into usage_uniques (tenant, meter, subject, start_ms, member, key, route, word, count)
    select ?1, json_extract(value, '$[0]'), json_extract(value, '$[1]'),
      json_extract(value, '$[2]'), json_extract(value, '$[3]'), json_extract(value, '$[4]'),
      json_extract(value, '$[5]'), json_extract(value, '$[6]'), json_extract(value, '$[7]')
    from json_each(?2) where true
    on conflict (tenant, meter, subject, start_ms, member, key, route, word) do update set
      count = count + excluded.count";

// Whole quarters of an hour (?5) from the counters, and what is left at the ends (?6) from the raw
// events. One for all subjects, and one that goes by the key of the counters for a single one.
const TALLIES: &str = "
    select label, cast(sum(whole) as text), cast(sum(micros) as text), sum(count), max(peak)
    from (
      select case ?4 when 'subject' then c.subject when 'member' then c.member
          when 'key' then c.key when 'route' then c.route
          else json_extract(p.value, '$[0]') end as label,
        c.whole as whole, c.micros as micros, c.count as count, c.peak as peak
      from json_each(?5) p cross join usage_counters c
      where c.tenant = ?1 and c.meter = ?2 and (?3 is null or c.member = ?3)
        and c.start_ms >= json_extract(p.value, '$[1]')
        and c.start_ms < json_extract(p.value, '$[2]')
      union all
      select case ?4 when 'subject' then e.subject when 'member' then e.member
          when 'key' then e.key when 'route' then e.route
          else json_extract(p.value, '$[0]') end,
        e.value / 1000000, e.value % 1000000, 1, e.value
      from json_each(?6) p cross join usage_events e
      where e.tenant = ?1 and e.meter = ?2 and (?3 is null or e.member = ?3)
        and e.state = 'counted' and e.time_ms >= json_extract(p.value, '$[1]')
        and e.time_ms < json_extract(p.value, '$[2]'))
    group by label
    order by case ?7 when 'max' then max(peak) when 'count' then sum(count)
        else sum(whole) + sum(micros) / 1000000 end desc,
      sum(micros) % 1000000 desc, label
    limit ?8";
const TALLIES_OF: &str = "
    select label, cast(sum(whole) as text), cast(sum(micros) as text), sum(count), max(peak)
    from (
      select case ?4 when 'subject' then c.subject when 'member' then c.member
          when 'key' then c.key when 'route' then c.route
          else json_extract(p.value, '$[0]') end as label,
        c.whole as whole, c.micros as micros, c.count as count, c.peak as peak
      from json_each(?5) p cross join usage_counters c
      where c.tenant = ?1 and c.meter = ?2 and c.subject = ?9 and (?3 is null or c.member = ?3)
        and c.start_ms >= json_extract(p.value, '$[1]')
        and c.start_ms < json_extract(p.value, '$[2]')
      union all
      select case ?4 when 'subject' then e.subject when 'member' then e.member
          when 'key' then e.key when 'route' then e.route
          else json_extract(p.value, '$[0]') end,
        e.value / 1000000, e.value % 1000000, 1, e.value
      from json_each(?6) p cross join usage_events e
      where e.tenant = ?1 and e.meter = ?2 and e.subject = ?9 and (?3 is null or e.member = ?3)
        and e.state = 'counted' and e.time_ms >= json_extract(p.value, '$[1]')
        and e.time_ms < json_extract(p.value, '$[2]'))
    group by label
    order by case ?7 when 'max' then max(peak) when 'count' then sum(count)
        else sum(whole) + sum(micros) / 1000000 end desc,
      sum(micros) % 1000000 desc, label
    limit ?8";
const UNIQUES: &str = "
    select label, count(distinct word), sum(count)
    from (
      select case ?4 when 'subject' then c.subject when 'member' then c.member
          when 'key' then c.key when 'route' then c.route
          else json_extract(p.value, '$[0]') end as label, c.word as word, c.count as count
      from json_each(?5) p cross join usage_uniques c
      where c.tenant = ?1 and c.meter = ?2 and (?3 is null or c.member = ?3) and c.count > 0
        and (?8 is null or c.subject = ?8)
        and c.start_ms >= json_extract(p.value, '$[1]')
        and c.start_ms < json_extract(p.value, '$[2]')
      union all
      select case ?4 when 'subject' then e.subject when 'member' then e.member
          when 'key' then e.key when 'route' then e.route
          else json_extract(p.value, '$[0]') end, e.word, 1
      from json_each(?6) p cross join usage_events e
      where e.tenant = ?1 and e.meter = ?2 and (?3 is null or e.member = ?3)
        and (?8 is null or e.subject = ?8)
        and e.state = 'counted' and e.time_ms >= json_extract(p.value, '$[1]')
        and e.time_ms < json_extract(p.value, '$[2]'))
    group by label order by 2 desc, label limit ?7";

/// Adds these differences.
pub fn add_counters(deltas: &BTreeMap<Bucket, Delta>) -> Commit {
    if deltas.is_empty() {
        return Commit::new();
    }
    let rows = deltas.iter().map(|(Bucket { meter, place, start }, it)| {
        let Place { subject, member, key, route } = place;
        json!([meter, subject, start.0, member, key, route, it.whole, it.micros, it.count, it.peak])
    });
    let commit = Commit::new().write(ADD, [Value::from(&rows.collect::<Json>())]);
    let lowered = deltas.iter().filter_map(|(bucket, it)| Some((bucket, it.taken?)));
    lowered.fold(commit, |commit, (Bucket { meter, place, start }, taken)| {
        let Place { subject, member, key, route } = place;
        let params: [Value; 7] = [
            meter.into(),
            subject.into(),
            (*start).into(),
            member.into(),
            key.into(),
            route.into(),
            taken.into(),
        ];
        commit.write(LOWER, params)
    })
}

/// Adds these differences to how many events had a word.
pub fn add_uniques(deltas: &BTreeMap<(Bucket, String), i64>) -> Commit {
    if deltas.is_empty() {
        return Commit::new();
    }
    let rows = deltas.iter().map(|((Bucket { meter, place, start }, word), count)| {
        let Place { subject, member, key, route } = place;
        json!([meter, subject, start.0, member, key, route, word, count])
    });
    Commit::new().write(ADD_UNIQUES, [Value::from(&rows.collect::<Json>())])
}

fn pieces(all: &[Piece]) -> Value {
    let pieces: Json = all.iter().map(|it| json!([it.label, it.from.0, it.to.0])).collect();
    (&pieces).into()
}

/// What counters, and raw events at the ends, come to.
pub async fn tallies(
    at: &impl Tenant,
    question: Question<'_>,
    cut: &Cut,
) -> Result<Vec<(String, Tally)>, PortError> {
    let Question { meter, subject, member, group, top } = question;
    let mut params: Vec<Value> = vec![
        (&meter.name).into(),
        member.into(),
        group.into(),
        pieces(&cut.whole),
        pieces(&cut.ends),
        meter.aggregation.word().into(),
        top.into(),
    ];
    params.extend(subject.map(Value::from));
    let text = if subject.is_some() { TALLIES_OF } else { TALLIES };
    let read = |row| read(row, meter.aggregation);
    at.query(text, params).await?.into_iter().map(read).collect()
}

fn read(row: Row, aggregation: Aggregation) -> Result<(String, Tally), PortError> {
    let [label, whole, micros, count, peak] = row.columns()?;
    let count = count.integer()?;
    let amount = match aggregation {
        Aggregation::Count => Amount::units(count),
        Aggregation::Max => Amount(peak.integer()?.into()),
        _ => Amount::parts(super::wide(whole)?, super::wide(micros)?),
    };
    Ok((label.text()?, Tally { amount, count }))
}

/// How many different words there were.
pub async fn unique_tallies(
    at: &impl Tenant,
    question: Question<'_>,
    cut: &Cut,
) -> Result<Vec<(String, Tally)>, PortError> {
    let Question { meter, subject, member, group, top } = question;
    let params: [Value; 7] = [
        (&meter.name).into(),
        member.into(),
        group.into(),
        pieces(&cut.whole),
        pieces(&cut.ends),
        top.into(),
        subject.into(),
    ];
    let read = |row: Row| {
        let [label, words, count] = row.columns()?;
        let amount = Amount::units(words.integer()?);
        Ok((label.text()?, Tally { amount, count: count.integer()? }))
    };
    at.query(UNIQUES, params).await?.into_iter().map(read).collect()
}
