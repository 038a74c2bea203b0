//! Amazon SNS: what it signs is believed, and what a stranger makes of that is not.

use data_encoding::BASE64;
use http::HeaderMap;
use rsa::{Pkcs1v15Sign, RsaPrivateKey, pkcs8::DecodePrivateKey};
use serde_json::{Value, json};

use super::*;

const NOW_SECONDS: i64 = 1_893_456_000;
const NOW: &str = "2030-01-01T00:00:00.000Z";
const TOPIC: &str = "arn:aws:sns:eu-west-1:123456789012:ses-feedback";
const CERTIFICATE: &str = "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-1.pem";
const ID: &str = "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324";
const VISIT: &str =
    "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn=a&Token=2336412f37";
const GOOD: &str = include_str!("../../../../fixtures/sns/certificates/good.pem");
const REGION: &str = include_str!("../../../../fixtures/sns/certificates/region.pem");
const OTHER: &str = include_str!("../../../../fixtures/sns/certificates/other.pem");
const KEY: &str = include_str!("../../../../fixtures/sns/certificates/leaf.key");

fn recipe() -> Recipe {
    let mut recipe = Recipe::named("sns").unwrap();
    let roots = include_str!("../../../../fixtures/sns/certificates/root.pem").to_owned();
    recipe.signature.key_url.as_mut().unwrap().roots = Some(roots);
    recipe
}

/// What SNS signs of a message, by its document rather than by ours.
fn string_to_sign(it: &Value) -> String {
    let names: &[&str] = match it["Type"].as_str().unwrap() {
        "SubscriptionConfirmation" | "UnsubscribeConfirmation" => {
            &["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"]
        }
        _ => &["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"],
    };
    let there = names.iter().filter_map(|name| Some((name, it.get(*name)?.as_str()?)));
    there.map(|(name, text)| format!("{name}\n{text}\n")).collect()
}

fn signature(text: &str) -> String {
    let inside: String = KEY.lines().filter(|it| !it.starts_with("-----")).collect();
    let key = BASE64.decode(inside.as_bytes()).unwrap();
    let key = RsaPrivateKey::from_pkcs8_der(&key).unwrap();
    let hash = Sha256::digest(text.as_bytes());
    BASE64.encode(&key.sign(Pkcs1v15Sign::new::<Sha256>(), &hash).unwrap())
}

/// The message as SNS would send it.
fn signed(mut it: Value) -> Value {
    it["Signature"] = signature(&string_to_sign(&it)).into();
    it
}

fn unsigned(kind: &str, message: &str) -> Value {
    json!({"Type": kind, "MessageId": ID, "TopicArn": TOPIC, "Message": message, "Timestamp": NOW,
        "SignatureVersion": "2", "SigningCertURL": CERTIFICATE})
}

fn notification(message: &str) -> Value {
    signed(unsigned("Notification", message))
}

fn confirmation(url: &str) -> Value {
    let mut it = unsigned("SubscriptionConfirmation", "You have chosen to subscribe\nto the topic");
    it["SubscribeURL"] = url.into();
    it["Token"] = "2336412f37".into();
    signed(it)
}

/// The same with other values in it, and the signature as it was.
fn with(mut it: Value, changes: Value) -> Value {
    for (name, value) in changes.as_object().unwrap() {
        it[name] = value.clone();
    }
    it
}

fn check_by(certificate: &str, body: &str) -> Result<Verified, Refusal> {
    let headers: HeaderMap =
        [(http::header::CONTENT_TYPE, "text/plain; charset=UTF-8".parse().unwrap())]
            .into_iter()
            .collect();
    let incoming = Incoming::post(&headers, body.as_bytes());
    let secrets = [TOPIC.to_owned()];
    key_url(&recipe(), &secrets, &incoming)?;
    let incoming = Incoming { certificate: Some(certificate.as_bytes()), ..incoming };
    verify(&recipe(), &secrets, &incoming, NOW_SECONDS)
}

fn check(it: &Value) -> Result<Verified, Refusal> {
    check_by(GOOD, &it.to_string())
}

fn code(it: &Value) -> &'static str {
    check(it).unwrap_err().code()
}

