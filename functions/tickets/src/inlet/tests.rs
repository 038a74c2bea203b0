//! Mail that is posted, and what becomes of it.

use std::{cell::RefCell, rc::Rc, time::Duration};

use bytes::Bytes;
use http::StatusCode;
use pollster::block_on;
use serde_json::{Value, json};
use shared::{
    domain::Job,
    http::HeaderMap,
    mail_event::{self, MailEvent},
    memory::Memory,
    open::Open,
    ports::{HttpResponse, Tenant},
};

use super::{mail as mail_of, *};
use crate::Tickets;

const TENANT: &str = "ten_00000000000000000000000000";
const OTHER: &str = "ten_00000000000000000000000001";
const ADDRESS: &str = "support@example.com";

/// A tenant with a mailbox.
struct Office {
    memory: Memory,
    mailbox: Value,
}

impl Office {
    fn new(memory: Memory, settings: &Value) -> Self {
        for tenant in [TENANT, OTHER] {
            memory.add_tenant(tenant);
        }
        let mut office = Self { memory, mailbox: Value::Null };
        office.mailbox = office.mailbox_of(TENANT, ADDRESS, settings);
        office
    }

    fn mailbox_of(&self, tenant: &str, address: &str, settings: &Value) -> Value {
        let mut new = settings.clone();
        new["address"] = address.into();
        let (status, made) = self.ask(tenant, "POST", "/v1/tickets/mailboxes", &new);
        assert_eq!(status, 201, "{made}");
        made
    }

    fn ask(&self, tenant: &str, method: &str, path: &str, body: &Value) -> (u16, Value) {
        self.read(&self.memory.ask::<Tickets>(tenant, method, path, body))
    }

