//! Payment accounts, events and mirrors in SQL.

use serde_json::json;
use shared::{
    domain::{Commit, Timestamp},
    ports::{PortError, Row, Tenant},
};

use crate::{
    account::{ACCOUNTS_MAX, Account},
    incoming::{EventState, StoredEvent},
    mirror::Object,
    reconcile::{Drift, Look},
    statement::Statement,
};

const FIND_ACCOUNT: &str = "
    select body, sealed, version from payment_accounts where tenant = ?1 and id = ?2";
const LIST_ACCOUNTS: &str = "
    select body, sealed, version from payment_accounts
    where tenant = ?1 and id > ?2 order by id limit ?3";
const INSERT_ACCOUNT: &str = "
    insert into payment_accounts (tenant, id, body, sealed, version)
    select ?1, ?2, ?3, ?4, ?5
    where (select count(*) from payment_accounts where tenant = ?1) < ?6";
const COUNT_ACCOUNTS: &str = "select count(*) from payment_accounts where tenant = ?1";
const UPDATE_ACCOUNT: &str = "
    update payment_accounts set body = ?3, sealed = ?4, version = ?5
    where tenant = ?1 and id = ?2 and version = ?5 - 1";
const DELETE_ACCOUNT: &str = "
    delete from payment_accounts where tenant = ?1 and id = ?2 and version = ?3";

const INSERT_EVENT: &str = "
    insert into payment_events (tenant, account, id, sequence, kind, object, state, created_ms,
      received_ms, api_version, connect, body)
    values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
    on conflict (tenant, account, id) do nothing";
const FIND_EVENT: &str = "
    select id, sequence, account, kind, object, state, created_ms, received_ms, api_version,
      connect, body from payment_events where tenant = ?1 and account = ?2 and id = ?3";
const LIST_EVENTS: &str = "
    select id, sequence, account, kind, object, state, created_ms, received_ms, api_version,
      connect, null from payment_events
    where tenant = ?1 and account = ?2 and (?3 is null or state = ?3) and sequence > ?4
    order by sequence limit ?5";
const EVENTS_BETWEEN: &str = "
    select id, sequence, account, kind, object, state, created_ms, received_ms, api_version,
      connect, body from payment_events
    where tenant = ?1 and account = ?2 and created_ms >= ?3 and created_ms < ?4
      and sequence > ?5 and state = 'stored' order by sequence limit ?6";
const FIRST_REFUSAL: &str = "
    insert into payment_refusals (tenant, account, hour_ms, reason, count)
    values (?1, ?2, ?3, ?4, 1) on conflict (tenant, account, hour_ms, reason) do nothing";
const COUNT_REFUSAL: &str = "
    update payment_refusals set count = count + 1
    where tenant = ?1 and account = ?2 and hour_ms = ?3 and reason = ?4";

const FIND_OBJECT: &str = "
    select body, version from payment_objects
    where tenant = ?1 and account = ?2 and id = ?3";
const INSERT_OBJECT: &str = "
    insert into payment_objects (tenant, account, id, kind, body, version, fetched_ms)
    values (?1, ?2, ?3, ?4, ?5, ?6, ?7) on conflict (tenant, account, id) do nothing";
const UPDATE_OBJECT: &str = "
    update payment_objects set kind = ?4, body = ?5, version = ?6, fetched_ms = ?7
    where tenant = ?1 and account = ?2 and id = ?3 and version = ?6 - 1";
const FIND_CUSTOMER: &str = "
    select reference from payment_customers
    where tenant = ?1 and account = ?2 and customer = ?3";
const PUT_CUSTOMER: &str = "
    insert into payment_customers (tenant, account, customer, reference) values (?1, ?2, ?3, ?4)
    on conflict (tenant, account, customer) do update set reference = excluded.reference";

const FIND_LOOK: &str = "
    select body, version from payment_reconciles where tenant = ?1 and account = ?2";
const INSERT_LOOK: &str = "
    insert into payment_reconciles (tenant, account, body, version) values (?1, ?2, ?3, ?4)
    on conflict (tenant, account) do nothing";
const UPDATE_LOOK: &str = "
    update payment_reconciles set body = ?3, version = ?4
    where tenant = ?1 and account = ?2 and version = ?4 - 1";
const FIND_STATEMENT: &str = "
    select body, version from payment_statements where tenant = ?1 and account = ?2";
const INSERT_STATEMENT: &str = "
    insert into payment_statements (tenant, account, body, version) values (?1, ?2, ?3, ?4)
    on conflict (tenant, account) do nothing";
const UPDATE_STATEMENT: &str = "
    update payment_statements set body = ?3, version = ?4
    where tenant = ?1 and account = ?2 and version = ?4 - 1";
