//! Browsers that take messages: whose each is, and under which key it subscribed.

use serde::{Deserialize, Serialize};
use serde_json::json;
use shared::{
    domain::{Draft, Id, Page, Timestamp, sha256_hex},
    http::{Response, StatusCode, empty, json as json_response},
    ports::{PortError, Tenant},
    problem::Problem,
    route::Call,
};
use utoipa::ToSchema;

use crate::{
    push::{self, Subscription},
    recipient, store,
};

/// The prefix of their ids.
pub const PREFIX: &str = "psb";
/// How many browsers a recipient has at most; the oldest go.
pub const BROWSERS_MAX: u32 = 20;
/// The hosts that an endpoint may have, unless the deployment says otherwise: any of the internet,
/// and none of somebody's own network.
const HOSTS: &str = "https://*:*";

/// A browser that takes messages.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = PushSubscription)]
pub struct Browser {
    /// `psb_…`
    pub id: Id,
    /// Whose it is: a member's id, or an address in lower case.
    pub recipient: String,
    /// The host of its push service. The rest of the endpoint is a secret.
    pub host: String,
    /// The key that it subscribed under.
    pub public_key: String,
    /// When it was subscribed.
    pub created_at: Timestamp,
    /// What tells it from others: the SHA-256 of its endpoint.
    #[serde(skip)]
    pub place: String,
    /// What it gave, sealed.
    #[serde(skip)]
    pub sealed: String,
}

/// A browser that is subscribed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewPushSubscription)]
pub struct NewBrowser {
    /// What the browser gave: `PushSubscription.toJSON()`.
    pub subscription: push::Input,
    /// The public key that it subscribed under; the latest when left out.
    #[serde(default)]
    pub public_key: Option<String>,
}

/// Which hosts a push service may have here.
///
/// # Errors
/// When the settings cannot be read.
pub async fn hosts(at: &impl Tenant) -> Result<String, PortError> {
    let set = at.setting("push_hosts").await?.filter(|it| !it.is_empty());
    Ok(set.unwrap_or_else(|| HOSTS.to_owned()))
}

impl Browser {
    /// What a message is made for.
    ///
    /// # Errors
    /// When what is kept cannot be opened.
    pub async fn opened(&self, at: &impl Tenant) -> Result<Subscription, PortError> {
        let bytes = at.unseal(&self.sealed).await?;
        let input = serde_json::from_slice(&bytes).map_err(|it| PortError::new("notify", it))?;
        let hosts = hosts(at).await?;
        Subscription::parse(&input, &hosts).map_err(|it| PortError::new("notify", it))
    }
}

/// Subscribes one. The same again is the same; one that was somebody else's changes hands.
pub async fn subscribe(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let recipient = recipient::key(at, call).await?;
    let NewBrowser { subscription, public_key } = call.json()?;
    let unfit = |it: push::Error| Problem::unfitting("subscription", it);
    let parsed = Subscription::parse(&subscription, &hosts(at).await?).map_err(unfit)?;
    let keys = store::list_push_keys(at).await?;
    let key = match &public_key {
        None => keys.first(),
        Some(public) => keys.iter().find(|it| it.public_key == *public),
    };
    let key = key.ok_or_else(|| {
        let why = "none of ours: make one by POST /v1/notifications/push/keys, and subscribe by it";
        Problem::unfitting("public_key", why)
    })?;
    let place = sha256_hex(parsed.endpoint.as_str().as_bytes());
    let before = store::find_browser_at(at, &place).await?;
    let bytes =
        serde_json::to_vec(&subscription).map_err(|it| Problem::internal().caused_by(it))?;
    let it = Browser {
        id: match &before {
            Some(it) => it.id.clone(),
            None => at.new_id(PREFIX)?,
        },
        recipient,
        host: parsed.endpoint.host_str().unwrap_or_default().to_owned(),
        public_key: key.public_key.clone(),
        created_at: at.now(),
        place,
        sealed: at.seal(&bytes).await?,
    };
    let entry = Draft::new("push.subscribed", &it.id)
        .with(json!({"recipient": it.recipient, "host": it.host}));
    let status = if before.is_some() { StatusCode::OK } else { StatusCode::CREATED };
    let commit = store::put_browser(&it).entry(entry);
    at.answer(commit, json_response(status, &it), Problem::changed_meanwhile).await
}

/// Lists those of a recipient, the oldest first.
pub async fn list(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let items = store::browsers_of(at, &recipient::key(at, call).await?).await?;
    Ok(json_response(StatusCode::OK, &Page { items, next: None }))
}

/// Forgets one.
pub async fn unsubscribe(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let recipient = recipient::key(at, call).await?;
    let id = Id::parse(PREFIX, call.param_at(1)).ok_or_else(Problem::not_found)?;
    let found = store::find_browser(at, &id).await?.filter(|it| it.recipient == recipient);
    found.ok_or_else(Problem::not_found)?;
    let entry = Draft::new("push.unsubscribed", &id).with(json!({"recipient": recipient}));
    let commit = store::delete_browser(&id).entry(entry);
    at.answer(commit, empty(StatusCode::NO_CONTENT), Problem::not_found).await
}
