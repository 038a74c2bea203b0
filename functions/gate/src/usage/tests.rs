//! Usage as a whole, in memory: what is counted is what a model in Rust and the raw events say.
//!
//! `USAGE_EVENTS=1000000 cargo test -p gate usage::tests::model` sends a million.

mod model;

use std::time::Duration;

use pollster::block_on;
use serde_json::{Value, json};
use shared::{
    domain::{Job, Timestamp},
    http::Response,
    memory::{Memory, START},
    open::Open,
    ports::{CommitError, Item, Tenant},
    problem::Problem,
    route::Call,
};

use super::{
    ROUTES, counter, handle, ingest,
    latency::bucket,
    meter::{BLOCKED, REQUESTS, UNITS},
    plan::Plan,
    settings::State,
    store, work,
};

const TENANT: &str = "ten_usage";
const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn open(memory: &Memory) -> impl Tenant {
    block_on(Open::system(memory, &memory.store(TENANT), TENANT, false)).unwrap()
}

fn ask(at: &impl Tenant, operation: &str, path: &str, body: Value) -> Result<Value, Problem> {
    let route = ROUTES.iter().find(|it| it.operation == operation).unwrap();
    let kind =
        if body.is_array() { "application/cloudevents-batch+json" } else { "application/json" };
    let request = http::Request::builder().method(route.method).uri(path);
    let request = request.header("content-type", kind).body(body.to_string().into()).unwrap();
    let response: Response = block_on(handle(at, &Call::new(route, request).unwrap()))?;
    let bytes = response.body().as_full().unwrap().clone();
    Ok(serde_json::from_slice(&bytes).unwrap_or_default())
}

fn post(at: &impl Tenant, body: Value) -> Result<Value, Problem> {
    ask(at, "postUsage", "/v1/usage/events", body)
}

fn total(at: &impl Tenant, meter: &str, from: Timestamp, to: Timestamp) -> i128 {
    block_on(counter::total(at, meter, None, None, from, to)).unwrap()
}

fn event(id: &str, value: u32, time: Timestamp) -> Value {
    json!({"specversion": "1.0", "id": id, "source": "s", "type": UNITS, "time": time,
        "data": {"value": value}})
}

fn item(id: &str, at: Timestamp) -> Item {
    let body = json!({"app": "shop", "key": "k", "route": "r", "subject": "acme", "at_ms": at.0,
        "passed": 3, "blocked": 1, "units": 7, "statuses": {"2xx": 2, "5xx": 1},
        "latency": {bucket(10).to_string(): 2, bucket(1000).to_string(): 1}});
    Item { id: id.to_owned(), body }
}

fn take_in(at: &impl Tenant, items: &[Item]) {
    block_on(async {
        let commit = ingest(at, items).await.unwrap();
        at.commit(commit).await.unwrap();
    });
}

#[test]
fn what_the_gate_counted_is_counted_once_however_often_it_comes() {
    let memory = Memory::default();
    let at = open(&memory);

    take_in(&at, &[item("1", START), item("2", START)]);
    take_in(&at, &[item("2", START), item("3", START), item("3", START)]);

    let (from, to) = (START - MINUTE, START + MINUTE);
    assert_eq!(total(&at, REQUESTS, from, to), 9_000_000);
    assert_eq!(total(&at, BLOCKED, from, to), 3_000_000);
    assert_eq!(total(&at, UNITS, from, to), 21_000_000);
    let latency = ask(&at, "getLatency", "/v1/usage/latency", json!({})).unwrap();
    assert_eq!(latency["count"], 9);
    assert_eq!(
        latency["statuses"],
        json!([{"class": "2xx", "count": 6}, {"class": "5xx", "count": 3}])
    );
    assert_eq!((&latency["p50_ms"], &latency["p99_ms"]), (&json!(10), &json!(993)));
}

