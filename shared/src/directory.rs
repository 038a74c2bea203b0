//! The directory: which credential leads to which tenant.
//!
//! A projection of the tenants' logs. It is read by the door, through a cache where the runtime
//! has one, and written by jobs of the tenants' own commits, idempotently.

pub mod customer_key;

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    domain::{OPERATOR, Principal, Scopes, Timestamp},
    ports::{Edge, Kv, PortError, Row, Sql, Statement, Value},
};

const FIND_TENANT: &str = "
    select name, state, sandbox from directory_tenants where tenant = ?1";
const PUT_TENANT: &str = "
    insert into directory_tenants (tenant, name, state, sandbox, version)
    values (?1, ?2, ?3, ?4, ?5)
    on conflict (tenant) do update set name = excluded.name, state = excluded.state,
      version = excluded.version where directory_tenants.version < excluded.version";
const DELETE_TENANT: &str = "delete from directory_tenants where tenant = ?1";
const DELETE_TENANT_KEYS: &str = "delete from directory_keys where tenant = ?1";
const DELETE_TENANT_CUSTOMER_KEYS: &str = "
    delete from directory_customer_keys where tenant = ?1";
const DELETE_TENANT_ADDRESSES: &str = "delete from directory_addresses where tenant = ?1";

const FIND_KEY: &str = "
    select tenant, key_id, scopes, expires_at_ms from directory_keys
    where hash = ?1 and stage < 3";
const PUT_KEY: &str = "
    insert into directory_keys (hash, tenant, key_id, scopes, expires_at_ms, stage)
    values (?1, ?2, ?3, ?4, ?5, ?6)
    on conflict (hash) do update set expires_at_ms = excluded.expires_at_ms,
      stage = excluded.stage
      where directory_keys.tenant = excluded.tenant
        and (directory_keys.stage < excluded.stage
          or directory_keys.stage = excluded.stage
            and directory_keys.expires_at_ms > excluded.expires_at_ms)";

const FIND_ADDRESS: &str = "select tenant from directory_addresses where kind = ?1 and name = ?2";
const PUT_ADDRESS: &str = "
    insert into directory_addresses (kind, name, tenant) values (?1, ?2, ?3)
    on conflict (kind, name) do update set tenant = excluded.tenant
      where tenant = excluded.tenant
    returning tenant";
const DELETE_ADDRESS: &str = "
    delete from directory_addresses where kind = ?1 and name = ?2 and tenant = ?3";

const FIND_DOCUMENT: &str = "
    select version, body from directory_documents where tenant = ?1 and name = ?2";
const PUT_DOCUMENT: &str = "
    insert into directory_documents (tenant, name, version, body) values (?1, ?2, ?3, ?4)
    on conflict (tenant, name) do update set version = excluded.version, body = excluded.body
      where directory_documents.version < excluded.version";
const DELETE_TENANT_DOCUMENTS: &str = "delete from directory_documents where tenant = ?1";

/// The document in which a sandbox shows what its clock shows, as `now_ms`.
pub const CLOCK: &str = "clock";

/// What the directory knows of a tenant.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct TenantRecord {
    /// Its name.
    pub name: String,
    /// `active`, `suspended` or `deleting`.
    pub state: String,
    /// Whether it is a sandbox.
    pub sandbox: bool,
}

/// What the directory knows of an API key.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct KeyRecord {
    /// Whose it is.
    pub tenant: String,
    /// Its id.
    pub id: String,
    /// What it may do.
    pub scopes: Scopes,
    /// When it stops working, by the real clock.
    pub expires_at: Option<Timestamp>,
}

/// Where a key is in its life. It only goes on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum KeyStage {
    /// It works, without an end in sight.
    Lasting,
    /// It works until then by the real clock, or until it is said to be over.
    Ending(Option<Timestamp>),
    /// It works no more.
    Over,
}

impl KeyStage {
    /// Its number, and the end by the real clock.
    fn columns(self) -> (Value, Option<Timestamp>) {
        match self {
            Self::Lasting => (Value::Integer(1), None),
            Self::Ending(at) => (Value::Integer(2), at),
            Self::Over => (Value::Integer(3), None),
        }
    }
}

/// A cached answer, good until then.
#[derive(Deserialize, Serialize)]
struct Cached<T> {
    until_ms: i64,
    value: T,
}

/// The tenant with this id, if there is one.
///
/// # Errors
/// When the directory cannot be read.
pub async fn tenant(edge: &impl Edge, id: &str) -> Result<Option<TenantRecord>, PortError> {
    through_cache(edge, &tenant_key(id), || find(edge, FIND_TENANT, [id.into()], read_tenant)).await
}

