//! The door: who asks, for which tenant, and whether they may.
//!
//! The tenant comes from a verified credential, a host name or an inbound address, never from a
//! body. What is not known and what belongs to somebody else is answered alike.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use bytes::Bytes;
use data_encoding::BASE64URL_NOPAD;
use http::{HeaderMap, Uri};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use crate::{
    directory::{self, TenantRecord},
    domain::{Actor, Id, OPERATOR, Principal, Scopes, Timestamp, sha256_hex},
    http::header,
    ports::{Admission, Edge, Rate},
    problem::Problem,
    route::{Access, Route},
    seal::Keys,
};

/// How many bad credentials one client address may show.
const BAD_CREDENTIALS: Rate = Rate { limit: 120, period: Duration::from_secs(60) };

/// For how long an instance knows a credential that asks at the edge …
const KNOWN_FOR: Duration = Duration::from_secs(1);
/// … and how many of them.
const KNOWN_MAX: usize = 10_000;

thread_local! {
    /// By the hash of what is shown, so that no secret stays in memory.
    static KNOWN: RefCell<BTreeMap<String, (Timestamp, Principal)>> = RefCell::default();
}

/// The header in which the operator names the tenant to act for.
pub const TENANT_HEADER: &str = "backplane-tenant";
/// What every API key of a tenant starts with.
pub const KEY_PREFIX: &str = "bpk_";
/// The query parameter that carries a signed link's token.
pub const LINK_PARAMETER: &str = "link";

/// Lets a request in: the principal whose tenant to open, or `None` for a route without one.
///
/// # Errors
/// 401, 403, 404 or 429, with what to do.
pub async fn admit<E: Edge>(
    edge: &E,
    route: &Route,
    uri: &Uri,
    headers: &HeaderMap,
) -> Result<Option<Principal>, Problem> {
    let outcome = match route.access {
        Access::Public => return Ok(None),
        Access::Operator => operator(edge, headers).await.map(|()| None),
        Access::OperatorTenant => {
            operator(edge, headers).await.map(|()| Some(operator_of(OPERATOR, false)))
        }
        Access::Scope(scope) => known(edge, route, uri, headers).await.and_then(|it| {
            // Whoever acts for a customer is let in only where the function knows of customers.
            let allowed = it.customer.is_none() && it.scopes.allow(scope);
            if allowed { Ok(Some(it)) } else { Err(Problem::forbidden(scope)) }
        }),
        Access::Customer(scope) => credential(edge, uri, headers).await.and_then(|it| {
            if it.scopes.allow(scope) { Ok(Some(it)) } else { Err(Problem::forbidden(scope)) }
        }),
        Access::Whoever => match whoever(edge, uri, headers).await {
            Ok(it) if it.customer.is_some() => Err(Problem::forbidden("*")),
            other => other.map(Some),
        },
        Access::Address(kind) => addressed(edge, route, kind, uri).await.map(Some),
    };
    match outcome {
        Err(problem) if problem.status() == http::StatusCode::UNAUTHORIZED => {
            Err(slow_down(edge, headers, problem).await)
        }
        other => other,
    }
}

/// Where the client is, as the runtime says: nothing that a client can write is read. Without the
/// port, which Spin gives as well.
pub fn client_address<E: Edge>(_: &E, headers: &HeaderMap) -> Option<IpAddr> {
    let client = headers.get(E::CLIENT_ADDRESS)?.to_str().ok()?;
    client.parse::<SocketAddr>().map(|it| it.ip()).or_else(|_| client.parse()).ok()
}

/// The number of the network that the client is in, as the runtime says, where it knows.
pub fn client_asn<E: Edge>(_: &E, headers: &HeaderMap) -> Option<u32> {
    let asn = headers.get(E::CLIENT_ASN?)?.to_str().ok()?.parse().ok()?;
    // RFC 7607: no network has this one.
    Some(asn).filter(|it| *it > 0)
}

