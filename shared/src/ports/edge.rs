//! What a request can reach before it is known whose it is.

use std::time::Duration;

use super::{Assets, Blobs, Connect, Fetch, Forward, Kv, Limiter, PortError, Queue, Sql};
use crate::domain::Timestamp;

/// The runtime, without a tenant: the clock, chance, settings, and the shared directory.
pub trait Edge: Assets + Connect + Fetch + Forward + Limiter + Queue + Clone + 'static {
    /// The time now. It may stand still while a handler computes (as on Workers).
    fn now(&self) -> Timestamp;

    /// Fills `bytes` with randomness fit for keys.
    ///
    /// # Errors
    /// When the runtime has none; nothing secret may be made then.
    fn random(&self, bytes: &mut [u8]) -> Result<(), PortError>;

    /// A setting or secret of the deployment, or `None` when it is not set or empty.
    async fn setting(&self, name: &'static str) -> Result<Option<String>, PortError>;

    /// Writes one line to the log of the runtime. Nothing secret.
    fn note(&self, line: &str);

    /// Lets others run for this long.
    async fn sleep(&self, time: Duration);

    /// Does this beside the request and after its answer, also when the client has hung up, for
    /// some seconds at most. It is lost when the instance dies before.
    fn after(&self, work: impl Future<Output = ()> + 'static);

    /// The directory: which credential leads to which tenant.
    fn directory(&self) -> impl Sql;

    /// The cache in front of the directory.
    fn kv(&self) -> impl Kv;

    /// What `tenant` keeps that is too large for a row.
    fn blobs(&self, tenant: &str) -> impl Blobs;

    /// How long a directory entry may be answered from the cache; `None` where there is no
    /// cache in front of it.
    const DIRECTORY_TTL: Option<Duration>;

    /// Removes a tenant's database and its blobs. Removing one that is gone succeeds.
    async fn erase(&self, tenant: &str) -> Result<(), PortError>;

    /// The header in which this runtime says where a request came from.
    const CLIENT_ADDRESS: &'static str;

    /// The header in which this runtime says the number of the network that a request came from,
    /// where it knows that. What a client sends under this name does not arrive.
    const CLIENT_ASN: Option<&'static str>;

    /// Wakes the tenants whose time has come, at most `limit` of them, and says how many. A
    /// runtime whose tenants wake themselves has nothing to do here.
    async fn sweep(&self, limit: u32) -> Result<u32, PortError>;
}
