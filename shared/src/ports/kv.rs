//! A cache under string keys.

use super::PortError;

/// Small values under string keys: a cache, never a counter and never the truth.
///
/// A read may lag a write by a minute, and two writers may overwrite each other. What must not
/// be lost or doubled belongs in [`super::Sql`].
pub trait Kv {
    /// The value under `key`, or `None`.
    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, PortError>;

    /// Puts `value` under `key`, replacing what was there. The last write wins.
    async fn put(&self, key: &str, value: &[u8]) -> Result<(), PortError>;

    /// Removes `key`. Removing a missing key succeeds.
    async fn delete(&self, key: &str) -> Result<(), PortError>;
}
