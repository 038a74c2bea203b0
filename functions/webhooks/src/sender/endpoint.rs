//! Endpoints: who wants to hear of what happens, and how they are reached.

use std::{collections::BTreeMap, time::Duration};

use data_encoding::BASE64;
use serde::{Deserialize, Serialize};
use serde_json::json;
use shared::{
    domain::{Commit, Draft, Id, Page, Timestamp},
    http::{Response, StatusCode, empty, etag, header, json as json_response, with_header},
    ports::Tenant,
    problem::Problem,
    route::Call,
    signing,
};
use utoipa::ToSchema;

use super::{
    handshake::{self, Handshake},
    health::Standing,
    private::{Auth, Private},
    pump,
    settings::{Settings, is_word},
    store,
};
use crate::source::{OVERLAP_MAX, Secret};

/// How many endpoints one customer, or the tenant itself, may have.
pub const ENDPOINTS_MAX: u32 = 50;
/// How many secrets sign at a time while one is rotated.
pub const SECRETS_MAX: usize = 3;
/// What the text of a signing secret starts with (Standard Webhooks 1.0).
pub const SECRET_PREFIX: &str = "whsec_";

/// Who wants to hear of what happens.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Endpoint {
    /// `end_…`
    pub id: Id,
    /// Of which of the tenant's customers it is; absent for the tenant's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer: Option<String>,
    /// Whether anything is sent.
    pub state: EndpointState,
    /// What it wants.
    #[serde(flatten)]
    pub settings: Settings,
    /// How we show who we are: none, basic, bearer or client_credentials.
    pub auth: String,
    /// The names of the headers of its own.
    pub headers: Vec<String>,
    /// The number of the last delivery: 1, 2, 3 … without a gap.
    pub sequence: i64,
    /// How it fares.
    pub health: Standing,
    /// How far the handshake is, where it wants one.
    #[serde(rename = "handshake_state", skip_serializing_if = "Option::is_none")]
    pub handshake: Option<Handshake>,
    /// When it was created.
    pub created_at: Timestamp,
    /// Counts its changes; its ETag.
    #[serde(skip)]
    pub version: i64,
    /// The signing secrets, sealed.
    #[serde(skip)]
    pub secrets: String,
    /// What else is sealed.
    #[serde(skip)]
    pub private: String,
}

/// Whether anything is sent.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EndpointState {
    /// Yes.
    Active,
    /// Events are kept for it, and sent when it is active again.
    Paused,
    /// Nothing is kept for it: it said that it is gone, or failed for five days.
    Disabled,
}

/// An endpoint with its signing secret.
#[derive(Debug, Serialize, ToSchema)]
pub struct CreatedEndpoint {
    /// The endpoint.
    #[serde(flatten)]
    pub endpoint: Endpoint,
    /// The secret with which the receiver checks signatures.
    pub secret: String,
}

/// The signing secret of an endpoint.
#[derive(Debug, Serialize, ToSchema)]
pub struct EndpointSecret {
    /// As Standard Webhooks libraries take it: `whsec_…`.
    pub secret: String,
}

/// What a new endpoint is made from: its settings, and what is kept secret.
#[derive(Debug, Deserialize, ToSchema)]
pub struct NewEndpoint {
    /// Of which of your customers it is: your own word for them. Left out for your own.
    #[serde(default)]
    pub customer: Option<String>,
    /// How to show the receiver who we are.
    #[serde(default)]
    pub auth: Auth,
    /// Headers of its own, up to 20. Their values are never shown again.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The signing secret, `whsec_` and 24 to 64 bytes in base64; we make one when left out.
    #[serde(default)]
    pub secret: Option<String>,
    /// What it wants.
    #[serde(flatten)]
    #[schema(value_type = Settings)]
    pub settings: serde_json::Map<String, serde_json::Value>,
}

/// What can be changed; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
pub struct EndpointChange {
    /// `active` sends again what has waited; `paused` holds it back.
    #[serde(default)]
    pub state: Option<EndpointState>,
    /// How to show the receiver who we are.
    #[serde(default)]
    pub auth: Option<Auth>,
    /// Headers of its own; all of them are replaced.
    #[serde(default)]
    pub headers: Option<BTreeMap<String, String>>,
    /// What it wants: each setting that is named is replaced.
    #[serde(flatten)]
    #[schema(value_type = Settings)]
    pub settings: serde_json::Map<String, serde_json::Value>,
}

/// A new signing secret.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EndpointRotation {
    /// The secret; we make one when it is left out.
    #[serde(default)]
    pub secret: Option<String>,
    /// How long the one before signs as well, in seconds: 0 to 2592000, a day when left out.
    #[serde(default = "a_day")]
    pub overlap_seconds: u64,
}

fn a_day() -> u64 {
    24 * 60 * 60
}

