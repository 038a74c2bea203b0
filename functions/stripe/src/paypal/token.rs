//! The access token of an account: kept sealed until shortly before its end, for this call and
//! others.

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use serde::{Deserialize, Serialize};
use shared::{
    domain::{Timestamp, sha256_hex},
    oauth,
    ports::{Blobs, Tenant},
};

use super::{
    PayPal,
    error::{Failure, understood},
};

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
        let client = (self.client_id.as_str(), self.secret.as_str());
        let request = oauth::request(self.address("/v1/oauth2/token")?, client, None);
        let answer = at.fetch(request).await.map_err(Failure::later)?;
        understood(&answer)?;
        let token = oauth::read(&answer.body, asked_at);
        let token = token.ok_or_else(|| Failure::later("there is no token"))?;
        let kept = Kept { token: token.text, until: token.until, owner: self.token_owner() };
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
}