const PUT_DRIFT: &str = "
    insert into payment_drift (tenant, account, object, kind, ours, theirs, found_ms)
    values (?1, ?2, ?3, ?4, ?5, ?6, ?7)
    on conflict (tenant, account, object) do update
      set ours = excluded.ours, theirs = excluded.theirs, found_ms = excluded.found_ms";
const LIST_DRIFT: &str = "
    select object, kind, ours, theirs, found_ms from payment_drift
    where tenant = ?1 and account = ?2 and object > ?3 order by object limit ?4";

pub async fn find_account(at: &impl Tenant, id: &str) -> Result<Option<Account>, PortError> {
    at.query(FIND_ACCOUNT, [id.into()]).await?.into_iter().next().map(read_account).transpose()
}

pub async fn list_accounts(
    at: &impl Tenant,
    after: &str,
    limit: u32,
) -> Result<Vec<Account>, PortError> {
    let rows = at.query(LIST_ACCOUNTS, [after.into(), limit.into()]).await?;
    rows.into_iter().map(read_account).collect()
}

fn read_account(row: Row) -> Result<Account, PortError> {
    let [body, sealed, version] = row.columns()?;
    let it: Account = body.json()?;
    Ok(Account { sealed: sealed.text()?, version: version.integer()?, ..it })
}

/// Keeps a new account, unless there are as many as there may be.
pub fn insert_account(it: &Account) -> Commit {
    let params = [
        (&it.id).into(),
        (&json!(it)).into(),
        (&it.sealed).into(),
        it.version.into(),
        ACCOUNTS_MAX.into(),
    ];
    Commit::new().write_one(INSERT_ACCOUNT, params)
}

pub async fn count_accounts(at: &impl Tenant) -> Result<i64, PortError> {
    let rows = at.query(COUNT_ACCOUNTS, []).await?;
    rows.into_iter().next().map_or(Ok(0), |row| row.columns().and_then(|[it]| it.integer()))
}

/// Writes the account, unless the one before is no longer the version before.
pub fn update_account(it: &Account) -> Commit {
    let params = [(&it.id).into(), (&json!(it)).into(), (&it.sealed).into(), it.version.into()];
    Commit::new().write_one(UPDATE_ACCOUNT, params)
}

pub fn delete_account(it: &Account) -> Commit {
    Commit::new().write_one(DELETE_ACCOUNT, [(&it.id).into(), it.version.into()])
}

/// Keeps an event, unless it came before.
pub fn insert_event(it: &StoredEvent) -> Commit {
    let params = [
        (&it.account).into(),
        (&it.id).into(),
        (&it.sequence).into(),
        (&it.kind).into(),
        it.object.as_ref().into(),
        it.state.word().into(),
        it.created_at.into(),
        it.received_at.into(),
        it.api_version.as_ref().into(),
        it.connect.as_ref().into(),
        it.body.as_deref().unwrap_or_default().into(),
    ];
    Commit::new().write_one(INSERT_EVENT, params)
}

pub async fn find_event(
    at: &impl Tenant,
    account: &str,
    id: &str,
) -> Result<Option<StoredEvent>, PortError> {
    let rows = at.query(FIND_EVENT, [account.into(), id.into()]).await?;
    rows.into_iter().next().map(read_event).transpose()
}

/// Events in the order in which they came, without their bodies.
pub async fn list_events(
    at: &impl Tenant,
    account: &str,
    state: Option<&str>,
    after: &str,
    limit: u32,
) -> Result<Vec<StoredEvent>, PortError> {
    let params = [account.into(), state.into(), after.into(), limit.into()];
    at.query(LIST_EVENTS, params).await?.into_iter().map(read_event).collect()
}

/// Events that were made in a stretch of time, with their bodies.
pub async fn events_between(
    at: &impl Tenant,
    account: &str,
    from: Timestamp,
    to: Timestamp,
    after: &str,
    limit: u32,
) -> Result<Vec<StoredEvent>, PortError> {
    let params = [account.into(), from.into(), to.into(), after.into(), limit.into()];
    at.query(EVENTS_BETWEEN, params).await?.into_iter().map(read_event).collect()
}

fn read_event(row: Row) -> Result<StoredEvent, PortError> {
    let [id, sequence, account, kind, object, state, created, received, version, connect, body] =
        row.columns()?;
    Ok(StoredEvent {
        id: id.text()?,
        sequence: sequence.text()?,
        account: account.text()?,
        kind: kind.text()?,
        object: object.optional_text()?,
        state: match state.text()?.as_str() {
            "quarantined" => EventState::Quarantined,
            "other_mode" => EventState::OtherMode,
            _ => EventState::Stored,
        },
        created_at: created.timestamp()?,
        received_at: received.timestamp()?,
        api_version: version.optional_text()?,
        connect: connect.optional_text()?,
        body: body.optional_text()?,
    })
}

