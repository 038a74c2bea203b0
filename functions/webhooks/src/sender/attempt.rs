//! One attempt: the request, what came back, and what follows from it.

use std::time::Duration;

use data_encoding::BASE64;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use shared::{
    domain::{Id, Timestamp},
    http::{HeaderMap, HeaderName, HeaderValue, Method, header},
    ports::{FetchError, HttpRequest, HttpResponse, Tenant},
    signing::Seed,
};
use utoipa::ToSchema;

use super::{
    http_message::{self, SignatureKind, Signatures},
    private::{Auth, Private, is_ours},
    standard,
    trace::{AttemptSpan, TRACEPARENT, TRACESTATE, Trace},
};
use crate::{deliver::retry_after, message::Headers};

/// How long an endpoint has to answer.
pub const TIMEOUT: Duration = Duration::from_secs(15);
/// How much of the answer is read, in bytes.
pub const ANSWER_BYTES_MAX: usize = 4 * 1024;
/// How much of the answer's body is kept, in characters.
pub const KEPT_CHARS_MAX: usize = 1024;
/// How many of the answer's headers are kept.
pub const KEPT_HEADERS_MAX: usize = 30;
/// What a body is.
const CONTENT_TYPE: &str = "application/json";
/// The header by which an endpoint says what to do with the delivery, or with itself.
const VERDICT: &str = "webhook-delivery";

/// One attempt to deliver.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct Attempt {
    /// 1, 2, 3 …
    pub number: u32,
    /// When it began.
    pub at: Timestamp,
    /// How long the answer took, in milliseconds.
    pub latency_ms: i64,
    /// The status of the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The headers of the answer, up to 30.
    #[schema(value_type = Vec<Vec<String>>)]
    pub headers: Headers,
    /// The start of the answer's body, as far as it is text.
    pub body: String,
    /// That the body broke off before its end. Its status counts all the same.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub body_cut: bool,
    /// The trace: that of the event, or of the first event of a batch. 32 hexadecimal digits;
    /// absent, as the next two, when nothing was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
    /// The span, which the endpoint saw as the parent: 16 hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub span_id: Option<String>,
    /// Where it was sent: scheme, host and port of the address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
}

/// What follows from an attempt.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// The endpoint has it.
    Delivered,
    /// Try again: by the schedule, and not before this long.
    Again(Option<Duration>),
    /// The endpoint does not want this one.
    Skipped,
    /// The endpoint wants nothing any more, for this reason.
    Gone(&'static str),
}

/// What is sent, apart from whom it is sent to.
pub struct Letter<'a> {
    /// The endpoint's id.
    pub endpoint: &'a Id,
    /// The event's id, or that of the batch.
    pub id: &'a Id,
    /// The delivery's number, or those of the batch.
    pub sequence: &'a str,
    /// Which attempt this is.
    pub number: u32,
    /// The body.
    pub body: &'a Value,
    /// The signing secrets of the endpoint.
    pub secrets: &'a [String],
    /// The signing keys of the tenant.
    pub keys: &'a [Seed],
    /// How it is signed.
    pub signatures: &'a Signatures,
    /// The trace that it belongs to.
    pub trace: &'a Trace,
    /// Which span of it this request is.
    pub span: &'a str,
}

