//! The words of HTTP that functions speak.

use std::pin::Pin;

use bytes::Bytes;
use futures_util::{Stream, stream};
pub use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use serde::{Serialize, de::DeserializeOwned};

use crate::problem::Problem;

/// The largest body that a route reads when it names no other limit, in bytes.
pub const BODY_BYTES_MAX: usize = 64 * 1024;

/// A request with its body read, within the route's limit.
pub type Request = http::Request<Bytes>;

/// An answer.
pub type Response = http::Response<Body>;

/// A body that is still being made. It ends when its stream does, and breaks off at an error.
pub type Chunks = Pin<Box<dyn Stream<Item = Result<Bytes, Broken>>>>;

/// A body broke off before its end, for this reason.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the body broke off: {0}")]
pub struct Broken(pub String);

/// The body of an answer.
pub enum Body {
    /// All of it.
    Full(Bytes),
    /// Made while it is sent.
    Stream(Chunks),
}

impl Default for Body {
    fn default() -> Self {
        Self::Full(Bytes::new())
    }
}

impl Body {
    /// The body as chunks, whichever it is.
    pub fn into_chunks(self) -> Chunks {
        match self {
            Self::Full(it) => Box::pin(stream::iter([Ok(it)])),
            Self::Stream(it) => it,
        }
    }

    /// The bytes of a body that is all there.
    pub fn as_full(&self) -> Option<&Bytes> {
        match self {
            Self::Full(it) => Some(it),
            Self::Stream(_) => None,
        }
    }
}

/// Reads the body as JSON.
///
/// # Errors
/// 415 when it does not say that it is JSON; 400 with line and column when it is none; 422 with
/// the path of the field that does not fit.
pub fn read_json<T: DeserializeOwned>(request: &Request) -> Result<T, Problem> {
    if !is_json(request.headers()) {
        return Err(Problem::unsupported_media_type("application/json"));
    }
    let mut reader = serde_json::Deserializer::from_slice(request.body());
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|err| {
        let path = err.path().to_string();
        describe(err.inner(), &path)
    })?;
    reader.end().map_err(|err| describe(&err, ""))?;
    Ok(value)
}

fn describe(err: &serde_json::Error, path: &str) -> Problem {
    match err.classify() {
        serde_json::error::Category::Data => Problem::unfitting(path, err),
        _ => Problem::bad_json(err),
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|it| it.to_str().ok()).unwrap_or("");
    let kind = kind.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
    kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json"))
}

/// An answer in JSON.
pub fn json(status: StatusCode, body: &impl Serialize) -> Response {
    match serde_json::to_vec(body) {
        Ok(body) => respond(status, "application/json", body),
        Err(err) => Problem::internal().caused_by(err).into_response(),
    }
}

/// An answer in plain text.
pub fn text(status: StatusCode, body: impl Into<String>) -> Response {
    respond(status, "text/plain; charset=utf-8", body.into())
}

/// An answer without a body.
pub fn empty(status: StatusCode) -> Response {
    let mut response = Response::default();
    *response.status_mut() = status;
    response
}

/// An answer of this type.
pub fn respond(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Response {
    let mut response = http::Response::new(Body::Full(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

/// The same answer with a header, left out when its value is not fit for one.
pub fn with_header(mut response: Response, name: HeaderName, value: &str) -> Response {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
    response
}

/// The entity tag of a version.
pub fn etag(version: i64) -> String {
    format!("\"{version}\"")
}
