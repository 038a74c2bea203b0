//! The signature of a report's file, by which its reader can prove to others what it said: a
//! detached JWS (RFC 7515, appendix F) by the tenant's Ed25519 key.

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use shared::{
    domain::{Commit, Id},
    http::{Response, StatusCode, respond},
    ports::{Blobs, PortError, Tenant},
    problem::Problem,
    route::Call,
    signing,
};

use super::report;

/// Signs a file, and keeps that beside it. What is given back makes the tenant's key, if it had
/// none.
///
/// # Errors
/// When the key or the place for it cannot be had.
pub async fn sign(at: &impl Tenant, report: &Id, file: &[u8]) -> Result<Commit, PortError> {
    let (seed, made) = signing::newest(at).await?;
    let text = Bytes::from(seed.detached_jws(file));
    at.blobs().put(&name(report), stream::iter([Ok(text)])).await?;
    Ok(made)
}

/// Removes it.
///
/// # Errors
/// When that fails.
pub async fn forget(at: &impl Tenant, report: &Id) -> Result<(), PortError> {
    at.blobs().delete(&name(report)).await
}

/// Reads it. Reports that were made before there were signatures have none.
pub async fn download(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let report = report::find_done(at, call).await?;
    let blob = at.blobs().get(&name(&report.id), None).await?.ok_or_else(Problem::not_found)?;
    let chunks: Vec<_> = blob.chunks.collect().await;
    let chunks: Result<Vec<Bytes>, _> = chunks.into_iter().collect();
    Ok(respond(StatusCode::OK, "application/jose", chunks?.concat()))
}

fn name(report: &Id) -> String {
    format!("reports/{report}.jws")
}
