//! Limits by Redis, on the local host with a `redis-server` of its own.
//!
//! `BACKPLANE_RUNTIMES=redis cargo test -p tests --test redis`

use std::time::{Duration, Instant};

use data_encoding::BASE64;
use serde_json::{Value, json};
use tests::{
    client::{self, Answer},
    host::{Host, OPERATOR_KEY, Sandbox, request},
    local::LocalHost,
    redis::RedisServer,
};

/// How long something may take that the tick does: if a drain was killed, its wake comes again after
/// a minute.
const PATIENCE: Duration = Duration::from_secs(150);
/// How long an answer may take when Redis gives none: its time-out, and then some.
const PROMPT: Duration = Duration::from_secs(3);

/// Starts the local host with a Redis, if this run asks for it.
fn with_host(what: &str, check: impl Fn(&LocalHost)) {
    if !Host::asked_for().iter().any(|it| it == "redis") {
        println!("skipped: BACKPLANE_RUNTIMES does not name redis");
        return;
    }
    println!("{what}: redis");
    let state = tempfile::tempdir().unwrap();
    let Host::Local(host) = Host::start("redis", state.path()) else { unreachable!("it is") };
    check(&host);
}

fn ask(url: &str, method: &str, path: &str, key: &str, body: &Value) -> Answer {
    let headers = [("authorization", &*format!("Bearer {key}"))];
    client::send(url, request(method, path, &headers, body)).unwrap()
}

fn sandbox(host: &LocalHost) -> Sandbox {
    Host::Url(host.url().to_owned(), OPERATOR_KEY.to_owned()).sandbox()
}

fn put(host: &LocalHost, at: &Sandbox, app: &str, more: &Value) {
    let mut policy = json!({
        "app": app, "algorithm": "fixed_window", "limit": 50, "period_seconds": 86_400,
        "key": "all",
    });
    policy.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let path = format!("/v1/limits/policies/{app}");
    let put = ask(host.url(), "PUT", &path, &at.key, &policy);
    assert_eq!(put.status, 201, "{put:?}");
}

fn check(url: &str, at: &Sandbox, body: &Value) -> Answer {
    ask(url, "POST", "/v1/limits/check", &at.key, body)
}

