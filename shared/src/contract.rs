//! What every adapter promises, as code: `cargo test` holds the memory host to it, and the
//! function `selftest` the runtime that it is deployed on.
//!
//! A broken promise is an error with its sentence, not a panic, which on Workers would hang.

use std::{ops::Range, time::Duration};

use bytes::Bytes;
use futures_util::{StreamExt, stream};

use crate::{
    domain::Timestamp,
    limit::{Act, Algorithm, Limit},
    ports::{
        Admission, Blobs, Edge, FetchError, ITEM_BYTES_MAX, Item, Kv, PortError, Question, Rate,
        Sql, SqlError, Statement, Store, Value, Wake,
    },
};

/// What came of one promise.
#[derive(Debug, serde::Serialize, utoipa::ToSchema)]
pub struct Check {
    /// The promise.
    pub promise: &'static str,
    /// Why it is broken; absent when it is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub broken: Option<String>,
}

type Kept = Result<(), PortError>;

const WIPE: &str = "delete from selftest_rows where tenant = ?1";
const INSERT: &str = "insert into selftest_rows (tenant, name, number) values (?1, ?2, 1)";
const INSERT_NEW: &str = "
    insert into selftest_rows (tenant, name, number) values (?1, ?2, 1)
    on conflict (tenant, name) do nothing returning name";
const COUNT: &str = "select count(*) from selftest_rows where tenant = ?1";
const ECHO: &str = "
    insert into selftest_rows (tenant, name, number, body) values (?1, ?2, ?3, ?4)
    returning name, number, body";
const BUMP: &str = "
    update selftest_rows set number = number + 1 where tenant = ?1 and name = ?2";
const GUARD: &str = "insert into guard (holds) select changes()";
const UNGUARD: &str = "delete from guard";

/// The largest integer that every runtime carries exactly.
const INTEGER_MAX: i64 = (1 << 53) - 1;

/// Runs every check against this runtime, in the scratch table of `tenant`.
pub async fn check<E: Edge, S: Store>(edge: &E, store: &S, tenant: &str) -> Vec<Check> {
    vec![
        named("sql: values come back as they went in", echo(store, tenant).await),
        named("sql: a batch is all or nothing", batch(store, tenant).await),
        named("sql: a guard undoes its batch", guard(store, tenant).await),
        named("sql: an insert can return rows", returning(store, tenant).await),
        named("sql: a broken statement is an error", broken(store).await),
        named("sql: the directory is a database of its own", directory(edge).await),
        named("store: a wake is kept with its commit", wake(edge, store, tenant).await),
        named("kv: the last write wins, and a missing key is none", kv(edge).await),
        named(
            "limiter: a burst passes, the next one waits; several take all or nothing",
            limiter(edge, tenant).await,
        ),
        named("blobs: what was put is read, whole and in part", blobs(edge, tenant).await),
        named("blobs: a put that breaks changes nothing", broken_blob(edge, tenant).await),
        named("queue: an item that is too large is refused", too_large(edge, tenant).await),
        named("entropy: no two draws are alike", entropy(edge)),
        named("config: what is not set is none", config(edge).await),
        named("clock: it does not run backwards, and sleeping takes time", clock(edge).await),
        named("http: a private address is refused", refused(edge).await),
    ]
}

fn named(promise: &'static str, kept: Kept) -> Check {
    Check { promise, broken: kept.err().map(|it| it.to_string()) }
}

fn hold(claim: bool, sentence: &str) -> Kept {
    if claim { Ok(()) } else { Err(PortError::new("contract", sentence)) }
}

fn bound(text: &'static str, tenant: &str, rest: impl Into<Vec<Value>>) -> Statement {
    let mut params = vec![Value::from(tenant)];
    params.extend(rest.into());
    Statement::new(text, params)
}

