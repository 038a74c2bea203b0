//! The outside world, as a function sees it.
//!
//! A port promises only what the weakest runtime keeps. Each promise is a sentence here and a
//! check in [`crate::contract`].

mod assets;
mod blobs;
mod connect;
mod edge;
mod http;
mod kv;
mod limiter;
mod queue;
mod sql;
mod store;
mod tenant;

pub use assets::Assets;
pub use blobs::{BLOB_BYTES_MAX, Blob, Blobs, HANDED_ON};
pub use connect::{Connect, ConnectError, Connection, Destination, READ_BYTES_MAX};
pub use edge::Edge;
pub use http::{Fetch, FetchError, Forward, HttpRequest, HttpResponse};
pub use kv::Kv;
pub use limiter::{Admission, Limiter, QUESTIONS_MAX, Question, Rate, Tally};
pub use queue::{ITEM_BYTES_MAX, ITEMS_MAX, Item, Queue, check_items};
pub use sql::{Row, Sql, SqlError, Statement, Value};
pub use store::{Store, Wake};
pub use tenant::{CommitError, Tenant};

/// A port could not do its work.
///
/// The caller cannot repair it, so there is nothing to match on but whether there is room.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{port}: {reason}")]
pub struct PortError {
    port: &'static str,
    reason: String,
}

impl PortError {
    /// `port` failed because of `reason`, which goes to the log and never to a client.
    pub fn new(port: &'static str, reason: impl std::fmt::Display) -> Self {
        Self { port, reason: reason.to_string() }
    }

    /// Whether the database has no room left.
    pub fn is_full(&self) -> bool {
        self.reason.contains("disk is full") || self.reason.contains("SQLITE_FULL")
    }
}
