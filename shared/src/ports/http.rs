//! Requests to somebody else.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};

use crate::http::{Chunks, Response};

/// Sends requests outside.
pub trait Fetch {
    /// Sends one request and reads the start of its answer.
    ///
    /// Only to hosts that the operator allows; never to a private, loopback or link-local
    /// address unless the operator names it; no redirect is followed; the wait and the size of
    /// what is read are bounded. An answer whose body breaks off is an answer all the same.
    async fn fetch(&self, request: HttpRequest) -> Result<HttpResponse, FetchError>;
}

/// Hands requests on, and their answers back, while they come.
pub trait Forward {
    /// Sends a request while its body comes, and gives the answer as soon as its head is there.
    ///
    /// Only to where [`Fetch`] may go; no redirect is followed; nothing of a body is kept beyond
    /// what is on its way. `None` is no body. The address is sent as it stands, byte for byte
    /// where the runtime can. Who drops the future or the answer's body ends the exchange. The
    /// adapter adds the host; a length that the headers name is kept.
    ///
    /// # Errors
    /// Why there is no answer, but for a timeout, which is the caller's.
    async fn forward(&self, request: http::Request<Option<Chunks>>)
    -> Result<Response, FetchError>;
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
