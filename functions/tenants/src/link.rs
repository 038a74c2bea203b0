//! Signed links: a short-lived key in an address, for one path and few scopes.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;
use shared::{
    domain::{Commit, Draft, Id, Scopes, Timestamp},
    door::{LINK_PARAMETER, Link},
    http::{Response, StatusCode, json as json_response},
    ports,
    problem::Problem,
};
use utoipa::ToSchema;

use crate::key::is_scope;

/// How long a link works at most.
pub const LIFE_MAX: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// The longest path, in characters.
pub const PATH_CHARS_MAX: usize = 512;
/// How many scopes a link has at most.
pub const SCOPES_MAX: usize = 10;

/// What a link is made from.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewLink {
    /// The one path that it opens, as `/v1/log`.
    pub path: String,
    /// What it may be used for; no more than the caller may.
    pub scopes: Vec<String>,
    /// How long it works, in seconds of the real clock: 1 to 604800.
    pub expires_in_seconds: u64,
}

/// A link that was made. It is kept nowhere.
#[derive(Debug, Serialize, ToSchema)]
pub struct CreatedLink {
    /// The path with the token; put the host in front.
    pub link: String,
    /// When it stops working.
    pub expires_at: Timestamp,
}

/// Makes a link.
pub async fn create(at: &impl ports::Tenant, new: NewLink) -> Result<Response, Problem> {
    let scopes = check(at, &new)?;
    let link = Link {
        tenant: at.principal().tenant.clone(),
        by: at.principal().actor.to_string(),
        path: new.path,
        scopes,
        expires_at: at.real_now() + Duration::from_secs(new.expires_in_seconds),
        customer: None,
    };
    let token = at.sign_link(&link).await?;
    let created = CreatedLink {
        link: format!("{}?{LINK_PARAMETER}={token}", link.path),
        expires_at: link.expires_at,
    };
    let subject = Id::trusted(link.path.clone());
    let entry = Draft::new("link.created", &subject)
        .with(json!({"scopes": link.scopes, "expires_at": link.expires_at}));
    let response = json_response(StatusCode::CREATED, &created);
    at.answer(Commit::new().entry(entry), response, Problem::changed_meanwhile).await
}

fn check(at: &impl ports::Tenant, new: &NewLink) -> Result<Scopes, Problem> {
    let plain = new.path.bytes().all(|it| it.is_ascii_graphic() && !b"?#*".contains(&it));
    if !new.path.starts_with('/') || new.path.len() > PATH_CHARS_MAX || !plain {
        return Err(Problem::unfitting("path", "name one path, as /v1/log, without a query"));
    }
    let life = Duration::from_secs(new.expires_in_seconds);
    if life.is_zero() || life > LIFE_MAX {
        let why = format!("1 to {}", LIFE_MAX.as_secs());
        return Err(Problem::unfitting("expires_in_seconds", why));
    }
    if new.scopes.is_empty() || new.scopes.len() > SCOPES_MAX {
        return Err(Problem::unfitting("scopes", format!("name 1 to {SCOPES_MAX} scopes")));
    }
    if !new.scopes.iter().all(|it| is_scope(it)) {
        let why = "a scope is a word as log:read, log:* or *";
        return Err(Problem::unfitting("scopes", why));
    }
    let scopes = Scopes(new.scopes.clone());
    match at.principal().scopes.cover(&scopes) {
        true => Ok(scopes),
        false => Err(Problem::unfitting("scopes", "a link cannot give more than its maker has")),
    }
}