impl Endpoint {
    /// The secrets that sign at this moment, the newest first.
    ///
    /// # Errors
    /// When they cannot be opened.
    pub async fn secrets(&self, at: &impl Tenant) -> Result<Vec<Secret>, Problem> {
        let text = at.unseal(&self.secrets).await?;
        let all: Vec<Secret> =
            serde_json::from_slice(&text).map_err(|it| Problem::internal().caused_by(it))?;
        Ok(all.into_iter().filter(|it| it.counts(at.now())).collect())
    }

    /// What else is sealed.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub async fn private(&self, at: &impl Tenant) -> Result<Private, Problem> {
        let text = at.unseal(&self.private).await?;
        serde_json::from_slice(&text).map_err(|it| Problem::internal().caused_by(it))
    }
}

fn settings(map: serde_json::Map<String, serde_json::Value>) -> Result<Settings, Problem> {
    let settings: Settings =
        serde_json::from_value(map.into()).map_err(|err| Problem::unfitting("settings", err))?;
    settings.checked()
}

/// The customer whose endpoint it is to be: whoever acts for one can name no other.
fn customer(at: &impl Tenant, named: Option<String>) -> Result<Option<String>, Problem> {
    let acting = &at.principal().customer;
    if acting.is_some() && named.is_some() && *acting != named {
        return Err(Problem::unfitting("customer", "it is that of your link: leave it out"));
    }
    match acting.clone().or(named) {
        Some(it) if !is_word(&it) => {
            Err(Problem::unfitting("customer", "1 to 128 of A-Z a-z 0-9 . _ - : /"))
        }
        other => Ok(other),
    }
}

fn checked_secret(at: &impl Tenant, given: Option<String>) -> Result<String, Problem> {
    let Some(text) = given else {
        let mut random = [0; 24];
        at.random(&mut random)?;
        return Ok(format!("{SECRET_PREFIX}{}", BASE64.encode(&random)));
    };
    let bytes = text.strip_prefix(SECRET_PREFIX).and_then(|it| BASE64.decode(it.as_bytes()).ok());
    match bytes {
        Some(it) if (24..=64).contains(&it.len()) => Ok(text),
        _ => Err(Problem::unfitting("secret", "whsec_ and 24 to 64 bytes in base64")),
    }
}

async fn seal(at: &impl Tenant, what: &impl Serialize) -> Result<String, Problem> {
    let text = serde_json::to_vec(what).map_err(|it| Problem::internal().caused_by(it))?;
    Ok(at.seal(&text).await?)
}

/// Creates an endpoint.
pub async fn create(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let new: NewEndpoint = call.json()?;
    let customer = customer(at, new.customer)?;
    let secret = checked_secret(at, new.secret)?;
    let private = Private { auth: new.auth, headers: new.headers }.checked()?;
    let secrets = [Secret { text: secret.clone(), until: None }];
    let mut endpoint = Endpoint {
        id: at.new_id("end")?,
        customer,
        state: EndpointState::Active,
        settings: settings(new.settings)?,
        auth: private.auth.kind().to_owned(),
        headers: private.headers.keys().cloned().collect(),
        sequence: 0,
        health: Standing::default(),
        handshake: None,
        created_at: at.now(),
        version: 1,
        secrets: seal(at, &secrets).await?,
        private: seal(at, &private).await?,
    };
    endpoint.handshake = handshake::after(&call.request, None, &endpoint);
    let entry = Draft::new("endpoint.created", &endpoint.id)
        .with(json!({"customer": endpoint.customer, "url": endpoint.settings.url}));
    let commit = store::insert_endpoint(&endpoint)
        .and(handshake::begun(&endpoint))
        .entry(entry)
        .and(signing::first(at).await?);
    let created = CreatedEndpoint { endpoint, secret };
    let response = json_response(StatusCode::CREATED, &created);
    let response = with_header(response, header::ETAG, &etag(created.endpoint.version));
    let answer = at.answer(commit, response, Problem::changed_meanwhile).await;
    let customer = created.endpoint.customer.as_deref();
    if answer.is_err() && is_full(store::endpoints_of(at, customer).await?.len()) {
        let instead = "delete one that is not used";
        return Err(Problem::full_list(ENDPOINTS_MAX, "endpoints of a customer", instead));
    }
    answer
}

fn is_full(count: usize) -> bool {
    u32::try_from(count).is_ok_and(|it| it >= ENDPOINTS_MAX)
}

fn answer(it: &Endpoint) -> Response {
    with_header(json_response(StatusCode::OK, it), header::ETAG, &etag(it.version))
}

/// Lists the endpoints, oldest first: all of them, or those of `customer`.
pub async fn list(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let (limit, cursor) = call.page()?;
    let after = cursor.as_ref().map_or("", |it| it.key());
    let asked = call.query("customer").map(std::borrow::Cow::into_owned);
    let whose = at.principal().customer.clone().or(asked);
    let found = store::list_endpoints(at, whose.as_deref(), after, limit + 1).await?;
    Ok(json_response(StatusCode::OK, &Page::of(found, limit, |it| it.id.to_string())))
}

