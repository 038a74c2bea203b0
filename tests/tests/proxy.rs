//! The gate as a proxy, in memory and on the runtimes that `BACKPLANE_RUNTIMES` names, with an
//! origin on loopback.
//!
//! `BACKPLANE_RUNTIMES=local,workerd cargo test --workspace --test proxy -- --test-threads=1`

use std::{
    io::Write,
    net::{TcpListener, TcpStream},
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tests::{
    client::Answer,
    host::{Host, Sandbox, request},
    origin::Origin,
    wire::{Body, read_head, size},
};

/// How long what happens after an answer may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// What is streamed through: far more than anybody keeps.
const LARGE: usize = 64 * 1024 * 1024;
const PIECE: usize = 64 * 1024;

/// An app behind the gate of a fresh tenant.
struct App<'a> {
    host: &'a Host,
    at: Sandbox,
    path: String,
}

impl<'a> App<'a> {
    fn new(host: &'a Host, origin: &str, more: Value) -> Self {
        let at = host.sandbox();
        let mut app = json!({"origin": origin, "identify": {"when_missing": "admit"}});
        for (name, value) in more.as_object().unwrap() {
            app[name] = value.clone();
        }
        let put = host.ask("PUT", "/v1/limits/apps/api", &at.key, &app);
        assert_eq!(put.status, 201, "{put:?}");
        let path = put.text("/path");
        Self { host, at, path }
    }

    fn limited(self, algorithm: &str, limit: u32) -> Self {
        let policy = json!({
            "app": "api", "algorithm": algorithm, "limit": limit, "period_seconds": 3600,
            "key": "all",
        });
        let put = self.host.ask("PUT", "/v1/limits/policies/all", &self.at.key, &policy);
        assert_eq!(put.status, 201, "{put:?}");
        self
    }

    fn call(&self, method: &str, below: &str, headers: &[(&str, &str)]) -> Answer {
        let path = format!("{}{below}", self.path);
        self.host.call(request(method, &path, headers, &Value::Null))
    }

    /// How many units are left of the policy.
    fn left(&self) -> i64 {
        let look = json!({"app": "api", "cost": 0});
        let look = self.host.ask("POST", "/v1/limits/check", &self.at.key, &look);
        look.json()["policies"][0]["remaining"].as_i64().unwrap()
    }

