//! Browser push through a service on loopback, whose browsers decrypt.
//!
//! `BACKPLANE_RUNTIMES=local,workerd cargo test -p tests --test push`

use serde_json::{Value, json};
use tests::{
    desk::Desk,
    fake_push::{Answer, Browser, FakePush},
    host::Host,
};

const ADA: &str = "ada@example.com";
const KEYS: &str = "/v1/notifications/push/keys";
/// What lets a push service be on loopback.
const HOSTS: (&str, &str) = ("push_hosts", "https://*:*,http://127.0.0.1:*");

/// A tenant that pushes, and the service of its recipients' browsers.
fn open(host: &Host) -> (Desk<'_>, FakePush) {
    let desk = Desk::open(host, &["push"]);
    desk.send("POST", KEYS, Value::Null);
    (desk, FakePush::start())
}

fn subscribe(desk: &Desk, browser: &Browser) -> Value {
    let path = format!("/v1/notifications/push/subscriptions/{ADA}");
    desk.send("POST", &path, json!({"subscription": browser.subscription()}))
}

fn browsers(desk: &Desk) -> usize {
    let path = format!("/v1/notifications/push/subscriptions/{ADA}");
    desk.get(&path)["items"].as_array().unwrap().len()
}

/// A part of what the browser was told so far.
fn told(browser: &Browser, what: &str) -> Vec<Value> {
    browser.read().iter().map(|it| it.json["notification"][what].clone()).collect()
}

fn a_browser_reads_what_was_sent(host: &Host) {
    let (desk, service) = open(host);
    let browser = service.browser(1);
    subscribe(&desk, &browser);
    let template = json!({"subject": "Grüße", "markdown": "Hello **{{ recipient.email }}**."});
    let push = json!({"ttl_seconds": 600, "urgency": "low", "replaces": "about"});
    let workflow = json!({"channels": ["push"], "push": push, "template": template});
    desk.send("PUT", "/v1/notifications/workflows/hello", workflow);

    let notice = json!({"type": "hello", "about": "document:42", "url": "https://example.com/42",
        "to": [{"contact": {"email": ADA}}]});
    for _ in 0..2 {
        let made = desk.send("POST", "/v1/notifications", notice.clone());
        let path = format!("/v1/notifications/{}", made["id"].as_str().unwrap());
        desk.until_state(&path, "sent");
    }

    assert_eq!(told(&browser, "title"), ["Grüße"; 2]);
    assert_eq!(told(&browser, "body"), ["Hello ada@example.com."; 2]);
    assert_eq!(told(&browser, "navigate"), ["https://example.com/42"; 2]);
    let read = browser.read();
    let header = |at: usize, name: &str| read[at].request.header(name).unwrap();
    assert_eq!((header(0, "ttl"), header(0, "urgency")), ("600", "low"));
    assert_eq!(header(0, "topic"), header(1, "topic"), "the second takes the place of the first");
    assert_eq!(told(&browser, "tag")[0], json!(header(0, "topic")));
}

fn a_rotation_loses_no_browser(host: &Host) {
    let (desk, service) = open(host);
    let (old, new) = (service.browser(1), service.browser(2));
    let first = subscribe(&desk, &old)["public_key"].clone();

    desk.send("POST", KEYS, Value::Null);
    let second = subscribe(&desk, &new)["public_key"].clone();
    let notice = desk.hello(ADA);
    desk.until_state(&notice, "sent");

    assert_ne!(first, second);
    assert_eq!(json!(old.read()[0].signed_by), first);
    assert_eq!(json!(new.read()[0].signed_by), second);
    let keys = desk.get(KEYS)["items"].clone();
    assert_eq!((&keys[0]["public_key"], &keys[1]["public_key"]), (&second, &first));
}

fn a_browser_that_is_gone_is_forgotten(host: &Host) {
    for status in [404, 410] {
        let (desk, service) = open(host);
        let (gone, there) = (service.browser(1), service.browser(2));
        subscribe(&desk, &gone);
        service.answer(&gone, &[Answer(status, None)]);

        let notice = desk.hello(ADA);
        let failed = desk.until_state(&notice, "failed");
        assert!(failed["why"].as_str().unwrap().contains("gone"), "{failed}");
        assert_eq!(browsers(&desk), 0);

        subscribe(&desk, &gone);
        subscribe(&desk, &there);
        service.answer(&gone, &[Answer(status, None)]);
        let notice = desk.hello(ADA);
        desk.until_state(&notice, "sent");
        assert_eq!((there.read().len(), browsers(&desk)), (1, 1));
    }
}

fn a_service_that_is_busy_is_asked_again_and_the_others_are_not(host: &Host) {
    let (desk, service) = open(host);
    let (busy, there) = (service.browser(1), service.browser(2));
    subscribe(&desk, &busy);
    subscribe(&desk, &there);
    service.answer(&busy, &[Answer(429, Some(60)), Answer(503, None)]);

    let notice = desk.hello(ADA);
    desk.until_state(&notice, "sent");

    assert_eq!((busy.read().len(), there.read().len()), (3, 1));
    let tags = told(&busy, "tag");
    assert!(tags.iter().all(|it| *it == tags[0]), "each try takes the place of the one before");
}

fn what_is_too_large_goes_without_its_words(host: &Host) {
    let (desk, service) = open(host);
    let (small, closed) = (service.browser(1), service.browser(2));
    subscribe(&desk, &small);
    subscribe(&desk, &closed);
    service.answer(&small, &[Answer(413, None)]);
    service.answer(&closed, &[Answer(403, None)]);

    let notice = desk.hello(ADA);
    desk.until_state(&notice, "sent");

    assert_eq!(told(&small, "body"), ["Hello you.", ""]);
    assert_eq!(told(&small, "title"), ["Hello Ada"; 2]);
    assert_eq!(closed.read().len(), 1, "no other try helps there");
}

/// More browsers than are called in one go, and more than somebody has.
fn each_of_many_browsers_is_called_once(host: &Host) {
    let (desk, service) = open(host);
    let all: Vec<_> = (1..=21).map(|it| service.browser(it)).collect();
    all.iter().for_each(|it| drop(subscribe(&desk, it)));

    let notice = desk.hello(ADA);
    desk.until_state(&notice, "sent");

    let calls: Vec<_> = all.iter().map(|it| it.read().len()).collect();
    assert_eq!(calls[0], 0, "the oldest had to go");
    assert_eq!(calls[1..], [1; 20]);
}

/// A host in memory on which a push service may be on loopback.
fn memory() -> Host {
    let host = Host::memory();
    if let Host::Memory(memory) = &host {
        memory.set(HOSTS.0, Some(HOSTS.1));
    }
    host
}

#[test]
fn a_message() {
    Host::everywhere("message", &[HOSTS], a_browser_reads_what_was_sent);
}

#[test]
fn rotation() {
    Host::everywhere("rotation", &[HOSTS], a_rotation_loses_no_browser);
}

#[test]
fn gone() {
    Host::everywhere("gone", &[HOSTS], a_browser_that_is_gone_is_forgotten);
}

#[test]
fn busy() {
    a_service_that_is_busy_is_asked_again_and_the_others_are_not(&memory());
}

#[test]
fn too_large() {
    Host::everywhere("too large", &[HOSTS], what_is_too_large_goes_without_its_words);
}

#[test]
fn many() {
    Host::everywhere("many", &[HOSTS], each_of_many_browsers_is_called_once);
}
