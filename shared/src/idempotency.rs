//! The same request twice is done once, and answered the same.
//!
//! The header `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header) on a POST: the answer
//! is kept, sealed, in the commit that it is the answer of, for a day of the tenant's clock.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, StatusCode};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{
    domain::{Actor, Timestamp},
    http::{Body, Request, Response, header},
    ports::{PortError, Tenant, Value},
    problem::Problem,
};

/// How long an answer is kept.
pub const KEPT: Duration = Duration::from_secs(24 * 60 * 60);
/// The longest key, in characters.
pub const KEY_CHARS_MAX: usize = 255;

const NAME: &str = "idempotency-key";
/// What of an answer's headers is part of the answer.
const HEADERS: [HeaderName; 3] = [header::CONTENT_TYPE, header::ETAG, header::LOCATION];

const FIND: &str = "
    select fingerprint, answer from idempotency where tenant = ?1 and key = ?2 and at_ms > ?3";

/// Drops what has been kept long enough; part of each commit that keeps another.
pub const PRUNE: &str = "delete from idempotency where tenant = ?1 and at_ms <= ?2";

/// Keeps an answer. A second one under the same key is a conflict.
pub const INSERT: &str = "
    insert into idempotency (tenant, key, fingerprint, answer, at_ms) values (?1, ?2, ?3, ?4, ?5)";

/// A client's word for one request, and what the request was.
#[derive(Clone, Debug)]
pub struct Key {
    /// The client's word.
    pub key: String,
    /// The hash of who asks for what: another request under the same key is a mistake, and nobody
    /// is shown the answer to somebody else.
    pub fingerprint: String,
}

#[derive(Deserialize, Serialize)]
struct Kept {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

impl Key {
    /// The key of a POST, or `None` when it has none.
    ///
    /// # Errors
    /// 400 when there is one that cannot be used.
    pub fn of(request: &Request, actor: &Actor) -> Result<Option<Self>, Problem> {
        let Some(value) = request.headers().get(NAME) else { return Ok(None) };
        // Who has shown no credential has none of our answers kept: providers' webhooks have
        // ids of their own.
        let is_known = !matches!(actor, Actor::Address(_) | Actor::Visitor);
        if request.method() != Method::POST || !is_known {
            return Ok(None);
        }
        // The draft writes the key as a quoted string; most clients leave the quotes out.
        let key = value.to_str().unwrap_or("").trim().trim_matches('"');
        if key.is_empty() || key.len() > KEY_CHARS_MAX {
            return Err(Problem::new(
                StatusCode::BAD_REQUEST,
                "/problems/bad-idempotency-key",
                "The idempotency key cannot be used",
            )
            .detail(format!("send 1 to {KEY_CHARS_MAX} visible ASCII characters")));
        }
        let uri = request.uri().path_and_query().map_or("", |it| it.as_str());
        let hash = Sha256::new()
            .chain_update(actor.to_string())
            .chain_update([0])
            .chain_update(uri)
            .chain_update([0])
            .chain_update(request.body())
            .finalize();
        let fingerprint = data_encoding::HEXLOWER.encode(&hash);
        Ok(Some(Self { key: key.to_owned(), fingerprint }))
    }

    /// The answer kept under this key, if any.
    ///
    /// # Errors
    /// 422 when the key was used for another request.
    pub async fn replay(&self, tenant: &impl Tenant) -> Result<Option<Response>, Problem> {
        let since = tenant.now() - KEPT;
        let rows = tenant.query(FIND, [Value::from(&self.key), since.into()]).await?;
        let Some(row) = rows.into_iter().next() else { return Ok(None) };
        let [fingerprint, answer] = row.columns()?;
        if fingerprint.text()? != self.fingerprint {
            return Err(Problem::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "/problems/idempotency-key-reused",
                "The idempotency key was used for another request",
            )
            .detail("use a new key for a new request"));
        }
        let kept = tenant.unseal(&answer.text()?).await?;
        let kept: Kept =
            serde_json::from_slice(&kept).map_err(|err| PortError::new("idempotency", err))?;
        Ok(Some(kept.into_response()))
    }

    /// What [`INSERT`] takes, to keep `response` under this key.
    ///
    /// # Errors
    /// When the answer cannot be sealed.
    pub async fn keep(
        &self,
        tenant: &impl Tenant,
        response: &Response,
        now: Timestamp,
    ) -> Result<Vec<Value>, PortError> {
        let kept = serde_json::to_vec(&Kept::of(response))
            .map_err(|err| PortError::new("idempotency", err))?;
        let sealed = tenant.seal(&kept).await?;
        Ok(vec![(&self.key).into(), (&self.fingerprint).into(), sealed.into(), now.into()])
    }
}

impl Kept {
    fn of(response: &Response) -> Self {
        let headers = HEADERS.iter().filter_map(|name| {
            let value = response.headers().get(name)?.to_str().ok()?;
            Some((name.to_string(), value.to_owned()))
        });
        let body = response.body().as_full().map_or(&b""[..], |it| it.as_ref());
        Self {
            status: response.status().as_u16(),
            headers: headers.collect(),
            body: String::from_utf8_lossy(body).into_owned(),
        }
    }

    fn into_response(self) -> Response {
        let mut response = Response::new(Body::Full(Bytes::from(self.body)));
        *response.status_mut() = StatusCode::from_u16(self.status).unwrap_or_default();
        for (name, value) in self.headers {
            if let (Ok(name), Ok(value)) =
                (HeaderName::try_from(name), HeaderValue::try_from(value))
            {
                response.headers_mut().insert(name, value);
            }
        }
        response.headers_mut().insert("idempotency-replayed", HeaderValue::from_static("true"));
        response
    }
}
