//! Members in SQL: what a notice needs of them. They are written by `tenants`.

use serde_json::json;
use shared::ports::{PortError, Tenant, Value};

use crate::recipient::MemberQuery;

const FIND: &str = "
    select email, phone, name, zone, locale from members where tenant = ?1 and id = ?2";

// Languages by the basic filtering of RFC 4647, 3.3.1: a tag has no wildcard in it.
const LIST: &str = "
    select id from members
    where tenant = ?1 and id > ?4
      and (?2 is null or role in (select value from json_each(?2)))
      and (?3 is null or exists (
        select 1 from json_each(?3) l where locale like l.value or locale like l.value || '-%'))
    order by id limit ?5";
const COUNT: &str = "
    select count(*) from members
    where tenant = ?1 and (?2 is null or role in (select value from json_each(?2)))
      and (?3 is null or exists (
        select 1 from json_each(?3) l where locale like l.value or locale like l.value || '-%'))";

/// What a notice needs of a member.
pub struct Member {
    /// The address.
    pub email: String,
    /// The number.
    pub phone: Option<String>,
    /// The name.
    pub name: String,
    /// The zone.
    pub zone: String,
    /// The language.
    pub locale: String,
}

pub async fn find_member(at: &impl Tenant, id: &str) -> Result<Option<Member>, PortError> {
    let Some(row) = at.query(FIND, [id.into()]).await?.into_iter().next() else { return Ok(None) };
    let [email, phone, name, zone, locale] = row.columns()?;
    let (email, phone, name) = (email.text()?, phone.optional_text()?, name.text()?);
    Ok(Some(Member { email, phone, name, zone: zone.text()?, locale: locale.text()? }))
}

/// The ids of those of whom the query holds, after this one.
pub async fn list_members(
    at: &impl Tenant,
    query: &MemberQuery,
    after: &str,
    limit: u32,
) -> Result<Vec<String>, PortError> {
    let [roles, languages] = lists(query);
    let rows = at.query(LIST, [roles, languages, after.into(), limit.into()]).await?;
    rows.into_iter().map(|row| row.columns().and_then(|[id]| id.text())).collect()
}

pub async fn count_members(at: &impl Tenant, query: &MemberQuery) -> Result<usize, PortError> {
    let rows = at.query(COUNT, lists(query)).await?;
    let Some(row) = rows.into_iter().next() else { return Ok(0) };
    let [count] = row.columns()?;
    Ok(usize::try_from(count.integer()?).unwrap_or(usize::MAX))
}

/// What is asked for. What is not said is nothing.
fn lists(query: &MemberQuery) -> [Value; 2] {
    [&query.roles, &query.languages].map(|it| match it.is_empty() {
        true => Value::Null,
        false => (&json!(it)).into(),
    })
}