/// A client that keeps showing bad credentials is told to wait.
pub async fn slow_down<E: Edge>(edge: &E, headers: &HeaderMap, problem: Problem) -> Problem {
    let key = format!("bad-credentials:{}", neighbourhood(client_address(edge, headers)));
    match edge.admit(&key, BAD_CREDENTIALS, edge.now()).await {
        Ok(Admission::Refused(wait)) => Problem::too_many(wait),
        Ok(Admission::Admitted) => problem,
        Err(err) => problem.caused_by(err),
    }
}

/// The part of a client's address that it cannot change at will: of IPv6 the network that one
/// customer has.
pub fn neighbourhood(client: Option<IpAddr>) -> String {
    match client {
        Some(IpAddr::V6(it)) => {
            let [a, b, c, d, ..] = it.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
        Some(it) => it.to_string(),
        None => String::new(),
    }
}

async fn whoever(edge: &impl Edge, uri: &Uri, headers: &HeaderMap) -> Result<Principal, Problem> {
    if headers.contains_key(header::AUTHORIZATION) || link_token(uri).is_some() {
        return credential(edge, uri, headers).await;
    }
    // Spin keeps the header from us, and Workers as well as Spin put the host into the address.
    let header = headers.get(header::HOST).and_then(|it| it.to_str().ok());
    let host = uri.host().or(header).unwrap_or("").split(':').next().unwrap_or("");
    let tenant = directory::address(edge, "host", &host.to_ascii_lowercase()).await?;
    let tenant = tenant.ok_or_else(|| {
        Problem::unauthorized("send an API key as Authorization: Bearer, or use a tenant's host")
    })?;
    let record = open_record(edge, &tenant).await?;
    let scopes = Scopes::default();
    let (sandbox, actor) = (record.sandbox, Actor::Visitor);
    Ok(Principal { tenant, sandbox, actor, scopes, customer: None, until: None })
}

async fn addressed(
    edge: &impl Edge,
    route: &Route,
    kind: &str,
    uri: &Uri,
) -> Result<Principal, Problem> {
    let params = route.params(uri.path()).unwrap_or_default();
    let name = params.into_iter().next().unwrap_or_default();
    let (known_as, now) = (format!("{kind}:{name}"), edge.now());
    if route.at_edge
        && let Some(principal) = remembered(&known_as, now)
    {
        return Ok(principal);
    }
    let tenant = directory::address(edge, kind, &name).await?.ok_or_else(Problem::not_found)?;
    let record = open_record(edge, &tenant).await?;
    let (actor, scopes) = (Actor::Address(name), Scopes::default());
    let principal =
        Principal { tenant, sandbox: record.sandbox, actor, scopes, customer: None, until: None };
    // In a sandbox everything holds at once.
    if route.at_edge && !principal.sandbox {
        remember(known_as, now, &principal);
    }
    Ok(principal)
}

/// The principal that this instance has found within the last moment.
fn remembered(name: &str, now: Timestamp) -> Option<Principal> {
    KNOWN.with_borrow(|it| it.get(name).filter(|it| now < it.0).map(|it| it.1.clone()))
}

fn remember(name: String, now: Timestamp, principal: &Principal) {
    KNOWN.with_borrow_mut(|it| {
        if it.len() >= KNOWN_MAX {
            it.clear();
        }
        it.insert(name, (now + KNOWN_FOR, principal.clone()));
    });
}

/// The principal of a credential. Where the route is answered at the edge, it is remembered for a
/// moment, so that a caller's many requests are not as many looks into the directory.
async fn known(
    edge: &impl Edge,
    route: &Route,
    uri: &Uri,
    headers: &HeaderMap,
) -> Result<Principal, Problem> {
    let shown = headers.get(header::AUTHORIZATION).and_then(|it| it.to_str().ok());
    let (true, Some(shown), None) = (route.at_edge, shown, headers.get(TENANT_HEADER)) else {
        return credential(edge, uri, headers).await;
    };
    let (hash, now) = (sha256_hex(shown.as_bytes()), edge.now());
    if let Some(principal) = remembered(&hash, now) {
        return Ok(principal);
    }
    let principal = credential(edge, uri, headers).await?;
    remember(hash, now, &principal);
    Ok(principal)
}

async fn credential(
    edge: &impl Edge,
    uri: &Uri,
    headers: &HeaderMap,
) -> Result<Principal, Problem> {
    if let Some(token) = link_token(uri) {
        return link(edge, uri, &token).await;
    }
    let bearer = bearer(headers)?;
    if is_operator(edge, bearer).await? {
        return act_for(edge, headers).await;
    }
    if bearer.contains('.') {
        // A link's token; no key has a dot.
        return link(edge, uri, bearer).await;
    }
    let record = match bearer.starts_with(KEY_PREFIX) {
        true => directory::key(edge, &sha256_hex(bearer.as_bytes())).await?,
        false => None,
    };
    let key = record.ok_or_else(|| Problem::unauthorized("the key is unknown or revoked"))?;
    if key.expires_at.is_some_and(|it| it <= edge.now()) {
        return Err(Problem::unauthorized("the key has expired; rotate it for a new one"));
    }
    let tenant = open_record(edge, &key.tenant).await?;
    Ok(Principal {
        tenant: key.tenant,
        sandbox: tenant.sandbox,
        actor: Actor::Key(Id::trusted(key.id)),
        scopes: key.scopes,
        customer: None,
        until: key.expires_at,
    })
}

fn bearer(headers: &HeaderMap) -> Result<&str, Problem> {
    let value = headers.get(header::AUTHORIZATION).and_then(|it| it.to_str().ok());
    let (scheme, key) = value.and_then(|it| it.split_once(' ')).unwrap_or(("", ""));
    if scheme.eq_ignore_ascii_case("bearer") && !key.trim().is_empty() {
        Ok(key.trim())
    } else {
        Err(Problem::unauthorized("send an API key as Authorization: Bearer"))
    }
}

async fn is_operator(edge: &impl Edge, bearer: &str) -> Result<bool, Problem> {
    let Some(expected) = edge.setting("operator_key").await? else { return Ok(false) };
    // Hashes of equal length, so that the time says nothing of the key's.
    let (given, expected) = (sha256_hex(bearer.as_bytes()), sha256_hex(expected.as_bytes()));
    Ok(given.as_bytes().ct_eq(expected.as_bytes()).into())
}

async fn operator(edge: &impl Edge, headers: &HeaderMap) -> Result<(), Problem> {
    if is_operator(edge, bearer(headers)?).await? {
        Ok(())
    } else {
        Err(Problem::unauthorized("this needs the operator's key"))
    }
}

/// The operator in the name of a tenant, or in its own.
async fn act_for(edge: &impl Edge, headers: &HeaderMap) -> Result<Principal, Problem> {
    let Some(tenant) = headers.get(TENANT_HEADER) else {
        return Ok(operator_of(OPERATOR, false));
    };
    let tenant = tenant.to_str().unwrap_or("");
    let record = directory::tenant(edge, tenant)
        .await?
        .ok_or_else(|| Problem::not_found().detail("no tenant has the id in Backplane-Tenant"))?;
    Ok(operator_of(tenant, record.sandbox))
}

fn operator_of(tenant: &str, sandbox: bool) -> Principal {
    let tenant = tenant.to_owned();
    let (actor, scopes) = (Actor::Operator, Scopes::all());
    Principal { tenant, sandbox, actor, scopes, customer: None, until: None }
}

/// The tenant's record, when it may be used at all.
async fn open_record(edge: &impl Edge, tenant: &str) -> Result<TenantRecord, Problem> {
    if tenant == OPERATOR {
        // Not in the directory: it is there before any tenant, and cannot be suspended.
        let (name, state) = ("Operator".to_owned(), "active".to_owned());
        return Ok(TenantRecord { name, state, sandbox: false });
    }
    let record = directory::tenant(edge, tenant).await?;
    // A key without its tenant is what is left while a tenant is erased.
    let record = record.ok_or_else(|| Problem::unauthorized("the key is unknown or revoked"))?;
    if record.state == "active" { Ok(record) } else { Err(Problem::suspended()) }
}

/// What a signed link grants, to whoever holds it.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Link {
    /// The tenant.
    pub tenant: String,
    /// Who made it.
    pub by: String,
    /// The one path that it opens, or with `/*` at its end that and all paths below.
    pub path: String,
    /// What it may be used for.
    pub scopes: Scopes,
    /// When it stops working, by the real clock.
    pub expires_at: Timestamp,
    /// For which of the tenant's own customers its holder acts; `None` for the tenant itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<String>,
}

