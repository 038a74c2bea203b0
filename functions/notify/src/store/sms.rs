//! The account for short messages in SQL.

use serde_json::json;
use shared::{
    domain::Commit,
    ports::{PortError, Tenant, Value},
};

use crate::sms::SmsAccount;

const FIND: &str = "select account, sealed, version from notify_sms where tenant = ?1";
const INSERT: &str = "
    insert into notify_sms (tenant, account, sealed, version) values (?1, ?2, ?3, ?4)
    on conflict (tenant) do nothing";
const UPDATE: &str = "
    update notify_sms set account = ?2, sealed = ?3, version = ?4
    where tenant = ?1 and version = ?4 - 1";
const DELETE: &str = "delete from notify_sms where tenant = ?1 and version = ?2";

pub async fn find_sms(at: &impl Tenant) -> Result<Option<SmsAccount>, PortError> {
    let Some(row) = at.query(FIND, []).await?.into_iter().next() else { return Ok(None) };
    let [account, sealed, version] = row.columns()?;
    let it: SmsAccount = account.json()?;
    Ok(Some(SmsAccount { sealed: sealed.text()?, version: version.integer()?, ..it }))
}

/// Writes it, unless it is no longer the version before this.
pub fn put_sms(it: &SmsAccount) -> Commit {
    let text = if it.version == 1 { INSERT } else { UPDATE };
    let params: [Value; 3] = [(&json!(it)).into(), it.sealed.as_str().into(), it.version.into()];
    Commit::new().write_one(text, params)
}

pub fn delete_sms(it: &SmsAccount) -> Commit {
    Commit::new().write_one(DELETE, [Value::from(it.version)])
}