/// Asks until it is so.
fn eventually(what: &str, mut so: impl FnMut() -> Result<(), String>) {
    let end = Instant::now() + PATIENCE;
    while let Err(why) = so() {
        assert!(Instant::now() < end, "{what}: {why}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// How many passed and were blocked, as usage says.
fn used(host: &LocalHost, at: &Sandbox) -> [i64; 2] {
    ["gate.requests", "gate.blocked"].map(|meter| {
        let path = format!("/v1/usage?meter={meter}");
        let answer = ask(host.url(), "GET", &path, &at.key, &Value::Null);
        answer.json()["total"].as_str().and_then(|it| it.parse().ok()).unwrap_or(-1)
    })
}

fn uses(host: &LocalHost, at: &Sandbox, expected: [i64; 2]) {
    eventually("usage", || {
        let used = used(host, at);
        if used == expected { Ok(()) } else { Err(format!("{used:?}, not {expected:?}")) }
    });
}

#[test]
fn states_expire_and_counts_are_taken_in_until_nothing_is_left() {
    with_host("expiry", |host| {
        let at = sandbox(host);
        for (app, algorithm) in [
            ("bucket", "gcra"),
            ("sliding", "sliding_window"),
            ("fixed", "fixed_window"),
            ("leases", "concurrency"),
        ] {
            let more = json!({"algorithm": algorithm, "limit": 2, "period_seconds": 1});
            put(host, &at, app, &more);
            for _ in 0..3 {
                let answer = check(host.url(), &at, &json!({"app": app}));
                assert!([200, 429].contains(&answer.status.as_u16()), "{answer:?}");
            }
        }
        let states = host.redis().keys().iter().filter(|it| it.contains(":state:")).count();
        assert_eq!(states, 4);

        eventually("nothing is left", || {
            let left = host.redis().keys();
            if left.is_empty() { Ok(()) } else { Err(format!("{left:?}")) }
        });
        let [passed, blocked] = used(host, &at);
        assert_eq!(passed + blocked, 12);
    });
}

#[test]
fn usage_is_what_was_asked() {
    with_host("usage", |host| {
        let at = sandbox(host);
        put(host, &at, "many", &json!({"key": "{user}", "limit": 3}));
        let url = host.url();
        // Forty clients ask ten times each, for eight keys.
        std::thread::scope(|scope| {
            for number in 0..40 {
                let at = &at;
                scope.spawn(move || {
                    for _ in 0..10 {
                        let body = json!({"app": "many", "user": format!("u{}", number % 8)});
                        let status = check(url, at, &body).status.as_u16();
                        assert!([200, 429].contains(&status), "{status}");
                    }
                });
            }
        });

        uses(host, &at, [24, 400 - 24]);
    });
}

/// Redis writes down what it answers, so what was counted is there when it is back.
#[test]
fn a_redis_that_is_killed_before_its_counts_are_taken_in_loses_none() {
    with_host("kill of Redis", |host| {
        let at = sandbox(host);
        put(host, &at, "one", &json!({}));
        for n in 0..60 {
            let answer = check(host.url(), &at, &json!({"app": "one", "api_key": format!("k{n}")}));
            assert_eq!(answer.status, if n < 50 { 200 } else { 429 }, "{answer:?}");
        }
        let keys = host.redis().keys();
        assert!(keys.iter().any(|it| it.contains(":counts:")), "not taken in yet: {keys:?}");

        host.redis().kill();
        std::thread::sleep(Duration::from_secs(4));
        host.redis().start_again();

        uses(host, &at, [50, 10]);
        let answer = check(host.url(), &at, &json!({"app": "one"}));
        assert_eq!(answer.status, 429, "nor is a state lost: {answer:?}");
        uses(host, &at, [50, 11]);
    });
}

/// The host is killed while its tick and drains take counts in.
#[test]
fn a_host_that_is_killed_while_it_takes_counts_in_counts_each_once() {
    if !Host::asked_for().iter().any(|it| it == "redis") {
        println!("skipped: BACKPLANE_RUNTIMES does not name redis");
        return;
    }
    let state = tempfile::tempdir().unwrap();
    let server = RedisServer::start(&state.path().join("redis"));
    let url = server.url();
    let sealing = format!("k1:{}", BASE64.encode(&[7; 32]));
    let start = || {
        LocalHost::start(
            &state.path().join("host"),
            &[
                ("operator_key", OPERATOR_KEY),
                ("sealing_keys", &sealing),
                ("redis_url", &url),
                ("redis_host", &url),
            ],
        )
    };
    let mut host = start();
    let at = sandbox(&host);
    put(&host, &at, "each", &json!({"key": "{api_key}"}));
    let mut counted = 0;
    for round in 0..8 {
        // Each key is a label of its own, so there is something to take in.
        for n in 0..40 {
            let body = json!({"app": "each", "api_key": format!("k{round}-{n}")});
            let answer = check(host.url(), &at, &body);
            assert_eq!(answer.status, 200, "{answer:?}");
            counted += 1;
        }
        // About when the tick comes to them.
        std::thread::sleep(Duration::from_millis(1_500 + 150 * round));
        host.kill();
        host = start();
    }

    uses(&host, &at, [counted, 0]);
    std::thread::sleep(Duration::from_secs(5));
    assert_eq!(used(&host, &at), [counted, 0], "and it stays so");
}

#[test]
fn a_redis_that_forgot_the_scripts_is_sent_them() {
    with_host("scripts", |host| {
        let at = sandbox(host);
        put(host, &at, "one", &json!({"limit": 3}));
        for n in 0..5 {
            let _: String = host.redis().ask(&["SCRIPT", "FLUSH"]);
            let answer = check(host.url(), &at, &json!({"app": "one"}));
            assert_eq!(answer.status, if n < 3 { 200 } else { 429 }, "{answer:?}");
        }
        uses(host, &at, [3, 2]);
    });
}

/// What each policy says holds, the door as well, and nobody waits for long.
fn without_redis(url: &str, at: &Sandbox) {
    let promptly = |what: &str, ask: &dyn Fn() -> Answer| {
        let start = Instant::now();
        let answer = ask();
        assert!(start.elapsed() < PROMPT, "{what} took {:?}", start.elapsed());
        answer
    };
    for _ in 0..3 {
        let open = promptly("open", &|| check(url, at, &json!({"app": "open"})));
        assert_eq!(open.status, 200, "{open:?}");
        assert_eq!(open.json()["failed_open"], true, "{open:?}");
        let closed = promptly("closed", &|| check(url, at, &json!({"app": "closed"})));
        assert_eq!(closed.status, 503, "{closed:?}");
        let door = promptly("door", &|| ask(url, "GET", "/v1/whoami", "bpk_nobody", &Value::Null));
        assert_eq!(door.status, 401, "{door:?}");
        let other =
            promptly("other", &|| ask(url, "GET", "/v1/limits/policies", &at.key, &Value::Null));
        assert_eq!(other.status, 200, "what needs no limit: {other:?}");
    }
    // Also when many come at once: they do not wait one behind the other.
    std::thread::scope(|scope| {
        for _ in 0..20 {
            scope.spawn(|| {
                promptly("many", &|| check(url, at, &json!({"app": "closed"})));
            });
        }
    });
}

fn open_and_closed(host: &LocalHost) -> Sandbox {
    let at = sandbox(host);
    put(host, &at, "open", &json!({"on_error": "admit"}));
    put(host, &at, "closed", &json!({"on_error": "refuse"}));
    at
}

#[test]
fn without_redis_the_policies_say_what_happens() {
    with_host("down", |host| {
        let at = open_and_closed(host);
        let works = || {
            // An instance leaves a Redis alone for a moment that it could not reach.
            eventually("it works", || {
                let answer = check(host.url(), &at, &json!({"app": "closed"}));
                if answer.status == 200 { Ok(()) } else { Err(format!("{answer:?}")) }
            });
        };
        works();

        println!("  gone");
        host.redis().kill();
        without_redis(host.url(), &at);
        host.redis().start_again();
        works();

        println!("  silent");
        host.redis().hold();
        without_redis(host.url(), &at);
        host.redis().release();
        works();
    });
}

/// Spin connects to nobody whom the manifest does not name.
#[test]
fn a_redis_that_is_not_allowed_is_one_that_is_down() {
    if !Host::asked_for().iter().any(|it| it == "redis") {
        println!("skipped: BACKPLANE_RUNTIMES does not name redis");
        return;
    }
    let state = tempfile::tempdir().unwrap();
    let server = RedisServer::start(&state.path().join("redis"));
    let (url, other) = (server.url(), ("redis_host", "redis://127.0.0.1:1"));
    let started =
        Host::start_with("local", &state.path().join("host"), &[("redis_url", &url), other]);
    let Host::Local(host) = started else { unreachable!("it is") };

    without_redis(host.url(), &open_and_closed(&host));

    assert_eq!(server.keys(), [""; 0]);
}
