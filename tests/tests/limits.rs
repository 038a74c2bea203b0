//! Limits under many who ask at once: exactly what is allowed is admitted, on every runtime.
//!
//! `BACKPLANE_RUNTIMES=local,workerd cargo test -p tests --test limits`

use std::sync::atomic::{AtomicUsize, Ordering};

use pollster::block_on;
use serde_json::{Value, json};
use shared::{
    limits,
    ports::{Edge, Sql, Statement},
};
use tests::{
    client,
    host::{Host, Sandbox},
};

/// How many ask at once, and how often each of them.
const CLIENTS: usize = 100;
const EACH: usize = 2;
const LIMIT: usize = 50;

fn put(host: &Host, at: &Sandbox, name: &str, policy: &Value) {
    let put = host.ask("PUT", &format!("/v1/limits/policies/{name}"), &at.key, policy);
    assert_eq!(put.status, 201, "{put:?}");
}

/// How many of all these checks were admitted. All others are refused as they should be.
fn admitted(host: &Host, at: &Sandbox, check: impl Fn(usize) -> Value + Sync) -> usize {
    let (url, admitted) = (host.url().unwrap(), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for number in 0..CLIENTS {
            let (admitted, check) = (&admitted, &check);
            scope.spawn(move || {
                for _ in 0..EACH {
                    let request = http::Request::post("/v1/limits/check")
                        .header("content-type", "application/json")
                        .header("authorization", format!("Bearer {}", at.key))
                        .body(check(number).to_string().into())
                        .unwrap();
                    let answer = client::send(url, request).unwrap();
                    match answer.status.as_u16() {
                        200 => drop(admitted.fetch_add(1, Ordering::SeqCst)),
                        429 => {}
                        _ => panic!("{answer:?}"),
                    }
                }
            });
        }
    });
    admitted.into_inner()
}

#[test]
fn a_hundred_clients_get_exactly_the_limit() {
    Host::on_each("limits", |host| {
        if host.url().is_none() {
            return; // In memory nobody asks at the same time.
        }
        let at = host.sandbox();
        for (app, algorithm) in [
            ("bucket", "gcra"),
            ("sliding", "sliding_window"),
            ("fixed", "fixed_window"),
            ("leases", "concurrency"),
        ] {
            let policy = json!({
                "app": app, "algorithm": algorithm, "limit": LIMIT, "period_seconds": 86_400,
                "key": "all",
            });
            put(host, &at, app, &policy);
            let all = admitted(host, &at, |_| json!({"app": app}));
            assert_eq!(all, LIMIT, "{algorithm}");
        }
    });
}

#[test]
fn who_is_refused_by_one_policy_takes_nothing_of_another() {
    Host::on_each("all or nothing", |host| {
        if host.url().is_none() {
            return;
        }
        let at = host.sandbox();
        let policy = |limit: usize, key: &str| {
            json!({
                "app": "both", "algorithm": "fixed_window", "limit": limit,
                "period_seconds": 86_400, "key": key,
            })
        };
        put(host, &at, "all", &policy(CLIENTS * EACH, "all"));
        put(host, &at, "user", &policy(1, "{user}"));
        // Ten users: each gets one, and all others take nothing of what all share.
        let check = |number: usize| json!({"app": "both", "user": format!("u{}", number % 10)});

        assert_eq!(admitted(host, &at, check), 10);

        let look = json!({"app": "both", "cost": 0});
        let look = host.ask("POST", "/v1/limits/check", &at.key, &look).json();
        assert_eq!(look["policies"][0]["remaining"], json!(CLIENTS * EACH - 10), "{look}");
    });
}

/// Each instance admits at most a slice of its own, a tenth.
#[test]
fn eventual_mode_admits_no_more_than_it_says() {
    Host::on_each("eventual", |host| {
        if host.url().is_none() {
            return;
        }
        let at = host.sandbox();
        let policy = json!({
            "app": "loose", "algorithm": "fixed_window", "limit": LIMIT, "period_seconds": 86_400,
            "key": "all", "mode": "eventual",
        });
        put(host, &at, "loose", &policy);

        let all = admitted(host, &at, |_| json!({"app": "loose"}));

        // No more instances than requests at once.
        let bound = LIMIT + CLIENTS * (LIMIT / 10);
        println!("eventual: {all} of {LIMIT}, at most {bound}");
        assert!((LIMIT..=bound).contains(&all), "{all}");
    });
}

