//! Subscriptions and seats in SQL.

use serde_json::json;
use shared::{
    domain::{Commit, Timestamp},
    ports::{PortError, Row, Tenant},
};

use crate::subscription::{
    Subscription,
    seat::{Seat, SeatState},
};

const FIND: &str = "
    select body, version from billing_subscriptions where tenant = ?1 and id = ?2";
const LIST: &str = "
    select body, version from billing_subscriptions
    where tenant = ?1 and id > ?2 order by id limit ?3";
const LIST_OF: &str = "
    select body, version from billing_subscriptions
    where tenant = ?1 and customer = ?2 and id > ?3 order by id limit ?4";
const COUNT_OF: &str = "
    select count(*) from billing_subscriptions
    where tenant = ?1 and customer = ?2 and state <> 'cancelled'";
const INSERT: &str = "
    insert into billing_subscriptions (tenant, id, customer, state, plan, body, version)
    values (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
const UPDATE: &str = "
    update billing_subscriptions set state = ?3, plan = ?4, body = ?5, version = ?6
    where tenant = ?1 and id = ?2 and version = ?6 - 1";
const SEATS: &str = "
    select member, state, assigned_at_ms, claimed_at_ms from billing_seats
    where tenant = ?1 and subscription = ?2 and member > ?3 order by member limit ?4";
const SEAT: &str = "
    select member, state, assigned_at_ms, claimed_at_ms from billing_seats
    where tenant = ?1 and subscription = ?2 and member = ?3";
const SEATS_OF: &str = "
    select subscription from billing_seats
    where tenant = ?1 and member = ?2 order by subscription limit ?3";
const COUNT_SEATS: &str = "
    select count(*) from billing_seats where tenant = ?1 and subscription = ?2";
// Not beyond the number of seats, whoever else assigns one meanwhile.
const ASSIGN: &str = "
    insert into billing_seats (tenant, subscription, member, state, assigned_at_ms)
    select ?1, ?2, ?3, 'pending', ?4
    where (select count(*) from billing_seats where tenant = ?1 and subscription = ?2) < ?5";
const CLAIM: &str = "
    update billing_seats set state = 'claimed', claimed_at_ms = ?4
    where tenant = ?1 and subscription = ?2 and member = ?3 and state = 'pending'";
const REVOKE: &str = "
    delete from billing_seats where tenant = ?1 and subscription = ?2 and member = ?3";

pub async fn find_subscription(
    at: &impl Tenant,
    id: &str,
) -> Result<Option<Subscription>, PortError> {
    at.query(FIND, [id.into()]).await?.into_iter().next().map(read).transpose()
}

pub async fn list_subscriptions(
    at: &impl Tenant,
    after: &str,
    limit: u32,
) -> Result<Vec<Subscription>, PortError> {
    at.query(LIST, [after.into(), limit.into()]).await?.into_iter().map(read).collect()
}

pub async fn list_subscriptions_of(
    at: &impl Tenant,
    customer: &str,
    after: &str,
    limit: u32,
) -> Result<Vec<Subscription>, PortError> {
    let params = [customer.into(), after.into(), limit.into()];
    at.query(LIST_OF, params).await?.into_iter().map(read).collect()
}

/// How many of the customer's have not ended.
pub async fn count_subscriptions(at: &impl Tenant, customer: &str) -> Result<i64, PortError> {
    super::number(at.query(COUNT_OF, [customer.into()]).await?)
}

pub fn insert_subscription(it: &Subscription) -> Commit {
    let params = [
        (&it.id).into(),
        (&it.customer).into(),
        it.state.word().into(),
        (&it.plan).into(),
        (&json!(it)).into(),
        it.version.into(),
    ];
    Commit::new().write_one(INSERT, params)
}

/// Writes the subscription, unless the one before is no longer the version before.
pub fn update_subscription(it: &Subscription) -> Commit {
    let params = [
        (&it.id).into(),
        it.state.word().into(),
        (&it.plan).into(),
        (&json!(it)).into(),
        it.version.into(),
    ];
    Commit::new().write_one(UPDATE, params)
}

fn read(row: Row) -> Result<Subscription, PortError> {
    let [body, version] = row.columns()?;
    let it: Subscription = body.json()?;
    Ok(Subscription { version: version.integer()?, ..it })
}

pub async fn list_seats(
    at: &impl Tenant,
    subscription: &str,
    after: &str,
    limit: u32,
) -> Result<Vec<Seat>, PortError> {
    let params = [subscription.into(), after.into(), limit.into()];
    at.query(SEATS, params).await?.into_iter().map(read_seat).collect()
}

pub async fn find_seat(
    at: &impl Tenant,
    subscription: &str,
    member: &str,
) -> Result<Option<Seat>, PortError> {
    let rows = at.query(SEAT, [subscription.into(), member.into()]).await?;
    rows.into_iter().next().map(read_seat).transpose()
}

/// On which subscriptions a member has a seat.
pub async fn list_seats_of(
    at: &impl Tenant,
    member: &str,
    limit: u32,
) -> Result<Vec<String>, PortError> {
    let read = |row: Row| {
        let [subscription] = row.columns()?;
        subscription.text()
    };
    at.query(SEATS_OF, [member.into(), limit.into()]).await?.into_iter().map(read).collect()
}

pub async fn count_seats(at: &impl Tenant, subscription: &str) -> Result<i64, PortError> {
    super::number(at.query(COUNT_SEATS, [subscription.into()]).await?)
}

/// Gives `member` a seat, if fewer than `seats` are taken.
pub fn assign_seat(subscription: &str, member: &str, seats: u32, now: Timestamp) -> Commit {
    let params = [subscription.into(), member.into(), now.into(), seats.into()];
    Commit::new().write_one(ASSIGN, params)
}

pub fn claim_seat(subscription: &str, member: &str, now: Timestamp) -> Commit {
    Commit::new().write_one(CLAIM, [subscription.into(), member.into(), now.into()])
}

pub fn revoke_seat(subscription: &str, member: &str) -> Commit {
    Commit::new().write_one(REVOKE, [subscription.into(), member.into()])
}

fn read_seat(row: Row) -> Result<Seat, PortError> {
    let [member, state, assigned_at, claimed_at] = row.columns()?;
    Ok(Seat {
        member: member.text()?,
        state: match state.text()?.as_str() {
            "claimed" => SeatState::Claimed,
            _ => SeatState::Pending,
        },
        assigned_at: assigned_at.timestamp()?,
        claimed_at: claimed_at.optional_timestamp()?,
    })
}
