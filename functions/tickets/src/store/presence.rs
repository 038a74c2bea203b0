//! Who is at a ticket, in SQL.

use shared::{
    domain::{Commit, Id, Timestamp},
    ports::{PortError, Tenant, Value},
};

use crate::ticket::presence::Present;

const PUT: &str = "
    insert into ticket_presence (tenant, ticket, member, doing, until_ms)
    values (?1, ?2, ?3, ?4, ?5)
    on conflict (tenant, ticket, member) do update set doing = excluded.doing,
      until_ms = excluded.until_ms";
const DELETE: &str = "
    delete from ticket_presence where tenant = ?1 and ticket = ?2 and member = ?3";
const PRUNE: &str = "
    delete from ticket_presence where tenant = ?1 and ticket = ?2 and until_ms <= ?3";
const LIST: &str = "
    select member, doing, until_ms from ticket_presence
    where tenant = ?1 and ticket = ?2 and until_ms > ?3 order by member limit ?4";

/// Writes that somebody is there, and forgets who was.
pub fn put_presence(ticket: &Id, it: &Present, now: Timestamp) -> Commit {
    let params: [Value; 4] =
        [ticket.into(), it.member.as_str().into(), it.doing.word().into(), it.until.into()];
    Commit::new().write(PRUNE, [Value::from(ticket), now.into()]).write(PUT, params)
}

pub fn delete_presence(ticket: &Id, member: &str) -> Commit {
    Commit::new().write(DELETE, [Value::from(ticket), member.into()])
}

pub async fn list_presence(
    at: &impl Tenant,
    ticket: &str,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<Present>, PortError> {
    let rows = at.query(LIST, [Value::from(ticket), now.into(), limit.into()]).await?;
    rows.into_iter().map(|row| row.columns().and_then(Present::read)).collect()
}
