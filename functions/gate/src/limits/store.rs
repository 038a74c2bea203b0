//! The SQL of limits.

use shared::{
    domain::Commit,
    ports::{PortError, Row, Tenant, Value},
};

use super::policy::{POLICIES_MAX, Policy};

const FIND: &str = "
    select name, version, body from gate_policies where tenant = ?1 and name = ?2";
const LIST: &str = "
    select name, version, body from gate_policies
    where tenant = ?1 and name > ?2 order by name limit ?3";
const INSERT: &str = "
    insert into gate_policies (tenant, name, version, body)
    select ?1, ?2, ?3, ?4
    where (select count(*) from gate_policies where tenant = ?1) < ?5
    on conflict (tenant, name) do nothing";
const UPDATE: &str = "
    update gate_policies set version = ?3, body = ?4
    where tenant = ?1 and name = ?2 and version = ?5";
const DELETE: &str = "delete from gate_policies where tenant = ?1 and name = ?2";

pub async fn find_policy(at: &impl Tenant, name: &str) -> Result<Option<Policy>, PortError> {
    at.query(FIND, [name.into()]).await?.into_iter().next().map(read).transpose()
}

pub async fn list_policies(
    at: &impl Tenant,
    after: &str,
    limit: u32,
) -> Result<Vec<Policy>, PortError> {
    at.query(LIST, [after.into(), limit.into()]).await?.into_iter().map(read).collect()
}

/// Writes a policy, unless it is no longer the version that was read, or there are too many.
pub fn put_policy(it: &Policy, read: Option<i64>) -> Commit {
    let body = serde_json::to_value(it).unwrap_or_default();
    let last = read.unwrap_or(i64::try_from(POLICIES_MAX).unwrap_or(i64::MAX));
    let params: [Value; 4] = [(&it.name).into(), it.version.into(), (&body).into(), last.into()];
    Commit::new().write_one(if read.is_some() { UPDATE } else { INSERT }, params)
}

pub fn delete_policy(name: &str) -> Commit {
    Commit::new().write_one(DELETE, [name.into()])
}

fn read(row: Row) -> Result<Policy, PortError> {
    let [name, version, body] = row.columns()?;
    Ok(Policy { name: name.text()?, version: version.integer()?, ..body.json()? })
}
