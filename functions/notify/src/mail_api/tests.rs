//! What answers mean, and what is in a request.

use serde_json::json;
use shared::domain::{Address, Id};

use super::*;
use crate::{
    files::FILES_BYTES_MAX,
    template::{RENDERED_BYTES_MAX, Rendered},
    thread::Thread,
};

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
fn each_api_is_given_the_files_in_its_own_words() {
    let files = [File {
        name: "T-1.pdf".to_owned(),
        kind: "application/pdf".to_owned(),
        bytes: vec![0, 255, 10],
    }];
    for (kind, expected) in [
        (
            Kind::Resend,
            json!({"/attachments/0/filename": "T-1.pdf", "/attachments/0/content": "AP8K",
                "/attachments/0/content_type": "application/pdf"}),
        ),
        (
            Kind::Postmark,
            json!({"/Attachments/0/Name": "T-1.pdf", "/Attachments/0/Content": "AP8K",
                "/Attachments/0/ContentType": "application/pdf"}),
        ),
        (
            Kind::Sendgrid,
            json!({"/attachments/0/filename": "T-1.pdf", "/attachments/0/content": "AP8K",
                "/attachments/0/type": "application/pdf",
                "/attachments/0/disposition": "attachment"}),
        ),
    ] {
        let body: Value = serde_json::from_slice(&posted(kind, &files).body).unwrap();
        for (path, value) in expected.as_object().unwrap() {
            assert_eq!(body.pointer(path), Some(value), "{kind:?}: {body}");
        }
        let body: Value = serde_json::from_slice(&posted(kind, &[]).body).unwrap();
        assert!(!body.to_string().to_lowercase().contains("attachments"), "{body}");
    }
}

#[test]
fn the_most_that_a_mail_carries_fits_into_what_the_least_takes() {
    let bytes = vec![255; usize::try_from(FILES_BYTES_MAX).unwrap()];
    let file = File { name: "a".to_owned(), kind: "application/pdf".to_owned(), bytes };

    let body = posted(Kind::Postmark, &[file]).body;

    assert!(body.len() + 3 * RENDERED_BYTES_MAX < 10_000_000, "{}", body.len());
}

#[test]
fn the_key_is_in_no_body() {
    for kind in Kind::ALL.into_iter().filter(|it| *it != Kind::Smtp) {
        let post = posted(kind, &[]);

        let body = String::from_utf8(post.body).unwrap();
        assert!(!body.contains("very-secret-key"), "{body}");
        assert!(body.contains("dlv_1"), "{body}");
        assert!(!format!("{:?}", post.headers).contains("very-secret-key"));
    }
}

#[test]
fn each_is_told_in_its_own_words_which_file_is_among_the_words() {
    let bytes = vec![1];
    let files = ["logo.png", "other.png"].map(|name| {
        let kind = "image/png".to_owned();
        File { name: name.to_owned(), kind, bytes: bytes.clone() }
    });
    let id = "0.dlv_1@inline.invalid";
    for (kind, name, inline, attached) in [
        (Kind::Resend, "attachments", json!({"content_id": id}), json!({})),
        (Kind::Postmark, "Attachments", json!({"ContentID": format!("cid:{id}")}), json!({})),
        (
            Kind::Sendgrid,
            "attachments",
            json!({"content_id": id, "disposition": "inline"}),
            json!({"disposition": "attachment"}),
        ),
    ] {
        let html = "<img src=\"cid:logo.png\">";
        let body: Value =
            serde_json::from_slice(&posted_as(kind, html, &files, None).body).unwrap();

        let all = &body[name];
        for (given, expected) in [(&all[0], inline), (&all[1], attached)] {
            let words = ["content_id", "ContentID", "disposition"];
            let shown: serde_json::Map<_, _> = words
                .into_iter()
                .filter_map(|it| Some((it.to_owned(), given.get(it)?.clone())))
                .collect();
            assert_eq!(Value::Object(shown), expected, "{kind:?}");
        }
        assert!(body.to_string().contains(&format!("cid:{id}\\\"")), "{body}");
    }
}

#[test]
fn each_is_told_of_the_thread() {
    let thread = Thread {
        message_id: Some("tmg_1@example.com".to_owned()),
        in_reply_to: vec!["a@b".to_owned()],
        references: vec!["root@b".to_owned(), "a@b".to_owned()],
        person: true,
        ..Thread::default()
    };
    for kind in [Kind::Resend, Kind::Postmark, Kind::Sendgrid] {
        let body = String::from_utf8(posted_as(kind, "<p>T</p>", &[], Some(&thread)).body).unwrap();

        for word in ["<tmg_1@example.com>", "In-Reply-To", "<root@b> <a@b>", "References"] {
            assert!(body.contains(word), "{kind:?} {word}: {body}");
        }
        assert!(!body.contains("Auto-Submitted"), "{body}");
        assert_eq!(body.contains("X-PM-KeepID"), kind == Kind::Postmark, "{body}");
    }
}

/// A mail with these files, as it is given to a provider of this kind.
fn posted(kind: Kind, files: &[File]) -> Post {
    posted_as(kind, "<p>T</p>", files, None)
}

fn posted_as(kind: Kind, html: &str, files: &[File], thread: Option<&Thread>) -> Post {
    let provider: Provider = serde_json::from_value(json!({
        "id": "npr_1", "name": "x", "kind": "ses", "priority": 1,
        "rate": {"count": 1, "seconds": 1}, "enabled": true, "key_id": "AKIDEXAMPLE",
        "created_at": "2030-01-01T00:00:00Z",
    }))
    .unwrap();
    let secrets = Secrets { key: "very-secret-key".to_owned() };
    let words =
        Rendered { language: None, subject: "S".into(), text: "T".into(), html: html.into() };
    let who = Mailbox { name: None, address: Address::parse("ada@example.com").unwrap() };
    let mail = Mail {
        id: &Id::trusted("dlv_1".to_owned()),
        from: &who,
        to: &who,
        reply_to: None,
        at: Timestamp(0),
        words: &words,
        unsubscribe: None,
        thread,
        files,
    };
    let it = Provider { kind, ..provider };
    post(&mail, &it, &secrets, "example.com", Timestamp(0)).unwrap()
}
