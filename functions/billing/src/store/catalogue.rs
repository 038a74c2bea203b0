//! Entities, plans, coupons and customers in SQL.

use serde::{Serialize, de::DeserializeOwned};
use serde_json::json;
use shared::{
    domain::Commit,
    ports::{PortError, Row, Tenant, Value},
};

use crate::{catalogue::CatalogueCoupon, customer::Customer, entity::Entity, plan::Plan};

const FIND_ENTITY: &str = "
    select body, version from billing_entities where tenant = ?1 and name = ?2";
const LIST_ENTITIES: &str = "
    select body, version from billing_entities
    where tenant = ?1 and name > ?2 order by name limit ?3";
const INSERT_ENTITY: &str = "
    insert into billing_entities (tenant, name, body, version) values (?1, ?2, ?3, ?4)
    on conflict (tenant, name) do nothing";
const UPDATE_ENTITY: &str = "
    update billing_entities set body = ?3, version = ?4
    where tenant = ?1 and name = ?2 and version = ?4 - 1";
const NUMBERS_OF: &str = "
    select count(*) from billing_numbers where tenant = ?1 and entity = ?2";

const LATEST_PLAN: &str = "
    select body, version, retired from billing_plans
    where tenant = ?1 and name = ?2 order by version desc limit 1";
const PLAN_VERSION: &str = "
    select body, version, retired from billing_plans
    where tenant = ?1 and name = ?2 and version = cast(?3 as integer)";
const LIST_PLANS: &str = "
    select p.body, p.version, p.retired from billing_plans p
    where p.tenant = ?1 and p.name > ?2 and p.version = (
      select max(l.version) from billing_plans l where l.tenant = ?1 and l.name = p.name)
    order by p.name limit ?3";
const COUNT_PLANS: &str = "
    select count(distinct name) from billing_plans where tenant = ?1 and retired = 0";
const INSERT_PLAN: &str = "
    insert into billing_plans (tenant, name, version, body) values (?1, ?2, ?3, ?4)
    on conflict (tenant, name, version) do nothing";
const RETIRE_PLAN: &str = "
    update billing_plans set retired = 1
    where tenant = ?1 and name = ?2 and version = ?3 and retired = 0";

const FIND_COUPON: &str = "
    select body, redeemed, version from billing_coupons where tenant = ?1 and code = ?2";
const LIST_COUPONS: &str = "
    select body, redeemed, version from billing_coupons
    where tenant = ?1 and code > ?2 order by code limit ?3";
const INSERT_COUPON: &str = "
    insert into billing_coupons (tenant, code, body, version) values (?1, ?2, ?3, ?4)
    on conflict (tenant, code) do nothing";
const UPDATE_COUPON: &str = "
    update billing_coupons set body = ?3, version = ?4
    where tenant = ?1 and code = ?2 and version = ?4 - 1";
const REDEEM_COUPON: &str = "
    update billing_coupons set redeemed = redeemed + 1
    where tenant = ?1 and code = ?2 and redeemed < ?3";

const FIND_CUSTOMER: &str = "
    select body, version from billing_customers where tenant = ?1 and id = ?2";
const LIST_CUSTOMERS: &str = "
    select body, version from billing_customers
    where tenant = ?1 and id > ?2 order by id limit ?3";
const INSERT_CUSTOMER: &str = "
    insert into billing_customers (tenant, id, body, version) values (?1, ?2, ?3, ?4)
    on conflict (tenant, id) do nothing";
const UPDATE_CUSTOMER: &str = "
    update billing_customers set body = ?3, version = ?4
    where tenant = ?1 and id = ?2 and version = ?4 - 1";
// Not one that was ever billed.
const DELETE_CUSTOMER: &str = "
    delete from billing_customers where tenant = ?1 and id = ?2 and version = ?3
      and not exists (
        select 1 from billing_subscriptions s where s.tenant = ?1 and s.customer = ?2)
      and not exists (
        select 1 from billing_invoices i where i.tenant = ?1 and i.customer = ?2)
      and not exists (
        select 1 from billing_grants g where g.tenant = ?1 and g.customer = ?2)";

/// No limit that can be reached.
const UNLIMITED: i64 = 1 << 52;

fn versioned<T: DeserializeOwned>(row: Row) -> Result<(T, i64), PortError> {
    let [body, version] = row.columns()?;
    Ok((body.json()?, version.integer()?))
}

/// The parameters of a row with a name, a body and a version.
fn params(name: &str, body: &impl Serialize, version: i64) -> [Value; 3] {
    [name.into(), (&json!(body)).into(), version.into()]
}

fn put(insert: &'static str, update: &'static str, params: [Value; 3], is_new: bool) -> Commit {
    Commit::new().write_one(if is_new { insert } else { update }, params)
}

pub async fn find_entity(at: &impl Tenant, name: &str) -> Result<Option<Entity>, PortError> {
    let rows = at.query(FIND_ENTITY, [name.into()]).await?;
    rows.into_iter().next().map(read_entity).transpose()
}

pub async fn list_entities(
    at: &impl Tenant,
    after: &str,
    limit: u32,
) -> Result<Vec<Entity>, PortError> {
    let rows = at.query(LIST_ENTITIES, [after.into(), limit.into()]).await?;
    rows.into_iter().map(read_entity).collect()
}

