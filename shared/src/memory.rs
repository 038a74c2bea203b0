//! The runtime of the tests: SQLite in memory, a clock that moves when told to, and a network
//! that is whatever the test says.

mod line;
mod outside;
mod tenant;

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    path::PathBuf,
    rc::Rc,
    time::Duration,
};

use bytes::Bytes;
use pollster::block_on;
use rusqlite::{Connection, params_from_iter, types};

use crate::{
    blob_rows::BlobRows,
    domain::Timestamp,
    drain,
    function::Function,
    http::Response,
    ingest,
    limit::Standing,
    limits::{Ask, together::Together},
    migrations,
    ports::{
        Assets, Blobs, Edge, FetchError, HttpRequest, HttpResponse, Item, Kv, Limiter, PortError,
        Question, Queue, Row, Sql, SqlError, Statement, Store, Tally, Value, Wake, check_items,
    },
    problem::Problem,
    serve,
};

/// When the memory host's clock starts: 2026-01-01T00:00:00Z.
pub const START: Timestamp = Timestamp(1_767_225_600_000);

type Network = Box<dyn FnMut(HttpRequest) -> Result<HttpResponse, FetchError>>;

/// Everything, in memory. A clone is the same host.
#[derive(Clone)]
pub struct Memory(Rc<Inner>);

struct Inner {
    now: Cell<Timestamp>,
    chance: Cell<u64>,
    settings: RefCell<BTreeMap<String, String>>,
    kv: RefCell<BTreeMap<String, Vec<u8>>>,
    notes: RefCell<Vec<String>>,
    network: RefCell<Network>,
    assets: Option<PathBuf>,
    sql: MemorySql,
    together: Together,
}

/// SQLite with the schema of the directory and of the tenants.
#[derive(Clone)]
pub struct MemorySql {
    db: Rc<Connection>,
    wakes: Rc<RefCell<BTreeMap<(String, String), Timestamp>>>,
    tenant: String,
}

/// The cache of [`Memory`].
pub struct MemoryKv(Rc<Inner>);

impl Default for Memory {
    fn default() -> Self {
        Self::with_network(|request| {
            // As the runtimes do, so that the default keeps the contract.
            match crate::outbound::allows("http://*:*,https://*:*", &request.url) {
                true => Err(FetchError::Unreachable("there is no network in this test".into())),
                false => Err(FetchError::Refused),
            }
        })
    }
}

impl Memory {
    /// The operator's key on this host.
    pub const OPERATOR_KEY: &str = "bpo_memory";

    /// A host whose network is `network`.
    pub fn with_network(
        network: impl FnMut(HttpRequest) -> Result<HttpResponse, FetchError> + 'static,
    ) -> Self {
        let settings = [
            ("operator_key", Self::OPERATOR_KEY.to_owned()),
            ("sealing_keys", format!("k1:{}", data_encoding::BASE64.encode(&[7; 32]))),
        ];
        Self(Rc::new(Inner {
            now: Cell::new(START),
            chance: Cell::new(1),
            settings: RefCell::new(settings.map(|(k, v)| (k.to_owned(), v)).into()),
            kv: RefCell::default(),
            notes: RefCell::default(),
            network: RefCell::new(Box::new(network)),
            assets: None,
            sql: MemorySql::migrated(),
            together: Together::default(),
        }))
    }

    /// Moves the real clock.
    pub fn advance(&self, by: Duration) {
        self.0.now.set(self.0.now.get() + by);
    }

    /// Sets or removes a setting.
    pub fn set(&self, name: &str, value: Option<&str>) {
        let mut settings = self.0.settings.borrow_mut();
        match value {
            Some(it) => settings.insert(name.to_owned(), it.to_owned()),
            None => settings.remove(name),
        };
    }

    /// What was written to the log of the runtime so far.
    pub fn notes(&self) -> Vec<String> {
        self.0.notes.borrow().clone()
    }

    /// The database, as `tenant` has it.
    pub fn store(&self, tenant: &str) -> MemorySql {
        MemorySql { tenant: tenant.to_owned(), ..self.0.sql.clone() }
    }

    /// Answers a request as the runtimes do, and then does what is due.
    pub fn serve<F: Function>(&self, request: http::Request<Bytes>) -> Response {
        let response = block_on(self.respond::<F>(request));
        self.settle::<F>();
        response
    }

