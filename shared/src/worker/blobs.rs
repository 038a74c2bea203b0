//! Blobs in R2. A tenant's are under its id.

use std::{ops::Range, pin::pin};

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt, stream};
use worker::{Bucket, Env, MultipartUpload, Range as R2Range};

use super::BLOBS;
use crate::ports::{BLOB_BYTES_MAX, Blob, Blobs, PortError};

/// How many bytes are sent at once: the least that R2 takes for a part that is not the last.
const PART_BYTES: usize = 5 * 1024 * 1024;
/// How many are removed at once, when a tenant is erased: as many as R2 lists at once.
const ERASE_AT_ONCE: u32 = 1000;

/// The blobs of one tenant.
pub(super) struct R2 {
    env: Env,
    tenant: String,
}

impl R2 {
    pub(super) fn new(env: &Env, tenant: &str) -> Self {
        Self { env: env.clone(), tenant: tenant.to_owned() }
    }

    fn bucket(&self) -> Result<Bucket, PortError> {
        self.env.bucket(BLOBS).map_err(failed)
    }

    fn key(&self, name: &str) -> String {
        format!("{}/{name}", self.tenant)
    }
}

impl Blobs for R2 {
    async fn put(
        &self,
        name: &str,
        chunks: impl Stream<Item = Result<Bytes, PortError>>,
    ) -> Result<u64, PortError> {
        let (bucket, key) = (self.bucket()?, self.key(name));
        let mut chunks = pin!(chunks);
        let mut upload: Option<Upload> = None;
        let (mut rest, mut size) = (BytesMut::new(), 0);
        loop {
            let outcome = match chunks.next().await {
                None => break,
                Some(Err(err)) => Err(err),
                Some(Ok(_)) if size > BLOB_BYTES_MAX => {
                    Err(PortError::new("blobs", "the blob is too large"))
                }
                Some(Ok(chunk)) => {
                    size += chunk.len() as u64;
                    rest.extend_from_slice(&chunk);
                    send(&bucket, &key, &mut upload, &mut rest).await
                }
            };
            if let Err(err) = outcome {
                if let Some(it) = upload {
                    it.upload.abort().await.ok(); // R2 ends by itself what nobody ends.
                }
                return Err(err);
            }
        }
        match upload {
            // Small enough for one request.
            None => {
                bucket.put(key, rest.to_vec()).execute().await.map_err(failed)?;
            }
            Some(mut it) => {
                it.add(rest.to_vec()).await?;
                it.upload.complete(it.parts).await.map_err(failed)?;
            }
        }
        Ok(size)
    }

    async fn get(&self, name: &str, range: Option<Range<u64>>) -> Result<Option<Blob>, PortError> {
        let (bucket, key) = (self.bucket()?, self.key(name));
        // R2 refuses a range that is not in the object, so its size has to be known before.
        let Some(head) = bucket.head(key.as_str()).await.map_err(failed)? else { return Ok(None) };
        let size = head.size();
        let Range { start, end } = range.unwrap_or(0..size);
        let end = end.min(size);
        if start >= end {
            return Ok(Some(Blob { size, chunks: Box::pin(stream::empty()) }));
        }
        let part = R2Range::OffsetWithLength { offset: start, length: end - start };
        let object = bucket.get(key).range(part).execute().await.map_err(failed)?;
        let Some(object) = object else { return Ok(None) };
        let body = object.body().ok_or_else(|| PortError::new("blobs", "R2 gave no body"))?;
        let chunks = body.stream().map_err(failed)?;
        let chunks = chunks.map(|it| it.map(Bytes::from).map_err(failed));
        Ok(Some(Blob { size, chunks: Box::pin(chunks) }))
    }

    async fn delete(&self, name: &str) -> Result<(), PortError> {
        self.bucket()?.delete(self.key(name)).await.map_err(failed)
    }
}

/// Removes all blobs of a tenant.
pub(super) async fn erase(env: &Env, tenant: &str) -> Result<(), PortError> {
    let r2 = R2::new(env, tenant);
    let bucket = r2.bucket()?;
    loop {
        // What is listed is removed, so the next list begins where this one ends.
        let list = bucket.list().prefix(r2.key("")).limit(ERASE_AT_ONCE);
        let list = list.execute().await.map_err(failed)?;
        let keys: Vec<_> = list.objects().iter().map(worker::Object::key).collect();
        if keys.is_empty() {
            return Ok(());
        }
        bucket.delete_multiple(keys).await.map_err(failed)?;
    }
}

/// A blob that is sent in parts.
struct Upload {
    upload: MultipartUpload,
    parts: Vec<worker::UploadedPart>,
}

impl Upload {
    async fn add(&mut self, bytes: Vec<u8>) -> Result<(), PortError> {
        // A blob of the largest size has 205 parts.
        let number = u16::try_from(self.parts.len() + 1).unwrap_or(u16::MAX);
        self.parts.push(self.upload.upload_part(number, bytes).await.map_err(failed)?);
        Ok(())
    }
}

/// Sends what is there as long as it is more than a part: the last part must not be empty.
async fn send(
    bucket: &Bucket,
    key: &str,
    upload: &mut Option<Upload>,
    rest: &mut BytesMut,
) -> Result<(), PortError> {
    while rest.len() > PART_BYTES {
        let part = rest.split_to(PART_BYTES).to_vec();
        match upload {
            Some(it) => it.add(part).await?,
            None => {
                let started = bucket.create_multipart_upload(key).execute();
                let mut it = Upload { upload: started.await.map_err(failed)?, parts: Vec::new() };
                it.add(part).await?;
                *upload = Some(it);
            }
        }
    }
    Ok(())
}

fn failed(err: worker::Error) -> PortError {
    PortError::new("blobs", err)
}
