//! The handshake of CloudEvents' HTTP webhooks (version 1.0.2, section 4): an endpoint that wants
//! one is sent nothing before it has said that it wants us.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;
use shared::{
    domain::{Commit, Draft, Failure, Job, NewJob, Timestamp},
    http::{HeaderMap, HeaderName, HeaderValue, Method, Request, header},
    ports::{HttpRequest, Rate, Tenant},
};
use utoipa::ToSchema;

use super::{
    attempt::{ANSWER_BYTES_MAX, TIMEOUT, class},
    endpoint::Endpoint,
    pump, store,
};

/// Asks an endpoint whether it wants us.
pub const HANDSHAKE: &str = "webhooks.handshake";
const REQUEST_ORIGIN: &str = "webhook-request-origin";
const REQUEST_RATE: &str = "webhook-request-rate";
const ALLOWED_ORIGIN: &str = "webhook-allowed-origin";
const ALLOWED_RATE: &str = "webhook-allowed-rate";
/// In which time the rates of a handshake count.
const MINUTE: Duration = Duration::from_secs(60);
/// What an endpoint allows beyond this is no bound: as many as the limiter can tell apart.
const RATE_PER_MINUTE_MAX: u32 = 60_000;
/// The longest origin that is taken from a request, in characters.
const ORIGIN_CHARS_MAX: usize = 253;

/// The handshake that an endpoint wants before anything is sent.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum HandshakeKind {
    /// The `OPTIONS` of CloudEvents.
    Cloudevents,
}

/// How far the handshake with an endpoint is.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize, ToSchema)]
pub struct Handshake {
    /// Whether the endpoint wants us.
    pub state: HandshakeState,
    /// As whom we ask: the host under which the endpoint was set up here.
    pub origin: String,
    /// Why it is not granted, as of the last time that we asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The most that the endpoint takes a minute, if it said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_per_minute: Option<u32>,
    /// When it last answered, or should have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_at: Option<Timestamp>,
}

/// Whether an endpoint wants us.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum HandshakeState {
    /// It has not said so yet.
    Pending,
    /// It does.
    Granted,
    /// It does not, or did not answer. We ask again by the schedule of retries; what there is to
    /// deliver waits.
    Refused,
}

impl Handshake {
    /// One that is still to be made.
    pub fn pending(origin: String) -> Self {
        let state = HandshakeState::Pending;
        Self { state, origin, reason: None, rate_per_minute: None, asked_at: None }
    }

    /// Whether anything may be sent.
    pub fn is_granted(&self) -> bool {
        self.state == HandshakeState::Granted
    }

    /// The most that may be sent, when it is less than this many attempts a second.
    pub fn rate(&self, rate_per_second: Option<u32>) -> Option<Rate> {
        let limit = self.rate_per_minute?;
        let ours = rate_per_second.map(|it| u64::from(it) * MINUTE.as_secs());
        let bounds = ours.is_none_or(|it| u64::from(limit) < it);
        bounds.then_some(Rate { limit: limit.min(RATE_PER_MINUTE_MAX), period: MINUTE })
    }

    /// The request that asks, by a sender of up to this many attempts a second.
    fn request(&self, url: url::Url, rate_per_second: Option<u32>) -> HttpRequest {
        let mut headers = HeaderMap::new();
        // An origin is a host, which was checked when it was taken.
        if let Ok(origin) = HeaderValue::from_str(&self.origin) {
            headers.insert(HeaderName::from_static(REQUEST_ORIGIN), origin);
        }
        if let Some(rate) = rate_per_second {
            let rate = HeaderValue::from(u64::from(rate) * MINUTE.as_secs());
            headers.insert(HeaderName::from_static(REQUEST_RATE), rate);
        }
        HttpRequest {
            method: Method::OPTIONS,
            url,
            headers,
            body: bytes::Bytes::new(),
            timeout: TIMEOUT,
            answer_bytes_max: ANSWER_BYTES_MAX,
        }
    }

