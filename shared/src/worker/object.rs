//! A tenant in its own object: its SQLite, its alarm, and the requests that the edge sends on.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::Duration,
};

use data_encoding::BASE64URL_NOPAD;
use futures_channel::oneshot;
use http::{StatusCode, request::Parts};
use js_sys::Array;
use wasm_bindgen::{JsValue, closure::Closure};
use worker::{
    Env, HttpRequest, Request, RequestInit, Response, ScheduledTime, SqlStorage, State, Storage,
};

use super::{
    TENANT, Worker,
    database::call,
    module,
    sockets::{self, Sockets},
    value,
};
use crate::{
    domain::{Commit, Principal, Timestamp},
    drain,
    function::Function as Capability,
    ingest::{self, Batch},
    live, migrations,
    open::{self, Open},
    ports::{Edge, PortError, Row, Sql, SqlError, Statement, Store, Wake},
    problem::Problem,
    route, serve,
};

/// What only the edge sets: what the object is asked to do, and for whom.
pub(super) const ERRAND: &str = "backplane-errand";
const ERASE: &str = "erase";
/// Take in what the queue brings.
const INGEST: &str = "ingest";
/// Do what is due, as if the alarm had gone off.
pub(super) const WAKE: &str = "wake";
/// Where the object keeps whose it is.
const WHOSE: &str = "tenant";
/// How long an alarm that failed waits.
const AGAIN: Duration = Duration::from_secs(5);

/// What an object of `TENANT` is made of.
pub struct Object {
    edge: Worker,
    store: ObjectStore,
    sockets: Rc<Sockets>,
}

/// The object's own database.
#[derive(Clone)]
pub struct ObjectStore(Rc<Inner>);

struct Inner {
    storage: Storage,
    /// Those who wait for new entries: all of a tenant's are written here.
    waiting: RefCell<Vec<oneshot::Sender<()>>>,
    /// When the alarm is set to; `None` when it is not.
    alarm: Cell<Option<Timestamp>>,
    is_up: Cell<bool>,
}

impl Object {
    /// The object, as the runtime starts it.
    pub fn new(state: State, env: Env) -> Self {
        let storage = state.storage();
        let (alarm, is_up) = (Cell::new(None), Cell::new(false));
        let waiting = RefCell::default();
        Self {
            edge: Worker::new(env),
            store: ObjectStore(Rc::new(Inner { storage, waiting, alarm, is_up })),
            sockets: Rc::new(Sockets::new(state)),
        }
    }

    /// Answers what the edge sends on.
    ///
    /// # Errors
    /// When the answer cannot be handed to JavaScript.
    pub async fn fetch<F: Capability>(&self, request: Request) -> worker::Result<Response> {
        if request.headers().get(ERRAND)?.as_deref() == Some(INGEST) {
            let outcome = self.ingest::<F>(request).await;
            return module::write(serve::finish(&self.edge, &http::Method::POST, outcome));
        }
        let request: HttpRequest = request.try_into()?;
        let method = request.method().clone();
        let errand = request.headers().get(ERRAND).and_then(|it| it.to_str().ok()).unwrap_or("");
        if live::is_upgrade(request.headers())
            && let Some(principal) = parse(errand)
        {
            let (parts, _) = request.into_parts();
            return match self.listen::<F>(principal, parts).await {
                Ok(response) => Ok(response),
                Err(problem) => module::write(serve::finish(&self.edge, &method, Err(problem))),
            };
        }
        let outcome = match errand {
            ERASE => self.erase().await,
            WAKE => return self.alarm::<F>().await,
            other => match parse(other) {
                Some(principal) => self.run::<F>(principal, request).await,
                None => Err(Problem::internal().caused_by("an errand that is none")),
            },
        };
        module::write(serve::finish(&self.edge, &method, outcome))
    }

    async fn run<F: Capability>(
        &self,
        principal: Principal,
        request: HttpRequest,
    ) -> Result<crate::http::Response, Problem> {
        self.bring_up::<F>(&principal.tenant).await?;
        let (parts, body) = request.into_parts();
        let route = route::find(F::routes(), &parts.method, parts.uri.path())?;
        let call = serve::call(route, parts, body).await?;
        serve::run::<F, _, _>(&self.edge, &self.store, principal, &call).await
    }

    /// Opens a WebSocket on a route that is live.
    async fn listen<F: Capability>(
        &self,
        principal: Principal,
        parts: Parts,
    ) -> Result<Response, Problem> {
        self.bring_up::<F>(&principal.tenant).await?;
        let route = route::find(F::routes(), &parts.method, parts.uri.path())?;
        let path = parts.uri.path().to_owned();
        let call = serve::call(route, parts, String::new()).await?;
        let open = Open::new(&self.edge, &self.store, principal.clone(), None).await?;
        let Some(news) = F::news(&open, &call, None).await? else {
            let (kind, title) = ("/problems/no-websocket", "This is no WebSocket");
            return Err(Problem::new(StatusCode::BAD_REQUEST, kind, title)
                .detail("ask without Upgrade: only live feeds are followed by a WebSocket"));
        };
        let (response, until) = self.sockets.open(&self.edge, principal, &path, &news)?;
        sockets::keep_telling::<F>(&self.sockets, &self.edge, &self.store);
        // What was written since the look is told by the next one, which is now.
        self.store.tell();
        self.store.arm(until).await?;
        Ok(response)
    }

