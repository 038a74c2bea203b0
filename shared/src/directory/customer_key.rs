//! Keys of a tenant's own customers, as the edge knows them: whose a secret is.
//!
//! They open the tenant's API, and nothing of ours: they are in a table that the door never reads,
//! under the tenant that asks and the hash of the secret.

use std::{cell::RefCell, collections::BTreeMap, time::Duration};

use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{KeyStage, Projection, find, now, through_cache};
use crate::{
    domain::{Principal, Scopes, Timestamp, sha256_hex},
    ports::{Edge, PortError, Value},
    problem::Problem,
};

/// For how long an instance knows a key that holds …
const KNOWN_FOR: Duration = Duration::from_secs(1);
/// … and how many of them.
const KNOWN_MAX: usize = 10_000;
/// The longest secret that is looked up, in bytes. No longer one is any key's.
pub const SECRET_BYTES_MAX: usize = 512;

const FIND: &str = "
    select body, expires_at_ms from directory_customer_keys
    where tenant = ?1 and hash = ?2 and stage < 3";
const PUT: &str = "
    insert into directory_customer_keys (tenant, hash, body, expires_at_ms, stage)
    values (?1, ?2, ?3, ?4, ?5)
    on conflict (tenant, hash) do update set expires_at_ms = excluded.expires_at_ms,
      stage = excluded.stage
      where directory_customer_keys.stage < excluded.stage
        or directory_customer_keys.stage = excluded.stage
          and directory_customer_keys.expires_at_ms > excluded.expires_at_ms";

thread_local! {
    /// By tenant and hash, so that no secret stays in memory.
    static KNOWN: RefCell<BTreeMap<String, (Timestamp, CustomerKey)>> = RefCell::default();
}