/// The API key whose SHA-256 this is, if there is one.
///
/// # Errors
/// When the directory cannot be read.
pub async fn key(edge: &impl Edge, hash: &str) -> Result<Option<KeyRecord>, PortError> {
    through_cache(edge, &key_key(hash), || find(edge, FIND_KEY, [hash.into()], read_key)).await
}

/// Which tenant an inbound address, host name or provider account belongs to.
///
/// # Errors
/// When the directory cannot be read.
pub async fn address(
    edge: &impl Edge,
    kind: &str,
    name: &str,
) -> Result<Option<String>, PortError> {
    let params = [Value::from(kind), name.into()];
    through_cache(edge, &address_key(kind, name), || {
        find(edge, FIND_ADDRESS, params, |row| row.columns().and_then(|[tenant]| tenant.text()))
    })
    .await
}

/// What a function of this tenant shows to the edge by this name, and which version of it.
///
/// # Errors
/// When the directory cannot be read.
pub async fn document(
    edge: &impl Edge,
    tenant: &str,
    name: &str,
) -> Result<Option<(i64, serde_json::Value)>, PortError> {
    let params = [Value::from(tenant), name.into()];
    through_cache(edge, &document_key(tenant, name), || {
        find(edge, FIND_DOCUMENT, params, |row| {
            let [version, body] = row.columns()?;
            Ok((version.integer()?, body.json()?))
        })
    })
    .await
}

/// The tenant's time: of a sandbox that moved its clock, what that shows.
///
/// # Errors
/// When the directory cannot be read.
pub async fn now(edge: &impl Edge, principal: &Principal) -> Result<Timestamp, PortError> {
    if !principal.sandbox {
        return Ok(edge.now());
    }
    let clock = document(edge, &principal.tenant, CLOCK).await?;
    let shown = clock.and_then(|(_, it)| it.get("now_ms")?.as_i64());
    Ok(shown.map_or_else(|| edge.now(), Timestamp))
}

fn document_key(tenant: &str, name: &str) -> String {
    format!("document:{tenant}:{name}")
}

fn tenant_key(id: &str) -> String {
    format!("tenant:{id}")
}

fn key_key(hash: &str) -> String {
    format!("key:{hash}")
}

fn address_key(kind: &str, name: &str) -> String {
    format!("address:{kind}:{name}")
}

/// Answers from the cache while that is fresh, and from `load` otherwise. What is not there is
/// not cached, so that something new works at once.
async fn through_cache<T, L>(
    edge: &impl Edge,
    name: &str,
    load: impl FnOnce() -> L,
) -> Result<Option<T>, PortError>
where
    T: Serialize + DeserializeOwned,
    L: Future<Output = Result<Option<T>, PortError>>,
{
    let Some(ttl) = edge_ttl(edge) else { return load().await };
    let cached = edge.kv().get(name).await?;
    let cached = cached.and_then(|it| serde_json::from_slice::<Cached<T>>(&it).ok());
    if let Some(cached) = cached.filter(|it| edge.now().0 < it.until_ms) {
        return Ok(Some(cached.value));
    }
    let Some(value) = load().await? else { return Ok(None) };
    let cached = Cached { until_ms: (edge.now() + ttl).0, value };
    let text = serde_json::to_vec(&cached).map_err(|err| PortError::new("kv", err))?;
    edge.kv().put(name, &text).await?;
    Ok(Some(cached.value))
}

fn edge_ttl<E: Edge>(_: &E) -> Option<std::time::Duration> {
    E::DIRECTORY_TTL
}

async fn find<T>(
    edge: &impl Edge,
    text: &'static str,
    params: impl Into<Vec<Value>>,
    read: impl FnOnce(Row) -> Result<T, PortError>,
) -> Result<Option<T>, PortError> {
    let rows = edge.directory().query(Statement::new(text, params)).await?;
    rows.into_iter().next().map(read).transpose()
}

fn read_tenant(row: Row) -> Result<TenantRecord, PortError> {
    let [name, state, sandbox] = row.columns()?;
    Ok(TenantRecord { name: name.text()?, state: state.text()?, sandbox: sandbox.integer()? == 1 })
}

fn read_key(row: Row) -> Result<KeyRecord, PortError> {
    let [tenant, id, scopes, expires_at] = row.columns()?;
    Ok(KeyRecord {
        tenant: tenant.text()?,
        id: id.text()?,
        scopes: scopes.json()?,
        expires_at: expires_at.optional_timestamp()?,
    })
}

/// What one tenant shows of itself in the directory. It can name no other tenant's.
pub struct Projection<E> {
    edge: E,
    tenant: String,
}

impl<E: Edge> Projection<E> {
    /// Only [`crate::open::Open`] makes one, for the tenant that it opened.
    pub(crate) fn of(edge: E, tenant: &str) -> Self {
        Self { edge, tenant: tenant.to_owned() }
    }

