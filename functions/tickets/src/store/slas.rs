//! Promises, and how they stand, in SQL.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde_json::json;
use shared::{
    domain::{Commit, Id, Timestamp},
    ports::{PortError, Row, Tenant, Value},
};

use crate::{
    sla::{
        calendar::Calendar,
        promise::Kind,
        standing::{Due, Kept},
        terms::Promises,
        versions::{Version, Versions},
    },
    ticket::Ticket,
};

const CHANGES: &str = "
    select coalesce((select changes from ticket_promise_changes where tenant = ?1), 0)";
// Exactly one row, unless they were changed since.
const CHANGE: &str = "
    insert into ticket_promise_changes (tenant, changes) values (?1, ?2)
    on conflict (tenant) do update set changes = excluded.changes
    where ticket_promise_changes.changes = ?2 - 1";
// Nothing is different, and it is one row only as long as nothing was ever promised.
const NONE: &str = "
    update tickets set version = version
    where tenant = ?1 and id = ?2
      and not exists (select 1 from ticket_promise_changes where tenant = ?1)";
const ALL: &str = "
    select kind, name, number, applies_from_ms, text from ticket_promises
    where tenant = ?1 order by kind, name, number";
const OF_KIND: &str = "
    select name, number, applies_from_ms, text from ticket_promises
    where tenant = ?1 and kind = ?2 order by name, number";
const OF_NAME: &str = "
    select name, number, applies_from_ms, text from ticket_promises
    where tenant = ?1 and kind = ?2 and name = ?3 order by number";
const BYTES: &str = "
    select coalesce(sum(length(text)), 0) from ticket_promises where tenant = ?1";
const INSERT: &str = "
    insert into ticket_promises (tenant, kind, name, number, applies_from_ms, text)
    values (?1, ?2, ?3, ?4, ?5, ?6)
    on conflict (tenant, kind, name, number) do nothing";
const UNPLAN: &str = "
    delete from ticket_promises
    where tenant = ?1 and kind = ?2 and name = ?3 and applies_from_ms > ?4";
const FORGET: &str = "
    delete from ticket_promises where tenant = ?1 and kind = ?2 and name = ?3";

// One row only as long as the ticket is the version that was looked at.
const KEEP: &str = "
    insert into ticket_slas (tenant, ticket, due_at_ms, standing)
    select ?1, id, ?4, ?5 from tickets where tenant = ?1 and id = ?2 and version = ?3
    on conflict (tenant, ticket) do update set
      due_at_ms = excluded.due_at_ms, standing = excluded.standing";
#[cfg(test)]
const FIND: &str = "select standing from ticket_slas where tenant = ?1 and ticket = ?2";
const LIST_DUE: &str = "
    select s.due_at_ms, s.standing, t.ticket, t.version
    from ticket_slas s join tickets t on t.tenant = ?1 and t.id = s.ticket
    where s.tenant = ?1 and s.due_at_ms is not null and (s.due_at_ms, s.ticket) > (?2, ?3)
    order by s.due_at_ms, s.ticket limit ?4";

/// A version of something that is put by name, with that name.
pub type Named<T> = (String, Version<T>);

/// How often promises were changed; 0 when nothing was ever promised.
pub async fn promise_changes(at: &impl Tenant) -> Result<i64, PortError> {
    integer(at.query(CHANGES, []).await?)
}

/// How large all of them are, in bytes.
pub async fn promise_bytes(at: &impl Tenant) -> Result<i64, PortError> {
    integer(at.query(BYTES, []).await?)
}

fn integer(rows: Vec<Row>) -> Result<i64, PortError> {
    let row = rows.into_iter().next().ok_or_else(|| PortError::new("sql", "no row came back"))?;
    let [it] = row.columns()?;
    it.integer()
}

/// Counts a change, unless there was another since `changes` was read.
pub fn change_promises(changes: i64) -> Commit {
    Commit::new().write_one(CHANGE, [Value::from(changes + 1)])
}

/// A conflict, if something was ever promised.
pub fn no_promises(ticket: &Id) -> Commit {
    Commit::new().write_one(NONE, [Value::from(ticket)])
}

