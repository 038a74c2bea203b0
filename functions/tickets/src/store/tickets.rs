//! Tickets themselves, in SQL.

use serde_json::json;
use shared::{
    domain::{Commit, Timestamp},
    ports::{PortError, Row, Tenant, Value},
};

use crate::ticket::{Filter, Ticket};

// One statement decides, so that two that are opened at once have two numbers.
const NEXT_NUMBER: &str = "
    insert into ticket_numbers (tenant, last) values (?1, 1)
    on conflict (tenant) do update set last = last + 1 returning last";
const INSERT: &str = "
    insert into tickets (tenant, id, number, state, requester, customer, assignee, team, ticket,
      updated_at_ms, version)
    values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
const UPDATE: &str = "
    update tickets set state = ?4, requester = ?5, customer = ?6, assignee = ?7, team = ?8,
      ticket = ?9, updated_at_ms = ?10, version = ?11
    where tenant = ?1 and id = ?2 and number = ?3 and version = ?11 - 1";
const FIND: &str = "select ticket, version from tickets where tenant = ?1 and id = ?2";
const FIND_NUMBERED: &str = "select ticket, version from tickets where tenant = ?1 and number = ?2";

// Each has an index of its own: a page costs the same however many tickets there are.
const LIST: &str = "
    select ticket, version from tickets
    where tenant = ?1 and (updated_at_ms, id) < (?2, ?3)
    order by updated_at_ms desc, id desc limit ?4";
const LIST_IN_STATE: &str = "
    select ticket, version from tickets
    where tenant = ?1 and state = ?5 and (updated_at_ms, id) < (?2, ?3)
    order by updated_at_ms desc, id desc limit ?4";
const LIST_OF_REQUESTER: &str = "
    select ticket, version from tickets
    where tenant = ?1 and requester = ?5 and (updated_at_ms, id) < (?2, ?3)
    order by updated_at_ms desc, id desc limit ?4";
const LIST_OF_CUSTOMER: &str = "
    select ticket, version from tickets
    where tenant = ?1 and customer = ?5 and (updated_at_ms, id) < (?2, ?3)
    order by updated_at_ms desc, id desc limit ?4";
const LIST_OF_ASSIGNEE: &str = "
    select ticket, version from tickets
    where tenant = ?1 and assignee = ?5 and (updated_at_ms, id) < (?2, ?3)
    order by updated_at_ms desc, id desc limit ?4";
const LIST_OF_TEAM: &str = "
    select ticket, version from tickets
    where tenant = ?1 and team = ?5 and (updated_at_ms, id) < (?2, ?3)
    order by updated_at_ms desc, id desc limit ?4";
// By id, which is in the order of time and never changes: whoever walks over all misses none.
const WALK: &str = "
    select ticket, version from tickets where tenant = ?1 and id > ?2 order by id limit ?3";
const WALK_IN_STATE: &str = "
    select ticket, version from tickets
    where tenant = ?1 and state in ('open', 'pending', 'on_hold') and id > ?2 order by id limit ?3";

/// The number of the next ticket. It is used up, whatever becomes of that.
pub async fn next_number(at: &impl Tenant) -> Result<i64, PortError> {
    let row = at.query(NEXT_NUMBER, []).await?.into_iter().next();
    let row = row.ok_or_else(|| PortError::new("sql", "no number came back"))?;
    let [last] = row.columns()?;
    last.integer()
}

fn columns(it: &Ticket) -> [Value; 10] {
    [
        (&it.id).into(),
        it.number.into(),
        it.state.word().into(),
        it.requester.key().into(),
        it.requester.customer.as_deref().map(Value::from).into(),
        it.assignee.as_deref().map(Value::from).into(),
        it.team.as_deref().map(Value::from).into(),
        (&json!(it)).into(),
        it.updated_at.into(),
        it.version.into(),
    ]
}

pub fn insert_ticket(it: &Ticket) -> Commit {
    Commit::new().write_one(INSERT, columns(it))
}

/// Writes it, unless what is there is no longer the version before this.
pub fn update_ticket(it: &Ticket) -> Commit {
    Commit::new().write_one(UPDATE, columns(it))
}

pub async fn find_ticket(at: &impl Tenant, id: &str) -> Result<Option<Ticket>, PortError> {
    at.query(FIND, [id.into()]).await?.into_iter().next().map(read).transpose()
}

pub async fn find_numbered(at: &impl Tenant, number: i64) -> Result<Option<Ticket>, PortError> {
    at.query(FIND_NUMBERED, [number.into()]).await?.into_iter().next().map(read).transpose()
}

/// Those before this place, the latest change first.
pub async fn list_tickets(
    at: &impl Tenant,
    filter: &Filter,
    before: (Timestamp, &str),
    limit: u32,
) -> Result<Vec<Ticket>, PortError> {
    let (text, of) = match filter {
        Filter::All => (LIST, None),
        Filter::State(it) => (LIST_IN_STATE, Some(it.word())),
        Filter::Requester(it) => (LIST_OF_REQUESTER, Some(it.as_str())),
        Filter::Customer(it) => (LIST_OF_CUSTOMER, Some(it.as_str())),
        Filter::Assignee(it) => (LIST_OF_ASSIGNEE, Some(it.as_str())),
        Filter::Team(it) => (LIST_OF_TEAM, Some(it.as_str())),
    };
    let mut params: Vec<Value> = vec![before.0.into(), before.1.into(), limit.into()];
    params.extend(of.map(Value::from));
    at.query(text, params).await?.into_iter().map(read).collect()
}

/// Those after the one with this id, in the order in which they were opened.
pub async fn walk_tickets(
    at: &impl Tenant,
    after: &str,
    limit: u32,
) -> Result<Vec<Ticket>, PortError> {
    at.query(WALK, [Value::from(after), limit.into()]).await?.into_iter().map(read).collect()
}

/// As [`walk_tickets`], of those for which somebody still waits: see [`crate::state::State::is_active`].
pub async fn walk_active_tickets(
    at: &impl Tenant,
    after: &str,
    limit: u32,
) -> Result<Vec<Ticket>, PortError> {
    let params = [Value::from(after), limit.into()];
    at.query(WALK_IN_STATE, params).await?.into_iter().map(read).collect()
}

fn read(row: Row) -> Result<Ticket, PortError> {
    let [ticket, version] = row.columns()?;
    Ok(Ticket { version: version.integer()?, ..ticket.json()? })
}
