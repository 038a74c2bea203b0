//! Sources, messages and refusals in SQL.

use shared::{
    domain::{Commit, Id, Timestamp},
    ports::{PortError, Row, Tenant, Value},
};

use crate::{
    message::{Delivery, Headers, Message},
    recipe::Recipe,
    refusals::SourceError,
    source::{self, SOURCES_MAX, Source},
};

const INSERT_SOURCE: &str = "
    insert into webhook_sources
      (tenant, id, name, recipe, secrets, target, created_at_ms, version, publish)
    select ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9
    where (select count(*) from webhook_sources where tenant = ?1) < ?10";
const COUNT_SOURCES: &str = "select count(*) from webhook_sources where tenant = ?1";
const FIND_SOURCE: &str = "
    select id, name, recipe, secrets, target, created_at_ms, version, publish, alerted_at_ms
    from webhook_sources where tenant = ?1 and id = ?2";
const LIST_SOURCES: &str = "
    select id, name, recipe, secrets, target, created_at_ms, version, publish, alerted_at_ms
    from webhook_sources where tenant = ?1 and id > ?2 order by id limit ?3";
const UPDATE_SOURCE: &str = "
    update webhook_sources set name = ?3, secrets = ?4, target = ?5, version = ?6, publish = ?8
    where tenant = ?1 and id = ?2 and version = ?7";
const ALERT: &str = "
    update webhook_sources set alerted_at_ms = ?3 where tenant = ?1 and id = ?2";
const DELETE_SOURCE: &str = "delete from webhook_sources where tenant = ?1 and id = ?2";

const PRUNE_DEDUPE: &str = "delete from webhook_dedupe where tenant = ?1 and until_ms <= ?2";
// The first to come has it, until its window is over.
const CLAIM_DEDUPE: &str = "
    insert into webhook_dedupe (tenant, source, dedupe, message, until_ms)
    values (?1, ?2, ?3, ?4, ?5)
    on conflict (tenant, source, dedupe) do nothing";
const FIND_DUPLICATE: &str = "
    select message from webhook_dedupe where tenant = ?1 and source = ?2 and dedupe = ?3";

const INSERT_MESSAGE: &str = "
    insert into webhook_messages
      (tenant, id, source, dedupe, event_type, headers, body, received_at_ms, delivery,
       expires_at_ms)
    values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
const FIND_MESSAGE: &str = "
    select id, source, dedupe, event_type, received_at_ms, delivery, attempts, last_status,
      last_error, delivered_at_ms, headers, body
    from webhook_messages where tenant = ?1 and id = ?2";
const LIST_MESSAGES: &str = "
    select id, source, dedupe, event_type, received_at_ms, delivery, attempts, last_status,
      last_error, delivered_at_ms
    from webhook_messages where tenant = ?1 and id < ?2 order by id desc limit ?3";
const LIST_MESSAGES_OF: &str = "
    select id, source, dedupe, event_type, received_at_ms, delivery, attempts, last_status,
      last_error, delivered_at_ms
    from webhook_messages where tenant = ?1 and source = ?4 and id < ?2
    order by id desc limit ?3";
const MESSAGES_IN: &str = "
    select id, source, dedupe, event_type, received_at_ms, delivery, attempts, last_status,
      last_error, delivered_at_ms
    from webhook_messages
    where tenant = ?1 and source = ?2 and id > ?3 and received_at_ms >= ?4 and received_at_ms < ?5
    order by id limit ?6";
const MESSAGES_AFTER: &str = "
    select id, source, dedupe, event_type, received_at_ms, delivery, attempts, last_status,
      last_error, delivered_at_ms, headers, body
    from webhook_messages where tenant = ?1 and source = ?2 and id > ?3 order by id limit ?4";
const UPDATE_DELIVERY: &str = "
    update webhook_messages set delivery = ?3, attempts = attempts + ?4, last_status = ?5,
      last_error = ?6, delivered_at_ms = ?7
    where tenant = ?1 and id = ?2";

const PRUNE_REFUSALS: &str = "delete from webhook_refusals where tenant = ?1 and hour_ms <= ?2";
// The sample is the first one's: a flood of others does not wash it away.
const COUNT_REFUSAL: &str = "
    insert into webhook_refusals
      (tenant, source, code, hour_ms, count, last_at_ms, detail, headers, body)
    values (?1, ?2, ?3, ?4, 1, ?5, ?6, ?7, ?8)
    on conflict (tenant, source, code, hour_ms) do update set
      count = count + 1, last_at_ms = excluded.last_at_ms, detail = excluded.detail";
