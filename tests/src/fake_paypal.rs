//! PayPal as far as the tests go, on loopback: its token, orders, captures, refunds, vault,
//! disputes, subscriptions, lists, and webhooks that it signs by certificates of its own.
//!
//! It knows calls again by `PayPal-Request-Id`, takes an invoice's id once, and can fail, forget,
//! repeat, mix up and lose.

mod desk;
mod vault;
mod webhook;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    io::{BufReader, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex, MutexGuard},
};

use data_encoding::BASE64;
use serde_json::{Value, json};
use shared::{
    domain::Timestamp,
    ports::{FetchError, HttpRequest, HttpResponse},
};

use crate::{
    host,
    sink::{Delivered, read},
};

pub use webhook::{ROOT, WEBHOOK_ID};

/// The app's client id and secret.
pub const CLIENT: (&str, &str) = ("client-of-tests", "secret-of-tests");

/// The server. Its threads end with the process.
#[derive(Clone)]
pub struct FakePayPal {
    url: String,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// Objects by `kind/id`.
    objects: BTreeMap<String, Value>,
    events: Vec<Value>,
    /// Answers by the id of their call.
    known: BTreeMap<String, (u16, Value)>,
    /// What each call with an id said, to see that a repetition says the same.
    said: BTreeMap<String, String>,
    invoices: BTreeSet<String>,
    tokens: BTreeSet<String>,
    calls: Vec<String>,
    failures: VecDeque<(u16, bool)>,
    forbidden: Vec<String>,
    certificates_are_gone: bool,
    chain: Option<String>,
    made: u32,
    /// When it was started, which is when all was paid, as far as its lists go.
    began: i64,
    /// Of its events: a second for each.
    now: i64,
}

impl FakePayPal {
    /// Starts it on a port of its own, with its clock at `now` (seconds since 1970).
    ///
    /// # Panics
    /// When there is no port to be had.
    pub fn start(now: i64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let address = listener.local_addr().expect("a bound listener has an address");
        let state = Arc::new(Mutex::new(State { began: now, now, ..State::default() }));
        let fake = Self { url: format!("http://{address}"), state: Arc::clone(&state) };
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let state = Arc::clone(&state);
                std::thread::spawn(move || serve(&stream, &state));
            }
        });
        fake
    }

    /// Where it listens.
    pub fn url(&self) -> &str {
        &self.url
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no thread panics while it holds this")
    }

    /// A network in which PayPal's own hosts are this one, and nobody else is there.
    pub fn network(&self) -> impl FnMut(HttpRequest) -> Result<HttpResponse, FetchError> + use<> {
        let base = self.url.clone();
        move |mut request| {
            let path = request.url[url::Position::BeforePath..].to_owned();
            let is_here = request.url.host_str().is_some_and(|it| it.ends_with(".paypal.com"));
            if is_here || request.url.as_str().starts_with(&base) {
                request.url = format!("{base}{path}").parse().map_err(|_| FetchError::Refused)?;
                return host::fetch(request);
            }
            Err(FetchError::Unreachable("nobody is there".to_owned()))
        }
    }

    /// Fails the next calls with these statuses. With `true` the call has its effect all the same,
    /// and only its answer is lost. A call with the status 0 goes well.
    pub fn fail(&self, statuses: &[(u16, bool)]) {
        self.state().failures.extend(statuses);
    }

    /// Forgets the ids of calls, as PayPal does after six hours.
    pub fn forget_calls(&self) {
        self.state().known.clear();
        self.state().said.clear();
    }

    /// Takes none of its tokens any more.
    pub fn revoke_tokens(&self) {
        self.state().tokens.clear();
    }

    /// The app may not call what begins with this path.
    pub fn forbid(&self, path: &str) {
        self.state().forbidden.push(path.to_owned());
    }

    /// How many calls there were whose line begins so.
    pub fn calls(&self, start: &str) -> usize {
        self.state().calls.iter().filter(|it| it.starts_with(start)).count()
    }

    /// An object as it is.
    pub fn object(&self, kind: &str, id: &str) -> Option<Value> {
        self.state().objects.get(&format!("{kind}/{id}")).cloned()
    }

    /// Changes an object, and tells it if `event` is an event's name.
    ///
    /// # Panics
    /// When there is no such object.
    pub fn change(&self, kind: &str, id: &str, event: Option<&str>, how: impl FnOnce(&mut Value)) {
        let mut state = self.state();
        let it = state.objects.get_mut(&format!("{kind}/{id}")).expect("it is there");
        how(it);
        let it = it.clone();
        if let Some(event) = event {
            state.tell(event, it);
        }
    }

    /// The amounts of all captures that have the money, as PayPal writes them.
    pub fn paid(&self) -> Vec<String> {
        let state = self.state();
        let captures = state.objects.iter().filter(|(key, _)| key.starts_with("capture/"));
        let paid = captures.filter(|(_, it)| {
            matches!(text(it, "/status"), "COMPLETED" | "PARTIALLY_REFUNDED" | "REFUNDED")
        });
        paid.map(|(_, it)| text(it, "/amount/value").to_owned()).collect()
    }
}

fn text<'a>(it: &'a Value, path: &str) -> &'a str {
    it.pointer(path).and_then(Value::as_str).unwrap_or_default()
}

fn issue(status: u16, issue: &str) -> (u16, Value) {
    let detail = json!({"issue": issue, "description": format!("on purpose: {issue}")});
    let name = if status == 404 { "RESOURCE_NOT_FOUND" } else { "UNPROCESSABLE_ENTITY" };
    (status, json!({"name": name, "debug_id": "d1", "details": [detail]}))
}

