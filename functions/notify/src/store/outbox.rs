//! The outbox in SQL.

use serde_json::json;
use shared::{
    domain::{Commit, Id},
    ports::{PortError, Tenant, Value},
};

use crate::{letter::Letter, outbox::Outgoing};

const FIND: &str = "
    select letter, asked from notify_outbox where tenant = ?1 and delivery = ?2";
const INSERT: &str = "
    insert into notify_outbox (tenant, delivery, letter) values (?1, ?2, ?3)";
const ASKED: &str = "
    update notify_outbox set asked = ?3 where tenant = ?1 and delivery = ?2";
const DELETE: &str = "delete from notify_outbox where tenant = ?1 and delivery = ?2";

pub async fn find_outgoing(at: &impl Tenant, id: &Id) -> Result<Option<Outgoing>, PortError> {
    let Some(row) = at.query(FIND, [id.into()]).await?.into_iter().next() else { return Ok(None) };
    let [letter, asked] = row.columns()?;
    Ok(Some(Outgoing { letter: letter.json()?, asked: asked.optional_text()? }))
}

pub fn insert_outgoing(id: &Id, letter: &Letter) -> Commit {
    Commit::new().write_one(INSERT, [id.into(), (&json!(letter)).into()])
}

/// Remembers who was asked last and did not answer.
pub fn asked(id: &Id, provider: &str) -> Commit {
    Commit::new().write(ASKED, [Value::from(id), provider.into()])
}

pub fn delete_outgoing(id: &Id) -> Commit {
    Commit::new().write(DELETE, [id.into()])
}
