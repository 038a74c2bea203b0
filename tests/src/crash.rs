//! The local host is killed again and again while clients post webhooks and publish events: what
//! was answered with 2xx is there, once, and is delivered, under one id and one number.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use data_encoding::BASE64;
use http::Request;
use serde_json::{Value, json};
use webhooks::{recipe::Recipe, signature};

use crate::{
    client,
    host::{Host, OPERATOR_KEY, Sandbox},
    local::LocalHost,
    sink::Sink,
};

/// How many clients post webhooks at once, and how many publish events.
const CLIENTS: u64 = 20;
const PUBLISHERS: u64 = 5;
/// How long the deliveries may take after the last kill: a lease, and then some.
const SETTLE: Duration = Duration::from_secs(150);
/// The path of the endpoint that events are sent to.
const ENDPOINT: &str = "/endpoint";
const SECRET: &str = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// What the clients and the killer share.
struct Shared {
    url: Mutex<String>,
    path: String,
    key: String,
    stop: AtomicBool,
    accepted: Mutex<BTreeMap<String, String>>,
    published: Mutex<BTreeSet<String>>,
}

/// Kills the host this many times, and looks at what is left.
///
/// # Panics
/// When something was lost, doubled or half done.
pub fn check(state: &Path, kills: u32) {
    let mut host = start(state);
    let sink = Sink::start();
    let sandbox = Host::Url(host.url().to_owned(), OPERATOR_KEY.to_owned()).sandbox();
    let shared = Arc::new(Shared {
        path: source(host.url(), &sandbox, &sink),
        key: sandbox.key.clone(),
        url: Mutex::new(host.url().to_owned()),
        stop: AtomicBool::new(false),
        accepted: Mutex::default(),
        published: Mutex::default(),
    });
    let endpoint = endpoint(host.url(), &sandbox, &sink);
    let clients: Vec<_> = (0..CLIENTS + PUBLISHERS)
        .map(|client| {
            let shared = Arc::clone(&shared);
            let publishes = client >= CLIENTS;
            std::thread::spawn(move || {
                if publishes { publish(client, &shared) } else { post(client, &shared) }
            })
        })
        .collect();
    let chance = AtomicU64::new(0x2545_f491_4f6c_dd1d);
    for _ in 0..kills {
        std::thread::sleep(Duration::from_millis(150 + random(&chance) % 700));
        host.kill();
        host = start(state);
        *shared.url.lock().expect("no thread panics while it holds this") = host.url().to_owned();
    }
    std::thread::sleep(Duration::from_secs(1));
    shared.stop.store(true, Ordering::SeqCst);
    clients.into_iter().for_each(|it| it.join().expect("a client does not panic"));
    let accepted = shared.accepted.lock().expect("the clients are done").clone();
    println!("crash: {kills} kills, {} events answered with 2xx", accepted.len());
    assert!(accepted.len() > CLIENTS as usize, "the clients came through");
    stored_once(host.url(), &sandbox, &accepted);
    no_gap(host.url(), &sandbox);
    delivered(&sink, &accepted);
    let published = shared.published.lock().expect("the clients are done").clone();
    println!("crash: {} published events answered with 2xx", published.len());
    assert!(published.len() > PUBLISHERS as usize, "the publishers came through");
    sent(&sink, &published);
    numbered(host.url(), &sandbox, &endpoint, &sink, &published);
}

fn start(state: &Path) -> LocalHost {
    let sealing = format!("k1:{}", BASE64.encode(&[7; 32]));
    let outbound = ("outbound", "http://127.0.0.1:*");
    LocalHost::start(
        state,
        &[("operator_key", OPERATOR_KEY), ("sealing_keys", &*sealing), outbound],
    )
}

fn source(url: &str, at: &Sandbox, sink: &Sink) -> String {
    let body = json!({
        "name": "crash",
        "recipe": "standard-webhooks",
        "secret": SECRET,
        "target": format!("{}/crash", sink.url()),
    });
    let host = Host::Url(url.to_owned(), OPERATOR_KEY.to_owned());
    host.ask("POST", "/v1/webhooks/sources", &at.key, &body).text("/path")
}

fn endpoint(url: &str, at: &Sandbox, sink: &Sink) -> String {
    let body = json!({"url": format!("{}{ENDPOINT}", sink.url()), "types": ["crash.*"]});
    let host = Host::Url(url.to_owned(), OPERATOR_KEY.to_owned());
    host.ask("POST", "/v1/webhooks/endpoints", &at.key, &body).text("/id")
}

/// Publishes one event after the other. One whose answer is lost is none that was accepted.
fn publish(client: u64, shared: &Shared) {
    let mut number = 0;
    while !shared.stop.load(Ordering::SeqCst) {
        number += 1;
        let body = json!({"type": "crash.sent", "data": {"client": client, "number": number}});
        let url = shared.url.lock().expect("no thread panics with it").clone();
        let request = Request::post("/v1/webhooks/events")
            .header("content-type", "application/json")
            .header("authorization", format!("Bearer {}", shared.key))
            .body(body.to_string().into())
            .expect("the request can be sent");
        match client::send(&url, request) {
            Ok(answer) if answer.status.is_success() => {
                let mut published = shared.published.lock().expect("no thread panics with it");
                published.insert(answer.text("/id"));
            }
            _ => std::thread::sleep(Duration::from_millis(20)),
        }
    }
}

