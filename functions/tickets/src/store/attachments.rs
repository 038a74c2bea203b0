//! Files of tickets, in SQL.

use serde_json::json;
use shared::{
    domain::{Commit, Id},
    ports::{PortError, Row, Tenant, Value},
};

use crate::attachment::{ATTACHMENTS_MAX, Attachment};

const INSERT: &str = "
    insert into ticket_attachments (tenant, id, ticket, attachment)
    select ?1, ?2, ?3, ?4
    where (select count(*) from ticket_attachments where tenant = ?1 and ticket = ?3) < ?5";
const UPDATE: &str = "
    update ticket_attachments set attachment = ?3 where tenant = ?1 and id = ?2";
const FIND: &str = "select attachment from ticket_attachments where tenant = ?1 and id = ?2";
const LIST: &str = "
    select attachment from ticket_attachments
    where tenant = ?1 and ticket = ?2 and id > ?3 order by id limit ?4";

/// Keeps a file, unless its ticket has too many.
pub fn insert_attachment(it: &Attachment) -> Commit {
    let params =
        [Value::from(&it.id), (&it.ticket).into(), (&json!(it)).into(), ATTACHMENTS_MAX.into()];
    Commit::new().write_one(INSERT, params)
}

pub fn update_attachment(it: &Attachment) -> Commit {
    Commit::new().write_one(UPDATE, [Value::from(&it.id), (&json!(it)).into()])
}

pub async fn find_attachment(at: &impl Tenant, id: &str) -> Result<Option<Attachment>, PortError> {
    at.query(FIND, [id.into()]).await?.into_iter().next().map(read).transpose()
}

/// Those of a ticket after the one with this id.
pub async fn list_attachments(
    at: &impl Tenant,
    ticket: &Id,
    after: &str,
    limit: u32,
) -> Result<Vec<Attachment>, PortError> {
    let rows = at.query(LIST, [Value::from(ticket), after.into(), limit.into()]).await?;
    rows.into_iter().map(read).collect()
}

fn read(row: Row) -> Result<Attachment, PortError> {
    let [attachment] = row.columns()?;
    attachment.json()
}
