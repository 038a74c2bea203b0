//! The samples of the providers' own documents, and others computed with Python's `hmac`.

use http::{HeaderName, HeaderValue};

use super::*;
use crate::recipe::{SignedAt, TimeFormat};

const STRIPE_SECRET: &str = "whsec_test_secret";
const STRIPE_BODY: &[u8] = br#"{"id":"evt_1","object":"event","type":"charge.succeeded"}"#;
const STRIPE_SIGNED_AT: i64 = 1_492_774_577;
/// By `STRIPE_SECRET`.
const STRIPE_V1: &str = "91110bb4292e56d95b06660f55b3f65c0157840684729f1271e6da44c1ed57eb";
/// By a secret that is being rotated out.
const STRIPE_V1_OLD: &str = "b1a470f539e21eaa3757e01ea057ce7fb5cf9a3545c4878283a5f63aad5406b6";

const SLACK_SECRET: &str = "8f742231b10e8888abcd99yyyzzz85a5";
const SLACK_SIGNED_AT: i64 = 1_531_420_618;
const SLACK_HANDSHAKE: &[u8] = b"{\"token\":\"t\",\
    \"challenge\":\"3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P\",\
    \"type\":\"url_verification\"}";
/// The form of a slash command, from Slack's document "Verifying requests from Slack".
const SLACK_FORM: &[u8] = b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J\
    &team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA\
    &user_name=roadrunner&command=%2Fwebhook-collect&text=\
    &response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F\
    96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.\
    803a0bc887a14d10d2c447fce8b6703c";

const STANDARD_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const STANDARD_SIGNED_AT: i64 = 1_614_265_330;

/// A request to a built-in recipe, checked at a given time.
struct Case<'a> {
    recipe: &'a str,
    secrets: &'a [&'a str],
    headers: &'a [(&'a str, &'a str)],
    body: &'a [u8],
    now_seconds: i64,
}

impl Case<'_> {
    fn verify(&self) -> Result<Verified, Refusal> {
        let recipe = Recipe::named(self.recipe).unwrap();
        let secrets: Vec<_> = self.secrets.iter().map(|it| it.to_string()).collect();
        verify(
            &recipe,
            &secrets,
            &Incoming::post(&header_map(self.headers), self.body),
            self.now_seconds,
        )
    }
}

fn header_map(headers: &[(&str, &str)]) -> HeaderMap {
    let parse = |(name, value): &(&str, &str)| -> (HeaderName, HeaderValue) {
        (name.parse().unwrap(), HeaderValue::from_bytes(value.as_bytes()).unwrap())
    };
    let mut map = HeaderMap::new();
    for (name, value) in headers.iter().map(parse) {
        map.append(name, value);
    }
    map
}

/// What Stripe's recipe says of `header` when it was signed.
fn stripe(secrets: &[&str], header: &str) -> Result<Verified, Refusal> {
    stripe_at(STRIPE_SIGNED_AT, secrets, header)
}

fn stripe_at(now_seconds: i64, secrets: &[&str], header: &str) -> Result<Verified, Refusal> {
    let headers = &[("stripe-signature", header)];
    Case { recipe: "stripe", secrets, headers, body: STRIPE_BODY, now_seconds }.verify()
}