async fn echo(sql: &impl Sql, tenant: &str) -> Kept {
    sql.query(bound(WIPE, tenant, [])).await?;
    let samples = [
        ("žluťoučký 🐎", 0, Value::Null),
        ("'; drop table log; --", INTEGER_MAX, Value::Blob(vec![0, 255, 10])),
        ("", -INTEGER_MAX, Value::Blob(Vec::new())),
    ];
    for (name, number, body) in samples {
        let params = [name.into(), number.into(), body.clone()];
        let rows = sql.query(bound(ECHO, tenant, params)).await?;
        let row = rows.into_iter().next().map(|it| it.0);
        let expected = vec![Value::from(name), number.into(), body];
        hold(row == Some(expected), &format!("{name} came back changed: {row:?}"))?;
    }
    Ok(())
}

async fn batch(sql: &impl Sql, tenant: &str) -> Kept {
    sql.query(bound(WIPE, tenant, [])).await?;
    let once = bound(INSERT, tenant, ["twice".into()]);

    let refused = sql.batch(vec![once.clone(), once.clone()]).await;
    hold(refused.is_err(), "the second insert breaks the primary key")?;
    hold(count(sql, tenant).await? == 0, "so the first one is undone")?;

    let rows = sql.batch(vec![once, bound(COUNT, tenant, [])]).await?;
    hold(rows.len() == 2, "a batch answers each of its statements")?;
    hold(rows.get(1).is_some_and(|it| it.len() == 1), "with that statement's rows")?;
    hold(count(sql, tenant).await? == 1, "a good batch is kept")
}

async fn guard(sql: &impl Sql, tenant: &str) -> Kept {
    sql.query(bound(WIPE, tenant, [])).await?;
    sql.query(bound(INSERT, tenant, ["one".into()])).await?;
    let guarded = |name: &str| {
        vec![
            bound(INSERT, tenant, ["two".into()]),
            bound(BUMP, tenant, [name.into()]),
            Statement::new(GUARD, []),
            Statement::new(UNGUARD, []),
        ]
    };

    let conflict = sql.batch(guarded("missing")).await;
    hold(matches!(conflict, Err(SqlError::Conflict)), "an update of no row is a conflict")?;
    hold(count(sql, tenant).await? == 1, "and undoes what was before it")?;

    sql.batch(guarded("one")).await?;
    hold(count(sql, tenant).await? == 2, "an update of one row is kept")
}

async fn returning(sql: &impl Sql, tenant: &str) -> Kept {
    sql.query(bound(WIPE, tenant, [])).await?;
    let first = sql.query(bound(INSERT_NEW, tenant, ["new".into()])).await?;
    let second = sql.query(bound(INSERT_NEW, tenant, ["new".into()])).await?;
    hold(first.len() == 1, "a new row is returned")?;
    hold(second.is_empty(), "a row that was there is not")
}

async fn broken(sql: &impl Sql) -> Kept {
    let outcome = sql.query(Statement::new("select nothing from nowhere", [])).await;
    hold(outcome.is_err(), "a table that is not there must not read as empty")
}

async fn count(sql: &impl Sql, tenant: &str) -> Result<i64, PortError> {
    let rows = sql.query(bound(COUNT, tenant, [])).await?;
    let row = rows.into_iter().next();
    let [count] = row.ok_or_else(|| PortError::new("contract", "a count is one row"))?.columns()?;
    count.integer()
}

async fn directory(edge: &impl Edge) -> Kept {
    let text = "select count(*) from directory_tenants";
    let rows = edge.directory().query(Statement::new(text, [])).await?;
    hold(rows.len() == 1, "the directory answers")
}

async fn wake<E: Edge, S: Store>(edge: &E, store: &S, tenant: &str) -> Kept {
    sql_free(store, tenant).await?;
    let wakes = vec![Wake { function: "selftest".to_owned(), at: edge.now() }];
    store.commit(vec![bound(INSERT, tenant, ["woken".into()])], wakes.clone()).await?;
    store.wake(wakes).await?;
    hold(count(store, tenant).await? == 1, "the batch is committed")
}

async fn sql_free(sql: &impl Sql, tenant: &str) -> Kept {
    sql.query(bound(WIPE, tenant, [])).await.map(drop).map_err(PortError::from)
}

