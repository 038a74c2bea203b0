//! A plain HTTP client: every status is an answer.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};

/// The largest answer that is read, in bytes.
const ANSWER_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// How often a large request is sent again whose connection broke.
const EARLY_TRIES: u32 = 5;
/// What is a large one, in bytes.
const LARGE: usize = 64 * 1024;

/// An answer, read to its end.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Answer {
    /// The body as JSON; null when it is none.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The text at a JSON pointer.
    ///
    /// # Panics
    /// When there is none.
    pub fn text(&self, pointer: &str) -> String {
        let found = self.json();
        let found = found.pointer(pointer).and_then(|it| it.as_str().map(str::to_owned));
        found.unwrap_or_else(|| panic!("no {pointer} in {self:?}"))
    }
}

/// Sends a request to the service at `base`.
///
/// # Errors
/// When there is no answer.
pub fn send(base: &str, request: Request<Bytes>) -> Result<Answer, ureq::Error> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .allow_non_standard_methods(true)
        .timeout_global(Some(Duration::from_secs(40)))
        .build()
        .into();
    let mut tries = EARLY_TRIES;
    let (parts, body) = request.into_parts();
    let mut out = Request::builder().method(parts.method).uri(format!("{base}{}", parts.uri));
    if let Some(headers) = out.headers_mut() {
        *headers = parts.headers;
    }
    let request = out.body(&body[..])?;
    let mut answer = loop {
        match agent.run(request.clone()) {
            // A server may refuse a large body before it has read it, and close: whether its
            // answer is seen then is a matter of luck.
            Err(ureq::Error::Io(err)) if tries > 0 && refused_early(&err, body.len()) => tries -= 1,
            other => break other?,
        }
    };
    let body = answer.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_vec()?;
    Ok(Answer { status: answer.status(), headers: answer.headers().clone(), body: body.into() })
}

fn refused_early(err: &std::io::Error, body_bytes: usize) -> bool {
    use std::io::ErrorKind::{BrokenPipe, ConnectionReset};
    body_bytes > LARGE && matches!(err.kind(), BrokenPipe | ConnectionReset)
}
