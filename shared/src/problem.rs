//! Errors as the client sees them: RFC 9457 problem details.

use std::time::Duration;

use http::{HeaderValue, Method, StatusCode, header};
use serde::{Serialize, Serializer};
use utoipa::ToSchema;

use crate::{
    http::{Response, respond},
    ports::PortError,
};

/// Why a request was not served, in words meant for the client.
///
/// The cause is for our log. It is never sent.
#[derive(Debug, Serialize, ToSchema)]
pub struct Problem {
    /// A stable path that clients may match on.
    #[serde(rename = "type")]
    kind: &'static str,
    /// What kind of problem it is, the same for all of this type.
    title: &'static str,
    /// The status of the answer.
    #[serde(serialize_with = "as_number")]
    #[schema(value_type = u16)]
    status: StatusCode,
    /// What was wrong this time, and what to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    /// The field that did not fit, as `recipe.signature.header`.
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    #[serde(skip)]
    header: Option<(header::HeaderName, HeaderValue)>,
    #[serde(skip)]
    cause: Option<String>,
}

impl Problem {
    /// A problem of this type, which is a stable path.
    pub fn new(status: StatusCode, kind: &'static str, title: &'static str) -> Self {
        Self { kind, title, status, detail: None, path: None, header: None, cause: None }
    }

    /// 400: the request makes no sense.
    pub fn invalid() -> Self {
        Self::new(StatusCode::BAD_REQUEST, "/problems/invalid", "The request is not valid")
    }

    /// 400: the body is not JSON; says where.
    pub fn bad_json(err: &serde_json::Error) -> Self {
        let kind = "/problems/bad-json";
        Self::new(StatusCode::BAD_REQUEST, kind, "The body is not JSON").detail(err)
    }

    /// 422: the body is JSON, but a field does not fit.
    pub fn unfitting(path: &str, why: impl ToString) -> Self {
        let kind = "/problems/unfitting";
        let problem = Self::new(StatusCode::UNPROCESSABLE_ENTITY, kind, "A field does not fit");
        let path = Some(path).filter(|it| !it.is_empty() && *it != ".").map(str::to_owned);
        Self { path, ..problem.detail(why) }
    }

    /// 401: nobody we know.
    pub fn unauthorized(detail: &str) -> Self {
        let kind = "/problems/unauthorized";
        Self::new(StatusCode::UNAUTHORIZED, kind, "The credentials are missing or not valid")
            .detail(detail)
            .with_header(header::WWW_AUTHENTICATE, "Bearer")
    }

    /// 403: somebody who may not do this.
    pub fn forbidden(scope: &str) -> Self {
        Self::new(StatusCode::FORBIDDEN, "/problems/missing-scope", "The key may not do this")
            .detail(format!("use a key with the scope {scope}"))
    }

    /// 403: the operator has suspended the tenant.
    pub fn suspended() -> Self {
        let kind = "/problems/tenant-suspended";
        Self::new(StatusCode::FORBIDDEN, kind, "The tenant is suspended")
            .detail("ask the operator of this service to restore it")
    }

    /// 404: the same for what never was and for what belongs to somebody else.
    pub fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "/problems/not-found", "There is nothing here")
    }

    /// 405: the path is known, the method is not.
    pub fn method_not_allowed(allowed: &[Method]) -> Self {
        let kind = "/problems/method-not-allowed";
        let allowed: Vec<_> = allowed.iter().map(Method::as_str).collect();
        Self::new(StatusCode::METHOD_NOT_ALLOWED, kind, "This cannot be done here")
            .detail(format!("use {}", allowed.join(" or ")))
            .with_header(header::ALLOW, &allowed.join(", "))
    }

    /// 409: the list is full. `what` is in it, and `instead` is what to do.
    pub fn full_list(max: u32, what: &str, instead: &str) -> Self {
        let kind = "/problems/too-many";
        Self::new(StatusCode::CONFLICT, kind, "There are too many of these")
            .detail(format!("at most {max} {what}: {instead}"))
    }

    /// 412: it was changed since the client read it.
    pub fn changed_meanwhile() -> Self {
        let kind = "/problems/changed-meanwhile";
        Self::new(StatusCode::PRECONDITION_FAILED, kind, "It was changed meanwhile")
            .detail("read it again, and send its new ETag in If-Match")
    }

    /// 413: the body is larger than the route reads.
    pub fn too_large(limit: usize) -> Self {
        let kind = "/problems/too-large";
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, kind, "The body is too large")
            .detail(format!("send at most {limit} bytes"))
    }

    /// 415: another type of body is needed.
    pub fn unsupported_media_type(expected: &str) -> Self {
        let kind = "/problems/unsupported-media-type";
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, kind, "The body has the wrong type")
            .detail(format!("send it with Content-Type: {expected}"))
    }

    /// 429: not before this long.
    pub fn too_many(wait: Duration) -> Self {
        let kind = "/problems/too-many-requests";
        Self::new(StatusCode::TOO_MANY_REQUESTS, kind, "Too many requests").retry_after(wait)
    }

    /// 500: our fault.
    pub fn internal() -> Self {
        let kind = "/problems/internal";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, kind, "Something broke on our side")
    }

    /// 503: not now.
    pub fn unavailable() -> Self {
        let kind = "/problems/unavailable";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, kind, "Try again later")
            .retry_after(Duration::from_secs(1))
    }

    /// 507: the database has no room.
    pub fn full() -> Self {
        let kind = "/problems/full";
        Self::new(StatusCode::INSUFFICIENT_STORAGE, kind, "The storage is full")
            .detail("nothing was stored; ask the operator of this service for more room")
    }

    /// What was wrong this time.
    pub fn detail(self, detail: impl ToString) -> Self {
        Self { detail: Some(detail.to_string()), ..self }
    }

    /// For our log only.
    pub fn caused_by(self, cause: impl ToString) -> Self {
        Self { cause: Some(cause.to_string()), ..self }
    }

    /// With how to ask better: a challenge of RFC 9110, 11.6.1.
    pub fn challenge(self, challenge: &str) -> Self {
        self.with_header(header::WWW_AUTHENTICATE, challenge)
    }

    fn retry_after(self, wait: Duration) -> Self {
        let seconds = wait.as_millis().div_ceil(1000).max(1);
        self.detail(format!("try again in {seconds} s"))
            .with_header(header::RETRY_AFTER, &seconds.to_string())
    }

    fn with_header(self, name: header::HeaderName, value: &str) -> Self {
        Self { header: HeaderValue::from_str(value).ok().map(|it| (name, it)), ..self }
    }

    /// The type.
    pub fn kind(&self) -> &'static str {
        self.kind
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// What goes to the log.
    pub fn cause(&self) -> Option<&str> {
        self.cause.as_deref()
    }

    /// What was wrong in a line, for whoever reads what became of work that nobody waited for.
    pub fn words(&self) -> String {
        match (&self.path, self.detail.as_ref().or(self.cause.as_ref())) {
            (Some(path), Some(why)) => format!("{path}: {why}"),
            (None, Some(why)) => why.clone(),
            (_, None) => self.title.to_owned(),
        }
    }

    /// The answer.
    pub fn into_response(self) -> Response {
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut response = respond(self.status, "application/problem+json", body);
        if let Some((name, value)) = self.header {
            response.headers_mut().insert(name, value);
        }
        response
    }
}

impl From<PortError> for Problem {
    fn from(err: PortError) -> Self {
        let problem = if err.is_full() { Self::full() } else { Self::unavailable() };
        problem.caused_by(err)
    }
}

fn as_number<S: Serializer>(status: &StatusCode, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u16(status.as_u16())
}