/// Each event that was accepted arrives at least once, under its id.
fn sent(sink: &Sink, published: &BTreeSet<String>) {
    let end = Instant::now() + SETTLE;
    loop {
        let mut delivered = sink.delivered();
        // What is sent on to a target has the provider's headers, which may be called the same.
        delivered.retain(|it| it.path == ENDPOINT);
        let came: BTreeSet<_> = delivered.iter().filter_map(|it| it.header("webhook-id")).collect();
        let missing = published.iter().filter(|it| !came.contains(it.as_str())).count();
        if missing == 0 {
            let (all, events) = (delivered.len(), came.len());
            println!("crash: {all} deliveries of {events} events, {} answered", published.len());
            return;
        }
        assert!(Instant::now() < end, "{missing} events were never delivered");
        std::thread::sleep(Duration::from_millis(500));
    }
}

/// The numbers of the endpoint have no gap, each event has one of them, and what was sent had it.
fn numbered(url: &str, at: &Sandbox, endpoint: &str, sink: &Sink, published: &BTreeSet<String>) {
    let mut numbers = BTreeMap::new();
    let path = format!("/v1/webhooks/endpoints/{endpoint}/manifest?limit=200");
    for page in pages(url, at, &path) {
        for item in page["items"].as_array().into_iter().flatten() {
            let sequence = item["sequence"].as_u64().unwrap_or(0);
            assert_eq!(sequence, numbers.len() as u64 + 1, "the numbers have no gap");
            let event = item["event"].as_str().unwrap_or("").to_owned();
            assert!(numbers.insert(event, sequence).is_none(), "an event has one number");
        }
    }
    assert!(published.iter().all(|it| numbers.contains_key(it)), "each event has a number");
    for it in sink.delivered().iter().filter(|it| it.path == ENDPOINT) {
        let event = it.header("webhook-id").unwrap_or("");
        let sequence = it.header("webhook-sequence").and_then(|it| it.parse().ok());
        assert!(
            sequence.is_some() && numbers.get(event).copied() == sequence,
            "{event} was sent under its number"
        );
    }
}

/// Posts one event after the other, each until it is answered with 2xx.
fn post(client: u64, shared: &Shared) {
    let recipe = Recipe::named("standard-webhooks").expect("it is built in");
    let mut number = 0;
    while !shared.stop.load(Ordering::SeqCst) {
        number += 1;
        let id = format!("evt_{client}_{number}");
        let body = json!({"type": "crash", "id": id}).to_string();
        while !shared.stop.load(Ordering::SeqCst) {
            if let Some(message) = try_post(&recipe, shared, &id, &body) {
                let mut accepted = shared.accepted.lock().expect("no thread panics with it");
                accepted.insert(id.clone(), message);
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

fn try_post(recipe: &Recipe, shared: &Shared, id: &str, body: &str) -> Option<String> {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).ok()?;
    let now = i64::try_from(now.as_secs()).ok()?;
    let mut request = Request::post(&shared.path).header("content-type", "application/json");
    for (name, value) in signature::sign(recipe, SECRET, id, now, body.as_bytes()).ok()? {
        request = request.header(name, value);
    }
    let url = shared.url.lock().ok()?.clone();
    let answer = client::send(&url, request.body(body.to_owned().into()).ok()?).ok()?;
    answer.status.is_success().then(|| answer.text("/id"))
}

fn stored_once(url: &str, at: &Sandbox, accepted: &BTreeMap<String, String>) {
    let mut stored: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for page in pages(url, at, "/v1/webhooks/messages?limit=200") {
        for item in page["items"].as_array().into_iter().flatten() {
            let text = |it: &str| item[it].as_str().unwrap_or("").to_owned();
            stored.entry(text("provider_id")).or_default().push(text("id"));
        }
    }
    for (event, message) in accepted {
        assert_eq!(stored.get(event), Some(&vec![message.clone()]), "{event} is stored once");
    }
    assert!(stored.values().all(|it| it.len() == 1), "no event is stored twice");
}

fn no_gap(url: &str, at: &Sandbox) {
    let mut next = 1;
    for page in pages(url, at, "/v1/log?limit=200") {
        for item in page["items"].as_array().into_iter().flatten() {
            assert_eq!(item["sequence"], json!(next), "the log has no gap");
            next += 1;
        }
    }
}

fn delivered(sink: &Sink, accepted: &BTreeMap<String, String>) {
    let end = Instant::now() + SETTLE;
    loop {
        let delivered = sink.delivered();
        let came: BTreeSet<_> =
            delivered.iter().filter_map(|it| it.header("backplane-message")).collect();
        let missing = accepted.values().filter(|it| !came.contains(it.as_str())).count();
        if missing == 0 {
            println!("crash: {} deliveries of {} messages", delivered.len(), accepted.len());
            return;
        }
        assert!(Instant::now() < end, "{missing} messages were never delivered");
        std::thread::sleep(Duration::from_millis(500));
    }
}

fn pages(url: &str, at: &Sandbox, path: &str) -> Vec<Value> {
    let host = Host::Url(url.to_owned(), OPERATOR_KEY.to_owned());
    let mut pages = Vec::new();
    let mut next = Some(String::new());
    while let Some(cursor) = next {
        let path =
            if cursor.is_empty() { path.to_owned() } else { format!("{path}&cursor={cursor}") };
        let page = host.ask("GET", &path, &at.key, &Value::Null).json();
        next = page["next"].as_str().map(str::to_owned);
        pages.push(page);
    }
    pages
}

fn random(state: &AtomicU64) -> u64 {
    let mut x = state.load(Ordering::Relaxed);
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    state.store(x, Ordering::Relaxed);
    x
}
