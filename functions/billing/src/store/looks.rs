//! Looks at usage in SQL.

use serde_json::json;
use shared::{
    domain::Commit,
    ports::{PortError, Row, Tenant},
};

use crate::progressive::Look;

const FIND: &str = "
    select body, version from billing_looks where tenant = ?1 and subscription = ?2";
const INSERT: &str = "
    insert into billing_looks (tenant, subscription, body, version) values (?1, ?2, ?3, ?4)";
const UPDATE: &str = "
    update billing_looks set body = ?3, version = ?4
    where tenant = ?1 and subscription = ?2 and version = ?4 - 1";

/// The latest look at a subscription.
pub async fn find_look(at: &impl Tenant, subscription: &str) -> Result<Option<Look>, PortError> {
    at.query(FIND, [subscription.into()]).await?.into_iter().next().map(read).transpose()
}

/// Writes the look: a new one, or unless the one before is no longer the version before.
pub fn write_look(it: &Look) -> Commit {
    let text = if it.version == 1 { INSERT } else { UPDATE };
    let params = [(&it.subscription).into(), (&json!(it)).into(), it.version.into()];
    Commit::new().write_one(text, params)
}

fn read(row: Row) -> Result<Look, PortError> {
    let [body, version] = row.columns()?;
    let it: Look = body.json()?;
    Ok(Look { version: version.integer()?, ..it })
}