fn read_entity(row: Row) -> Result<Entity, PortError> {
    let (it, version): (Entity, _) = versioned(row)?;
    Ok(Entity { version, ..it })
}

/// Writes the entity, unless it is not the next version of what is there.
pub fn put_entity(it: &Entity) -> Commit {
    let params = params(&it.name, it, it.version);
    put(INSERT_ENTITY, UPDATE_ENTITY, params, it.version == 1)
}

/// Whether the entity has given out a number.
pub async fn has_numbers(at: &impl Tenant, entity: &str) -> Result<bool, PortError> {
    Ok(super::number(at.query(NUMBERS_OF, [entity.into()]).await?)? > 0)
}

/// The last version of a plan that is not retired.
pub async fn find_plan(at: &impl Tenant, name: &str) -> Result<Option<Plan>, PortError> {
    Ok(find_any_plan(at, name).await?.filter(|it| !it.1).map(|it| it.0))
}

/// The last version of a plan, and whether it is retired.
pub async fn find_any_plan(
    at: &impl Tenant,
    name: &str,
) -> Result<Option<(Plan, bool)>, PortError> {
    let rows = at.query(LATEST_PLAN, [name.into()]).await?;
    rows.into_iter().next().map(read_plan).transpose()
}

pub async fn find_plan_version(
    at: &impl Tenant,
    name: &str,
    version: i64,
) -> Result<Option<Plan>, PortError> {
    let rows = at.query(PLAN_VERSION, [name.into(), version.into()]).await?;
    Ok(rows.into_iter().next().map(read_plan).transpose()?.map(|it| it.0))
}

/// The last versions of all plans, and whether they are retired, by name.
pub async fn list_plans(
    at: &impl Tenant,
    after: &str,
    limit: u32,
) -> Result<Vec<(Plan, bool)>, PortError> {
    let rows = at.query(LIST_PLANS, [after.into(), limit.into()]).await?;
    rows.into_iter().map(read_plan).collect()
}

pub async fn count_plans(at: &impl Tenant) -> Result<i64, PortError> {
    super::number(at.query(COUNT_PLANS, []).await?)
}

pub fn insert_plan(it: &Plan) -> Commit {
    let params = [(&it.name).into(), it.version.into(), (&json!(it)).into()];
    Commit::new().write_one(INSERT_PLAN, params)
}

pub fn retire_plan(it: &Plan) -> Commit {
    Commit::new().write_one(RETIRE_PLAN, [(&it.name).into(), it.version.into()])
}

fn read_plan(row: Row) -> Result<(Plan, bool), PortError> {
    let [body, version, retired] = row.columns()?;
    let it: Plan = body.json()?;
    Ok((Plan { version: version.integer()?, ..it }, retired.integer()? == 1))
}

pub async fn find_coupon(
    at: &impl Tenant,
    code: &str,
) -> Result<Option<CatalogueCoupon>, PortError> {
    let rows = at.query(FIND_COUPON, [code.into()]).await?;
    rows.into_iter().next().map(read_coupon).transpose()
}

pub async fn list_coupons(
    at: &impl Tenant,
    after: &str,
    limit: u32,
) -> Result<Vec<CatalogueCoupon>, PortError> {
    let rows = at.query(LIST_COUPONS, [after.into(), limit.into()]).await?;
    rows.into_iter().map(read_coupon).collect()
}

fn read_coupon(row: Row) -> Result<CatalogueCoupon, PortError> {
    let [body, redeemed, version] = row.columns()?;
    let it: CatalogueCoupon = body.json()?;
    Ok(CatalogueCoupon { redeemed: redeemed.integer()?, version: version.integer()?, ..it })
}

/// Writes the coupon, unless it is not the next version of what is there.
pub fn put_coupon(it: &CatalogueCoupon) -> Commit {
    put(INSERT_COUPON, UPDATE_COUPON, params(&it.code, it, it.version), it.version == 1)
}

/// Counts one redemption, if there is one left.
pub fn redeem_coupon(it: &CatalogueCoupon) -> Commit {
    let most = it.max_redemptions.map_or(UNLIMITED, i64::from);
    Commit::new().write_one(REDEEM_COUPON, [(&it.code).into(), most.into()])
}

pub async fn find_customer(at: &impl Tenant, id: &str) -> Result<Option<Customer>, PortError> {
    let rows = at.query(FIND_CUSTOMER, [id.into()]).await?;
    rows.into_iter().next().map(read_customer).transpose()
}

pub async fn list_customers(
    at: &impl Tenant,
    after: &str,
    limit: u32,
) -> Result<Vec<Customer>, PortError> {
    let rows = at.query(LIST_CUSTOMERS, [after.into(), limit.into()]).await?;
    rows.into_iter().map(read_customer).collect()
}

fn read_customer(row: Row) -> Result<Customer, PortError> {
    let (it, version): (Customer, _) = versioned(row)?;
    Ok(Customer { version, ..it })
}

/// Writes the customer, unless it is not the next version of what is there.
pub fn put_customer(it: &Customer) -> Commit {
    put(INSERT_CUSTOMER, UPDATE_CUSTOMER, params(&it.id, it, it.version), it.version == 1)
}

pub fn delete_customer(it: &Customer) -> Commit {
    Commit::new().write_one(DELETE_CUSTOMER, [(&it.id).into(), it.version.into()])
}