    /// What the directory knows of this tenant.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub async fn record(&self) -> Result<Option<TenantRecord>, PortError> {
        tenant(&self.edge, &self.tenant).await
    }

    /// Shows a key at this stage of its life. Twice is as good as once, and an earlier stage that
    /// comes late changes nothing.
    ///
    /// # Errors
    /// When the directory cannot be written.
    pub async fn show_key(
        &self,
        hash: &str,
        id: &str,
        scopes: &Scopes,
        stage: KeyStage,
    ) -> Result<(), PortError> {
        let scopes = serde_json::to_string(scopes).map_err(|err| PortError::new("json", err))?;
        let (number, expires_at) = stage.columns();
        let params: [Value; 6] = [
            hash.into(),
            (&self.tenant).into(),
            id.into(),
            scopes.into(),
            expires_at.into(),
            number,
        ];
        self.write(PUT_KEY, params, &key_key(hash)).await.map(drop)
    }

    /// Shows this version of a document to the edge, unless a later one is shown.
    ///
    /// # Errors
    /// When the directory cannot be written.
    pub async fn show_document(
        &self,
        name: &str,
        version: i64,
        body: &serde_json::Value,
    ) -> Result<(), PortError> {
        let params = [Value::from(&self.tenant), name.into(), version.into(), body.into()];
        self.write(PUT_DOCUMENT, params, &document_key(&self.tenant, name)).await.map(drop)
    }

    /// Claims an inbound address, a host name or a provider's account. Says whether it is this
    /// tenant's now: the first to claim it keeps it.
    ///
    /// # Errors
    /// When the directory cannot be written.
    pub async fn claim_address(&self, kind: &str, name: &str) -> Result<bool, PortError> {
        let params = [Value::from(kind), name.into(), (&self.tenant).into()];
        Ok(!self.write(PUT_ADDRESS, params, &address_key(kind, name)).await?.is_empty())
    }

    /// Whether another tenant has this address.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub async fn is_taken(&self, kind: &str, name: &str) -> Result<bool, PortError> {
        let owner = address(&self.edge, kind, name).await?;
        Ok(owner.is_some_and(|it| it != self.tenant))
    }

    /// Gives an address back.
    ///
    /// # Errors
    /// When the directory cannot be written.
    pub async fn release_address(&self, kind: &str, name: &str) -> Result<(), PortError> {
        let params = [Value::from(kind), name.into(), (&self.tenant).into()];
        self.write(DELETE_ADDRESS, params, &address_key(kind, name)).await.map(drop)
    }

    /// Shows this version of a tenant, unless a later one is shown. Only the operator's own
    /// tenant knows of others.
    ///
    /// # Errors
    /// When this is not the operator's tenant, or the directory cannot be written.
    pub async fn show_tenant(
        &self,
        id: &str,
        record: &TenantRecord,
        version: i64,
    ) -> Result<(), PortError> {
        self.operator_only()?;
        let params = [
            Value::from(id),
            (&record.name).into(),
            (&record.state).into(),
            record.sandbox.into(),
            version.into(),
        ];
        self.write(PUT_TENANT, params, &tenant_key(id)).await.map(drop)
    }

    /// Removes all that is left of a tenant: its database and what the directory knows of it.
    ///
    /// # Errors
    /// When this is not the operator's tenant, or something cannot be removed; again is safe.
    pub async fn erase_tenant(&self, id: &str) -> Result<(), PortError> {
        self.operator_only()?;
        self.edge.erase(id).await?;
        let statements = [
            DELETE_TENANT_KEYS,
            DELETE_TENANT_CUSTOMER_KEYS,
            DELETE_TENANT_ADDRESSES,
            DELETE_TENANT_DOCUMENTS,
            DELETE_TENANT,
        ]
        .map(|text| Statement::new(text, [id.into()]));
        self.edge.directory().batch(statements.into()).await?;
        self.edge.kv().delete(&tenant_key(id)).await
    }

    fn operator_only(&self) -> Result<(), PortError> {
        if self.tenant == OPERATOR {
            return Ok(());
        }
        Err(PortError::new("directory", "only the operator's tenant knows of others"))
    }

    /// Writes, and only then forgets what the cache says: in the other order a reader could
    /// put the old answer back.
    async fn write(
        &self,
        text: &'static str,
        params: impl Into<Vec<Value>>,
        cached: &str,
    ) -> Result<Vec<Row>, PortError> {
        let rows = self.edge.directory().query(Statement::new(text, params)).await?;
        if E::DIRECTORY_TTL.is_some() {
            self.edge.kv().delete(cached).await?;
        }
        Ok(rows)
    }
}