const LIST_REFUSALS: &str = "
    select code, detail, hour_ms, count, last_at_ms, headers, body from webhook_refusals
    where tenant = ?1 and source = ?2 order by hour_ms desc, code limit ?3";

pub fn insert_source(it: &Source) -> Commit {
    let params: [Value; 9] = [
        (&it.id).into(),
        (&it.name).into(),
        (&serde_json::json!(it.recipe)).into(),
        (&it.sealed).into(),
        it.target.as_deref().into(),
        it.created_at.into(),
        it.version.into(),
        published(it),
        SOURCES_MAX.into(),
    ];
    Commit::new().write_one(INSERT_SOURCE, params)
}

pub async fn count_sources(at: &impl Tenant) -> Result<i64, PortError> {
    let rows = at.query(COUNT_SOURCES, []).await?;
    rows.into_iter().next().map_or(Ok(0), |row| row.columns().and_then(|[it]| it.integer()))
}

pub async fn find_source(at: &impl Tenant, id: &Id) -> Result<Option<Source>, PortError> {
    let rows = at.query(FIND_SOURCE, [id.into()]).await?;
    rows.into_iter().next().map(read_source).transpose()
}

pub async fn list_sources(
    at: &impl Tenant,
    after: &str,
    limit: u32,
) -> Result<Vec<Source>, PortError> {
    let rows = at.query(LIST_SOURCES, [after.into(), limit.into()]).await?;
    rows.into_iter().map(read_source).collect()
}

/// Writes the source, unless it is no longer the version that was `read`.
pub fn update_source(it: &Source, read: i64) -> Commit {
    let params: [Value; 7] = [
        (&it.id).into(),
        (&it.name).into(),
        (&it.sealed).into(),
        it.target.as_deref().into(),
        it.version.into(),
        read.into(),
        published(it),
    ];
    Commit::new().write_one(UPDATE_SOURCE, params)
}

fn published(it: &Source) -> Value {
    it.publish.as_ref().map(|it| serde_json::json!(it).to_string()).into()
}

/// Remembers since when somebody knows that webhooks of this source are refused.
pub fn alert_source(id: &Id, at: Option<Timestamp>) -> Commit {
    Commit::new().write_one(ALERT, [id.into(), at.into()])
}

pub fn delete_source(id: &Id) -> Commit {
    Commit::new().write_one(DELETE_SOURCE, [id.into()])
}

fn read_source(row: Row) -> Result<Source, PortError> {
    let [id, name, recipe, sealed, target, created_at, version, publish, alerted_at] =
        row.columns()?;
    let id = Id::trusted(id.text()?);
    let recipe: Recipe = recipe.json()?;
    Ok(Source {
        name: name.text()?,
        path: source::path(&id),
        warnings: recipe.warnings(),
        recipe,
        target: target.optional_text()?,
        publish: match publish {
            Value::Null => None,
            other => Some(other.json()?),
        },
        created_at: created_at.timestamp()?,
        version: version.integer()?,
        sealed: sealed.text()?,
        alerted_at: alerted_at.optional_timestamp()?,
        id,
    })
}

/// Claims the id that a source's provider gives a message, for the message that we make of it; a
/// conflict when it came before.
pub fn claim_dedupe(
    (source, provider_id, message): (&Id, &str, &Id),
    now: Timestamp,
    until: Timestamp,
) -> Commit {
    let params: [Value; 4] = [source.into(), provider_id.into(), message.into(), until.into()];
    Commit::new().write(PRUNE_DEDUPE, [now.into()]).write_one(CLAIM_DEDUPE, params)
}

pub async fn find_duplicate(
    at: &impl Tenant,
    source: &Id,
    provider_id: &str,
) -> Result<Option<Id>, PortError> {
    let rows = at.query(FIND_DUPLICATE, [source.into(), provider_id.into()]).await?;
    let row = rows.into_iter().next();
    row.map(|it| it.columns().and_then(|[id]| id.text()).map(Id::trusted)).transpose()
}

/// Keeps a message until it expires.
pub fn insert_message(it: &Message, headers: &Headers, body: &[u8], expires: Timestamp) -> Commit {
    let params: [Value; 9] = [
        (&it.id).into(),
        (&it.source).into(),
        (&it.provider_id).into(),
        it.event_type.as_deref().into(),
        (&serde_json::json!(headers)).into(),
        body.into(),
        it.received_at.into(),
        it.delivery.as_str().into(),
        expires.into(),
    ];
    Commit::new().write_one(INSERT_MESSAGE, params)
}

pub async fn find_message(
    at: &impl Tenant,
    id: &Id,
) -> Result<Option<(Message, Headers, Vec<u8>)>, PortError> {
    let rows = at.query(FIND_MESSAGE, [id.into()]).await?;
    rows.into_iter().next().map(read_full).transpose()
}

