//! A component that answers requests: made ready once, instantiated and reused as Spin does.

use std::{
    future::Future,
    path::PathBuf,
    pin::Pin,
    sync::{Arc, PoisonError},
    task::{Context, Poll},
    time::{Duration, Instant},
};

use http::{Request, Response};
use tokio::time::Sleep;
use wasmtime::{
    Engine, PoolConcurrencyLimitError, Store, StoreContextMut,
    component::{self, GuestTaskId, Linker},
};
use wasmtime_wasi::{FsPerms, WasiCtx};
use wasmtime_wasi_http::{
    WasiBody, WasiHttpView as _,
    handler::{
        HandlerState, Instance, InstantiationError, Proxy, ProxyHandler, ShouldAccept,
        WorkerExpiration, WorkerState, WorkerStatus,
    },
    p3::bindings::ServicePre,
};

use crate::{
    activity::{Activity, Work},
    logs::{Log, LogStream, say},
    missing,
    outbound::Outbound,
    state::{self, Access, State},
};

/// Requests that one instance answers in its life, and at one time. As in Spin.
const REQUESTS_MAX: usize = 128;
const REQUESTS_AT_ONCE: usize = 16;

/// How long an instance without work is kept. As in Spin.
const IDLE: Duration = Duration::from_secs(1);

/// How often, and how many times, to look for a free place in the pool.
const POOL_WAIT: Duration = Duration::from_millis(50);
const POOL_TRIES: usize = 200;

/// What all instances of a component share.
pub struct Blueprint {
    /// Its name in the manifest.
    pub name: String,
    /// Folders that it may read: ours, and where it finds them.
    pub files: Vec<(PathBuf, String)>,
    /// Its environment.
    pub environment: Vec<(String, String)>,
    /// What it may touch.
    pub access: Arc<Access>,
    /// What it may reach.
    pub outbound: Outbound,
    /// What it prints.
    pub stdout: Arc<Log>,
    /// What it complains about.
    pub stderr: Arc<Log>,
    /// Who is at work.
    pub activity: Activity,
}

/// A component that answers requests.
pub struct Component(ProxyHandler<Ready>);

struct Ready {
    blueprint: Blueprint,
    engine: Engine,
    pre: ServicePre<State>,
}

impl Component {
    /// Links the compiled component. Also names the interfaces that it lacks.
    pub fn new(
        engine: &Engine,
        compiled: &component::Component,
        blueprint: Blueprint,
    ) -> wasmtime::Result<(Self, Vec<String>)> {
        let mut linker = Linker::new(engine);
        state::link(&mut linker)?;
        let missing = missing::link(engine, &mut linker, compiled)?;
        let pre = ServicePre::new(linker.instantiate_pre(compiled)?)?;
        let ready = Ready { blueprint, engine: engine.clone(), pre };
        Ok((Self(ProxyHandler::new(ready)), missing))
    }

    /// Answers a request. When the pool is full, waits for an instance to end.
    pub async fn handle(
        &self,
        mut request: Request<WasiBody>,
    ) -> wasmtime::Result<Response<WasiBody>> {
        for _ in 0..POOL_TRIES {
            let failed = match self.0.handle((), request).await {
                Ok(answer) => return Ok(answer),
                Err(err) => err.downcast::<InstantiationError<()>>()?,
            };
            if !failed.error.is::<PoolConcurrencyLimitError>() {
                return Err(failed.into());
            }
            request = failed.request.into_inner().unwrap_or_else(PoisonError::into_inner);
            tokio::time::sleep(POOL_WAIT).await;
        }
        Err(wasmtime::format_err!("all instances are taken"))
    }
}

impl Ready {
    fn wasi(&self) -> wasmtime::Result<WasiCtx> {
        let Blueprint { files, environment, stdout, stderr, outbound, .. } = &self.blueprint;
        let mut wasi = WasiCtx::builder();
        let outbound = outbound.clone();
        // No names: Spin does not resolve them either.
        wasi.allow_tcp(true).socket_addr_check(move |address, usage| {
            Box::pin(std::future::ready(outbound.allows_socket(address, usage)))
        });
        wasi.stdout(LogStream::new(stdout)).stderr(LogStream::new(stderr)).envs(environment);
        for (source, destination) in files {
            wasi.preopened_dir(source, destination, FsPerms::ReadOnly)?;
        }
        Ok(wasi.build())
    }
}

impl HandlerState for Ready {
    type StoreData = State;
    type WorkerExpiration = Expiry;
    type WorkerState = Worker;

    async fn instantiate(&self) -> wasmtime::Result<Instance<State, Expiry, Worker>> {
        let Blueprint { name, access, outbound, activity, .. } = &self.blueprint;
        let state = State::new(self.wasi()?, outbound.clone(), access.clone());
        let mut store = Store::new(&self.engine, state);
        store.set_epoch_deadline(1);
        store.epoch_deadline_async_yield_and_update(1);
        let proxy = Proxy::P3(self.pre.instantiate_async(&mut store).await?);
        let sleep = Box::pin(tokio::time::sleep(IDLE));
        Ok(Instance {
            store,
            proxy,
            view: |state| state.http(),
            expiration: Expiry { sleep, work: activity.begin() },
            state: Worker { name: name.clone() },
        })
    }
}

/// Ends an instance that had nothing to do for a while.
struct Expiry {
    sleep: Pin<Box<Sleep>>,
    work: Work,
}

impl WorkerExpiration for Expiry {
    fn poll(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        status: WorkerStatus,
        since: Instant,
    ) -> Poll<()> {
        let idle = status == WorkerStatus::Idle;
        self.work.set(!idle);
        if !idle {
            return Poll::Pending;
        }
        let deadline = (since + IDLE).into();
        if self.sleep.deadline() != deadline {
            self.sleep.as_mut().reset(deadline);
        }
        self.sleep.as_mut().poll(context)
    }
}

/// One instance, as the handler sees it.
struct Worker {
    name: String,
}

impl WorkerState for Worker {
    type StoreData = State;
    type RequestData = ();

    fn should_accept_request(&self, at_once: usize, in_all: usize) -> ShouldAccept {
        if in_all >= REQUESTS_MAX {
            ShouldAccept::Never
        } else if at_once >= REQUESTS_AT_ONCE {
            ShouldAccept::No
        } else {
            ShouldAccept::Yes
        }
    }

    /// Requests do not expire, as in Spin.
    fn on_request_start(
        &self,
        _: StoreContextMut<'_, State>,
        _: (),
        _: GuestTaskId,
    ) -> Pin<Box<dyn Future<Output = ()> + Send + Sync>> {
        Box::pin(std::future::pending())
    }

    fn drop(&self, store: Store<State>, result: wasmtime::Result<()>) {
        if let Err(err) = result {
            // The frames of a panic are the component's business, and it has said what happened.
            let cause = err.root_cause();
            say(format!("an instance of {} failed: {cause}", self.name));
        }
        drop(store);
    }
}