async fn kv(edge: &impl Edge) -> Kept {
    let kv = edge.kv();
    kv.delete("contract").await?;
    hold(kv.get("contract").await?.is_none(), "a missing key reads as none")?;
    kv.put("contract", b"one").await?;
    kv.put("contract", &[0, 255]).await?;
    hold(kv.get("contract").await?.as_deref() == Some(&[0, 255]), "the last write wins")?;
    kv.delete("contract").await?;
    kv.delete("contract").await
}

async fn limiter(edge: &impl Edge, tenant: &str) -> Kept {
    // A key of its own for each run, so that runs do not wait for each other.
    let mut salt = [0; 8];
    edge.random(&mut salt)?;
    let key = format!("contract:{tenant}:{}", data_encoding::HEXLOWER.encode(&salt));
    let (rate, now) = (Rate { limit: 3, period: Duration::from_secs(3) }, edge.now());
    for _ in 0..3 {
        let admitted = edge.admit(&key, rate, now).await? == Admission::Admitted;
        hold(admitted, "a burst of the limit passes")?;
    }
    let refused = edge.admit(&key, rate, now).await?;
    hold(refused == Admission::Refused(Duration::from_secs(1)), "the next one waits a third")?;
    let later = edge.admit(&key, rate, now + Duration::from_secs(1)).await?;
    hold(later == Admission::Admitted, "and passes then, as refusals cost nothing")?;
    several(edge, &key, now).await
}

/// Several questions at once are one.
async fn several(edge: &impl Edge, key: &str, now: Timestamp) -> Kept {
    let limit = |algorithm, units| {
        Limit::new(algorithm, units, 1_000, None).map_err(|err| PortError::new("limiter", err))
    };
    let (wide, narrow) = (limit(Algorithm::FixedWindow, 5)?, limit(Algorithm::Concurrency, 1)?);
    let questions = |wide_act, narrow_act| {
        let question = |part, limit, act| Question { key: format!("{key}:{part}"), limit, act };
        [question("wide", wide, wide_act), question("narrow", narrow, narrow_act)]
    };
    let lease = |name: &str| Act::Lease(1, name.to_owned(), now + Duration::from_secs(60));
    let decide = async |questions: &[Question], now| edge.decide(key, questions, &[], now).await;

    let first = decide(&questions(Act::Take(2), lease("one")), now).await?;
    hold(first.iter().all(|it| it.admitted), "what fits is taken of all")?;
    let second = decide(&questions(Act::Take(2), lease("two")), now).await?;
    let told: Vec<_> = second.iter().map(|it| (it.admitted, it.remaining)).collect();
    hold(told == [(true, 3), (false, 0)], "what one refuses is taken of none")?;
    decide(&questions(Act::Settle(-1, now), Act::Release("one".to_owned())), now).await?;
    let third = decide(&questions(Act::Take(4), lease("two")), now).await?;
    hold(third.iter().all(|it| it.admitted), "what is given back can be taken")
}

/// A blob that no runtime sends or keeps in one piece.
const BLOB_CHUNKS: usize = 6;
const BLOB_CHUNK_BYTES: usize = 1024 * 1024 + 1;

async fn blobs(edge: &impl Edge, tenant: &str) -> Kept {
    let blobs = edge.blobs(tenant);
    let chunk =
        |number: usize| Bytes::from(vec![u8::try_from(number).unwrap_or(0); BLOB_CHUNK_BYTES]);
    let chunks = stream::iter((0..BLOB_CHUNKS).map(|it| Ok(chunk(it))));
    let size = (BLOB_CHUNKS * BLOB_CHUNK_BYTES) as u64;
    blobs.put("contract", stream::iter([Ok(Bytes::from_static(b"before"))])).await?;
    hold(blobs.put("contract", chunks).await? == size, "a put says how much it was")?;

    let whole = read(&blobs, None).await?;
    let expected = (0..BLOB_CHUNKS).flat_map(chunk).collect::<Vec<_>>();
    hold(whole.as_ref() == Some(&(size, expected.clone())), "the whole is as it was put")?;
    let from = BLOB_CHUNK_BYTES - 3;
    let part = read(&blobs, Some(from as u64..from as u64 + 5)).await?;
    let expected = expected.get(from..from + 5).unwrap_or_default().to_vec();
    hold(part == Some((size, expected)), "a part is as it was put")?;
    let beyond = read(&blobs, Some(size..size + 1)).await?;
    hold(beyond == Some((size, Vec::new())), "what is beyond the end is empty")?;

    blobs.delete("contract").await?;
    hold(read(&blobs, None).await?.is_none(), "what was removed is none")?;
    blobs.delete("contract").await
}

