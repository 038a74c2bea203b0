//! Nothing that we send reaches a private address, whatever it is called, and no redirect is
//! followed. With the configurations that serve the internet.
//!
//! `BACKPLANE_RUNTIMES=local,workerd cargo test -p tests --test outbound`

use std::{
    net::TcpListener,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tests::host::{Host, Sandbox};

/// How long the attempts may take: none of them connects, or all wait for a time-out.
const PATIENCE: Duration = Duration::from_secs(60);

/// A listener that must never be called, on each address of this machine.
struct Trap {
    port: u16,
    heard: Arc<AtomicU32>,
}

impl Trap {
    fn set() -> Self {
        let listener = TcpListener::bind("0.0.0.0:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let heard = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&heard);
        std::thread::spawn(move || {
            for _ in listener.incoming().map_while(Result::ok) {
                count.fetch_add(1, Ordering::SeqCst);
            }
        });
        Self { port, heard }
    }

    fn heard(&self) -> u32 {
        self.heard.load(Ordering::SeqCst)
    }
}

/// Ways to write an address that nobody may be sent to.
fn corpus(port: u16) -> Vec<String> {
    let loopback = [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0x7f.0.0.1",
        "0177.0.0.1",
        "017700000001",
        "0",
        "0.0.0.0",
        "127.255.255.254",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "localhost",
        "localhost.",
        "LOCALHOST",
        "trap.localhost",
        // Full-width digits and dots, which a URL parser makes plain.
        "\u{ff11}\u{ff12}\u{ff17}\u{3002}0\u{3002}0\u{3002}1",
    ];
    let elsewhere = [
        "10.0.0.1",
        "172.16.0.1",
        "192.168.0.1",
        "100.64.0.1",
        "169.254.169.254",
        "[fe80::1]",
        "[fc00::1]",
        "[fd00:ec2::254]",
        "224.0.0.1",
        "255.255.255.255",
        "192.0.2.1",
        "198.18.0.1",
        "metadata.google.internal",
    ];
    let hostname = std::fs::read_to_string("/etc/hostname").unwrap_or_default();
    let own = [hostname.trim(), "ip6-localhost"].into_iter().filter(|it| !it.is_empty());
    let near = loopback.into_iter().chain(own).map(|it| format!("http://{it}:{port}/trap"));
    near.chain(elsewhere.into_iter().map(|it| format!("http://{it}/trap"))).collect()
}

fn endpoint(host: &Host, at: &Sandbox, url: &str) -> Option<String> {
    let made = host.ask("POST", "/v1/webhooks/endpoints", &at.key, &json!({"url": url}));
    match made.status.as_u16() {
        201 => Some(made.text("/id")),
        422 => None,
        _ => panic!("{url}: {made:?}"),
    }
}

/// The first attempt at the first delivery of an endpoint.
fn first_attempt(host: &Host, at: &Sandbox, endpoint: &str) -> Value {
    let end = Instant::now() + PATIENCE;
    loop {
        let path = format!("/v1/webhooks/endpoints/{endpoint}/deliveries/1");
        let delivery = host.ask("GET", &path, &at.key, &Value::Null).json();
        if let Some(attempt) = delivery.pointer("/tries/0") {
            return attempt.clone();
        }
        assert!(Instant::now() < end, "no attempt: {delivery}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn no_spelling_of_a_private_address_is_called() {
    for name in Host::asked_for().iter().filter(|it| *it != "url") {
        let state = tempfile::tempdir().unwrap();
        let host = Host::start_in_production(name, state.path());
        let (trap, urls) = (Trap::set(), Vec::from_iter(corpus(0)));
        let at = host.sandbox();
        let mut made = Vec::new();
        let mut refused = 0;
        for url in corpus(trap.port) {
            // An endpoint of its own customer each, as one has room for fifty.
            match endpoint(&host, &at, &url) {
                Some(id) => made.push((url, id)),
                None => refused += 1,
            }
        }
        let event = json!({"type": "a.b", "data": {}});
        let answer = host.ask("POST", "/v1/webhooks/events", &at.key, &event);
        assert_eq!(answer.status, 202, "{answer:?}");

        for (url, id) in &made {
            let attempt = first_attempt(&host, &at, id);
            assert_eq!(attempt["status"], Value::Null, "{name}: {url} was answered: {attempt}");
            let error = attempt["error"].as_str().unwrap_or("");
            let named = url.contains("internal") || !url.contains("://[") && has_letters(url);
            let fine = error == "the address is not allowed"
                // Whether a name is known is for the resolver to say.
                || named && matches!(error, "the connection failed" | "timeout");
            assert!(fine, "{name}: {url}: {attempt}");
        }

        assert_eq!(trap.heard(), 0, "{name}: something was called that must not be");
        println!(
            "{name}: {} addresses, {refused} refused when set, {} tried",
            urls.len(),
            made.len()
        );
    }
}

/// Whether the host of a URL is a name, and no number.
fn has_letters(url: &str) -> bool {
    let host = url.trim_start_matches("http://").split([':', '/']).next().unwrap_or("");
    !host.starts_with("0x") && host.chars().any(|it| it.is_ascii_alphabetic())
}

#[test]
fn our_own_components_and_names_with_a_password_cannot_be_set() {
    for name in Host::asked_for().iter().filter(|it| *it != "url") {
        let state = tempfile::tempdir().unwrap();
        let host = Host::start_in_production(name, state.path());
        let at = host.sandbox();
        for url in [
            "http://tenants.spin.internal/v1/keys",
            "http://TENANTS.SPIN.INTERNAL./v1/keys",
            "http://example.com@127.0.0.1/",
            "http://user:password@example.com/",
            "file:///etc/passwd",
            "gopher://127.0.0.1/",
            "http://",
        ] {
            assert_eq!(endpoint(&host, &at, url), None, "{url}");
            let source = json!({"name": "s", "recipe": "none", "target": url});
            let made = host.ask("POST", "/v1/webhooks/sources", &at.key, &source);
            assert_eq!(made.status, 422, "{url}: {made:?}");
        }
    }
}
