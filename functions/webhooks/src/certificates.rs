//! The certificates of providers that publish their key: fetched once, and kept as a blob of the
//! tenant for as long as they are valid.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use shared::{
    domain::sha256_hex,
    http::{HeaderMap, Method},
    ports::{Admission, Blobs, HttpRequest, Rate, Tenant},
};
use url::Url;

use crate::{
    signature::{self, Refusal},
    source::Source,
};

/// How long a provider has to answer.
const TIMEOUT: Duration = Duration::from_secs(5);
/// The largest text of certificates that is read: a chain of four has some 8 KiB.
const CERTIFICATE_BYTES_MAX: usize = 32 * 1024;
/// How many certificates are fetched for a source: a stranger can name addresses at will.
const FETCHED: Rate = Rate { limit: 10, period: Duration::from_secs(60) };

/// The certificate that a request names, if its recipe asks for one.
pub async fn find(
    at: &impl Tenant,
    source: &Source,
    headers: &HeaderMap,
) -> Result<Option<Bytes>, Refusal> {
    let Some(url) = signature::key_url(&source.recipe, headers)? else { return Ok(None) };
    let name = format!("webhooks/certificates/{}", sha256_hex(url.as_str().as_bytes()));
    if let Some(kept) = kept(at, &name).await
        && signature::is_certificate(&source.recipe, &kept, at.now().seconds())
    {
        return Ok(Some(kept));
    }
    let fetched = fetch(at, source, url).await?;
    // What is no certificate is left to be refused, and is not kept.
    if signature::is_certificate(&source.recipe, &fetched, at.now().seconds()) {
        let chunks = stream::iter([Ok(fetched.clone())]);
        if let Err(err) = at.blobs().put(&name, chunks).await {
            // It is fetched again next time.
            at.note(&format!("a certificate was not kept: {err}"));
        }
    }
    Ok(Some(fetched))
}

async fn kept(at: &impl Tenant, name: &str) -> Option<Bytes> {
    let blob = at.blobs().get(name, None).await.ok().flatten()?;
    let chunks: Vec<_> = blob.chunks.collect().await;
    let chunks: Result<Vec<Bytes>, _> = chunks.into_iter().collect();
    Some(chunks.ok()?.concat().into())
}

async fn fetch(at: &impl Tenant, source: &Source, url: Url) -> Result<Bytes, Refusal> {
    let admission = at.admit(&format!("certificates:{}", source.id), FETCHED).await;
    if !matches!(admission, Ok(Admission::Admitted)) {
        return Err(Refusal::KeyUnavailable);
    }
    let request = HttpRequest {
        method: Method::GET,
        url,
        headers: HeaderMap::new(),
        body: Bytes::new(),
        timeout: TIMEOUT,
        answer_bytes_max: CERTIFICATE_BYTES_MAX,
    };
    match at.fetch(request).await {
        Ok(answer) if answer.status.is_success() => Ok(answer.body),
        Ok(_) => Err(Refusal::KeyUnavailable),
        Err(err) => {
            at.note(&format!("a certificate was not fetched: {err}"));
            Err(Refusal::KeyUnavailable)
        }
    }
}