/// The request that delivers a letter. `token` is the access token, where one is needed.
pub fn request(
    url: url::Url,
    letter: &Letter,
    private: &Private,
    token: Option<&str>,
    now: Timestamp,
) -> HttpRequest {
    let body = letter.body.to_string();
    let id = letter.id.as_str();
    let mut headers = HeaderMap::new();
    let mut set = |name: &str, value: &str| {
        let name = HeaderName::from_bytes(name.as_bytes());
        // All of them were checked when they were set.
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(value)) {
            headers.insert(name, value);
        }
    };
    set("user-agent", concat!("Backplane/", env!("CARGO_PKG_VERSION")));
    set("content-type", CONTENT_TYPE);
    // One that was set before it was ours is not sent any more.
    for (name, value) in private.headers.iter().filter(|it| !is_ours(&it.0.to_ascii_lowercase())) {
        set(name, value);
    }
    if let Some(value) = authorization(&private.auth, token) {
        set(header::AUTHORIZATION.as_str(), &value);
    }
    set("webhook-id", id);
    set("webhook-timestamp", &now.seconds().to_string());
    for (name, value) in signed(&url, letter, now, body.as_bytes()) {
        set(name, &value);
    }
    set("webhook-sequence", letter.sequence);
    set("webhook-attempt", &letter.number.to_string());
    set(TRACEPARENT, &letter.trace.traceparent(letter.span));
    if let Some(state) = &letter.trace.state {
        set(TRACESTATE, state);
    }
    HttpRequest {
        method: Method::POST,
        url,
        headers,
        body: body.into(),
        timeout: TIMEOUT,
        answer_bytes_max: ANSWER_BYTES_MAX,
    }
}

/// The headers that sign it, in each way that the endpoint wants.
fn signed(
    url: &url::Url,
    letter: &Letter,
    now: Timestamp,
    body: &[u8],
) -> Vec<(&'static str, String)> {
    let (id, now) = (letter.id.as_str(), now.seconds());
    let mut headers = Vec::new();
    if letter.signatures.has(SignatureKind::Standard) {
        let signature = standard::sign(letter.secrets, letter.keys, id, now, body);
        headers.push(("webhook-signature", signature));
    }
    if letter.signatures.has(SignatureKind::HttpMessage) {
        let mut target = url.clone();
        // It is not sent, so it is not part of what the receiver sees.
        target.set_fragment(None);
        let message = http_message::Message {
            target_uri: target.as_str(),
            content_type: CONTENT_TYPE,
            id,
            timestamp_seconds: now,
            body,
        };
        let keys = http_message::keys(letter.keys, letter.secrets, letter.endpoint.as_str());
        let it = http_message::sign(&message, &keys);
        headers.push(("content-digest", it.content_digest));
        headers.push(("signature-input", it.signature_input));
        headers.push(("signature", it.signature));
    }
    headers
}

fn authorization(auth: &Auth, token: Option<&str>) -> Option<String> {
    match auth {
        Auth::None => None,
        Auth::Basic { username, password } => {
            Some(format!("Basic {}", BASE64.encode(format!("{username}:{password}").as_bytes())))
        }
        Auth::Bearer { token } => Some(format!("Bearer {token}")),
        Auth::ClientCredentials { .. } => token.map(|it| format!("Bearer {it}")),
    }
}

/// Sends the request, and says what came of it.
pub async fn send(
    at: &impl Tenant,
    request: HttpRequest,
    number: u32,
    span: AttemptSpan,
) -> (Attempt, Outcome) {
    let (started, began) = (at.time(), at.real_now());
    let answer = at.fetch(request).await;
    let latency = at.real_now().since(began);
    let attempt = Attempt {
        number,
        at: started,
        latency_ms: i64::try_from(latency.as_millis()).unwrap_or(i64::MAX),
        status: None,
        error: None,
        headers: Headers::default(),
        body: String::new(),
        body_cut: false,
        trace_id: Some(span.trace_id),
        span_id: Some(span.span_id),
        server: Some(span.server),
    };
    match answer {
        Ok(answer) => judged(attempt, &answer),
        Err(err) => {
            (Attempt { error: Some(class(&err).to_owned()), ..attempt }, Outcome::Again(None))
        }
    }
}

fn judged(attempt: Attempt, answer: &HttpResponse) -> (Attempt, Outcome) {
    let outcome = outcome(answer);
    let status = answer.status.as_u16();
    let mut headers = Headers::of(&answer.headers);
    headers.0.truncate(KEPT_HEADERS_MAX);
    let body = String::from_utf8_lossy(&answer.body).chars().take(KEPT_CHARS_MAX).collect();
    let error = (outcome != Outcome::Delivered).then(|| format!("status {status}"));
    let attempt = Attempt { status: Some(status), error, headers, body, ..attempt };
    (Attempt { body_cut: answer.cut, ..attempt }, outcome)
}

