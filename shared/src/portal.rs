//! Portals: short-lived links with which a tenant's customers tend to what is theirs.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use crate::{
    domain::{Commit, Draft, Id, Scopes, Timestamp},
    door::Link,
    http::{Response, StatusCode, json as json_response},
    ports::Tenant,
    problem::Problem,
};

/// How long a link works at most.
pub const LIFE_MAX: Duration = Duration::from_secs(24 * 60 * 60);
/// How long it works when nothing is said.
const LIFE_DEFAULT: u64 = 60 * 60;

/// For whom a link is, and for how long.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPortalLink {
    /// Which of your customers.
    pub customer: String,
    /// Whether they can only look.
    #[serde(default)]
    pub read_only: bool,
    /// How long it works, in seconds of the real clock: 1 to 86400, an hour when left out.
    #[serde(default)]
    pub expires_in_seconds: Option<u64>,
}

/// A link that was made. It is kept nowhere.
#[derive(Debug, Serialize, ToSchema)]
pub struct PortalLink {
    /// Send it as `Authorization: Bearer`, or as the query parameter `link`.
    pub token: String,
    /// When it stops working.
    pub expires_at: Timestamp,
}

/// What customers can reach by a link.
pub struct Portal<'a> {
    /// Where: a path, or the start of paths with `*` at its end.
    pub path: &'a str,
    /// The scope of who only looks.
    pub read: &'a str,
    /// The further one of who changes something.
    pub write: &'a str,
}

impl Portal<'_> {
    /// Makes a link for a customer that the caller knows.
    ///
    /// # Errors
    /// 422 for a life that is too long.
    pub async fn open(&self, at: &impl Tenant, new: NewPortalLink) -> Result<Response, Problem> {
        let life = Duration::from_secs(new.expires_in_seconds.unwrap_or(LIFE_DEFAULT));
        if life.is_zero() || life > LIFE_MAX {
            let why = format!("1 to {}", LIFE_MAX.as_secs());
            return Err(Problem::unfitting("expires_in_seconds", why));
        }
        let scopes: &[&str] = match new.read_only {
            true => &[self.read],
            false => &[self.read, self.write],
        };
        let link = Link {
            tenant: at.principal().tenant.clone(),
            by: at.principal().actor.to_string(),
            path: self.path.to_owned(),
            scopes: Scopes(scopes.iter().map(|it| (*it).to_owned()).collect()),
            expires_at: at.real_now() + life,
            customer: Some(new.customer.clone()),
        };
        let token = at.sign_link(&link).await?;
        let entry = Draft::new("portal.opened", &Id::trusted(new.customer))
            .with(json!({"scopes": link.scopes, "expires_at": link.expires_at}));
        let made = PortalLink { token, expires_at: link.expires_at };
        let response = json_response(StatusCode::CREATED, &made);
        at.answer(Commit::new().entry(entry), response, Problem::changed_meanwhile).await
    }
}
