//! Members in SQL: what a notice needs of them. They are written by `tenants`.

use shared::ports::{PortError, Tenant};

const FIND: &str = "select email, name, zone from members where tenant = ?1 and id = ?2";

/// The address, the name and the zone of a member.
pub async fn find_member(
    at: &impl Tenant,
    id: &str,
) -> Result<Option<(String, String, String)>, PortError> {
    let Some(row) = at.query(FIND, [id.into()]).await?.into_iter().next() else { return Ok(None) };
    let [email, name, zone] = row.columns()?;
    Ok(Some((email.text()?, name.text()?, zone.text()?)))
}
