//! Benchmarks on the local Spin host and on workerd, as ratios to a function that does nothing.
//!
//! `bench baseline`: the no-op (`GET /v1/health`) and the receiver (signed events of its own each,
//! stored, logged, without a target), by wrk with 16 connections. The two take turns, and of each
//! figure the median of the rounds is printed. Machines are noisy: the ratio is what counts.
//! `bench webhooks`: that, and the sender; see `tests::bench_webhooks`.

use std::{
    fmt::Write as _,
    fs,
    path::Path,
    process::{Command, ExitCode},
    time::{SystemTime, UNIX_EPOCH},
};

use serde_json::json;
use tests::{bench_webhooks, host::Host};
use webhooks::{recipe::Recipe, signature};

const ROUNDS: usize = 3;
const SECONDS: u32 = 6;
const CONNECTIONS: u32 = 16;
/// More events than a round can post, so that none is sent twice.
const EVENTS: usize = 40_000;
const SECRET: &str = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// What wrk measured.
#[derive(Clone, Copy, Debug)]
struct Measured {
    per_second: f64,
    p50_ms: f64,
    p99_ms: f64,
    failed: u64,
}

fn main() -> ExitCode {
    let args: Vec<_> = std::env::args().skip(1).collect();
    let args: Vec<_> = args.iter().map(String::as_str).collect();
    let largest = match args[..] {
        ["baseline"] => None,
        ["webhooks"] => Some(10_000),
        ["webhooks", largest] if largest.parse::<usize>().is_ok() => largest.parse().ok(),
        _ => {
            eprintln!("usage: bench baseline | bench webhooks [largest backlog]");
            return ExitCode::from(2);
        }
    };
    if Command::new("wrk").arg("--version").output().is_err() {
        eprintln!("wrk is not installed: apt-get install wrk");
        return ExitCode::from(2);
    }
    println!("| runtime | what | req/s | p50 ms | p99 ms | ratio to the no-op |");
    println!("|---|---|---|---|---|---|");
    for runtime in ["local", "workerd"] {
        baseline(runtime);
    }
    if let Some(largest) = largest {
        for runtime in ["local", "workerd"] {
            bench_webhooks::run(runtime, largest);
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
        idle.push(wrk(&format!("{url}/v1/health"), None));
        let script = script(state.path(), round, &path);
        receiver.push(wrk(&format!("{url}{path}"), Some(&script)));
    }
    let (idle, receiver) = (median(&idle), median(&receiver));
    print(runtime, "no-op", idle, idle);
    print(runtime, "receiver", receiver, idle);
}

fn print(runtime: &str, what: &str, it: Measured, idle: Measured) {
    println!(
        "| {runtime} | {what} | {:.0} | {:.2} | {:.2} | {:.3} |",
        it.per_second,
        it.p50_ms,
        it.p99_ms,
        it.per_second / idle.per_second
    );
    assert_eq!(it.failed, 0, "every answer is 2xx");
}

/// A script for wrk that posts events of this round, each once.
fn script(folder: &Path, round: usize, path: &str) -> String {
    let recipe = Recipe::named("standard-webhooks").expect("it is built in");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970");
    let now = i64::try_from(now.as_secs()).expect("it is before the end of time");
    let mut lines = String::new();
    for number in 0..EVENTS {
        let id = format!("evt_{round}_{number}");
        let body = json!({"type": "bench", "data": {"number": number}}).to_string();
        let headers = signature::sign(&recipe, SECRET, &id, now, body.as_bytes());
        let headers = headers.expect("the secret fits");
        let find = |name: &str| &headers.iter().find(|(it, _)| it == name).expect("it is signed").1;
        let signature = find("webhook-signature");
        let _ = writeln!(lines, "{id}\t{now}\t{signature}\t{body}");
    }
    let events = folder.join(format!("events-{round}.tsv"));
    fs::write(&events, lines).expect("there is room for the events");
    let script = format!(
        r#"
local events, next = {{}}, 0
for line in io.lines("{}") do events[#events + 1] = line end
function request()
  next = next % #events + 1
  local id, at, signature, body = events[next]:match("([^\t]*)\t([^\t]*)\t([^\t]*)\t(.*)")
  return wrk.format("POST", "{path}", {{
    ["content-type"] = "application/json", ["webhook-id"] = id,
    ["webhook-timestamp"] = at, ["webhook-signature"] = signature,
  }}, body)
end
"#,
        events.display()
    );
    let file = folder.join(format!("post-{round}.lua"));
    fs::write(&file, script).expect("there is room for the script");
    file.display().to_string()
}

fn wrk(url: &str, script: Option<&str>) -> Measured {
    let mut command = Command::new("wrk");
    command
        .args(["-t1", "--latency"])
        .arg(format!("-c{CONNECTIONS}"))
        .arg(format!("-d{SECONDS}s"))
        .args(script.iter().flat_map(|it| ["-s", it]))
        .arg(url);
    let out = command.output().expect("wrk starts, as it did before");
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    let figure = |name: &str| {
        let line = text.lines().find(|it| it.trim_start().starts_with(name));
        line.and_then(|it| it.split_whitespace().nth(1)).unwrap_or("0").to_owned()
    };
    let failed = text.lines().find_map(|it| it.trim().strip_prefix("Non-2xx or 3xx responses: "));
    Measured {
        per_second: figure("Requests/sec:").parse().unwrap_or(0.0),
        p50_ms: millis(&figure("50%")),
        p99_ms: millis(&figure("99%")),
        failed: failed.and_then(|it| it.parse().ok()).unwrap_or(0),
    }
}

/// Reads wrk's `930.00us`, `1.20ms` or `1.01s`.
fn millis(text: &str) -> f64 {
    let (number, factor) = match text {
        it if it.ends_with("us") => (it.trim_end_matches("us"), 0.001),
        it if it.ends_with("ms") => (it.trim_end_matches("ms"), 1.0),
        it => (it.trim_end_matches('s'), 1000.0),
    };
    number.parse::<f64>().unwrap_or(0.0) * factor
}

fn median(of: &[Measured]) -> Measured {
    let middle = |figure: fn(&Measured) -> f64| {
        let mut all: Vec<_> = of.iter().map(figure).collect();
        all.sort_by(f64::total_cmp);
        all[all.len() / 2]
    };
    Measured {
        per_second: middle(|it| it.per_second),
        p50_ms: middle(|it| it.p50_ms),
        p99_ms: middle(|it| it.p99_ms),
        failed: of.iter().map(|it| it.failed).sum(),
    }
}