    fn until_left(&self, expected: i64) {
        let end = Instant::now() + PATIENCE;
        while self.left() != expected {
            assert!(Instant::now() < end, "{} are left, not {expected}", self.left());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// A connection to the gate on which this head was sent.
    fn connect(&self, method: &str, below: &str, headers: &str) -> TcpStream {
        let address = self.host.url().unwrap().trim_start_matches("http://").to_owned();
        let mut stream = TcpStream::connect(&address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let path = format!("{}{below}", self.path);
        let head = format!("{method} {path} HTTP/1.1\r\nhost: {address}\r\n{headers}\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        stream
    }
}

fn headers(answer: &Answer) -> Vec<(String, String)> {
    serde_json::from_value(answer.json()["headers"].clone()).unwrap()
}

#[test]
fn a_request_comes_to_the_origin_as_it_was() {
    let origin = Origin::start();
    Host::everywhere("as it was", &[], |host| {
        let app = App::new(host, origin.url(), json!({"path_prefix": "/v2"}));
        for (below, there) in [
            ("", "/v2/"),
            ("/", "/v2/"),
            ("/a%2Fb//c%20d/?q=%2F&q=b%20c&link=x", "/v2/a%2Fb//c%20d/?q=%2F&q=b%20c&link=x"),
            ("/%E4%BA%BA/~x;y=1", "/v2/%E4%BA%BA/~x;y=1"),
        ] {
            let answer = app.call("GET", below, &[("accept", "a/b")]);
            assert_eq!(answer.status, 200, "{answer:?}");
            assert_eq!(answer.json()["target"], json!(there));
        }
        for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
            assert_eq!(app.call(method, "/x", &[]).json()["method"], json!(method));
        }
        let head = app.call("HEAD", "/x", &[]);
        assert!(head.status == 200 && head.body.is_empty(), "{head:?}");
        assert_eq!(app.call("TRACE", "/x", &[]).status, 405);
        let upgrade = app.call("GET", "/x", &[("sec-websocket-key", "x")]);
        assert_eq!(
            (upgrade.status.as_u16(), upgrade.text("/type")),
            (501, "/problems/gate/upgrade".into())
        );
    });
}

#[test]
fn headers_of_a_connection_stay_on_it() {
    let origin = Origin::start();
    Host::everywhere("headers", &[], |host| {
        let app = App::new(host, origin.url(), json!({"add_headers": {"X-From": "gate"}}));

        let sent = [
            ("connection", "x-hop"),
            ("x-hop", "1"),
            ("te", "trailers"),
            ("x-forwarded-for", "1.2.3.4"),
            ("forwarded", "for=1.2.3.4"),
            ("backplane-errand", "erase"),
            ("x-kept", "yes"),
        ];
        let came = headers(&app.call("GET", "/x", &sent));

        let names: Vec<_> = came.iter().map(|(it, _)| it.as_str()).collect();
        // Spin's host keeps `Connection` to itself, and with it what it names.
        let named = if matches!(host, Host::Local(_)) { "te" } else { "x-hop" };
        for gone in [named, "te", "connection", "backplane-errand"] {
            assert!(!names.contains(&gone), "{gone}: {came:?}");
        }
        let one = |name: &str| came.iter().find(|(it, _)| it == name).map(|(_, it)| it.as_str());
        assert_eq!((one("x-kept"), one("x-from")), (Some("yes"), Some("gate")));
        assert!(one("via").is_some_and(|it| it.ends_with("1.1 backplane")), "{came:?}");
        assert!(!came.iter().any(|(_, it)| it.contains("1.2.3.4")), "{came:?}");
        if matches!(host, Host::Local(_)) {
            // Only Cloudflare itself says where a client is, and workerd alone does not.
            assert_eq!(one("x-forwarded-for"), Some("127.0.0.1"), "{came:?}");
        }

        let answer = app.call("GET", "/hops", &[]);
        for gone in [named, "keep-alive", "proxy-authenticate", "backplane-errand"] {
            assert!(!answer.headers.contains_key(gone), "{gone}: {answer:?}");
        }
        assert_eq!(answer.headers["x-kept"], "yes");
        assert_eq!(answer.headers.get_all("set-cookie").iter().count(), 2, "{answer:?}");
        assert_eq!(&answer.body[..], b"ok");
    });
}

#[test]
fn statuses_and_redirects_are_passed_through() {
    let origin = Origin::start();
    Host::everywhere("statuses", &[], |host| {
        let app = App::new(host, origin.url(), json!({}));
        let moved = app.call("GET", "/moved", &[]);
        assert_eq!((moved.status.as_u16(), &moved.body[..]), (302, &b"moved"[..]));
        assert_eq!(moved.headers["location"], "http://127.0.0.1:1/elsewhere");
        let none = app.call("GET", "/none", &[]);
        assert_eq!((none.status.as_u16(), none.body.len()), (204, 0));
        assert_eq!(none.headers["x-none"], "1");
    });
}

#[test]
fn who_is_refused_does_not_reach_the_origin() {
    Host::everywhere("refused", &[], |host| {
        let origin = Origin::start();
        let app = App::new(host, origin.url(), json!({"legacy_headers": true}));
        let app = app.limited("fixed_window", 2);
        for left in [1, 0] {
            let answer = app.call("GET", "/x", &[]);
            assert_eq!(answer.status, 200);
            let standing = answer.headers["ratelimit"].to_str().unwrap();
            assert!(standing.starts_with(&format!("\"all\";r={left};")), "{standing}");
            assert_eq!(answer.headers["x-ratelimit-remaining"], left.to_string());
        }

        let refused = app.call("GET", "/x", &[]);

        assert_eq!(refused.status, 429, "{refused:?}");
        assert_eq!(refused.headers["content-type"], "application/problem+json");
        assert!(refused.headers.contains_key("retry-after"));
        assert_eq!(origin.came(), 2);
    });
}

#[test]
fn who_shows_no_key_is_asked_for_one() {
    Host::everywhere("identify", &[], |host| {
        let origin = Origin::start();
        let rule = json!({"identify": {"key_header": "x-api-key"}});
        let app = App::new(host, origin.url(), rule);

        let refused = app.call("GET", "/x", &[]);

        assert_eq!((refused.status.as_u16(), origin.came()), (401, 0), "{refused:?}");
        let known = app.call("GET", "/x", &[("x-api-key", "k")]);
        assert_eq!((known.status.as_u16(), origin.came()), (200, 1), "{known:?}");
    });
}

#[test]
fn an_origin_that_is_down_takes_nothing() {
    Host::everywhere("down", &[], |host| {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let app = App::new(host, &format!("http://{free}"), json!({})).limited("fixed_window", 2);
        for _ in 0..2 {
            let answer = app.call("POST", "/x", &[]);
            assert_eq!(answer.status, 502, "{answer:?}");
            assert_eq!(answer.text("/type"), "/problems/gate/origin-unreachable");
        }
        app.until_left(2);
        if matches!(host, Host::Local(_)) {
            return; // In development it may call everybody.
        }
        let app = App::new(host, "http://10.0.0.1:1", json!({})).limited("concurrency", 1);
        let answer = app.call("GET", "/x", &[]);
        assert_eq!(answer.text("/type"), "/problems/gate/origin-refused", "{answer:?}");
        app.until_left(1);
    });
}

#[test]
fn an_origin_that_hangs_is_left_alone() {
    let origin = Origin::start();
    Host::on_each("hangs", |host| {
        let app = App::new(host, origin.url(), json!({"forward_timeout_seconds": 1}));
        let app = app.limited("concurrency", 1);

        let answer = app.call("GET", "/hang", &[]);

        assert_eq!(answer.status, 504, "{answer:?}");
        assert_eq!(answer.text("/type"), "/problems/gate/origin-timeout");
        app.until_left(1);
    });
}

/// A piece of a body, each different.
fn piece(number: usize) -> Vec<u8> {
    (0..PIECE).map(|it| ((it ^ number.wrapping_mul(31)) % 251) as u8).collect()
}

#[test]
fn a_large_body_goes_both_ways_while_it_is_sent() {
    let origin = Origin::start();
    Host::on_each("streams", |host| {
        let app = App::new(host, origin.url(), json!({})).limited("concurrency", 1);
        let head = format!("content-length: {LARGE}\r\n");
        let mut stream = app.connect("POST", "/echo", &head);
        stream.write_all(&piece(0)).unwrap();

        // The first bytes are back before the others are sent.
        let head = read_head(&mut stream);
        assert!(head.starts_with("http/1.1 200"), "{head}");
        let mut body = Body::of(&head);
        let mut first = vec![0; PIECE];
        body.read(&mut stream, &mut first);
        assert!(first == piece(0), "the first bytes are others");
        assert_eq!(app.left(), 0, "the lease is held while it streams");

        let mut writer = stream.try_clone().unwrap();
        let sent = std::thread::spawn(move || {
            (1..LARGE / PIECE).for_each(|it| writer.write_all(&piece(it)).unwrap());
        });
        let mut back = vec![0; PIECE];
        for number in 1..LARGE / PIECE {
            body.read(&mut stream, &mut back);
            assert!(back == piece(number), "piece {number} is another");
        }
        sent.join().unwrap();
        app.until_left(1);
    });
}

#[test]
fn chunks_come_back_as_they_are_sent() {
    let origin = Origin::start();
    Host::on_each("chunks", |host| {
        let app = App::new(host, origin.url(), json!({}));
        let mut stream = app.connect("POST", "/echo", "transfer-encoding: chunked\r\n");
        stream.write_all(b"5\r\nhello\r\n").unwrap();
        let head = read_head(&mut stream);
        let mut body = Body::of(&head);
        assert!(body.is_chunked(), "{head}");
        let mut word = [0; 5];
        body.read(&mut stream, &mut word);
        assert_eq!(&word, b"hello");
        stream.write_all(b"5\r\nworld\r\n0\r\n\r\n").unwrap();
        body.read(&mut stream, &mut word);
        assert_eq!(&word, b"world");
        assert_eq!(size(&mut stream), 0, "and then it ends");
    });
}

#[test]
fn a_body_that_is_too_large_is_broken_off() {
    let origin = Origin::start();
    Host::on_each("too large", |host| {
        let app = App::new(host, origin.url(), json!({"body_bytes_max": 100_000}));
        let app = app.limited("fixed_window", 5);
        let mut told = app.connect("POST", "/x", "content-length: 100001\r\n");
        assert!(read_head(&mut told).starts_with("http/1.1 413"));
        let mut stream = app.connect("POST", "/x", "transfer-encoding: chunked\r\n");
        for _ in 0..3 {
            let chunk = [b"10000\r\n".as_slice(), &piece(0), b"\r\n"].concat();
            if stream.write_all(&chunk).is_err() {
                break; // It has heard enough.
            }
        }
        let head = read_head(&mut stream);
        assert!(head.starts_with("http/1.1 413"), "{head}");
        app.until_left(5);
    });
}

#[test]
fn a_client_that_hangs_up_holds_nothing() {
    let origin = Origin::start();
    Host::on_each("hangs up", |host| {
        let app = App::new(host, origin.url(), json!({})).limited("concurrency", 1);
        let mut stream = app.connect("GET", "/drip", "");
        let head = read_head(&mut stream);
        assert!(head.starts_with("http/1.1 200"), "{head}");
        let mut word = [0; 4];
        Body::of(&head).read(&mut stream, &mut word);
        assert_eq!(&word, b"drip");
        assert_eq!(app.call("GET", "/x", &[]).status, 429, "the only lease is held");

        drop(stream);

        app.until_left(1);
        assert_eq!(app.call("GET", "/x", &[]).status, 200);
    });
}

/// The value at a pointer, once it is what it is to be. In memory time passes by itself only.
fn until(app: &App, path: &str, pointer: &str, expected: &Value) {
    let end = Instant::now() + PATIENCE;
    loop {
        let answer = app.host.ask("GET", path, &app.at.key, &Value::Null);
        if answer.json().pointer(pointer) == Some(expected) {
            return;
        }
        assert!(Instant::now() < end, "{path} {pointer} is not {expected}: {answer:?}");
        match app.host {
            Host::Memory(it) => it.advance(Duration::from_secs(1)),
            _ => std::thread::sleep(Duration::from_millis(200)),
        }
    }
}

#[test]
fn what_was_handed_on_is_usage_and_what_was_not_is_none() {
    Host::everywhere("usage", &[], |host| {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let app = App::new(host, &format!("http://{free}"), json!({})).limited("fixed_window", 2);
        assert_eq!(app.call("GET", "/v1/a", &[]).status, 502);
        app.until_left(2);
        let origin = Origin::start();
        let again = json!({
            "origin": origin.url(), "identify": {"when_missing": "admit"}, "routes": ["/v1/*"],
        });
        let put = host.ask("PUT", "/v1/limits/apps/api", &app.at.key, &again);
        assert_eq!((put.status.as_u16(), put.text("/path")), (200, app.path.clone()));
        // What is counted just after a commit of the gate's waits for the next count.
        std::thread::sleep(Duration::from_secs(3));
        for (below, status) in [("/v1/a", 200), ("/none", 204), ("/v1/a", 429)] {
            assert_eq!(app.call("GET", below, &[]).status, status);
        }

        let statuses = json!([{"class": "2xx", "count": 2}, {"class": "5xx", "count": 1}]);
        until(&app, "/v1/usage/latency", "/statuses", &statuses);
        until(&app, "/v1/usage/latency", "/count", &json!(2));
        for (meter, total) in [("gate.requests", "2"), ("gate.units", "2"), ("gate.blocked", "1")] {
            until(&app, &format!("/v1/usage?meter={meter}"), "/total", &json!(total));
        }
        let path = "/v1/usage?meter=gate.blocked&group_by=route";
        until(&app, path, "/items/0/label", &json!("/v1/*"));
    });
}
