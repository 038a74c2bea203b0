//! Messages: webhooks that were accepted, and what became of them.

use serde::{Deserialize, Serialize};
use serde_json::json;
use shared::{
    domain::{Draft, Id, Page, Timestamp},
    http::{
        HeaderMap, HeaderName, HeaderValue, Response, StatusCode, json as json_response, respond,
        with_header,
    },
    ports::Tenant,
    problem::Problem,
    route::Call,
};
use utoipa::ToSchema;

use crate::{deliver, replay, store};

/// How many headers are kept with a message.
pub const HEADERS_MAX: usize = 64;
/// How many bytes of headers are kept with a message.
pub const HEADERS_BYTES_MAX: usize = 16 * 1024;

/// Headers that belong to the way here, to the runtime, or to nobody but the sender.
const DROPPED: [&str; 17] = [
    "accept",
    "accept-encoding",
    "authorization",
    "cdn-loop",
    "connection",
    "content-length",
    "cookie",
    "host",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "x-client-address",
    "x-real-ip",
];
const DROPPED_PREFIXES: [&str; 4] = ["backplane-", "cf-", "spin-", "x-forwarded-"];

/// A webhook that was accepted.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Message {
    /// `msg_…`; its deliveries carry it as `backplane-message`.
    pub id: Id,
    /// The source that sent it.
    pub source: Id,
    /// The provider's id of it, or `sha256:` and the hash of its body.
    pub provider_id: String,
    /// What happened, in the provider's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_type: Option<String>,
    /// When it came.
    pub received_at: Timestamp,
    /// What became of it.
    pub delivery: Delivery,
    /// How many times its delivery was tried.
    pub attempts: u32,
    /// The status of the last answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_status: Option<u16>,
    /// Why the last try failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    /// When it was delivered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivered_at: Option<Timestamp>,
}

/// A message with what it said.
#[derive(Debug, Serialize, ToSchema)]
pub struct FullMessage {
    /// The message.
    #[serde(flatten)]
    pub message: Message,
    /// Its headers, without those of the way here.
    #[schema(value_type = Vec<Vec<String>>)]
    pub headers: Headers,
    /// Its body, when that is text. The bytes are at `/body`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
}

/// What became of a message.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Delivery {
    /// Its source has no target.
    None,
    /// It is on its way.
    Waiting,
    /// Its target has it.
    Delivered,
    /// Its target never took it; replay it.
    Failed,
}

/// Headers as they are kept: names in lower case, in the order of the names.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(transparent)]
pub struct Headers(pub Vec<(String, String)>);

impl Delivery {
    /// The word for it in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Waiting => "waiting",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
        }
    }

    /// Reads [`Delivery::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        [Self::None, Self::Waiting, Self::Delivered, Self::Failed]
            .into_iter()
            .find(|it| it.as_str() == text)
    }
}

impl Headers {
    /// What is worth keeping of a request's headers, within the limits.
    pub fn of(headers: &HeaderMap) -> Self {
        let mut kept: Vec<_> = headers
            .iter()
            .filter(|(name, _)| !is_dropped(name.as_str()))
            .filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned())))
            .collect();
        kept.sort();
        kept.truncate(HEADERS_MAX);
        let mut bytes = 0;
        kept.retain(|(name, value)| {
            bytes += name.len() + value.len();
            bytes <= HEADERS_BYTES_MAX
        });
        Self(kept)
    }

    /// The same without the header in which a recipe has a secret, if it has one in a header.
    pub fn without(mut self, secret: Option<&str>) -> Self {
        self.0.retain(|(name, _)| secret.is_none_or(|it| !it.eq_ignore_ascii_case(name)));
        self
    }

    /// The headers to send on.
    pub fn to_map(&self) -> HeaderMap {
        let parse = |(name, value): &(String, String)| {
            Some((HeaderName::try_from(name).ok()?, HeaderValue::try_from(value).ok()?))
        };
        self.0.iter().filter_map(parse).collect()
    }
}

fn is_dropped(name: &str) -> bool {
    DROPPED.contains(&name) || DROPPED_PREFIXES.iter().any(|it| name.starts_with(it))
}

/// Lists messages, newest first, of one source or of all.
pub async fn list(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let (limit, cursor) = call.page()?;
    // Ids sort by time; this is after all of them.
    let before = cursor.as_ref().map_or("msg_~", |it| it.key());
    let source = match call.query("source") {
        None => None,
        Some(it) => Some(Id::parse("src", &it).ok_or_else(Problem::not_found)?),
    };
    let messages = store::list_messages(at, source.as_ref(), before, limit + 1).await?;
    Ok(json_response(StatusCode::OK, &Page::of(messages, limit, |it| it.id.to_string())))
}

/// Reads one, with what it said.
pub async fn get(at: &impl Tenant, id: &Id) -> Result<Response, Problem> {
    let (message, headers, body) =
        store::find_message(at, id).await?.ok_or_else(Problem::not_found)?;
    let full = FullMessage { message, headers, body: String::from_utf8(body).ok() };
    Ok(json_response(StatusCode::OK, &full))
}

/// The body of one, byte for byte as it came.
pub async fn body(at: &impl Tenant, id: &Id) -> Result<Response, Problem> {
    let (_, _, body) = store::find_message(at, id).await?.ok_or_else(Problem::not_found)?;
    // A stranger wrote it: no browser may take it for a page of ours.
    let response = respond(StatusCode::OK, "application/octet-stream", body);
    let response =
        with_header(response, HeaderName::from_static("x-content-type-options"), "nosniff");
    Ok(with_header(response, HeaderName::from_static("content-disposition"), "attachment"))
}

/// Delivers one once more, to where its source points now.
pub async fn replay(at: &impl Tenant, id: &Id) -> Result<Response, Problem> {
    let (message, _, _) = store::find_message(at, id).await?.ok_or_else(Problem::not_found)?;
    let target = store::find_source(at, &message.source).await?.and_then(|it| it.target);
    if target.is_none() {
        let kind = "/problems/webhooks/no-target";
        return Err(Problem::new(StatusCode::CONFLICT, kind, "The source has no target")
            .detail("set the source's target, then replay the message"));
    }
    let waiting = replay::waiting(message);
    let job = deliver::job(&waiting.id, at.new_id("job")?.as_str(), None);
    let commit = store::update_delivery(&waiting, 0)
        .entry(Draft::new("webhook.replayed", id).with(json!({"source": waiting.source})))
        .job(job);
    let response = json_response(StatusCode::ACCEPTED, &waiting);
    at.answer(commit, response, Problem::not_found).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_belongs_to_the_way_here_is_dropped() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("x-github-event", "push"),
            ("authorization", "Bearer secret"),
            ("cf-connecting-ip", "192.0.2.1"),
            ("content-type", "application/json"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }

        let kept = Headers::of(&headers).0;

        let names: Vec<_> = kept.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["content-type", "x-github-event"]);
    }

    #[test]
    fn headers_are_kept_within_the_limits() {
        let mut headers = HeaderMap::new();
        for i in 0..200 {
            let name = HeaderName::try_from(format!("x-{i}")).unwrap();
            headers.insert(name, HeaderValue::try_from("v".repeat(1000)).unwrap());
        }

        let kept = Headers::of(&headers).0;

        assert!(kept.len() <= HEADERS_MAX);
        let bytes: usize = kept.iter().map(|(name, value)| name.len() + value.len()).sum();
        assert!(bytes <= HEADERS_BYTES_MAX);
    }
}
