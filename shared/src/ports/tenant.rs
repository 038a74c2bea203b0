//! The one tenant that a handler may touch.

use std::time::Duration;

use super::{
    Admission, Blobs, ConnectError, Connection, Destination, Edge, FetchError, HttpRequest,
    HttpResponse, Item, PortError, Rate, Row, SqlError, Value,
};
use crate::{
    contract::Check,
    directory::Projection,
    domain::{Commit, Id, Principal, Timestamp},
    door::Link,
    http::{HeaderMap, Response},
    problem::Problem,
};

/// One tenant, opened by the door for one request, job or batch of entries.
///
/// Whoever holds it can read and change this tenant, and can name no other.
pub trait Tenant: Clone + 'static {
    /// Who acts, and for whom.
    fn principal(&self) -> &Principal;

    /// The time by the tenant's clock: real, or the test clock of a sandbox. It does not move
    /// while a request is handled.
    fn now(&self) -> Timestamp;

    /// The time by the tenant's clock as it is at this moment, for work that goes on for long.
    fn time(&self) -> Timestamp;

    /// The time by the real clock, for what leaves the tenant: links, leases, time-outs.
    fn real_now(&self) -> Timestamp;

    /// The token of a signed link to something of this tenant.
    ///
    /// # Errors
    /// When the deployment has no sealing key.
    async fn sign_link(&self, link: &Link) -> Result<String, Problem>;

    /// Fills `bytes` with randomness fit for keys.
    ///
    /// # Errors
    /// When the runtime has none.
    fn random(&self, bytes: &mut [u8]) -> Result<(), PortError>;

    /// A new id with this prefix.
    ///
    /// # Errors
    /// When the runtime has no randomness.
    fn new_id(&self, prefix: &str) -> Result<Id, PortError> {
        let mut random = [0; 10];
        self.random(&mut random)?;
        // By the real clock: what is made while a test clock stands still is in order as well.
        Ok(Id::new(prefix, self.real_now(), &random))
    }

    /// Reads from the tenant's tables. `?1` is the tenant and is bound here; `params` are `?2`
    /// and on.
    async fn query(
        &self,
        text: &'static str,
        params: impl Into<Vec<Value>>,
    ) -> Result<Vec<Row>, PortError>;

    /// Changes the tenant: all of the commit or none of it.
    ///
    /// # Errors
    /// [`CommitError::Conflict`] when a guarded write did not change exactly one row.
    async fn commit(&self, commit: Commit) -> Result<(), CommitError>;

    /// As [`Tenant::commit`], keeping `response` for whoever repeats this request with the same
    /// idempotency key, in the same commit.
    ///
    /// # Errors
    /// A conflict is the problem that `conflict` makes.
    async fn answer(
        &self,
        commit: Commit,
        response: Response,
        conflict: impl FnOnce() -> Problem,
    ) -> Result<Response, Problem>;

    /// Asks the limiter for one more under this tenant's `key`; see [`super::Limiter`].
    async fn admit(&self, key: &str, rate: Rate) -> Result<Admission, PortError>;

    /// What of a client's address it cannot change at will, to be limited by: its address, or of
    /// IPv6 the network that one customer has. Empty where the runtime does not say. Nothing that a
    /// client can write is read.
    fn neighbourhood(&self, headers: &HeaderMap) -> String;

    /// A setting or secret of the deployment, or `None` when it is not set.
    async fn setting(&self, name: &'static str) -> Result<Option<String>, PortError>;

    /// Sends one request outside; see [`super::Fetch`].
    async fn fetch(&self, request: HttpRequest) -> Result<HttpResponse, FetchError>;

    /// Opens a connection outside; see [`super::Connect`].
    async fn connect(&self, to: &Destination) -> Result<impl Connection, ConnectError>;

    /// What this tenant keeps that is too large for a row.
    fn blobs(&self) -> impl Blobs;

    /// Leaves items for `function` to take in later; see [`super::Queue`].
    async fn enqueue(&self, function: &str, items: Vec<Item>) -> Result<(), PortError>;

    /// Writes one line to the log of the runtime. Nothing secret.
    fn note(&self, line: &str);

    /// Lets others run until there are new entries in the log, where the runtime can tell, and no
    /// longer than this, by the real clock. Whoever waits for a change looks then.
    async fn await_entries(&self, at_most: Duration);

    /// Seals `secret` for keeping, so that only this tenant can open it.
    ///
    /// # Errors
    /// When the deployment has no sealing key.
    async fn seal(&self, secret: &[u8]) -> Result<String, PortError>;

    /// Opens what [`Tenant::seal`] made.
    ///
    /// # Errors
    /// When it was sealed for somebody else, altered, or under a key that is gone.
    async fn unseal(&self, sealed: &str) -> Result<Vec<u8>, PortError>;

    /// Checks what the adapters promise, in this tenant's scratch tables.
    async fn check_contract(&self) -> Vec<Check>;

    /// What of this tenant is known outside of it: written only by a job of its own commit.
    fn projection(&self) -> Projection<impl Edge>;
}

/// Why a commit was not.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CommitError {
    /// A guarded write did not change exactly one row. Nothing was changed.
    #[error("conflict")]
    Conflict,
    /// The database could not do it. Nothing was changed.
    #[error(transparent)]
    Port(#[from] PortError),
}

impl From<SqlError> for CommitError {
    fn from(err: SqlError) -> Self {
        match err {
            SqlError::Conflict => Self::Conflict,
            SqlError::Port(err) => Self::Port(err),
        }
    }
}
