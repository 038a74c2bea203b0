//! Mail goes out by SMTP: to a server on loopback, whatever it does.
//!
//! `BACKPLANE_RUNTIMES=local,workerd cargo test -p tests --test smtp`

use mail_parser::MessageParser;
use serde_json::{Value, json};
use tests::{
    desk::Desk,
    fake_mail::{FakeMail, UNWANTED},
    fake_smtp::{FakeSmtp, Fault, PASSWORD, Tls, USER},
    host::Host,
};

const ADA: &str = "ada@example.com";
const PROVIDERS: &str = "/v1/notifications/providers";

fn connected(desk: &Desk<'_>, new: Value) -> String {
    desk.send("POST", PROVIDERS, new)["id"].as_str().unwrap().to_owned()
}

/// Waits until nobody is at work on the notice, and gives its delivery.
fn tried(desk: &Desk<'_>, notice: &str, is_tried: impl Fn() -> bool) -> Value {
    desk.until("/v1/whoami", |_| is_tried());
    let failed = |it: &Value| {
        let jobs = it["items"].as_array().unwrap();
        jobs.iter().any(|it| it["kind"] == "notify.mail" && !it["reason"].is_null())
    };
    let jobs = desk.until("/v1/jobs", failed);
    let job = jobs["items"].as_array().unwrap().iter().find(|it| it["kind"] == "notify.mail");
    let delivery = desk.get(notice)["deliveries"][0].clone();
    assert_eq!(delivery["state"], "waiting");
    json!({"why": job.unwrap()["reason"], "delivery": delivery})
}

fn a_server_gets_the_whole_mail(host: &Host) {
    for (tls, security, ways) in [
        (Tls::Implicit, "tls", "PLAIN LOGIN"),
        (Tls::Offered, "starttls", "PLAIN"),
        (Tls::Offered, "starttls", "LOGIN"),
        (Tls::None, "none", "PLAIN"),
        (Tls::None, "none", ""),
    ] {
        for certificate in ["p256", "rsa"] {
            let (desk, fake) = (Desk::open(host, &["email"]), FakeSmtp::start(tls, certificate));
            fake.offer(ways);
            let mut new = fake.provider(security);
            if ways.is_empty() {
                new["key"].take();
                new["smtp"]["user"].take();
            }
            let id = connected(&desk, new);

            let notice = desk.hello(ADA);
            let sent = desk.until_state(&notice, "sent");

            let what = format!("{tls:?} {ways} {certificate}");
            assert_eq!(sent["provider"], json!(id), "{what}");
            assert_eq!(sent["reference"], "2.0.0 queued as 1", "{what}");
            let arrived = fake.arrived();
            assert_eq!(arrived.len(), 1, "{what}");
            let it = &arrived[0];
            assert_eq!(it.is_encrypted, tls != Tls::None, "{what}");
            assert_eq!(it.user.as_deref(), (!ways.is_empty()).then_some(USER), "{what}");
            assert_eq!(it.name, "example.com", "{what}");
            let length = it.mime.len();
            assert_eq!(it.from, format!("FROM:<news@example.com> SIZE={length}"), "{what}");
            assert_eq!(it.to, format!("TO:<{ADA}>"), "{what}");
            holds_the_mail(&it.mime, sent["id"].as_str().unwrap());
            if tls == Tls::Offered {
                assert_eq!(fake.in_the_clear(), "EHLO example.com\nSTARTTLS\n", "{what}");
            }
        }
    }
}

fn holds_the_mail(mime: &[u8], delivery: &str) {
    let mail = MessageParser::default().parse(mime).unwrap();
    assert_eq!(mail.subject(), Some("Hello Ada"));
    assert_eq!(mail.message_id(), Some(format!("{delivery}@example.com").as_str()));
    assert_eq!(mail.to().unwrap().first().unwrap().address(), Some(ADA));
    assert_eq!(mail.body_text(0).unwrap().trim(), "Hello you.");
    let text = String::from_utf8_lossy(mime).into_owned();
    assert!(text.contains("List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"), "{text}");
    assert!(text.contains("Auto-Submitted: auto-generated\r\n"), "{text}");
    assert!(text.ends_with("\r\n"), "{text}");
}

