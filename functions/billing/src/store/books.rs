//! The ledger, deferrals and prepaid credit in SQL.

use serde_json::json;
use shared::{
    domain::{Commit, Timestamp},
    ports::{PortError, Row, Tenant},
};

use crate::{
    books::{Balance, Deferral, PostingRow},
    wallet::GrantRow,
};

const POSTINGS: &str = "
    select id, at_ms, event, about, entries from billing_postings
    where tenant = ?1 and id > ?2 order by id limit ?3";
const POSTINGS_ABOUT: &str = "
    select id, at_ms, event, about, entries from billing_postings
    where tenant = ?1 and about = ?2 and id > ?3 order by id limit ?4";
const BALANCES: &str = "
    select currency, account, amount from billing_balances
    where tenant = ?1 order by currency, account";
const POST: &str = "
    insert into billing_postings (tenant, id, at_ms, event, about, entries)
    values (?1, ?2, ?3, ?4, ?5, ?6)";
const BALANCE: &str = "
    insert into billing_balances (tenant, currency, account, amount) values (?1, ?2, ?3, ?4)
    on conflict (tenant, currency, account) do update set amount = amount + excluded.amount";
// Changes one row only while all accounts of the currency add up to nothing.
const CHECK: &str = "
    insert into billing_sums (tenant, currency, checked)
    select ?1, ?2, 1 where (
      select coalesce(sum(amount), 0) from billing_balances where tenant = ?1 and currency = ?2) = 0
    on conflict (tenant, currency) do update set checked = checked + 1";
const DEFER: &str = "
    insert into billing_deferrals (tenant, invoice, subscription, currency, amount, earned_at_ms)
    values (?1, ?2, ?3, ?4, ?5, ?6)";
const DEFERRED: &str = "
    select invoice, currency, amount, earned_at_ms from billing_deferrals
    where tenant = ?1 and subscription = ?2 and earned_at_ms <= ?3 order by earned_at_ms limit ?4";
const DEFERRED_IN: &str = "
    select invoice, currency, amount, earned_at_ms from billing_deferrals
    where tenant = ?1 and invoice = ?2";
const EARN: &str = "delete from billing_deferrals where tenant = ?1 and invoice = ?2";
const LOWER: &str = "
    update billing_deferrals set amount = amount - ?3
    where tenant = ?1 and invoice = ?2 and amount >= ?3";
const GRANTS: &str = "
    select id, currency, body, version from billing_grants
    where tenant = ?1 and customer = ?2 order by id";
const GRANT: &str = "
    insert into billing_grants (tenant, customer, id, currency, body, version)
    values (?1, ?2, ?3, ?4, ?5, ?6)";
const UPDATE_GRANT: &str = "
    update billing_grants set body = ?4, version = ?5
    where tenant = ?1 and customer = ?2 and id = ?3 and version = ?5 - 1";

pub async fn list_postings(
    at: &impl Tenant,
    about: Option<&str>,
    after: &str,
    limit: u32,
) -> Result<Vec<PostingRow>, PortError> {
    let rows = match about {
        Some(it) => at.query(POSTINGS_ABOUT, [it.into(), after.into(), limit.into()]).await?,
        None => at.query(POSTINGS, [after.into(), limit.into()]).await?,
    };
    rows.into_iter().map(read_posting).collect()
}

fn read_posting(row: Row) -> Result<PostingRow, PortError> {
    let [id, at, event, about, entries] = row.columns()?;
    Ok(PostingRow {
        id: id.text()?,
        at: at.timestamp()?,
        event: event.text()?,
        about: about.text()?,
        entries: entries.json()?,
    })
}

pub async fn balances(at: &impl Tenant) -> Result<Vec<Balance>, PortError> {
    let read = |row: Row| {
        let [currency, account, amount] = row.columns()?;
        let (currency, account) = (currency.text()?, account.text()?);
        Ok(Balance { currency, account, amount: amount.integer()? })
    };
    at.query(BALANCES, []).await?.into_iter().map(read).collect()
}

/// Writes a posting and what it does to the balances; all of it is undone unless the currency's
/// accounts still add up to zero.
pub fn post(it: &PostingRow) -> Commit {
    let params = [
        (&it.id).into(),
        it.at.into(),
        (&it.event).into(),
        (&it.about).into(),
        (&json!(it.entries)).into(),
    ];
    let mut commit = Commit::new().write_one(POST, params);
    let mut currencies = std::collections::BTreeSet::new();
    for entry in &it.entries {
        currencies.insert(&entry.currency);
        let params = [(&entry.currency).into(), (&entry.account).into(), entry.amount.into()];
        commit = commit.write_one(BALANCE, params);
    }
    currencies.into_iter().fold(commit, |commit, it| commit.write_one(CHECK, [it.into()]))
}

pub fn defer(subscription: &str, it: &Deferral) -> Commit {
    let params = [
        (&it.invoice).into(),
        subscription.into(),
        (&it.currency).into(),
        it.amount.into(),
        it.earned_at.into(),
    ];
    Commit::new().write_one(DEFER, params)
}

/// What the subscription has earned by `until`, and is told nowhere yet.
pub async fn deferred(
    at: &impl Tenant,
    subscription: &str,
    until: Timestamp,
    limit: u32,
) -> Result<Vec<Deferral>, PortError> {
    let params = [subscription.into(), until.into(), limit.into()];
    at.query(DEFERRED, params).await?.into_iter().map(read_deferral).collect()
}

/// What of an invoice is not earned yet.
pub async fn deferred_in(at: &impl Tenant, invoice: &str) -> Result<Option<Deferral>, PortError> {
    let rows = at.query(DEFERRED_IN, [invoice.into()]).await?;
    rows.into_iter().next().map(read_deferral).transpose()
}

fn read_deferral(row: Row) -> Result<Deferral, PortError> {
    let [invoice, currency, amount, earned_at] = row.columns()?;
    Ok(Deferral {
        invoice: invoice.text()?,
        currency: currency.text()?,
        amount: amount.integer()?,
        earned_at: earned_at.timestamp()?,
    })
}

pub fn earn(invoice: &str) -> Commit {
    Commit::new().write_one(EARN, [invoice.into()])
}

/// Takes `amount` off what is not earned yet.
pub fn lower_deferral(invoice: &str, amount: i64) -> Commit {
    Commit::new().write_one(LOWER, [invoice.into(), amount.into()])
}

/// All grants of a customer, oldest first.
pub async fn grants(at: &impl Tenant, customer: &str) -> Result<Vec<GrantRow>, PortError> {
    let read = |row: Row| {
        let [id, currency, body, version] = row.columns()?;
        let (id, currency) = (id.text()?, currency.text()?);
        let it: GrantRow = body.json()?;
        Ok(GrantRow { id, currency, version: version.integer()?, ..it })
    };
    at.query(GRANTS, [customer.into()]).await?.into_iter().map(read).collect()
}

pub fn insert_grant(customer: &str, it: &GrantRow) -> Commit {
    let params = [
        customer.into(),
        (&it.id).into(),
        (&it.currency).into(),
        (&json!(it)).into(),
        it.version.into(),
    ];
    Commit::new().write_one(GRANT, params)
}

/// Writes the grant, unless the one before is no longer the version before.
pub fn update_grant(customer: &str, it: &GrantRow) -> Commit {
    let params = [customer.into(), (&it.id).into(), (&json!(it)).into(), it.version.into()];
    Commit::new().write_one(UPDATE_GRANT, params)
}