    /// The same after this answer.
    fn answered(self, status: u16, headers: &HeaderMap, now: Timestamp) -> Self {
        let header = |name| headers.get(name).and_then(|it| it.to_str().ok()).map(str::trim);
        let origins = header(ALLOWED_ORIGIN).unwrap_or_default();
        let is_ours = |it: &str| !it.is_empty() && it.eq_ignore_ascii_case(&self.origin);
        if !(200..=299).contains(&status) {
            return self.refused(format!("status {status}"), now);
        }
        if !origins.split(',').map(str::trim).any(|it| it == "*" || is_ours(it)) {
            let why = format!("{ALLOWED_ORIGIN} is neither our origin nor *");
            return self.refused(why, now);
        }
        match header(ALLOWED_RATE) {
            None | Some("*") => self.granted(None, now),
            Some(text) => match text.parse() {
                Ok(rate) if rate > 0 => self.granted(Some(rate), now),
                _ => self.refused(format!("{ALLOWED_RATE} is not a whole number above 0"), now),
            },
        }
    }

    fn granted(self, rate_per_minute: Option<u32>, now: Timestamp) -> Self {
        let state = HandshakeState::Granted;
        Self { state, reason: None, rate_per_minute, asked_at: Some(now), ..self }
    }

    fn refused(self, why: String, now: Timestamp) -> Self {
        let state = HandshakeState::Refused;
        Self { state, reason: Some(why), asked_at: Some(now), ..self }
    }
}

/// The handshake of an endpoint after it was set up or changed by this request: a new one when
/// there was none, or when what it was about has changed.
pub fn after(request: &Request, before: Option<&Endpoint>, after: &Endpoint) -> Option<Handshake> {
    after.settings.handshake?;
    after.settings.url.as_ref()?;
    let kept = before.filter(|it| {
        it.settings.url == after.settings.url
            && it.settings.rate_per_second == after.settings.rate_per_second
    });
    // Whoever saves an endpoint that was refused has mended it.
    let kept = kept.and_then(|it| it.handshake.clone()).filter(Handshake::is_granted);
    Some(kept.unwrap_or_else(|| Handshake::pending(origin(request))))
}

/// The host that a request came to: the one under which the tenant is served.
fn origin(request: &Request) -> String {
    // Spin keeps the header from us, and Workers as well as Spin put the host into the address.
    let named = request.headers().get(header::HOST).and_then(|it| it.to_str().ok());
    let host = request.uri().host().or(named).unwrap_or_default().split(':').next();
    let host = host.unwrap_or_default().chars().take(ORIGIN_CHARS_MAX);
    host.collect::<String>().to_ascii_lowercase()
}

/// What writes the handshake of an endpoint that was set up or changed, and makes it unless it is
/// granted.
pub fn begun(endpoint: &Endpoint) -> Commit {
    let commit = store::update_handshake(endpoint, endpoint.handshake.as_ref());
    if endpoint.handshake.as_ref().is_none_or(Handshake::is_granted) {
        return commit;
    }
    // A change is asked about at once, however long the one before has been waiting.
    let id = format!("{HANDSHAKE}:{}:{}", endpoint.id, endpoint.version);
    commit.job(NewJob::new(HANDSHAKE, id, json!({"id": endpoint.id})))
}

/// Asks, and starts the pump when the endpoint wants us.
///
/// # Errors
/// Why it does not; it is asked again by the schedule.
pub async fn shake(at: &impl Tenant, job: &Job) -> Result<Commit, Failure> {
    let Some(endpoint) = store::find_endpoint(at, &job.subject()?).await? else {
        return Ok(Commit::new());
    };
    let open = endpoint.handshake.clone().filter(|it| !it.is_granted());
    let url = endpoint.settings.url.as_ref().and_then(|it| it.parse().ok());
    let (Some(open), Some(url)) = (open, url) else { return Ok(Commit::new()) };
    let request = open.request(url, endpoint.settings.rate_per_second);
    let answered = match at.fetch(request).await {
        Ok(answer) => open.answered(answer.status.as_u16(), &answer.headers, at.time()),
        Err(err) => open.refused(class(&err).to_owned(), at.time()),
    };
    let commit =
        store::update_handshake(&endpoint, Some(&answered)).and(told(&endpoint, &answered));
    match answered.reason {
        None => Ok(commit.job(pump::job(&endpoint.id))),
        Some(why) => Err(Failure { commit, ..Failure::again(why) }),
    }
}

