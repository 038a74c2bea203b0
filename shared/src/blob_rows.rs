//! Blobs as rows, where the runtime has no store for them.

use std::{ops::Range, pin::pin};

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt, stream};

use crate::ports::{BLOB_BYTES_MAX, Blob, Blobs, Edge, PortError, Sql, Statement, Value};

/// How many bytes are in a row.
const CHUNK_BYTES: u64 = 256 * 1024;
/// For how long a put may go on; the chunks of one that is older and never ended are removed.
const PUT_MAX: std::time::Duration = std::time::Duration::from_secs(24 * 3600);

const FIND: &str = "select upload, size from blobs where tenant = ?1 and name = ?2";
const ADD: &str = "
    insert into blob_chunks (tenant, upload, number, body, at_ms) values (?1, ?2, ?3, ?4, ?5)";
const CHUNK: &str = "
    select body from blob_chunks where tenant = ?1 and upload = ?2 and number = ?3";
const REPLACE: &str = "
    insert into blobs (tenant, name, upload, size) values (?1, ?2, ?3, ?4)
    on conflict (tenant, name) do update set upload = excluded.upload, size = excluded.size";
const DELETE: &str = "delete from blobs where tenant = ?1 and name = ?2";
const DROP: &str = "delete from blob_chunks where tenant = ?1 and upload = ?2";
const PRUNE: &str = "
    delete from blob_chunks where tenant = ?1 and at_ms < ?2
      and upload not in (select upload from blobs where tenant = ?1)";

/// The blobs of one tenant, as rows of `sql`.
pub struct BlobRows<E, S> {
    edge: E,
    sql: S,
    tenant: String,
}

impl<E: Edge, S: Sql + Clone + 'static> BlobRows<E, S> {
    /// The blobs of `tenant`.
    pub fn new(edge: E, sql: S, tenant: &str) -> Self {
        Self { edge, sql, tenant: tenant.to_owned() }
    }

    fn bound(&self, text: &'static str, rest: impl Into<Vec<Value>>) -> Statement {
        let mut params = vec![Value::from(&self.tenant)];
        params.extend(rest.into());
        Statement::new(text, params)
    }

    async fn find(&self, name: &str) -> Result<Option<(String, u64)>, PortError> {
        let rows = self.sql.query(self.bound(FIND, [name.into()])).await?;
        let Some(row) = rows.into_iter().next() else { return Ok(None) };
        let [upload, size] = row.columns()?;
        Ok(Some((upload.text()?, u64::try_from(size.integer()?).unwrap_or(0))))
    }

    /// Writes the chunks, whole rows but for the last, and says how many bytes they were.
    async fn write(
        &self,
        upload: &str,
        chunks: impl Stream<Item = Result<Bytes, PortError>>,
    ) -> Result<u64, PortError> {
        let (mut chunks, mut rest, mut number, mut size) = (pin!(chunks), BytesMut::new(), 0, 0);
        let row_bytes = usize::try_from(CHUNK_BYTES).unwrap_or(usize::MAX);
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk?;
            size += chunk.len() as u64;
            if size > BLOB_BYTES_MAX {
                return Err(PortError::new("blobs", "the blob is too large"));
            }
            rest.extend_from_slice(&chunk);
            while rest.len() >= row_bytes {
                self.add(upload, number, &rest.split_to(row_bytes)).await?;
                number += 1;
            }
        }
        if !rest.is_empty() {
            self.add(upload, number, &rest).await?;
        }
        Ok(size)
    }

    async fn add(&self, upload: &str, number: i64, body: &[u8]) -> Result<(), PortError> {
        let params = [upload.into(), number.into(), body.into(), self.edge.now().into()];
        self.sql.query(self.bound(ADD, params)).await.map(drop).map_err(PortError::from)
    }
}

impl<E: Edge, S: Sql + Clone + 'static> Blobs for BlobRows<E, S> {
    async fn put(
        &self,
        name: &str,
        chunks: impl Stream<Item = Result<Bytes, PortError>>,
    ) -> Result<u64, PortError> {
        let mut upload = [0; 16];
        self.edge.random(&mut upload)?;
        let upload = data_encoding::HEXLOWER.encode(&upload);
        let size = match self.write(&upload, chunks).await {
            Ok(size) => size,
            Err(err) => {
                // What cannot be removed now is with the next put that ends well.
                self.sql.query(self.bound(DROP, [upload.into()])).await.ok();
                return Err(err);
            }
        };
        let before = self.find(name).await?.map(|it| it.0);
        let bytes = i64::try_from(size).unwrap_or(i64::MAX);
        let mut batch = vec![self.bound(REPLACE, [name.into(), upload.into(), bytes.into()])];
        batch.extend(before.map(|it| self.bound(DROP, [it.into()])));
        batch.push(self.bound(PRUNE, [(self.edge.now() - PUT_MAX).into()]));
        self.sql.batch(batch).await?;
        Ok(size)
    }

    async fn get(&self, name: &str, range: Option<Range<u64>>) -> Result<Option<Blob>, PortError> {
        let Some((upload, size)) = self.find(name).await? else { return Ok(None) };
        let Range { start, end } = range.unwrap_or(0..size);
        let end = end.min(size);
        let (sql, tenant) = (self.sql.clone(), self.tenant.clone());
        let numbers =
            if start < end { start / CHUNK_BYTES..end.div_ceil(CHUNK_BYTES) } else { 0..0 };
        let chunks = stream::iter(numbers).then(move |number| {
            let (sql, tenant, upload) = (sql.clone(), tenant.clone(), upload.clone());
            async move {
                let key = i64::try_from(number).unwrap_or(i64::MAX);
                let params = [tenant.into(), upload.into(), Value::Integer(key)];
                let row = sql.query(Statement::new(CHUNK, params)).await?.into_iter().next();
                // It was replaced while it was read.
                let row = row.ok_or_else(|| PortError::new("blobs", "the blob is gone"))?;
                let body = row.columns().and_then(|[it]| it.blob()).map(Bytes::from)?;
                Ok(cut(body, number * CHUNK_BYTES, start..end))
            }
        });
        Ok(Some(Blob { size, chunks: Box::pin(chunks) }))
    }

    async fn delete(&self, name: &str) -> Result<(), PortError> {
        let Some((upload, _)) = self.find(name).await? else { return Ok(()) };
        let batch = vec![self.bound(DELETE, [name.into()]), self.bound(DROP, [upload.into()])];
        self.sql.batch(batch).await.map(drop).map_err(PortError::from)
    }
}

/// What of a chunk that begins at `offset` is in the range.
fn cut(chunk: Bytes, offset: u64, range: Range<u64>) -> Bytes {
    let inside =
        |at: u64| usize::try_from(at.saturating_sub(offset)).unwrap_or(usize::MAX).min(chunk.len());
    chunk.slice(inside(range.start)..inside(range.end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_is_cut_to_the_range() {
        let chunk = Bytes::from_static(b"abcdef");

        assert_eq!(cut(chunk.clone(), 10, 0..100), "abcdef");
        assert_eq!(cut(chunk.clone(), 10, 12..14), "cd");
        assert_eq!(cut(chunk.clone(), 10, 0..11), "a");
        assert_eq!(cut(chunk, 10, 15..99), "f");
    }
}
