//! Members in SQL: who may act. They are written by `tenants`.

use shared::ports::{PortError, Tenant};

const FIND: &str = "select email, name from members where tenant = ?1 and id = ?2";
const FIND_BY_EMAIL: &str = "select id from members where tenant = ?1 and email = ?2";

/// What a ticket needs of a member.
pub struct Member {
    /// The address, in lower case.
    pub email: String,
    /// The name.
    pub name: String,
}

pub async fn find_member(at: &impl Tenant, id: &str) -> Result<Option<Member>, PortError> {
    let Some(row) = at.query(FIND, [id.into()]).await?.into_iter().next() else { return Ok(None) };
    let [email, name] = row.columns()?;
    Ok(Some(Member { email: email.text()?, name: name.text()? }))
}

/// The id of the member with this address, in lower case.
pub async fn find_member_at(at: &impl Tenant, email: &str) -> Result<Option<String>, PortError> {
    let rows = at.query(FIND_BY_EMAIL, [email.into()]).await?;
    rows.into_iter().next().map(|row| row.columns().and_then(|[id]| id.text())).transpose()
}
