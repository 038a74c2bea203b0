//! Tokens and pollers in SQL, and how all of it fares.

use shared::{
    domain::{Commit, Id, Timestamp},
    ports::{PortError, Row, Tenant},
};

use crate::sender::monitor::{Backlog, ErrorClass, SourceHealth};

const FIND_TOKEN: &str = "
    select sealed from webhook_tokens where tenant = ?1 and endpoint = ?2 and until_ms > ?3";
const PUT_TOKEN: &str = "
    insert into webhook_tokens (tenant, endpoint, sealed, until_ms) values (?1, ?2, ?3, ?4)
    on conflict (tenant, endpoint) do update set
      sealed = excluded.sealed, until_ms = excluded.until_ms";
const FORGET_TOKEN: &str = "delete from webhook_tokens where tenant = ?1 and endpoint = ?2";

const POLLER: &str = "
    select sequence from webhook_pollers
    where tenant = ?1 and endpoint = ?2 and consumer = ?3";
const PUT_POLLER: &str = "
    insert into webhook_pollers (tenant, endpoint, consumer, sequence) values (?1, ?2, ?3, ?4)
    on conflict (tenant, endpoint, consumer) do update set sequence = excluded.sequence";

const BACKLOG: &str = "
    select count(*), min(created_at_ms) from webhook_deliveries
    where tenant = ?1 and endpoint = ?2 and state = 'waiting'";
const ERRORS: &str = "
    select coalesce(error, 'none'), count(*) from webhook_attempts
    where tenant = ?1 and endpoint = ?2 and at_ms >= ?3
    group by 1 order by 2 desc, 1 limit 20";
const SOURCES: &str = "
    select s.id, s.name,
      (select max(received_at_ms) from webhook_messages m
       where m.tenant = ?1 and m.source = s.id),
      (select count(*) from webhook_messages m
       where m.tenant = ?1 and m.source = s.id and m.delivery = 'waiting'),
      (select coalesce(sum(count), 0) from webhook_refusals r
       where r.tenant = ?1 and r.source = s.id and r.hour_ms >= ?2)
    from webhook_sources s where s.tenant = ?1 order by s.id limit ?3";

/// The sealed token of an endpoint, if one is good still.
pub async fn find_token(
    at: &impl Tenant,
    endpoint: &Id,
    now: Timestamp,
) -> Result<Option<String>, PortError> {
    let rows = at.query(FIND_TOKEN, [endpoint.into(), now.into()]).await?;
    rows.into_iter().next().map(|row| row.columns().and_then(|[it]| it.text())).transpose()
}

pub fn put_token(endpoint: &Id, sealed: &str, until: Timestamp) -> Commit {
    Commit::new().write(PUT_TOKEN, [endpoint.into(), sealed.into(), until.into()])
}

pub fn forget_token(endpoint: &Id) -> Commit {
    Commit::new().write(FORGET_TOKEN, [endpoint.into()])
}

/// How far a consumer has come.
pub async fn poller(at: &impl Tenant, endpoint: &Id, consumer: &str) -> Result<i64, PortError> {
    let rows = at.query(POLLER, [endpoint.into(), consumer.into()]).await?;
    integer(rows)
}

pub fn put_poller(endpoint: &Id, consumer: &str, sequence: i64) -> Commit {
    Commit::new().write(PUT_POLLER, [endpoint.into(), consumer.into(), sequence.into()])
}

fn integer(rows: Vec<Row>) -> Result<i64, PortError> {
    rows.into_iter().next().map_or(Ok(0), |row| row.columns().and_then(|[it]| it.integer()))
}

/// What waits for an endpoint.
pub async fn backlog(at: &impl Tenant, endpoint: &Id) -> Result<Backlog, PortError> {
    let rows = at.query(BACKLOG, [endpoint.into()]).await?;
    let Some(row) = rows.into_iter().next() else { return Ok(Backlog::default()) };
    let [waiting, oldest] = row.columns()?;
    Ok(Backlog { waiting: waiting.integer()?, oldest: oldest.optional_timestamp()? })
}

/// What the attempts since this moment came to, by class.
pub async fn errors(
    at: &impl Tenant,
    endpoint: &Id,
    since: Timestamp,
) -> Result<Vec<ErrorClass>, PortError> {
    let rows = at.query(ERRORS, [endpoint.into(), since.into()]).await?;
    rows.into_iter()
        .map(|row| {
            let [class, count] = row.columns()?;
            Ok(ErrorClass { class: class.text()?, count: count.integer()? })
        })
        .collect()
}

/// How the sources fare, counting refusals since this moment.
pub async fn sources(
    at: &impl Tenant,
    since: Timestamp,
    limit: u32,
) -> Result<Vec<SourceHealth>, PortError> {
    let rows = at.query(SOURCES, [since.into(), limit.into()]).await?;
    rows.into_iter()
        .map(|row| {
            let [id, name, last, waiting, refused] = row.columns()?;
            Ok(SourceHealth {
                id: Id::trusted(id.text()?),
                name: name.text()?,
                last_received_at: last.optional_timestamp()?,
                waiting: waiting.integer()?,
                refused: refused.integer()?,
            })
        })
        .collect()
}
