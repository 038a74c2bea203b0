//! Hooks in SQL.

use serde_json::json;
use shared::{
    domain::Commit,
    ports::{PortError, Row, Tenant, Value},
};

use crate::hook::{HOOKS_MAX, Hook};

const FIND: &str = "
    select hook, sealed, version from notify_hooks where tenant = ?1 and name = ?2";
const LIST: &str = "
    select hook, sealed, version from notify_hooks
    where tenant = ?1 and name > ?2 order by name limit ?3";
const INSERT: &str = "
    insert into notify_hooks (tenant, name, hook, sealed, version)
    select ?1, ?2, ?3, ?4, ?5
    where (select count(*) from notify_hooks where tenant = ?1) < ?6
    on conflict (tenant, name) do nothing";
const UPDATE: &str = "
    update notify_hooks set hook = ?3, sealed = ?4, version = ?5
    where tenant = ?1 and name = ?2 and version = ?5 - 1";
const DELETE: &str = "delete from notify_hooks where tenant = ?1 and name = ?2 and version = ?3";

pub async fn find_hook(at: &impl Tenant, name: &str) -> Result<Option<Hook>, PortError> {
    at.query(FIND, [name.into()]).await?.into_iter().next().map(read).transpose()
}

/// The hooks after the one with this name.
pub async fn list_hooks(at: &impl Tenant, after: &str, limit: u32) -> Result<Vec<Hook>, PortError> {
    at.query(LIST, [after.into(), limit.into()]).await?.into_iter().map(read).collect()
}

/// Writes it, unless it is no longer the version before this, or there are too many.
pub fn put_hook(it: &Hook) -> Commit {
    let mut params: Vec<Value> = vec![
        it.name.as_str().into(),
        (&json!(it)).into(),
        it.sealed.as_str().into(),
        it.version.into(),
    ];
    if it.version > 1 {
        return Commit::new().write_one(UPDATE, params);
    }
    params.push(HOOKS_MAX.into());
    Commit::new().write_one(INSERT, params)
}

pub fn delete_hook(it: &Hook) -> Commit {
    Commit::new().write_one(DELETE, [Value::from(it.name.as_str()), it.version.into()])
}

fn read(row: Row) -> Result<Hook, PortError> {
    let [hook, sealed, version] = row.columns()?;
    let it: Hook = hook.json()?;
    Ok(Hook { sealed: sealed.text()?, version: version.integer()?, ..it })
}
