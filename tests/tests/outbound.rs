//! Nothing that we send reaches a private address, whatever it is called, and no redirect is
//! followed. With the configurations that serve the internet, but for the redirects.
//!
//! `BACKPLANE_RUNTIMES=local,workerd cargo test -p tests --test outbound`

use std::{
    collections::BTreeSet,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream, ToSocketAddrs},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tests::{
    host::{Host, Sandbox},
    spellings::{PRIVATE, SELF},
};

/// How long the attempts may take: none of them connects, or all wait for a resolver's time-out.
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(50);
/// How long a connection may say nothing.
const SILENCE: Duration = Duration::from_secs(5);
/// How many addresses share a tenant, which has room for fifty endpoints.
const TOGETHER: usize = 45;
const REFUSED: &str = "the address is not allowed";

/// A listener on loopback, by IPv4 and IPv6, that must never be called.
struct Trap {
    port: u16,
    /// The first line of each connection.
    heard: Arc<Mutex<Vec<String>>>,
}

impl Trap {
    fn set() -> Self {
        let first = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = first.local_addr().unwrap().port();
        let trap = Self { port, heard: Arc::default() };
        // A machine without IPv6 cannot be called by it.
        let second = TcpListener::bind(("::1", port)).ok();
        for listener in [Some(first), second].into_iter().flatten() {
            let heard = Arc::clone(&trap.heard);
            std::thread::spawn(move || {
                for stream in listener.incoming().map_while(Result::ok) {
                    // A connection counts, also when nothing is said.
                    let line = first_line(&stream).unwrap_or_default();
                    heard.lock().unwrap().push(line);
                }
            });
        }
        trap
    }

    fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }
}

/// Reads a request, answers 200, and gives the request's first line.
fn first_line(stream: &TcpStream) -> Option<String> {
    answered(stream, |_| "200 OK\r\n".to_owned()).ok()
}

/// Answers with the head that is made of the request's first line, and gives that line.
fn answered(mut stream: &TcpStream, head: impl FnOnce(&str) -> String) -> std::io::Result<String> {
    stream.set_read_timeout(Some(SILENCE))?;
    let mut reader = BufReader::new(stream);
    let mut first = String::new();
    reader.read_line(&mut first)?;
    let (mut length, mut chunked) = (0, false);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let line = line.trim_end().to_ascii_lowercase();
        let Some((name, value)) = line.split_once(':') else { break };
        match name {
            "content-length" => length = value.trim().parse().unwrap_or(0),
            "transfer-encoding" => chunked = true,
            _ => {}
        }
    }
    if chunked {
        while reader.by_ref().lines().next().transpose()?.is_some_and(|it| it != "0") {}
        reader.read_line(&mut String::new())?;
    }
    reader.read_exact(&mut vec![0; length])?;
    let head = head(&first);
    write!(stream, "HTTP/1.1 {head}content-length: 0\r\nconnection: close\r\n\r\n")?;
    Ok(first)
}

/// Answers each request with the status that its path names, and the trap as where to go.
fn redirector(trap: u16) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let to = format!("location: http://127.0.0.1:{trap}/trap\r\n");
            let _ = answered(&stream, |first| {
                let status = first.split(['/', ' ']).nth(2).unwrap_or("404");
                format!("{status} Elsewhere\r\n{to}")
            });
        }
    });
    base
}

/// Names that this machine knows itself by, and names that are private everywhere.
fn names() -> BTreeSet<String> {
    let fixed = [
        "localhost",
        "localhost.",
        "LOCALHOST",
        "trap.localhost",
        "ip6-localhost",
        "localhost.localdomain",
        "printer.local",
        "router.lan",
        "nas.home.arpa",
    ];
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    let hosts = read("/etc/hosts");
    let hosts = hosts.lines().map(|it| it.split('#').next().unwrap_or(""));
    let own = hosts.filter(|it| it.starts_with("127.") || it.starts_with("::1"));
    let own = own.flat_map(|it| it.split_whitespace().skip(1)).map(str::to_owned);
    let machine = read("/etc/hostname").trim().to_owned();
    let all = fixed.map(str::to_owned).into_iter().chain(own).chain([machine]);
    all.filter(|it| !it.is_empty()).collect()
}

