//! Providers in SQL.

use serde_json::json;
use shared::{
    domain::Commit,
    ports::{PortError, Row, Tenant, Value},
};

use crate::provider::{PROVIDERS_MAX, Provider};

const FIND: &str = "
    select provider, sealed, version from notify_providers where tenant = ?1 and id = ?2";
// There are few, and all of them are wanted.
const LIST: &str = "
    select provider, sealed, version from notify_providers where tenant = ?1
    order by provider ->> '$.priority', id limit ?2";
const INSERT: &str = "
    insert into notify_providers (tenant, id, provider, sealed, version)
    select ?1, ?2, ?3, ?4, ?5
    where (select count(*) from notify_providers where tenant = ?1) < ?6";
const UPDATE: &str = "
    update notify_providers set provider = ?3, sealed = ?4, version = ?5
    where tenant = ?1 and id = ?2 and version = ?5 - 1";
const DELETE: &str = "
    delete from notify_providers where tenant = ?1 and id = ?2 and version = ?3";

pub async fn find_provider(at: &impl Tenant, id: &str) -> Result<Option<Provider>, PortError> {
    at.query(FIND, [id.into()]).await?.into_iter().next().map(read).transpose()
}

/// All of them, in the order in which they are asked.
pub async fn list_providers(at: &impl Tenant) -> Result<Vec<Provider>, PortError> {
    at.query(LIST, [PROVIDERS_MAX.into()]).await?.into_iter().map(read).collect()
}

fn params(it: &Provider) -> [Value; 4] {
    [it.id.as_str().into(), (&json!(it)).into(), it.sealed.as_str().into(), it.version.into()]
}

/// Writes a new one, unless there are too many.
pub fn insert_provider(it: &Provider) -> Commit {
    let mut all = params(it).to_vec();
    all.push(PROVIDERS_MAX.into());
    Commit::new().write_one(INSERT, all)
}

/// Writes it, unless it is no longer the version before this.
pub fn update_provider(it: &Provider) -> Commit {
    Commit::new().write_one(UPDATE, params(it))
}

pub fn delete_provider(it: &Provider) -> Commit {
    Commit::new().write_one(DELETE, [it.id.as_str().into(), it.version.into()])
}

fn read(row: Row) -> Result<Provider, PortError> {
    let [provider, sealed, version] = row.columns()?;
    let it: Provider = provider.json()?;
    Ok(Provider { sealed: sealed.text()?, version: version.integer()?, ..it })
}