#[test]
fn the_sample_of_standard_webhooks_verifies() {
    let verified = Case {
        recipe: "standard-webhooks",
        secrets: &[STANDARD_SECRET],
        headers: &[
            ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
            ("webhook-timestamp", "1614265330"),
            ("webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
        ],
        body: br#"{"test": 2432232314}"#,
        now_seconds: STANDARD_SIGNED_AT,
    }
    .verify()
    .unwrap();

    assert_eq!(verified.message, "msg_p5jXN8AQM9LWM0D4loKWxJek");
    assert_eq!(verified.signed_at_seconds, Some(STANDARD_SIGNED_AT));
    assert_eq!((verified.event_type, verified.reply), (None, None));
}

#[test]
fn of_several_standard_webhooks_signatures_the_v1_that_fits_counts() {
    let verify = |signature| {
        Case {
            recipe: "standard-webhooks",
            secrets: &[STANDARD_SECRET],
            headers: &[
                ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
                ("webhook-timestamp", "1614265330"),
                ("webhook-signature", signature),
            ],
            body: br#"{"test": 2432232314}"#,
            now_seconds: STANDARD_SIGNED_AT,
        }
        .verify()
    };

    let several = "v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc= v1a,hnO3f9T8Ytu9HwrXslvumlUp== \
        v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
    assert!(verify(several).is_ok());
    let refused = verify("v1a,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=").unwrap_err();
    assert_eq!(refused.code(), "no-signature");
}

#[test]
fn the_sample_of_github_verifies() {
    let verified = Case {
        recipe: "github",
        secrets: &["It's a Secret to Everybody"],
        headers: &[
            (
                "X-Hub-Signature-256",
                "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
            ),
            ("X-GitHub-Delivery", "72d3162e-cc78-11e3-81ab-4c9367dc0958"),
            ("X-GitHub-Event", "issues"),
        ],
        body: b"Hello, World!",
        now_seconds: 0,
    }
    .verify()
    .unwrap();

    assert_eq!(verified.message, "72d3162e-cc78-11e3-81ab-4c9367dc0958");
    assert_eq!(verified.event_type.as_deref(), Some("issues"));
    assert_eq!(verified.signed_at_seconds, None);
}

#[test]
fn the_sample_of_slack_verifies() {
    let verified = Case {
        recipe: "slack",
        secrets: &[SLACK_SECRET],
        headers: &[
            ("X-Slack-Request-Timestamp", "1531420618"),
            (
                "X-Slack-Signature",
                "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
            ),
        ],
        body: SLACK_FORM,
        now_seconds: SLACK_SIGNED_AT,
    }
    .verify()
    .unwrap();

    assert!(verified.message.starts_with("sha256:"), "a form has no id: {}", verified.message);
    assert_eq!(verified.event_type, None);
}

#[test]
fn slack_is_answered_when_its_handshake_is_signed() {
    let verify = |signature| {
        Case {
            recipe: "slack",
            secrets: &[SLACK_SECRET],
            headers: &[
                ("x-slack-request-timestamp", "1531420618"),
                ("x-slack-signature", signature),
            ],
            body: SLACK_HANDSHAKE,
            now_seconds: SLACK_SIGNED_AT,
        }
        .verify()
    };

    let verified =
        verify("v0=9815b856719f49294457425f6c73f1ccbe3172750a83b6066a7f04c0fdcabec4").unwrap();
    let challenge = "3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P";
    assert_eq!(verified.reply, Some(Reply::Text(challenge.to_owned())));

    let refused =
        verify("v0=0815b856719f49294457425f6c73f1ccbe3172750a83b6066a7f04c0fdcabec4").unwrap_err();
    assert_eq!(refused, Refusal::BadSignature);
}

#[test]
fn the_event_of_slack_has_the_inner_type_and_no_challenge() {
    let recipe = Recipe::named("slack").unwrap();
    let body = br#"{"type":"event_callback","event_id":"Ev1","event":{"type":"message"},
        "challenge":"no"}"#;
    let headers = sign(&recipe, SLACK_SECRET, "", SLACK_SIGNED_AT, body).unwrap();
    let headers: Vec<_> = headers.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();

    let verified = verify(
        &recipe,
        &[SLACK_SECRET.to_owned()],
        &Incoming::post(&header_map(&headers), body),
        SLACK_SIGNED_AT,
    )
    .unwrap();

    assert_eq!(verified.message, "Ev1");
    assert_eq!(verified.event_type.as_deref(), Some("message"));
    assert_eq!(verified.reply, None);
}

