//! The outbox in SQL.

use serde::{Serialize, de::DeserializeOwned};
use serde_json::json;
use shared::{
    domain::{Commit, Id},
    ports::{PortError, Tenant, Value},
};

use crate::outbox::{COUNTED_MAX, Outgoing};

const FIND: &str = "
    select letter, asked from notify_outbox where tenant = ?1 and delivery = ?2";
const INSERT: &str = "
    insert into notify_outbox (tenant, delivery, letter) values (?1, ?2, ?3)";
const PUT: &str = "
    insert into notify_outbox (tenant, delivery, letter) values (?1, ?2, ?3)
    on conflict (tenant, delivery) do update set letter = excluded.letter";
const UPDATE: &str = "
    update notify_outbox set letter = ?3 where tenant = ?1 and delivery = ?2";
const ASKED: &str = "
    update notify_outbox set asked = ?3 where tenant = ?1 and delivery = ?2";
const COUNT: &str = "
    select count(*) from (select 1 from notify_outbox where tenant = ?1 limit ?2)";
const DELETE: &str = "delete from notify_outbox where tenant = ?1 and delivery = ?2";

/// What a delivery is sent as. Its channel says what that is.
pub async fn find_outgoing<L: DeserializeOwned>(
    at: &impl Tenant,
    id: &Id,
) -> Result<Option<Outgoing<L>>, PortError> {
    let Some(row) = at.query(FIND, [id.into()]).await?.into_iter().next() else { return Ok(None) };
    let [letter, asked] = row.columns()?;
    Ok(Some(Outgoing { letter: letter.json()?, asked: asked.optional_text()? }))
}

pub fn insert_outgoing(id: &Id, letter: &impl Serialize) -> Commit {
    Commit::new().write_one(INSERT, [id.into(), (&json!(letter)).into()])
}

/// Writes it in the place of one that is on its way.
pub fn put_outgoing(id: &Id, letter: &impl Serialize) -> Commit {
    Commit::new().write_one(PUT, [id.into(), (&json!(letter)).into()])
}

/// Writes how far it is.
pub fn update_outgoing(id: &Id, letter: &impl Serialize) -> Commit {
    Commit::new().write_one(UPDATE, [id.into(), (&json!(letter)).into()])
}

/// Remembers who was asked last and did not answer.
pub fn asked(id: &Id, provider: &str) -> Commit {
    Commit::new().write(ASKED, [Value::from(id), provider.into()])
}

/// How many wait, as far as they are counted.
pub async fn count_outgoing(at: &impl Tenant) -> Result<u32, PortError> {
    let rows = at.query(COUNT, [COUNTED_MAX.into()]).await?;
    let Some(row) = rows.into_iter().next() else { return Ok(0) };
    let [count] = row.columns()?;
    Ok(u32::try_from(count.integer()?).unwrap_or(COUNTED_MAX))
}

pub fn delete_outgoing(id: &Id) -> Commit {
    Commit::new().write(DELETE, [id.into()])
}
