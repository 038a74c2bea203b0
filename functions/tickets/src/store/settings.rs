//! Settings, in SQL.

use serde_json::json;
use shared::{
    domain::Commit,
    ports::{PortError, Tenant},
};

use crate::settings::Settings;

const FIND: &str = "select settings, version from ticket_settings where tenant = ?1";
const INSERT: &str = "
    insert into ticket_settings (tenant, settings, version) values (?1, ?2, ?3)
    on conflict (tenant) do nothing";
const UPDATE: &str = "
    update ticket_settings set settings = ?2, version = ?3
    where tenant = ?1 and version = ?3 - 1";

/// The settings; what was never put is as it is without, and version 0.
pub async fn find_settings(at: &impl Tenant) -> Result<Settings, PortError> {
    let rows = at.query(FIND, []).await?;
    let Some(row) = rows.into_iter().next() else { return Ok(Settings::default()) };
    let [settings, version] = row.columns()?;
    let settings: Settings = settings.json()?;
    Ok(Settings { version: version.integer()?, ..settings })
}

/// Writes them, unless those before are no longer the version before this.
pub fn put_settings(it: &Settings) -> Commit {
    let text = if it.version == 1 { INSERT } else { UPDATE };
    Commit::new().write_one(text, [(&json!(it)).into(), it.version.into()])
}