#[test]
fn a_notification_is_known_by_its_id_and_by_the_type_of_ses() {
    let bounce = r#"{"notificationType":"Bounce","mail":{"messageId":"1"}}"#;
    let verified = check(&notification(bounce)).unwrap();

    assert_eq!(verified.message, ID);
    assert_eq!(verified.event_type.as_deref(), Some("Bounce"));
    assert_eq!((verified.reply, verified.signed_at_seconds), (None, Some(NOW_SECONDS)));

    let kind = |message: &str| check(&notification(message)).unwrap().event_type;
    assert_eq!(kind(r#"{"eventType":"Complaint"}"#).as_deref(), Some("Complaint"));
    for other in ["line\nbreak ü", "", "{\"eventType\":{}}", "[1]"] {
        assert_eq!(kind(other).as_deref(), Some("Notification"), "{other}");
    }
    let titled = with(unsigned("Notification", "x"), json!({"Subject": "An alarm"}));
    assert!(check(&signed(titled)).is_ok());
}

#[test]
fn a_subscription_is_confirmed_and_the_end_of_one_is_not() {
    let asked = check(&confirmation(VISIT)).unwrap();
    assert_eq!(asked.reply, Some(Reply::Visit(VISIT.parse().unwrap())));

    // By visiting its address somebody would subscribe again.
    let ended = with(confirmation(VISIT), json!({"Type": "UnsubscribeConfirmation"}));
    let ended = check(&signed(ended)).unwrap();
    assert_eq!((ended.reply, &*ended.event_type.unwrap()), (None, "UnsubscribeConfirmation"));

    for elsewhere in [
        "https://evil.test/",
        "http://sns.eu-west-1.amazonaws.com/",
        "https://sns.evil.com/.amazonaws.com",
        "https://sns.s3-us-west-2.amazonaws.com/x",
        "https://sns.eu-west-1.amazonaws.com:8443/",
        "https://a@sns.eu-west-1.amazonaws.com/",
        "https://169.254.169.254/",
        "x",
        "",
    ] {
        assert_eq!(check(&confirmation(elsewhere)), Err(Refusal::VisitAddress), "{elsewhere}");
    }
    let long = format!("{VISIT}{}", "x".repeat(handshake::ADDRESS_BYTES_MAX));
    assert_eq!(check(&confirmation(&long)), Err(Refusal::VisitAddress));
}

#[test]
fn only_topics_that_the_source_names_are_taken() {
    let other = json!({"TopicArn": format!("{TOPIC}2")});
    let elsewhere = Err(Refusal::SomebodyElses { name: "TopicArn".to_owned() });
    assert_eq!(check(&signed(with(notification("x"), other.clone()))), elsewhere);
    assert_eq!(check(&signed(with(confirmation(VISIT), other))), elsewhere);
    assert_eq!(
        check(&with(notification("x"), json!({"TopicArn": null}))).unwrap_err().code(),
        "not-in-request"
    );
}

#[test]
fn a_message_is_signed_with_sha_256() {
    let old = with(notification("x"), json!({"SignatureVersion": "1"}));
    let refusal = check(&old).unwrap_err();
    assert_eq!(refusal.code(), "other-version");
    assert!(refusal.to_string().contains("SignatureVersion to 2"), "{refusal}");

    let mut none = notification("x");
    none.as_object_mut().unwrap().remove("SignatureVersion");
    assert_eq!(code(&none), "other-version");
}

#[test]
fn what_is_raw_is_not_signed() {
    for raw in [r#"{"notificationType":"Bounce"}"#, "a text", "", "[]", "null"] {
        assert_eq!(check_by(GOOD, raw).unwrap_err().code(), "not-in-request", "{raw}");
    }
}

#[test]
fn a_message_that_was_changed_anywhere_is_refused() {
    let titled = with(unsigned("Notification", "line\nü \"x\""), json!({"Subject": "An alarm"}));
    for body in [signed(titled), confirmation(VISIT)] {
        let body = body.to_string();
        let verified = check_by(GOOD, &body).unwrap();
        for byte in 0..body.len() {
            let mut spoiled = body.clone().into_bytes();
            spoiled[byte] ^= 1;
            let Ok(spoiled) = String::from_utf8(spoiled) else { continue };
            // Where the certificate is, is not signed: there is no other one for the same key.
            let answer = check_by(GOOD, &spoiled);
            let is_address = spoiled.contains(CERTIFICATE);
            assert!(
                answer.is_err() || !is_address && answer.as_ref() == Ok(&verified),
                "{spoiled}"
            );
        }
    }
}

#[test]
fn what_is_not_signed_changes_nothing() {
    let bounce = notification(r#"{"notificationType":"Bounce"}"#);
    let beside = json!({"UnsubscribeURL": "https://evil.test/", "MessageAttributes": {"a": 1},
        "notificationType": "Complaint", "id": "1", "eventType": "x"});

    assert_eq!(check(&with(bounce.clone(), beside)), check(&bounce));

    // What is signed when it is there is not signed here.
    for (name, value) in [("Subject", "x"), ("SubscribeURL", VISIT), ("Token", "x")] {
        assert_eq!(check(&with(bounce.clone(), json!({name: value}))), Err(Refusal::BadSignature));
    }
    let kind = json!({"Type": "SubscriptionConfirmation", "SubscribeURL": VISIT, "Token": "x"});
    assert_eq!(check(&with(bounce, kind)), Err(Refusal::BadSignature));
    let mut tokenless = confirmation(VISIT);
    tokenless.as_object_mut().unwrap().remove("Token");
    assert_eq!(check(&tokenless), Err(Refusal::BadSignature));
}

#[test]
fn a_name_is_there_once_however_it_is_written() {
    let body = notification("x").to_string();
    for name in ["Message", "message", "MESSAGE", "Mes\\u0073age", "me\u{17f}\u{17f}age", "Type"] {
        for twice in [
            body.replacen('{', &format!("{{\"{name}\":\"evil\","), 1),
            body.replacen("\"Message\"", &format!("\"{name}\":\"evil\",\"Message\""), 1),
            format!("{},\"{name}\":\"evil\"}}", &body[..body.len() - 1]),
        ] {
            assert_eq!(check_by(GOOD, &twice).unwrap_err().code(), "field-twice", "{twice}");
        }
    }
}

#[test]
fn a_field_is_a_text_and_hides_no_other() {
    for wrong in [json!(null), json!(1), json!(["x"]), json!({"a": "x"}), json!(true)] {
        for name in ["Message", "Subject", "Token"] {
            let it = with(notification("x"), json!({name: wrong}));
            assert_eq!(check(&it), Err(Refusal::BadField { name: name.to_owned() }), "{wrong}");
        }
    }
    for missing in ["Message", "MessageId", "Timestamp", "TopicArn", "Type", "Signature"] {
        let mut it = notification("x");
        it.as_object_mut().unwrap().remove(missing);
        assert_eq!(code(&it), "not-in-request", "{missing}");
    }

    // A stranger publishes to a topic of their own what reads as a message of ours, and has the
    // rest of what SNS signed in the last field.
    let hidden =
        format!("evil\nMessageId\n1\nTimestamp\n{NOW}\nTopicArn\n{TOPIC}\nType\nNotification");
    let own = json!({"TopicArn": "arn:aws:sns:eu-west-1:666666666666:own"});
    let own = signed(with(unsigned("Notification", &hidden), own));
    let text = string_to_sign(&own);
    let (_, rest) = text.split_once(&format!("{TOPIC}\nType\n")).unwrap();
    let forged = json!({"Message": "evil", "MessageId": "1", "TopicArn": TOPIC,
        "Type": rest.strip_suffix('\n').unwrap()});
    let forged = with(own, forged);
    assert_eq!(string_to_sign(&forged), text, "it is what SNS signed, read in another way");

    assert_eq!(check(&forged), Err(Refusal::BadField { name: "Type".to_owned() }));
}

#[test]
fn the_certificate_comes_from_sns_and_is_of_its_region() {
    let at = |url: &str| with(notification("x"), json!({"SigningCertURL": url}));
    for elsewhere in [
        "http://sns.eu-west-1.amazonaws.com/x.pem",
        "https://sns.evil.com/.amazonaws.com",
        "https://sns.s3.amazonaws.com/x.pem",
        "https://sns.s3-us-west-2.amazonaws.com/x.pem",
        "https://sns.eu-west-1.amazonaws.com.evil.test/x.pem",
        "https://sns.eu-west-1.amazonaws.com@evil.test/x.pem",
        "https://sns.eu-west-1.amazonaws.com./x.pem",
        "https://127.0.0.1/x.pem",
        "https://sns.eu-west-1.amazonaws.com/x.pem?Action=GetTopicAttributes",
        "https://sns.eu-west-1.amazonaws.com/x.pem#1",
        "/x.pem",
        "",
    ] {
        let name = "/SigningCertURL".to_owned();
        assert_eq!(check(&at(elsewhere)), Err(Refusal::KeyAddress { name }), "{elsewhere}");
    }
    let by = |certificate: &str, host: &str| {
        let url = format!("https://{host}/SimpleNotificationService-1.pem");
        check_by(certificate, &at(&url).to_string()).map_err(|it| it.code())
    };
    assert!(by(GOOD, "sns.us-gov-west-1.amazonaws.com").is_ok());
    assert!(by(REGION, "sns.af-south-1.amazonaws.com").is_ok());
    assert_eq!(by(REGION, "sns.eu-west-1.amazonaws.com"), Err("bad-certificate"));
    assert_eq!(by(OTHER, "sns.eu-west-1.amazonaws.com"), Err("bad-certificate"));
    assert_eq!(by("x", "sns.eu-west-1.amazonaws.com"), Err("bad-certificate"));
}

#[test]
fn a_message_has_an_age() {
    let at = |time: &str| {
        check(&signed(with(unsigned("Notification", "x"), json!({"Timestamp": time}))))
    };
    assert!(at("2029-12-31T22:00:00.000Z").is_ok(), "SNS tries for an hour");
    assert_eq!(at("2029-12-31T21:59:59.000Z"), Err(Refusal::TooOld { seconds: 7201 }));
    assert_eq!(at("today").unwrap_err().code(), "timestamp-malformed");
}
