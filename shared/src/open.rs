//! A tenant, opened: the one implementation of [`Tenant`], over any runtime.
//!
//! Here, and nowhere else, a statement gets its `?1`, and a commit becomes a batch.

use std::{cell::RefCell, pin::pin, rc::Rc, time::Duration};

use futures_util::future::{Either, select};

use crate::{
    contract::{self, Check},
    directory::{self, Projection},
    domain::{Actor, Commit, NewJob, Principal, Timestamp},
    door::{self, Link},
    http::{HeaderMap, Response},
    idempotency::{self, Key},
    log,
    ports::{
        Admission, Blobs, CommitError, ConnectError, Connection, Destination, Edge, FetchError,
        HttpRequest, HttpResponse, Item, PortError, Rate, Row, Statement, Store, Tenant, Value,
        Wake,
    },
    problem::Problem,
    seal::Keys,
};

/// How long who heard of new entries lets more of them come, so that many are one look.
const GATHER: Duration = Duration::from_millis(100);

const CLOCK: &str = "select now_ms from clocks where tenant = ?1";

// A job that is already queued stays as it is: its id says that it is the same work.
const INSERT_JOB: &str = "
    insert into jobs (tenant, id, function, kind, body, due_at_ms, created_at_ms, leased_until_ms)
    values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
    on conflict (tenant, id) do nothing";

// One that is told of more is due sooner, and one that was given up comes back to life: whatever
// killed it, there is new work now.
const INSERT_SOONER: &str = "
    insert into jobs (tenant, id, function, kind, body, due_at_ms, created_at_ms, leased_until_ms)
    values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
    on conflict (tenant, id) do update set
      due_at_ms = case state when 'dead' then excluded.due_at_ms
        else min(due_at_ms, excluded.due_at_ms) end,
      attempts = case state when 'dead' then 0 else attempts end,
      reason = case state when 'dead' then null else reason end,
      state = 'waiting', told = 1";

/// How long a drain leaves an eager job to the request that made it.
const HELD: Duration = Duration::from_secs(5);

const GUARD: &str = "insert into guard (holds) select changes()";
const UNGUARD: &str = "delete from guard";

/// A tenant on the runtime that `E` and `S` adapt.
pub struct Open<E, S>(Rc<Inner<E, S>>);

struct Inner<E, S> {
    edge: E,
    store: S,
    principal: Principal,
    /// The test clock, where it stands still.
    frozen: Option<Timestamp>,
    now: Timestamp,
    key: Option<Key>,
    /// Jobs of this request that are tried before its answer goes out.
    eager: RefCell<Vec<String>>,
}

impl<E, S> Clone for Open<E, S> {
    fn clone(&self) -> Self {
        Self(Rc::clone(&self.0))
    }
}

impl<E: Edge, S: Store> Open<E, S> {
    /// Opens the principal's tenant for one request.
    ///
    /// # Errors
    /// When the tenant's clock cannot be read.
    pub async fn new(
        edge: &E,
        store: &S,
        principal: Principal,
        key: Option<Key>,
    ) -> Result<Self, PortError> {
        let frozen = if principal.sandbox { clock(store, &principal.tenant).await? } else { None };
        let now = frozen.unwrap_or_else(|| edge.now());
        let (edge, store) = (edge.clone(), store.clone());
        let eager = RefCell::default();
        Ok(Self(Rc::new(Inner { edge, store, principal, frozen, now, key, eager })))
    }

    /// Opens a tenant, which [`is_sandbox`] or not, for Backplane's own work in it.
    ///
    /// # Errors
    /// When the tenant's clock cannot be read.
    pub async fn system(
        edge: &E,
        store: &S,
        tenant: &str,
        sandbox: bool,
    ) -> Result<Self, PortError> {
        Self::new(edge, store, Principal::system(tenant, sandbox), None).await
    }

    /// The runtime.
    pub fn edge(&self) -> &E {
        &self.0.edge
    }

    /// The database.
    pub fn store(&self) -> &S {
        &self.0.store
    }

    /// Whether the tenant's clock stands still.
    pub fn is_frozen(&self) -> bool {
        self.0.frozen.is_some()
    }

