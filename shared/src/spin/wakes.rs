//! Wakes on Spin: a row for each tenant and function that has something to do, and the tick that
//! works them off.

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use http::{HeaderMap, HeaderValue, Method, header};

use super::{Database, Spin, SpinStore, outside, redis};
use crate::{
    domain::Timestamp,
    drain as draining,
    function::Function,
    ingest, limits,
    ports::{Edge, HttpRequest, PortError, Row, Sql, Statement, Value, Wake},
};

/// Where a component is woken, followed by the tenant. It takes the operator's key.
pub(super) const WAKE_PATH: &str = "/_wake/";

/// For how long a wake is taken; after that, whoever took it has died.
const TAKEN: Duration = Duration::from_secs(60);
/// How long a component has to say that it was woken.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How many tenants are woken at the same time.
const CONCURRENT: usize = 8;
/// How often in a row one that does what is due begins anew, before it leaves it to the tick.
const TURNS_MAX: u32 = 16;
/// How many may do what is due at the same time.
const RUNNING_MAX: u32 = 100;
/// The query parameter in which the tick says until when it took the wake.
const TAKEN_UNTIL: &str = "taken_until";

const ASK: &str = "
    insert into wakes (tenant, function, at_ms) values (?1, ?2, ?3)
    on conflict (tenant, function) do update set at_ms = min(at_ms, excluded.at_ms)";
const DUE: &str = "
    select tenant, function from wakes
    where (at_ms <= ?1 and taken_until_ms <= ?1)
      or (taken_until_ms > 0 and taken_until_ms <= ?1)
    order by at_ms limit ?2";
// Who asks meanwhile sets `at_ms` anew, and finds the wake again when it is settled.
const TAKE: &str = "
    update wakes set at_ms = ?5, taken_until_ms = ?4
    where tenant = ?1 and function = ?2
      and ((at_ms <= ?3 and taken_until_ms <= ?3) or (taken_until_ms > 0 and taken_until_ms <= ?3))
    returning taken_until_ms";
const SETTLE: &str = "
    update wakes set at_ms = min(at_ms, ?4), taken_until_ms = 0
    where tenant = ?1 and function = ?2 and taken_until_ms = ?3";
const SWEEP_UP: &str = "delete from wakes where at_ms = ?1 and taken_until_ms = 0";
const RUNNING: &str = "
    select count(*) from wakes where taken_until_ms > 0 and taken_until_ms > ?1";
const SPREAD: &str = "
    insert into wakes (tenant, function, at_ms)
    select tenant, ?2, at_ms from wakes where function = ?1 and at_ms <= ?3
    on conflict (tenant, function) do update set at_ms = min(at_ms, excluded.at_ms)";
const SPREAD_OUT: &str = "delete from wakes where function = ?1 and at_ms <= ?2";
// What is counted asks for no wake: it is counted often, and here it is seen that it was.
const TALLIED: &str = "
    insert into wakes (tenant, function, at_ms) select tenant, function, ?1 from tallied where true
    on conflict (tenant, function) do update set at_ms = min(at_ms, excluded.at_ms)";
const FORGET: &str = "delete from wakes where tenant = ?1";

/// The statement that asks for a wake.
pub(super) fn ask(tenant: &str, wake: Wake) -> Statement {
    Statement::new(ASK, [tenant.into(), wake.function.into(), wake.at.into()])
}

/// Removes all wakes of a tenant.
pub(super) async fn forget(tenant: &str) -> Result<(), PortError> {
    Database::Safe
        .query(Statement::new(FORGET, [tenant.into()]))
        .await
        .map(drop)
        .map_err(Into::into)
}

/// Does what is due for `F` in this tenant, unless somebody is at it: who is looks again for what
/// others asked for meanwhile. `taken` is until when the tick took the wake for it; otherwise it
/// takes the wake itself.
pub(super) async fn drain<F: Function>(
    tenant: &str,
    taken: Option<Timestamp>,
) -> Result<(), PortError> {
    let mut taken = match taken {
        Some(taken) => {
            // The tick may have seen that counts wait in Redis. Without it, all else is done.
            if let Err(err) = redis::bring_counts(tenant, F::NAME).await {
                Spin.note(&format!("counts of {tenant} wait: {err}"));
            }
            Some(taken)
        }
        None => taken_in(Database::Safe.query(take(tenant, F::NAME)).await?)?,
    };
    for turn in 1..=TURNS_MAX {
        let Some(until) = taken else { break };
        let next = draining::drain::<F, _, _>(&Spin, &SpinStore::new::<F>(tenant), tenant).await?;
        let mut batch = settle(tenant, F::NAME, until, next);
        if turn < TURNS_MAX {
            batch.push(take(tenant, F::NAME));
        }
        taken = taken_in(Database::Safe.batch(batch).await?.pop().unwrap_or_default())?;
    }
    Ok(())
}

/// Takes a wake that is due, or one that whoever took it has let go.
fn take(tenant: &str, function: &str) -> Statement {
    let now = Spin.now();
    let params =
        [tenant.into(), function.into(), now.into(), (now + TAKEN).into(), Timestamp::NEVER.into()];
    Statement::new(TAKE, params)
}

