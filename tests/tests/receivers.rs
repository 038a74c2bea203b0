//! Receivers that misbehave: what they do to us, and that they do nothing to others.
//!
//! `BACKPLANE_RUNTIMES=local,workerd cargo test -p tests --test receivers`

use std::{
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use shared::domain::{Job, Timestamp};
use tests::{
    host::{Host, Sandbox},
    sink::Sink,
};

/// How much an endless receiver would send, in bytes.
const ENDLESS: u64 = 300 * 1024 * 1024;
/// How much of it may be on the way when nobody reads any more.
const ON_THE_WAY: u64 = 16 * 1024 * 1024;
/// How long an attempt may take that waits for its time-out.
const PATIENCE: Duration = Duration::from_secs(40);
/// How long an attempt takes at most: its time-out of 15 seconds, and what a busy machine adds.
const ATTEMPT_MAX: Duration = Duration::from_secs(20);
/// How much later than its own time a busy machine writes what came of an attempt.
const LATE: Duration = Duration::from_secs(3);
/// How soon what does not depend on a receiver that hangs is delivered.
const SOON: Duration = Duration::from_secs(10);

/// A receiver that does as its path says.
struct Receiver {
    url: String,
    sent: Arc<AtomicU64>,
    redirected: Arc<AtomicU64>,
}

impl Receiver {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let receiver = Self { url: url.clone(), sent: Arc::default(), redirected: Arc::default() };
        let (sent, redirected) = (Arc::clone(&receiver.sent), Arc::clone(&receiver.redirected));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (sent, redirected) = (Arc::clone(&sent), Arc::clone(&redirected));
                let url = url.clone();
                std::thread::spawn(move || {
                    let _ = answer(&stream, &url, &sent, &redirected);
                });
            }
        });
        receiver
    }
}

fn answer(
    mut stream: &TcpStream,
    url: &str,
    sent: &AtomicU64,
    redirected: &AtomicU64,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let path = read(&mut reader)?;
        let plain = |status: &str, headers: &str| {
            format!("HTTP/1.1 {status}\r\n{headers}content-length: 0\r\n\r\n")
        };
        let text = match path.as_str() {
            "/hangs" => {
                std::thread::sleep(Duration::from_secs(120));
                return Ok(());
            }
            "/endless" => return endless(stream, sent),
            "/chunked" => return chunked(stream, sent),
            "/drips" => return drips(stream),
            "/closes" => "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf".to_owned(),
            "/moved" => plain("302 Found", &format!("location: {url}/trap\r\n")),
            "/moved-for-good" => {
                plain("308 Permanent Redirect", &format!("location: {url}/trap\r\n"))
            }
            "/gone" => plain("410 Gone", ""),
            "/disables" => plain("200 OK", "webhook-delivery: disable\r\n"),
            "/aborts" => plain("500 Internal Server Error", "webhook-delivery: abort-message\r\n"),
            "/later" => plain("429 Too Many Requests", "retry-after: 3600\r\n"),
            "/nonsense" => "This is no HTTP.\r\n\r\n".to_owned(),
            "/trap" => {
                redirected.fetch_add(1, Ordering::SeqCst);
                plain("200 OK", "")
            }
            _ => plain("200 OK", ""),
        };
        stream.write_all(text.as_bytes())?;
        if matches!(path.as_str(), "/closes" | "/nonsense") {
            return Ok(());
        }
    }
}

fn read(reader: &mut impl BufRead) -> std::io::Result<String> {
    let (mut line, mut length) = (String::new(), 0);
    reader.read_line(&mut line)?;
    let path = line.split(' ').nth(1).ok_or(std::io::ErrorKind::UnexpectedEof)?.to_owned();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().unwrap_or(0);
        }
    }
    reader.read_exact(&mut vec![0; length])?;
    Ok(path)
}

fn endless(mut stream: &TcpStream, sent: &AtomicU64) -> std::io::Result<()> {
    stream.write_all(format!("HTTP/1.1 200 OK\r\ncontent-length: {ENDLESS}\r\n\r\n").as_bytes())?;
    let zeros = vec![b'0'; 64 * 1024];
    while sent.load(Ordering::SeqCst) < ENDLESS {
        stream.write_all(&zeros)?;
        sent.fetch_add(zeros.len() as u64, Ordering::SeqCst);
    }
    Ok(())
}

/// The same in chunks, which do not say where they end.
fn chunked(mut stream: &TcpStream, sent: &AtomicU64) -> std::io::Result<()> {
    stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")?;
    let zeros = "0".repeat(64 * 1024);
    let chunk = format!("{:x}\r\n{zeros}\r\n", zeros.len());
    while sent.load(Ordering::SeqCst) < ENDLESS {
        stream.write_all(chunk.as_bytes())?;
        sent.fetch_add(chunk.len() as u64, Ordering::SeqCst);
    }
    Ok(())
}

/// A byte each second, so that there is always something new and never an end.
fn drips(mut stream: &TcpStream) -> std::io::Result<()> {
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")?;
    for _ in 0..120 {
        stream.write_all(b".")?;
        std::thread::sleep(Duration::from_secs(1));
    }
    Ok(())
}

fn endpoint(host: &Host, at: &Sandbox, url: &str) -> String {
    host.ask("POST", "/v1/webhooks/endpoints", &at.key, &json!({"url": url})).text("/id")
}

fn publish(host: &Host, at: &Sandbox, count: usize) {
    for n in 0..count {
        let event = json!({"type": "a.b", "data": {"n": n}});
        let answer = host.ask("POST", "/v1/webhooks/events", &at.key, &event);
        assert_eq!(answer.status, 202, "{answer:?}");
    }
}