    async fn bring_up<F: Capability>(&self, tenant: &str) -> Result<(), PortError> {
        self.store.bring_up(tenant).await?;
        sockets::keep_telling::<F>(&self.sockets, &self.edge, &self.store);
        Ok(())
    }

    async fn ingest<F: Capability>(
        &self,
        mut request: Request,
    ) -> Result<crate::http::Response, Problem> {
        let batch = request.json::<Batch>().await;
        let batch = batch.map_err(|err| Problem::internal().caused_by(err))?;
        self.bring_up::<F>(&batch.tenant).await?;
        let sandbox = open::is_sandbox(&self.edge, &self.store, &batch.tenant).await?;
        let open = Open::system(&self.edge, &self.store, &batch.tenant, sandbox).await?;
        ingest::take::<F, _, _>(&open, &batch.function, &batch.items, Commit::new()).await?;
        Ok(module::done())
    }

    async fn erase(&self) -> Result<crate::http::Response, Problem> {
        let storage = &self.store.0.storage;
        let gone = |err: worker::Error| PortError::new("sql", err);
        storage.delete_alarm().await.map_err(gone)?;
        storage.delete_all().await.map_err(gone)?;
        self.store.0.alarm.set(None);
        self.store.0.is_up.set(false);
        Ok(module::done())
    }

    /// Does what is due.
    ///
    /// # Errors
    /// When the alarm cannot be set again; the runtime repeats it then.
    pub async fn alarm<F: Capability>(&self) -> worker::Result<Response> {
        self.store.0.alarm.set(None);
        let next = match self.due::<F>().await {
            Ok(next) => next,
            Err(err) => {
                self.edge.note(&format!("drain: {err}"));
                Some(self.edge.now() + AGAIN)
            }
        };
        let next = next.into_iter().chain(self.sockets.close_ended(self.edge.now())).min();
        if let Some(at) = next {
            self.store.arm(at).await.map_err(|err| worker::Error::from(err.to_string()))?;
        }
        Response::empty()
    }

    async fn due<F: Capability>(&self) -> Result<Option<Timestamp>, PortError> {
        let whose = self.store.0.storage.get::<String>(WHOSE).await;
        let Some(tenant) = whose.map_err(|err| PortError::new("sql", err))? else {
            return Ok(None); // It was never used, or erased meanwhile.
        };
        self.bring_up::<F>(&tenant).await?;
        drain::drain::<F, _, _>(&self.edge, &self.store, &tenant).await
    }
}

/// What the edge puts into [`ERRAND`] for a request of this principal.
pub(super) fn errand(principal: &Principal) -> Result<String, PortError> {
    let text = serde_json::to_vec(principal).map_err(|err| PortError::new("json", err))?;
    Ok(BASE64URL_NOPAD.encode(&text))
}

fn parse(errand: &str) -> Option<Principal> {
    serde_json::from_slice(&BASE64URL_NOPAD.decode(errand.as_bytes()).ok()?).ok()
}

/// Sends a request to the object of a tenant.
pub(super) async fn send(env: &Env, tenant: &str, request: Request) -> worker::Result<Response> {
    env.durable_object(TENANT)?.get_by_name(tenant)?.fetch_with_request(request).await
}

/// Removes all that is in the object of a tenant.
pub(super) async fn erase(env: &Env, tenant: &str) -> Result<(), PortError> {
    run_errand(env, tenant, ERASE, None).await
}

/// Lets the object of a tenant take in what the queue brings.
pub(super) async fn ingest(env: &Env, batch: &Batch) -> Result<(), PortError> {
    let body = serde_json::to_string(batch).map_err(|err| PortError::new("json", err))?;
    run_errand(env, &batch.tenant, INGEST, Some(body)).await
}

async fn run_errand(
    env: &Env,
    tenant: &str,
    errand: &'static str,
    body: Option<String>,
) -> Result<(), PortError> {
    let failed = |err: worker::Error| PortError::new(errand, err);
    let mut init = RequestInit::new();
    init.with_method(worker::Method::Post).with_body(body.map(Into::into));
    init.headers.set(ERRAND, errand).map_err(failed)?;
    let request = Request::new_with_init("http://object/", &init).map_err(failed)?;
    let answer = send(env, tenant, request).await.map_err(failed)?;
    match answer.status_code() {
        204 => Ok(()),
        other => Err(PortError::new(errand, format!("the object answered {other}"))),
    }
}

