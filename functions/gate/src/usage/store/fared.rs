//! Statuses and latencies in SQL.

use serde_json::{Value as Json, json};
use shared::{
    domain::{Commit, Timestamp},
    ports::{PortError, Tenant, Value},
};

use crate::usage::{
    ingest::Fared,
    latency::{Sketch, StatusCount},
};

const ADD_STATUSES: &str = "
    insert into usage_statuses (tenant, start_ms, key, route, subject, class, count)
    select ?1, json_extract(value, '$[0]'), json_extract(value, '$[1]'),
      json_extract(value, '$[2]'), json_extract(value, '$[3]'), json_extract(value, '$[4]'),
      json_extract(value, '$[5]')
    from json_each(?2) where true
    on conflict (tenant, start_ms, key, route, subject, class) do update set
      count = count + excluded.count";
const ADD_LATENCIES: &str = "
    insert into usage_latencies (tenant, start_ms, key, route, bucket, count)
    select ?1, json_extract(value, '$[0]'), json_extract(value, '$[1]'),
      json_extract(value, '$[2]'), json_extract(value, '$[3]'), json_extract(value, '$[4]')
    from json_each(?2) where true
    on conflict (tenant, start_ms, key, route, bucket) do update set
      count = count + excluded.count";
const STATUSES: &str = "
    select class, sum(count) from usage_statuses
    where tenant = ?1 and start_ms >= cast(?2 as integer) and start_ms < cast(?3 as integer)
      and (?4 is null or subject = ?4) and (?5 is null or key = ?5) and (?6 is null or route = ?6)
    group by class order by class";
const LATENCIES: &str = "
    select bucket, sum(count) from usage_latencies
    where tenant = ?1 and start_ms >= cast(?2 as integer) and start_ms < cast(?3 as integer)
      and (?4 is null or key = ?4) and (?5 is null or route = ?5)
    group by bucket order by bucket";

/// Adds how requests fared.
pub fn add_fared(it: &Fared) -> Commit {
    let statuses = it.statuses.iter().map(|((start, place, class), count)| {
        json!([start.0, place.key, place.route, place.subject, class, count])
    });
    let latencies = it.latencies.iter().map(|((start, place, bucket), count)| {
        json!([start.0, place.key, place.route, bucket, count])
    });
    Commit::new()
        .write(ADD_STATUSES, [Value::from(&statuses.collect::<Json>())])
        .write(ADD_LATENCIES, [Value::from(&latencies.collect::<Json>())])
}

/// How requests were answered, by class.
pub async fn statuses(
    at: &impl Tenant,
    (from, to): (Timestamp, Timestamp),
    subject: Option<&str>,
    key: Option<&str>,
    route: Option<&str>,
) -> Result<Vec<StatusCount>, PortError> {
    let params: [Value; 5] = [from.into(), to.into(), subject.into(), key.into(), route.into()];
    let rows = at.query(STATUSES, params).await?;
    rows.into_iter()
        .map(|row| {
            let [class, count] = row.columns()?;
            Ok(StatusCount { class: class.text()?, count: count.integer()? })
        })
        .collect()
}

/// How long requests took.
pub async fn latencies(
    at: &impl Tenant,
    (from, to): (Timestamp, Timestamp),
    key: Option<&str>,
    route: Option<&str>,
) -> Result<Sketch, PortError> {
    let rows = at.query(LATENCIES, [from.into(), to.into(), key.into(), route.into()]).await?;
    let buckets = rows.into_iter().map(|row| {
        let [bucket, count] = row.columns()?;
        let bucket = u16::try_from(bucket.integer()?).unwrap_or(u16::MAX);
        Ok((bucket, u64::try_from(count.integer()?).unwrap_or(0)))
    });
    Ok(Sketch(buckets.collect::<Result<_, PortError>>()?))
}
