//! Bills, their numbers and their payments in SQL.

use serde_json::json;
use shared::{
    domain::Commit,
    ports::{PortError, Row, Tenant, Value},
};

use crate::{
    bill::{Bill, BillKind},
    payment::Payment,
};

const FIND: &str = "
    select body, version from billing_invoices where tenant = ?1 and id = ?2";
const LIST: &str = "
    select body, version from billing_invoices
    where tenant = ?1 and id > ?2 order by id limit ?3";
const LIST_OF: &str = "
    select body, version from billing_invoices
    where tenant = ?1 and customer = ?2 and id > ?3 order by id limit ?4";
const LIST_BY: &str = "
    select body, version from billing_invoices
    where tenant = ?1 and subscription = ?2 and id > ?3 order by id limit ?4";
const LAST_BY: &str = "
    select body, version from billing_invoices
    where tenant = ?1 and subscription = ?2 order by id desc limit ?3";
const OWED: &str = "
    select body, version from billing_invoices
    where tenant = ?1 and customer = ?2 and state in ('open', 'uncollectible')
    order by id limit ?3";
const PAID: &str = "
    select body, version from billing_invoices
    where tenant = ?1 and customer = ?2 and kind = 'invoice' and state = 'paid'
    order by id desc limit ?3";
const INSERT: &str = "
    insert into billing_invoices
      (tenant, id, customer, subscription, entity, kind, number, state, body, version)
    values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
const UPDATE: &str = "
    update billing_invoices set kind = ?3, number = ?4, state = ?5, body = ?6, version = ?7
    where tenant = ?1 and id = ?2 and version = ?7 - 1";
const LAST_NUMBER: &str = "
    select counter from billing_numbers
    where tenant = ?1 and entity = ?2 and kind = ?3 and year = cast(?4 as integer)";
const FIRST_NUMBER: &str = "
    insert into billing_numbers (tenant, entity, kind, year, counter) values (?1, ?2, ?3, ?4, ?5)
    on conflict (tenant, entity, kind, year) do nothing";
const NEXT_NUMBER: &str = "
    update billing_numbers set counter = ?5
    where tenant = ?1 and entity = ?2 and kind = ?3 and year = cast(?4 as integer)
      and counter = ?5 - 1";
const FIND_PAYMENT: &str = "
    select body from billing_payments where tenant = ?1 and id = ?2";
const PAYMENTS: &str = "
    select body from billing_payments where tenant = ?1 and invoice = ?2 order by id limit ?3";
const INSERT_PAYMENT: &str = "
    insert into billing_payments (tenant, id, invoice, state, body) values (?1, ?2, ?3, ?4, ?5)";
const UPDATE_PAYMENT: &str = "
    update billing_payments set state = ?3, body = ?4
    where tenant = ?1 and id = ?2 and body = ?5";

pub async fn find_bill(at: &impl Tenant, id: &str) -> Result<Option<Bill>, PortError> {
    at.query(FIND, [id.into()]).await?.into_iter().next().map(read).transpose()
}

pub async fn list_bills(at: &impl Tenant, after: &str, limit: u32) -> Result<Vec<Bill>, PortError> {
    at.query(LIST, [after.into(), limit.into()]).await?.into_iter().map(read).collect()
}

pub async fn list_bills_of(
    at: &impl Tenant,
    customer: &str,
    after: &str,
    limit: u32,
) -> Result<Vec<Bill>, PortError> {
    let params = [customer.into(), after.into(), limit.into()];
    at.query(LIST_OF, params).await?.into_iter().map(read).collect()
}

pub async fn list_bills_by(
    at: &impl Tenant,
    subscription: &str,
    after: &str,
    limit: u32,
) -> Result<Vec<Bill>, PortError> {
    let params = [subscription.into(), after.into(), limit.into()];
    at.query(LIST_BY, params).await?.into_iter().map(read).collect()
}