impl Link {
    const PURPOSE: &str = "signed link";

    /// The token that stands for this link.
    ///
    /// # Errors
    /// When the deployment has no sealing key.
    pub async fn token(&self, edge: &impl Edge) -> Result<String, Problem> {
        let text = serde_json::to_vec(self).map_err(|it| Problem::internal().caused_by(it))?;
        let text = BASE64URL_NOPAD.encode(&text);
        let signature = Keys::load(edge).await?.sign(Self::PURPOSE, &text);
        Ok(format!("{text}.{}", BASE64URL_NOPAD.encode(&signature)))
    }

    fn opens(&self, path: &str) -> bool {
        let below = |folder: &str| {
            path.strip_prefix(folder).is_some_and(|it| it.is_empty() || it.starts_with('/'))
        };
        self.path.strip_suffix("/*").map_or(path == self.path, below)
    }

    fn parse(keys: &Keys, token: &str) -> Option<Self> {
        let (text, signature) = token.split_once('.')?;
        let signature = BASE64URL_NOPAD.decode(signature.as_bytes()).ok()?;
        if !keys.verify(Self::PURPOSE, text, &signature) {
            return None;
        }
        serde_json::from_slice(&BASE64URL_NOPAD.decode(text.as_bytes()).ok()?).ok()
    }
}