fn link(rel: &str, href: &str) -> Value {
    json!({"rel": rel, "href": href, "method": "GET"})
}

impl State {
    fn id(&mut self, prefix: &str) -> String {
        self.made += 1;
        format!("{prefix}{:06}", self.made)
    }

    fn time(&self) -> String {
        Timestamp(self.now * 1000).to_string()
    }

    fn tell(&mut self, kind: &str, resource: Value) {
        let id = self.id("WH-");
        self.now += 1;
        let event = json!({"id": id, "event_version": "1.0", "event_type": kind,
            "create_time": self.time(), "resource_type": "it", "resource": resource});
        self.events.push(event);
    }

    fn respond(&mut self, request: &Delivered) -> (u16, Value) {
        let path = request.path.split('?').next().unwrap_or_default();
        self.calls.push(format!("{} {}", request.method, request.path));
        if path == "/v1/oauth2/token" {
            return self.token(request);
        }
        let bearer = request.header("authorization").and_then(|it| it.strip_prefix("Bearer "));
        if !bearer.is_some_and(|it| self.tokens.contains(it)) {
            let why = "Token signature verification failed";
            return (401, json!({"error": "invalid_token", "error_description": why}));
        }
        if self.forbidden.iter().any(|it| path.starts_with(it)) {
            let why = "Authorization failed due to insufficient permissions.";
            return (403, json!({"name": "NOT_AUTHORIZED", "message": why}));
        }
        let failure = self.failures.pop_front();
        if let Some((status @ 1.., false)) = failure {
            return (status, json!({"name": "ON_PURPOSE", "message": "on purpose"}));
        }
        let answer = self.once(request);
        match failure {
            Some((status, true)) => (status, json!({"message": "the answer is lost"})),
            _ => answer,
        }
    }

    fn token(&mut self, request: &Delivered) -> (u16, Value) {
        let basic = BASE64.encode(format!("{}:{}", CLIENT.0, CLIENT.1).as_bytes());
        if request.header("authorization") != Some(&format!("Basic {basic}")) {
            let why = "Client Authentication failed";
            return (401, json!({"error": "invalid_client", "error_description": why}));
        }
        let token = self.id("A21-");
        self.tokens.insert(token.clone());
        (200, json!({"access_token": token, "token_type": "Bearer", "expires_in": 32_400}))
    }

    /// A call with an id has its effect once.
    fn once(&mut self, request: &Delivered) -> (u16, Value) {
        let Some(id) = request.header("paypal-request-id").map(str::to_owned) else {
            return self.answer(request);
        };
        let said = format!("{} {}", request.path, String::from_utf8_lossy(&request.body));
        if self.said.get(&id).is_some_and(|it| *it != said) {
            return issue(422, "REQUEST_ID_ALREADY_USED");
        }
        self.said.insert(id.clone(), said);
        if let Some(answer) = self.known.get(&id) {
            return answer.clone();
        }
        let answer = self.answer(request);
        if answer.0 < 300 {
            self.known.insert(id, answer.clone());
        }
        answer
    }

    fn answer(&mut self, request: &Delivered) -> (u16, Value) {
        let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
        let query: BTreeMap<String, String> =
            url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        let call = (request.method.as_str(), parts.get(2..).unwrap_or_default());
        match (parts.get(1).copied().unwrap_or_default(), call) {
            ("checkout" | "payments", call) => self.payments(call, &body),
            ("vault", call) => self.vault(call, &query, &body),
            ("billing" | "catalogs", call) => self.subscriptions(call, &query, &body),
            ("notifications", call) => self.notifications(call, &query, request),
            ("customer", ("GET", ["disputes", id])) => self.object("dispute", id),
            ("customer", ("GET", ["disputes"])) => self.disputes(),
            ("reporting", ("GET", ["transactions"])) => self.transactions(&query),
            ("reporting", ("GET", ["balances"])) => {
                let some = json!({"currency_code": "EUR", "value": "12.34"});
                let none = json!({"currency_code": "EUR", "value": "0.00"});
                (
                    200,
                    json!({"balances": [{"currency": "EUR", "available_balance": some,
                    "withheld_balance": none}]}),
                )
            }
            _ => issue(404, "INVALID_RESOURCE_ID"),
        }
    }

    fn object(&self, kind: &str, id: &str) -> (u16, Value) {
        match self.objects.get(&format!("{kind}/{id}")) {
            Some(it) => (200, it.clone()),
            None => issue(404, "INVALID_RESOURCE_ID"),
        }
    }

    fn put(&mut self, kind: &str, id: &str, it: &Value) {
        self.objects.insert(format!("{kind}/{id}"), it.clone());
    }

    fn all(&self, kind: &str) -> Vec<&Value> {
        let start = format!("{kind}/");
        let found = self.objects.iter().filter(|(key, _)| key.starts_with(&start));
        found.map(|(_, it)| it).collect()
    }
}

fn serve(stream: &TcpStream, state: &Mutex<State>) {
    let mut reader = BufReader::new(stream);
    while let Some(request) = read(&mut reader) {
        let Ok(mut state) = state.lock() else { return };
        let (status, body) = match state.certificate(&request.path) {
            Some(answer) => answer,
            None => {
                let (status, body) = state.respond(&request);
                (status, if body.is_null() { String::new() } else { body.to_string() })
            }
        };
        drop(state);
        let wait = if status == 429 { "retry-after: 7\r\n" } else { "" };
        let head = format!("HTTP/1.1 {status} X\r\n{wait}content-length: {}\r\n\r\n", body.len());
        if (&mut &*stream).write_all((head + &body).as_bytes()).is_err() {
            return;
        }
    }
}
