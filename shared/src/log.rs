//! A tenant's log: how entries are appended, and read again.

use crate::{
    domain::{Draft, Entry, Principal, Timestamp},
    ports::{PortError, Row, Statement, Tenant, Value},
};

/// How many entries are read at once at most.
pub const READ_MAX: u32 = 200;

// The place comes from the log itself, in the statement that takes it: no gap, no race.
const APPEND: &str = "
    insert into log (tenant, sequence, at_ms, actor, action, subject, entry, leaf)
    select ?1, coalesce(max(sequence), 0) + 1, ?2, ?3, ?4, ?5, ?6, ?7 from log where tenant = ?1";

const READ: &str = "
    select sequence, at_ms, actor, action, subject, entry, leaf from log
    where tenant = ?1 and sequence > ?2 order by sequence limit ?3";

const READ_SUBJECT: &str = "
    select sequence, at_ms, actor, action, subject, entry, leaf from log
    where tenant = ?1 and sequence > ?2 and subject = ?4 order by sequence limit ?3";

const HEAD: &str = "select coalesce(max(sequence), 0) from log where tenant = ?1";

/// The statement that appends `draft`.
///
/// # Errors
/// When its data cannot be written as JSON.
pub fn append(
    draft: &Draft,
    principal: &Principal,
    now: Timestamp,
) -> Result<Statement, PortError> {
    let leaf = draft.leaf(&principal.actor, now).map_err(|err| PortError::new("log", err))?;
    Ok(Statement::new(
        APPEND,
        [
            Value::from(&principal.tenant),
            now.into(),
            principal.actor.to_string().into(),
            draft.action.into(),
            (&draft.subject).into(),
            leaf.text.into(),
            leaf.leaf.into(),
        ],
    ))
}

/// The entries after `sequence`, at most `limit` of them, of one subject or of all.
///
/// # Errors
/// When the database cannot be read.
pub async fn read(
    tenant: &impl Tenant,
    after: i64,
    limit: u32,
    subject: Option<&str>,
) -> Result<Vec<Entry>, PortError> {
    let limit = Value::from(limit.min(READ_MAX + 1));
    let rows = match subject {
        None => tenant.query(READ, [after.into(), limit]).await?,
        Some(it) => tenant.query(READ_SUBJECT, [after.into(), limit, it.into()]).await?,
    };
    rows.into_iter().map(entry).collect()
}

/// The sequence of the last entry; 0 when there is none.
///
/// # Errors
/// When the database cannot be read.
pub async fn head(tenant: &impl Tenant) -> Result<i64, PortError> {
    let rows = tenant.query(HEAD, []).await?;
    rows.into_iter().next().map_or(Ok(0), |row| {
        let [head] = row.columns()?;
        head.integer()
    })
}

fn entry(row: Row) -> Result<Entry, PortError> {
    let [sequence, at, actor, action, subject, entry, leaf] = row.columns()?;
    let text: serde_json::Value = entry.json()?;
    Ok(Entry {
        sequence: sequence.integer()?,
        at: at.timestamp()?,
        actor: actor.text()?,
        action: action.text()?,
        subject: subject.text()?,
        data: text.get("data").cloned().unwrap_or_default(),
        leaf: leaf.text()?,
    })
}
