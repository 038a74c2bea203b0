//! The log and the tail of a source as they happen, on the runtimes that `BACKPLANE_RUNTIMES` names.

use std::{
    io::BufRead,
    net::TcpStream,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tests::{
    feed::{PATIENCE, connect},
    host::{Host, Sandbox},
    inbox::{link, with_inbox},
};
use tungstenite::{Error, HandshakeError, Message, WebSocket};

/// Who listens by a WebSocket.
type Listener = WebSocket<TcpStream>;

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

fn notify(host: &Host, at: &Sandbox, member: &str, number: usize) {
    let notice = json!({"type": "tea.ready", "to": [{"member": member}], "data": {"n": number}});
    let sent = host.ask("POST", "/v1/notifications", &at.key, &notice);
    assert!(sent.status.is_success(), "{}", sent.json());
}

/// The next change of an inbox, and how the inbox stands after it.
fn change(lines: &mut impl BufRead) -> (Value, Value) {
    let end = Instant::now() + PATIENCE;
    let (mut event, mut change) = (String::new(), None);
    loop {
        let mut line = String::new();
        lines.read_line(&mut line).unwrap();
        assert!(Instant::now() < end && !line.is_empty(), "no change came");
        if let Some(name) = line.strip_prefix("event: ") {
            event = name.trim().to_owned();
        }
        let Some(data) = line.strip_prefix("data: ") else { continue };
        let data: Value = serde_json::from_str(data).unwrap();
        match (event.as_str(), &change) {
            ("change", _) => change = Some(data),
            ("counts", Some(it)) => return (it.clone(), data),
            _ => {}
        }
    }
}

#[test]
fn an_inbox_is_followed_by_a_link_of_its_own_without_a_gap() {
    Host::on_each("inbox", |host| {
        let (at, member) = with_inbox(host);
        let path = format!("/v1/notifications/inbox/{member}");
        let by_link = Sandbox { key: link(host, &at, &member, 600), ..at.clone() };
        notify(host, &at, &member, 1);
        let mut lines = connect(host, &by_link, &format!("{path}/live"), "last-event-id: 0");
        let (first, counts) = change(&mut lines);
        assert_eq!((&first["change"], &first["after"]), (&json!("received"), &json!(0)));
        assert_eq!(first["item"]["subject"], "Number 1");
        assert_eq!(counts, json!({"unseen": 1, "unread": 1}));

        notify(host, &at, &member, 2);
        let (second, counts) = change(&mut lines);
        assert_eq!(second["after"], first["sequence"], "nothing is missing between them");
        assert_eq!(counts, json!({"unseen": 2, "unread": 2}));
        drop(lines);

        // Whoever comes back goes on where it was; what it has read elsewhere is a change as well.
        let mark = json!({"as": "read", "ids": [first["item"]["id"]]});
        let marked = host.ask("POST", &format!("{path}/marks"), &by_link.key, &mark);
        assert_eq!(marked.status, 204, "{marked:?}");
        let place = format!("last-event-id: {}", second["sequence"]);
        let mut lines = connect(host, &by_link, &format!("{path}/live"), &place);
        let (third, counts) = change(&mut lines);
        assert_eq!((&third["change"], &third["after"]), (&json!("marked"), &second["sequence"]));
        assert_eq!(counts, json!({"unseen": 1, "unread": 1}));

        let after = format!("{path}/changes?after={}&wait_seconds=1", first["sequence"]);
        let all = host.ask("GET", &after, &by_link.key, &Value::Null).json();
        let changes: Vec<_> = all["items"].as_array().unwrap().iter().collect();
        assert_eq!(changes.len(), 2, "{all}");
        assert_eq!((&all["after"], &all["unread"]), (&third["sequence"], &json!(1)));
        let asked = json!({"expires_in_seconds": 600});
        let another = host.ask("POST", &format!("{path}/links"), &by_link.key, &asked);
        assert_eq!(another.status, 403, "a link does not outlive itself: {another:?}");
        for other in
            ["/v1/log", "/v1/notifications/inbox/mem_other/live", "/v1/notifications/settings"]
        {
            assert_eq!(host.ask("GET", other, &by_link.key, &Value::Null).status, 401, "{other}");
        }
    });
}

#[test]
fn a_connection_ends_with_its_link() {
    Host::on_each("ends", |host| {
        let (at, member) = with_inbox(host);
        let path = format!("/v1/notifications/inbox/{member}");
        let by_link = Sandbox { key: link(host, &at, &member, 3), ..at };
        let mut lines = connect(host, &by_link, &format!("{path}/live"), "last-event-id: 0");

        let began = Instant::now();
        let mut line = String::new();
        // The last chunk is of no bytes.
        while lines.read_line(&mut line).unwrap() > 0 && line.trim() != "0" {
            assert!(began.elapsed() < PATIENCE, "it goes on: {line}");
            line.clear();
        }

        assert!(began.elapsed() >= Duration::from_secs(2), "{:?}", began.elapsed());
        let again = host.ask("GET", &path, &by_link.key, &Value::Null);
        assert_eq!(again.status, 401);
    });
}

/// A listener by WebSocket, or the status by which it is refused.
fn listen(host: &Host, token: &str, path: &str) -> Result<Listener, u16> {
    let url = host.url().unwrap();
    let address = url.trim_start_matches("http://").to_owned();
    let stream = TcpStream::connect(&address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let url =
        format!("ws://{address}{path}{}link={token}", if path.contains('?') { '&' } else { '?' });
    match tungstenite::client(url.as_str(), stream) {
        Ok((socket, _)) => Ok(socket),
        Err(HandshakeError::Failure(Error::Http(answer))) => Err(answer.status().as_u16()),
        Err(err) => panic!("{err}"),
    }
}

/// The next change, and how the inbox stands after it.
fn heard(socket: &mut Listener) -> (Value, Value) {
    let mut change = None;
    loop {
        let Message::Text(text) = socket.read().unwrap() else { continue };
        let message: Value = serde_json::from_str(&text).unwrap();
        match (message["event"].as_str().unwrap(), &change) {
            ("change", _) => change = Some(message["data"].clone()),
            ("counts", Some(it)) => return (it.clone(), message["data"].clone()),
            _ => {}
        }
    }
}

#[test]
fn an_inbox_is_followed_by_a_websocket_where_there_are_any() {
    Host::on_each("socket", |host| {
        let (at, member) = with_inbox(host);
        let inbox = format!("/v1/notifications/inbox/{member}");
        let token = link(host, &at, &member, 600);
        let live = format!("{inbox}/live");
        let Host::Workerd(_) = host else {
            assert_eq!(listen(host, &token, &live).unwrap_err(), 501, "it says so");
            return;
        };
        notify(host, &at, &member, 1);
        let mut socket = listen(host, &token, &format!("{live}?after=0")).unwrap();
        let (first, counts) = heard(&mut socket);
        assert_eq!((&first["item"]["subject"], &first["after"]), (&json!("Number 1"), &json!(0)));
        assert_eq!(counts, json!({"unseen": 1, "unread": 1}));
        notify(host, &at, &member, 2);
        let (second, counts) = heard(&mut socket);
        assert_eq!(second["after"], first["sequence"], "nothing is missing between them");
        assert_eq!(counts, json!({"unseen": 2, "unread": 2}));

        // The object goes to sleep after ten seconds without work, and is another one after that.
        std::thread::sleep(Duration::from_secs(13));
        socket.send(Message::text("ping")).unwrap();
        assert_eq!(socket.read().unwrap(), Message::text("pong"));
        notify(host, &at, &member, 3);
        let (third, _) = heard(&mut socket);
        assert_eq!(third["after"], second["sequence"]);
        drop(socket);

        // Whoever comes back goes on where it was.
        notify(host, &at, &member, 4);
        let place = format!("{live}?after={}", third["sequence"]);
        let (fourth, counts) = heard(&mut listen(host, &token, &place).unwrap());
        assert_eq!(fourth["after"], third["sequence"]);
        assert_eq!(counts, json!({"unseen": 4, "unread": 4}));

        // What is another's, or no feed, is no WebSocket; and one ends with its link.
        let other = "/v1/notifications/inbox/mem_other/live";
        assert_eq!(listen(host, &token, other).unwrap_err(), 401);
        assert_eq!(listen(host, &token, &format!("{inbox}/marks")).unwrap_err(), 405);
        assert_eq!(listen(host, &token, &inbox).unwrap_err(), 400);
        let mut short = listen(host, &link(host, &at, &member, 3), &live).unwrap();
        let began = Instant::now();
        while !matches!(short.read(), Ok(Message::Close(_))) {
            assert!(began.elapsed() < PATIENCE, "it goes on");
        }
        assert!(began.elapsed() >= Duration::from_secs(2), "{:?}", began.elapsed());
    });
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
