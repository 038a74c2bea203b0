//! A host to play on: in memory, the local Spin host, the same with Redis, workerd, or any address.

use std::path::Path;

use bytes::{Bytes, BytesMut};
use data_encoding::BASE64;
use edge::Backplane;
use futures_util::TryStreamExt;
use http::{HeaderMap, Request, header};
use pollster::block_on;
use serde_json::{Value, json};
use shared::{
    http::Body,
    memory::Memory,
    ports::{FetchError, HttpRequest, HttpResponse},
};

use crate::{
    client::{self, Answer},
    local::LocalHost,
    workerd::Workerd,
};

/// The operator's key on the hosts that the tests start.
pub const OPERATOR_KEY: &str = "bpo_test_operator_key_for_tests_only_000000";
/// The root of the certificates of servers on loopback, in PEM: `fixtures/tls/make.py`.
pub const TLS_ROOT: &str = include_str!("../../fixtures/tls/root.pem");
/// Where connections may go.
const LOOPBACK: &str = "tcp://127.0.0.1:*";
/// Which runtimes to play on, comma-separated: `local`, `redis`, `workerd`, `url`.
pub const RUNTIMES: &str = "BACKPLANE_RUNTIMES";

/// A host.
pub enum Host {
    /// In this process.
    Memory(Box<Memory>),
    /// The local Spin host, which may have a Redis.
    Local(LocalHost),
    /// Workers.
    Workerd(Workerd),
    /// Whoever answers at `BACKPLANE_URL`, with `BACKPLANE_OPERATOR_KEY`.
    Url(String, String),
}

impl Host {
    /// A host in memory, whose network is the loopback of this machine.
    pub fn memory() -> Self {
        Self::memory_with(&[])
    }

    fn memory_with(more: &[(&str, &str)]) -> Self {
        let memory = Memory::with_network(fetch);
        let reach = [("outbound_hosts", LOOPBACK), ("tls_roots", TLS_ROOT)];
        for (name, value) in reach.iter().chain(more) {
            memory.set(name, Some(value));
        }
        Self::Memory(Box::new(memory))
    }

    /// Starts the host of this name, with its state in this folder.
    ///
    /// # Panics
    /// When there is no such host, or it does not start.
    pub fn start(name: &str, state: &Path) -> Self {
        Self::start_with(name, state, &[])
    }

    /// Starts the host of this name with more settings than it has for every test.
    ///
    /// # Panics
    /// When there is no such host, or it does not start.
    pub fn start_with(name: &str, state: &Path, more: &[(&str, &str)]) -> Self {
        let sealing = format!("k1:{}", BASE64.encode(&[7; 32]));
        let (operator, sealing) = (("operator_key", OPERATOR_KEY), ("sealing_keys", &*sealing));
        match name {
            "memory" => Self::memory_with(more),
            "local" | "redis" => {
                let outbound = ("outbound", "http://127.0.0.1:*");
                let (smtp, roots) = (("smtp", LOOPBACK), ("tls_roots", TLS_ROOT));
                let settings = &[&[operator, sealing, outbound, smtp, roots], more].concat();
                Self::Local(match name {
                    "redis" => LocalHost::start_with_redis(state, settings),
                    _ => LocalHost::start(state, settings),
                })
            }
            "workerd" => {
                let outbound =
                    ("outbound_hosts", "https://*:*,http://127.0.0.1:*,tcp://127.0.0.1:*");
                Self::Workerd(Workerd::start(
                    state,
                    &[&[operator, sealing, outbound], more].concat(),
                ))
            }
            "url" => {
                let read = |name| std::env::var(name).unwrap_or_else(|_| panic!("set {name}"));
                Self::Url(read("BACKPLANE_URL"), read("BACKPLANE_OPERATOR_KEY"))
            }
            other => panic!("no runtime is called {other}"),
        }
    }

    /// Starts the host of this name as it serves the internet: nothing private can be called.
    ///
    /// # Panics
    /// When there is no such host, or it does not start.
    pub fn start_in_production(name: &str, state: &Path) -> Self {
        let sealing = format!("k1:{}", BASE64.encode(&[7; 32]));
        let secrets = [("operator_key", OPERATOR_KEY), ("sealing_keys", &*sealing)];
        match name {
            "local" => Self::Local(LocalHost::start_as("infra/spin/runtime.toml", state, &secrets)),
            "workerd" => Self::Workerd(Workerd::start_public(state, &secrets)),
            other => panic!("{other} has no configuration of its own"),
        }
    }

    /// The runtimes that this run asks for.
    pub fn asked_for() -> Vec<String> {
        let names = std::env::var(RUNTIMES).unwrap_or_default();
        names.split(',').map(str::trim).filter(|it| !it.is_empty()).map(str::to_owned).collect()
    }

    /// Runs `check` on each runtime that this run asks for, and says where.
    ///
    /// # Panics
    /// When there is no room for the state.
    pub fn on_each(what: &str, check: impl Fn(&Self)) {
        let names = Self::asked_for();
        if names.is_empty() {
            println!("skipped: {RUNTIMES} names no runtime");
        }
        for name in names {
            println!("{what}: {name}");
            let state = tempfile::tempdir().expect("there is room for the state");
            check(&Self::start(&name, state.path()));
        }
    }