#[test]
fn stripe_verifies_whichever_secret_signed_and_wherever_its_v1_stands() {
    let old = "whsec_rotated_out";
    let one = format!("t=1492774577,v1={STRIPE_V1},v0={}", "0".repeat(64));
    let both = format!("t=1492774577,v1={STRIPE_V1_OLD},v1={STRIPE_V1}");

    let verified = stripe(&[STRIPE_SECRET], &one).unwrap();
    assert_eq!(verified.message, "evt_1");
    assert_eq!(verified.event_type.as_deref(), Some("charge.succeeded"));
    assert_eq!(verified.signed_at_seconds, Some(STRIPE_SIGNED_AT));

    for secrets in [&[STRIPE_SECRET][..], &[old], &[old, STRIPE_SECRET], &["whsec_new", old]] {
        assert_eq!(stripe(secrets, &both), Ok(verified.clone()), "{secrets:?}");
    }
    let spaced = format!("v1={}, t=1492774577, v1=junk", STRIPE_V1.to_uppercase());
    assert_eq!(stripe(&[STRIPE_SECRET], &spaced), Ok(verified));
}

#[test]
fn the_v0_of_stripe_proves_nothing() {
    let only_v0 = format!("t=1492774577,v0={STRIPE_V1}");
    let refused = stripe(&[STRIPE_SECRET], &only_v0).unwrap_err();
    assert_eq!(refused.code(), "no-signature");

    let good_v0 = format!("t=1492774577,v1={STRIPE_V1_OLD},v0={STRIPE_V1}");
    assert_eq!(stripe(&[STRIPE_SECRET], &good_v0), Err(Refusal::BadSignature));
}

#[test]
fn a_timestamp_is_good_to_the_edge_of_the_tolerance() {
    let header = format!("t=1492774577,v1={STRIPE_V1}");
    let at = |now_seconds| stripe_at(now_seconds, &[STRIPE_SECRET], &header);

    assert!(at(STRIPE_SIGNED_AT + 300).is_ok());
    assert_eq!(at(STRIPE_SIGNED_AT + 301), Err(Refusal::TooOld { seconds: 301 }));
    assert!(at(STRIPE_SIGNED_AT - 300).is_ok());
    assert_eq!(at(STRIPE_SIGNED_AT - 301), Err(Refusal::TooNew { seconds: 301 }));
    assert!(matches!(at(i64::MAX), Err(Refusal::TooOld { .. })));
    assert!(matches!(at(i64::MIN), Err(Refusal::TooNew { .. })));
}

#[test]
fn an_age_is_only_told_of_what_is_signed() {
    let header = format!("t=1492774577,v1={STRIPE_V1_OLD}");

    let refused = stripe_at(STRIPE_SIGNED_AT + 301, &[STRIPE_SECRET], &header);

    assert_eq!(refused, Err(Refusal::BadSignature));
}

#[test]
fn the_secrets_are_the_sources_own_and_usable() {
    let header = format!("t=1492774577,v1={STRIPE_V1}");
    assert_eq!(stripe(&["whsec_wrong"], &header), Err(Refusal::BadSignature));
    assert_eq!(stripe(&[], &header), Err(Refusal::NoSecret));
    assert_eq!(stripe(&["", "short"], &header), Err(Refusal::NoSecret));
    assert!(stripe(&["", STRIPE_SECRET], &header).is_ok());

    let sixth = [&["whsec_wrong"; SECRETS_MAX][..], &[STRIPE_SECRET]].concat();
    assert_eq!(stripe(&sixth, &header), Err(Refusal::BadSignature));
}

#[test]
fn an_empty_body_can_be_signed() {
    let signature = "0b143541b2e58bb8a2681ed7577ec944676988d66733d6a9d9cd6ccce1022353";
    let header = format!("t=1492774577,v1={signature}");
    let headers = &[("stripe-signature", header.as_str())];
    let now_seconds = STRIPE_SIGNED_AT;
    let secrets = &[STRIPE_SECRET];

    let verified = Case { recipe: "stripe", secrets, headers, body: b"", now_seconds }.verify();

    let empty = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert_eq!(verified.unwrap().message, empty);
}

