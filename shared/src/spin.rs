//! Spin: one SQLite database for the directory and all tenants, and a row for each wake.

mod database;
mod line;
mod outside;
mod redis;
mod wakes;

use std::{
    cell::{Cell, RefCell},
    pin::Pin,
    rc::Rc,
    time::Duration,
};

use bytes::Bytes;
use http::{StatusCode, header, request::Parts};
use http_body_util::BodyExt;
use spin_sdk::{http::Request, key_value, variables};
use subtle::ConstantTimeEq;

use crate::{
    bell::{Bell, bell},
    blob_rows::BlobRows,
    domain::{Timestamp, sha256_hex},
    function::Function,
    http::{Body, Broken, Response, empty},
    ingest,
    limit::Standing,
    limits::{Ask, together::Together},
    migrations,
    ports::{
        Assets, Blobs, Edge, Item, Kv, Limiter, PortError, Question, Queue, Row, Sql, SqlError,
        Statement, Store, Tally, Wake, check_items,
    },
    problem::Problem,
    route::{self, Access},
    serve::{self as serving, Admitted},
};
use database::Database;
use wakes::WAKE_PATH;

/// Where the files of `build/assets` are mounted.
const ASSETS: &str = "/assets";

/// The body of an answer. A client that hangs up drops it, with the next chunk at the latest.
pub type Written = Pin<Box<dyn http_body::Body<Data = Bytes, Error = Broken>>>;

thread_local! {
    /// Those who ask this instance's limiter.
    static TOGETHER: Together = Together::default();
    /// Whether somebody has been let in, and the bells of those who wait until then.
    static FIRST: RefCell<First> = const { RefCell::new(First::Nobody) };
}

/// How far the first request of an instance is.
enum First {
    Nobody,
    Enters(Vec<Bell>),
    IsIn,
}

/// The first request, until it is let in or refused.
struct Entering;

/// The runtime.
#[derive(Clone)]
pub struct Spin;

/// The key-value store of the runtime.
struct SpinKv;

/// The shared database, for one tenant.
#[derive(Clone)]
pub struct SpinStore {
    tenant: String,
    /// The function of this component, and whether it follows the log.
    function: &'static str,
    follows: bool,
    /// Whether something was committed that it has to do now.
    woken: Rc<Cell<bool>>,
}

/// Answers a request to the component of `F`, and then does what is due.
pub async fn serve<F: Function>(request: Request) -> http::Response<Written> {
    let path = request.uri().path().to_owned();
    if let Some(tenant) = path.strip_prefix(WAKE_PATH) {
        return write(wake::<F>(&request, tenant).await);
    }
    let method = request.method().clone();
    let outcome = answer::<F>(request).await;
    write(serving::finish(&Spin, &method, outcome))
}

async fn answer<F: Function>(request: Request) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let admitted = admit::<F>(&parts).await?;
    let body = body.map_err(|err| err.to_string());
    let route = admitted.route;
    if let Some(principal) = admitted.principal.as_ref().filter(|_| route.at_edge) {
        return serving::at_edge::<F, _>(&Spin, principal, route, parts, body).await;
    }
    let call = serving::call(route, parts, body).await?;
    let Some(principal) = admitted.principal else { return F::edge(&Spin, &call).await };
    let store = SpinStore::new::<F>(&principal.tenant);
    let outcome = serving::run::<F, _, _>(&Spin, &store, principal, &call).await;
    if store.woken.get() {
        // After the answer: whoever waits for it does not wait for this.
        spin_sdk::wasip3::spawn(async move {
            if let Err(err) = wakes::drain::<F>(&store.tenant, None).await {
                Spin.note(&format!("drain: {err}"));
            }
        });
    }
    outcome
}

/// Lets a request in. The first one of an instance goes alone: what it finds out, such as who asks
/// and how the database is, all know that came with it.
async fn admit<F: Function>(parts: &Parts) -> Result<Admitted, Problem> {
    let Parts { method, uri, headers, .. } = parts;
    let admitted = || serving::admit::<F>(&Spin, method, uri, headers);
    if route::find(F::routes(), method, uri.path())?.access == Access::Public {
        return admitted().await;
    }
    let Some(_entering) = Entering::alone().await else { return admitted().await };
    database::bring_up().await?;
    admitted().await
}