/// The endpoint in the path, or the 404 that everybody gets, also for another customer's.
pub async fn find(at: &impl Tenant, call: &Call) -> Result<Endpoint, Problem> {
    let found = store::find_endpoint(at, &call.id("end")?).await?;
    let acting = &at.principal().customer;
    found.filter(|it| acting.is_none() || it.customer == *acting).ok_or_else(Problem::not_found)
}

/// Reads one.
pub async fn get(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    find(at, call).await.map(|it| answer(&it))
}

/// Changes one.
pub async fn update(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let endpoint = find(at, call).await?;
    let change: EndpointChange = call.json()?;
    let read = endpoint.version;
    if call.if_match()?.is_some_and(|it| it != read) {
        return Err(Problem::changed_meanwhile());
    }
    let private = endpoint.private(at).await?;
    let private = Private {
        auth: change.auth.unwrap_or(private.auth),
        headers: change.headers.unwrap_or(private.headers),
    }
    .checked()?;
    let state = match change.state {
        Some(EndpointState::Disabled) => {
            return Err(Problem::unfitting("state", "active or paused; or delete it"));
        }
        Some(it) => it,
        None => endpoint.state,
    };
    let settings = merged(&endpoint.settings, change.settings)?;
    let resumed = state == EndpointState::Active && endpoint.state != EndpointState::Active;
    let moved = settings.url != endpoint.settings.url;
    let mut changed = Endpoint {
        state,
        settings,
        auth: private.auth.kind().to_owned(),
        headers: private.headers.keys().cloned().collect(),
        private: seal(at, &private).await?,
        // Whoever makes it active again, or moves it, gives it another five days.
        health: if resumed || moved { Standing::default() } else { endpoint.health.clone() },
        version: read + 1,
        ..endpoint.clone()
    };
    changed.handshake = handshake::after(&call.request, Some(&endpoint), &changed);
    let entry = Draft::new("endpoint.updated", &changed.id)
        .with(json!({"state": changed.state, "url": changed.settings.url}));
    let commit = store::update_endpoint(&changed, read)
        .and(store::forget_token(&changed.id))
        .and(handshake::begun(&changed))
        .entry(entry)
        .job(pump::job(&changed.id));
    at.answer(commit, answer(&changed), Problem::changed_meanwhile).await
}

/// The settings with those replaced that are named; null is as if it had not been set.
fn merged(
    before: &Settings,
    change: serde_json::Map<String, serde_json::Value>,
) -> Result<Settings, Problem> {
    let mut all = match json!(before) {
        serde_json::Value::Object(it) => it,
        _ => serde_json::Map::new(),
    };
    for (name, value) in change {
        match value.is_null() {
            true => all.remove(&name),
            false => all.insert(name, value),
        };
    }
    settings(all)
}

/// Deletes one, and what was to be delivered to it.
pub async fn delete(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let endpoint = find(at, call).await?;
    let commit =
        store::delete_endpoint(&endpoint.id).entry(Draft::new("endpoint.deleted", &endpoint.id));
    at.answer(commit, empty(StatusCode::NO_CONTENT), Problem::not_found).await
}

/// Shows the signing secret.
pub async fn secret(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let secrets = find(at, call).await?.secrets(at).await?;
    let secret = secrets.into_iter().next().map(|it| it.text).ok_or_else(Problem::not_found)?;
    Ok(json_response(StatusCode::OK, &EndpointSecret { secret }))
}

/// Puts a new secret in front. Both sign for the overlap.
pub async fn rotate(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let endpoint = find(at, call).await?;
    let rotation: EndpointRotation = call.json()?;
    let overlap = Duration::from_secs(rotation.overlap_seconds);
    if overlap > OVERLAP_MAX {
        let why = format!("at most {}", OVERLAP_MAX.as_secs());
        return Err(Problem::unfitting("overlap_seconds", why));
    }
    let secret = checked_secret(at, rotation.secret)?;
    let until = at.now() + overlap;
    let mut secrets = vec![Secret { text: secret.clone(), until: None }];
    let before = endpoint.secrets(at).await?.into_iter();
    secrets.extend(before.map(|it| {
        let until = it.until.map_or(until, |other| other.min(until));
        Secret { until: Some(until), ..it }
    }));
    secrets.truncate(SECRETS_MAX);
    let read = endpoint.version;
    let rotated = Endpoint { secrets: seal(at, &secrets).await?, version: read + 1, ..endpoint };
    let entry = Draft::new("endpoint.rotated", &rotated.id).with(json!({"until": until}));
    let commit = store::update_endpoint(&rotated, read).entry(entry);
    let response = json_response(StatusCode::OK, &EndpointSecret { secret });
    at.answer(commit, response, Problem::changed_meanwhile).await
}

/// Nothing is kept for it any more, for this reason.
pub fn disabled(endpoint: &Endpoint, why: &str) -> Commit {
    let data = json!({"customer": endpoint.customer, "reason": why});
    store::disable_endpoint(&endpoint.id)
        .entry(Draft::new("endpoint.disabled", &endpoint.id).with(data))
}