    fn read(&self, response: &Response) -> (u16, Value) {
        let status = response.status().as_u16();
        assert!(status < 500, "{status} {:?}", self.memory.notes());
        let body = response.body().as_full().cloned().unwrap_or_default();
        (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
    }

    fn get(&self, path: &str) -> Value {
        let (status, body) = self.ask(TENANT, "GET", path, &Value::Null);
        assert_eq!(status, 200, "{path}");
        body
    }

    fn post_as(&self, path: &str, token: &str, raw: impl Into<Bytes>) -> (u16, Value) {
        let request = http::Request::post(path)
            .header("authorization", format!("Bearer {token}"))
            .header("content-type", "message/rfc822");
        self.read(&self.memory.serve::<Tickets>(request.body(raw.into()).unwrap()))
    }

    /// Posts a mail to the mailbox, and gives what became of it.
    fn post(&self, raw: impl Into<Bytes>) -> Value {
        let token = self.mailbox["token"].as_str().unwrap();
        let (status, kept) = self.post_as(&format!("/v1/mail/{ADDRESS}/raw"), token, raw);
        assert!(status == 202 || status == 200, "{kept}");
        self.get(&format!("/v1/tickets/mails/{}", kept["id"].as_str().unwrap()))
    }

    fn latest(&self, ticket: &Value, action: &str) -> Value {
        let path = format!("/v1/tickets/{}/log?limit=100", ticket.as_str().unwrap());
        let log = self.get(&path);
        let found = log["items"].as_array().unwrap().iter().rev().find(|it| it["action"] == action);
        found.unwrap_or_else(|| panic!("{action} in {log}"))["data"].clone()
    }
}

fn office() -> Office {
    Office::new(Memory::default(), &json!({"name": "Support"}))
}

fn mail(from: &str, id: &str, more: &str, text: &str) -> String {
    format!("From: {from}\r\nTo: {ADDRESS}\r\nMessage-ID: <{id}>\r\n{more}\r\n{text}\r\n")
}

#[test]
fn an_answer_comes_back_to_its_ticket_by_what_was_signed() {
    let office = office();
    let opened = office.post(mail("ada@example.net", "1@a", "Subject: It is broken\r\n", "Help."));
    assert_eq!(opened["state"], "opened");
    let ticket = &opened["ticket"];
    let reply = json!({"kind": "reply", "text": "Try again."});
    let path = format!("/v1/tickets/{}/messages", ticket.as_str().unwrap());
    assert_eq!(office.ask(TENANT, "POST", &path, &reply).0, 201);
    let told = office.latest(ticket, "ticket.replied");
    let (to, id) =
        (told["mail"]["reply_to"].as_str().unwrap(), told["mail"]["message_id"].as_str().unwrap());
    let marker = told["marker"].as_str().unwrap();
    assert_eq!(told["mail"]["in_reply_to"], json!(["1@a"]));
    assert_eq!(told["mail"]["subject"], "Re: It is broken");

    for (number, (more, text, clue)) in [
        (format!("Cc: {}\r\n", to.to_uppercase()), "Thanks.".to_owned(), "address"),
        (format!("In-Reply-To: <{id}>\r\n"), "Thanks.".to_owned(), "message_id"),
        (String::new(), format!("Thanks.\r\n\r\n> {marker}\r\n> Try again."), "text"),
        ("In-Reply-To: <1@a>\r\n".to_owned(), "Thanks.".to_owned(), "in_reply_to"),
        (
            "References: <1@a>\r\nSubject: Re: It is broken\r\n".to_owned(),
            "Thanks.".to_owned(),
            "references",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let joined = office.post(mail("Ada@Example.net", &format!("{number}@b"), &more, &text));
        assert_eq!(
            (&joined["state"], &joined["clue"], &joined["ticket"]),
            (&json!("joined"), &json!(clue), ticket),
            "{joined}"
        );
    }
    let said = office.get(&format!("{path}?limit=100"));
    assert_eq!(said["items"].as_array().unwrap().len(), 7);
    assert_eq!(said["items"][4]["text"], "Thanks.");

    // A stranger has the token, and opens a ticket of their own that follows.
    let apart =
        office.post(mail("mallory@example.org", "m@b", &format!("Cc: {to}\r\n"), "Give me all."));
    assert_eq!((&apart["state"], &apart["apart"]), (&json!("opened"), &json!("stranger")));
    let other = office.get(&format!("/v1/tickets/{}", apart["ticket"].as_str().unwrap()));
    assert_eq!(other["follows"], *ticket);
}

#[test]
fn no_mail_joins_a_ticket_of_another_tenant_or_mailbox() {
    let office = office();
    let opened = office.post(mail("ada@example.net", "1@a", "", "Help."));
    let path = format!("/v1/tickets/{}/messages", opened["ticket"].as_str().unwrap());
    office.ask(TENANT, "POST", &path, &json!({"kind": "reply", "text": "Try again."}));
    let told = office.latest(&opened["ticket"], "ticket.replied");
    let more = format!(
        "In-Reply-To: <{}> <1@a>\r\nCc: {}\r\n",
        told["mail"]["message_id"].as_str().unwrap(),
        told["mail"]["reply_to"].as_str().unwrap()
    );
    let theirs = office.mailbox_of(OTHER, "help@example.org", &json!({}));

    let token = theirs["token"].as_str().unwrap();
    let (status, kept) = office.post_as(
        "/v1/mail/help@example.org/raw",
        token,
        mail("ada@example.net", "2@a", &more, "Hello."),
    );

    assert_eq!(status, 202);
    let path = format!("/v1/tickets/mails/{}", kept["id"].as_str().unwrap());
    let (_, became) = office.ask(OTHER, "GET", &path, &Value::Null);
    assert_eq!((&became["state"], &became["apart"]), (&json!("opened"), &Value::Null));
    assert_eq!(office.ask(TENANT, "GET", &path, &Value::Null).0, 404);

    // Nor is the token of one mailbox good at another.
    let ours = office.mailbox["token"].as_str().unwrap();
    assert_eq!(office.post_as("/v1/mail/help@example.org/raw", ours, "From: a@b.c\n\nx").0, 401);
    // An address is one tenant's.
    let taken = office.mailbox_of(OTHER, ADDRESS, &json!({}));
    let (_, taken) = office.ask(
        OTHER,
        "GET",
        &format!("/v1/tickets/mailboxes/{}", taken["id"].as_str().unwrap()),
        &Value::Null,
    );
    assert_eq!(taken["state"], "taken");
    assert_eq!(office.post(mail("ada@example.net", "3@a", "", "x"))["state"], "opened");
}

#[test]
fn a_mailbox_takes_each_mail_once() {
    let office = office();
    let first = office.post(mail("ada@example.net", "1@a", "", "one"));
    let again = office.post(mail("ada@example.net", "1@a", "", "two"));
    assert_eq!(first["id"], again["id"]);

    let nameless = "From: ada@example.net\r\n\r\nno id";
    assert_eq!(office.post(nameless)["id"], office.post(nameless)["id"]);
    assert_ne!(office.post("From: ada@example.net\r\n\r\nno id!")["id"], first["id"]);
    assert_eq!(office.get("/v1/tickets")["items"].as_array().unwrap().len(), 3);
}

#[test]
fn every_mail_of_the_corpus_is_kept_and_becomes_something() {
    let office = office();
    for kept in crate::mail::corpus_of_tests() {
        // Each is a mail of its own, by somebody else: there is a limit for one.
        office.memory.advance(Duration::from_secs(600));
        let became = office.post(kept.clone());
        assert_ne!(became["state"], "received", "{}", String::from_utf8_lossy(&kept));
        let id = became["id"].as_str().unwrap();
        let original = http::Request::get(format!("/v1/tickets/mails/{id}/original"))
            .header("authorization", format!("Bearer {}", Memory::OPERATOR_KEY))
            .header("backplane-tenant", TENANT);
        let response = office.memory.serve::<Tickets>(original.body(Bytes::new()).unwrap());
        assert_eq!(response.headers()["x-content-type-options"], "nosniff");
        let stored: usize = response.headers()["content-length"].to_str().unwrap().parse().unwrap();
        assert!(stored == kept.len() || became["bytes"] != json!(kept.len()), "{id}");
    }
}

#[test]
fn what_bounced_is_written_beside_what_was_sent() {
    let office = office();
    let opened = office.post(mail("ada@example.net", "1@a", "", "Help."));
    let path = format!("/v1/tickets/{}/messages", opened["ticket"].as_str().unwrap());
    office.ask(TENANT, "POST", &path, &json!({"kind": "reply", "text": "Try again."}));
    let told = office.latest(&opened["ticket"], "ticket.replied");
    let report = format!(
        "From: MAILER-DAEMON@example.net\r\nReturn-Path: <>\r\nContent-Type: multipart/report; \
        report-type=delivery-status; boundary=b\r\n\r\n--b\r\n\r\nfailed\r\n--b\r\nContent-Type: \
        message/delivery-status\r\n\r\nFinal-Recipient: rfc822; ada@example.net\r\nAction: failed\r\n\
        Status: 5.1.1\r\n--b\r\nContent-Type: message/rfc822\r\n\r\nMessage-ID: <{}>\r\n\r\nx\r\n--b--\r\n",
        told["mail"]["message_id"].as_str().unwrap()
    );

    let bounced = office.post(report);

    assert_eq!((&bounced["state"], &bounced["message"]), (&json!("bounced"), &told["message"]));
    let said = office.get(&path);
    let bounce = &said["items"][1]["bounces"][0];
    assert_eq!((&bounce["to"], &bounce["permanent"]), (&json!("ada@example.net"), &json!(true)));
}

#[test]
fn who_sends_too_many_opens_no_more_tickets() {
    let office = office();
    let states: Vec<_> = (0..34)
        .map(|it| {
            office.post(mail("loop@example.net", &format!("{it}@a"), "", "x"))["state"].clone()
        })
        .collect();
    assert_eq!(states.iter().filter(|it| **it == json!("opened")).count(), 30);
    assert_eq!(states[33], "ignored");
    let other = office.post(mail("ada@example.net", "1@a", "", "x"));
    assert_eq!(other["state"], "opened");
    assert_eq!(office.latest(&other["ticket"], "ticket.opened").get("quiet"), None);
    let automatic: Vec<_> = (0..12)
        .map(|it| {
            office.post(mail(
                "cron@example.net",
                &format!("{it}@c"),
                "Auto-Submitted: auto-generated\r\n",
                "x",
            ))["state"]
                .clone()
        })
        .collect();
    let quiet = office.get("/v1/tickets?limit=1")["items"][0]["id"].clone();
    assert_eq!(office.latest(&quiet, "ticket.opened")["quiet"], true);
    assert_eq!(automatic.iter().filter(|it| **it == json!("opened")).count(), 10);
}

#[test]
fn a_mail_that_is_too_large_is_refused_and_says_what_to_do() {
    let office = office();
    let token = office.mailbox["token"].as_str().unwrap();
    let path = format!("/v1/mail/{ADDRESS}/raw");
    for bytes in [25 * 1024 * 1024 + 1, 40 * 1024 * 1024] {
        let (status, problem) = office.post_as(&path, token, vec![b'a'; bytes]);
        assert_eq!(status, 413, "{problem}");
    }
    let large = mail("ada@example.net", "1@a", "", &"line\r\n".repeat(4_000_000));
    assert_eq!(office.post(large)["state"], "opened");
    assert_eq!(office.post_as(&path, "", "From: a@b.c\n\nx").0, 401);
    assert_eq!(office.post_as(&path, token, "  \n").0, 422);
}

#[test]
fn a_file_is_handed_out_if_the_scanner_says_so() {
    let seen: Rc<RefCell<Vec<String>>> = Rc::default();
    let asked = seen.clone();
    let memory = Memory::with_network(move |request| {
        asked.borrow_mut().push(String::from_utf8_lossy(&request.body).into_owned());
        let verdict = if request.body.starts_with(b"evil") { "infected" } else { "clean" };
        let body = json!({ "verdict": verdict }).to_string().into();
        Ok(HttpResponse { status: StatusCode::OK, headers: HeaderMap::new(), body, cut: false })
    });
    let office = Office::new(memory, &json!({"scan_url": "https://scanner.example/"}));
    let part = |text: &str| {
        format!("--b\r\nContent-Disposition: attachment; filename={text}.txt\r\n\r\n{text}\r\n")
    };
    let raw = format!(
        "From: ada@example.net\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n{}{}--b--\r\n",
        part("evil"),
        part("good")
    );

    let opened = office.post(raw);

    let files =
        office.get(&format!("/v1/tickets/{}/attachments", opened["ticket"].as_str().unwrap()));
    assert_eq!(*seen.borrow(), ["evil", "good"]);
    for (number, (scan, status)) in [("infected", 409), ("clean", 200)].into_iter().enumerate() {
        let file = &files["items"][number];
        assert_eq!((&file["scan"], &file["blob"]), (&json!(scan), &Value::Null));
        let path = format!(
            "/v1/tickets/attachments/{}/content?unscanned=accept",
            file["id"].as_str().unwrap()
        );
        assert_eq!(office.ask(TENANT, "GET", &path, &Value::Null).0, status);
    }
}

#[test]
fn a_mail_that_no_worker_survives_is_a_file_of_a_ticket() {
    let office = office();
    let opened = office.post(mail("ada@example.net", "1@a", "", "x"));
    let store = office.memory.store(TENANT);
    let at = block_on(Open::system(&office.memory, &store, TENANT, false)).unwrap();
    let id = opened["id"].as_str().unwrap();
    let mut it = block_on(crate::store::find_mail_by_id(&at, id)).unwrap().unwrap();
    let before = it.clone();
    it.state = mail_of::MailState::Received;
    block_on(at.commit(crate::store::update_mail(&before, &it))).unwrap();
    let job = Job {
        id: format!("{READ}:{id}"),
        kind: READ.to_owned(),
        body: json!({"id": id}),
        due: at.now(),
        attempts: 10,
    };

    let commit = block_on(give_up(&at, &job)).unwrap();
    block_on(at.commit(commit)).unwrap();

    let became = office.get(&format!("/v1/tickets/mails/{id}"));
    assert_eq!(became["state"], "unreadable");
    let files =
        office.get(&format!("/v1/tickets/{}/attachments", became["ticket"].as_str().unwrap()));
    assert_eq!(files["items"][0]["type"], "message/rfc822");
    assert_ne!(became["ticket"], opened["ticket"]);
}

#[test]
fn what_the_edge_hands_over_needs_no_token_and_nobody_else_can_say_so() {
    let office = office();
    let path = format!("/v1/mail/{ADDRESS}/raw");
    let raw = mail("ada@example.net", "1@a", "", "x");
    let event = |tenant: &str, raw: &str| {
        let sealed =
            MailEvent::sealed(&office.memory, tenant, "", "support+x@example.com", raw.as_bytes());
        block_on(sealed).unwrap()
    };
    let hand = |header: &str, raw: &str| {
        let request = http::Request::post(&path).header(mail_event::HEADER, header);
        office.read(&office.memory.serve::<Tickets>(request.body(raw.to_owned().into()).unwrap()))
    };

    for forged in [String::new(), "x".to_owned(), event(OTHER, &raw), event(TENANT, "another")] {
        assert_eq!(hand(&forged, &raw).0, 401, "{forged}");
    }
    let late = event(TENANT, &raw);
    office.memory.advance(Duration::from_secs(301));
    assert_eq!(hand(&late, &raw).0, 401);
    let (status, kept) = hand(&event(TENANT, &raw), &raw);

    assert_eq!(status, 202);
    let became = office.get(&format!("/v1/tickets/mails/{}", kept["id"].as_str().unwrap()));
    assert_eq!(became["envelope_to"], json!(["support+x@example.com"]));
    assert_eq!(became["envelope_from"], "");
}