impl ObjectStore {
    /// Brings the database to the current schema, once for each start of the object.
    async fn bring_up(&self, tenant: &str) -> Result<(), PortError> {
        if self.0.is_up.get() {
            return Ok(());
        }
        migrations::bring_up(self, "tenant", migrations::TENANT).await?;
        let failed = |err: worker::Error| PortError::new("sql", err);
        self.0.storage.put(WHOSE, tenant).await.map_err(failed)?;
        let alarm = self.0.storage.get_alarm().await.map_err(failed)?;
        self.0.alarm.set(alarm.map(Timestamp));
        self.0.is_up.set(true);
        Ok(())
    }

    /// Ends with the next entry in the log; one that is written before it is waited for counts.
    pub(super) fn listen(&self) -> oneshot::Receiver<()> {
        let (sender, heard) = oneshot::channel();
        let mut waiting = self.0.waiting.borrow_mut();
        waiting.retain(|it| !it.is_canceled());
        waiting.push(sender);
        heard
    }

    /// Sets the alarm to this moment, unless it is set to an earlier one. The first thing that
    /// it does is to tell the runtime, so that what was written just before is one with it.
    async fn arm(&self, at: Timestamp) -> Result<(), PortError> {
        if self.0.alarm.get().is_some_and(|it| it <= at) {
            return Ok(());
        }
        self.0.alarm.set(Some(at));
        let armed = self.0.storage.set_alarm(ScheduledTime::new(date(at))).await;
        armed.map_err(|err| {
            self.0.alarm.set(None);
            PortError::new("alarm", err)
        })
    }

    async fn arm_all(&self, wakes: &[Wake]) -> Result<(), PortError> {
        match wakes.iter().map(|it| it.at).min() {
            Some(at) => self.arm(at).await,
            None => Ok(()),
        }
    }
}

impl Sql for ObjectStore {
    async fn query(&self, statement: Statement) -> Result<Vec<Row>, SqlError> {
        run(&self.0.storage.sql(), &statement)
    }

    async fn batch(&self, statements: Vec<Statement>) -> Result<Vec<Vec<Row>>, SqlError> {
        transaction(&self.0.storage, statements)
    }
}

impl Store for ObjectStore {
    async fn commit(
        &self,
        statements: Vec<Statement>,
        wakes: Vec<Wake>,
    ) -> Result<Vec<Vec<Row>>, SqlError> {
        // No await between the two: the runtime makes one write of what is done in one turn.
        let rows = transaction(&self.0.storage, statements)?;
        self.arm_all(&wakes).await?;
        Ok(rows)
    }

    fn tell(&self) {
        // What is dropped is heard.
        self.0.waiting.take();
    }

    async fn logged(&self) {
        let _ = self.listen().await;
    }

    async fn wake(&self, wakes: Vec<Wake>) -> Result<(), PortError> {
        self.arm_all(&wakes).await
    }
}

/// A moment as JavaScript has it.
#[expect(clippy::cast_precision_loss, reason = "milliseconds of this era are exact")]
pub(super) fn date(at: Timestamp) -> js_sys::Date {
    js_sys::Date::new(&JsValue::from_f64(at.0 as f64))
}

/// Runs one statement, which the object does at once.
pub(super) fn run(sql: &SqlStorage, statement: &Statement) -> Result<Vec<Row>, SqlError> {
    let params: Vec<_> = statement.params.iter().map(value::to_js).collect();
    let cursor = call(sql.as_ref(), "exec", &arguments(statement.text, params))?;
    let rows = call(&cursor, "raw", &Array::new())?;
    let rows = call(&rows, "toArray", &Array::new())?;
    Ok(Array::from(&rows).iter().map(|it| value::row(&it)).collect())
}

fn arguments(text: &str, params: Vec<JsValue>) -> Array {
    std::iter::once(JsValue::from_str(text)).chain(params).collect()
}

/// Runs the statements in one synchronous transaction, which an error undoes.
pub(super) fn transaction(
    storage: &Storage,
    statements: Vec<Statement>,
) -> Result<Vec<Vec<Row>>, SqlError> {
    let sql = storage.sql();
    let rows = Rc::new(Cell::new(Vec::with_capacity(statements.len())));
    let why = Rc::new(Cell::new(None));
    let body = {
        let (rows, why) = (Rc::clone(&rows), Rc::clone(&why));
        Closure::once(move || -> Result<JsValue, JsValue> {
            let all = statements.iter().map(|it| run(&sql, it)).collect::<Result<Vec<_>, _>>();
            match all {
                Ok(all) => rows.set(all),
                Err(err) => {
                    let text = err.to_string();
                    why.set(Some(err));
                    // Thrown, so that the runtime undoes what was done.
                    return Err(JsValue::from_str(&text));
                }
            }
            Ok(JsValue::UNDEFINED)
        })
    };
    let body: &JsValue = body.as_ref();
    let done = call(storage.as_raw().as_ref(), "transactionSync", &Array::of1(body));
    match (done, why.take()) {
        (_, Some(err)) | (Err(err), None) => Err(err),
        (Ok(_), None) => Ok(rows.take()),
    }
}
