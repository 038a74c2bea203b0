//! How many of Stripe's events are taken: verified, stored, and their objects fetched and applied,
//! beside a function that does nothing.

use std::{
    path::Path,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use serde_json::{Value, json};

use crate::{
    bench_webhooks::tenant,
    fake_stripe::FakeStripe,
    host::{Host, Sandbox},
    wrk::{self, median, print},
};

const ROUNDS: usize = 3;
/// More events than a round can post, so that none is sent twice.
const EVENTS: usize = 40_000;
/// Of so many objects they are hints.
const OBJECTS: usize = 100;
const SECRET: &str = "whsec_bench_000000";
/// How long what was taken may still be worked.
const PATIENCE: Duration = Duration::from_secs(120);

/// Events a second on this runtime.
///
/// # Panics
/// When the runtime does not start, or refuses something.
pub fn run(runtime: &str) {
    let state = tempfile::tempdir().expect("there is room for the state");
    let host = Host::start(runtime, state.path());
    let url = host.url().expect("a started host has an address").to_owned();
    let at = tenant(&host);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970");
    let now = i64::try_from(now.as_secs()).expect("it is before the end of time");
    let fake = FakeStripe::start(now);
    for number in 0..OBJECTS {
        fake.put(customer(number, "pm_1"), None);
    }
    let body = json!({"name": "bench", "provider": "stripe", "api_key": "sk_test_12345678",
        "webhook_secret": SECRET, "base_url": fake.url()});
    let path = host.ask("POST", "/v1/payments/accounts", &at.key, &body).text("/path");
    let (mut idle, mut taken) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        idle.push(wrk::ask(&format!("{url}/v1/health"), None));
        let script = script(state.path(), round, &path, now);
        taken.push(wrk::ask(&format!("{url}{path}"), Some(&script)));
        applied(&host, &at);
    }
    let (idle, taken) = (median(&idle), median(&taken));
    print(runtime, "no-op", idle, idle);
    print(runtime, "events, taken and applied", taken, idle);
}

fn customer(number: usize, method: &str) -> Value {
    json!({"id": format!("cus_{number}"), "object": "customer",
        "metadata": {"customer": format!("c{number}")},
        "invoice_settings": {"default_payment_method": {"id": method, "type": "card"}}})
}

/// Waits until no object is to be fetched any more.
fn applied(host: &Host, at: &Sandbox) {
    let began = Instant::now();
    loop {
        let jobs = host.ask("GET", "/v1/jobs", &at.key, &Value::Null).json();
        let left = jobs["items"].as_array().is_some_and(|all| {
            all.iter().any(|it| it["kind"] == "stripe.refetch" && it["state"] != "dead")
        });
        if !left {
            return;
        }
        assert!(began.elapsed() < PATIENCE, "what was taken is not applied");
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// A script for wrk that posts events of this round, each once.
fn script(folder: &Path, round: usize, path: &str, now: i64) -> String {
    let row = |number: usize| {
        let event = json!({"id": format!("evt_{round}_{number}"), "object": "event",
            "api_version": "2025-03-31.basil", "created": now, "livemode": false,
            "type": "customer.updated",
            "data": {"object": customer(number % OBJECTS, "pm_1")}});
        let body = event.to_string();
        vec![stripe::signature::sign(SECRET, now, body.as_bytes()), body]
    };
    let headers = ["stripe-signature"];
    wrk::posts(folder, &format!("stripe-{round}"), path, &headers, (0..EVENTS).map(row))
}