/// An instance that has admitted alone may end before anybody asks again.
#[test]
fn what_was_admitted_alone_is_told_when_nobody_asks_again() {
    Host::on_each("told", |host| {
        let at = host.sandbox();
        let policy = json!({
            "app": "quiet", "algorithm": "fixed_window", "limit": 1_000, "period_seconds": 86_400,
            "key": "all", "mode": "eventual",
        });
        put(host, &at, "quiet", &policy);
        for _ in 0..60 {
            let answer = host.ask("POST", "/v1/limits/check", &at.key, &json!({"app": "quiet"}));
            assert_eq!(answer.status, 200, "{answer:?}");
        }

        // On Spin an instance ends after a second without work.
        std::thread::sleep(std::time::Duration::from_millis(2_500));

        let look = json!({"app": "quiet", "cost": 0});
        let look = host.ask("POST", "/v1/limits/check", &at.key, &look).json();
        assert_eq!(look["policies"][0]["remaining"], json!(940), "{look}");
    });
}

/// On Workers an object decides in memory, and has written it a quarter of a second later.
#[test]
fn what_was_taken_is_known_after_a_restart() {
    for name in Host::asked_for().iter().filter(|it| *it != "url") {
        println!("restart: {name}");
        let state = tempfile::tempdir().unwrap();
        let host = Host::start(name, state.path());
        let at = host.sandbox();
        let policy = json!({
            "app": "kept", "algorithm": "fixed_window", "limit": 5, "period_seconds": 86_400,
            "key": "all",
        });
        put(&host, &at, "kept", &policy);
        let ask =
            |host: &Host| host.ask("POST", "/v1/limits/check", &at.key, &json!({"app": "kept"}));
        let first: Vec<_> = (0..3).map(|_| ask(&host).status.as_u16()).collect();
        std::thread::sleep(std::time::Duration::from_secs(1));

        drop(host);

        let host = Host::start(name, state.path());
        let second: Vec<_> = (0..3).map(|_| ask(&host).status.as_u16()).collect();
        assert_eq!((first, second), (vec![200; 3], vec![200, 200, 429]), "{name}");
    }
}

/// How many keys the soak has. A million take a few minutes: `KEYS=1000000`.
fn keys() -> usize {
    std::env::var("KEYS").ok().and_then(|it| it.parse().ok()).unwrap_or(5_000)
}

/// How many ticks forget them all: each at most a hundred thousand.
const TICKS: usize = 12;

#[test]
fn keys_that_are_seen_once_leave_nothing_behind() {
    let host = Host::memory();
    let Host::Memory(memory) = &host else { unreachable!("it is in memory") };
    let at = host.sandbox();
    let rows = || {
        let count = Statement::new("select count(*) from limits", []);
        let rows = block_on(memory.directory().query(count)).unwrap();
        rows.into_iter().next().unwrap().columns::<1>().unwrap()[0].clone().integer().unwrap()
    };
    for (app, algorithm) in [
        ("bucket", "gcra"),
        ("sliding", "sliding_window"),
        ("fixed", "fixed_window"),
        ("leases", "concurrency"),
    ] {
        let policy = json!({
            "app": app, "algorithm": algorithm, "limit": 5, "period_seconds": 60, "key": "{user}",
        });
        put(&host, &at, app, &policy);
        for from in (0..keys()).step_by(400) {
            let check = |n: usize| json!({"app": app, "user": format!("u{}", from + n)});
            let checks: Vec<_> = (0..100).map(check).collect();
            let body = json!({"checks": checks});
            let answer = host.ask("POST", "/v1/limits/checks", &at.key, &body);
            assert_eq!(answer.status, 200, "{answer:?}");
        }
    }
    assert!(rows() >= i64::try_from(keys() / 4).unwrap());

    block_on(limits::prune(&memory.directory(), memory.now())).unwrap();
    assert!(rows() > 0, "what counts is kept");
    // Two windows, and the minute up to which their end is rounded.
    memory.advance(std::time::Duration::from_secs(121 + 60));
    for _ in 0..TICKS {
        block_on(limits::prune(&memory.directory(), memory.now())).unwrap();
    }

    assert_eq!(rows(), 0);
}
