//! What was found at providers, and what differs, in SQL.

use serde_json::{Value, json};
use shared::{
    domain::{Commit, Timestamp},
    ports::{PortError, Row, Tenant},
};

use crate::clearing::{
    Claim, Drift, Kind,
    booking::{Booked, Movement},
};

const KNOWN: &str = "
    select id from billing_movements
    where tenant = ?1 and account = ?2 and id in (select value from json_each(?3))";
const INSERT_MOVEMENT: &str = "
    insert into billing_movements (tenant, account, id, claim, kind, currency, amount, fee, net,
      at_ms, body)
    values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
    on conflict (tenant, account, id) do nothing";
const LIST_MOVEMENTS: &str = "
    select account, body from billing_movements
    where tenant = ?1 and (?2 = '' or account = ?2) and (account, id) > (?3, ?4)
    order by account, id limit ?5";
const LIST_MOVEMENTS_OF: &str = "
    select account, body from billing_movements
    where tenant = ?1 and account = ?2 and claim = ?3 and id > ?4 order by id limit ?5";
const ADD: &str = "
    insert into billing_claims (tenant, account, key, kind, currency, found, told, cleared,
      fee_told, fee_cleared, movements, since_ms, drift, drift_sum, settled)
    values (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0, ?8, 0, ?9, ?10, null, 0, 0)
    on conflict (tenant, account, key, kind, currency) do update set
      found = found + excluded.found, told = told + excluded.told,
      fee_told = fee_told + excluded.fee_told, movements = movements + excluded.movements,
      since_ms = max(since_ms, excluded.since_ms), settled = 0";
const SET: &str = "
    insert into billing_claims (tenant, account, key, kind, currency, found, told, cleared,
      fee_told, fee_cleared, movements, since_ms, drift, drift_sum, settled)
    values (?1, ?2, ?3, 'balance', ?3, ?4, ?5, 0, 0, 0, 0, ?6, null, 0, 0)
    on conflict (tenant, account, key, kind, currency) do update set
      found = excluded.found, told = excluded.told, since_ms = excluded.since_ms, settled = 0";
const HAS: &str = "
    select count(*) from billing_claims
    where tenant = ?1 and account = ?2 and key = ?3 and kind = ?4 and currency = ?5";
const OPEN: &str = "
    select account, key, kind, currency, found, told, cleared, fee_told, fee_cleared, movements,
      since_ms, drift, drift_sum from billing_claims
    where tenant = ?1 and account = ?2 and settled = 0 and (key, kind, currency) > (?3, ?4, ?5)
    order by key, kind, currency limit ?6";
const DRIFTED: &str = "
    select account, key, kind, currency, found, told, cleared, fee_told, fee_cleared, movements,
      since_ms, drift, drift_sum from billing_claims
    where tenant = ?1 and drift is not null and (?2 = '' or account = ?2)
      and (account, key, kind, currency) > (?3, ?4, ?5, ?6)
    order by account, key, kind, currency limit ?7";
// Changes one row only while nobody else has added to it or cleared it.
const JUDGE: &str = "
    update billing_claims set cleared = ?9, fee_cleared = ?10, drift = ?11, drift_sum = ?12,
      settled = ?13
    where tenant = ?1 and account = ?2 and key = ?3 and kind = ?4 and currency = ?5
      and found = ?6 and told = ?7 and cleared = ?8";
const PUT_STATEMENT: &str = "
    insert into billing_statements (tenant, account, number, body) values (?1, ?2, ?3, ?4)
    on conflict (tenant, account) do update set number = excluded.number, body = excluded.body
    where number < excluded.number";
const STATEMENTS: &str = "
    select body from billing_statements
    where tenant = ?1 and (?2 = '' or account = ?2) order by account limit ?3";
const PUT_PART: &str = "
    insert into billing_statement_parts (tenant, account, number, part) values (?1, ?2, ?3, ?4)
    on conflict (tenant, account, number, part) do nothing";
const PARTS: &str = "
    select coalesce(sum(number = ?3), 0), coalesce(sum(number > ?3), 0)
    from billing_statement_parts where tenant = ?1 and account = ?2 and number >= ?3";
const DROP_PARTS: &str = "
    delete from billing_statement_parts where tenant = ?1 and account = ?2 and number <= ?3";

/// Which of these movements are booked.
pub async fn known_movements(
    at: &impl Tenant,
    account: &str,
    ids: &[&str],
) -> Result<Vec<String>, PortError> {
    let read = |row: Row| row.columns().and_then(|[id]| id.text());
    at.query(KNOWN, [account.into(), (&json!(ids)).into()]).await?.into_iter().map(read).collect()
}

/// Keeps a movement, unless it is kept.
pub fn insert_movement(account: &str, claim: &str, it: &Movement, when: Timestamp) -> Commit {
    let params = [
        account.into(),
        (&it.id).into(),
        claim.into(),
        it.kind.word().into(),
        (&it.currency).into(),
        it.net.saturating_add(it.fee).into(),
        it.fee.into(),
        it.net.into(),
        when.into(),
        (&json!(it)).into(),
    ];
    Commit::new().write_one(INSERT_MOVEMENT, params)
}