#[test]
fn of_two_that_count_the_same_at_once_one_is_undone() {
    let memory = Memory::default();
    let at = open(&memory);
    take_in(&at, &[item("1", START)]);
    let both = [item("2", START), item("3", START)];
    let slow = block_on(ingest(&at, &both)).unwrap();
    let known = block_on(store::events(&at, &json!([["gate:shop", "1/gate.units"]]))).unwrap();
    let [one, other] = [(); 2].map(|()| {
        let mut plan = Plan::knowing(known.clone());
        let window = State::default().window(START);
        plan.void("gate:shop", "1/gate.units", "twice", window).unwrap();
        plan.commit(START)
    });

    take_in(&at, &[item("3", START)]);
    block_on(at.commit(one)).unwrap();

    assert!(matches!(block_on(at.commit(slow)), Err(CommitError::Conflict)));
    assert!(matches!(block_on(at.commit(other)), Err(CommitError::Conflict)));
    assert_eq!(total(&at, REQUESTS, START, START + MINUTE), 6_000_000);
    assert_eq!(total(&at, UNITS, START, START + MINUTE * 15), 7_000_000);
}

#[test]
fn an_item_that_the_gate_did_not_make_is_an_error() {
    let memory = Memory::default();
    let bad = Item { id: "1".into(), body: json!({"app": "shop"}) };

    assert!(block_on(ingest(&open(&memory), &[bad])).is_err());
}

#[test]
fn the_largest_sums_are_exact() {
    let memory = Memory::default();
    let at = open(&memory);
    let value = "8999999999.999999";
    let batch: Vec<_> = (0..100)
        .map(|it| {
            let mut event = event(&it.to_string(), 0, START);
            event["data"]["value"] = json!(value);
            event
        })
        .collect();

    for source in 0..20 {
        let mut batch = batch.clone();
        batch.iter_mut().for_each(|it| it["source"] = json!(source.to_string()));
        post(&at, json!(batch)).unwrap();
    }

    // More than 2^63 millionths.
    let sum = 8_999_999_999_999_999_i128 * 2000;
    assert_eq!(total(&at, UNITS, START, START + MINUTE), sum);
    assert_eq!(total(&at, UNITS, START, START + MINUTE * 15), sum);
    let usage = ask(&at, "getUsage", "/v1/usage?meter=gate.units", json!({})).unwrap();
    assert_eq!(usage["total"], "17999999999999.998");
}

#[test]
fn what_is_old_goes_and_what_is_left_of_it_is_never_a_guess() {
    let memory = Memory::default();
    let at = open(&memory);
    post(&at, json!([event("1", 5, START - MINUTE), event("2", 6, START)])).unwrap();
    let job = || Job {
        id: "gate.usage.prune".into(),
        kind: "gate.usage.prune".into(),
        body: json!({}),
        due: START,
        attempts: 0,
    };
    let later = |days: u32| {
        memory.advance(DAY * days);
        let at = open(&memory);
        let commit = match block_on(work(&at, &job())) {
            Ok(commit) => commit,
            Err(failure) => failure.commit,
        };
        block_on(at.commit(commit)).unwrap();
        at
    };
    let (quarter, day) = (MINUTE * 15, (START - DAY, START + DAY));

    // 36 days late is too late, 71 is after the raw events went, and 401 after the counters.
    let at = later(36);
    assert_eq!(post(&at, event("3", 1, START)).unwrap_err().kind(), "/problems/usage/late");
    assert_eq!(post(&at, event("1", 5, START - MINUTE)).unwrap()["status"], "duplicate");

    let at = later(35);
    assert_eq!(total(&at, UNITS, day.0, day.1), 11_000_000);
    assert_eq!(total(&at, UNITS, START - quarter, START), 5_000_000);
    let cut = counter::total(&at, UNITS, None, None, START - MINUTE, START + DAY);
    assert!(block_on(cut).is_err(), "only the raw events could tell");
    assert!(block_on(counter::recount(&at, UNITS, None, day.0, day.1)).is_err());
    // A longer lateness does not bring back what was forgotten, so nothing is counted twice.
    ask(&at, "putUsageSettings", "/v1/usage/settings", json!({"late_days": 400})).unwrap();
    assert_eq!(
        post(&at, event("1", 5, START - MINUTE)).unwrap_err().kind(),
        "/problems/usage/late"
    );

    // With 400 days of lateness counters live as long as raw events: 435 days.
    let at = later(365);
    let of = |from, to| block_on(counter::total(&at, UNITS, None, None, from, to));
    assert!(of(START, START + DAY).is_err(), "it is not said to be nothing");
    assert_eq!(of(START + DAY, START + DAY * 2).unwrap(), 0);
}
