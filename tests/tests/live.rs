//! The log and the tail of a source as they happen, on the runtimes that `BACKPLANE_RUNTIMES` names.

use std::{
    io::{BufRead, BufReader, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tests::host::{Host, Sandbox};

/// How long an event may take to come.
const PATIENCE: Duration = Duration::from_secs(15);

#[test]
fn the_log_is_followed_from_a_sequence_without_a_gap() {
    Host::on_each("live", |host| {
        let at = host.sandbox();
        let before = host.ask("GET", "/v1/log", &at.key, &Value::Null).json();
        let before = before["items"].as_array().unwrap().len();

        let mut lines = connect(host, &at, "/v1/log/live", "last-event-id: 0");
        let caught_up = events(&mut lines, before);
        for number in 0..3 {
            let body = json!({"email": format!("m{number}@example.com")});
            assert_eq!(host.ask("POST", "/v1/members", &at.key, &body).status, 201);
        }
        let live = events(&mut lines, 3);

        let all: Vec<_> = caught_up.into_iter().chain(live).collect();
        let expected: Vec<_> = (1..=before + 3).map(|it| it.to_string()).collect();
        assert_eq!(all, expected, "each sequence once, in its order");
    });
}

#[test]
fn a_source_is_followed_from_a_message_without_a_gap() {
    Host::on_each("tail", |host| {
        let at = host.sandbox();
        let source = json!({"name": "s", "recipe": "none"});
        let made = host.ask("POST", "/v1/webhooks/sources", &at.key, &source);
        let (id, path) = (made.text("/id"), made.text("/path"));
        let send = |number: usize| {
            let answer = host.ask("POST", &path, "nobody", &json!({"n": number}));
            answer.text("/id")
        };
        let first = send(0);
        let second = send(1);

        let after = format!("last-event-id: {first}");
        let mut lines = connect(host, &at, &format!("/v1/webhooks/sources/{id}/live"), &after);
        let mut came = events(&mut lines, 1);
        let third = send(2);
        came.extend(events(&mut lines, 1));

        assert_eq!(came, [second, third]);
    });
}

fn connect(host: &Host, at: &Sandbox, path: &str, header: &str) -> BufReader<TcpStream> {
    let address = host.url().unwrap().trim_start_matches("http://").to_owned();
    let mut stream = TcpStream::connect(&address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let request = format!(
        "GET {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {}\r\n{header}\r\n\r\n",
        at.key
    );
    stream.write_all(request.as_bytes()).unwrap();
    BufReader::new(stream)
}

/// The ids of the next `count` events.
fn events(lines: &mut impl BufRead, count: usize) -> Vec<String> {
    let end = Instant::now() + PATIENCE;
    let mut ids = Vec::new();
    while ids.len() < count {
        let mut line = String::new();
        lines.read_line(&mut line).unwrap();
        assert!(Instant::now() < end && !line.is_empty(), "only {ids:?} came");
        if let Some(id) = line.strip_prefix("id: ") {
            ids.push(id.trim().to_owned());
        }
    }
    ids
}