/// Each address, and what exactly its error is, if that is for us and not for a resolver to say.
fn corpus(runtime: &str, port: u16) -> Vec<(String, bool)> {
    let near = SELF.map(|it| (format!("http://{it}:{port}/trap"), true));
    let far = PRIVATE.map(|it| (format!("http://{it}/trap"), true));
    let names = names().into_iter().map(|it| {
        // The local host checks what a name resolves to. Of a name that is none it says so.
        let exact = runtime == "local" && (it.as_str(), port).to_socket_addrs().is_ok();
        (format!("http://{it}:{port}/trap"), exact)
    });
    near.into_iter().chain(far).chain(names).collect()
}

/// The ways by which a tenant can have us send something to an address.
const WAYS: [&str; 3] = ["endpoint", "token", "target"];

/// Has us send something to this address; gives the path at which the outcome is seen.
fn sent(host: &Host, at: &Sandbox, way: &str, url: &str) -> String {
    let ask = |path: &str, body: Value| {
        let made = host.ask("POST", path, &at.key, &body);
        assert_eq!(made.status, 201, "{way} {url}: {made:?}");
        made
    };
    let credentials = json!({
        "kind": "client_credentials", "token_url": url, "client_id": "us", "client_secret": "ours",
    });
    let settings = match way {
        "target" => {
            let source = json!({"name": "trap", "recipe": "none", "target": url});
            let path = ask("/v1/webhooks/sources", source).text("/path");
            let received = host.ask("POST", &path, "nobody", &json!({"type": "a.b"}));
            return format!("/v1/webhooks/messages/{}", received.text("/id"));
        }
        "token" => json!({"url": "http://192.0.2.1/never", "auth": credentials}),
        _ => json!({"url": url}),
    };
    let made = ask("/v1/webhooks/endpoints", settings).text("/id");
    let tried =
        host.ask("POST", &format!("/v1/webhooks/endpoints/{made}/test"), &at.key, &json!({}));
    assert_eq!(tried.status, 202, "{tried:?}");
    format!("/v1/webhooks/endpoints/{made}/deliveries/1")
}

/// The status and the error of the first attempt.
fn outcome(host: &Host, at: &Sandbox, path: &str) -> (Value, String) {
    let end = Instant::now() + PATIENCE;
    loop {
        let seen = host.ask("GET", path, &at.key, &Value::Null).json();
        if seen["attempts"].as_i64().is_some_and(|it| it > 0) {
            let error = seen["last_error"].as_str().unwrap_or_default().to_owned();
            return (seen["last_status"].clone(), error);
        }
        assert!(Instant::now() < end, "no attempt: {seen}");
        std::thread::sleep(PAUSE);
    }
}

fn each_of(names: &[&str], check: impl Fn(&str)) {
    let asked: Vec<_> =
        Host::asked_for().into_iter().filter(|it| names.contains(&it.as_str())).collect();
    if asked.is_empty() {
        println!("skipped: {} names none of {names:?}", tests::host::RUNTIMES);
    }
    asked.iter().for_each(|it| check(it));
}

#[test]
fn no_spelling_of_a_private_address_is_called() {
    each_of(&["local", "workerd"], |name| {
        let state = tempfile::tempdir().unwrap();
        let host = Host::start_in_production(name, state.path());
        let trap = Trap::set();
        let all = corpus(name, trap.port);
        for way in WAYS {
            for some in all.chunks(TOGETHER) {
                let at = host.sandbox();
                let sent: Vec<_> = some
                    .iter()
                    .map(|(url, exact)| (url, exact, sent(&host, &at, way, url)))
                    .collect();
                for (url, exact, path) in sent {
                    let (status, error) = outcome(&host, &at, &path);
                    let error = error.trim_start_matches("no access token: ");
                    assert_eq!(status, Value::Null, "{name}: {way} {url} was answered");
                    // Of a name that is not known, each resolver has its own opinion.
                    let unknown = matches!(error, "the connection failed" | "timeout")
                        || error.starts_with("no answer within");
                    assert!(error == REFUSED || !exact && unknown, "{name}: {way} {url}: {error}");
                    if error != REFUSED {
                        println!("{name}: {way} {url}: {error}");
                    }
                }
            }
        }
        assert_eq!(trap.heard(), [""; 0], "{name}: something was called that must not be");
        println!("{name}: {} addresses, {} ways", all.len(), WAYS.len());
    });
}