    /// The idempotency key of this request.
    pub fn key(&self) -> Option<&Key> {
        self.0.key.as_ref()
    }

    /// The ids of the jobs to try before the answer goes out; empties the list.
    pub fn take_eager(&self) -> Vec<String> {
        self.0.eager.take()
    }

    /// When the real clock will show what the tenant's clock shows at `due`; `None` when it
    /// stands still before that.
    pub fn real(&self, due: Timestamp) -> Option<Timestamp> {
        if self.0.frozen.is_none() {
            Some(due)
        } else {
            (due <= self.0.now).then(|| self.0.edge.now())
        }
    }

    async fn write(&self, commit: Commit, kept: Option<Vec<Value>>) -> Result<(), CommitError> {
        let wakes = self.wakes(&commit);
        let mut batch = Vec::new();
        let guarded = commit.writes.iter().any(|it| it.guarded);
        for write in commit.writes {
            batch.push(self.bound(write.text, write.params));
            if write.guarded {
                batch.push(Statement::new(GUARD, []));
            }
        }
        for draft in &commit.entries {
            batch.push(log::append(draft, &self.0.principal, self.stamp())?);
        }
        batch.extend(commit.jobs.iter().map(|it| self.insert(it)));
        if let Some(kept) = kept {
            let stale = Value::from(self.0.now - idempotency::KEPT);
            batch.push(self.bound(idempotency::PRUNE, vec![stale]));
            batch.push(self.bound(idempotency::INSERT, kept));
        }
        if guarded {
            batch.push(Statement::new(UNGUARD, []));
        }
        self.0.store.commit(batch, wakes).await?;
        if !commit.entries.is_empty() {
            self.0.store.tell();
        }
        let eager = commit.jobs.into_iter().filter(|it| it.eager).map(|it| it.id);
        self.0.eager.borrow_mut().extend(eager);
        Ok(())
    }

    /// The time that a commit bears: that of the request, or of now where work goes on for long.
    fn stamp(&self) -> Timestamp {
        match self.0.principal.actor {
            Actor::System => self.time(),
            _ => self.0.now,
        }
    }

    fn bound(&self, text: &'static str, params: Vec<Value>) -> Statement {
        let mut bound = vec![Value::from(&self.0.principal.tenant)];
        bound.extend(params);
        Statement::new(text, bound)
    }

    fn insert(&self, job: &NewJob) -> Statement {
        self.bound(
            if job.sooner { INSERT_SOONER } else { INSERT_JOB },
            vec![
                (&job.id).into(),
                job.function().into(),
                job.kind.as_ref().into(),
                (&job.body).into(),
                job.due.unwrap_or_else(|| self.stamp()).into(),
                self.stamp().into(),
                self.held_until(job).into(),
            ],
        )
    }

    /// An eager job is for its own request to try first: else a drain could be at it, and the
    /// answer would go out before it is done.
    fn held_until(&self, job: &NewJob) -> Timestamp {
        match self.0.principal.actor {
            Actor::System => Timestamp(0),
            _ if job.eager => self.0.edge.now() + HELD,
            _ => Timestamp(0),
        }
    }

    fn wakes(&self, commit: &Commit) -> Vec<Wake> {
        let now = self.0.edge.now();
        let job = |it: &NewJob| {
            let at = self.real(it.due.unwrap_or_else(|| self.stamp()))?;
            Some(Wake { function: it.function().to_owned(), at })
        };
        let followers = (!commit.entries.is_empty()).then_some(Wake::FOLLOWERS);
        let others = commit.wakes.iter().map(String::as_str).chain(followers);
        let others = others.map(|it| Wake { function: it.to_owned(), at: now });
        commit.jobs.iter().filter_map(job).chain(others).collect()
    }
}

/// Whether a tenant is a sandbox. Only a sandbox has a clock; one whose clock was never moved is
/// known by the directory.
///
/// # Errors
/// When neither can be read.
pub async fn is_sandbox(
    edge: &impl Edge,
    store: &impl Store,
    tenant: &str,
) -> Result<bool, PortError> {
    Ok(clock(store, tenant).await?.is_some()
        || directory::tenant(edge, tenant).await?.is_some_and(|it| it.sandbox))
}