/// Who a secret is, by its key.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
pub struct CustomerKey {
    /// `key_…`
    pub id: String,
    /// The tenant's customer.
    pub customer: String,
    /// Which member of that one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member: Option<String>,
    /// The one app that it opens; all of them without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app: Option<String>,
    /// What it may do, in the tenant's own words.
    #[schema(value_type = Vec<String>)]
    pub scopes: Scopes,
    /// When it stops working, by the tenant's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

/// Why a key does not open something, by the error codes of RFC 6750, 3.1.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, ToSchema)]
#[serde(tag = "error", rename_all = "snake_case")]
#[schema(as = KeyRefusal)]
pub enum Refusal {
    /// It is unknown, another tenant's or another app's, expired or revoked: nobody learns which.
    InvalidToken,
    /// It lacks this scope.
    InsufficientScope {
        /// The first that is missing.
        scope: String,
    },
}

impl Refusal {
    /// What is answered: 401 or 403, with the challenge of RFC 6750, 3.
    pub fn problem(&self) -> Problem {
        match self {
            Self::InvalidToken => Problem::new(
                StatusCode::UNAUTHORIZED,
                "/problems/limits/key-refused",
                "The API key is not one that works here",
            )
            .detail("it is unknown, of another app, expired or revoked: use another")
            .challenge("Bearer error=\"invalid_token\""),
            Self::InsufficientScope { scope } => Problem::new(
                StatusCode::FORBIDDEN,
                "/problems/limits/insufficient-scope",
                "The API key may not do this",
            )
            .detail(format!("use a key with the scope {scope}"))
            .challenge(&format!("Bearer error=\"insufficient_scope\", scope=\"{scope}\"")),
        }
    }
}

/// Whose a secret is, if it is one of this tenant's customers' and opens `app` with these scopes.
/// Without an app, that of the key is not looked at.
///
/// # Errors
/// When the directory cannot be read.
pub async fn verify(
    edge: &impl Edge,
    principal: &Principal,
    secret: &str,
    app: Option<&str>,
    scopes: &[String],
) -> Result<Result<CustomerKey, Refusal>, PortError> {
    let Some(key) = known(edge, principal, secret).await? else {
        return Ok(Err(Refusal::InvalidToken));
    };
    let is_over = match key.expires_at {
        Some(it) => it <= now(edge, principal).await?,
        None => false,
    };
    let is_elsewhere = key.app.as_deref().zip(app).is_some_and(|(its, asked)| its != asked);
    if is_over || is_elsewhere {
        return Ok(Err(Refusal::InvalidToken));
    }
    Ok(match scopes.iter().find(|it| !key.scopes.allow(it)) {
        Some(scope) => Err(Refusal::InsufficientScope { scope: scope.clone() }),
        None => Ok(key),
    })
}

/// The key of a secret; of a tenant that is no sandbox as it was at most a second ago, beside what
/// the directory's cache lags.
async fn known(
    edge: &impl Edge,
    principal: &Principal,
    secret: &str,
) -> Result<Option<CustomerKey>, PortError> {
    if secret.len() > SECRET_BYTES_MAX {
        return Ok(None);
    }
    let hash = sha256_hex(secret.as_bytes());
    let (name, real) = (cached(&principal.tenant, &hash), edge.now());
    if !principal.sandbox {
        let found = KNOWN.with_borrow(|it| it.get(&name).filter(|it| real < it.0).cloned());
        if let Some((_, key)) = found {
            return Ok(Some(key));
        }
    }
    let params = [Value::from(&principal.tenant), hash.into()];
    let found = through_cache(edge, &name, || {
        find(edge, FIND, params, |row| {
            let [body, expires_at] = row.columns()?;
            let expires_at = expires_at.optional_timestamp()?;
            Ok(CustomerKey { expires_at, ..body.json()? })
        })
    });
    let Some(key) = found.await? else { return Ok(None) };
    KNOWN.with_borrow_mut(|it| {
        if it.len() >= KNOWN_MAX {
            it.clear();
        }
        it.insert(name, (real + KNOWN_FOR, key.clone()));
    });
    Ok(Some(key))
}

fn cached(tenant: &str, hash: &str) -> String {
    format!("customer-key:{tenant}:{hash}")
}

impl<E: Edge> Projection<E> {
    /// Shows a key of a customer at this stage of its life. Twice is as good as once, and an
    /// earlier stage that comes late changes nothing.
    ///
    /// # Errors
    /// When the directory cannot be written.
    pub async fn show_customer_key(
        &self,
        hash: &str,
        key: &CustomerKey,
        stage: KeyStage,
    ) -> Result<(), PortError> {
        let body = serde_json::to_string(key).map_err(|err| PortError::new("json", err))?;
        let (number, expires_at) = stage.columns();
        let params: [Value; 5] =
            [(&self.tenant).into(), hash.into(), body.into(), expires_at.into(), number];
        self.write(PUT, params, &cached(&self.tenant, hash)).await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use pollster::block_on;

    use super::*;
    use crate::memory::Memory;

    const SECRET: &str = "ck_secret";

    fn key(app: Option<&str>) -> CustomerKey {
        CustomerKey {
            id: "key_1".to_owned(),
            customer: "acme".to_owned(),
            member: None,
            app: app.map(str::to_owned),
            scopes: Scopes(vec!["orders:read".to_owned()]),
            expires_at: None,
        }
    }

    fn show(edge: &Memory, tenant: &str, key: &CustomerKey, stage: KeyStage) {
        let projection = Projection::of(edge.clone(), tenant);
        let hash = sha256_hex(SECRET.as_bytes());
        block_on(projection.show_customer_key(&hash, key, stage)).unwrap();
    }

    fn ask(edge: &Memory, tenant: &str, app: &str, scopes: &[&str]) -> Result<String, Refusal> {
        let principal = Principal::system(tenant, false);
        let scopes: Vec<_> = scopes.iter().map(|it| (*it).to_owned()).collect();
        let found = block_on(verify(edge, &principal, SECRET, Some(app), &scopes)).unwrap();
        found.map(|it| it.customer)
    }

    #[test]
    fn a_secret_is_its_tenants_and_its_apps_alone() {
        let edge = Memory::default();
        show(&edge, "ten_a", &key(Some("api")), KeyStage::Lasting);

        assert_eq!(ask(&edge, "ten_a", "api", &["orders:read"]), Ok("acme".to_owned()));
        assert_eq!(ask(&edge, "ten_a", "other", &[]), Err(Refusal::InvalidToken));
        assert_eq!(ask(&edge, "ten_b", "api", &[]), Err(Refusal::InvalidToken));
        let lacking = Refusal::InsufficientScope { scope: "orders:write".to_owned() };
        assert_eq!(ask(&edge, "ten_a", "api", &["orders:read", "orders:write"]), Err(lacking));
    }

    #[test]
    fn two_tenants_can_have_the_same_hash_and_each_is_its_own() {
        let edge = Memory::default();
        show(&edge, "ten_c", &key(None), KeyStage::Lasting);
        show(&edge, "ten_d", &CustomerKey { customer: "b".into(), ..key(None) }, KeyStage::Lasting);
        show(&edge, "ten_c", &key(None), KeyStage::Over);

        assert_eq!(ask(&edge, "ten_c", "x", &[]), Err(Refusal::InvalidToken));
        assert_eq!(ask(&edge, "ten_d", "x", &[]), Ok("b".to_owned()));
    }

    #[test]
    fn a_revoked_key_is_refused_after_a_second_at_the_latest_and_stays_so() {
        let edge = Memory::default();
        show(&edge, "ten_e", &key(None), KeyStage::Lasting);
        assert!(ask(&edge, "ten_e", "x", &[]).is_ok());

        show(&edge, "ten_e", &key(None), KeyStage::Over);
        // The clock moves a little with each look at it.
        edge.advance(Duration::from_millis(900));
        assert!(ask(&edge, "ten_e", "x", &[]).is_ok(), "it is remembered");
        edge.advance(Duration::from_millis(100));
        assert_eq!(ask(&edge, "ten_e", "x", &[]), Err(Refusal::InvalidToken));

        show(&edge, "ten_e", &key(None), KeyStage::Lasting);
        assert_eq!(ask(&edge, "ten_e", "x", &[]), Err(Refusal::InvalidToken));
    }

    #[test]
    fn a_key_ends_in_time_also_where_it_is_remembered() {
        let edge = Memory::default();
        let end = edge.now() + Duration::from_millis(500);
        show(&edge, "ten_f", &key(None), KeyStage::Ending(Some(end)));

        edge.advance(Duration::from_millis(400));
        assert!(ask(&edge, "ten_f", "x", &[]).is_ok());
        edge.advance(Duration::from_millis(100));
        assert_eq!(ask(&edge, "ten_f", "x", &[]), Err(Refusal::InvalidToken));
    }

    #[test]
    fn a_secret_that_is_too_long_is_nobodys() {
        let (edge, principal) = (Memory::default(), Principal::system("ten_g", false));
        let secret = "x".repeat(SECRET_BYTES_MAX + 1);
        let found = block_on(verify(&edge, &principal, &secret, None, &[])).unwrap();
        assert_eq!(found, Err(Refusal::InvalidToken));
    }
}