fn outcome(answer: &HttpResponse) -> Outcome {
    let verdict = answer.headers.get(VERDICT).and_then(|it| it.to_str().ok()).map(str::trim);
    match (verdict, answer.status.as_u16()) {
        (Some("disable"), _) => Outcome::Gone("it asked to be disabled"),
        (_, 410) => Outcome::Gone("it answered 410 Gone"),
        (Some("abort-message"), _) => Outcome::Skipped,
        (_, 200..=299) => Outcome::Delivered,
        _ => Outcome::Again(retry_after(&answer.headers)),
    }
}

/// The class of an error, by which they are counted.
pub fn class(err: &FetchError) -> &'static str {
    match err {
        FetchError::Refused => "the address is not allowed",
        FetchError::Timeout(_) => "timeout",
        FetchError::Unreachable(_) => "the connection failed",
    }
}

#[cfg(test)]
mod tests {
    use shared::http::StatusCode;

    use super::*;

    fn answer(status: u16, headers: &[(&'static str, &'static str)]) -> HttpResponse {
        HttpResponse {
            status: StatusCode::from_u16(status).unwrap(),
            headers: headers
                .iter()
                .map(|(k, v)| (HeaderName::from_static(k), HeaderValue::from_static(v)))
                .collect(),
            body: bytes::Bytes::new(),
            cut: false,
        }
    }

    #[test]
    fn each_answer_has_its_consequence() {
        let wait = Some(Duration::from_secs(7));
        for (given, expected) in [
            (answer(204, &[]), Outcome::Delivered),
            (answer(302, &[("location", "http://127.0.0.1/")]), Outcome::Again(None)),
            (answer(400, &[]), Outcome::Again(None)),
            (answer(429, &[("retry-after", "7")]), Outcome::Again(wait)),
            (answer(503, &[("retry-after", "soon")]), Outcome::Again(None)),
            (answer(410, &[]), Outcome::Gone("it answered 410 Gone")),
            (answer(200, &[(VERDICT, "disable")]), Outcome::Gone("it asked to be disabled")),
            (answer(500, &[(VERDICT, "abort-message")]), Outcome::Skipped),
        ] {
            assert_eq!(outcome(&given), expected, "{given:?}");
        }
    }

    #[test]
    fn our_own_headers_stand_above_those_of_the_endpoint() {
        let private = Private {
            auth: Auth::Basic { username: "a".to_owned(), password: "b".to_owned() },
            headers: [("x-key", "1"), ("TraceParent", "2")]
                .map(|(a, b)| (a.to_owned(), b.to_owned()))
                .into(),
        };
        let event = Id::trusted("evt_1".to_owned());
        let letter = Letter {
            endpoint: &Id::trusted("end_1".to_owned()),
            id: &event,
            sequence: "3",
            number: 2,
            body: &serde_json::json!({}),
            secrets: &[],
            keys: &[],
            signatures: &Signatures::default(),
            trace: &Trace { state: Some("a=1".to_owned()), ..Trace::of_event(&event) },
            span: "b7ad6b7169203331",
        };

        let url = "https://example.com/".parse().unwrap();
        let request = request(url, &letter, &private, None, Timestamp(5_000));

        let header = |name: &str| request.headers.get(name).unwrap().to_str().unwrap().to_owned();
        assert_eq!(header("authorization"), "Basic YTpi");
        assert_eq!(header("x-key"), "1");
        assert_eq!(header("webhook-sequence"), "3");
        assert_eq!(header("webhook-timestamp"), "5");
        assert_eq!(header("traceparent"), letter.trace.traceparent("b7ad6b7169203331"));
        assert_eq!(header("tracestate"), "a=1");
    }
}
