//! Plans in SQL.

use serde_json::json;
use shared::{
    domain::Commit,
    ports::{PortError, Row, Tenant, Value},
};

use crate::quota::plan::{PLANS_MAX, UsagePlan};

const FIND: &str = "
    select name, quotas, version, updated_at_ms from gate_plans where tenant = ?1 and name = ?2";
const LIST: &str = "
    select name, quotas, version, updated_at_ms from gate_plans
    where tenant = ?1 and name > ?2 order by name limit ?3";
const INSERT: &str = "
    insert into gate_plans (tenant, name, quotas, version, updated_at_ms)
    values (?1, ?2, ?3, ?4, ?5) on conflict (tenant, name) do nothing";
const UPDATE: &str = "
    update gate_plans set quotas = ?3, version = ?4, updated_at_ms = ?5
    where tenant = ?1 and name = ?2 and version = ?6";
// Not while somebody has it.
const DELETE: &str = "
    delete from gate_plans where tenant = ?1 and name = ?2 and version = ?3 and not exists (
      select 1 from gate_subjects s where s.tenant = ?1 and s.plan = ?2)";

pub async fn find_plan(at: &impl Tenant, name: &str) -> Result<Option<UsagePlan>, PortError> {
    at.query(FIND, [name.into()]).await?.into_iter().next().map(read).transpose()
}

pub async fn list_plans(
    at: &impl Tenant,
    after: &str,
    limit: u32,
) -> Result<Vec<UsagePlan>, PortError> {
    at.query(LIST, [after.into(), limit.into()]).await?.into_iter().map(read).collect()
}

/// All plans of the tenant.
pub async fn all_plans(at: &impl Tenant) -> Result<Vec<UsagePlan>, PortError> {
    list_plans(at, "", u32::try_from(PLANS_MAX).unwrap_or(u32::MAX)).await
}

/// Writes the plan, unless the one before is no longer the version that was `read`.
pub fn put_plan(it: &UsagePlan, read: Option<i64>) -> Commit {
    let mut params: Vec<Value> = vec![
        (&it.name).into(),
        (&json!(it.quotas)).into(),
        it.version.into(),
        it.updated_at.into(),
    ];
    match read {
        None => Commit::new().write_one(INSERT, params),
        Some(read) => {
            params.push(read.into());
            Commit::new().write_one(UPDATE, params)
        }
    }
}

pub fn delete_plan(it: &UsagePlan) -> Commit {
    Commit::new().write_one(DELETE, [(&it.name).into(), it.version.into()])
}

fn read(row: Row) -> Result<UsagePlan, PortError> {
    let [name, quotas, version, updated_at] = row.columns()?;
    Ok(UsagePlan {
        name: name.text()?,
        quotas: quotas.json()?,
        updated_at: updated_at.timestamp()?,
        version: version.integer()?,
    })
}
