//! Mails that came in, in SQL.

use serde_json::json;
use shared::{
    domain::{Commit, Id},
    ports::{PortError, Row, Tenant, Value},
};

use crate::inlet::mail::Mail;

const INSERT: &str = "
    insert into ticket_mails (tenant, id, mailbox, known_by, state, mail)
    values (?1, ?2, ?3, ?4, ?5, ?6)
    on conflict do nothing";
const UPDATE: &str = "
    update ticket_mails set state = ?3, mail = ?4 where tenant = ?1 and id = ?2 and state = ?5";
const FIND: &str = "select mail from ticket_mails where tenant = ?1 and id = ?2";
const FIND_KNOWN: &str = "
    select mail from ticket_mails where tenant = ?1 and mailbox = ?2 and known_by = ?3";
const LIST: &str = "
    select mail from ticket_mails where tenant = ?1 and id < ?2 order by id desc limit ?3";
const LIST_IN_STATE: &str = "
    select mail from ticket_mails
    where tenant = ?1 and state = ?4 and id < ?2 order by id desc limit ?3";
const WROTE_IN: &str = "
    select 1 from ticket_messages
    where tenant = ?1 and ticket = ?2 and json_extract(message, '$.from.email') = ?3 limit 1";
const LAST_REPLY: &str = "
    select id from ticket_messages
    where tenant = ?1 and ticket = ?2 and json_extract(message, '$.kind') = 'reply'
    order by id desc limit 1";

/// Keeps a mail, unless its mailbox knows it.
pub fn insert_mail(it: &Mail, known_by: &str) -> Commit {
    let params = [
        Value::from(&it.id),
        (&it.mailbox).into(),
        known_by.into(),
        it.state.word().into(),
        (&json!(it)).into(),
    ];
    Commit::new().write_one(INSERT, params)
}

/// Writes what became of a mail that was in the state of `before`.
pub fn update_mail(before: &Mail, it: &Mail) -> Commit {
    let (was, is) = (before.state.word(), it.state.word());
    let params = [Value::from(&it.id), is.into(), (&json!(it)).into(), was.into()];
    Commit::new().write_one(UPDATE, params)
}

pub async fn find_mail_by_id(at: &impl Tenant, id: &str) -> Result<Option<Mail>, PortError> {
    at.query(FIND, [id.into()]).await?.into_iter().next().map(read).transpose()
}

/// The mail that the mailbox knows by this.
pub async fn find_known_mail(
    at: &impl Tenant,
    mailbox: &Id,
    known_by: &str,
) -> Result<Option<Mail>, PortError> {
    let rows = at.query(FIND_KNOWN, [mailbox.into(), known_by.into()]).await?;
    rows.into_iter().next().map(read).transpose()
}

/// Those before the one with this id, the latest first.
pub async fn list_mails(
    at: &impl Tenant,
    state: Option<&str>,
    before: &str,
    limit: u32,
) -> Result<Vec<Mail>, PortError> {
    let rows = match state {
        None => at.query(LIST, [Value::from(before), limit.into()]).await?,
        Some(it) => at.query(LIST_IN_STATE, [Value::from(before), limit.into(), it.into()]).await?,
    };
    rows.into_iter().map(read).collect()
}

/// Whether somebody with this address, in lower case, said something in a ticket.
pub async fn wrote_in(at: &impl Tenant, ticket: &Id, email: &str) -> Result<bool, PortError> {
    Ok(!at.query(WROTE_IN, [ticket.into(), email.into()]).await?.is_empty())
}

/// The last answer in a ticket.
pub async fn last_reply(at: &impl Tenant, ticket: &Id) -> Result<Option<String>, PortError> {
    let rows = at.query(LAST_REPLY, [ticket.into()]).await?;
    rows.into_iter().next().map(|row| row.columns().and_then(|[id]| id.text())).transpose()
}

fn read(row: Row) -> Result<Mail, PortError> {
    let [mail] = row.columns()?;
    mail.json()
}
