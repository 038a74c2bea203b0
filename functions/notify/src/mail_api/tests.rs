//! What answers mean, and what is in a request.

use shared::domain::Id;

use super::*;
use crate::{address::Address, template::Rendered};

fn answer(
    status: u16,
    headers: &[(&'static str, &'static str)],
    body: &'static str,
) -> HttpResponse {
    let headers = headers
        .iter()
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
    HttpResponse {
        status: StatusCode::from_u16(status).unwrap(),
        headers: headers.collect(),
        body: body.into(),
        cut: false,
    }
}

#[test]
fn each_answer_has_its_meaning() {
    let taken = |it: &str| Sent::Taken(Some(it.to_owned()));
    for (kind, given, expected) in [
        (Kind::Resend, answer(200, &[], r#"{"id":"r1"}"#), taken("r1")),
        (Kind::Postmark, answer(200, &[], r#"{"ErrorCode":0,"MessageID":"p1"}"#), taken("p1")),
        (Kind::Sendgrid, answer(202, &[("x-message-id", "s1")], ""), taken("s1")),
        (Kind::Ses, answer(200, &[], r#"{"MessageId":"a1"}"#), taken("a1")),
        (Kind::Resend, answer(200, &[], "{broken"), Sent::Taken(None)),
    ] {
        assert_eq!(understood(kind, &given), expected, "{given:?}");
    }
}

#[test]
fn what_can_mend_is_tried_again_and_what_cannot_is_refused() {
    let is_later = |kind, given: &HttpResponse| match understood(kind, given) {
        Sent::Later(..) => true,
        Sent::Refused(_) => false,
        other => panic!("{given:?}: {other:?}"),
    };
    let busy = r#"{"name":"concurrent_idempotent_requests","message":"at work"}"#;
    let other = r#"{"name":"invalid_idempotent_request","message":"another body"}"#;
    let paused = [("x-amzn-errortype", "SendingPausedException:http://x/")];
    let rejected = [("x-amzn-errortype", "com.amazonaws.ses#MessageRejected")];
    for (kind, given, later) in [
        (Kind::Resend, answer(409, &[], busy), true),
        (Kind::Resend, answer(409, &[], other), false),
        (Kind::Resend, answer(401, &[], ""), true),
        (Kind::Resend, answer(422, &[], r#"{"message":"no"}"#), false),
        (Kind::Postmark, answer(422, &[], r#"{"ErrorCode":406,"Message":"inactive"}"#), false),
        (Kind::Postmark, answer(422, &[], r#"{"ErrorCode":10,"Message":"key"}"#), true),
        (Kind::Sendgrid, answer(429, &[], ""), true),
        (Kind::Sendgrid, answer(413, &[], ""), false),
        (Kind::Sendgrid, answer(503, &[], ""), true),
        (Kind::Ses, answer(400, &paused, ""), true),
        (Kind::Ses, answer(400, &rejected, ""), false),
    ] {
        assert_eq!(is_later(kind, &given), later, "{given:?}");
    }
}

#[test]
fn a_wait_that_is_asked_for_is_kept_within_an_hour() {
    let wait = |it| match understood(Kind::Resend, &answer(429, &[("retry-after", it)], "")) {
        Sent::Later(_, wait) => wait.map(|it| it.as_secs()),
        other => panic!("{other:?}"),
    };

    assert_eq!((wait("7"), wait("999999"), wait("soon")), (Some(7), Some(3600), None));
}

#[test]
fn a_name_cannot_end_its_quotes() {
    let address = Address::parse("ada@example.com").unwrap();
    let named =
        |name: &str| shown(&Mailbox { name: Some(name.to_owned()), address: address.clone() });

    assert_eq!(named(r#"A" <x@y.zz>"#), r#""A\" <x@y.zz>" <ada@example.com>"#);
    assert_eq!(named("A\r\nBcc: x"), r#""ABcc: x" <ada@example.com>"#);
    assert_eq!(named("\u{7}"), "ada@example.com");
}

#[test]
fn the_key_is_in_no_body() {
    let provider: Provider = serde_json::from_value(serde_json::json!({
        "id": "npr_1", "name": "x", "kind": "ses", "priority": 1,
        "rate": {"count": 1, "seconds": 1}, "enabled": true, "key_id": "AKIDEXAMPLE",
        "created_at": "2030-01-01T00:00:00Z",
    }))
    .unwrap();
    let secrets = Secrets { key: "very-secret-key".to_owned() };
    let words = Rendered { subject: "S".into(), text: "T".into(), html: "<p>T</p>".into() };
    let who = Mailbox { name: None, address: Address::parse("ada@example.com").unwrap() };
    let mail = Mail {
        id: &Id::trusted("dlv_1".to_owned()),
        from: &who,
        to: &who,
        reply_to: None,
        at: Timestamp(0),
        words: &words,
        unsubscribe: None,
    };
    for kind in Kind::ALL {
        let it = Provider { kind, ..provider.clone() };
        let post = post(&mail, &it, &secrets, "example.com", Timestamp(0));

        let body = String::from_utf8(post.body).unwrap();
        assert!(!body.contains("very-secret-key"), "{body}");
        assert!(body.contains("dlv_1"), "{body}");
        assert!(!format!("{:?}", post.headers).contains("very-secret-key"));
    }
}
