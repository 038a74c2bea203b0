//! The local host is killed again and again while clients post events: what was answered with
//! 2xx is there, once, and is delivered.

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

/// How many clients post at once.
const CLIENTS: u64 = 20;
/// How long the deliveries may take after the last kill: a lease, and then some.
const SETTLE: Duration = Duration::from_secs(150);
const SECRET: &str = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// What the clients and the killer share.
struct Shared {
    url: Mutex<String>,
    path: String,
    stop: AtomicBool,
    accepted: Mutex<BTreeMap<String, String>>,
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
        url: Mutex::new(host.url().to_owned()),
        stop: AtomicBool::new(false),
        accepted: Mutex::default(),
    });
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || post(client, &shared))
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