/// The first refusal of an hour, unless there was one.
pub fn first_refusal(account: &str, reason: &str, hour: Timestamp) -> Commit {
    Commit::new().write_one(FIRST_REFUSAL, [account.into(), hour.into(), reason.into()])
}

pub fn count_refusal(account: &str, reason: &str, hour: Timestamp) -> Commit {
    Commit::new().write(COUNT_REFUSAL, [account.into(), hour.into(), reason.into()])
}

/// What is known of an object, and how often that changed.
pub async fn find_object(
    at: &impl Tenant,
    account: &str,
    id: &str,
) -> Result<Option<(Object, i64)>, PortError> {
    let rows = at.query(FIND_OBJECT, [account.into(), id.into()]).await?;
    let Some(row) = rows.into_iter().next() else { return Ok(None) };
    let [body, version] = row.columns()?;
    Ok(Some((body.json()?, version.integer()?)))
}

/// Writes what is known of an object, unless it is not the next version of what is there.
pub fn put_object(account: &str, id: &str, it: &Object, version: i64, now: Timestamp) -> Commit {
    let body = json!(it);
    let kind = body.get("kind").and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
    let params =
        [account.into(), id.into(), kind.into(), (&body).into(), version.into(), now.into()];
    let text = if version == 1 { INSERT_OBJECT } else { UPDATE_OBJECT };
    Commit::new().write_one(text, params)
}

/// The provider's id of a customer.
pub async fn find_customer(
    at: &impl Tenant,
    account: &str,
    customer: &str,
) -> Result<Option<String>, PortError> {
    let rows = at.query(FIND_CUSTOMER, [account.into(), customer.into()]).await?;
    let Some(row) = rows.into_iter().next() else { return Ok(None) };
    let [reference] = row.columns()?;
    reference.optional_text()
}

pub fn put_customer(account: &str, customer: &str, reference: &str) -> Commit {
    let params = [account.into(), customer.into(), reference.into()];
    Commit::new().write_one(PUT_CUSTOMER, params)
}

pub async fn find_look(at: &impl Tenant, account: &str) -> Result<Option<Look>, PortError> {
    let rows = at.query(FIND_LOOK, [account.into()]).await?;
    let Some(row) = rows.into_iter().next() else { return Ok(None) };
    let [body, version] = row.columns()?;
    let it: Look = body.json()?;
    Ok(Some(Look { version: version.integer()?, ..it }))
}

/// Writes how far a look is, unless it is not the next version of what is there.
pub fn put_look(account: &str, it: &Look) -> Commit {
    let params = [account.into(), (&json!(it)).into(), it.version.into()];
    let text = if it.version == 1 { INSERT_LOOK } else { UPDATE_LOOK };
    Commit::new().write_one(text, params)
}

pub async fn find_statement(
    at: &impl Tenant,
    account: &str,
) -> Result<Option<Statement>, PortError> {
    let rows = at.query(FIND_STATEMENT, [account.into()]).await?;
    let Some(row) = rows.into_iter().next() else { return Ok(None) };
    let [body, version] = row.columns()?;
    let it: Statement = body.json()?;
    Ok(Some(Statement { version: version.integer()?, ..it }))
}

/// Writes how far a statement is, unless it is not the next version of what is there.
pub fn put_statement(account: &str, it: &Statement) -> Commit {
    let params = [account.into(), (&json!(it)).into(), it.version.into()];
    let text = if it.version == 1 { INSERT_STATEMENT } else { UPDATE_STATEMENT };
    Commit::new().write_one(text, params)
}

pub fn put_drift(account: &str, it: &Drift) -> Commit {
    let params = [
        account.into(),
        (&it.object).into(),
        (&it.kind).into(),
        it.ours.as_ref().into(),
        (&it.theirs).into(),
        it.found_at.into(),
    ];
    Commit::new().write(PUT_DRIFT, params)
}

pub async fn list_drift(
    at: &impl Tenant,
    account: &str,
    after: &str,
    limit: u32,
) -> Result<Vec<Drift>, PortError> {
    let read = |row: Row| {
        let [object, kind, ours, theirs, found_at] = row.columns()?;
        let ours = ours.optional_text()?;
        Ok(Drift {
            object: object.text()?,
            kind: kind.text()?,
            ours: ours.and_then(|it| serde_json::from_str(&it).ok()),
            theirs: theirs.json()?,
            found_at: found_at.timestamp()?,
        })
    };
    let params = [account.into(), after.into(), limit.into()];
    at.query(LIST_DRIFT, params).await?.into_iter().map(read).collect()
}
