//! Keys of DKIM in SQL.

use serde_json::json;
use shared::{
    domain::Commit,
    ports::{PortError, Row, Tenant, Value},
};

use crate::dkim_key::{DkimKey, KEYS_MAX};

const FIND: &str = "
    select key, sealed, active, version from notify_dkim_keys where tenant = ?1 and id = ?2";
const LIST: &str = "
    select key, sealed, active, version from notify_dkim_keys where tenant = ?1
    order by domain, algorithm, id desc limit ?2";
const INSERT: &str = "
    insert into notify_dkim_keys (tenant, id, domain, selector, algorithm, active, key, sealed,
      version)
    select ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9
    where (select count(*) from notify_dkim_keys where tenant = ?1) < ?10";
const UPDATE: &str = "
    update notify_dkim_keys set active = ?3, version = ?4
    where tenant = ?1 and id = ?2 and version = ?4 - 1";
// The one that signed before: a domain signs once by an algorithm.
const RETIRE: &str = "
    update notify_dkim_keys set active = 0, version = version + 1
    where tenant = ?1 and domain = ?2 and algorithm = ?3 and id <> ?4 and active = 1";
const DELETE: &str = "
    delete from notify_dkim_keys where tenant = ?1 and id = ?2 and version = ?3";

pub async fn find_dkim_key(at: &impl Tenant, id: &str) -> Result<Option<DkimKey>, PortError> {
    at.query(FIND, [id.into()]).await?.into_iter().next().map(read).transpose()
}

/// All of them: by domain and algorithm, the latest first.
pub async fn list_dkim_keys(at: &impl Tenant) -> Result<Vec<DkimKey>, PortError> {
    at.query(LIST, [KEYS_MAX.into()]).await?.into_iter().map(read).collect()
}

/// Writes a new one, unless there are too many.
pub fn insert_dkim_key(it: &DkimKey) -> Commit {
    let params: [Value; 9] = [
        it.id.as_str().into(),
        it.domain.as_str().into(),
        it.selector.as_str().into(),
        it.algorithm.word().into(),
        i64::from(it.active).into(),
        (&json!(it)).into(),
        it.sealed.as_str().into(),
        it.version.into(),
        KEYS_MAX.into(),
    ];
    Commit::new().write_one(INSERT, params)
}

/// Writes whether it signs, unless it is no longer the version before this; the one that signed
/// before it no longer does.
pub fn update_dkim_key(it: &DkimKey) -> Commit {
    let id = it.id.as_str();
    let active = i64::from(it.active);
    let commit = Commit::new().write_one(UPDATE, [id.into(), active.into(), it.version.into()]);
    match it.active {
        true => {
            let domain = it.domain.as_str().into();
            commit.write(RETIRE, [domain, it.algorithm.word().into(), id.into()])
        }
        false => commit,
    }
}

pub fn delete_dkim_key(it: &DkimKey) -> Commit {
    Commit::new().write_one(DELETE, [it.id.as_str().into(), it.version.into()])
}

fn read(row: Row) -> Result<DkimKey, PortError> {
    let [key, sealed, active, version] = row.columns()?;
    let it: DkimKey = key.json()?;
    Ok(DkimKey {
        sealed: sealed.text()?,
        active: active.integer()? == 1,
        version: version.integer()?,
        ..it
    })
}