#[test]
fn a_message_without_a_usable_id_is_known_by_its_body() {
    let recipe = Recipe::named("stripe").unwrap();
    let message = |id: &str| {
        let body = format!(r#"{{"id":{id}}}"#);
        let headers = sign(&recipe, STRIPE_SECRET, "", 0, body.as_bytes()).unwrap();
        let headers: Vec<_> = headers.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        let secrets = [STRIPE_SECRET.to_owned()];
        verify(&recipe, &secrets, &Incoming::post(&header_map(&headers), body.as_bytes()), 0)
            .unwrap()
            .message
    };

    assert_eq!(message("42"), "42");
    assert_eq!(message("\"é\""), "é");
    let longest = "x".repeat(NAME_CHARS_MAX);
    assert_eq!(message(&format!("\"{longest}\"")), longest);
    for id in ["\"\"", "null", "{}", "\"a\\nb\"", &format!("\"{longest}x\""), "not json"] {
        assert!(message(id).starts_with("sha256:"), "{id}");
    }
}

#[test]
fn a_generic_sender_is_described_by_overrides() {
    let generic = Recipe::named("generic-hmac").unwrap();
    let secrets = ["generic-secret".to_owned()];
    let body = br#"{"id":42}"#;
    let plain = "1d0f5ad5c0f2710ba0cb34b7f56511bc0b502a274689857ccee76417199685f6";
    let verified = verify(
        &generic,
        &secrets,
        &Incoming::post(&header_map(&[("x-signature", plain)]), body),
        0,
    )
    .unwrap();
    let hash = "sha256:17b4db064e17f4878e391177e6ca623b798911f34014bc9e78920993d7dd27ad";
    assert_eq!(verified.message, hash);

    let changes = serde_json::json!({
        "header": "x-acme", "prefix": "sha1=", "encoding": "base64", "algorithm": "hmac-sha1",
        "signed": "{timestamp}.{body}", "timestamp_header": "x-time",
    });
    let acme = generic.with(serde_json::from_value(changes).unwrap()).unwrap();
    let headers = [("x-acme", "sha1=77GCFkmiMSZkr0avFLwUVIklo0I="), ("x-time", "1492774577")];
    assert!(
        verify(&acme, &secrets, &Incoming::post(&header_map(&headers), body), STRIPE_SIGNED_AT)
            .is_ok()
    );
}

#[test]
fn a_timestamp_in_the_body_counts_too() {
    let mut recipe = Recipe::named("generic-hmac").unwrap();
    let at = Place::Pointer("/sent".to_owned());
    recipe.timestamp = Some(SignedAt { at, format: TimeFormat::Seconds, tolerance_seconds: 300 });
    let verify = |body: &[u8]| {
        let [(name, value)] = &sign(&recipe, "generic-secret", "", 0, body).unwrap()[..] else {
            return Err(Refusal::NoSecret);
        };
        let headers = header_map(&[(name, value)]);
        verify(&recipe, &["generic-secret".to_owned()], &Incoming::post(&headers, body), 1000)
    };

    assert_eq!(verify(br#"{"sent":700}"#).unwrap().signed_at_seconds, Some(700));
    assert_eq!(verify(br#"{"sent":699}"#), Err(Refusal::TooOld { seconds: 301 }));
    assert_eq!(
        verify(br#"{"sent":"1000.5"}"#),
        Err(Refusal::TimestampMalformed { format: TimeFormat::Seconds })
    );
    assert_eq!(
        verify(br#"{"sent":-1}"#),
        Err(Refusal::TimestampMalformed { format: TimeFormat::Seconds })
    );
    assert_eq!(verify(b"sent=1000"), Err(Refusal::TimestampMissing));
}