/// Until when it was taken, if it was.
fn taken_in(rows: Vec<Row>) -> Result<Option<Timestamp>, PortError> {
    rows.into_iter().next().map(|row| row.columns().and_then(|[at]| at.timestamp())).transpose()
}

/// Gives a wake back: to come again at `next`, or when somebody asked for it meanwhile.
fn settle(
    tenant: &str,
    function: &str,
    taken: Timestamp,
    next: Option<Timestamp>,
) -> Vec<Statement> {
    let next = next.unwrap_or(Timestamp::NEVER);
    let params = [tenant.into(), function.into(), taken.into(), next.into()];
    vec![Statement::new(SETTLE, params), Statement::new(SWEEP_UP, [Timestamp::NEVER.into()])]
}

/// Wakes what is due, at most `limit` of them and not more than can run, and says how many.
///
/// A component answers before it does what is due, so that one that waits for somebody outside
/// holds up neither the tick nor other tenants.
pub(super) async fn sweep(limit: u32) -> Result<u32, PortError> {
    let now = Spin.now();
    limits::prune(&Database::Safe, now).await?;
    let tallied = Statement::new(TALLIED, [(now + ingest::FOLD_AFTER).into()]);
    Database::Safe.query(tallied).await?;
    match redis::ask_for_counts(now).await {
        Ok(asks) if !asks.is_empty() => Database::Safe.batch(asks).await.map(drop)?,
        Ok(_) => {}
        Err(err) => Spin.note(&format!("tick: {err}")),
    }
    spread(now).await?;
    let room = i64::from(RUNNING_MAX) - running(now).await?;
    let limit = i64::from(limit).min(room.max(0));
    let rows = Database::Safe.query(Statement::new(DUE, [now.into(), limit.into()])).await?;
    let due = rows.into_iter().map(|row| {
        let [tenant, function] = row.columns()?;
        Ok((tenant.text()?, function.text()?))
    });
    let due = due.collect::<Result<Vec<_>, PortError>>()?;
    let key = Spin.setting("operator_key").await?.unwrap_or_default();
    let mut woken = 0;
    for group in due.chunks(CONCURRENT) {
        let calls = group.iter().map(|(tenant, function)| wake(tenant, function, &key));
        for outcome in join_all(calls).await {
            match outcome {
                Ok(()) => woken += 1,
                // Its wake is taken for a while, and then comes again.
                Err(err) => Spin.note(&format!("tick: {err}")),
            }
        }
    }
    Ok(woken)
}

/// How many wakes are taken: drains that run.
async fn running(now: Timestamp) -> Result<i64, PortError> {
    let rows = Database::Safe.query(Statement::new(RUNNING, [now.into()])).await?;
    rows.into_iter().next().map_or(Ok(0), |row| row.columns().and_then(|[it]| it.integer()))
}

/// Makes of each wake for whoever follows the log one for each of them.
async fn spread(now: Timestamp) -> Result<(), PortError> {
    let followers = Spin.setting("followers").await?.unwrap_or_default();
    let names = followers.split(',').map(str::trim).filter(|it| !it.is_empty());
    let all = Value::from(Wake::FOLLOWERS);
    let mut batch: Vec<_> =
        names.map(|it| Statement::new(SPREAD, [all.clone(), it.into(), now.into()])).collect();
    batch.push(Statement::new(SPREAD_OUT, [all, now.into()]));
    Database::Safe.batch(batch).await.map(drop).map_err(PortError::from)
}

async fn wake(tenant: &str, function: &str, key: &str) -> Result<(), PortError> {
    // Taken here, so that one whose component cannot be reached waits and is not tried first
    // again.
    let rows = Database::Safe.query(take(tenant, function)).await?;
    let Some(taken) = taken_in(rows)? else { return Ok(()) };
    let broken = |err: &dyn std::fmt::Display| {
        PortError::new("wake", format!("{function} in {tenant}: {err}"))
    };
    let url =
        format!("http://{function}.spin.internal{WAKE_PATH}{tenant}?{TAKEN_UNTIL}={}", taken.0);
    let mut headers = HeaderMap::new();
    let value = HeaderValue::from_str(&format!("Bearer {key}")).map_err(|err| broken(&err))?;
    headers.insert(header::AUTHORIZATION, value);
    let request = HttpRequest {
        method: Method::POST,
        url: url.parse().map_err(|err| broken(&err))?,
        headers,
        body: Bytes::new(),
        timeout: TIMEOUT,
        answer_bytes_max: 1024,
    };
    let answer = outside::fetch(request).await.map_err(|err| broken(&err))?;
    if answer.status.is_success() { Ok(()) } else { Err(broken(&answer.status)) }
}

/// Until when the tick took the wake, from the address that it posts to.
pub(super) fn taken_until(query: Option<&str>) -> Option<Timestamp> {
    let mut pairs = form_urlencoded::parse(query?.as_bytes());
    let (_, text) = pairs.find(|(name, _)| name == TAKEN_UNTIL)?;
    text.parse().ok().map(Timestamp)
}
