//! Preferences in SQL.

use serde_json::json;
use shared::{
    domain::Commit,
    ports::{PortError, Tenant},
};

use crate::wishes::Wishes;

const FIND: &str = "
    select wishes, version from notify_preferences where tenant = ?1 and recipient = ?2";
const INSERT: &str = "
    insert into notify_preferences (tenant, recipient, wishes, version) values (?1, ?2, ?3, ?4)
    on conflict (tenant, recipient) do nothing";
const UPDATE: &str = "
    update notify_preferences set wishes = ?3, version = ?4
    where tenant = ?1 and recipient = ?2 and version = ?4 - 1";

/// Those of the recipient. Who never said anything has none, and version 0.
pub async fn find_wishes(at: &impl Tenant, key: &str) -> Result<Wishes, PortError> {
    let rows = at.query(FIND, [key.into()]).await?;
    let Some(row) = rows.into_iter().next() else { return Ok(Wishes::default()) };
    let [wishes, version] = row.columns()?;
    let wishes: Wishes = wishes.json()?;
    Ok(Wishes { version: version.integer()?, ..wishes })
}

/// Writes them, unless those before are no longer the version before this.
pub fn put_wishes(key: &str, it: &Wishes) -> Commit {
    let text = if it.version == 1 { INSERT } else { UPDATE };
    Commit::new().write_one(text, [key.into(), (&json!(it)).into(), it.version.into()])
}
