//! Endpoints in SQL.

use serde_json::json;
use shared::{
    domain::{Commit, Id},
    ports::{PortError, Row, Tenant, Value},
};

use crate::sender::{
    endpoint::{ENDPOINTS_MAX, Endpoint, EndpointState},
    health::Standing,
};

const INSERT: &str = "
    insert into webhook_endpoints
      (tenant, id, customer, state, settings, secrets, private, auth, headers, health,
       created_at_ms, version)
    select ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12
    where (select count(*) from webhook_endpoints where tenant = ?1 and customer = ?3) < ?13";
const FIND: &str = "
    select id, customer, state, settings, secrets, private, auth, headers, sequence, health,
      created_at_ms, version
    from webhook_endpoints where tenant = ?1 and id = ?2";
const LIST: &str = "
    select id, customer, state, settings, secrets, private, auth, headers, sequence, health,
      created_at_ms, version
    from webhook_endpoints where tenant = ?1 and id > ?2 order by id limit ?3";
const LIST_OF: &str = "
    select id, customer, state, settings, secrets, private, auth, headers, sequence, health,
      created_at_ms, version
    from webhook_endpoints where tenant = ?1 and customer = ?4 and id > ?2 order by id limit ?3";
const UPDATE: &str = "
    update webhook_endpoints set state = ?3, settings = ?4, secrets = ?5, private = ?6, auth = ?7,
      headers = ?8, health = ?9, version = ?10
    where tenant = ?1 and id = ?2 and version = ?11";
const UPDATE_HEALTH: &str = "
    update webhook_endpoints set health = ?3 where tenant = ?1 and id = ?2";
const DISABLE: &str = "
    update webhook_endpoints set state = 'disabled', version = version + 1
    where tenant = ?1 and id = ?2";
const DELETE: &str = "delete from webhook_endpoints where tenant = ?1 and id = ?2";
const DELETE_DELIVERIES: &str = "
    delete from webhook_deliveries where tenant = ?1 and endpoint = ?2";
const DELETE_ATTEMPTS: &str = "delete from webhook_attempts where tenant = ?1 and endpoint = ?2";
const DELETE_POLLERS: &str = "delete from webhook_pollers where tenant = ?1 and endpoint = ?2";
const DELETE_TOKEN: &str = "delete from webhook_tokens where tenant = ?1 and endpoint = ?2";

pub fn insert_endpoint(it: &Endpoint) -> Commit {
    let params: [Value; 12] = [
        (&it.id).into(),
        it.customer.as_deref().unwrap_or("").into(),
        word(it.state).into(),
        (&json!(it.settings)).into(),
        (&it.secrets).into(),
        (&it.private).into(),
        (&it.auth).into(),
        (&json!(it.headers)).into(),
        (&json!(it.health)).into(),
        it.created_at.into(),
        it.version.into(),
        ENDPOINTS_MAX.into(),
    ];
    Commit::new().write_one(INSERT, params)
}

pub async fn find_endpoint(at: &impl Tenant, id: &Id) -> Result<Option<Endpoint>, PortError> {
    at.query(FIND, [id.into()]).await?.into_iter().next().map(read).transpose()
}

/// All endpoints, or those of one customer.
pub async fn list_endpoints(
    at: &impl Tenant,
    customer: Option<&str>,
    after: &str,
    limit: u32,
) -> Result<Vec<Endpoint>, PortError> {
    let rows = match customer {
        None => at.query(LIST, [after.into(), limit.into()]).await?,
        Some(it) => at.query(LIST_OF, [after.into(), limit.into(), it.into()]).await?,
    };
    rows.into_iter().map(read).collect()
}

/// All endpoints of one customer, or of the tenant itself.
pub async fn endpoints_of(
    at: &impl Tenant,
    customer: Option<&str>,
) -> Result<Vec<Endpoint>, PortError> {
    list_endpoints(at, Some(customer.unwrap_or("")), "", ENDPOINTS_MAX).await
}

/// Writes the endpoint, unless it is no longer the version that was `read`.
pub fn update_endpoint(it: &Endpoint, read: i64) -> Commit {
    let params: [Value; 10] = [
        (&it.id).into(),
        word(it.state).into(),
        (&json!(it.settings)).into(),
        (&it.secrets).into(),
        (&it.private).into(),
        (&it.auth).into(),
        (&json!(it.headers)).into(),
        (&json!(it.health)).into(),
        it.version.into(),
        read.into(),
    ];
    Commit::new().write_one(UPDATE, params)
}

pub fn update_health(id: &Id, health: &Standing) -> Commit {
    Commit::new().write_one(UPDATE_HEALTH, [id.into(), (&json!(health)).into()])
}

pub fn disable_endpoint(id: &Id) -> Commit {
    Commit::new().write_one(DISABLE, [id.into()])
}

/// Removes the endpoint with all that was on its way to it.
pub fn delete_endpoint(id: &Id) -> Commit {
    Commit::new()
        .write_one(DELETE, [id.into()])
        .write(DELETE_ATTEMPTS, [id.into()])
        .write(DELETE_DELIVERIES, [id.into()])
        .write(DELETE_POLLERS, [id.into()])
        .write(DELETE_TOKEN, [id.into()])
}

fn word(state: EndpointState) -> &'static str {
    match state {
        EndpointState::Active => "active",
        EndpointState::Paused => "paused",
        EndpointState::Disabled => "disabled",
    }
}

fn read(row: Row) -> Result<Endpoint, PortError> {
    let [
        id,
        customer,
        state,
        settings,
        secrets,
        private,
        auth,
        headers,
        sequence,
        health,
        created_at,
        version,
    ] = row.columns()?;
    Ok(Endpoint {
        id: Id::trusted(id.text()?),
        customer: Some(customer.text()?).filter(|it| !it.is_empty()),
        state: match state.text()?.as_str() {
            "active" => EndpointState::Active,
            "paused" => EndpointState::Paused,
            _ => EndpointState::Disabled,
        },
        settings: settings.json()?,
        secrets: secrets.text()?,
        private: private.text()?,
        auth: auth.text()?,
        headers: headers.json()?,
        sequence: sequence.integer()?,
        health: health.json()?,
        created_at: created_at.timestamp()?,
        version: version.integer()?,
    })
}
