//! What we send is believed by somebody else's library, and nothing of it with a byte changed.
//!
//! `BACKPLANE_RUNTIMES=local,workerd cargo test -p tests --test signed`. Needs `npm ci`.

use std::{
    collections::BTreeMap,
    io::Write,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use data_encoding::BASE64;
use serde_json::{Value, json};
use tests::{
    host::{Host, Sandbox},
    local::root,
    sink::{Delivered, Sink},
};

/// How long a delivery may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// What the library of Standard Webhooks says when it is the signature that does not fit.
const NO_V1: &str = "WebhookVerificationError: No matching signature found";
/// The same of node's Ed25519.
const NO_V1A: &str = "Error: no v1a signature fits";
/// Somebody else's public key (RFC 8037, appendix A.2).
const STRANGER: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

/// What the other side's code says of each case.
fn verified(cases: &[Value]) -> Vec<String> {
    let mut node = Command::new("node")
        .arg(root().join("tests/interop/verify.mjs"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    node.stdin.take().unwrap().write_all(json!(cases).to_string().as_bytes()).unwrap();
    let out = node.wait_with_output().unwrap();
    serde_json::from_slice(&out.stdout).unwrap()
}

fn case(kind: &str, key: &str, it: &Delivered) -> Value {
    let headers: BTreeMap<_, _> = it.headers.iter().cloned().collect();
    let body = String::from_utf8(it.body.clone()).unwrap();
    json!({"kind": kind, "key": key, "path": it.path, "headers": headers, "body": body})
}

/// The newest delivery, once there are this many.
fn delivery(sink: &Sink, count: usize) -> Delivered {
    let end = Instant::now() + PATIENCE;
    loop {
        let all = sink.delivered();
        if all.len() >= count {
            return all.last().unwrap().clone();
        }
        assert!(Instant::now() < end, "{} of {count} deliveries", all.len());
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn key_directory(host: &Host, at: &Sandbox) -> Value {
    let path = format!("/.well-known/webhook-keys/{}", at.tenant);
    host.ask("GET", &path, "none", &Value::Null).json()
}

fn public_keys(host: &Host, at: &Sandbox) -> Vec<String> {
    let keys = key_directory(host, at);
    keys["keys"].as_array().unwrap().iter().map(|it| it["x"].as_str().unwrap().to_owned()).collect()
}

fn publish(host: &Host, at: &Sandbox) {
    let event = json!({"type": "order.paid", "data": {"name": "žluťoučký 🐎", "amount": 120}});
    assert_eq!(host.ask("POST", "/v1/webhooks/events", &at.key, &event).status, 202);
}

/// A tenant that lives by the real clock, as the library does.
fn tenant(host: &Host) -> Sandbox {
    let operator = host.operator_key();
    let tenant = host.ask("POST", "/v1/tenants", operator, &json!({"name": "T"})).text("/id");
    let headers =
        [("authorization", &*format!("Bearer {operator}")), ("backplane-tenant", &*tenant)];
    let body = json!({"name": "all", "scopes": ["*"]});
    let made = host.call(tests::host::request("POST", "/v1/keys", &headers, &body));
    Sandbox { tenant, key_id: made.text("/id"), key: made.text("/secret") }
}

fn has_the_libraries() -> bool {
    let there = ["standardwebhooks", "http-message-signatures", "jose"]
        .iter()
        .all(|it| root().join("node_modules").join(it).exists());
    if !there {
        println!("skipped: npm ci has not been run");
    }
    there
}

#[test]
fn both_signatures_are_believed_and_nothing_that_was_changed() {
    if !has_the_libraries() {
        return;
    }
    Host::on_each("signed", |host| {
        let (at, sink) = (tenant(host), Sink::start());
        let settings = json!({"url": format!("{}/signed", sink.url())});
        let made = host.ask("POST", "/v1/webhooks/endpoints", &at.key, &settings);
        let (id, secret) = (made.text("/id"), made.text("/secret"));
        publish(host, &at);
        let sent = delivery(&sink, 1);
        let [key] = &public_keys(host, &at)[..] else { panic!("a new tenant has one key") };

        let good = [case("v1", &secret, &sent), case("v1a", key, &sent)];
        assert_eq!(verified(&good), ["ok", "ok"]);

        let other = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        let mut bad = vec![case("v1", other, &sent), case("v1a", STRANGER, &sent)];
        let mut reasons = vec![NO_V1, NO_V1A];
        for (kind, key, reason) in [("v1", &secret, NO_V1), ("v1a", key, NO_V1A)] {
            let changed = |pointer: &str, value: String| {
                let mut it = case(kind, key, &sent);
                *it.pointer_mut(pointer).unwrap() = value.into();
                it
            };
            let body = String::from_utf8(sent.body.clone()).unwrap();
            let time = sent.header("webhook-timestamp").unwrap().parse::<i64>().unwrap();
            bad.push(changed("/body", body.replace("120", "121")));
            bad.push(changed("/headers/webhook-timestamp", (time + 1).to_string()));
            bad.push(changed("/headers/webhook-id", "evt_other".to_owned()));
            reasons.extend([reason; 3]);
        }
        assert_eq!(verified(&bad), reasons);

        // While a secret or a key is rotated, the one before is as good as the new one.
        let path = format!("/v1/webhooks/endpoints/{id}/rotate");
        let new = host.ask("POST", &path, &at.key, &json!({})).text("/secret");
        host.ask("POST", "/v1/webhooks/signing-keys/rotate", &at.key, &json!({}));
        publish(host, &at);
        let sent = delivery(&sink, 2);
        let mut all = vec![case("v1", &secret, &sent), case("v1", &new, &sent)];
        all.extend(public_keys(host, &at).iter().map(|it| case("v1a", it, &sent)));
        assert_eq!(verified(&all), ["ok"; 4]);
    });
}

#[test]
fn a_signed_http_message_is_believed_and_nothing_that_was_changed() {
    if !has_the_libraries() {
        return;
    }
    Host::on_each("signed", |host| {
        let (at, sink) = (tenant(host), Sink::start());
        let url = format!("{}/signed?a=%20b", sink.url());
        let settings = json!({"url": url, "signatures": ["http_message"]});
        host.ask("POST", "/v1/webhooks/endpoints", &at.key, &settings);
        publish(host, &at);
        let sent = delivery(&sink, 1);
        let good = case("http_message", &key_directory(host, &at).to_string(), &sent);
        assert_eq!(verified(std::slice::from_ref(&good)), ["ok"]);
        assert_eq!(sent.header("webhook-signature"), None);

        let changed = |pointer: &str, value: &str| {
            let mut it = good.clone();
            *it.pointer_mut(pointer).unwrap() = value.into();
            it
        };
        let bad = [
            changed("/body", "{}"),
            changed("/path", "/elsewhere"),
            changed("/headers/content-type", "text/plain"),
            changed("/headers/webhook-id", "evt_other"),
            changed("/headers/webhook-timestamp", "5"),
            changed("/key", "{\"keys\":[]}"),
        ];
        assert!(verified(&bad).iter().all(|it| it != "ok"), "{:?}", verified(&bad));

        host.ask("POST", "/v1/webhooks/signing-keys/rotate", &at.key, &json!({}));
        publish(host, &at);
        let keys = key_directory(host, &at).to_string();
        let sent = delivery(&sink, 2);
        assert!(sent.header("signature").is_some_and(|it| it.contains("sig2=:")));
        assert_eq!(verified(&[case("http_message", &keys, &sent)]), ["ok"]);
    });
}

/// A report of what was used: its file, and the signature of that.
fn report(host: &Host, at: &Sandbox, format: &str) -> (Vec<u8>, String) {
    let meter = json!({"aggregation": "sum", "unit": "call"});
    host.ask("PUT", "/v1/usage/meters/calls", &at.key, &meter);
    let event = json!({"specversion": "1.0", "id": "1", "source": "app", "type": "calls",
        "subject": "acme", "data": {"value": 350}});
    assert_eq!(host.ask("POST", "/v1/usage/events", &at.key, &event).status, 200);
    let new = json!({"meters": ["calls"], "window": {"every": "day"}, "format": format});
    let made = host.ask("POST", "/v1/usage/reports", &at.key, &new);
    let path = format!("/v1/usage/reports/{}", made.text("/id"));
    let end = Instant::now() + PATIENCE;
    while host.ask("GET", &path, &at.key, &Value::Null).text("/state") != "done" {
        assert!(Instant::now() < end, "the report is never done");
        std::thread::sleep(Duration::from_millis(100));
    }
    let bytes = |of: &str| {
        let answer = host.ask("GET", &format!("{path}/{of}"), &at.key, &Value::Null);
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.body.to_vec()
    };
    let file = bytes("file");
    let told = host.ask("GET", &path, &at.key, &Value::Null).text("/sha256");
    assert_eq!(told, shared::domain::sha256_hex(&file));
    (file, String::from_utf8(bytes("signature")).unwrap())
}

#[test]
fn a_report_of_usage_is_believed_and_nothing_that_was_changed() {
    if !has_the_libraries() {
        return;
    }
    Host::on_each("report", |host| {
        let at = tenant(host);
        let (file, signature) = report(host, &at, "json");
        let (pdf, pdf_signature) = report(host, &at, "pdf");
        assert!(pdf.starts_with(b"%PDF-") && pdf.ends_with(b"%%EOF"));
        let mut other_pdf = pdf.clone();
        *other_pdf.last_mut().unwrap() = b'G';
        let case = |keys: &Value, file: &[u8], signature: &str| {
            json!({"kind": "jws", "key": keys.to_string(), "path": "",
                "headers": {"signature": signature}, "body": BASE64.encode(file)})
        };
        // The report made the tenant's first key; its address is there a moment later.
        let end = Instant::now() + PATIENCE;
        while !key_directory(host, &at)["keys"].is_array() {
            assert!(Instant::now() < end, "the keys have no address");
            std::thread::sleep(Duration::from_millis(100));
        }
        let keys = key_directory(host, &at);
        let text = String::from_utf8(file.clone()).unwrap();
        let cases = [
            case(&keys, &file, &signature),
            case(&keys, &pdf, &pdf_signature),
            case(&keys, text.replace("calls", "falls").as_bytes(), &signature),
            case(&keys, &other_pdf, &pdf_signature),
            case(&json!({"keys": []}), &file, &signature),
        ];
        let said = verified(&cases);
        assert_eq!(said[..2], ["ok", "ok"]);
        assert!(
            said[2..4].iter().all(|it| it.contains("JWSSignatureVerificationFailed")),
            "{said:?}"
        );
        assert!(said[4].contains("JWKSNoMatchingKey"), "{said:?}");

        // A key that does not sign any more is found still, by who asks for all of them.
        let now = json!({"overlap_seconds": 0});
        host.ask("POST", "/v1/webhooks/signing-keys/rotate", &at.key, &now);
        let keys = key_directory(host, &at);
        let path = format!("/.well-known/webhook-keys/{}?all=true", at.tenant);
        let all = host.ask("GET", &path, "none", &Value::Null).json();
        let cases = [case(&keys, &file, &signature), case(&all, &file, &signature)];
        let said = verified(&cases);
        assert!(said[0].contains("JWKSNoMatchingKey") && said[1] == "ok", "{said:?}");
    });
}
