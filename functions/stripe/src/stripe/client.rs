//! Calls to Stripe.

use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;
use sha2::{Digest, Sha256};
use shared::{
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    ports::{Admission, HttpRequest, HttpResponse, Rate, Tenant},
};

use super::Stripe;
use crate::provider::CallError;

/// Where Stripe answers.
pub const HOME: &str = "https://api.stripe.com";
/// A charge asks the bank, which can take a while.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The largest answer that is read: a page of 100 subscriptions.
const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;
/// How many calls an account makes: Stripe takes 100 a second in live mode and 25 in test mode.
const CALLS: Rate = Rate { limit: 20, period: Duration::from_secs(1) };
/// How long a call that is held back waits at least.
const HELD_MIN: Duration = Duration::from_secs(1);
/// The longest wait that Stripe can ask for, in seconds.
const RETRY_AFTER_MAX: u64 = 3_600;

impl Stripe {
    pub(super) async fn get(
        &self,
        at: &impl Tenant,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<Value, CallError> {
        let query = form(query);
        let url = match query.is_empty() {
            true => format!("{}{path}", self.base),
            false => format!("{}{path}?{query}", self.base),
        };
        self.call(at, Method::GET, url, Bytes::new(), None).await
    }

    /// `key` is ours: the same call with the same key has its effect once.
    pub(super) async fn post(
        &self,
        at: &impl Tenant,
        path: &str,
        fields: &[(&str, &str)],
        key: &str,
    ) -> Result<Value, CallError> {
        let body = form(fields);
        let url = format!("{}{path}", self.base);
        self.call(at, Method::POST, url, body.into(), Some(key)).await
    }

    async fn call(
        &self,
        at: &impl Tenant,
        method: Method,
        url: String,
        body: Bytes,
        key: Option<&str>,
    ) -> Result<Value, CallError> {
        match at.admit(&format!("payments:{}", self.account), CALLS).await {
            Ok(Admission::Admitted) => {}
            Ok(Admission::Refused(wait)) => {
                return Err(CallError::Held(wait.max(HELD_MIN)));
            }
            Err(err) => return Err(later(err)),
        }
        let request = HttpRequest {
            method,
            url: url.parse().map_err(|_| CallError::Refused("no address".to_owned()))?,
            headers: self.headers(key),
            body,
            timeout: TIMEOUT,
            answer_bytes_max: ANSWER_BYTES_MAX,
        };
        let answer = at.fetch(request).await.map_err(later)?;
        understood(&answer)
    }

    fn headers(&self, key: Option<&str>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let mut set = |name: HeaderName, value: &str| {
            if let Ok(mut value) = HeaderValue::from_str(value) {
                value.set_sensitive(name == header::AUTHORIZATION);
                headers.insert(name, value);
            }
        };
        set(header::AUTHORIZATION, &format!("Bearer {}", self.secrets.api_key));
        set(HeaderName::from_static("stripe-version"), &self.version);
        if let Some(connect) = &self.connect {
            set(HeaderName::from_static("stripe-account"), connect);
        }
        if let Some(key) = key {
            set(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
            // Stripe takes 255 characters; a hash of ours is always short enough.
            let hash = data_encoding::HEXLOWER.encode(&Sha256::digest(key.as_bytes()));
            set(HeaderName::from_static("idempotency-key"), &format!("backplane-{hash}"));
        }
        headers
    }
}

fn form(fields: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

fn later(why: impl ToString) -> CallError {
    CallError::Later { why: why.to_string(), after: None }
}

/// What an answer says.
pub(super) fn understood(answer: &HttpResponse) -> Result<Value, CallError> {
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let status = answer.status;
    if status.is_success() {
        return match body.is_null() || answer.cut {
            true => Err(later("the answer broke off")),
            false => Ok(body),
        };
    }
    let error = body.get("error").cloned().unwrap_or_default();
    let text = |name: &str| error.get(name).and_then(Value::as_str).map(str::to_owned);
    let why = text("message").unwrap_or_else(|| format!("status {status}"));
    match status {
        StatusCode::PAYMENT_REQUIRED => Err(CallError::Declined {
            code: text("decline_code").or(text("code")).unwrap_or_else(|| "declined".to_owned()),
            detail: why,
            object: error.get("payment_intent").filter(|it| it.is_object()).cloned(),
        }),
        StatusCode::CONFLICT | StatusCode::TOO_MANY_REQUESTS => {
            Err(CallError::Later { why, after: retry_after(answer) })
        }
        // A key can be mended, and what became of the first call with our key is not known: both are
        // no word on the payment.
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(later(why)),
        _ if text("type").as_deref() == Some("idempotency_error") => Err(later(why)),
        it if it.is_server_error() => Err(CallError::Later { why, after: retry_after(answer) }),
        _ => Err(CallError::Refused(why)),
    }
}

fn retry_after(answer: &HttpResponse) -> Option<u64> {
    let text = answer.headers.get(header::RETRY_AFTER)?.to_str().ok()?;
    text.parse::<u64>().ok().map(|it| it.min(RETRY_AFTER_MAX))
}
