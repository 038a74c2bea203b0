//! Webhooks that openssl signed, and what is refused.

use rsa::{Pkcs1v15Sign, RsaPrivateKey, pkcs8::DecodePrivateKey};
use sha2::{Digest, Sha256};
use shared::{
    domain::Timestamp,
    http::{HeaderMap, HeaderName},
    x509::Distrust,
};

use super::text_of;
use crate::paypal::verify::{Refusal, SIMULATOR, Trust, verify};

const WEBHOOK_ID: &str = "8PT597110X687430LKGECATA";
const NOW: Timestamp = Timestamp(1_893_456_000_000);

fn trust() -> Trust {
    Trust {
        webhook_id: WEBHOOK_ID.to_owned(),
        roots: Some(text_of("certificates/root.pem")),
        tolerance_seconds: 300,
    }
}

fn headers(name: &str) -> HeaderMap {
    let pair = |line: &str| {
        let (name, value) = line.split_once(": ").unwrap();
        (HeaderName::try_from(name).unwrap(), value.parse().unwrap())
    };
    text_of(name).lines().map(pair).collect()
}

fn with(name: &'static str, value: &str) -> HeaderMap {
    let mut headers = headers("webhook.headers");
    headers.insert(name, value.parse().unwrap());
    headers
}

fn check(headers: &HeaderMap, body: &[u8]) -> Result<(), Refusal> {
    let chain = text_of("certificates/good.pem");
    verify(headers, body, &trust(), chain.as_bytes(), NOW)
}

fn body() -> Vec<u8> {
    text_of("event-capture-completed.json").into_bytes()
}

#[test]
fn what_was_signed_for_the_webhook_is_believed() {
    assert_eq!(check(&headers("webhook.headers"), &body()), Ok(()));
}

#[test]
fn a_body_that_is_written_anew_is_refused() {
    let event: serde_json::Value = serde_json::from_slice(&body()).unwrap();

    // The same values, in another order and without blanks.
    let anew = event.to_string().into_bytes();

    assert_ne!(anew, body());
    let refusal = check(&headers("webhook.headers"), &anew).unwrap_err();
    assert_eq!(refusal, Refusal::Signature);
    assert!(refusal.to_string().contains("writes the body anew"), "{refusal}");
}

#[test]
fn the_simulator_is_told_by_name() {
    let body = text_of("event-simulator.json").into_bytes();
    let headers = headers("simulator.headers");

    let refusal = check(&headers, &body).unwrap_err();

    assert_eq!(refusal, Refusal::Simulator);
    assert!(refusal.to_string().contains("simulator"), "{refusal}");
    // Not even by who sets its word as the webhook's id.
    let chain = text_of("certificates/good.pem");
    let trust = Trust { webhook_id: SIMULATOR.to_owned(), ..trust() };
    let refused = verify(&headers, &body, &trust, chain.as_bytes(), NOW);
    assert_eq!(refused, Err(Refusal::Simulator));
}

#[test]
fn a_certificate_is_paypals_own() {
    let distrust = |name: &str| {
        let chain = text_of(&format!("certificates/{name}.pem"));
        verify(&headers("webhook.headers"), &body(), &trust(), chain.as_bytes(), NOW).unwrap_err()
    };
    assert_eq!(distrust("expired"), Refusal::Certificate(Distrust::Expired));
    assert_eq!(distrust("unknown"), Refusal::Certificate(Distrust::UnknownRoot));
    assert_eq!(distrust("other"), Refusal::Certificate(Distrust::WrongName));
    assert_eq!(distrust("short"), Refusal::Certificate(Distrust::UnknownRoot));
    let rootless = Trust { roots: None, ..trust() };
    let chain = text_of("certificates/good.pem");
    let refused = verify(&headers("webhook.headers"), &body(), &rootless, chain.as_bytes(), NOW);
    assert_eq!(refused, Err(Refusal::Certificate(Distrust::UnknownRoot)));
}