/// Those of a subscription, latest first.
pub async fn list_last_bills_by(
    at: &impl Tenant,
    subscription: &str,
    limit: u32,
) -> Result<Vec<Bill>, PortError> {
    at.query(LAST_BY, [subscription.into(), limit.into()]).await?.into_iter().map(read).collect()
}

/// What the customer owes, oldest first.
pub async fn list_owed(
    at: &impl Tenant,
    customer: &str,
    limit: u32,
) -> Result<Vec<Bill>, PortError> {
    at.query(OWED, [customer.into(), limit.into()]).await?.into_iter().map(read).collect()
}

/// What the customer has paid, latest first.
pub async fn list_paid(
    at: &impl Tenant,
    customer: &str,
    limit: u32,
) -> Result<Vec<Bill>, PortError> {
    at.query(PAID, [customer.into(), limit.into()]).await?.into_iter().map(read).collect()
}

pub fn insert_bill(it: &Bill) -> Commit {
    let params: [Value; 9] = [
        (&it.id).into(),
        (&it.customer).into(),
        it.subscription.as_ref().into(),
        (&it.entity).into(),
        it.kind.word().into(),
        it.number.as_ref().into(),
        it.state.word().into(),
        (&json!(it)).into(),
        it.version.into(),
    ];
    Commit::new().write_one(INSERT, params)
}

/// Writes the bill, unless the one before is no longer the version before.
pub fn update_bill(it: &Bill) -> Commit {
    let params: [Value; 6] = [
        (&it.id).into(),
        it.kind.word().into(),
        it.number.as_ref().into(),
        it.state.word().into(),
        (&json!(it)).into(),
        it.version.into(),
    ];
    Commit::new().write_one(UPDATE, params)
}

fn read(row: Row) -> Result<Bill, PortError> {
    let [body, version] = row.columns()?;
    let it: Bill = body.json()?;
    Ok(Bill { version: version.integer()?, ..it })
}

/// The last number of a series, 0 before the first.
pub async fn last_number(
    at: &impl Tenant,
    entity: &str,
    kind: BillKind,
    year: u16,
) -> Result<i64, PortError> {
    let params = [entity.into(), kind.word().into(), i64::from(year).into()];
    let found = at.query(LAST_NUMBER, params).await?;
    if found.is_empty() { Ok(0) } else { super::number(found) }
}

/// Gives out `counter`, which must be the next one of its series: so none is left out, and none
/// is given twice.
pub fn take_number(entity: &str, kind: BillKind, year: u16, counter: i64) -> Commit {
    let params = [entity.into(), kind.word().into(), i64::from(year).into(), counter.into()];
    let text = if counter == 1 { FIRST_NUMBER } else { NEXT_NUMBER };
    Commit::new().write_one(text, params)
}

pub async fn find_payment(at: &impl Tenant, id: &str) -> Result<Option<Payment>, PortError> {
    let rows = at.query(FIND_PAYMENT, [id.into()]).await?;
    rows.into_iter().next().map(read_payment).transpose()
}

/// The payments of an invoice, oldest first.
pub async fn list_payments(
    at: &impl Tenant,
    invoice: &str,
    limit: u32,
) -> Result<Vec<Payment>, PortError> {
    at.query(PAYMENTS, [invoice.into(), limit.into()])
        .await?
        .into_iter()
        .map(read_payment)
        .collect()
}

pub fn insert_payment(it: &Payment) -> Commit {
    let params =
        [(&it.id).into(), (&it.invoice).into(), it.state.word().into(), (&json!(it)).into()];
    Commit::new().write_one(INSERT_PAYMENT, params)
}

/// Writes the payment, if it is still what `before` was.
pub fn update_payment(before: &Payment, it: &Payment) -> Commit {
    let params =
        [(&it.id).into(), it.state.word().into(), (&json!(it)).into(), (&json!(before)).into()];
    Commit::new().write_one(UPDATE_PAYMENT, params)
}

fn read_payment(row: Row) -> Result<Payment, PortError> {
    let [body] = row.columns()?;
    body.json()
}