/// Whoever it should not be is told neither the password nor the mail; and somebody else sends it.
fn a_server_that_cannot_be_trusted_is_told_nothing(host: &Host) {
    for (tls, certificate, security, told) in [
        (Tls::Implicit, "stranger", "tls", ""),
        (Tls::Implicit, "other-name", "tls", ""),
        (Tls::Implicit, "expired", "tls", ""),
        (Tls::Offered, "other-name", "starttls", "EHLO example.com\nSTARTTLS\n"),
        (Tls::Offered, "stranger", "starttls", "EHLO example.com\nSTARTTLS\n"),
        (Tls::Injected, "p256", "starttls", "EHLO example.com\nSTARTTLS\n"),
        // Without STARTTLS, or with it cut out on the way.
        (Tls::None, "p256", "starttls", "EHLO example.com\nQUIT\n"),
    ] {
        let (desk, fake) = (Desk::open(host, &["email"]), FakeSmtp::start(tls, certificate));
        connected(&desk, fake.provider(security));

        let notice = desk.hello(ADA);
        let tried = tried(&desk, &notice, || fake.connections() > 0);

        let what = format!("{tls:?} {certificate}: {tried}");
        assert!(tried["why"].as_str().unwrap().starts_with("smtp: "), "{what}");
        assert_eq!(fake.arrived(), [], "{what}");
        let heard = fake.in_the_clear();
        assert!(told.starts_with(&heard), "{what}: {heard}");

        let other = FakeMail::start();
        desk.connect(&other, "resend", 20, json!({}));
        let second = desk.hello(ADA);
        desk.until_state(&second, "sent");
        assert_eq!((other.taken().len(), fake.arrived().len()), (1, 0), "{what}");
    }
}

/// Says why, in words that help: where TLS is ours we know.
fn what_is_wrong_with_tls_is_told(host: &Host) {
    if let Host::Workerd(_) = host {
        println!("skipped: workerd does not say what is wrong with a certificate");
        return;
    }
    for (tls, certificate, security, why) in [
        (Tls::Implicit, "stranger", "tls", "no root that is trusted"),
        (Tls::Implicit, "other-name", "tls", "for another name"),
        (Tls::Offered, "expired", "starttls", "not valid at this time"),
        (Tls::Old, "p256", "starttls", "TLS 1.3"),
        (Tls::Injected, "p256", "starttls", "spoke before TLS"),
        (Tls::None, "p256", "starttls", "offers no STARTTLS"),
        (Tls::None, "p256", "tls", "no TLS"),
    ] {
        let (desk, fake) = (Desk::open(host, &["email"]), FakeSmtp::start(tls, certificate));
        connected(&desk, fake.provider(security));

        let notice = desk.hello(ADA);
        let tried = tried(&desk, &notice, || fake.connections() > 0);

        assert!(tried["why"].as_str().unwrap().contains(why), "{tls:?} {certificate}: {tried}");
    }
}

/// Before the final dot a mail is nobody's; after it, it may be the server's, which is asked again
/// before anybody else.
fn a_line_that_breaks(host: &Host) {
    for (fault, arrives) in [
        (Fault::HangUp(""), 1),
        (Fault::HangUp("EHLO"), 1),
        (Fault::HangUp("AUTH"), 1),
        (Fault::HangUp("RCPT"), 1),
        (Fault::HangUp("DATA"), 1),
        (Fault::HangUp("."), 1),
        (Fault::Lost, 2),
    ] {
        let (desk, fake) = (Desk::open(host, &["email"]), FakeSmtp::start(Tls::None, "p256"));
        let id = connected(&desk, fake.provider("none"));
        fake.fail(std::slice::from_ref(&fault));
        let is_after_the_dot = matches!(fault, Fault::HangUp(".") | Fault::Lost);
        let other = FakeMail::start();
        if is_after_the_dot {
            desk.connect(&other, "sendgrid", 20, json!({}));
        }

        let notice = desk.hello(ADA);
        let sent = desk.until_state(&notice, "sent");

        assert_eq!(sent["provider"], json!(id), "{fault:?}");
        assert_eq!(other.taken(), [], "{fault:?}");
        let arrived = fake.arrived();
        assert_eq!(arrived.len(), arrives, "{fault:?}");
        assert!(arrived.iter().all(|it| it.mime == arrived[0].mime), "{fault:?}: to the byte");
        assert_eq!(fake.connections(), 2, "{fault:?}");
    }
}

fn what_a_server_says_no_to(host: &Host) {
    for (word, said, state) in [
        ("", "421 4.3.2 busy", "sent"),
        ("EHLO", "421-4.3.2 so\r\n421 4.3.2 busy", "sent"),
        ("MAIL", "451 4.3.0 later", "sent"),
        ("RCPT", "450 4.2.1 greylisted", "sent"),
        (".", "452 4.3.1 no room", "sent"),
        ("MAIL", "553 5.7.1 not your address", "failed"),
        ("RCPT", "550-5.1.1 there is\r\n550 5.1.1 nobody here", "failed"),
        ("DATA", "554 5.5.0 no", "failed"),
        (".", "550 5.7.1 spam", "failed"),
    ] {
        let (desk, fake) = (Desk::open(host, &["email"]), FakeSmtp::start(Tls::None, "p256"));
        connected(&desk, fake.provider("none"));
        fake.fail(&[Fault::Say(word, said)]);

        let notice = desk.hello(ADA);
        let delivery = desk.until_state(&notice, state);

        assert_eq!(fake.arrived().len(), usize::from(state == "sent"), "{said}");
        if state == "failed" {
            let (why, code) = (delivery["why"].as_str().unwrap(), &said[..3]);
            assert!(why.starts_with("smtp: ") && why.contains(code), "{why}");
            assert_eq!(fake.connections(), 1, "{said}: not tried again");
        }
    }
}

