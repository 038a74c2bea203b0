//! One request to somebody else.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};

/// Sends requests outside.
pub trait Fetch {
    /// Sends one request and reads the start of its answer.
    ///
    /// Only to hosts that the operator allows; never to a private, loopback or link-local
    /// address unless the operator names it; no redirect is followed; the wait and the size of
    /// what is read are bounded. An answer whose body breaks off is an answer all the same.
    async fn fetch(&self, request: HttpRequest) -> Result<HttpResponse, FetchError>;
}

/// A request to send.
#[derive(Clone, Debug)]
pub struct HttpRequest {
    /// The method.
    pub method: Method,
    /// Where to: http or https.
    pub url: url::Url,
    /// The headers; the adapter adds host and length.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// How long to wait for the whole answer.
    pub timeout: Duration,
    /// How many bytes of the answer to read; the rest is left.
    pub answer_bytes_max: usize,
}

/// The answer to it.
#[derive(Clone, Debug)]
pub struct HttpResponse {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The first bytes of the body.
    pub body: Bytes,
    /// Whether the body broke off before its end. What was left unread is not counted as that.
    pub cut: bool,
}

/// Why there is no answer, in words that the tenant may read.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum FetchError {
    /// The address is not one that may be called.
    #[error("the address is not allowed")]
    Refused,
    /// No whole answer within the time.
    #[error("no answer within {} ms", .0.as_millis())]
    Timeout(Duration),
    /// No connection, or it broke.
    #[error("the connection failed")]
    Unreachable(String),
}
