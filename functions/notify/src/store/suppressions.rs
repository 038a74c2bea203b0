//! Suppressed addresses in SQL, and what `webhooks` keeps of the events that tell of them.

use shared::{
    domain::{Commit, Id},
    ports::{PortError, Row, Tenant, Value},
};

use crate::suppression::{Reason, Suppression};

const FIND: &str = "
    select address, reason, detail, provider, at_ms from notify_suppressions
    where tenant = ?1 and address = ?2";
const LIST: &str = "
    select address, reason, detail, provider, at_ms from notify_suppressions
    where tenant = ?1 and address > ?2 order by address limit ?3";
const INSERT: &str = "
    insert into notify_suppressions (tenant, address, reason, detail, provider, at_ms)
    values (?1, ?2, ?3, ?4, ?5, ?6) on conflict (tenant, address) do nothing";
const DELETE: &str = "delete from notify_suppressions where tenant = ?1 and address = ?2";
const HEARD: &str = "
    update notify_deliveries set heard = ?3 where tenant = ?1 and id = ?2 and heard is null";
const HAS_SOURCE: &str = "select 1 from webhook_sources where tenant = ?1 and id = ?2";
const FIND_MESSAGE: &str = "select body from webhook_messages where tenant = ?1 and id = ?2";

pub async fn find_suppression(
    at: &impl Tenant,
    address: &str,
) -> Result<Option<Suppression>, PortError> {
    at.query(FIND, [address.into()]).await?.into_iter().next().map(read).transpose()
}

pub async fn list_suppressions(
    at: &impl Tenant,
    after: &str,
    limit: u32,
) -> Result<Vec<Suppression>, PortError> {
    at.query(LIST, [after.into(), limit.into()]).await?.into_iter().map(read).collect()
}

/// Writes it, unless somebody else was faster, which is a conflict.
pub fn insert_suppression(it: &Suppression) -> Commit {
    let params: [Value; 5] = [
        it.address.as_str().into(),
        it.reason.word().into(),
        it.detail.clone().into(),
        it.provider.clone().into(),
        it.at.into(),
    ];
    Commit::new().write_one(INSERT, params)
}

pub fn delete_suppression(address: &str) -> Commit {
    Commit::new().write_one(DELETE, [address.into()])
}

/// What a provider told of a delivery after it had taken it. The first word stays.
pub fn heard_of(delivery: &str, reason: Reason, detail: &str) -> Commit {
    let said = match detail.is_empty() {
        true => reason.word().to_owned(),
        false => format!("{}: {detail}", reason.word()),
    };
    Commit::new().write(HEARD, [Value::from(delivery), said.into()])
}

/// Whether there is a source of webhooks with this id.
pub async fn has_source(at: &impl Tenant, id: &str) -> Result<bool, PortError> {
    Ok(!at.query(HAS_SOURCE, [id.into()]).await?.is_empty())
}

/// The body of a webhook that was taken in.
pub async fn find_message(at: &impl Tenant, id: &Id) -> Result<Option<Vec<u8>>, PortError> {
    let rows = at.query(FIND_MESSAGE, [id.into()]).await?;
    let Some(row) = rows.into_iter().next() else { return Ok(None) };
    let [body] = row.columns()?;
    body.blob().map(Some)
}

fn read(row: Row) -> Result<Suppression, PortError> {
    let [address, reason, detail, provider, at] = row.columns()?;
    let reason = reason.text()?;
    let unknown = || PortError::new("sql", format!("an address has the unknown reason {reason}"));
    Ok(Suppression {
        address: address.text()?,
        reason: Reason::parse(&reason).ok_or_else(unknown)?,
        detail: detail.optional_text()?,
        provider: provider.optional_text()?,
        at: at.timestamp()?,
    })
}