fn read_full(Row(mut values): Row) -> Result<(Message, Headers, Vec<u8>), PortError> {
    let (body, headers) = (values.pop(), values.pop());
    let (Some(body), Some(headers)) = (body, headers) else { return Err(impossible("a row")) };
    Ok((read_message(Row(values))?, headers.json()?, body.blob()?))
}

/// What a source has received after this message, whole.
pub async fn messages_after(
    at: &impl Tenant,
    source: &Id,
    after: &str,
    limit: u32,
) -> Result<Vec<(Message, Headers, Vec<u8>)>, PortError> {
    let rows = at.query(MESSAGES_AFTER, [source.into(), after.into(), limit.into()]).await?;
    rows.into_iter().map(read_full).collect()
}

/// What a source has received in this time, after this message.
pub async fn messages_in(
    at: &impl Tenant,
    source: &Id,
    (since, until): (Timestamp, Timestamp),
    after: &str,
    limit: u32,
) -> Result<Vec<Message>, PortError> {
    let params = [source.into(), after.into(), since.into(), until.into(), limit.into()];
    at.query(MESSAGES_IN, params).await?.into_iter().map(read_message).collect()
}

pub async fn list_messages(
    at: &impl Tenant,
    source: Option<&Id>,
    before: &str,
    limit: u32,
) -> Result<Vec<Message>, PortError> {
    let (before, limit) = (Value::from(before), Value::from(limit));
    let rows = match source {
        None => at.query(LIST_MESSAGES, [before, limit]).await?,
        Some(it) => at.query(LIST_MESSAGES_OF, [before, limit, it.into()]).await?,
    };
    rows.into_iter().map(read_message).collect()
}

/// Writes what became of a delivery, and that there were this many attempts more.
pub fn update_delivery(it: &Message, attempts: u32) -> Commit {
    let params: [Value; 6] = [
        (&it.id).into(),
        it.delivery.as_str().into(),
        attempts.into(),
        it.last_status.map(u32::from).into(),
        it.last_error.as_deref().into(),
        it.delivered_at.into(),
    ];
    Commit::new().write_one(UPDATE_DELIVERY, params)
}

fn read_message(row: Row) -> Result<Message, PortError> {
    let [
        id,
        source,
        provider_id,
        event_type,
        received_at,
        delivery,
        attempts,
        last_status,
        last_error,
        delivered_at,
    ] = row.columns()?;
    let delivery = Delivery::parse(&delivery.text()?);
    Ok(Message {
        id: Id::trusted(id.text()?),
        source: Id::trusted(source.text()?),
        provider_id: provider_id.text()?,
        event_type: event_type.optional_text()?,
        received_at: received_at.timestamp()?,
        delivery: delivery.ok_or_else(|| impossible("webhook_messages.delivery"))?,
        attempts: u32::try_from(attempts.integer()?).unwrap_or(u32::MAX),
        last_status: match last_status {
            Value::Null => None,
            other => u16::try_from(other.integer()?).ok(),
        },
        last_error: last_error.optional_text()?,
        delivered_at: delivered_at.optional_timestamp()?,
    })
}

/// Counts a refusal, and drops those from before `kept`.
pub fn count_refusal(source: &Id, it: &SourceError, body: &[u8], kept: Timestamp) -> Commit {
    let params: [Value; 7] = [
        source.into(),
        (&it.code).into(),
        it.hour.into(),
        it.last_at.into(),
        (&it.detail).into(),
        (&serde_json::json!(it.sample_headers)).into(),
        body.into(),
    ];
    Commit::new().write(PRUNE_REFUSALS, [kept.into()]).write(COUNT_REFUSAL, params)
}

pub async fn list_refusals(
    at: &impl Tenant,
    source: &Id,
    limit: u32,
) -> Result<Vec<SourceError>, PortError> {
    let rows = at.query(LIST_REFUSALS, [source.into(), limit.into()]).await?;
    rows.into_iter().map(read_refusal).collect()
}

fn read_refusal(row: Row) -> Result<SourceError, PortError> {
    let [code, detail, hour, count, last_at, headers, body] = row.columns()?;
    Ok(SourceError {
        code: code.text()?,
        detail: detail.text()?,
        hour: hour.timestamp()?,
        count: count.integer()?,
        last_at: last_at.timestamp()?,
        sample_headers: headers.json()?,
        sample_body: String::from_utf8_lossy(&body.blob()?).into_owned(),
    })
}

fn impossible(what: &str) -> PortError {
    PortError::new("sql", format!("{what} holds what was never written"))
}