impl Entering {
    /// Waits for whoever enters; `None` when somebody is in.
    async fn alone() -> Option<Self> {
        loop {
            let rung = FIRST.with_borrow_mut(|first| match first {
                First::Nobody => {
                    *first = First::Enters(vec![]);
                    Some(None)
                }
                First::Enters(waiting) => {
                    let (bell, rung) = bell();
                    waiting.push(bell);
                    Some(Some(rung))
                }
                First::IsIn => None,
            });
            match rung? {
                Some(rung) => rung.await,
                None => return Some(Self),
            }
        }
    }
}

impl Drop for Entering {
    fn drop(&mut self) {
        // Whether or not it was let in: the database is up, or the next one tries.
        let next = if database::is_up() { First::IsIn } else { First::Nobody };
        drop(FIRST.replace(next));
    }
}

/// A wake from the tick. It comes by service chaining, and shows the operator's key as well.
async fn wake<F: Function>(request: &Request, tenant: &str) -> Response {
    let given = request.headers().get(header::AUTHORIZATION).map_or(&b""[..], |it| it.as_bytes());
    let Ok(Some(expected)) = Spin.setting("operator_key").await else {
        return Problem::not_found().into_response();
    };
    let expected = sha256_hex(format!("Bearer {expected}").as_bytes());
    let allowed: bool = sha256_hex(given).as_bytes().ct_eq(expected.as_bytes()).into();
    if !allowed {
        return Problem::not_found().into_response();
    }
    if let Err(err) = database::bring_up().await {
        return serving::finish(&Spin, request.method(), Err(err.into()));
    }
    let (tenant, taken) = (tenant.to_owned(), wakes::taken_until(request.uri().query()));
    // After the answer: the tick has others to wake.
    spin_sdk::wasip3::spawn(async move {
        if let Err(err) = wakes::drain::<F>(&tenant, taken).await {
            Spin.note(&format!("drain: {err}"));
        }
    });
    empty(StatusCode::ACCEPTED)
}

fn write(response: Response) -> http::Response<Written> {
    response.map(|body| match body {
        Body::Full(it) => outside::full(it),
        Body::Stream(chunks) => outside::body(chunks),
    })
}

impl Edge for Spin {
    const DIRECTORY_TTL: Option<Duration> = None;
    const CLIENT_ADDRESS: &'static str = "spin-client-addr";
    const CLIENT_ASN: Option<&'static str> = None;

    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        Timestamp(i64::try_from(since.unwrap_or_default().as_millis()).unwrap_or(0))
    }

    fn random(&self, bytes: &mut [u8]) -> Result<(), PortError> {
        getrandom::fill(bytes).map_err(|err| PortError::new("entropy", err))
    }

    async fn setting(&self, name: &'static str) -> Result<Option<String>, PortError> {
        match variables::get(name).await {
            Ok(it) => Ok(Some(it).filter(|it| !it.is_empty())),
            Err(variables::Error::Undefined(_)) => Ok(None),
            Err(err) => Err(PortError::new("config", err)),
        }
    }

    #[expect(clippy::disallowed_macros, reason = "Spin keeps standard error")]
    fn note(&self, line: &str) {
        eprintln!("{line}");
    }

    async fn sleep(&self, time: Duration) {
        spin_sdk::time::sleep(time).await;
    }

    fn after(&self, work: impl Future<Output = ()> + 'static) {
        spin_sdk::wasip3::spawn(work);
    }

    fn directory(&self) -> impl Sql {
        Database::Directory
    }

    fn kv(&self) -> impl Kv {
        SpinKv
    }

    fn blobs(&self, tenant: &str) -> impl Blobs {
        BlobRows::new(Self, Database::Safe, tenant)
    }

    async fn erase(&self, tenant: &str) -> Result<(), PortError> {
        redis::forget(tenant).await?;
        migrations::erase(&Database::Safe, tenant).await?;
        wakes::forget(tenant).await
    }

    async fn sweep(&self, limit: u32) -> Result<u32, PortError> {
        database::bring_up().await?;
        wakes::sweep(limit).await
    }
}

