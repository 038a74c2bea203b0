//! Mail that goes out by SMTP is signed by its sender's domain, and who reads it finds that so.
//!
//! `BACKPLANE_RUNTIMES=local,workerd cargo test -p tests --test dkim`

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tests::{
    desk::Desk,
    fake_smtp::{FakeSmtp, Fault, Tls},
    host::Host,
    signatures::verified,
};

const ADA: &str = "ada@example.com";
const KEYS: &str = "/v1/notifications/dkim/keys";
const RSA: &str = include_str!("../../fixtures/notify/dkim/rsa.key");

/// Makes a key that signs.
fn active(desk: &Desk<'_>, new: Value) -> Value {
    let made = desk.send("POST", KEYS, new);
    let path = format!("{KEYS}/{}", made["id"].as_str().unwrap());
    desk.send("PATCH", &path, json!({"active": true}))
}

fn ed25519(domain: &str, selector: &str) -> Value {
    json!({"domain": domain, "algorithm": "ed25519", "selector": selector})
}

/// What the DNS would say.
fn records(keys: &[&Value]) -> BTreeMap<String, String> {
    let text = |it: &Value| it.as_str().unwrap().to_owned();
    keys.iter().map(|it| (text(&it["record"]["name"]), text(&it["record"]["value"]))).collect()
}

fn both_keys_sign_the_same_mail_each_time(host: &Host) {
    let (desk, fake) = (Desk::open(host, &["email"]), FakeSmtp::start(Tls::None, "p256"));
    desk.send("POST", "/v1/notifications/providers", fake.provider("none"));
    let first = active(&desk, ed25519("example.com", "e1"));
    let rsa = json!({"domain": "example.com", "algorithm": "rsa", "selector": "r1",
        "private_key": RSA});
    let second = active(&desk, rsa);
    assert!(!second.to_string().contains("PRIVATE"), "{second}");
    active(&desk, ed25519("example.org", "other"));
    fake.fail(&[Fault::Lost]);

    let notice = desk.hello(ADA);
    desk.until_state(&notice, "sent");

    let arrived = fake.arrived();
    assert_eq!(arrived.len(), 2, "the first answer was lost");
    assert!(arrived[0].mime == arrived[1].mime, "each try is the same mail");
    let mail = arrived[0].mime.as_slice();
    let records = records(&[&first, &second]);
    assert_eq!(verified(mail, &records), ["e1", "r1"]);
    assert_eq!(String::from_utf8_lossy(mail).matches("DKIM-Signature:").count(), 2);
    let touched = String::from_utf8_lossy(mail).replace("Hello <strong>", "Pay <strong>");
    assert_eq!(verified(touched.as_bytes(), &records), [""; 0]);
    let added = format!("Subject: Pay\r\n{}", String::from_utf8_lossy(mail));
    assert_eq!(verified(added.as_bytes(), &records), [""; 0]);
}

fn the_next_key_takes_the_place_of_the_one_before(host: &Host) {
    let (desk, fake) = (Desk::open(host, &["email"]), FakeSmtp::start(Tls::None, "p256"));
    desk.send("POST", "/v1/notifications/providers", fake.provider("none"));
    let sent_by = |records: &BTreeMap<String, String>| {
        let notice = desk.hello(ADA);
        desk.until_state(&notice, "sent");
        verified(&fake.arrived().last().unwrap().mime, records)
    };
    let first = active(&desk, ed25519("example.com", "s1"));
    let second = desk.send("POST", KEYS, ed25519("example.com", "s2"));
    let records = records(&[&first, &second]);

    assert_eq!(sent_by(&records), ["s1"], "a new key waits for its record");

    let path = format!("{KEYS}/{}", second["id"].as_str().unwrap());
    desk.send("PATCH", &path, json!({"active": true}));
    assert_eq!(sent_by(&records), ["s2"]);
    let listed = desk.get(KEYS)["items"].clone();
    let known: Vec<_> = listed.as_array().unwrap().iter().map(|it| &it["selector"]).collect();
    assert_eq!(known, ["s2", "s1"], "its record is needed until it is deleted");

    desk.send("PATCH", &path, json!({"active": false}));
    assert_eq!(sent_by(&records), [""; 0], "nobody signs");
}

#[test]
fn both_keys() {
    Host::everywhere("both keys", &[], both_keys_sign_the_same_mail_each_time);
}

#[test]
fn rotation() {
    Host::everywhere("rotation", &[], the_next_key_takes_the_place_of_the_one_before);
}
