//! What the providers sign, by their documents' own samples where there is one, and what is
//! refused.

use data_encoding::{BASE64, HEXLOWER};
use http::HeaderMap;

use super::*;
use crate::recipe::Overrides;

const NOW_SECONDS: i64 = 1_893_456_000;

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    let pair = |(name, value): &(&str, &str)| {
        (http::HeaderName::try_from(*name).unwrap(), value.parse().unwrap())
    };
    pairs.iter().map(pair).collect()
}

fn named(name: &str) -> Recipe {
    Recipe::named(name).unwrap()
}

fn post(
    recipe: &str,
    secret: &str,
    pairs: &[(&str, &str)],
    body: &[u8],
) -> Result<Verified, Refusal> {
    let headers = headers(pairs);
    verify(&named(recipe), &[secret.to_owned()], &Incoming::post(&headers, body), NOW_SECONDS)
}

// The samples of Twilio's library; their token is shorter than a secret may be.
#[test]
fn the_samples_of_twilio_are_what_we_would_sign() {
    let form = b"CallSid=CA1234567890ABCDE&Caller=%2B12349013030&Digits=1234\
        &From=%2B12349013030&To=%2B18005551212";
    let kind = headers(&[("content-type", "application/x-www-form-urlencoded")]);
    let base = Some("https://mycompany.com".to_owned());
    let incoming =
        Incoming { base, path_and_query: "/myapp.php?foo=1&bar=2", ..Incoming::post(&kind, form) };
    let none = String::new();
    let sent = Sent { id: none.clone(), timestamp: none, incoming: &incoming, json: None };
    let recipe = named("twilio");

    let values = sent.values(&recipe).unwrap();
    let message = values.message(recipe.signature.signed.as_ref(), "");
    let tag = check::tag(recipe.signature.algorithm, b"12345", &message);

    assert_eq!(BASE64.encode(&tag), "0/KCTR6DLpKmkAf8muzZqo1nDgQ=");
}

#[test]
fn a_body_of_twilio_that_is_no_form_is_known_by_its_hash() {
    let recipe = named("twilio");
    let secrets = ["an-auth-token".to_owned()];
    let body = br#"{"property": "value", "boolean": true}"#;
    let hash = "0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620";
    let verify = |query: &str, body: &[u8]| {
        let path = format!("/in/src_1?{query}");
        let base = Some("https://hooks.example.com".to_owned());
        let none = HeaderMap::new();
        let unsigned = Incoming { base, path_and_query: &path, ..Incoming::post(&none, body) };
        let signed = sign_request(&recipe, "an-auth-token", "", 0, &unsigned).unwrap();
        let headers = headers(&[(&*signed[0].0, &*signed[0].1)]);
        verify(&recipe, &secrets, &Incoming { headers: &headers, ..unsigned }, 0)
    };

    assert!(verify(&format!("bodySHA256={hash}"), body).is_ok());

    assert_eq!(verify(&format!("bodySHA256={hash}"), b"{}"), Err(Refusal::BadSignature));
    let missing = Err(Refusal::BodyHashMissing { name: "bodySHA256".to_owned() });
    assert_eq!(verify("a=b", body), missing);
    assert_eq!(verify(&format!("bodySHA256={hash}&bodySHA256={hash}"), body), missing);
    assert!(verify("a=b", b"").is_ok(), "and of nothing there is nothing to change");
}

#[test]
fn an_address_that_is_signed_must_be_known() {
    let pairs = [
        ("x-hubspot-signature-v3", "AAAA"),
        ("x-hubspot-request-timestamp", "1893456000000"),
        ("content-type", "application/json"),
    ];
    assert_eq!(post("hubspot", "client-secret", &pairs, b"[]"), Err(Refusal::UrlUnknown));
}

#[test]
fn our_address_is_the_one_that_the_source_says_or_the_one_that_was_called() {
    let url = |recipe: &Recipe, uri: &str, host: &str| {
        let request = http::Request::post(uri).header("host", host);
        Incoming::of(recipe, &request.body(Default::default()).unwrap()).url()
    };
    let plain = named("twilio");
    let called = |uri, host| url(&plain, uri, host).unwrap();
    assert_eq!(called("/in/s?a=1", "hooks.example.com"), "https://hooks.example.com/in/s?a=1");
    assert_eq!(called("http://hooks.example.com/in/s", "x"), "https://hooks.example.com/in/s");
    assert_eq!(called("http://127.0.0.1:3000/in/s", "x"), "http://127.0.0.1:3000/in/s");
    assert_eq!(called("/in/s", "[::1]:3000"), "http://[::1]:3000/in/s");
    assert_eq!(called("/in/s", "localhost"), "http://localhost/in/s");

    let public_url = Some("https://hooks.acme.test/backplane".to_owned());
    let named = plain.with(Overrides { public_url, ..Overrides::default() }).unwrap();
    let expected = "https://hooks.acme.test/backplane/in/s";
    assert_eq!(url(&named, "http://10.0.0.7/in/s", "x").unwrap(), expected);
}

