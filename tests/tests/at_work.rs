//! Two agents at one ticket, on the runtimes that `BACKPLANE_RUNTIMES` names: each is told of the
//! other, and of what is done to the ticket, in its order.

use std::{io::BufRead, time::Instant};

use serde_json::{Value, json};
use tests::{
    feed::{PATIENCE, connect},
    host::Host,
};

/// The next event of this name, and its id.
fn next(lines: &mut impl BufRead, name: &str) -> (String, Value) {
    let end = Instant::now() + PATIENCE;
    let (mut id, mut event) = (String::new(), String::new());
    loop {
        let mut line = String::new();
        lines.read_line(&mut line).unwrap();
        assert!(Instant::now() < end && !line.is_empty(), "no {name} came");
        if let Some(it) = line.strip_prefix("id: ") {
            id = it.trim().to_owned();
        } else if let Some(it) = line.strip_prefix("event: ") {
            event = it.trim().to_owned();
        } else if let Some(data) = line.strip_prefix("data: ").filter(|_| event == name) {
            return (id, serde_json::from_str(data).unwrap());
        }
    }
}

fn doing(presence: &Value) -> Vec<(&str, &str)> {
    let all = presence["items"].as_array().unwrap().iter();
    all.map(|it| (it["member"].as_str().unwrap(), it["doing"].as_str().unwrap())).collect()
}

#[test]
fn who_is_at_a_ticket_is_told_with_what_is_done_to_it() {
    Host::on_each("at work", |host| {
        let at = host.sandbox();
        let post = |path: &str, body: Value| {
            let answer = host.ask("POST", path, &at.key, &body);
            assert!(answer.status.is_success(), "{path}: {answer:?}");
            answer
        };
        let member = |name: &str| {
            post("/v1/members", json!({"email": format!("{name}@example.com"), "name": name}))
                .text("/id")
        };
        let (ann, bob) = (member("ann"), member("bob"));
        let new = json!({"subject": "S", "text": "T", "requester": {"email": "c@example.com"}});
        let path = format!("/v1/tickets/{}", post("/v1/tickets", new).text("/id"));
        let mut lines = connect(host, &at, &format!("{path}/live"), "last-event-id: 0");
        next(&mut lines, "ticket.opened");
        let (_, there) = next(&mut lines, "presence");
        assert_eq!(doing(&there), [], "whoever comes is told who is there");

        let presence = format!("{path}/presence");
        let others = post(&presence, json!({"member": ann, "doing": "looking"}));
        assert_eq!(others.json()["items"], json!([]), "who tells is told of the others");
        let (_, there) = next(&mut lines, "presence");
        assert_eq!(doing(&there), [(ann.as_str(), "looking")]);
        let others = post(&presence, json!({"member": bob, "doing": "typing"}));
        assert_eq!(doing(&others.json()), [(ann.as_str(), "looking")]);
        let (_, there) = next(&mut lines, "presence");
        assert_eq!(doing(&there), [(ann.as_str(), "looking"), (bob.as_str(), "typing")]);

        let said = json!({"kind": "reply", "text": "Try again."});
        post(&format!("{path}/messages?by={bob}"), said);
        post(&presence, json!({"member": bob, "doing": "gone"}));
        let (_, replied) = next(&mut lines, "ticket.replied");
        assert_eq!(replied["data"]["by"], json!(bob));
        let (place, there) = next(&mut lines, "presence");
        assert_eq!(doing(&there), [(ann.as_str(), "looking")]);
        drop(lines);

        // Whoever comes back goes on where it was, and is not told again what it knows.
        let back = format!("last-event-id: {place}");
        let mut lines = connect(host, &at, &format!("{path}/live"), &back);
        post(&format!("{path}/messages"), json!({"kind": "note", "text": "Done?"}));
        let (_, noted) = next(&mut lines, "ticket.noted");
        assert!(noted["sequence"].as_i64() > replied["sequence"].as_i64());
    });
}