/// What the log says, when it is something new.
fn told(endpoint: &Endpoint, answered: &Handshake) -> Commit {
    let before = endpoint.handshake.as_ref();
    if before.is_some_and(|it| it.state == answered.state && it.reason == answered.reason) {
        return Commit::new();
    }
    let action = if answered.is_granted() { "endpoint.granted" } else { "endpoint.refused" };
    let data = json!({
        "origin": answered.origin, "reason": answered.reason,
        "rate_per_minute": answered.rate_per_minute,
    });
    Commit::new().entry(Draft::new(action, &endpoint.id).with(data))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(status: u16, headers: &[(&'static str, &'static str)]) -> Handshake {
        let headers = headers
            .iter()
            .map(|(k, v)| (HeaderName::from_static(k), HeaderValue::from_static(v)))
            .collect();
        let asked = Handshake::pending("hooks.example.com".to_owned());
        asked.answered(status, &headers, Timestamp(7))
    }

    #[test]
    fn only_our_origin_or_any_is_a_grant() {
        for (status, origin, granted) in [
            (200, "hooks.example.com", true),
            (204, "HOOKS.example.com", true),
            (200, "*", true),
            (200, "other.example.com, hooks.example.com", true),
            (200, "example.com", false),
            (200, "", false),
            (404, "*", false),
            (302, "*", false),
        ] {
            let it = answered(status, &[(ALLOWED_ORIGIN, origin)]);

            assert_eq!(it.is_granted(), granted, "{status} {origin}");
            assert_eq!(it.reason.is_none(), granted, "{status} {origin}");
        }
        assert!(!answered(200, &[]).is_granted());
    }

    #[test]
    fn an_origin_that_is_not_known_is_granted_to_anybody_only() {
        let any = (HeaderName::from_static(ALLOWED_ORIGIN), HeaderValue::from_static("*"));
        for (headers, granted) in [(vec![], false), (vec![any], true)] {
            let headers = headers.into_iter().collect();
            let it = Handshake::pending(String::new()).answered(200, &headers, Timestamp(7));

            assert_eq!(it.is_granted(), granted);
        }
    }

    #[test]
    fn the_lower_rate_bounds() {
        let allowed = |text| answered(200, &[(ALLOWED_ORIGIN, "*"), (ALLOWED_RATE, text)]);
        let limit = |it: &Handshake, ours| it.rate(ours).map(|it| it.limit);

        assert_eq!(limit(&allowed("30"), Some(1)), Some(30));
        assert_eq!(limit(&allowed("30"), None), Some(30));
        assert_eq!(limit(&allowed("600"), Some(1)), None);
        assert_eq!(limit(&allowed("*"), Some(1)), None);
        assert!(!allowed("0").is_granted());
        assert!(!allowed("soon").is_granted());
    }

    #[test]
    fn the_request_says_who_asks_and_how_much() {
        let asked = Handshake::pending("hooks.example.com".to_owned());
        let url: url::Url = "https://example.org/in".parse().unwrap();

        let request = asked.request(url.clone(), Some(2));

        assert_eq!(request.method, Method::OPTIONS);
        assert_eq!(request.headers[REQUEST_ORIGIN], "hooks.example.com");
        assert_eq!(request.headers[REQUEST_RATE], "120");
        assert!(asked.request(url, None).headers.get(REQUEST_RATE).is_none());
    }
}
