//! Teams, macros and forms in SQL.

use serde_json::{Value as Json, json};
use shared::{
    domain::Commit,
    ports::{PortError, Row, Tenant, Value},
};

use crate::desk::tool::Tool;

const FIND: &str = "
    select name, tool, version from ticket_tools where tenant = ?1 and kind = ?2 and name = ?3";
const LIST: &str = "
    select name, tool, version from ticket_tools
    where tenant = ?1 and kind = ?2 and name > ?3 order by name limit ?4";
const INSERT: &str = "
    insert into ticket_tools (tenant, kind, name, tool, version)
    select ?1, ?2, ?3, ?4, ?5
    where (select count(*) from ticket_tools where tenant = ?1 and kind = ?2) < ?6
    on conflict (tenant, kind, name) do nothing";
const UPDATE: &str = "
    update ticket_tools set tool = ?4, version = ?5
    where tenant = ?1 and kind = ?2 and name = ?3 and version = ?5 - 1";
const DELETE: &str = "
    delete from ticket_tools where tenant = ?1 and kind = ?2 and name = ?3 and version = ?4";
const UNKNOWN_MEMBERS: &str = "
    select value from json_each(?2)
    where value not in (select id from members where tenant = ?1) limit 1";

pub async fn find_tool<T: Tool>(at: &impl Tenant, name: &str) -> Result<Option<T>, PortError> {
    let rows = at.query(FIND, [Value::from(T::KIND), name.into()]).await?;
    rows.into_iter().next().map(read_tool).transpose()
}

/// Those after the one with this name.
pub async fn list_tools<T: Tool>(
    at: &impl Tenant,
    after: &str,
    limit: u32,
) -> Result<Vec<T>, PortError> {
    let params = [Value::from(T::KIND), after.into(), limit.into()];
    at.query(LIST, params).await?.into_iter().map(read_tool).collect()
}

/// Writes it, unless it is no longer the version before this, or there are too many.
pub fn put_tool<T: Tool>(it: &T) -> Commit {
    let (name, version) = it.label();
    let mut params: Vec<Value> =
        vec![T::KIND.into(), name.into(), (&json!(it)).into(), version.into()];
    if version > 1 {
        return Commit::new().write_one(UPDATE, params);
    }
    params.push(T::MAX.into());
    Commit::new().write_one(INSERT, params)
}

pub fn delete_tool<T: Tool>(it: &T) -> Commit {
    let (name, version) = it.label();
    Commit::new().write_one(DELETE, [Value::from(T::KIND), name.into(), version.into()])
}

/// One of these that is the id of no member.
pub async fn unknown_member(at: &impl Tenant, ids: &[String]) -> Result<Option<String>, PortError> {
    let row = at.query(UNKNOWN_MEMBERS, [(&json!(ids)).into()]).await?.into_iter().next();
    row.map(|row| row.columns().and_then(|[id]| id.text())).transpose()
}

/// A row with name, tool and version.
pub fn read_tool<T: Tool>(row: Row) -> Result<T, PortError> {
    let [name, tool, version] = row.columns()?;
    let tool: T =
        serde_json::from_value(tool.json::<Json>()?).map_err(|err| PortError::new("sql", err))?;
    Ok(tool.labelled(name.text()?, version.integer()?))
}