    /// Runs `check` in memory, and on each runtime that this run asks for, with these settings more
    /// than it has for every test.
    ///
    /// # Panics
    /// When there is no room for the state.
    pub fn everywhere(what: &str, more: &[(&'static str, &'static str)], check: impl Fn(&Self)) {
        check(&Self::memory_with(more));
        for name in Self::asked_for() {
            println!("{what}: {name}");
            let state = tempfile::tempdir().expect("there is room for the state");
            check(&Self::start_with(&name, state.path(), more));
        }
    }

    /// The operator's key.
    pub fn operator_key(&self) -> &str {
        match self {
            Self::Memory(_) => Memory::OPERATOR_KEY,
            Self::Url(_, key) => key,
            Self::Local(_) | Self::Workerd(_) => OPERATOR_KEY,
        }
    }

    /// Where it answers; nothing for the one in memory.
    pub fn url(&self) -> Option<&str> {
        match self {
            Self::Memory(_) => None,
            Self::Local(it) => Some(it.url()),
            Self::Workerd(it) => Some(it.url()),
            Self::Url(it, _) => Some(it),
        }
    }

    /// The group of its processes.
    ///
    /// # Panics
    /// When it has none of its own.
    pub fn group(&self) -> u32 {
        match self {
            Self::Local(it) => it.group(),
            Self::Workerd(it) => it.group(),
            Self::Memory(_) | Self::Url(..) => panic!("it has no processes of its own"),
        }
    }

    /// Sends a request whose address is a path.
    ///
    /// # Panics
    /// When there is no answer.
    pub fn call(&self, request: Request<Bytes>) -> Answer {
        if let Some(url) = self.url() {
            let line = format!("{} {}", request.method(), request.uri());
            return client::send(url, request).unwrap_or_else(|err| panic!("{line}: {err}"));
        }
        let Self::Memory(memory) = self else { unreachable!("every other host has an address") };
        let (parts, body) = memory.serve::<Backplane>(request).into_parts();
        let body = match body {
            Body::Full(it) => it,
            // A live feed would go on for minutes.
            Body::Stream(_) if is_live(&parts.headers) => Bytes::new(),
            Body::Stream(it) => block_on(it.try_collect::<BytesMut>()).unwrap_or_default().freeze(),
        };
        Answer { status: parts.status, headers: parts.headers, body }
    }

    /// Sends JSON with a key, and gives the answer.
    pub fn ask(&self, method: &str, path: &str, key: &str, body: &Value) -> Answer {
        self.call(request(method, path, &[("authorization", &format!("Bearer {key}"))], body))
    }

    /// A new sandbox and a key that may do everything in it.
    pub fn sandbox(&self) -> Sandbox {
        let operator = self.operator_key();
        let made =
            self.ask("POST", "/v1/tenants", operator, &json!({"name": "T", "sandbox": true}));
        let tenant = made.text("/id");
        let headers =
            [("authorization", &*format!("Bearer {operator}")), ("backplane-tenant", &*tenant)];
        let body = json!({"name": "all", "scopes": ["*"]});
        let made = self.call(request("POST", "/v1/keys", &headers, &body));
        Sandbox { tenant, key_id: made.text("/id"), key: made.text("/secret") }
    }
}

fn is_live(headers: &HeaderMap) -> bool {
    headers.get(header::CONTENT_TYPE).is_some_and(|it| it == "text/event-stream")
}

/// A sandbox tenant, and a key to it.
#[derive(Clone, Debug)]
pub struct Sandbox {
    /// The tenant's id.
    pub tenant: String,
    /// The key's id.
    pub key_id: String,
    /// The key.
    pub key: String,
}

/// A request with a JSON body; null is none.
///
/// # Panics
/// When a header or the path cannot be one.
pub fn request(method: &str, path: &str, headers: &[(&str, &str)], body: &Value) -> Request<Bytes> {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let body = if body.is_null() {
        Bytes::new()
    } else {
        request = request.header("content-type", "application/json");
        body.to_string().into()
    };
    request.body(body).expect("the test writes requests that can be sent")
}

/// The network of the host in memory.
pub fn fetch(request: HttpRequest) -> Result<HttpResponse, FetchError> {
    let url = request.url.as_str();
    if !url.starts_with("http://127.0.0.1:") {
        return Err(FetchError::Refused);
    }
    let path = &request.url[url::Position::BeforePath..];
    let mut out = Request::builder().method(request.method).uri(path);
    if let Some(headers) = out.headers_mut() {
        *headers = request.headers;
    }
    let base = url.strip_suffix(path).unwrap_or(url);
    let out = out.body(request.body).map_err(|_| FetchError::Refused)?;
    match client::send(base, out) {
        Ok(Answer { status, headers, body }) => {
            Ok(HttpResponse { status, headers, body, cut: false })
        }
        Err(err) => Err(FetchError::Unreachable(err.to_string())),
    }
}