async fn broken_blob(edge: &impl Edge, tenant: &str) -> Kept {
    let blobs = edge.blobs(tenant);
    blobs.put("contract", stream::iter([Ok(Bytes::from_static(b"before"))])).await?;
    let large = Bytes::from(vec![0; BLOB_CHUNKS * BLOB_CHUNK_BYTES]);
    let breaks = stream::iter([Ok(large), Err(PortError::new("contract", "the source broke"))]);
    hold(blobs.put("contract", breaks).await.is_err(), "a put that breaks is an error")?;
    let after = read(&blobs, None).await?;
    blobs.delete("contract").await?;
    hold(after == Some((6, b"before".to_vec())), "and what was there is there still")
}

async fn read(
    blobs: &impl Blobs,
    range: Option<Range<u64>>,
) -> Result<Option<(u64, Vec<u8>)>, PortError> {
    let Some(mut blob) = blobs.get("contract", range).await? else { return Ok(None) };
    let mut bytes = Vec::new();
    while let Some(chunk) = blob.chunks.next().await {
        bytes.extend_from_slice(&chunk?);
    }
    Ok(Some((blob.size, bytes)))
}

async fn too_large(edge: &impl Edge, tenant: &str) -> Kept {
    let body = serde_json::Value::String("x".repeat(ITEM_BYTES_MAX));
    let item = Item { id: "contract".to_owned(), body };
    let refused = edge.enqueue(tenant, "selftest", vec![item]).await;
    hold(refused.is_err(), "it must not be cut or lost")
}

fn entropy(edge: &impl Edge) -> Kept {
    let (mut one, mut two) = ([0; 16], [0; 16]);
    edge.random(&mut one)?;
    edge.random(&mut two)?;
    hold(one != two && one != [0; 16], "two draws of 16 bytes differ")
}

async fn config(edge: &impl Edge) -> Kept {
    hold(edge.setting("operator_key").await?.is_some(), "operator_key is set")?;
    hold(edge.setting("contract_missing").await?.is_none(), "contract_missing is not")
}

async fn clock(edge: &impl Edge) -> Kept {
    let before = edge.now();
    edge.sleep(Duration::from_millis(20)).await;
    // Timers may fire a millisecond early.
    hold(edge.now().0 >= before.0 + 19, "20 ms of sleep are 20 ms on the clock")
}

/// Where clouds tell a machine its secrets.
const METADATA: &str = "http://169.254.169.254/latest/meta-data/";

async fn refused(edge: &impl Edge) -> Kept {
    use http::{HeaderMap, Method, Uri};
    let url = METADATA.parse().map_err(|err| PortError::new("contract", err))?;
    let request = crate::ports::HttpRequest {
        method: Method::GET,
        url,
        headers: HeaderMap::new(),
        body: Bytes::new(),
        timeout: Duration::from_secs(2),
        answer_bytes_max: 64,
    };
    let refused = matches!(edge.fetch(request).await, Err(FetchError::Refused));
    hold(refused, "the metadata service must be refused, and not only out of reach")?;
    let mut forwarded = http::Request::new(None);
    *forwarded.uri_mut() = Uri::from_static(METADATA);
    let refused = matches!(edge.forward(forwarded).await, Err(FetchError::Refused));
    hold(refused, "and so must what is handed on to it")
}

#[cfg(test)]
mod tests {
    use pollster::block_on;

    use super::*;
    use crate::memory::Memory;

    #[test]
    fn the_memory_host_keeps_the_contract() {
        let host = Memory::default();

        let checks = block_on(check(&host, &host.store("ten_a"), "ten_a"));

        let broken: Vec<_> = checks.iter().filter(|it| it.broken.is_some()).collect();
        assert!(broken.is_empty(), "{broken:?}");
    }
}