    async fn respond<F: Function>(&self, request: http::Request<Bytes>) -> Response {
        let method = request.method().clone();
        let outcome = self.route::<F>(request).await;
        serve::finish(self, &method, outcome)
    }

    async fn route<F: Function>(&self, request: http::Request<Bytes>) -> Result<Response, Problem> {
        let (parts, body) = request.into_parts();
        let admitted = serve::admit::<F>(self, &parts.method, &parts.uri, &parts.headers).await?;
        let (route, body) = (admitted.route, http_body_util::Full::new(body));
        if let Some(principal) = admitted.principal.as_ref().filter(|_| route.at_edge) {
            return serve::at_edge::<F, _>(self, principal, route, parts, body).await;
        }
        let call = serve::call(route, parts, body).await?;
        match admitted.principal {
            None => F::edge(self, &call).await,
            Some(principal) => {
                let store = self.store(&principal.tenant);
                serve::run::<F, _, _>(self, &store, principal, &call).await
            }
        }
    }

    /// Does what is due in every tenant that asked to be woken by now.
    pub fn settle<F: Function>(&self) {
        for tenant in self.due() {
            let next = block_on(drain::drain::<F, _, _>(self, &self.store(&tenant), &tenant));
            match next {
                Ok(Some(at)) => self.0.sql.remember(&tenant, Wake { function: "*".into(), at }),
                Ok(None) => {}
                Err(err) => self.note(&format!("drain: {err}")),
            }
        }
    }

    fn due(&self) -> Vec<String> {
        let mut wakes = self.0.sql.wakes.borrow_mut();
        let now = self.0.now.get();
        let mut due: Vec<_> =
            wakes.iter().filter(|(_, at)| **at <= now).map(|(key, _)| key.0.clone()).collect();
        wakes.retain(|_, at| *at > now);
        due.dedup();
        due
    }
}

impl Edge for Memory {
    const DIRECTORY_TTL: Option<Duration> = None;
    const CLIENT_ADDRESS: &'static str = "x-client-address";
    const CLIENT_ASN: Option<&'static str> = Some("x-client-asn");

    /// It moves a millisecond each time that it is looked at, so that what is made later is later.
    fn now(&self) -> Timestamp {
        self.advance(Duration::from_millis(1));
        self.0.now.get()
    }

    fn random(&self, bytes: &mut [u8]) -> Result<(), PortError> {
        // Xorshift: different every time and the same in every run.
        for byte in bytes {
            let mut x = self.0.chance.get();
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            self.0.chance.set(x);
            *byte = x.to_le_bytes()[3];
        }
        Ok(())
    }

    async fn setting(&self, name: &'static str) -> Result<Option<String>, PortError> {
        Ok(self.0.settings.borrow().get(name).cloned())
    }

    fn note(&self, line: &str) {
        self.0.notes.borrow_mut().push(line.to_owned());
    }

    async fn sleep(&self, time: Duration) {
        self.advance(time);
    }

    fn after(&self, work: impl Future<Output = ()> + 'static) {
        // Nothing in memory ever waits for something else.
        block_on(work);
    }

    fn directory(&self) -> impl Sql {
        self.0.sql.clone()
    }

    fn kv(&self) -> impl Kv {
        MemoryKv(Rc::clone(&self.0))
    }

    fn blobs(&self, tenant: &str) -> impl Blobs {
        BlobRows::new(self.clone(), self.0.sql.clone(), tenant)
    }

    async fn erase(&self, tenant: &str) -> Result<(), PortError> {
        migrations::erase(&self.0.sql, tenant).await
    }

    async fn sweep(&self, _: u32) -> Result<u32, PortError> {
        // The tests settle by themselves.
        Ok(0)
    }
}

impl Assets for Memory {
    async fn asset(&self, path: &str) -> Result<Option<Bytes>, PortError> {
        let Some(folder) = &self.0.assets else { return Ok(None) };
        Ok(std::fs::read(folder.join(path)).ok().map(Bytes::from))
    }
}

impl Limiter for Memory {
    async fn decide(
        &self,
        _: &str,
        questions: &[Question],
        tallies: &[Tally],
        now: Timestamp,
    ) -> Result<Vec<Standing>, PortError> {
        for it in tallies {
            let wake = Wake { function: it.function.clone(), at: self.now() + ingest::FOLD_AFTER };
            self.store(&it.tenant).wake(vec![wake]).await?;
        }
        self.0.together.decide(&self.0.sql, Ask::new(questions, tallies, now)?).await
    }
}

