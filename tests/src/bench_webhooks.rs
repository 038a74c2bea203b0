//! How fast the sender is: messages a second, the cost of one as the backlog grows, and what an
//! endpoint that hangs does to another tenant. Each figure stands beside another of the same run.

use std::{
    net::TcpListener,
    path::Path,
    time::{Duration, Instant},
};

use http::Request;
use serde_json::{Value, json};

use crate::{
    client,
    host::{Host, OPERATOR_KEY, Sandbox},
    sink::Sink,
};

/// How many clients publish at once.
const CLIENTS: usize = 16;
/// How many messages are sent to see how many go in a second.
const MESSAGES: usize = 1_000;
/// How many arrivals are timed of a backlog.
const TIMED: usize = 1_000;
/// How many latencies are taken in a round, and how many rounds there are.
const LATENCIES: usize = 100;
const ROUNDS: usize = 3;
/// How many deliveries wait for the endpoint that hangs.
const HANGING: usize = 200;
/// How much of a backlog is published; on the local host the rest is written like it.
const PUBLISHED: usize = 1_000;
/// One more event like the first of this tenant, for each number from ?2 to ?3.
const MORE_EVENTS: &str = "
    with recursive numbers (n) as (select ?2 union all select n + 1 from numbers where n < ?3)
    insert into webhook_events (tenant, id, type, customer, channels, version, data,
      happened_at_ms, at_ms, trace, expires_at_ms)
    select tenant, 'evt_' || printf('%026d', n), type, customer, channels, version, data,
      happened_at_ms, at_ms, trace, expires_at_ms
    from numbers, (select * from webhook_events where tenant = ?1 limit 1)";
const MORE_DELIVERIES: &str = "
    with recursive numbers (n) as (select ?2 union all select n + 1 from numbers where n < ?3)
    insert into webhook_deliveries (tenant, endpoint, sequence, event, state, due_at_ms,
      created_at_ms)
    select tenant, endpoint, n, 'evt_' || printf('%026d', n), state, due_at_ms, created_at_ms
    from numbers, (select * from webhook_deliveries where tenant = ?1 limit 1)";
const COUNTED_ON: &str = "update webhook_endpoints set sequence = ?2 where tenant = ?1";
/// How long anything here may take.
const PATIENCE: Duration = Duration::from_secs(300);

/// Runs all of it on this runtime, and prints a table of each.
///
/// # Panics
/// When the runtime does not start, or something is not delivered.
pub fn run(runtime: &str, largest: usize) {
    let state = tempfile::tempdir().expect("there is room for the state");
    let host = Host::start(runtime, state.path());
    throughput(&host, runtime);
    backlogs(&host, runtime, state.path(), largest);
    isolation(&host, runtime);
}

fn post(url: &str, key: &str, path: &str, body: &Value) {
    let request = Request::post(path)
        .header("content-type", "application/json")
        .header("authorization", format!("Bearer {key}"))
        .body(body.to_string().into())
        .expect("the request can be sent");
    let answer = client::send(url, request).expect("there is an answer");
    assert!(answer.status.is_success(), "{path}: {answer:?}");
}

/// Does this so many times, by several clients at once.
fn spread(count: usize, what: impl Fn(usize) + Sync) {
    std::thread::scope(|scope| {
        for client in 0..CLIENTS {
            let what = &what;
            scope.spawn(move || (client..count).step_by(CLIENTS).for_each(what));
        }
    });
}

fn publish(host: &Host, at: &Sandbox, count: usize) {
    let url = host.url().expect("a started host has an address");
    spread(count, |n| {
        let event = json!({"type": "bench.sent", "data": {"number": n, "text": "x".repeat(200)}});
        post(url, &at.key, "/v1/webhooks/events", &event);
    });
}

/// A tenant whose clock is the real one, with a key for everything.
pub(crate) fn tenant(host: &Host) -> Sandbox {
    let operator = OPERATOR_KEY;
    let tenant = host.ask("POST", "/v1/tenants", operator, &json!({"name": "T"})).text("/id");
    let bearer = format!("Bearer {operator}");
    let headers = [("authorization", &*bearer), ("backplane-tenant", &*tenant)];
    let body = json!({"name": "all", "scopes": ["*"]});
    let made = host.call(crate::host::request("POST", "/v1/keys", &headers, &body));
    Sandbox { tenant, key_id: made.text("/id"), key: made.text("/secret") }
}

fn endpoint(host: &Host, at: &Sandbox, url: &str) -> String {
    host.ask("POST", "/v1/webhooks/endpoints", &at.key, &json!({"url": url})).text("/id")
}

fn wait_for(sink: &Sink, count: usize) -> Instant {
    let end = Instant::now() + PATIENCE;
    while sink.count() < count {
        assert!(Instant::now() < end, "{} of {count} arrived", sink.count());
        std::thread::sleep(Duration::from_millis(2));
    }
    Instant::now()
}

fn per_second(count: usize, time: Duration) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "it is printed with no decimals")]
    let count = count as f64;
    count / time.as_secs_f64()
}

