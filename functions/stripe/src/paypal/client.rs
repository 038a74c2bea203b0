//! Calls to PayPal, and asking it about a webhook that cannot be checked here.

use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use serde_json::{Value, value::RawValue};
use sha2::{Digest, Sha256};
use shared::{
    certificates,
    http::{HeaderMap, HeaderName, HeaderValue, Method, header},
    ports::{Admission, HttpRequest, Rate, Tenant},
};
use url::Url;

use super::{
    PayPal,
    error::{Failure, understood},
    verify::{self, Refusal, Transmission},
};
use crate::provider::Unbelieved;

/// Where PayPal answers.
pub const LIVE: &str = "https://api-m.paypal.com";
/// Where its sandbox does.
pub const SANDBOX: &str = "https://api-m.sandbox.paypal.com";
/// A charge asks the bank, which can take a while.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The largest answer that is read: a page of 500 transactions.
const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;
/// How many calls an account makes. PayPal publishes no limit, and says 429 beyond it.
const CALLS: Rate = Rate { limit: 30, period: Duration::from_secs(1) };
/// How long a call that is held back waits at least.
const HELD_MIN: Duration = Duration::from_secs(1);

/// What PayPal is asked about a webhook. The event is the body as it came, byte for byte.
#[derive(Serialize)]
struct Question<'a> {
    auth_algo: &'a str,
    cert_url: &'a str,
    transmission_id: &'a str,
    transmission_sig: &'a str,
    transmission_time: &'a str,
    webhook_id: &'a str,
    webhook_event: &'a RawValue,
}

impl PayPal {
    /// Whether PayPal sent this to the account's webhook. It is asked only when its certificate
    /// cannot be fetched: a signature that is wrong stays wrong.
    ///
    /// # Errors
    /// Why it is not believed, or that this cannot be found out now.
    pub(super) async fn believed(
        &self,
        at: &impl Tenant,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<(), Unbelieved> {
        let trust = self.trust.as_ref().ok_or(Refusal::NoWebhook)?;
        let now = at.real_now();
        let it = Transmission::read(headers)?;
        it.is_timely(trust.tolerance_seconds, now)?;
        let good = |chain: &[u8]| verify::is_good(chain, trust, now);
        let (url, account) = (it.certificate.clone(), &self.account);
        match certificates::find(at, url, "payments/certificates", account, good).await {
            Ok(chain) => Ok(verify::verify(headers, body, trust, &chain, now)?),
            Err(_) => self.ask(at, &trust.webhook_id, &it, body).await,
        }
    }

    async fn ask(
        &self,
        at: &impl Tenant,
        webhook_id: &str,
        it: &Transmission<'_>,
        body: &[u8],
    ) -> Result<(), Unbelieved> {
        let event: &RawValue = serde_json::from_slice(body).map_err(|_| Refusal::Signature)?;
        let question = Question {
            auth_algo: it.algorithm,
            cert_url: it.certificate.as_str(),
            transmission_id: it.id,
            transmission_sig: it.signature,
            transmission_time: it.time,
            webhook_id,
            webhook_event: event,
        };
        let path = "/v1/notifications/verify-webhook-signature";
        let answer = self.post(at, path, &question, None).await;
        let answer = answer.map_err(|err| Unbelieved::Unknown(err.into()))?;
        match answer.get("verification_status").and_then(Value::as_str) {
            Some("SUCCESS") => Ok(()),
            _ => Err(Refusal::Denied.into()),
        }
    }

    pub(super) fn address(&self, path: &str) -> Result<Url, Failure> {
        format!("{}{path}", self.base).parse().map_err(Failure::later)
    }

    pub(super) async fn get(&self, at: &impl Tenant, path: &str) -> Result<Value, Failure> {
        self.call(at, Method::GET, path, Bytes::new(), None).await
    }

    /// `key` is ours: the same call with the same key has its effect once.
    pub(super) async fn post(
        &self,
        at: &impl Tenant,
        path: &str,
        body: &impl Serialize,
        key: Option<&str>,
    ) -> Result<Value, Failure> {
        let body = serde_json::to_vec(body).map_err(Failure::later)?;
        self.call(at, Method::POST, path, body.into(), key).await
    }

    /// Calls, and once more with a new token if PayPal does not take the one that is kept.
    async fn call(
        &self,
        at: &impl Tenant,
        method: Method,
        path: &str,
        body: Bytes,
        key: Option<&str>,
    ) -> Result<Value, Failure> {
        match at.admit(&format!("payments:{}", self.account), CALLS).await {
            Ok(Admission::Admitted) => {}
            Ok(Admission::Refused(wait)) => return Err(Failure::Held(wait.max(HELD_MIN))),
            Err(err) => return Err(Failure::later(err)),
        }
        let url = self.address(path)?;
        let send = async || {
            let request = HttpRequest {
                method: method.clone(),
                url: url.clone(),
                headers: headers(&self.token(at).await?, path, key),
                body: body.clone(),
                timeout: TIMEOUT,
                answer_bytes_max: ANSWER_BYTES_MAX,
            };
            understood(&at.fetch(request).await.map_err(Failure::later)?)
        };
        match send().await {
            Err(Failure::Token(_)) => {
                self.forget_token(at).await;
                send().await
            }
            other => other,
        }
    }
}

fn headers(token: &str, path: &str, key: Option<&str>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let mut set = |name: HeaderName, value: &str| {
        if let Ok(mut value) = HeaderValue::from_str(value) {
            value.set_sensitive(name == header::AUTHORIZATION);
            headers.insert(name, value);
        }
    };
    set(header::AUTHORIZATION, &format!("Bearer {token}"));
    set(header::CONTENT_TYPE, "application/json");
    set(HeaderName::from_static("prefer"), "return=representation");
    if let Some(key) = key {
        // PayPal takes 108 characters, for all its calls together: a hash of ours is short enough.
        let hash = Sha256::digest(format!("{path}\n{key}"));
        let hash = data_encoding::HEXLOWER.encode(&hash);
        set(HeaderName::from_static("paypal-request-id"), &format!("backplane-{hash}"));
    }
    headers
}

impl From<Refusal> for Unbelieved {
    fn from(it: Refusal) -> Self {
        Self::Refused { word: it.word(), why: it.to_string() }
    }
}