impl Queue for Memory {
    async fn enqueue(
        &self,
        tenant: &str,
        function: &str,
        items: Vec<Item>,
    ) -> Result<(), PortError> {
        check_items(&items)?;
        let wake = Wake { function: function.to_owned(), at: self.now() };
        let left = ingest::leave(tenant, function, &items);
        self.store(tenant).commit(left, vec![wake]).await?;
        Ok(())
    }
}

impl Kv for MemoryKv {
    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, PortError> {
        Ok(self.0.kv.borrow().get(key).cloned())
    }

    async fn put(&self, key: &str, value: &[u8]) -> Result<(), PortError> {
        self.0.kv.borrow_mut().insert(key.to_owned(), value.to_owned());
        Ok(())
    }

    async fn delete(&self, key: &str) -> Result<(), PortError> {
        self.0.kv.borrow_mut().remove(key);
        Ok(())
    }
}

impl MemorySql {
    /// A database without any schema.
    pub fn empty() -> Self {
        let db = Connection::open_in_memory().expect("SQLite opens in memory");
        Self { db: Rc::new(db), wakes: Rc::default(), tenant: String::new() }
    }

    pub(crate) fn migrated() -> Self {
        let sql = Self::empty();
        block_on(migrations::bring_up(&sql, "directory", migrations::DIRECTORY))
            .expect("the directory's schema applies to a fresh database");
        block_on(migrations::bring_up(&sql, "tenant", migrations::TENANT))
            .expect("the tenants' schema applies to a fresh database");
        block_on(migrations::bring_up(&sql, "spin", migrations::SPIN))
            .expect("the schema of both applies to them");
        sql
    }

    fn remember(&self, tenant: &str, wake: Wake) {
        let mut wakes = self.wakes.borrow_mut();
        let at = wakes.entry((tenant.to_owned(), wake.function)).or_insert(wake.at);
        *at = wake.at.min(*at);
    }
}

impl Sql for MemorySql {
    async fn query(&self, statement: Statement) -> Result<Vec<Row>, SqlError> {
        run(&self.db, statement).map_err(SqlError::from_sqlite)
    }

    async fn batch(&self, statements: Vec<Statement>) -> Result<Vec<Vec<Row>>, SqlError> {
        let transaction = self.db.unchecked_transaction().map_err(SqlError::from_sqlite)?;
        let rows = statements
            .into_iter()
            .map(|it| run(&transaction, it))
            .collect::<Result<_, _>>()
            .map_err(SqlError::from_sqlite)?;
        transaction.commit().map_err(SqlError::from_sqlite)?;
        Ok(rows)
    }
}

impl Store for MemorySql {
    async fn commit(
        &self,
        statements: Vec<Statement>,
        wakes: Vec<Wake>,
    ) -> Result<Vec<Vec<Row>>, SqlError> {
        let rows = self.batch(statements).await?;
        wakes.into_iter().for_each(|it| self.remember(&self.tenant, it));
        Ok(rows)
    }

    async fn wake(&self, wakes: Vec<Wake>) -> Result<(), PortError> {
        wakes.into_iter().for_each(|it| self.remember(&self.tenant, it));
        Ok(())
    }
}

fn run(db: &Connection, Statement { text, params }: Statement) -> rusqlite::Result<Vec<Row>> {
    let mut statement = db.prepare_cached(text)?;
    let width = statement.column_count();
    statement
        .query_map(params_from_iter(params.into_iter().map(to_sqlite)), |row| {
            (0..width).map(|i| row.get(i).map(from_sqlite)).collect::<Result<_, _>>().map(Row)
        })?
        .collect()
}

fn to_sqlite(value: Value) -> types::Value {
    match value {
        Value::Null => types::Value::Null,
        Value::Integer(it) => types::Value::Integer(it),
        Value::Real(it) => types::Value::Real(it),
        Value::Text(it) => types::Value::Text(it),
        Value::Blob(it) => types::Value::Blob(it),
    }
}

fn from_sqlite(value: types::Value) -> Value {
    match value {
        types::Value::Null => Value::Null,
        types::Value::Integer(it) => Value::Integer(it),
        types::Value::Real(it) => Value::Real(it),
        types::Value::Text(it) => Value::Text(it),
        types::Value::Blob(it) => Value::Blob(it),
    }
}
