//! The providers' APIs for mail: the request that each wants, and what its answer means. Pure.
//!
//! All of them take the same mail, so that one can stand in for another. Only Resend knows
//! idempotency keys. The others are given the delivery's id as a tag, and the same `Message-ID`
//! each time but for SES, which makes one of its own. Answers to a mail of SES name that one, so
//! who waits for answers tells threads by the address that `Reply-To` says.

pub mod postmark;
pub mod resend;
pub mod sendgrid;
pub mod ses;
pub mod sigv4;
#[cfg(test)]
mod tests;

use std::time::Duration;

use data_encoding::BASE64;
use serde_json::Value;
use shared::{
    domain::Timestamp,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    ports::{FetchError, HttpResponse},
};

use crate::{
    files::File,
    inline::Placed,
    mail::{Mail, Mailbox},
    provider::{Kind, Provider, Secrets},
};

/// The name of the tag by which a provider's events name the delivery.
pub const TAG: &str = "delivery";
/// The longest wait that a provider can ask for, in seconds.
const RETRY_AFTER_MAX: u64 = 3_600;
/// What is kept of a provider that says no and nothing else.
pub const NO_REASON: &str = "it gave no reason";
/// How much of a provider's reason is kept, in characters.
const WHY_CHARS_MAX: usize = 300;

/// A request to a provider, in parts.
#[derive(Debug)]
pub struct Post {
    /// The path, with the leading slash.
    pub path: &'static str,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, JSON.
    pub body: Vec<u8>,
}

/// What became of a mail with a provider.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Sent {
    /// The provider has it, under this id if it told one.
    Taken(Option<String>),
    /// It may have it: the answer never came, or was cut.
    NoAnswer(String),
    /// It does not have it, and may take it later, not before this long if it says when.
    Later(String, Option<Duration>),
    /// It does not have it, and never will: no other try helps there.
    Refused(String),
}

/// The request that hands the mail over; nothing for who has no API. `host` is where it goes, and
/// `key` is the same for each try.
pub fn post(
    mail: &Mail<'_>,
    provider: &Provider,
    secrets: &Secrets,
    host: &str,
    now: Timestamp,
) -> Option<Post> {
    match provider.kind {
        Kind::Resend => Some(resend::post(mail, secrets)),
        Kind::Postmark => Some(postmark::post(mail, provider, secrets)),
        Kind::Sendgrid => Some(sendgrid::post(mail, secrets)),
        Kind::Ses => Some(ses::post(mail, provider, secrets, host, now)),
        Kind::Smtp => None,
    }
}

/// What an answer means.
pub fn understood(kind: Kind, answer: &HttpResponse) -> Sent {
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    if answer.status.is_success() {
        // Whoever says yes has it, also when the rest of the answer is lost.
        return Sent::Taken(match kind {
            Kind::Resend => text(&body, "id"),
            Kind::Postmark => text(&body, "MessageID"),
            Kind::Sendgrid => head(answer, "x-message-id"),
            Kind::Ses => text(&body, "MessageId"),
            Kind::Smtp => None,
        });
    }
    let (why, is_later) = match kind {
        Kind::Resend => resend::refusal(&body),
        Kind::Postmark => postmark::refusal(&body),
        Kind::Sendgrid => sendgrid::refusal(&body),
        Kind::Ses => ses::refusal(&body, head(answer, "x-amzn-errortype").as_deref()),
        Kind::Smtp => (None, false),
    };
    let why = why.unwrap_or_else(|| NO_REASON.to_owned());
    let why = format!("{}: {}: {why}", kind.word(), answer.status);
    not_taken(answer, &why, is_later)
}

/// What an answer means that is not yes. `is_later` is whether its words say that it is so for now.
pub fn not_taken(answer: &HttpResponse, why: &str, is_later: bool) -> Sent {
    let why = why.chars().take(WHY_CHARS_MAX).collect();
    // A key can be mended, and what cannot be found is a wrong address of ours.
    let mends = matches!(
        answer.status,
        StatusCode::UNAUTHORIZED
            | StatusCode::FORBIDDEN
            | StatusCode::NOT_FOUND
            | StatusCode::REQUEST_TIMEOUT
            | StatusCode::TOO_MANY_REQUESTS
    );
    match mends || is_later || !answer.status.is_client_error() {
        true => Sent::Later(why, retry_after(answer)),
        false => Sent::Refused(why),
    }
}

/// What became of what was handed to `whom`, whose answers are read like this.
pub fn outcome(
    whom: &str,
    answer: Result<HttpResponse, FetchError>,
    read: impl FnOnce(&HttpResponse) -> Sent,
) -> Sent {
    match answer {
        Ok(answer) => read(&answer),
        Err(why @ FetchError::Refused) => Sent::Later(format!("{whom}: {why}"), None),
        Err(why) => Sent::NoAnswer(format!("{whom}: {why}")),
    }
}

/// How a provider is given a file: itself, its bytes as base64, and its `Content-ID` if it is among
/// the words.
type OneFile = fn(&File, String, Option<&str>) -> Value;

/// Puts the mail's files into the body under this name, each as `one` makes it. Without files there
/// is no such name.
fn with_files(body: &mut Value, name: &str, mail: &Mail<'_>, placed: &Placed, one: OneFile) {
    let all = mail.files.iter().zip(&placed.ids);
    let all = all.map(|(it, id)| one(it, BASE64.encode(&it.bytes), id.as_deref()));
    let all: Vec<_> = all.collect();
    if let (false, Some(body)) = (all.is_empty(), body.as_object_mut()) {
        body.insert(name.to_owned(), Value::Array(all));
    }
}

/// The same with this under a name, if it is there.
fn with(mut to: Value, name: &str, what: Option<Value>) -> Value {
    if let (Some(what), Some(to)) = (what, to.as_object_mut()) {
        to.insert(name.to_owned(), what);
    }
    to
}

fn retry_after(answer: &HttpResponse) -> Option<Duration> {
    let seconds = head(answer, "retry-after")?.parse::<u64>().ok()?;
    Some(Duration::from_secs(seconds.min(RETRY_AFTER_MAX)))
}

fn head(answer: &HttpResponse, name: &str) -> Option<String> {
    answer.headers.get(name)?.to_str().ok().map(str::to_owned)
}

fn text(body: &Value, name: &str) -> Option<String> {
    body.get(name).and_then(Value::as_str).map(str::to_owned)
}

/// The headers of a request with JSON, and one that carries the key of the API.
fn headers(name: HeaderName, secret: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    // A key was checked to be plain when it was set.
    if let Ok(mut value) = HeaderValue::from_str(secret) {
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    headers
}

/// Somebody as a header has it, in letters of any script: the provider encodes them.
fn shown(it: &Mailbox) -> String {
    match it.plain_name() {
        Some(name) => {
            let name = name.replace('\\', "\\\\").replace('"', "\\\"");
            format!("\"{name}\" <{}>", it.address)
        }
        None => it.address.to_string(),
    }
}