/// The movements of one account or of all (`""`), or of one claim of one account, after this one.
pub async fn list_movements(
    at: &impl Tenant,
    account: &str,
    claim: Option<&str>,
    after: [&str; 2],
    limit: u32,
) -> Result<Vec<Booked>, PortError> {
    let [after_account, id] = after;
    let rows = match claim {
        Some(it) => {
            let params = [account.into(), it.into(), id.into(), limit.into()];
            at.query(LIST_MOVEMENTS_OF, params).await?
        }
        None => {
            let params = [account.into(), after_account.into(), id.into(), limit.into()];
            at.query(LIST_MOVEMENTS, params).await?
        }
    };
    let read = |row: Row| {
        let [account, body] = row.columns()?;
        Ok(Booked { account: account.text()?, movement: body.json()? })
    };
    rows.into_iter().map(read).collect()
}

/// Adds what was found or told to a claim.
pub fn add_to_claim(it: &Claim) -> Commit {
    let params = [
        (&it.account).into(),
        (&it.key).into(),
        it.kind.word().into(),
        (&it.currency).into(),
        it.found.into(),
        it.told.into(),
        it.fee_told.into(),
        it.movements.into(),
        it.since.into(),
    ];
    Commit::new().write_one(ADD, params)
}

/// Sets the claim of what an account has.
pub fn set_balance(account: &str, currency: &str, found: i64, told: i64, at: Timestamp) -> Commit {
    let params = [account.into(), currency.into(), found.into(), told.into(), at.into()];
    Commit::new().write_one(SET, params)
}

/// Whether there is such a claim.
pub async fn has_claim(at: &impl Tenant, it: &Claim) -> Result<bool, PortError> {
    let params =
        [(&it.account).into(), (&it.key).into(), it.kind.word().into(), (&it.currency).into()];
    Ok(super::number(at.query(HAS, params).await?)? > 0)
}

/// Claims of an account that are not settled, after this one.
pub async fn open_claims(
    at: &impl Tenant,
    account: &str,
    after: [&str; 3],
    limit: u32,
) -> Result<Vec<Claim>, PortError> {
    let [key, kind, currency] = after;
    let params = [account.into(), key.into(), kind.into(), currency.into(), limit.into()];
    at.query(OPEN, params).await?.into_iter().map(read_claim).collect()
}

/// Claims that differ, of one account or of all (`""`), after this one.
pub async fn drifted_claims(
    at: &impl Tenant,
    account: &str,
    after: [&str; 4],
    limit: u32,
) -> Result<Vec<Claim>, PortError> {
    let mut params = vec![account.into()];
    params.extend(after.map(Into::into));
    params.push(limit.into());
    at.query(DRIFTED, params).await?.into_iter().map(read_claim).collect()
}

fn read_claim(row: Row) -> Result<Claim, PortError> {
    let [
        account,
        key,
        kind,
        currency,
        found,
        told,
        cleared,
        fee_told,
        fee_cleared,
        movements,
        since,
        drift,
        drift_sum,
    ] = row.columns()?;
    let drift = drift.optional_text()?.and_then(|it| Drift::of(&it));
    let sum = drift_sum.integer()?;
    Ok(Claim {
        account: account.text()?,
        key: key.text()?,
        kind: Kind::of(&kind.text()?),
        currency: currency.text()?,
        found: found.integer()?,
        told: told.integer()?,
        cleared: cleared.integer()?,
        fee_told: fee_told.integer()?,
        fee_cleared: fee_cleared.integer()?,
        movements: movements.integer()?,
        since: since.timestamp()?,
        drift: drift.map(|it| (it, sum)),
    })
}

/// Writes what became of a claim, unless it is not as it was any more.
pub fn judge_claim(before: &Claim, after: &Claim) -> Commit {
    let settled = after.differs().is_none() && after.to_clear() == (0, 0);
    let params = [
        (&before.account).into(),
        (&before.key).into(),
        before.kind.word().into(),
        (&before.currency).into(),
        before.found.into(),
        before.told.into(),
        before.cleared.into(),
        after.cleared.into(),
        after.fee_cleared.into(),
        after.drift.map(|it| it.0.word()).into(),
        after.drift.map_or(0, |it| it.1).into(),
        settled.into(),
    ];
    Commit::new().write_one(JUDGE, params)
}

/// Keeps a statement, unless a later one is kept.
pub fn put_statement(account: &str, number: i64, body: &Value) -> Commit {
    Commit::new().write_one(PUT_STATEMENT, [account.into(), number.into(), body.into()])
}

/// The last statements, of one account or of all (`""`), as the provider's side told them.
pub async fn statements(
    at: &impl Tenant,
    account: &str,
    limit: u32,
) -> Result<Vec<Value>, PortError> {
    let rows = at.query(STATEMENTS, [account.into(), limit.into()]).await?;
    rows.into_iter().map(|row| row.columns().and_then(|[body]| body.json())).collect()
}

/// Notes that a part of a statement is booked.
pub fn put_part(account: &str, number: i64, part: i64) -> Commit {
    Commit::new().write(PUT_PART, [account.into(), number.into(), part.into()])
}

/// How many parts of a statement are booked, and of later ones.
pub async fn parts(at: &impl Tenant, account: &str, number: i64) -> Result<(i64, i64), PortError> {
    let rows = at.query(PARTS, [account.into(), number.into()]).await?;
    let Some(row) = rows.into_iter().next() else { return Ok((0, 0)) };
    let [these, later] = row.columns()?;
    Ok((these.integer()?, later.integer()?))
}

/// Forgets the parts of a statement and of those before it.
pub fn drop_parts(account: &str, number: i64) -> Commit {
    Commit::new().write(DROP_PARTS, [account.into(), number.into()])
}
