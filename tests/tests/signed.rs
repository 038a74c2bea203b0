//! What we send is believed by somebody else's library, and nothing of it with a byte changed.
//!
//! `BACKPLANE_RUNTIMES=local,workerd cargo test -p tests --test signed`. Needs `npm ci`.

use std::{
    collections::BTreeMap,
    io::Write,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

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
    json!({"kind": kind, "key": key, "headers": headers, "body": body})
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

fn public_keys(host: &Host, at: &Sandbox) -> Vec<String> {
    let path = format!("/.well-known/webhook-keys/{}", at.tenant);
    let keys = host.ask("GET", &path, "none", &Value::Null).json();
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

#[test]
fn both_signatures_are_believed_and_nothing_that_was_changed() {
    if !root().join("node_modules/standardwebhooks").exists() {
        println!("skipped: npm ci has not been run");
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
