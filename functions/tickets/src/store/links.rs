//! Links between tickets, in SQL.

use shared::{
    domain::{Commit, Id},
    ports::{PortError, Tenant, Value},
};

use crate::ticket::link::{Kind, Link};

const INSERT: &str = "
    insert into ticket_links (tenant, ticket, kind, other) values (?1, ?2, ?3, ?4)
    on conflict do nothing";
const DELETE: &str = "
    delete from ticket_links where tenant = ?1 and ticket = ?2 and kind = ?3 and other = ?4";
const LIST: &str = "
    select kind, other from ticket_links where tenant = ?1 and ticket = ?2
    order by kind, other limit ?3";

/// Writes a link from both sides, unless it is there.
pub fn insert_link(ticket: &Id, kind: Kind, other: &Id) -> Commit {
    let there = [Value::from(ticket), kind.word().into(), other.into()];
    let back = [Value::from(other), kind.back().word().into(), ticket.into()];
    Commit::new().write_one(INSERT, there).write_one(INSERT, back)
}

/// Removes a link from both sides, unless it is not there.
pub fn delete_link(ticket: &Id, kind: Kind, other: &Id) -> Commit {
    let there = [Value::from(ticket), kind.word().into(), other.into()];
    let back = [Value::from(other), kind.back().word().into(), ticket.into()];
    Commit::new().write_one(DELETE, there).write_one(DELETE, back)
}

pub async fn list_links(at: &impl Tenant, ticket: &Id, limit: u32) -> Result<Vec<Link>, PortError> {
    let rows = at.query(LIST, [Value::from(ticket), limit.into()]).await?;
    let read = |[kind, other]: [Value; 2]| {
        let kind = kind.text()?;
        let known = Kind::parse(&kind);
        let kind = known.ok_or_else(|| PortError::new("sql", format!("no link is {kind}")))?;
        Ok(Link { kind, ticket: Id::trusted(other.text()?) })
    };
    rows.into_iter().map(|row| row.columns().and_then(read)).collect()
}
