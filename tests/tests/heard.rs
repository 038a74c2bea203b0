//! What is heard live is what was sent, though the host is killed again and again: each change once,
//! in its order, each naming the one before it.
//!
//! `BACKPLANE_RUNTIMES=local,workerd cargo test -p tests --test heard`

use std::{
    io::{BufRead, BufReader, Write},
    net::TcpStream,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::{sleep, spawn},
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tests::{
    client,
    host::{Host, request},
    inbox::{link, with_inbox},
};

/// How often the host is killed.
const KILLS: u64 = 6;
/// How long a host lives, at least, in milliseconds.
const LIFE_MS: u64 = 1_500;
/// How long a connection may say nothing, and how long all may take to be heard in the end.
const QUIET: Duration = Duration::from_secs(20);
const SETTLE: Duration = Duration::from_secs(90);
/// How long who was not answered waits.
const PAUSE: Duration = Duration::from_millis(50);

/// What the sender, the listener and the killer share.
#[derive(Default)]
struct Shared {
    url: Mutex<String>,
    /// Whether no more is sent, and whether nobody listens any more.
    sent: AtomicBool,
    stop: AtomicBool,
    /// The changes that were heard.
    heard: Mutex<Vec<Value>>,
}

impl Shared {
    fn url(&self) -> String {
        self.url.lock().unwrap().clone()
    }

    fn goes_on(&self) -> bool {
        !self.stop.load(Ordering::SeqCst)
    }
}

#[test]
fn what_is_heard_is_what_was_sent_though_the_host_is_killed() {
    for name in Host::asked_for().into_iter().filter(|it| it != "redis") {
        println!("heard: {name}");
        let state = tempfile::tempdir().unwrap();
        check(&name, state.path());
    }
}

fn check(name: &str, state: &Path) {
    let mut host = Host::start(name, state);
    let (at, member) = with_inbox(&host);
    let token = link(&host, &at, &member, 3_600);
    let shared = Arc::new(Shared::default());
    *shared.url.lock().unwrap() = host.url().unwrap().to_owned();
    let live = format!("/v1/notifications/inbox/{member}/live?link={token}");
    let (listening, sending) = (Arc::clone(&shared), Arc::clone(&shared));
    let listener = spawn(move || {
        while listening.goes_on() {
            listen(&listening, &live)
        }
    });
    let key = at.key.clone();
    let sender = spawn(move || send(&sending, &key, &member));

    for number in 0..KILLS {
        sleep(Duration::from_millis(LIFE_MS + number * 337 % 1_000));
        kill(host);
        host = Host::start(name, state);
        *shared.url.lock().unwrap() = host.url().unwrap().to_owned();
    }
    sleep(Duration::from_secs(1));
    shared.sent.store(true, Ordering::SeqCst);
    let sent = sender.join().unwrap();
    let end = Instant::now() + SETTLE;
    while shared.heard.lock().unwrap().len() < sent && Instant::now() < end {
        sleep(PAUSE);
    }
    shared.stop.store(true, Ordering::SeqCst);
    drop(host);
    listener.join().unwrap();
    judge(&shared.heard.lock().unwrap(), sent);
}

/// All of them came, each once, and nobody could have missed one without seeing it.
fn judge(heard: &[Value], sent: usize) {
    println!("heard: {sent} sent, {} heard", heard.len());
    assert!(sent > KILLS as usize, "the sender came through");
    let subjects = heard.iter().map(|it| it["item"]["subject"].as_str().unwrap());
    let numbers = subjects.map(|it| it.strip_prefix("Number ").unwrap().parse().unwrap());
    let mut numbers: Vec<usize> = numbers.collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..sent).collect::<Vec<_>>(), "each once");
    let mut last = json!(0);
    for it in heard {
        assert_eq!(it["after"], last, "nothing is missing before {it}");
        last = it["sequence"].clone();
    }
}

fn kill(host: Host) {
    match host {
        Host::Local(mut it) => it.kill(),
        Host::Workerd(it) => it.kill(),
        Host::Memory(_) | Host::Url(..) => panic!("it cannot be killed"),
    }
}

/// Sends one notice after the other, each until it is answered with 2xx; gives how many.
fn send(shared: &Shared, key: &str, member: &str) -> usize {
    let mut number = 0;
    while !shared.sent.load(Ordering::SeqCst) {
        let body = json!({"type": "tea.ready", "to": [{"member": member}], "data": {"n": number}});
        let headers = [
            ("authorization", &*format!("Bearer {key}")),
            ("idempotency-key", &*format!("tick-{number}")),
        ];
        // It is asked until it is answered, also when all else ends: then it is known what was sent.
        let end = Instant::now() + SETTLE;
        loop {
            let asked = request("POST", "/v1/notifications", &headers, &body);
            match client::send(&shared.url(), asked) {
                Ok(answer) if answer.status.is_success() => break,
                Ok(answer) if answer.status.is_client_error() && answer.status != 409 => {
                    panic!("{}: {}", answer.status, answer.json())
                }
                _ => sleep(PAUSE),
            }
            assert!(Instant::now() < end, "{number} is not taken");
        }
        number += 1;
        sleep(Duration::from_millis(15));
    }
    number
}

/// Listens from the last change on, until the connection ends.
fn listen(shared: &Shared, live: &str) {
    let last = shared.heard.lock().unwrap().last().map_or(json!(0), |it| it["sequence"].clone());
    let address = shared.url().trim_start_matches("http://").to_owned();
    let Ok(mut stream) = TcpStream::connect(&address) else { return sleep(PAUSE) };
    stream.set_read_timeout(Some(QUIET)).unwrap();
    let head = format!("GET {live} HTTP/1.1\r\nhost: {address}\r\nlast-event-id: {last}\r\n\r\n");
    if stream.write_all(head.as_bytes()).is_err() {
        return sleep(PAUSE);
    }
    let mut event = String::new();
    for line in BufReader::new(stream).lines() {
        let Ok(line) = line else { return sleep(PAUSE) };
        if let Some(name) = line.strip_prefix("event: ") {
            event = name.to_owned();
        }
        if let (Some(data), "change") = (line.strip_prefix("data: "), event.as_str())
            && let Ok(change) = serde_json::from_str(data)
        {
            shared.heard.lock().unwrap().push(change);
        }
        if !shared.goes_on() {
            return;
        }
    }
    sleep(PAUSE);
}
