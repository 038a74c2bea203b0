//! Settings: who sends the tenant's mail.

use serde::{Deserialize, Serialize};
use serde_json::json;
use shared::{
    domain::{Address, Draft, Id},
    http::{Response, StatusCode, etag, header, json as json_response, with_header},
    ports::Tenant,
    problem::Problem,
    route::Call,
};
use url::Url;
use utoipa::ToSchema;

use crate::store;

/// The longest name of a sender, in characters.
const NAME_CHARS_MAX: usize = 120;
/// What an address of our own is.
const BASE: &str = "an https address without path, query or password, as https://api.example.com";

/// Who sends the tenant's mail.
#[derive(Clone, Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NoticeSettings)]
pub struct Settings {
    /// The sender's address. Who sends mail has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub from: Option<Address>,
    /// What the sender is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Where answers go, if not to the sender.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub reply_to: Option<Address>,
    /// Where this service is reached by whoever reads a mail, as `https://api.example.com`: links
    /// to unsubscribe begin with it. Who sends mail has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub base: Option<Url>,
    /// Counts the changes; the ETag.
    #[serde(skip)]
    pub version: i64,
}

impl Settings {
    fn checked(self) -> Result<Self, Problem> {
        if self.from.is_none() {
            return Err(Problem::unfitting("from", "who sends has an address"));
        }
        if !self.base.as_ref().is_some_and(is_base) {
            return Err(Problem::unfitting("base", BASE));
        }
        if self.name.as_ref().is_some_and(|it| it.chars().count() > NAME_CHARS_MAX) {
            return Err(Problem::unfitting("name", format!("at most {NAME_CHARS_MAX} characters")));
        }
        Ok(self)
    }
}

fn is_base(it: &Url) -> bool {
    it.scheme() == "https"
        && it.path() == "/"
        && it.query().is_none()
        && it.fragment().is_none()
        && it.username().is_empty()
        && it.password().is_none()
}

/// 409: mail has no sender yet.
pub fn missing() -> Problem {
    let kind = "/problems/notifications/no-sender";
    Problem::new(StatusCode::CONFLICT, kind, "Mail has no sender")
        .detail("put /v1/notifications/settings with from and base first")
}

/// Reads them; they are empty until they are put.
pub async fn get(at: &impl Tenant) -> Result<Response, Problem> {
    Ok(answer(&store::find_settings(at).await?))
}

fn answer(it: &Settings) -> Response {
    with_header(json_response(StatusCode::OK, it), header::ETAG, &etag(it.version))
}

/// Puts them.
pub async fn put(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let settings = call.json::<Settings>()?.checked()?;
    let before = store::find_settings(at).await?.version;
    if call.if_match()?.is_some_and(|it| it != before) {
        return Err(Problem::changed_meanwhile());
    }
    let settings = Settings { version: before + 1, ..settings };
    let entry = Draft::new("notification_settings.put", &Id::trusted(String::from("settings")))
        .with(json!({"version": settings.version}));
    let commit = store::put_settings(&settings).entry(entry);
    at.answer(commit, answer(&settings), Problem::changed_meanwhile).await
}
