//! Webhooks of the fake PayPal: signed by a key whose certificates it publishes.

use std::collections::BTreeMap;

use data_encoding::BASE64;
use http::{HeaderMap, HeaderName, HeaderValue};
use rsa::{Pkcs1v15Sign, RsaPrivateKey, pkcs8::DecodePrivateKey};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use shared::domain::Timestamp;

use super::{FakePayPal, State, issue, link};
use crate::sink::Delivered;

/// PayPal's id of the webhook of the tests.
pub const WEBHOOK_ID: &str = "8PT597110X687430LKGECATA";
/// The root that its certificates lead to.
pub const ROOT: &str = include_str!("../../../fixtures/paypal/certificates/root.pem");
const CHAIN: &str = include_str!("../../../fixtures/paypal/certificates/good.pem");
const KEY: &str = include_str!("../../../fixtures/paypal/certificates/leaf.key");
/// Where its certificates are. The network of the tests leads there.
const CERTIFICATE: &str = "https://api.sandbox.paypal.com/v1/notifications/certs/CERT-1";

impl FakePayPal {
    /// All events so far, in their order.
    pub fn events(&self) -> Vec<Value> {
        self.state().events.clone()
    }

    /// The events as the network may bring them: `chance` gives a number below another one. Some
    /// are lost, some come twice, and none need come in its turn.
    pub fn scrambled(&self, mut chance: impl FnMut(usize) -> usize) -> Vec<Value> {
        let mut left = self.events();
        let mut come = Vec::new();
        while !left.is_empty() {
            let at = chance(left.len());
            match chance(5) {
                0 => drop(left.remove(at)),
                1 => come.push(left[at].clone()),
                _ => come.push(left.remove(at)),
            }
        }
        come
    }

    /// No certificate is to be had any more, or it is again.
    pub fn hide_certificates(&self, hidden: bool) {
        self.state().certificates_are_gone = hidden;
    }

    /// Publishes these certificates, in PEM, in place of its own.
    pub fn publish(&self, chain: &str) {
        self.state().chain = Some(chain.to_owned());
    }

    /// The headers of a body that is sent at `time` to the webhook with this id.
    ///
    /// # Panics
    /// When the key of the tests is none.
    pub fn signed(&self, body: &[u8], webhook: &str, time: Timestamp) -> HeaderMap {
        let id = "b2384410-f8d2-11e4-8bf3-77339302725b";
        let text = format!("{id}|{time}|{webhook}|{}", crc32fast::hash(body));
        let key = RsaPrivateKey::from_pkcs8_der(&der(KEY)).expect("the key is one of RSA");
        let hash = Sha256::digest(text.as_bytes());
        let signature = key.sign(Pkcs1v15Sign::new::<Sha256>(), &hash).expect("it signs");
        let pairs = [
            ("paypal-transmission-id", id.to_owned()),
            ("paypal-transmission-time", time.to_string()),
            ("paypal-transmission-sig", BASE64.encode(&signature)),
            ("paypal-auth-algo", "SHA256withRSA".to_owned()),
            ("paypal-cert-url", CERTIFICATE.to_owned()),
        ];
        let pair = |(name, value): (&'static str, String)| {
            let value = HeaderValue::from_str(&value).expect("it is plain text");
            (HeaderName::from_static(name), value)
        };
        pairs.into_iter().map(pair).collect()
    }
}

fn der(pem: &str) -> Vec<u8> {
    let inside: String = pem.lines().filter(|it| !it.starts_with("-----")).collect();
    BASE64.decode(inside.as_bytes()).expect("PEM is base64")
}

impl State {
    /// The answer to a question for its certificates.
    pub(super) fn certificate(&mut self, path: &str) -> Option<(u16, String)> {
        path.starts_with("/v1/notifications/certs/").then(|| {
            self.calls.push(format!("GET {path}"));
            match self.certificates_are_gone {
                true => (503, String::new()),
                false => (200, self.chain.clone().unwrap_or_else(|| CHAIN.to_owned())),
            }
        })
    }

    pub(super) fn notifications(
        &mut self,
        call: (&str, &[&str]),
        query: &BTreeMap<String, String>,
        request: &Delivered,
    ) -> (u16, Value) {
        match call {
            ("GET", ["webhooks-events"]) => self.list_events(query),
            ("POST", ["verify-webhook-signature"]) => {
                let body = String::from_utf8_lossy(&request.body).into_owned();
                let asked: Value = serde_json::from_str(&body).unwrap_or_default();
                // It knows an event only as it has sent it, byte for byte.
                let is_sent = self.events.iter().any(|it| body.contains(&it.to_string()));
                let is_ours = asked["webhook_id"] == WEBHOOK_ID;
                let status = if is_sent && is_ours { "SUCCESS" } else { "FAILURE" };
                (200, json!({"verification_status": status}))
            }
            _ => issue(404, "INVALID_RESOURCE_ID"),
        }
    }

    /// Events since a time, three on a page.
    fn list_events(&self, query: &BTreeMap<String, String>) -> (u16, Value) {
        let since = query.get("start_time").and_then(|it| Timestamp::parse(it));
        let is_new = |it: &&Value| {
            it["create_time"].as_str().and_then(Timestamp::parse).map(|it| it.0)
                >= since.map(|it| it.0)
        };
        let skipped: usize = query.get("skip").and_then(|it| it.parse().ok()).unwrap_or(0);
        let all: Vec<_> = self.events.iter().filter(is_new).collect();
        let page: Vec<_> = all.iter().skip(skipped).take(3).collect();
        let next = skipped + page.len();
        let mut links = Vec::new();
        if next < all.len() {
            let start = query.get("start_time").cloned().unwrap_or_default();
            let path = "https://api.sandbox.paypal.com/v1/notifications/webhooks-events";
            links.push(link("next", &format!("{path}?start_time={start}&skip={next}")));
        }
        (200, json!({"events": page, "count": page.len(), "links": links}))
    }
}
