//! The outbox in SQL.

use serde::{Serialize, de::DeserializeOwned};
use serde_json::json;
use shared::{
    domain::{Commit, Id},
    ports::{PortError, Tenant, Value},
};

use crate::outbox::Outgoing;

const FIND: &str = "
    select letter, asked from notify_outbox where tenant = ?1 and delivery = ?2";
const INSERT: &str = "
    insert into notify_outbox (tenant, delivery, letter) values (?1, ?2, ?3)";
const UPDATE: &str = "
    update notify_outbox set letter = ?3 where tenant = ?1 and delivery = ?2";
const ASKED: &str = "
    update notify_outbox set asked = ?3 where tenant = ?1 and delivery = ?2";
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

/// Writes how far it is.
pub fn update_outgoing(id: &Id, letter: &impl Serialize) -> Commit {
    Commit::new().write_one(UPDATE, [id.into(), (&json!(letter)).into()])
}

/// Remembers who was asked last and did not answer.
pub fn asked(id: &Id, provider: &str) -> Commit {
    Commit::new().write(ASKED, [Value::from(id), provider.into()])
}

pub fn delete_outgoing(id: &Id) -> Commit {
    Commit::new().write(DELETE, [id.into()])
}
