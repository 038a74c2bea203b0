//! The SQL of apps.

use shared::{
    domain::Commit,
    ports::{PortError, Row, Tenant, Value},
};

use super::app::{APPS_MAX, App};

const FIND: &str = "select name, version, body from gate_apps where tenant = ?1 and name = ?2";
const LIST: &str = "
    select name, version, body from gate_apps
    where tenant = ?1 and name > ?2 order by name limit ?3";
const INSERT: &str = "
    insert into gate_apps (tenant, name, version, body)
    select ?1, ?2, ?3, ?4
    where (select count(*) from gate_apps where tenant = ?1) < ?5
    on conflict (tenant, name) do nothing";
const UPDATE: &str = "
    update gate_apps set version = ?3, body = ?4
    where tenant = ?1 and name = ?2 and version = ?5";
const DELETE: &str = "delete from gate_apps where tenant = ?1 and name = ?2 and version = ?3";

pub async fn find(at: &impl Tenant, name: &str) -> Result<Option<App>, PortError> {
    at.query(FIND, [name.into()]).await?.into_iter().next().map(read).transpose()
}

pub async fn list(at: &impl Tenant, after: &str, limit: u32) -> Result<Vec<App>, PortError> {
    at.query(LIST, [after.into(), limit.into()]).await?.into_iter().map(read).collect()
}

/// Writes an app, unless it is no longer the version that was read, or there are too many.
pub fn put(it: &App, read: Option<i64>) -> Commit {
    let body = serde_json::to_value(it).unwrap_or_default();
    let last = read.unwrap_or(i64::try_from(APPS_MAX).unwrap_or(i64::MAX));
    let params: [Value; 4] = [(&it.name).into(), it.version.into(), (&body).into(), last.into()];
    Commit::new().write_one(if read.is_some() { UPDATE } else { INSERT }, params)
}

/// Removes an app, unless it is no longer this version.
pub fn delete(it: &App) -> Commit {
    Commit::new().write_one(DELETE, [Value::from(&it.name), it.version.into()])
}

fn read(row: Row) -> Result<App, PortError> {
    let [name, version, body] = row.columns()?;
    Ok(App { name: name.text()?, version: version.integer()?, ..body.json()? })
}
