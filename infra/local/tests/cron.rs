//! The component for Spin's plugin `trigger-cron`, called as the plugin calls it.
//!
//! `BACKPLANE_RUNTIMES=local cargo test --workspace --test cron`, after `cargo xtask build spin`.

use std::{
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    sync::mpsc::{Receiver, Sender, channel},
    time::Duration,
};

use wasmtime::{
    Config, Engine, Store,
    component::{Component, HasSelf, Linker, ResourceTable},
};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use crate::bindings::fermyon::{
    spin::variables,
    spin_cron::cron_types::{Error, Metadata},
};

/// The component's own world, seen from the other side.
mod bindings {
    wasmtime::component::bindgen!({
        path: "../spin/cron/wit",
        world: "backplane:cron/cron",
    });
}

/// The plugin, by the Spin that is inside.
#[derive(Clone, Copy, Debug)]
enum Plugin {
    /// The older one declares a plain function, and its engine has WASI 0.2 alone.
    Spin3,
    /// The newer one declares an `async` function, and a plain one may stand in for it.
    Spin4,
}

const KEY: &str = "The-Operators-Key";
const COMPONENT: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/wasm32-wasip2/release/cron.wasm");
/// How long a connection may say nothing.
const TIMEOUT: Duration = Duration::from_secs(10);
const LINES_MAX: usize = 100;

/// Whether components were built for this run.
fn is_asked_for() -> bool {
    let asked = std::env::var("BACKPLANE_RUNTIMES")
        .is_ok_and(|it| it.split(',').any(|name| name == "local"));
    if !asked {
        println!("skipped: BACKPLANE_RUNTIMES does not name local");
    }
    asked
}

#[tokio::test]
async fn an_event_is_one_post_with_the_operators_key() {
    if !is_asked_for() {
        return;
    }
    for plugin in [Plugin::Spin3, Plugin::Spin4] {
        let (url, requests) = server("200 OK");

        let outcome = call(plugin, &url).await;

        assert!(outcome.is_ok(), "{plugin:?}: {outcome:?}");
        let request = requests.recv().unwrap();
        assert_eq!(request.first().unwrap(), "POST /tick HTTP/1.1", "{plugin:?}");
        let mut keys = request.iter().filter(|it| it.starts_with("authorization:"));
        assert_eq!(keys.next().unwrap(), &format!("authorization: Bearer {KEY}"), "{plugin:?}");
        assert!(keys.next().is_none(), "{plugin:?}: {request:?}");
        assert!(request.iter().any(|it| it == "content-length: 0"), "{plugin:?}: {request:?}");
        assert!(requests.try_recv().is_err(), "{plugin:?}: there was a second request");
    }
}

#[tokio::test]
async fn an_answer_that_is_no_success_is_an_error_with_its_status() {
    if !is_asked_for() {
        return;
    }
    for plugin in [Plugin::Spin3, Plugin::Spin4] {
        let (url, requests) = server("500 Internal Server Error");

        let outcome = call(plugin, &url).await;

        let Err(Error::Other(said)) = outcome else { panic!("{plugin:?}: it was a success") };
        assert!(said.contains("500"), "{plugin:?}: {said}");
        assert!(!said.contains(KEY), "{plugin:?}: {said}");
        requests.recv().unwrap();
        assert!(requests.try_recv().is_err(), "{plugin:?}: it was tried again");
    }
}

#[tokio::test]
async fn an_address_that_nobody_answers_at_is_an_error() {
    if !is_asked_for() {
        return;
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);

    let outcome = call(Plugin::Spin4, &url).await;

    let Err(Error::Other(said)) = outcome else { panic!("it was a success") };
    assert!(said.starts_with("POST failed: "), "{said}");
}

/// The older plugin has no WASI 0.3 and no interface of Spin 4.
#[test]
fn it_imports_nothing_that_is_newer_than_the_oldest_plugin() {
    if !is_asked_for() {
        return;
    }
    let engine = Engine::default();
    let component = component(&engine);
    let known = ["wasi:", "fermyon:spin/variables@2.0.0", "fermyon:spin-cron/cron-types@2.0.0"];

    let ty = component.component_type();
    for (name, _) in ty.imports(&engine) {
        assert!(known.iter().any(|it| name.starts_with(it)), "{name}");
        assert!(!name.starts_with("wasi:") || name.contains("@0.2."), "{name}");
    }
}

/// What one instance holds.
struct State {
    table: ResourceTable,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    url: String,
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        let hooks = Default::default();
        WasiHttpCtxView { ctx: &mut self.http, table: &mut self.table, hooks }
    }
}

impl variables::Host for State {
    fn get(&mut self, name: String) -> Result<String, variables::Error> {
        match name.as_str() {
            "operator_key" => Ok(KEY.to_owned()),
            "backplane_url" => Ok(self.url.clone()),
            _ => Err(variables::Error::Undefined(name)),
        }
    }
}

/// One event, in an instance of its own. As the plugin, it defines no `cron-types`: they are types
/// alone.
async fn call(plugin: Plugin, url: &str) -> Result<(), Error> {
    let is_concurrent = matches!(plugin, Plugin::Spin4);
    let engine = Engine::new(Config::new().concurrency_support(is_concurrent)).unwrap();
    let mut linker = Linker::<State>::new(&engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker).unwrap();
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker).unwrap();
    variables::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state).unwrap();
    let state = State {
        table: ResourceTable::new(),
        wasi: WasiCtx::builder().build(),
        http: WasiHttpCtx::new(),
        url: url.to_owned(),
    };
    let mut store = Store::new(&engine, state);
    let instance = linker.instantiate_async(&mut store, &component(&engine)).await.unwrap();
    let handle = instance
        .get_typed_func::<(Metadata,), (Result<(), Error>,)>(&mut store, "handle-cron-event")
        .unwrap();
    let metadata = Metadata { timestamp: 0 };
    let outcome = match plugin {
        Plugin::Spin3 => handle.call_async(&mut store, (metadata,)).await,
        Plugin::Spin4 => store
            .run_concurrent(async |accessor| handle.call_concurrent(accessor, (metadata,)).await)
            .await
            .unwrap(),
    };
    outcome.unwrap().0
}

fn component(engine: &Engine) -> Component {
    Component::from_file(engine, COMPONENT).unwrap_or_else(|err| panic!("{COMPONENT}: {err}"))
}

/// A server on loopback, and the heads of its requests: their lines. Its thread ends with the
/// process.
fn server(status: &'static str) -> (String, Receiver<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            answer(&stream, status, &sender);
        }
    });
    (url, receiver)
}

fn answer(mut stream: &TcpStream, status: &str, heads: &Sender<Vec<String>>) {
    stream.set_read_timeout(Some(TIMEOUT)).unwrap();
    let lines = BufReader::new(stream).lines().take(LINES_MAX).map_while(Result::ok);
    let head = lines.take_while(|it| !it.is_empty()).collect();
    // Before the answer, so that whoever has the answer finds the request here.
    heads.send(head).unwrap();
    write!(stream, "HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").unwrap();
}