#[test]
fn a_certificate_is_at_an_address_of_paypals() {
    for bad in [
        "http://api.paypal.com/v1/notifications/certs/CERT-1",
        "https://api.paypal.com.evil.test/CERT-1",
        "https://evil.test/api.paypal.com/CERT-1",
        "https://api.paypal.com@evil.test/CERT-1",
        "https://user@api.paypal.com/CERT-1",
        "https://user:pass@api-m.paypal.com/CERT-1",
        "https://api.paypal.com:8443/CERT-1",
        "https://www.paypal.com/CERT-1",
        "https://169.254.169.254/CERT-1",
        "//api.paypal.com/CERT-1",
        "CERT-1",
    ] {
        let refused = check(&with("paypal-cert-url", bad), &body());
        assert_eq!(refused, Err(Refusal::CertificateAddress), "{bad}");
    }
    for good in ["https://api-m.paypal.com/c", "https://API.PAYPAL.COM:443/c"] {
        assert_eq!(check(&with("paypal-cert-url", good), &body()), Ok(()), "{good}");
    }
}

#[test]
fn a_transmission_is_of_about_now() {
    let at = |seconds: i64| {
        let chain = text_of("certificates/good.pem");
        let now = Timestamp(NOW.0 + seconds * 1000);
        verify(&headers("webhook.headers"), &body(), &trust(), chain.as_bytes(), now)
    };
    assert_eq!([at(0), at(300), at(-300)], [Ok(()), Ok(()), Ok(())]);
    assert_eq!(at(301), Err(Refusal::TooOld(301)));
    assert_eq!(at(-301), Err(Refusal::TooNew(301)));
    // The time is part of what is signed.
    let later = with("paypal-transmission-time", "2030-01-01T00:00:01Z");
    assert_eq!(check(&later, &body()), Err(Refusal::Signature));
}

#[test]
fn a_header_that_is_missing_doubled_or_strange_is_named() {
    for name in [
        "paypal-transmission-id",
        "paypal-transmission-time",
        "paypal-transmission-sig",
        "paypal-auth-algo",
        "paypal-cert-url",
    ] {
        let mut missing = headers("webhook.headers");
        missing.remove(name);
        assert_eq!(check(&missing, &body()), Err(Refusal::Header(name)));
        let mut doubled = headers("webhook.headers");
        doubled.append(name, doubled[name].clone());
        assert_eq!(check(&doubled, &body()), Err(Refusal::Header(name)));
    }
    let time = "paypal-transmission-time";
    assert_eq!(check(&with(time, "yesterday"), &body()), Err(Refusal::Header(time)));
    // Nobody moves the borders of what is signed.
    let id = "paypal-transmission-id";
    assert_eq!(check(&with(id, "a|b"), &body()), Err(Refusal::Header(id)));
    let signature = "paypal-transmission-sig";
    assert_eq!(check(&with(signature, "?"), &body()), Err(Refusal::Header(signature)));
    assert_eq!(check(&with("paypal-auth-algo", "none"), &body()), Err(Refusal::Algorithm));
}

#[test]
fn an_empty_body_has_the_checksum_zero() {
    let mut headers = headers("webhook.headers");
    let id = "paypal-transmission-id";
    let text = format!("{}|2030-01-01T00:00:00Z|{WEBHOOK_ID}|0", headers[id].to_str().unwrap());
    let pem = text_of("certificates/leaf.key");
    let inside: String = pem.lines().filter(|it| !it.starts_with("--")).collect();
    let der = data_encoding::BASE64.decode(inside.as_bytes()).unwrap();
    let key = RsaPrivateKey::from_pkcs8_der(&der).unwrap();
    let hash = Sha256::digest(text);
    let signature = key.sign(Pkcs1v15Sign::new::<Sha256>(), &hash).unwrap();
    let signature = data_encoding::BASE64.encode(&signature);
    headers.insert("paypal-transmission-sig", signature.parse().unwrap());

    assert_eq!(check(&headers, b""), Ok(()));
    assert_eq!(check(&headers, b" "), Err(Refusal::Signature));
}
