//! Forms by their address, and what came by them, in SQL.

use shared::{
    domain::{Commit, Id, Timestamp},
    ports::{PortError, Tenant, Value},
};

use crate::form::design::Form;

// There are few forms, so they are looked through.
const FIND_AT: &str = "
    select name, tool, version from ticket_tools
    where tenant = ?1 and kind = 'form' and tool ->> '$.id' = ?2";
const INSERT_POST: &str = "
    insert into ticket_form_posts (tenant, shown_at_ms, page, ticket) values (?1, ?2, ?3, ?4)
    on conflict do nothing";
const FIND_POST: &str = "
    select ticket from ticket_form_posts where tenant = ?1 and shown_at_ms = ?2 and page = ?3";
const FORGET_POSTS: &str = "
    delete from ticket_form_posts where tenant = ?1 and shown_at_ms < ?2";

/// The form with this address.
pub async fn find_form_at(at: &impl Tenant, id: &str) -> Result<Option<Form>, PortError> {
    let rows = at.query(FIND_AT, [id.into()]).await?;
    rows.into_iter().next().map(super::read_tool).transpose()
}

/// Writes down which ticket a page became, unless it became one already, and forgets those of pages
/// that were shown before.
pub fn insert_post(shown_at: Timestamp, page: &str, ticket: &Id, forget: Timestamp) -> Commit {
    let params = [Value::from(shown_at), page.into(), ticket.into()];
    Commit::new().write_one(INSERT_POST, params).write(FORGET_POSTS, [forget.into()])
}

/// The ticket that a page became.
pub async fn find_post(
    at: &impl Tenant,
    shown_at: Timestamp,
    page: &str,
) -> Result<Option<String>, PortError> {
    let rows = at.query(FIND_POST, [Value::from(shown_at), page.into()]).await?;
    rows.into_iter().next().map(|row| row.columns().and_then(|[id]| id.text())).transpose()
}
