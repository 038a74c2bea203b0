//! What was said in tickets, in SQL.

use serde_json::json;
use shared::{
    domain::{Commit, Id},
    ports::{PortError, Row, Tenant, Value},
};

use crate::ticket::message::Message;

const INSERT: &str = "
    insert into ticket_messages (tenant, ticket, id, message_id, message)
    values (?1, ?2, ?3, ?4, ?5)";
const UPDATE: &str = "
    update ticket_messages set message = ?4 where tenant = ?1 and ticket = ?2 and id = ?3";
const FIND: &str = "
    select message, came_from from ticket_messages where tenant = ?1 and ticket = ?2 and id = ?3";
const LIST: &str = "
    select message, came_from from ticket_messages
    where tenant = ?1 and ticket = ?2 and id > ?3 order by id limit ?4";
const COUNT: &str = "select count(*) from ticket_messages where tenant = ?1 and ticket = ?2";
const FIND_MAIL: &str = "
    select ticket, id from ticket_messages where tenant = ?1 and message_id = ?2 limit 1";
const LAST_MAILS: &str = "
    select message_id from ticket_messages
    where tenant = ?1 and ticket = ?2 and message_id is not null order by id desc limit ?3";
// `came_from` names where a message was, the last place first: each merge puts one before the
// others, and undoing it takes that one away again.
const MOVE_ALL: &str = "
    update ticket_messages
    set ticket = ?3, came_from = ?2 || coalesce(' ' || came_from, '')
    where tenant = ?1 and ticket = ?2";
const MOVE: &str = "
    update ticket_messages
    set ticket = ?3, came_from = ?2 || coalesce(' ' || came_from, '')
    where tenant = ?1 and ticket = ?2 and id = ?4";
const MOVE_BACK: &str = "
    update ticket_messages
    set ticket = ?3, came_from = nullif(substr(came_from, length(?3) + 2), '')
    where tenant = ?1 and ticket = ?2 and (came_from = ?3 or came_from like ?3 || ' %')";

pub fn insert_message(ticket: &Id, it: &Message) -> Commit {
    let mail = it.message_id.as_deref().map(Value::from);
    let params = [ticket.into(), Value::from(&it.id), mail.into(), (&json!(it)).into()];
    Commit::new().write_one(INSERT, params)
}

pub fn update_message(ticket: &Id, it: &Message) -> Commit {
    let params = [ticket.into(), Value::from(&it.id), (&json!(it)).into()];
    Commit::new().write_one(UPDATE, params)
}

pub async fn find_message(
    at: &impl Tenant,
    ticket: &Id,
    id: &str,
) -> Result<Option<Message>, PortError> {
    let rows = at.query(FIND, [Value::from(ticket), id.into()]).await?;
    rows.into_iter().next().map(read).transpose()
}

/// Those after the one with this id, the oldest first.
pub async fn list_messages(
    at: &impl Tenant,
    ticket: &Id,
    after: &str,
    limit: u32,
) -> Result<Vec<Message>, PortError> {
    let params = [Value::from(ticket), after.into(), limit.into()];
    at.query(LIST, params).await?.into_iter().map(read).collect()
}

pub async fn count_messages(at: &impl Tenant, ticket: &Id) -> Result<usize, PortError> {
    let Some(row) = at.query(COUNT, [ticket.into()]).await?.into_iter().next() else {
        return Ok(0);
    };
    let [count] = row.columns()?;
    Ok(usize::try_from(count.integer()?).unwrap_or(usize::MAX))
}

/// The ticket and the message that have this `Message-ID`.
pub async fn find_mail(
    at: &impl Tenant,
    message_id: &str,
) -> Result<Option<(String, String)>, PortError> {
    let rows = at.query(FIND_MAIL, [message_id.into()]).await?;
    let Some(row) = rows.into_iter().next() else { return Ok(None) };
    let [ticket, id] = row.columns()?;
    Ok(Some((ticket.text()?, id.text()?)))
}

/// The last `Message-ID`s of a ticket, the oldest first: what an answer refers to.
pub async fn last_mails(
    at: &impl Tenant,
    ticket: &Id,
    limit: u32,
) -> Result<Vec<String>, PortError> {
    let rows = at.query(LAST_MAILS, [Value::from(ticket), limit.into()]).await?;
    let found = rows.into_iter().map(|row| row.columns().and_then(|[it]| it.text()));
    let mut found: Vec<_> = found.collect::<Result<_, _>>()?;
    found.reverse();
    Ok(found)
}

/// Moves all that was said in a ticket to another.
pub fn move_messages(from: &Id, to: &Id) -> Commit {
    Commit::new().write(MOVE_ALL, [Value::from(from), to.into()])
}

/// Moves one, unless it is not there.
pub fn move_message(from: &Id, to: &Id, id: &str) -> Commit {
    Commit::new().write_one(MOVE, [Value::from(from), to.into(), id.into()])
}

/// Moves back what came from there.
pub fn return_messages(from: &Id, to: &Id) -> Commit {
    Commit::new().write(MOVE_BACK, [Value::from(from), to.into()])
}

fn read(row: Row) -> Result<Message, PortError> {
    let [message, came_from] = row.columns()?;
    let came_from = came_from.optional_text()?;
    let came_from = came_from.and_then(|it| it.rsplit(' ').next().map(str::to_owned));
    Ok(Message { came_from, ..message.json()? })
}
