//! Mailboxes, in SQL.

use serde_json::json;
use shared::{
    domain::Commit,
    ports::{PortError, Row, Tenant, Value},
};

use crate::inlet::mailbox::{MAILBOXES_MAX, Mailbox};

const INSERT: &str = "
    insert into ticket_mailboxes (tenant, id, address, mailbox, sealed, version)
    select ?1, ?2, ?3, ?4, ?5, 1
    where (select count(*) from ticket_mailboxes where tenant = ?1) < ?6
    on conflict do nothing";
const UPDATE: &str = "
    update ticket_mailboxes set mailbox = ?3, sealed = ?4, version = ?5
    where tenant = ?1 and id = ?2 and version = ?5 - 1";
const DELETE: &str = "delete from ticket_mailboxes where tenant = ?1 and id = ?2";
const FIND: &str = "
    select mailbox, sealed, version from ticket_mailboxes where tenant = ?1 and id = ?2";
const FIND_AT: &str = "
    select mailbox, sealed, version from ticket_mailboxes where tenant = ?1 and address = ?2";
const LIST: &str = "
    select mailbox, sealed, version from ticket_mailboxes
    where tenant = ?1 and id > ?2 order by id limit ?3";

pub fn insert_mailbox(it: &Mailbox) -> Commit {
    let params = [
        Value::from(&it.id),
        it.address.as_str().into(),
        (&json!(it)).into(),
        it.sealed.as_str().into(),
        MAILBOXES_MAX.into(),
    ];
    Commit::new().write_one(INSERT, params)
}

/// Writes one, unless what is there is no longer the version before it.
pub fn update_mailbox(it: &Mailbox) -> Commit {
    let params =
        [Value::from(&it.id), (&json!(it)).into(), it.sealed.as_str().into(), it.version.into()];
    Commit::new().write_one(UPDATE, params)
}

pub fn delete_mailbox(id: &str) -> Commit {
    Commit::new().write_one(DELETE, [id.into()])
}

pub async fn find_mailbox(at: &impl Tenant, id: &str) -> Result<Option<Mailbox>, PortError> {
    at.query(FIND, [id.into()]).await?.into_iter().next().map(read).transpose()
}

/// The one with this address, in lower case.
pub async fn find_mailbox_at(
    at: &impl Tenant,
    address: &str,
) -> Result<Option<Mailbox>, PortError> {
    at.query(FIND_AT, [address.into()]).await?.into_iter().next().map(read).transpose()
}

pub async fn list_mailboxes(
    at: &impl Tenant,
    after: &str,
    limit: u32,
) -> Result<Vec<Mailbox>, PortError> {
    at.query(LIST, [Value::from(after), limit.into()]).await?.into_iter().map(read).collect()
}

fn read(row: Row) -> Result<Mailbox, PortError> {
    let [mailbox, sealed, version] = row.columns()?;
    let mailbox: Mailbox = mailbox.json()?;
    Ok(Mailbox { sealed: sealed.text()?, version: version.integer()?, ..mailbox })
}
