//! Readings in SQL.

use serde_json::json;
use shared::{
    domain::Commit,
    ports::{PortError, Row, Tenant},
};

use crate::reading::Reading;

const FIND: &str = "
    select body, open, version from billing_readings where tenant = ?1 and invoice = ?2";
const OPEN: &str = "
    select body, open, version from billing_readings
    where tenant = ?1 and subscription = ?2 and open = 1 order by invoice limit ?3";
const INSERT: &str = "
    insert into billing_readings (tenant, invoice, subscription, open, body, version)
    values (?1, ?2, ?3, ?4, ?5, ?6)";
const UPDATE: &str = "
    update billing_readings set open = ?3, body = ?4, version = ?5
    where tenant = ?1 and invoice = ?2 and version = ?5 - 1";
const CLOSE: &str = "
    update billing_readings set open = 0, version = version + 1
    where tenant = ?1 and invoice = ?2 and open = 1";

pub async fn find_reading(at: &impl Tenant, invoice: &str) -> Result<Option<Reading>, PortError> {
    at.query(FIND, [invoice.into()]).await?.into_iter().next().map(read).transpose()
}

/// Those of a subscription that are asked again, oldest first.
pub async fn open_readings(
    at: &impl Tenant,
    subscription: &str,
    limit: u32,
) -> Result<Vec<Reading>, PortError> {
    at.query(OPEN, [subscription.into(), limit.into()]).await?.into_iter().map(read).collect()
}

/// Writes the reading: a new one, or unless the one before is no longer the version before.
pub fn write_reading(it: &Reading) -> Commit {
    let (open, body) = (i64::from(it.open), json!(it));
    let invoice = (&it.invoice).into();
    match it.version {
        1 => Commit::new().write_one(
            INSERT,
            [invoice, (&it.subscription).into(), open.into(), (&body).into(), it.version.into()],
        ),
        _ => Commit::new()
            .write_one(UPDATE, [invoice, open.into(), (&body).into(), it.version.into()]),
    }
}

/// Asks no more for what this invoice charged, if anything is asked.
pub fn close_reading(invoice: &str) -> Commit {
    Commit::new().write(CLOSE, [invoice.into()])
}

fn read(row: Row) -> Result<Reading, PortError> {
    let [body, open, version] = row.columns()?;
    let it: Reading = body.json()?;
    Ok(Reading { open: open.integer()? == 1, version: version.integer()?, ..it })
}
