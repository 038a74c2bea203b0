//! The mailbox in SQL.

use shared::{
    domain::{Commit, Id},
    ports::{PortError, Row, Tenant, Value},
};

use crate::mailbox::{CaughtMail, MAILS_MAX};

const INSERT: &str = "
    insert into notify_mailbox (tenant, id, recipient, subject, mime, at_ms)
    values (?1, ?2, ?3, ?4, ?5, ?6)";
const PRUNE: &str = "
    delete from notify_mailbox where tenant = ?1 and id <= (
      select m.id from notify_mailbox m where m.tenant = ?1 order by m.id desc limit 1 offset ?2)";
const LIST: &str = "
    select id, recipient, subject, at_ms from notify_mailbox
    where tenant = ?1 and (?2 is null or id < ?2) order by id desc limit ?3";
const FIND: &str = "select mime from notify_mailbox where tenant = ?1 and id = ?2";

/// Keeps a mail, and lets the oldest go.
pub fn insert_mail(it: &CaughtMail, mime: &[u8]) -> Commit {
    let params: [Value; 5] =
        [(&it.id).into(), (&it.to).into(), (&it.subject).into(), mime.into(), it.at.into()];
    Commit::new().write_one(INSERT, params).write(PRUNE, [MAILS_MAX.into()])
}

/// The mails before the one with the id `before`, the latest first.
pub async fn list_mails(
    at: &impl Tenant,
    before: Option<&str>,
    limit: u32,
) -> Result<Vec<CaughtMail>, PortError> {
    let params: [Value; 2] = [before.map(str::to_owned).into(), limit.into()];
    at.query(LIST, params).await?.into_iter().map(read).collect()
}

/// A mail as it would have gone out.
pub async fn find_mail(at: &impl Tenant, id: &Id) -> Result<Option<Vec<u8>>, PortError> {
    let Some(row) = at.query(FIND, [id.into()]).await?.into_iter().next() else { return Ok(None) };
    let [mime] = row.columns()?;
    mime.blob().map(Some)
}

fn read(row: Row) -> Result<CaughtMail, PortError> {
    let [id, to, subject, at] = row.columns()?;
    Ok(CaughtMail {
        id: Id::trusted(id.text()?),
        to: to.text()?,
        subject: subject.text()?,
        at: at.timestamp()?,
    })
}
