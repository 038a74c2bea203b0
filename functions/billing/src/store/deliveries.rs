//! Deliveries of bills in SQL.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use shared::{
    domain::Commit,
    ports::{PortError, Row, Tenant, Value},
};

use crate::bill::delivery::{Delivery, DeliveryState};

const LIST: &str = "
    select body from billing_deliveries where tenant = ?1 and invoice = ?2 order by id limit ?3";
// Ids are a list in JSON.
const FIND: &str = "
    select body from billing_deliveries
    where tenant = ?1 and id in (select value from json_each(?2))";
const INSERT: &str = "
    insert into billing_deliveries (tenant, id, invoice, state, body) values (?1, ?2, ?3, ?4, ?5)";
const UPDATE: &str = "
    update billing_deliveries set state = ?3, body = ?4
    where tenant = ?1 and id = ?2 and state = ?5";
const PUT: &str = "
    update billing_deliveries set state = ?3, body = ?4 where tenant = ?1 and id = ?2";
const NOTICES: &str = "
    select notice, delivery from billing_notices
    where tenant = ?1 and notice in (select value from json_each(?2))";
const INSERT_NOTICE: &str = "
    insert into billing_notices (tenant, notice, delivery) values (?1, ?2, ?3)
    on conflict (tenant, notice) do nothing";

/// Those of a bill, oldest first.
pub async fn list_deliveries(
    at: &impl Tenant,
    invoice: &str,
    limit: u32,
) -> Result<Vec<Delivery>, PortError> {
    at.query(LIST, [invoice.into(), limit.into()]).await?.into_iter().map(read).collect()
}

pub async fn find_deliveries(at: &impl Tenant, ids: &[&str]) -> Result<Vec<Delivery>, PortError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    at.query(FIND, [(&json!(ids)).into()]).await?.into_iter().map(read).collect()
}

pub fn insert_delivery(it: &Delivery) -> Commit {
    let params: [Value; 4] =
        [(&it.id).into(), (&it.invoice).into(), it.state.word().into(), (&json!(it)).into()];
    Commit::new().write_one(INSERT, params)
}

/// Writes it, unless it is no longer in the state `before`.
pub fn update_delivery(it: &Delivery, before: DeliveryState) -> Commit {
    let params: [Value; 4] =
        [(&it.id).into(), it.state.word().into(), (&json!(it)).into(), before.word().into()];
    Commit::new().write_one(UPDATE, params)
}

/// Writes it as it was heard of. Only who follows the log does, one batch after the other.
pub fn put_delivery(it: &Delivery) -> Commit {
    let params: [Value; 3] = [(&it.id).into(), it.state.word().into(), (&json!(it)).into()];
    Commit::new().write(PUT, params)
}

/// Which of the notices are of deliveries, and of which.
pub async fn find_notices(
    at: &impl Tenant,
    notices: &BTreeSet<&str>,
) -> Result<BTreeMap<String, String>, PortError> {
    let read = |row: Row| {
        let [notice, delivery] = row.columns()?;
        Ok((notice.text()?, delivery.text()?))
    };
    at.query(NOTICES, [(&json!(notices)).into()]).await?.into_iter().map(read).collect()
}

pub fn insert_notice(notice: &str, delivery: &str) -> Commit {
    Commit::new().write(INSERT_NOTICE, [Value::from(notice), delivery.into()])
}

fn read(row: Row) -> Result<Delivery, PortError> {
    let [body] = row.columns()?;
    body.json()
}