async fn clock(store: &impl Store, tenant: &str) -> Result<Option<Timestamp>, PortError> {
    let rows = store.query(Statement::new(CLOCK, [tenant.into()])).await?;
    let row = rows.into_iter().next();
    row.map(|it| it.columns().and_then(|[now]| now.timestamp())).transpose()
}

impl<E: Edge, S: Store> Tenant for Open<E, S> {
    fn principal(&self) -> &Principal {
        &self.0.principal
    }

    fn now(&self) -> Timestamp {
        self.0.now
    }

    fn real_now(&self) -> Timestamp {
        self.0.edge.now()
    }

    fn time(&self) -> Timestamp {
        self.0.frozen.unwrap_or_else(|| self.0.edge.now())
    }

    async fn sign_link(&self, link: &Link) -> Result<String, Problem> {
        link.token(&self.0.edge).await
    }

    fn random(&self, bytes: &mut [u8]) -> Result<(), PortError> {
        self.0.edge.random(bytes)
    }

    async fn query(
        &self,
        text: &'static str,
        params: impl Into<Vec<Value>>,
    ) -> Result<Vec<Row>, PortError> {
        Ok(self.0.store.query(self.bound(text, params.into())).await?)
    }

    async fn commit(&self, commit: Commit) -> Result<(), CommitError> {
        self.write(commit, None).await
    }

    async fn answer(
        &self,
        commit: Commit,
        response: Response,
        conflict: impl FnOnce() -> Problem,
    ) -> Result<Response, Problem> {
        let kept = match &self.0.key {
            Some(key) => Some(key.keep(self, &response, self.0.now).await?),
            None => None,
        };
        match self.write(commit, kept).await {
            Ok(()) => Ok(response),
            Err(CommitError::Conflict) => Err(conflict()),
            Err(CommitError::Port(err)) => Err(err.into()),
        }
    }

    async fn admit(&self, key: &str, rate: Rate) -> Result<Admission, PortError> {
        let key = format!("{}:{key}", self.0.principal.tenant);
        self.0.edge.admit(&key, rate, self.0.edge.now()).await
    }

    fn neighbourhood(&self, headers: &HeaderMap) -> String {
        door::neighbourhood(door::client_address(&self.0.edge, headers))
    }

    async fn setting(&self, name: &'static str) -> Result<Option<String>, PortError> {
        self.0.edge.setting(name).await
    }

    async fn fetch(&self, request: HttpRequest) -> Result<HttpResponse, FetchError> {
        self.0.edge.fetch(request).await
    }

    async fn connect(&self, to: &Destination) -> Result<impl Connection, ConnectError> {
        self.0.edge.connect(to).await
    }

    fn blobs(&self) -> impl Blobs {
        self.0.edge.blobs(&self.0.principal.tenant)
    }

    async fn enqueue(&self, function: &str, items: Vec<Item>) -> Result<(), PortError> {
        self.0.edge.enqueue(&self.0.principal.tenant, function, items).await
    }

    fn note(&self, line: &str) {
        self.0.edge.note(line);
    }

    async fn await_entries(&self, at_most: Duration) {
        let (logged, over) = (self.0.store.logged(), self.0.edge.sleep(at_most));
        if let Either::Left(_) = select(pin!(logged), pin!(over)).await {
            self.0.edge.sleep(GATHER).await;
        }
    }

    async fn seal(&self, secret: &[u8]) -> Result<String, PortError> {
        let mut nonce = [0; 24];
        self.random(&mut nonce)?;
        Keys::load(&self.0.edge).await?.seal(secret, &self.0.principal.tenant, &nonce)
    }

    async fn unseal(&self, sealed: &str) -> Result<Vec<u8>, PortError> {
        Keys::load(&self.0.edge).await?.unseal(sealed, &self.0.principal.tenant)
    }

    async fn check_contract(&self) -> Vec<Check> {
        contract::check(&self.0.edge, &self.0.store, &self.0.principal.tenant).await
    }

    fn projection(&self) -> Projection<impl Edge> {
        Projection::of(self.0.edge.clone(), &self.0.principal.tenant)
    }
}