impl Assets for Spin {
    async fn asset(&self, path: &str) -> Result<Option<Bytes>, PortError> {
        match std::fs::read(format!("{ASSETS}/{path}")) {
            Ok(it) => Ok(Some(it.into())),
            Err(err) if err.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(err) => Err(PortError::new("assets", err)),
        }
    }
}

impl Limiter for Spin {
    async fn decide(
        &self,
        _: &str,
        questions: &[Question],
        tallies: &[Tally],
        now: Timestamp,
    ) -> Result<Vec<Standing>, PortError> {
        let ask = Ask::new(questions, tallies, now)?;
        let together = TOGETHER.with(Together::clone);
        match redis::server().await? {
            Some(it) => together.decide(&redis::book(it)?, ask).await,
            None => together.decide(&Database::Quick, ask).await,
        }
    }
}

impl Queue for Spin {
    async fn enqueue(
        &self,
        tenant: &str,
        function: &str,
        items: Vec<Item>,
    ) -> Result<(), PortError> {
        check_items(&items)?;
        let mut batch = ingest::leave(tenant, function, &items);
        let wake = Wake { function: function.to_owned(), at: self.now() };
        batch.push(wakes::ask(tenant, wake));
        Database::Safe.batch(batch).await.map(drop).map_err(PortError::from)
    }
}

impl Kv for SpinKv {
    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, PortError> {
        open_kv().await?.get(key).await.map_err(kv_error)
    }

    async fn put(&self, key: &str, value: &[u8]) -> Result<(), PortError> {
        open_kv().await?.set(key, value).await.map_err(kv_error)
    }

    async fn delete(&self, key: &str) -> Result<(), PortError> {
        open_kv().await?.delete(key).await.map_err(kv_error)
    }
}

async fn open_kv() -> Result<key_value::Store, PortError> {
    key_value::Store::open_default().await.map_err(kv_error)
}

fn kv_error(err: key_value::Error) -> PortError {
    PortError::new("kv", err)
}

impl SpinStore {
    fn new<F: Function>(tenant: &str) -> Self {
        let follows = !F::follows(F::NAME).is_empty();
        Self { tenant: tenant.to_owned(), function: F::NAME, follows, woken: Rc::default() }
    }

    /// Whether this wake is for this component, now.
    fn is_ours(&self, wake: &Wake) -> bool {
        let named = wake.function == self.function;
        (named || self.follows && wake.function == Wake::FOLLOWERS) && wake.at <= Spin.now()
    }
}

impl Sql for SpinStore {
    async fn query(&self, statement: Statement) -> Result<Vec<Row>, SqlError> {
        Database::Safe.query(statement).await
    }

    async fn batch(&self, statements: Vec<Statement>) -> Result<Vec<Vec<Row>>, SqlError> {
        Database::Safe.batch(statements).await
    }
}

impl Store for SpinStore {
    async fn commit(
        &self,
        mut statements: Vec<Statement>,
        wakes: Vec<Wake>,
    ) -> Result<Vec<Vec<Row>>, SqlError> {
        // The same database, so the wakes are part of the commit.
        let own = statements.len();
        let ours = wakes.iter().any(|it| self.is_ours(it));
        statements.extend(wakes.into_iter().map(|it| wakes::ask(&self.tenant, it)));
        let mut rows = Database::Safe.batch(statements).await?;
        rows.truncate(own);
        self.woken.set(self.woken.get() || ours);
        Ok(rows)
    }

    async fn wake(&self, wakes: Vec<Wake>) -> Result<(), PortError> {
        let statements = wakes.into_iter().map(|it| wakes::ask(&self.tenant, it)).collect();
        Database::Safe.batch(statements).await.map(drop).map_err(PortError::from)
    }
}