/// All policies and calendars, with their versions.
pub async fn promises(at: &impl Tenant) -> Result<Promises, PortError> {
    let (mut policies, mut calendars) = (BTreeMap::new(), BTreeMap::new());
    for row in at.query(ALL, []).await? {
        let [kind, name, number, applies_from, text] = row.columns()?;
        let row = Row(vec![name, number, applies_from, text]);
        if kind.text()? == Kind::Calendar.word() {
            let (name, it) = version(row)?;
            let what = it.what.map(Calendar::new).transpose();
            let what = what.map_err(|err| PortError::new("sql", err.words()))?;
            let Version { number, applies_from, .. } = it;
            let all: &mut Vec<_> = calendars.entry(name).or_default();
            all.push(Version { number, applies_from, what });
        } else {
            let (name, it) = version(row)?;
            let all: &mut Vec<_> = policies.entry(name).or_default();
            all.push(it);
        }
    }
    Ok(Promises::new(versions(policies), versions(calendars)))
}

fn versions<T>(all: BTreeMap<String, Vec<Version<T>>>) -> BTreeMap<String, Versions<T>> {
    all.into_iter().map(|(name, it)| (name, Versions::new(it))).collect()
}

fn version<T: DeserializeOwned>(row: Row) -> Result<Named<T>, PortError> {
    let [name, number, applies_from, text] = row.columns()?;
    let what = match text {
        Value::Null => None,
        text => Some(text.json()?),
    };
    let (number, applies_from) = (number.integer()?, applies_from.timestamp()?);
    Ok((name.text()?, Version { number, applies_from, what }))
}

/// All versions of all that is of a kind, by name and in the order of the puts.
pub async fn list_promises<T: DeserializeOwned>(
    at: &impl Tenant,
    kind: Kind,
) -> Result<Vec<Named<T>>, PortError> {
    at.query(OF_KIND, [kind.word().into()]).await?.into_iter().map(version).collect()
}

/// All versions of one, in the order of the puts.
pub async fn find_promise<T: DeserializeOwned>(
    at: &impl Tenant,
    kind: Kind,
    name: &str,
) -> Result<Vec<Version<T>>, PortError> {
    let rows = at.query(OF_NAME, [Value::from(kind.word()), name.into()]).await?;
    rows.into_iter().map(|it| version(it).map(|(_, it)| it)).collect()
}

/// Adds a version, if there is none of this number.
pub fn put_promise(
    kind: Kind,
    name: &str,
    number: i64,
    applies_from: Timestamp,
    text: Option<String>,
) -> Commit {
    let params: [Value; 5] =
        [kind.word().into(), name.into(), number.into(), applies_from.into(), text.into()];
    Commit::new().write_one(INSERT, params)
}

/// Removes the versions of one that do not apply yet.
pub fn unplan_promise(kind: Kind, name: &str, now: Timestamp) -> Commit {
    Commit::new().write(UNPLAN, [Value::from(kind.word()), name.into(), now.into()])
}

/// Removes all versions of one.
pub fn forget_promise(kind: Kind, name: &str) -> Commit {
    Commit::new().write(FORGET, [Value::from(kind.word()), name.into()])
}

/// Keeps how a ticket stands, unless it is no longer as it was read.
pub fn keep_standing(ticket: &Ticket, it: &Kept) -> Commit {
    let params: [Value; 4] =
        [(&ticket.id).into(), ticket.version.into(), it.due_at().into(), (&json!(it)).into()];
    Commit::new().write_one(KEEP, params)
}

/// How a ticket stood when it was last looked at: what is kept is compared with the log.
#[cfg(test)]
pub async fn find_standing(at: &impl Tenant, ticket: &str) -> Result<Option<Kept>, PortError> {
    let row = at.query(FIND, [ticket.into()]).await?.into_iter().next();
    row.map(|row| row.columns().and_then(|[it]| it.json())).transpose()
}

/// Tickets of which something is due, after this place, the soonest first.
pub async fn list_due(
    at: &impl Tenant,
    after: (Timestamp, &str),
    limit: u32,
) -> Result<Vec<Due>, PortError> {
    let params: [Value; 3] = [after.0.into(), after.1.into(), limit.into()];
    at.query(LIST_DUE, params).await?.into_iter().map(due).collect()
}

fn due(row: Row) -> Result<Due, PortError> {
    let [due_at, standing, ticket, version] = row.columns()?;
    let Kept { targets } = standing.json()?;
    let ticket = Ticket { version: version.integer()?, ..ticket.json()? };
    Ok(Due { ticket, due_at: due_at.timestamp()?, targets })
}
