//! Certificates that a provider publishes: fetched once, and kept as a blob of the tenant for as
//! long as they are good.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use url::Url;

use crate::{
    domain::sha256_hex,
    http::{HeaderMap, Method},
    ports::{Admission, Blobs, HttpRequest, Rate, Tenant},
    x509::PEM_BYTES_MAX,
};

/// How long a provider has to answer.
const TIMEOUT: Duration = Duration::from_secs(5);
/// How many certificates are fetched for one asker: a stranger can name addresses at will.
const FETCHED: Rate = Rate { limit: 10, period: Duration::from_secs(60) };

/// There is no certificate to be had now.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the certificate could not be fetched")]
pub struct Unavailable;

/// Whether a certificate may be fetched from this address: https, on one of `hosts`, on the usual
/// port, and without a name or password. `hosts` are such as [`hosts`](crate::hosts) reads.
///
/// Nor has it a query or a fragment: each other one would be one more to keep.
pub fn may_fetch(url: &Url, hosts: &[impl AsRef<str>]) -> bool {
    let is_path = url.query().is_none() && url.fragment().is_none();
    is_path && crate::hosts::region(url, hosts).is_some()
}

/// The certificates at `url`, which [`may_fetch`] has let through, as they are written there.
///
/// Those that are `good` are kept under `folder`; what is not is given to the caller all the same,
/// who says why. `asker` is who fetches, for the limit of ten fetches a minute.
///
/// # Errors
/// When nothing good is kept and nothing can be fetched.
pub async fn find(
    at: &impl Tenant,
    url: Url,
    folder: &str,
    asker: &str,
    good: impl Fn(&[u8]) -> bool,
) -> Result<Bytes, Unavailable> {
    let name = format!("{folder}/{}", sha256_hex(url.as_str().as_bytes()));
    if let Some(kept) = kept(at, &name).await
        && good(&kept)
    {
        return Ok(kept);
    }
    let fetched = fetch(at, url, asker).await?;
    if good(&fetched) {
        let chunks = stream::iter([Ok(fetched.clone())]);
        if let Err(err) = at.blobs().put(&name, chunks).await {
            // It is fetched again next time.
            at.note(&format!("a certificate was not kept: {err}"));
        }
    }
    Ok(fetched)
}

async fn kept(at: &impl Tenant, name: &str) -> Option<Bytes> {
    let blob = at.blobs().get(name, None).await.ok().flatten()?;
    let chunks: Vec<_> = blob.chunks.collect().await;
    let chunks: Result<Vec<Bytes>, _> = chunks.into_iter().collect();
    Some(chunks.ok()?.concat().into())
}

async fn fetch(at: &impl Tenant, url: Url, asker: &str) -> Result<Bytes, Unavailable> {
    let admission = at.admit(&format!("certificates:{asker}"), FETCHED).await;
    if !matches!(admission, Ok(Admission::Admitted)) {
        return Err(Unavailable);
    }
    let request = HttpRequest {
        method: Method::GET,
        url,
        headers: HeaderMap::new(),
        body: Bytes::new(),
        timeout: TIMEOUT,
        answer_bytes_max: PEM_BYTES_MAX,
    };
    match at.fetch(request).await {
        Ok(answer) if answer.status.is_success() => Ok(answer.body),
        Ok(_) => Err(Unavailable),
        Err(err) => {
            at.note(&format!("a certificate was not fetched: {err}"));
            Err(Unavailable)
        }
    }
}
