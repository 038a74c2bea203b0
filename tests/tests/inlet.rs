//! Mail comes in on every runtime: the corpus is kept to the byte, answers come back to their
//! tickets, and on Workers Email Routing hands mail over.
//!
//! `BACKPLANE_RUNTIMES=local,workerd cargo test -p tests --test inlet`

use std::fs;

use bytes::Bytes;
use http::{Request, StatusCode};
use serde_json::{Value, json};
use tests::{desk::Desk, host::Host, local::root};

/// A tenant's mailbox, whose address no other test has.
struct Mailbox<'a> {
    desk: Desk<'a>,
    address: String,
    token: String,
}

impl<'a> Mailbox<'a> {
    fn open(host: &'a Host) -> Self {
        let desk = Desk::open(host, &["email"]);
        let tenant = desk.key.to_lowercase();
        let word: String =
            tenant.chars().rev().filter(char::is_ascii_alphanumeric).take(12).collect();
        let address = format!("support@{word}.example");
        let new = json!({"address": address, "name": "Support"});
        let made = desk.send("POST", "/v1/tickets/mailboxes", new);
        let token = made["token"].as_str().unwrap().to_owned();
        let id = made["id"].as_str().unwrap();
        desk.until(&format!("/v1/tickets/mailboxes/{id}"), |it| it["state"] == "ready");
        Self { desk, address, token }
    }

    fn post(&self, host: &Host, raw: &[u8]) -> (StatusCode, Value) {
        let request = Request::post(format!("/v1/mail/{}/raw", self.address))
            .header("authorization", format!("Bearer {}", self.token))
            .header("content-type", "message/rfc822")
            .body(Bytes::copy_from_slice(raw))
            .unwrap();
        let answer = host.call(request);
        (answer.status, answer.json())
    }

    /// Posts a mail, and waits for what becomes of it.
    fn take(&self, host: &Host, raw: &[u8]) -> Value {
        let (status, kept) = self.post(host, raw);
        assert!(status.is_success(), "{status} {kept}");
        let path = format!("/v1/tickets/mails/{}", kept["id"].as_str().unwrap());
        self.desk.until(&path, |it| it["state"] != "received")
    }
}

#[test]
fn mail_is_kept_and_becomes_something_on_every_runtime() {
    Host::everywhere("inlet", &[], |host| {
        let mailbox = Mailbox::open(host);
        let folder = root().join("fixtures/tickets/mails");
        for name in [
            "charsets/iso-2022-jp",
            "malformed/no-header",
            "bombs/messages-in-messages",
            "bombs/html-of-divs",
            "attachments/winmail",
            "bounces/failed",
            "quotes/answer-de-html",
        ] {
            let raw = fs::read(folder.join(format!("{name}.eml"))).unwrap();
            let became = mailbox.take(host, &raw);
            let expected = if name.starts_with("bounces/") { "ignored" } else { "opened" };
            assert_eq!(became["state"], expected, "{name}: {became}");
            let path = format!("/v1/tickets/mails/{}/original", became["id"].as_str().unwrap());
            let original = mailbox.desk.ask("GET", &path, Value::Null);
            assert!(original.body == raw, "{name} is kept to the byte");
        }
    });
}

#[test]
fn an_answer_comes_back_to_its_ticket_on_every_runtime() {
    Host::everywhere("answers", &[], |host| {
        let mailbox = Mailbox::open(host);
        let opened = mailbox
            .take(host, b"From: ada@example.net\nMessage-ID: <1@a>\nSubject: Broken\n\nHelp.");
        let ticket = opened["ticket"].as_str().unwrap();
        let said = json!({"kind": "reply", "text": "Try again."});
        mailbox.desk.send("POST", &format!("/v1/tickets/{ticket}/messages"), said);
        let log = mailbox.desk.get(&format!("/v1/tickets/{ticket}/log?limit=100"));
        let told =
            log["items"].as_array().unwrap().iter().find(|it| it["action"] == "ticket.replied");
        let to = told.unwrap()["data"]["mail"]["reply_to"].as_str().unwrap().to_owned();

        let answer = format!("From: ada@example.net\nTo: {to}\nMessage-ID: <2@a>\n\nThanks.");
        let joined = mailbox.take(host, answer.as_bytes());
        let stranger = answer.replace("ada@", "mallory@").replace("2@a", "3@a");
        let apart = mailbox.take(host, stranger.as_bytes());

        assert_eq!((&joined["clue"], &joined["ticket"]), (&json!("address"), &json!(ticket)));
        assert_eq!((&apart["state"], &apart["apart"]), (&json!("opened"), &json!("stranger")));
    });
}

#[test]
fn what_is_too_large_is_refused_on_every_runtime() {
    Host::everywhere("large mail", &[], |host| {
        let mailbox = Mailbox::open(host);
        let large = [b"From: a@example.net\n\n".to_vec(), vec![b'a'; 26 * 1024 * 1024]].concat();
        assert_eq!(mailbox.post(host, &large).0, StatusCode::PAYLOAD_TOO_LARGE);
    });
}

#[test]
fn email_routing_hands_mail_over() {
    if !Host::asked_for().iter().any(|it| it == "workerd") {
        println!("skipped: this is of workerd alone");
        return;
    }
    let state = tempfile::tempdir().unwrap();
    let mut host = Host::start("workerd", state.path());
    let (address, key, tenant) = {
        let mailbox = Mailbox::open(&host);
        (mailbox.address.clone(), mailbox.desk.key.clone(), mailbox.token)
    };
    assert!(!tenant.is_empty());
    let Host::Workerd(workerd) = &mut host else { unreachable!("it is workerd") };
    let raw = |id: &str| {
        format!(
            "From: ada@example.net\r\nTo: {address}\r\nMessage-ID: <{id}@example.net>\r\nSubject: By routing\r\n\r\nhello\r\n"
        )
    };
    let extended = address.replace('@', "+t1.aaaaaaaaaaaaaaaa@");

    let taken = workerd.email("ada@example.net", &extended, &raw("1")).unwrap();
    let refused = workerd.email("ada@example.net", "nobody@nowhere.example", &raw("2")).unwrap();

    assert_eq!(taken["status"], 200, "{taken}");
    assert_eq!(refused["status"], 400, "{refused}");
    assert!(refused["text"].as_str().unwrap().contains("no such mailbox"), "{refused}");
    let mails = host.ask("GET", "/v1/tickets/mails", &key, &Value::Null).json();
    let kept = &mails["items"][0];
    assert_eq!(
        (&kept["subject"], &kept["envelope_to"]),
        (&json!("By routing"), &json!([extended]))
    );
}