#[test]
fn a_token_and_a_password_are_compared_whole() {
    let token = |it: &str| post("gitlab-token", "a-secret-token", &[("x-gitlab-token", it)], b"{}");
    assert!(token("a-secret-token").is_ok());
    for wrong in ["a-secret-toke", "a-secret-tokens", "A-secret-token", "x"] {
        assert_eq!(token(wrong), Err(Refusal::BadSignature), "{wrong}");
    }

    let basic = |it: &str| post("basic", "user:pass word", &[("authorization", it)], b"");
    let good = BASE64.encode(b"user:pass word");
    assert!(basic(&format!("Basic {good}")).is_ok());
    assert!(basic(&format!("bASIC  {good}")).is_ok());
    assert_eq!(basic("Basic dXNlcjpwYXNz"), Err(Refusal::BadSignature));
    for wrong in ["Basic", "Basic !", &format!("Bearer {good}"), &good] {
        assert_eq!(basic(wrong).unwrap_err().code(), "malformed-header", "{wrong}");
    }

    let bearer = |it: &str| post("cloudevents", "a-secret-token", &[("authorization", it)], b"");
    assert!(bearer("Bearer a-secret-token").is_ok());
    assert_eq!(bearer("a-secret-token").unwrap_err().code(), "no-signature");
}

#[test]
fn without_verification_everything_is_taken() {
    let recipe = named("none");

    let verified = verify(&recipe, &[], &Incoming::post(&HeaderMap::new(), b"x"), 0).unwrap();

    assert!(verified.message.starts_with("sha256:"));
    assert_eq!(recipe.warnings().len(), 1);
}

#[test]
fn mailgun_signs_a_token_that_counts_once_and_not_the_body() {
    let key = "a-signing-key";
    let token = "t".repeat(50);
    let message = format!("{NOW_SECONDS}{token}");
    let tag = check::tag(Algorithm::HmacSha256, key.as_bytes(), message.as_bytes());
    let body = |token: &str, event: &str| {
        format!(
            r#"{{"signature":{{"timestamp":"{NOW_SECONDS}","token":"{token}","signature":"{}"}},
            "event-data":{{"event":"{event}","id":"e1"}}}}"#,
            HEXLOWER.encode(&tag)
        )
    };
    let json = [("content-type", "application/json; charset=utf-8")];
    let verify = |body: &str| post("mailgun", key, &json, body.as_bytes());

    let verified = verify(&body(&token, "opened")).unwrap();
    assert_eq!((&*verified.message, verified.event_type.as_deref()), (&*token, Some("opened")));

    let other = verify(&body(&token, "failed")).unwrap();
    assert_eq!(other.message, token, "so that it is a duplicate, whatever it says");
    assert_eq!(verify(&body("another-token", "opened")), Err(Refusal::BadSignature));
    assert_eq!(verify("{}").unwrap_err().code(), "not-in-request");
    let form = [("content-type", "application/x-www-form-urlencoded")];
    assert_eq!(post("mailgun", key, &form, b"").unwrap_err().code(), "wrong-content-type");
}

#[test]
fn a_moment_is_read_as_the_recipe_says() {
    let zendesk = |at: &str| {
        let message = format!("{at}{{}}");
        let tag = check::tag(Algorithm::HmacSha256, b"zendesk-secret", message.as_bytes());
        let signature = BASE64.encode(&tag);
        let pairs = [
            ("x-zendesk-webhook-signature", &*signature),
            ("x-zendesk-webhook-signature-timestamp", at),
        ];
        post("zendesk", "zendesk-secret", &pairs, b"{}")
    };
    assert_eq!(zendesk("2030-01-01T00:00:00Z").unwrap().signed_at_seconds, Some(NOW_SECONDS));
    assert!(zendesk("2030-01-01T01:00:00+01:00").is_ok());
    assert_eq!(zendesk("2029-12-31T23:54:59Z"), Err(Refusal::TooOld { seconds: 301 }));
    assert_eq!(zendesk("1893456000").unwrap_err().code(), "timestamp-malformed");

    let linear = |body: &str| {
        let tag = check::tag(Algorithm::HmacSha256, b"linear-secret", body.as_bytes());
        post(
            "linear",
            "linear-secret",
            &[("linear-signature", &*HEXLOWER.encode(&tag))],
            body.as_bytes(),
        )
    };
    assert!(linear(r#"{"webhookTimestamp":1893456059999}"#).is_ok());
    assert_eq!(linear(r#"{"webhookTimestamp":1893456061000}"#).unwrap_err().code(), "too-new");
    assert_eq!(linear("{}"), Err(Refusal::TimestampMissing));
}

#[test]
fn a_certificate_comes_from_the_hosts_of_the_recipe_by_https() {
    let recipe = named("paypal");
    let url = |it: &str| {
        let headers = headers(&[("paypal-cert-url", it)]);
        key_url(&recipe, &[], &Incoming::post(&headers, b""))
    };
    let good = "https://api.paypal.com/v1/notifications/certs/CERT-1";
    assert_eq!(url(good).unwrap().unwrap().as_str(), good);
    for bad in [
        "http://api.paypal.com/x",
        "https://api.paypal.com.evil.test/x",
        "https://evil.test/api.paypal.com",
        "https://api.paypal.com@evil.test/x",
        "https://user@api.paypal.com/x",
        "https://api.paypal.com:8443/x",
        "https://www.paypal.com/x",
        "https://api.paypal.com\\@evil.test/x/..",
        "//api.paypal.com/x",
        "x",
    ] {
        let refused = url(bad);
        let is_ours = matches!(&refused, Ok(Some(it)) if it.host_str() == Some("api.paypal.com"));
        assert!(refused.is_err() || is_ours && bad.contains('\\'), "{bad}: {refused:?}");
    }
    let none = HeaderMap::new();
    assert_eq!(key_url(&named("stripe"), &[], &Incoming::post(&none, b"")), Ok(None));
}
