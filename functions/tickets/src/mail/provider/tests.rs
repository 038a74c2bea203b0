//! What providers post, and the mail that comes out of it.

use data_encoding::{BASE64, HEXLOWER};
use hmac::{Hmac, KeyInit, Mac};
use proptest::prelude::*;
use rsa::{Pkcs1v15Sign, RsaPrivateKey, pkcs8::DecodePrivateKey};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{
    super::{Incoming, read},
    *,
};

const NOW: i64 = 1_893_456_000;
const RAW: &str = "From: Ada <ada@example.com>\r\nSubject: =?utf-8?q?Caf=C3=A9?=\r\n\
    Message-ID: <1@example.com>\r\n\r\nhello\r\n";

fn incoming(it: &Handed) -> Incoming {
    read(&it.raw, &it.envelope, &[]).unwrap()
}

fn form(fields: &[(&str, Option<&str>, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, file, value) in fields {
        let file = file.map(|it| format!("; filename=\"{it}\"\r\nContent-Type: text/csv"));
        body.extend(
            format!(
                "--xyz\r\nContent-Disposition: form-data; name=\"{name}\"{}\r\n\r\n",
                file.unwrap_or_default()
            )
            .bytes(),
        );
        body.extend(*value);
        body.extend(b"\r\n");
    }
    body.extend(b"--xyz--\r\n");
    body
}

const FORM: &str = "multipart/form-data; boundary=xyz";

#[test]
fn postmark_hands_on_the_mail_or_what_it_made_of_it() {
    let raw = json!({"From": "ada@example.com", "OriginalRecipient": "support+x@example.com", "RawEmail": RAW});
    let handed = postmark(raw.to_string().as_bytes()).unwrap();
    assert_eq!(handed.raw, RAW.as_bytes());
    assert_eq!(incoming(&handed).delivered_to, ["support+x@example.com"]);

    let parsed = json!({"From": "Ada <ada@example.com>", "To": "support@example.com", "Subject": "Café\r\nBcc: x@y",
        "TextBody": "hello", "HtmlBody": "<p>hello</p><img src='cid:a@b'>", "MessageID": "postmark's own",
        "Headers": [{"Name": "Message-ID", "Value": "<1@example.com>"}, {"Name": "Content-Type", "Value": "x"},
            {"Name": "In-Reply-To", "Value": "<0@example.com>"}, {"Name": "X: y\r\nEvil", "Value": "z"}],
        "Attachments": [{"Name": "../ä.txt", "Content": BASE64.encode(b"abc"), "ContentType": "text/plain"},
            {"Name": "a.png", "Content": "AAAA", "ContentType": "image/png", "ContentID": "a@b"}]});
    let it = incoming(&postmark(parsed.to_string().as_bytes()).unwrap());
    assert_eq!((it.subject.as_str(), it.text.as_str()), ("Café Bcc: x@y", "hello"));
    assert_eq!(it.html.as_deref(), Some("<p>hello</p><img src=\"cid:a@b\">"));
    assert_eq!((it.message_id.as_deref(), it.in_reply_to.len()), (Some("1@example.com"), 1));
    let files: Vec<_> =
        it.attachments.iter().map(|it| (it.name.as_str(), it.size, it.inline)).collect();
    assert_eq!(files, [("ä.txt", 3, false), ("a.png", 3, true)]);

    for wrong in ["", "[]", "{}", "{\"From\":1}"] {
        assert!(matches!(postmark(wrong.as_bytes()), Err(Refused::Unfit(_))), "{wrong}");
    }
}

#[test]
fn mailgun_signs_a_time_and_a_token() {
    let sign = |time: &str, token: &str| {
        let mut mac = Hmac::<Sha256>::new_from_slice(b"key").unwrap();
        mac.update(format!("{time}{token}").as_bytes());
        HEXLOWER.encode(&mac.finalize().into_bytes())
    };
    let now = NOW.to_string();
    let body = |time: &str, signature: &str| {
        form(&[
            ("recipient", None, b"support@example.com"),
            ("sender", None, b"ada@example.com"),
            ("body-mime", None, RAW.as_bytes()),
            ("timestamp", None, time.as_bytes()),
            ("token", None, b"abc"),
            ("signature", None, signature.as_bytes()),
        ])
    };
    let handed = mailgun(FORM, &body(&now, &sign(&now, "abc")), Some("key"), NOW).unwrap();
    assert_eq!(incoming(&handed).text, "hello");
    assert_eq!(handed.envelope.from.as_deref(), Some("ada@example.com"));

    let old = (NOW - 50_000).to_string();
    for (time, signature, key) in [
        (&now, sign(&now, "abd"), "key"),
        (&now, sign(&now, "abc"), "other"),
        (&now, String::new(), "key"),
        (&old, sign(&old, "abc"), "key"),
    ] {
        let refused = mailgun(FORM, &body(time, &signature), Some(key), NOW);
        assert!(matches!(refused, Err(Refused::Unsigned(_))), "{signature}");
    }
}

#[test]
fn mailgun_takes_mail_apart_where_it_is_asked_to() {
    let body = form(&[
        ("from", None, b"Ada <ada@example.com>"),
        ("subject", None, "Café".as_bytes()),
        ("body-plain", None, b"hello"),
        (
            "message-headers",
            None,
            br#"[["Message-Id","<1@example.com>"],["Auto-Submitted","auto-replied"]]"#,
        ),
        ("attachment-1", Some("a.csv"), b"a,b\r\n1,2"),
        ("content-id-map", None, b"{}"),
    ]);
    let it = incoming(&mailgun(FORM, &body, None, NOW).unwrap());
    assert_eq!((it.text.as_str(), it.message_id.as_deref()), ("hello", Some("1@example.com")));
    assert_eq!(it.automatic, Some(crate::mail::Automatic::Replied));
    assert_eq!((it.attachments[0].name.as_str(), it.attachments[0].size), ("a.csv", 8));

    let plain = "application/x-www-form-urlencoded";
    let it =
        mailgun(plain, b"from=ada%40example.com&subject=a&body-plain=hello", None, NOW).unwrap();
    assert_eq!(incoming(&it).text, "hello");
    assert!(mailgun(plain, b"", None, NOW).is_err());
    assert!(mailgun("application/json", b"{}", None, NOW).is_err());
}

#[test]
fn sendgrid_says_who_checked_what() {
    let body = form(&[
        ("email", None, RAW.as_bytes()),
        ("envelope", None, br#"{"to":["support+t1@example.com"],"from":"ada@example.com"}"#),
        ("SPF", None, b"pass"),
        ("dkim", None, b"{@example.com : fail, @example.net : pass}"),
    ]);
    let handed = sendgrid(FORM, &body).unwrap();
    assert_eq!(
        handed.verdict,
        Verdict {
            by: "sendgrid".into(),
            spf: Some(super::super::Found::Pass),
            dkim: Some(super::super::Found::Pass),
            ..Verdict::default()
        }
    );
    assert_eq!(incoming(&handed).delivered_to, ["support+t1@example.com"]);

    let body = form(&[
        ("headers", None, b"Message-ID: <1@example.com>\nReferences: <a@b>\n <c@d>\n"),
        ("from", None, b"ada@example.com"),
        ("subject", None, b"a"),
        ("text", None, b"caf\xe9"),
        ("charsets", None, br#"{"text":"iso-8859-7"}"#),
        ("attachment1", Some("a.csv"), b"1"),
        ("attachment-info", None, br#"{"attachment1":{"filename":"b.csv","type":"text/csv"}}"#),
    ]);
    let it = incoming(&sendgrid(FORM, &body).unwrap());
    assert_eq!(it.text, "cafι");
    assert_eq!(it.references, ["a@b", "c@d"]);
    assert_eq!(it.attachments[0].name, "b.csv");
    assert!(sendgrid(FORM, b"").is_err());
}

const TOPIC: &str = "arn:aws:sns:eu-west-1:123456789012:mail";
const GOOD: &str = include_str!("../../../../../fixtures/sns/certificates/good.pem");
const ROOTS: &str = include_str!("../../../../../fixtures/sns/certificates/root.pem");
const KEY: &str = include_str!("../../../../../fixtures/sns/certificates/leaf.key");

fn signed(mut it: Value) -> Value {
    let names = [
        "Message",
        "MessageId",
        "Subject",
        "SubscribeURL",
        "Timestamp",
        "Token",
        "TopicArn",
        "Type",
    ];
    let text: String = names
        .iter()
        .filter_map(|name| Some(format!("{name}\n{}\n", it.get(*name)?.as_str()?)))
        .collect();
    let inside: String = KEY.lines().filter(|it| !it.starts_with("-----")).collect();
    let key = RsaPrivateKey::from_pkcs8_der(&BASE64.decode(inside.as_bytes()).unwrap()).unwrap();
    let hash = Sha256::digest(text.as_bytes());
    it["Signature"] =
        BASE64.encode(&key.sign(Pkcs1v15Sign::new::<Sha256>(), &hash).unwrap()).into();
    it
}

fn notification(message: &Value) -> Value {
    signed(
        json!({"Type": "Notification", "MessageId": "1", "TopicArn": TOPIC, "Message": message.to_string(),
        "Timestamp": "2030-01-01T00:00:00.000Z", "SignatureVersion": "2",
        "SigningCertURL": "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-1.pem"}),
    )
}

fn taken(it: &Value) -> Result<Handed, Refused> {
    let message = sns::Message::parse(it.to_string().as_bytes())?;
    message.certificate()?;
    message.verify(TOPIC, GOOD.as_bytes(), Some(ROOTS), NOW)?;
    ses(&message)
}

fn receipt(content: Option<&str>, encoding: &str) -> Value {
    json!({"notificationType": "Received", "content": content, "mail": {"source": "ada@example.com"},
        "receipt": {"recipients": ["support@example.com"], "spfVerdict": {"status": "PASS"}, "dkimVerdict": {"status": "GRAY"},
            "dmarcVerdict": {"status": "FAIL"}, "action": {"type": "SNS", "encoding": encoding}}})
}

#[test]
fn ses_hands_on_what_sns_signs() {
    for it in [receipt(Some(RAW), "UTF-8"), receipt(Some(&BASE64.encode(RAW.as_bytes())), "BASE64")]
    {
        let handed = taken(&notification(&it)).unwrap();
        assert_eq!(incoming(&handed).text, "hello");
        assert!(handed.verdict.is_forged());
        assert_eq!(handed.envelope.to, ["support@example.com"]);
    }
    let Err(Refused::Unfit(why)) = taken(&notification(&receipt(None, ""))) else { panic!() };
    assert!(why.contains("action SNS"), "{why}");
    assert!(taken(&notification(&json!({"notificationType": "Bounce"}))).is_err());
}

#[test]
fn what_sns_did_not_sign_is_refused() {
    let good = notification(&receipt(Some(RAW), "UTF-8"));
    for (name, value) in [
        ("Message", "{}"),
        ("MessageId", "2"),
        ("TopicArn", "arn:aws:sns:eu-west-1:123456789012:other"),
        ("Subject", "x"),
        ("SignatureVersion", "1"),
        ("Signature", "AAAA"),
        ("Timestamp", "2030-01-01T00:00:01.000Z"),
        ("SigningCertURL", "https://sns.s3-us-west-2.amazonaws.com/x.pem"),
        ("SigningCertURL", "https://evil.example/x.pem"),
        ("SigningCertURL", "https://sns.af-south-1.amazonaws.com/x.pem"),
    ] {
        let mut it = good.clone();
        it[name] = value.into();
        let refused = taken(&it);
        // The certificate that is global is good in each region.
        let is_global = value.contains("af-south-1");
        assert!(is_global || matches!(refused, Err(Refused::Unsigned(_))), "{name}: {refused:?}");
    }
    let twice = good.to_string().replacen('{', "{\"Message\":\"evil\",", 1);
    assert!(sns::Message::parse(twice.as_bytes()).is_err());
    let mut old = good.clone();
    old["Timestamp"] = "2029-12-31T20:00:00.000Z".into();
    assert_eq!(taken(&signed(old)).unwrap_err(), Refused::Unsigned("the message is too old"));
}

proptest! {
    #[test]
    fn no_form_panics(body in "(--xyz|--|\r\n|Content-Disposition: form-data; name=email|; filename=a|:|a){0,30}") {
        drop(sendgrid(FORM, body.as_bytes()));
        drop(mailgun(FORM, body.as_bytes(), Some("k"), 0));
        drop(postmark(body.as_bytes()));
    }
}
