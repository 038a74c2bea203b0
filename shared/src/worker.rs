//! Cloudflare Workers: the directory in D1 behind KV, each tenant in an object of its own, its
//! blobs in R2.
//!
//! The bindings are named in `wrangler.toml`.

mod blobs;
mod database;
mod limiter;
mod line;
mod mail;
mod module;
mod object;
mod outside;
mod queue;
mod sockets;
mod streamed;
mod value;

use std::{rc::Rc, time::Duration};

use bytes::Bytes;
use worker::{Context, Env, KvStore, console_error, wasm_bindgen_futures::spawn_local};

use crate::{
    domain::Timestamp,
    limit::Standing,
    ports::{
        Assets, Blobs, Edge, Item, Kv, Limiter, PortError, Question, Queue, Sql, Tally, check_items,
    },
};

pub use limiter::LimiterState;
pub use mail::mail;
pub use module::{fetch, scheduled};
pub use object::Object;

/// The D1 database of the directory.
const DIRECTORY: &str = "DIRECTORY";
/// The namespace of the cache in front of it.
const KV: &str = "KV";
/// The namespace of the tenants' objects.
const TENANT: &str = "TENANT";
/// The namespace of the limiters' objects.
const LIMITER: &str = "LIMITER";
/// The static files.
const ASSETS: &str = "ASSETS";

/// The bucket of the tenants' blobs.
const BLOBS: &str = "BLOBS";
/// The queue of what tenants take in later.
const INGEST: &str = "INGEST";

/// The runtime: its bindings, and at the edge the request that keeps it awake.
#[derive(Clone)]
pub struct Worker(Env, Option<Rc<Context>>);

impl Worker {
    /// The runtime, beside any request.
    pub fn new(env: Env) -> Self {
        Self(env, None)
    }

    /// The same in a request, whose context may outlast it.
    pub fn within(env: Env, context: Context) -> Self {
        Self(env, Some(Rc::new(context)))
    }
}

/// The cache in front of the directory.
struct WorkerKv<'a>(&'a Env);

impl Edge for Worker {
    // KV itself may lag a minute, so a revoked key works for two minutes at most.
    const DIRECTORY_TTL: Option<Duration> = Some(Duration::from_secs(60));
    const CLIENT_ADDRESS: &'static str = "cf-connecting-ip";
    const CLIENT_ASN: Option<&'static str> = Some(streamed::ASN);

    fn now(&self) -> Timestamp {
        Timestamp(i64::try_from(worker::Date::now().as_millis()).unwrap_or(0))
    }

    fn random(&self, bytes: &mut [u8]) -> Result<(), PortError> {
        getrandom::fill(bytes).map_err(|err| PortError::new("entropy", err))
    }

    async fn setting(&self, name: &'static str) -> Result<Option<String>, PortError> {
        // A secret and a variable read the same way; one that is missing is an error here.
        Ok(self.0.var(name).ok().map(|it| it.to_string()).filter(|it| !it.is_empty()))
    }

    fn note(&self, line: &str) {
        console_error!("{line}");
    }

    async fn sleep(&self, time: Duration) {
        worker::Delay::from(time).await;
    }

    fn after(&self, work: impl Future<Output = ()> + 'static) {
        match &self.1 {
            Some(context) => context.wait_until(work),
            None => spawn_local(work),
        }
    }

    fn directory(&self) -> impl Sql {
        database::Directory(self.0.clone())
    }

    fn kv(&self) -> impl Kv {
        WorkerKv(&self.0)
    }

    fn blobs(&self, tenant: &str) -> impl Blobs {
        blobs::R2::new(&self.0, tenant)
    }

    async fn erase(&self, tenant: &str) -> Result<(), PortError> {
        blobs::erase(&self.0, tenant).await?;
        object::erase(&self.0, tenant).await
    }

    async fn sweep(&self, _: u32) -> Result<u32, PortError> {
        // Objects wake themselves.
        Ok(0)
    }
}

impl Assets for Worker {
    async fn asset(&self, path: &str) -> Result<Option<Bytes>, PortError> {
        outside::asset(&self.0, path).await
    }
}

impl Limiter for Worker {
    async fn decide(
        &self,
        group: &str,
        questions: &[Question],
        tallies: &[Tally],
        now: Timestamp,
    ) -> Result<Vec<Standing>, PortError> {
        limiter::ask(&self.0, group, questions, tallies, now).await
    }
}

impl Queue for Worker {
    async fn enqueue(
        &self,
        tenant: &str,
        function: &str,
        items: Vec<Item>,
    ) -> Result<(), PortError> {
        check_items(&items)?;
        queue::send(&self.0, tenant, function, items).await
    }
}

impl WorkerKv<'_> {
    fn store(&self) -> Result<KvStore, PortError> {
        self.0.kv(KV).map_err(|err| PortError::new("kv", err))
    }
}

impl Kv for WorkerKv<'_> {
    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, PortError> {
        self.store()?.get(key).bytes().await.map_err(kv_error)
    }

    async fn put(&self, key: &str, value: &[u8]) -> Result<(), PortError> {
        self.store()?.put_bytes(key, value).map_err(kv_error)?.execute().await.map_err(kv_error)
    }

    async fn delete(&self, key: &str) -> Result<(), PortError> {
        self.store()?.delete(key).await.map_err(kv_error)
    }
}

fn kv_error(err: worker::KvError) -> PortError {
    PortError::new("kv", err)
}