/// Messages a second, from the first that is published to the last that arrives.
fn throughput(host: &Host, runtime: &str) {
    let (at, sink) = (tenant(host), Sink::start());
    let url = host.url().expect("a started host has an address");
    endpoint(host, &at, &format!("{}/bench", sink.url()));
    let (mut idle, mut sent, mut published) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=ROUNDS {
        let started = Instant::now();
        spread(MESSAGES, |_| {
            let request = Request::get("/v1/health").body("".into()).expect("it can be sent");
            client::send(url, request).expect("the no-op answers");
        });
        idle.push(per_second(MESSAGES, started.elapsed()));
        let started = Instant::now();
        publish(host, &at, MESSAGES);
        published.push(per_second(MESSAGES, started.elapsed()));
        sent.push(per_second(MESSAGES, wait_for(&sink, round * MESSAGES) - started));
    }
    let (idle, sent, published) = (median(idle), median(sent), median(published));
    println!("\n| runtime | sender, {CLIENTS} clients | a second | ratio to the no-op |");
    println!("|---|---|---|---|");
    for (what, it) in [("no-op", idle), ("published", published), ("delivered", sent)] {
        println!("| {runtime} | {what} | {it:.0} | {:.3} |", it / idle);
    }
}

/// The cost of a message as more of them wait.
fn backlogs(host: &Host, runtime: &str, state: &Path, largest: usize) {
    println!("\n| runtime | backlog | ms a message | ratio to the smallest |");
    println!("|---|---|---|---|");
    let sizes = [100, 1_000, 10_000, 100_000].into_iter().filter(|it| *it <= largest);
    let mut smallest = None;
    for size in sizes {
        let (at, sink) = (tenant(host), Sink::start());
        let id = endpoint(host, &at, &format!("{}/bench", sink.url()));
        let path = format!("/v1/webhooks/endpoints/{id}");
        host.ask("PATCH", &path, &at.key, &json!({"state": "paused"}));
        fill(host, &at, state, size);
        let timed = size.min(TIMED);
        let started = Instant::now();
        host.ask("PATCH", &path, &at.key, &json!({"state": "active"}));
        let took = wait_for(&sink, timed) - started;
        let cost = 1000.0 / per_second(timed, took);
        let first = *smallest.get_or_insert(cost);
        println!("| {runtime} | {size} | {cost:.2} | {:.2} |", cost / first);
        host.ask("DELETE", &path, &at.key, &Value::Null);
    }
}

/// Makes this many messages wait for the tenant's one endpoint.
fn fill(host: &Host, at: &Sandbox, state: &Path, size: usize) {
    let Host::Local(_) = host else { return publish(host, at, size) };
    publish(host, at, size.min(PUBLISHED));
    if size <= PUBLISHED {
        return;
    }
    let database = rusqlite::Connection::open(state.join("sqlite_db.db"));
    let database = database.expect("the local host has its database there");
    database.busy_timeout(PATIENCE).expect("SQLite can wait");
    for statement in [MORE_EVENTS, MORE_DELIVERIES] {
        let numbers = (&at.tenant, PUBLISHED + 1, size);
        database.execute(statement, numbers).expect("the schema is as it is here");
    }
    database.execute(COUNTED_ON, (&at.tenant, size)).expect("the schema is as it is here");
}

/// How long a tenant's messages take, alone and beside one whose endpoint hangs.
fn isolation(host: &Host, runtime: &str) {
    let (hanging, other, sink) = (tenant(host), tenant(host), Sink::start());
    endpoint(host, &other, &format!("{}/bench", sink.url()));
    // It takes connections, and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    let address = silent.local_addr().expect("a bound listener has an address");
    let id = endpoint(host, &hanging, &format!("http://{address}/hangs"));
    let path = format!("/v1/webhooks/endpoints/{id}");
    host.ask("PATCH", &path, &hanging.key, &json!({"state": "paused"}));
    publish(host, &hanging, HANGING);
    let (mut alone, mut beside) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        host.ask("PATCH", &path, &hanging.key, &json!({"state": "paused"}));
        alone.push(latencies(host, &other, &sink));
        host.ask("PATCH", &path, &hanging.key, &json!({"state": "active"}));
        beside.push(latencies(host, &other, &sink));
    }
    let of =
        |all: &[(f64, f64)], pick: fn(&(f64, f64)) -> f64| median(all.iter().map(pick).collect());
    println!("\n| runtime | another tenant's endpoint | p50 ms | p99 ms | p99 to alone |");
    println!("|---|---|---|---|---|");
    let p99 = of(&alone, |it| it.1);
    for (what, all) in [("is not there", &alone), ("hangs", &beside)] {
        let (p50, it) = (of(all, |it| it.0), of(all, |it| it.1));
        println!("| {runtime} | {what} | {p50:.1} | {it:.1} | {:.2} |", it / p99);
    }
}

/// The median and the 99th percentile of the time from the call that publishes to the arrival.
fn latencies(host: &Host, at: &Sandbox, sink: &Sink) -> (f64, f64) {
    let mut all = Vec::new();
    for _ in 0..LATENCIES {
        let (before, started) = (sink.count(), Instant::now());
        publish(host, at, 1);
        wait_for(sink, before + 1);
        let arrived = sink.delivered().last().map_or(started, |it| it.at);
        all.push((arrived - started).as_secs_f64() * 1000.0);
    }
    all.sort_by(f64::total_cmp);
    let at = |percent: usize| all.get((all.len() * percent / 100).min(all.len() - 1)).copied();
    (at(50).unwrap_or(0.0), at(99).unwrap_or(0.0))
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all.get(all.len() / 2).copied().unwrap_or(0.0)
}
