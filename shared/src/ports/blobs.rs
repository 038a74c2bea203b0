//! Large objects under names.

use std::{ops::Range, pin::Pin};

use bytes::Bytes;
use futures_util::Stream;

use super::PortError;

/// The largest blob, in bytes.
pub const BLOB_BYTES_MAX: u64 = 1024 * 1024 * 1024;
/// What the name of a blob begins with that one function leaves for others to hand on, as mail
/// does. What has another name is its writer's alone.
pub const HANDED_ON: &str = "files/";

/// What one tenant keeps that is too large for a row. No name leads to another tenant's.
pub trait Blobs {
    /// Stores what `chunks` yield under `name`, and says how many bytes that were. It replaces
    /// what was there at once, when the last chunk has come: until then, and if one of them is an
    /// error, what was there before is read.
    ///
    /// # Errors
    /// That of a chunk, when they are more than [`BLOB_BYTES_MAX`], or when there is no room.
    async fn put(
        &self,
        name: &str,
        chunks: impl Stream<Item = Result<Bytes, PortError>>,
    ) -> Result<u64, PortError>;

    /// The blob under `name`, or `None`. Of a `range` only what is in the blob is read; its size
    /// is that of the whole blob.
    async fn get(&self, name: &str, range: Option<Range<u64>>) -> Result<Option<Blob>, PortError>;

    /// Removes the blob under `name`. Removing one that is not there succeeds.
    async fn delete(&self, name: &str) -> Result<(), PortError>;
}

/// A blob that is being read.
pub struct Blob {
    /// How many bytes the whole of it has.
    pub size: u64,
    /// The bytes that were asked for, in chunks of any size.
    pub chunks: Pin<Box<dyn Stream<Item = Result<Bytes, PortError>>>>,
}
