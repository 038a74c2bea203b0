//! Benchmarks on the local Spin host and on workerd, as ratios to a function that does nothing.
//!
//! `bench baseline`: the no-op (`GET /v1/health`) and the receiver (signed events of its own each,
//! stored, logged, without a target), by wrk with 16 connections. The two take turns, and of each
//! figure the median of the rounds is printed. Machines are noisy: the ratio is what counts.
//! `bench webhooks`: that, and the sender; see `tests::bench_webhooks`.
//! `bench billing`: Stripe's events, verified, stored and applied, beside the no-op; see
//! `tests::bench_billing`.
//! `bench notify`: notices to many and to a live client; see `tests::bench_notify`.
//! `bench tickets`: mails and forms beside the no-op, and lists as tickets grow; see
//! `tests::bench_tickets`.
//! `bench gate`: decisions beside the no-op, and their cost with many keys; see
//! `tests::bench_gate`. On the local host also with limits by Redis, where `redis-server` is here.

use std::{
    path::Path,
    process::ExitCode,
    time::{SystemTime, UNIX_EPOCH},
};

use serde_json::json;
use tests::{
    bench_billing, bench_gate, bench_notify, bench_tickets, bench_webhooks,
    host::Host,
    redis::RedisServer,
    wrk::{self, median, print},
};
use webhooks::{recipe::Recipe, signature};

const BOTH: &[&str] = &["local", "workerd"];
const ROUNDS: usize = 3;
/// More events than a round can post, so that none is sent twice.
const EVENTS: usize = 40_000;
const SECRET: &str = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

fn main() -> ExitCode {
    let args: Vec<_> = std::env::args().skip(1).collect();
    let args: Vec<_> = args.iter().map(String::as_str).collect();
    let number = |text: &str| text.parse::<usize>().ok();
    match args[..] {
        ["baseline"] => on_each(BOTH, &[&baseline]),
        ["billing"] => on_each(BOTH, &[&bench_billing::run]),
        ["gate"] => gate(10_000),
        ["gate", most] => number(most).map_or_else(usage, gate),
        ["notify"] => on_each(BOTH, &[&bench_notify::run]),
        ["tickets"] => on_each(BOTH, &[&bench_tickets::run]),
        ["webhooks"] => webhooks(10_000),
        ["webhooks", largest] => number(largest).map_or_else(usage, webhooks),
        _ => usage(),
    }
}

fn usage() -> ExitCode {
    eprintln!(
        "usage: bench baseline | bench billing | bench notify | bench tickets | bench webhooks \
         [largest backlog] | bench gate [most keys]"
    );
    ExitCode::from(2)
}

fn gate(most: usize) -> ExitCode {
    let runtimes: &[_] =
        if RedisServer::is_installed() { &["local", "redis", "workerd"] } else { BOTH };
    on_each(runtimes, &[&bench_gate::throughput, &|it| bench_gate::many_keys(it, most)])
}

fn webhooks(largest: usize) -> ExitCode {
    on_each(BOTH, &[&baseline, &|it| bench_webhooks::run(it, largest)])
}

/// Runs these, each on these runtimes.
fn on_each(runtimes: &[&str], all: &[&dyn Fn(&str)]) -> ExitCode {
    if !wrk::is_installed() {
        eprintln!("wrk is not installed: apt-get install wrk");
        return ExitCode::from(2);
    }
    let wanted = std::env::var("BACKPLANE_RUNTIMES").unwrap_or_else(|_| runtimes.join(","));
    println!("| runtime | what | req/s | p50 ms | p99 ms | ratio to the no-op |");
    println!("|---|---|---|---|---|---|");
    for it in all {
        for runtime in runtimes.iter().filter(|it| wanted.contains(*it)) {
            it(runtime);
        }
    }
    ExitCode::SUCCESS
}

fn baseline(runtime: &str) {
    let state = tempfile::tempdir().expect("there is room for the state");
    let host = Host::start(runtime, state.path());
    let url = host.url().expect("a started host has an address").to_owned();
    let at = host.sandbox();
    let body = json!({"name": "bench", "recipe": "standard-webhooks", "secret": SECRET});
    let path = host.ask("POST", "/v1/webhooks/sources", &at.key, &body).text("/path");
    let (mut idle, mut receiver) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        idle.push(wrk::ask(&format!("{url}/v1/health"), None));
        let script = script(state.path(), round, &path);
        receiver.push(wrk::ask(&format!("{url}{path}"), Some(&script)));
    }
    let (idle, receiver) = (median(&idle), median(&receiver));
    print(runtime, "no-op", idle, idle);
    print(runtime, "receiver", receiver, idle);
}

/// A script for wrk that posts events of this round, each once.
fn script(folder: &Path, round: usize, path: &str) -> String {
    let recipe = Recipe::named("standard-webhooks").expect("it is built in");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970");
    let now = i64::try_from(now.as_secs()).expect("it is before the end of time");
    let row = |number: usize| {
        let id = format!("evt_{round}_{number}");
        let body = json!({"type": "bench", "data": {"number": number}}).to_string();
        let headers = signature::sign(&recipe, SECRET, &id, now, body.as_bytes());
        let headers = headers.expect("the secret fits");
        let find = |name: &str| &headers.iter().find(|(it, _)| it == name).expect("it is signed").1;
        vec![id, now.to_string(), find("webhook-signature").clone(), body]
    };
    let headers = ["webhook-id", "webhook-timestamp", "webhook-signature"];
    wrk::posts(folder, &format!("events-{round}"), path, &headers, (0..EVENTS).map(row))
}
