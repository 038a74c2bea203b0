//! The access token of an account (RFC 6749, section 4.4): kept sealed until shortly before its
//! end, for this call and others.

use std::time::Duration;

use bytes::Bytes;
use data_encoding::BASE64;
use futures_util::{StreamExt, stream};
use serde::{Deserialize, Serialize};
use shared::{
    domain::{Timestamp, sha256_hex},
    http::{HeaderMap, HeaderValue, Method, header},
    ports::{Blobs, HttpRequest, Tenant},
};

use super::{
    PayPal,
    error::{Failure, understood},
};

/// How long PayPal has to answer.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How much of its answer is read: it lists all the app's permissions.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// How long before its end a token is replaced.
const MARGIN: Duration = Duration::from_secs(60);
/// How long a token is kept that does not say when it ends.
const LIFE_DEFAULT: u64 = 300;
/// How long one is kept at most.
const LIFE_MAX: u64 = 24 * 60 * 60;

/// What PayPal answers, as far as it matters.
#[derive(Deserialize)]
struct Answer {
    access_token: String,
    #[serde(default)]
    expires_in: Option<u64>,
}

/// What is sealed.
#[derive(Deserialize, Serialize)]
struct Kept {
    token: String,
    until: Timestamp,
    /// Of which id and secret it is: it does not outlive them here.
    owner: String,
}

impl PayPal {
    /// The token to call with.
    pub(super) async fn token(&self, at: &impl Tenant) -> Result<String, Failure> {
        if let Some(it) = self.token.borrow().clone() {
            return Ok(it);
        }
        let token = match self.kept_token(at).await {
            Some(it) => it,
            None => self.new_token(at).await?,
        };
        *self.token.borrow_mut() = Some(token.clone());
        Ok(token)
    }

    /// Forgets a token that PayPal does not take any more.
    pub(super) async fn forget_token(&self, at: &impl Tenant) {
        *self.token.borrow_mut() = None;
        if let Err(err) = at.blobs().delete(&self.token_name()).await {
            at.note(&format!("a token was not forgotten: {err}"));
        }
    }

    fn token_name(&self) -> String {
        format!("payments/paypal/{}/token", self.account)
    }

    fn token_owner(&self) -> String {
        sha256_hex(format!("{}\n{}", self.client_id, self.secret).as_bytes())
    }

    /// By the real clock: that of PayPal.
    async fn kept_token(&self, at: &impl Tenant) -> Option<String> {
        let blob = at.blobs().get(&self.token_name(), None).await.ok().flatten()?;
        let chunks: Vec<_> = blob.chunks.collect().await;
        let chunks: Result<Vec<Bytes>, _> = chunks.into_iter().collect();
        let sealed = String::from_utf8(chunks.ok()?.concat()).ok()?;
        let kept: Kept = serde_json::from_slice(&at.unseal(&sealed).await.ok()?).ok()?;
        let is_good = at.real_now() < kept.until && kept.owner == self.token_owner();
        is_good.then_some(kept.token)
    }

    async fn new_token(&self, at: &impl Tenant) -> Result<String, Failure> {
        let asked_at = at.real_now();
        let answer = at.fetch(self.token_request()?).await.map_err(Failure::later)?;
        let answer = understood(&answer)?;
        let answer: Answer =
            serde_json::from_value(answer).map_err(|_| Failure::later("there is no token"))?;
        let life = Duration::from_secs(answer.expires_in.unwrap_or(LIFE_DEFAULT).min(LIFE_MAX));
        let until = asked_at + life.saturating_sub(MARGIN);
        let kept = Kept { token: answer.access_token, until, owner: self.token_owner() };
        if let Err(err) = self.keep_token(at, &kept).await {
            // The next call asks for another one.
            at.note(&format!("a token was not kept: {err}"));
        }
        Ok(kept.token)
    }

    async fn keep_token(&self, at: &impl Tenant, kept: &Kept) -> Result<(), String> {
        let bytes = serde_json::to_vec(kept).map_err(|err| err.to_string())?;
        let sealed = at.seal(&bytes).await.map_err(|err| err.to_string())?;
        let chunks = stream::iter([Ok(Bytes::from(sealed))]);
        at.blobs().put(&self.token_name(), chunks).await.map_err(|err| err.to_string())?;
        Ok(())
    }

    fn token_request(&self) -> Result<HttpRequest, Failure> {
        let client = format!("{}:{}", self.client_id, self.secret);
        let basic = format!("Basic {}", BASE64.encode(client.as_bytes()));
        let mut basic = HeaderValue::from_str(&basic).map_err(Failure::later)?;
        basic.set_sensitive(true);
        let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
        let headers = [(header::AUTHORIZATION, basic), (header::CONTENT_TYPE, kind)];
        Ok(HttpRequest {
            method: Method::POST,
            url: self.address("/v1/oauth2/token")?,
            headers: HeaderMap::from_iter(headers),
            body: Bytes::from_static(b"grant_type=client_credentials"),
            timeout: TIMEOUT,
            answer_bytes_max: ANSWER_BYTES_MAX,
        })
    }
}
