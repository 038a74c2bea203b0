//! Workflows in SQL.

use serde_json::json;
use shared::{
    domain::Commit,
    ports::{PortError, Row, Tenant, Value},
};

use crate::workflow::{WORKFLOWS_MAX, Workflow};

const FIND: &str = "
    select kind, workflow, version, updated_at_ms from notify_workflows
    where tenant = ?1 and kind = ?2";
const LIST: &str = "
    select kind, workflow, version, updated_at_ms from notify_workflows
    where tenant = ?1 and kind > ?2 order by kind limit ?3";
const COUNT: &str = "select count(*) from notify_workflows where tenant = ?1";
const INSERT: &str = "
    insert into notify_workflows (tenant, kind, workflow, version, updated_at_ms)
    select ?1, ?2, ?3, ?4, ?5
    where (select count(*) from notify_workflows where tenant = ?1) < ?6
    on conflict (tenant, kind) do nothing";
const UPDATE: &str = "
    update notify_workflows set workflow = ?3, version = ?4, updated_at_ms = ?5
    where tenant = ?1 and kind = ?2 and version = ?6";
const DELETE: &str = "
    delete from notify_workflows where tenant = ?1 and kind = ?2 and version = ?3";

pub async fn find_workflow(at: &impl Tenant, kind: &str) -> Result<Option<Workflow>, PortError> {
    at.query(FIND, [kind.into()]).await?.into_iter().next().map(read).transpose()
}

pub async fn list_workflows(
    at: &impl Tenant,
    after: &str,
    limit: u32,
) -> Result<Vec<Workflow>, PortError> {
    at.query(LIST, [after.into(), limit.into()]).await?.into_iter().map(read).collect()
}

pub async fn count_workflows(at: &impl Tenant) -> Result<i64, PortError> {
    let Some(row) = at.query(COUNT, []).await?.into_iter().next() else { return Ok(0) };
    let [count] = row.columns()?;
    count.integer()
}

/// Writes the workflow, unless the one before is no longer the version that was `read`.
pub fn put_workflow(it: &Workflow, read: Option<i64>) -> Commit {
    let mut params: Vec<Value> =
        vec![(&it.kind).into(), (&json!(it.text)).into(), it.version.into(), it.updated_at.into()];
    match read {
        None => {
            params.push(WORKFLOWS_MAX.into());
            Commit::new().write_one(INSERT, params)
        }
        Some(read) => {
            params.push(read.into());
            Commit::new().write_one(UPDATE, params)
        }
    }
}

pub fn delete_workflow(it: &Workflow) -> Commit {
    Commit::new().write_one(DELETE, [(&it.kind).into(), it.version.into()])
}

fn read(row: Row) -> Result<Workflow, PortError> {
    let [kind, text, version, updated_at] = row.columns()?;
    Ok(Workflow {
        kind: kind.text()?,
        text: text.json()?,
        version: version.integer()?,
        updated_at: updated_at.timestamp()?,
    })
}