/// The trap works, and the spellings lead there: it is the configuration that keeps us from it.
#[test]
fn with_the_configuration_for_development_the_same_addresses_lead_into_the_trap() {
    each_of(&["local"], |name| {
        let state = tempfile::tempdir().unwrap();
        let host = Host::start(name, state.path());
        for way in WAYS {
            let (trap, at) = (Trap::set(), host.sandbox());
            let known = names().into_iter().filter(|it| {
                (it.as_str(), trap.port)
                    .to_socket_addrs()
                    .is_ok_and(|mut all| all.any(|it| it.ip().is_loopback()))
            });
            // Those of IPv6 depend on the machine, and 127.255.255.254 is not where the trap is.
            let spelled = SELF.into_iter().take(16).map(str::to_owned);
            let all: Vec<_> = spelled.chain(known).enumerate().collect();
            for (n, it) in &all {
                let url = format!("http://{it}:{}/{n}", trap.port);
                outcome(&host, &at, &sent(&host, &at, way, &url));
            }
            let heard = trap.heard();
            for (n, it) in &all {
                let line = format!("POST /{n} HTTP/1.1\r\n");
                assert!(heard.contains(&line), "{name}: {way} {it} leads elsewhere: {heard:?}");
            }
            println!("{name}: {way}: {} spellings led into the trap", all.len());
        }
    });
}

#[test]
fn no_redirect_is_followed() {
    Host::on_each("redirects", |host| {
        let (trap, at) = (Trap::set(), host.sandbox());
        let base = redirector(trap.port);
        let expected = |way: &str, status: u16| match way {
            "token" => (Value::Null, format!("no access token: its server answered {status}")),
            "target" => (json!(status), format!("the target answered {status}")),
            _ => (json!(status), format!("status {status}")),
        };
        for way in WAYS {
            for status in [300, 301, 302, 303, 304, 305, 307, 308] {
                let path = sent(host, &at, way, &format!("{base}/{status}"));
                assert_eq!(outcome(host, &at, &path), expected(way, status), "{way} {status}");
            }
        }
        assert_eq!(trap.heard(), [""; 0], "a redirect was followed");
    });
}

#[test]
fn our_own_components_and_names_with_a_password_cannot_be_set() {
    each_of(&["local", "workerd"], |name| {
        let state = tempfile::tempdir().unwrap();
        let host = Host::start_in_production(name, state.path());
        let at = host.sandbox();
        let ask = |method, path: &str, body| host.ask(method, path, &at.key, &body);
        let source = ask("POST", "/v1/webhooks/sources", json!({"name": "s", "recipe": "none"}));
        let endpoint =
            ask("POST", "/v1/webhooks/endpoints", json!({"url": "https://example.com/"}));
        let (source, endpoint) = (source.text("/id"), endpoint.text("/id"));
        for url in [
            "http://tenants.spin.internal/v1/keys",
            "http://TENANTS.SPIN.INTERNAL./v1/keys",
            "http://tenants.spin.internal..../v1/keys",
            "http://tenants%2espin%2einternal/v1/keys",
            "http://tenants.spin\u{3002}internal/v1/keys",
            "http://tenants.spin.\u{24d8}nternal/v1/keys",
            "http://metadata.google.internal/computeMetadata/v1/",
            "http://example.com@127.0.0.1/",
            "http://user:password@example.com/",
            "http://:password@example.com/",
            "http://[fe80::1%25eth0]/",
            "http://127.0.0.256/",
            "http://0x7f.0.0.0.1/",
            "//127.0.0.1/",
            "/trap",
            "file:///etc/passwd",
            "gopher://127.0.0.1/",
            "unix:///run/docker.sock",
            "http+unix://%2frun%2fdocker.sock/",
            "ws://example.com/",
            "http://",
        ] {
            let auth = json!({
                "kind": "client_credentials", "token_url": url,
                "client_id": "us", "client_secret": "ours",
            });
            let since = "2020-01-01T00:00:00Z";
            for (method, path, body) in [
                ("POST", "/v1/webhooks/endpoints".to_owned(), json!({"url": url})),
                (
                    "POST",
                    "/v1/webhooks/endpoints".to_owned(),
                    json!({"url": "https://example.com/", "auth": auth}),
                ),
                ("PATCH", format!("/v1/webhooks/endpoints/{endpoint}"), json!({"url": url})),
                ("PATCH", format!("/v1/webhooks/endpoints/{endpoint}"), json!({"auth": auth})),
                (
                    "POST",
                    "/v1/webhooks/sources".to_owned(),
                    json!({"name": "s", "recipe": "none", "target": url}),
                ),
                ("PATCH", format!("/v1/webhooks/sources/{source}"), json!({"target": url})),
                (
                    "POST",
                    format!("/v1/webhooks/sources/{source}/replay"),
                    json!({"since": since, "target": url}),
                ),
            ] {
                let answer = ask(method, &path, body);
                assert_eq!(answer.status, 422, "{name}: {method} {path} {url}: {answer:?}");
            }
        }
    });
}