/// The first delivery of an endpoint, when an attempt was made.
fn tried(host: &Host, at: &Sandbox, endpoint: &str) -> Value {
    let end = Instant::now() + PATIENCE;
    loop {
        let path = format!("/v1/webhooks/endpoints/{endpoint}/deliveries/1");
        let delivery = host.ask("GET", &path, &at.key, &Value::Null).json();
        let tries = delivery["tries"].as_array().map_or(0, Vec::len);
        // An attempt may be written between the two halves of the answer.
        if tries > 0 && delivery["attempts"] == tries {
            return delivery;
        }
        assert!(Instant::now() < end, "no attempt: {delivery}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Checks when the delivery is tried again: by the schedule after its last attempt, and not before
/// what the receiver `asked` for; or never, when it is over.
fn check_due(path: &str, delivery: &Value, asked: Duration) {
    if delivery["state"] != "waiting" {
        assert!(delivery["due_at"].is_null(), "{path}: {delivery}");
        return;
    }
    let moment = |it: &Value| serde_json::from_value::<Timestamp>(it.clone()).unwrap();
    let last = delivery["tries"].as_array().unwrap().last().unwrap();
    let latency = Duration::from_millis(last["latency_ms"].as_u64().unwrap());
    let ended = moment(&last["at"]) + latency;
    let number = u32::try_from(last["number"].as_u64().unwrap()).unwrap();
    let wait = |chance| Job::backoff_after(number, chance).unwrap().max(asked);
    let (first, end) = (ended + wait(0), ended + wait(u8::MAX) + LATE);
    let due = moment(&delivery["due_at"]);
    assert!((first..=end).contains(&due), "{path}: not in {first} to {end}: {delivery}");
}

#[test]
fn each_misbehaviour_has_its_consequence_and_no_other() {
    Host::on_each("receivers", |host| {
        let (at, receiver) = (host.sandbox(), Receiver::start());
        let paths = [
            "/hangs",
            "/drips",
            "/endless",
            "/chunked",
            "/closes",
            "/moved",
            "/moved-for-good",
            "/gone",
            "/disables",
            "/aborts",
            "/later",
            "/nonsense",
        ];
        let ids: Vec<_> =
            paths.iter().map(|it| endpoint(host, &at, &format!("{}{it}", receiver.url))).collect();
        publish(host, &at, 1);

        for (path, id) in paths.iter().zip(&ids) {
            let delivery = tried(host, &at, id);
            let (state, attempt) = (&delivery["state"], &delivery["tries"][0]);
            let of_endpoint =
                host.ask("GET", &format!("/v1/webhooks/endpoints/{id}"), &at.key, &Value::Null);
            let endpoint_state = of_endpoint.json()["state"].clone();
            let expected = match *path {
                // A receiver has its time for the whole answer, not for each byte of it.
                "/hangs" | "/drips" => ("waiting", Value::Null, "timeout", "active"),
                // Its status says that it has it; the rest of the answer does not matter.
                "/endless" | "/chunked" | "/closes" => ("delivered", json!(200), "", "active"),
                "/nonsense" => ("waiting", Value::Null, "the connection failed", "active"),
                "/moved" => ("waiting", json!(302), "status 302", "active"),
                "/moved-for-good" => ("waiting", json!(308), "status 308", "active"),
                "/gone" => ("failed", json!(410), "status 410", "disabled"),
                "/disables" => ("failed", json!(200), "status 200", "disabled"),
                "/aborts" => ("skipped", json!(500), "status 500", "active"),
                _ => ("waiting", json!(429), "status 429", "active"),
            };
            let error = attempt["error"].as_str().unwrap_or("");
            let found = (state.as_str().unwrap_or(""), attempt["status"].clone(), error);
            let found = (found.0, found.1, found.2, endpoint_state.as_str().unwrap_or(""));
            assert_eq!(found, expected, "{path}: {delivery}");
            assert_eq!(attempt["body_cut"] == true, *path == "/closes", "{path}: {delivery}");
            assert!(attempt["body"].as_str().unwrap_or("").len() <= 1024, "{path}");
            let latency = Duration::from_millis(attempt["latency_ms"].as_u64().unwrap());
            assert!(latency < ATTEMPT_MAX, "{path}: {delivery}");
            let asked = if *path == "/later" { 3600 } else { 0 };
            check_due(path, &delivery, Duration::from_secs(asked));
        }

        assert_eq!(receiver.redirected.load(Ordering::SeqCst), 0, "no redirect is followed");
        let sent = receiver.sent.load(Ordering::SeqCst);
        // Two of them send without end.
        assert!(sent < 2 * ON_THE_WAY, "{sent} bytes of an answer that nobody reads");
    });
}

#[test]
fn a_receiver_that_hangs_holds_up_nobody_else() {
    Host::on_each("hanging", |host| {
        let (receiver, sink) = (Receiver::start(), Sink::start());
        let (hanging, other) = (host.sandbox(), host.sandbox());
        endpoint(host, &hanging, &format!("{}/hangs", receiver.url));
        publish(host, &hanging, 20);
        endpoint(host, &hanging, &format!("{}/own", sink.url()));
        endpoint(host, &other, &format!("{}/other", sink.url()));

        let started = Instant::now();
        publish(host, &hanging, 20);
        publish(host, &other, 50);

        let count = |path: &str| sink.delivered().iter().filter(|it| it.path == path).count();
        while count("/own") < 20 || count("/other") < 50 {
            let (own, others) = (count("/own"), count("/other"));
            assert!(started.elapsed() < SOON, "{own} of 20 own, {others} of 50 others'");
            std::thread::sleep(Duration::from_millis(20));
        }
        println!("  all delivered after {} ms", started.elapsed().as_millis());
    });
}