fn link_token(uri: &Uri) -> Option<String> {
    let mut pairs = form_urlencoded::parse(uri.query()?.as_bytes());
    pairs.find(|(name, _)| name == LINK_PARAMETER).map(|(_, it)| it.into_owned())
}

async fn link(edge: &impl Edge, uri: &Uri, token: &str) -> Result<Principal, Problem> {
    let unusable = || Problem::unauthorized("the link is not valid here; ask for a new one");
    let link = Link::parse(&Keys::load(edge).await?, token).ok_or_else(unusable)?;
    if link.expires_at <= edge.now() {
        return Err(Problem::unauthorized("the link has expired; ask for a new one"));
    }
    if !link.opens(uri.path()) {
        return Err(unusable());
    }
    let record = open_record(edge, &link.tenant).await?;
    Ok(Principal {
        tenant: link.tenant,
        sandbox: record.sandbox,
        actor: link.customer.clone().map_or(Actor::Link(link.by), Actor::Customer),
        scopes: link.scopes,
        customer: link.customer,
        until: Some(link.expires_at),
    })
}

/// Reads a body up to `limit` bytes. One that says it is larger is not read at all.
///
/// # Errors
/// 413 when it is larger; 400 when it breaks off.
pub async fn read_body<B>(headers: &HeaderMap, body: B, limit: usize) -> Result<Bytes, Problem>
where
    B: http_body::Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let length = headers.get(header::CONTENT_LENGTH).and_then(|it| it.to_str().ok());
    if length.and_then(|it| it.parse::<u64>().ok()).is_some_and(|it| it > limit as u64) {
        return Err(Problem::too_large(limit));
    }
    match Limited::new(body, limit).collect().await {
        Ok(it) => Ok(it.to_bytes()),
        Err(err) if err.is::<LengthLimitError>() => Err(Problem::too_large(limit)),
        Err(err) => Err(Problem::invalid().detail("the body broke off").caused_by(err)),
    }
}
