//! Members in SQL: what a notice needs of them. They are written by `tenants`.

use shared::ports::{PortError, Tenant};

const FIND: &str = "
    select email, name, zone, locale from members where tenant = ?1 and id = ?2";

/// What a notice needs of a member.
pub struct Member {
    /// The address.
    pub email: String,
    /// The name.
    pub name: String,
    /// The zone.
    pub zone: String,
    /// The language.
    pub locale: String,
}

pub async fn find_member(at: &impl Tenant, id: &str) -> Result<Option<Member>, PortError> {
    let Some(row) = at.query(FIND, [id.into()]).await?.into_iter().next() else { return Ok(None) };
    let [email, name, zone, locale] = row.columns()?;
    let (email, name, zone) = (email.text()?, name.text()?, zone.text()?);
    Ok(Some(Member { email, name, zone, locale: locale.text()? }))
}