fn nonsense_is_no_answer(host: &Host) {
    for said in ["HTTP/1.1 400 Bad Request", "220 a\r\n999 b", "22"] {
        let (desk, fake) = (Desk::open(host, &["email"]), FakeSmtp::start(Tls::None, "p256"));
        connected(&desk, fake.provider("none"));
        fake.fail(&[Fault::Say("", said)]);

        let notice = desk.hello(ADA);
        desk.until_state(&notice, "sent");

        assert_eq!(fake.arrived().len(), 1, "{said}: the second time");
    }
}

fn a_wrong_password_is_mended(host: &Host) {
    let (desk, fake) = (Desk::open(host, &["email"]), FakeSmtp::start(Tls::Offered, "p256"));
    let mut new = fake.provider("starttls");
    new["key"] = json!("wrong");
    let id = connected(&desk, new);
    let notice = desk.hello(ADA);
    let tried = tried(&desk, &notice, || fake.connections() == 1);
    let why = tried["why"].as_str().unwrap();
    assert!(why.contains("535 5.7.8"), "{why}");
    assert!(!why.contains("wrong\"") && !why.contains(PASSWORD), "{why}");

    desk.send("PATCH", &format!("{PROVIDERS}/{id}"), json!({"key": PASSWORD}));

    desk.until_state(&notice, "sent");
}

/// The password goes to nobody whom whoever set it did not mean.
fn a_new_server_is_told_the_password_only_by_who_knows_it(host: &Host) {
    let (desk, fake) = (Desk::open(host, &["email"]), FakeSmtp::start(Tls::None, "p256"));
    let id = connected(&desk, fake.provider("none"));
    let thief = FakeSmtp::start(Tls::None, "p256");
    let path = format!("{PROVIDERS}/{id}");
    let moved = json!({"smtp": thief.provider("none")["smtp"]});

    let refused = desk.ask("PATCH", &path, moved.clone());

    assert_eq!(refused.status, 422);
    assert_eq!(refused.text("/path"), "key");
    let shown = desk.get(&path);
    assert!(!shown.to_string().contains(PASSWORD), "{shown}");
    let mut keyed = moved;
    keyed["key"] = json!(PASSWORD);
    desk.send("PATCH", &path, keyed);
    assert_eq!(desk.get(&path)["smtp"]["port"], thief.port);
}

fn a_name_that_leads_nowhere_is_told(host: &Host) {
    let desk = Desk::open(host, &["email"]);
    let mut new = FakeSmtp::start(Tls::Implicit, "p256").provider("tls");
    new["smtp"]["host"] = json!("relay.internal.example");
    connected(&desk, new);

    let notice = desk.hello(UNWANTED);
    let tried = tried(&desk, &notice, || true);

    assert!(tried["why"].as_str().unwrap().starts_with("smtp: "), "{tried}");
}

/// As it serves the internet, nothing private is connected to, whatever the port.
fn nothing_private_is_connected_to(host: &Host) {
    let (desk, fake) = (Desk::open(host, &["email"]), FakeSmtp::start(Tls::None, "p256"));
    for port in [fake.port, 587] {
        let mut new = fake.provider("none");
        new["smtp"]["port"] = json!(port);
        connected(&desk, new);
    }

    let notice = desk.hello(ADA);
    let tried = tried(&desk, &notice, || true);

    assert_eq!(fake.connections(), 0, "{tried}");
}

#[test]
fn whole_mails() {
    Host::everywhere("whole", &[], a_server_gets_the_whole_mail);
}

#[test]
fn trust() {
    Host::everywhere("trust", &[], a_server_that_cannot_be_trusted_is_told_nothing);
}

#[test]
fn words_on_tls() {
    Host::everywhere("words", &[], what_is_wrong_with_tls_is_told);
}

#[test]
fn broken_lines() {
    Host::everywhere("broken", &[], a_line_that_breaks);
}

#[test]
fn refusals() {
    Host::everywhere("refusals", &[], what_a_server_says_no_to);
}

#[test]
fn nonsense() {
    nonsense_is_no_answer(&Host::memory());
}

#[test]
fn a_wrong_password() {
    Host::everywhere("password", &[], a_wrong_password_is_mended);
}

#[test]
fn another_server() {
    a_new_server_is_told_the_password_only_by_who_knows_it(&Host::memory());
}

#[test]
fn an_unknown_name() {
    a_name_that_leads_nowhere_is_told(&Host::memory());
}

#[test]
fn private_addresses() {
    for name in Host::asked_for() {
        let state = tempfile::tempdir().unwrap();
        match name.as_str() {
            "local" | "workerd" => {
                nothing_private_is_connected_to(&Host::start_in_production(&name, state.path()));
            }
            _ => println!("skipped: {name} has no configuration of its own"),
        }
    }
    let host = Host::memory();
    if let Host::Memory(it) = &host {
        it.set("outbound_hosts", Some("tcp://*:*"));
    }
    nothing_private_is_connected_to(&host);
}
