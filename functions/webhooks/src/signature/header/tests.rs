//! Headers that are missing, doubled, malformed or meant to hurt.

use http::HeaderValue;

use super::*;
use crate::{
    recipe::{Recipe, TimeFormat},
    signature::{Incoming, Verified, sign, verify},
};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const SIGNED_AT: i64 = 1_614_265_330;
const BODY: &[u8] = b"{}";

/// The headers of a request that verifies, to be spoiled.
fn signed(recipe: &str) -> HeaderMap {
    let recipe = Recipe::named(recipe).unwrap();
    let mut headers = HeaderMap::new();
    for (name, value) in sign(&recipe, SECRET, "msg_1", SIGNED_AT, BODY).unwrap() {
        headers.insert(http::HeaderName::try_from(name).unwrap(), value.try_into().unwrap());
    }
    headers
}

fn check(recipe: &str, headers: &HeaderMap) -> Result<Verified, Refusal> {
    let recipe = Recipe::named(recipe).unwrap();
    verify(&recipe, &[SECRET.to_owned()], &Incoming::post(headers, BODY), SIGNED_AT)
}

/// What becomes of a request whose header `name` has `value` instead.
fn spoiled(recipe: &str, name: &'static str, value: &[u8]) -> Refusal {
    let mut headers = signed(recipe);
    headers.insert(name, HeaderValue::from_bytes(value).unwrap());
    check(recipe, &headers).unwrap_err()
}

#[test]
fn every_header_of_the_signature_is_needed_and_once() {
    for name in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
        let mut headers = signed("standard-webhooks");
        let value = headers.remove(name).unwrap();
        let refused = check("standard-webhooks", &headers);
        assert_eq!(refused, Err(Refusal::MissingHeader { name: name.to_owned() }));

        headers.append(name, value.clone());
        assert!(check("standard-webhooks", &headers).is_ok());

        headers.append(name, value);
        let refused = check("standard-webhooks", &headers);
        assert_eq!(refused, Err(Refusal::malformed(name, "is there twice")));
    }
}

#[test]
fn a_header_is_short_and_printable() {
    let megabyte = vec![b'a'; 1024 * 1024];
    for name in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
        let refused = |value| spoiled("standard-webhooks", name, value);
        assert_eq!(refused(b""), Refusal::malformed(name, "is empty"));
        assert_eq!(refused(b"  "), Refusal::malformed(name, "is empty"));
        assert_eq!(refused(b"\xff\xfe"), Refusal::malformed(name, "is not printable ASCII"));
        assert_eq!(refused("é".as_bytes()), Refusal::malformed(name, "is not printable ASCII"));
        assert_eq!(refused(&megabyte), Refusal::malformed(name, "is too long"));
    }
    let refused = spoiled("standard-webhooks", "webhook-id", &[b'a'; 257]);
    assert_eq!(refused.code(), "malformed-header");
}

#[test]
fn a_signature_is_marked_as_the_recipe_says() {
    let unmarked: [(&str, &str, &[&str]); 4] = [
        ("github", "x-hub-signature-256", &["00", "sha1=00", "SHA256=00"]),
        ("slack", "x-slack-signature", &["v1=00", "00"]),
        ("standard-webhooks", "webhook-signature", &["AAAA", "v2,AAAA", "v1a,AAAA", "v1=AAAA"]),
        (
            "stripe",
            "stripe-signature",
            &["t=1", "t=1,v0=00", "t=1,V1=00", "t=1,,,==,=", "t=1;v1=0"],
        ),
    ];
    for (recipe, name, values) in unmarked {
        for value in values {
            let refused = spoiled(recipe, name, value.as_bytes());
            assert_eq!(refused.code(), "no-signature", "{recipe}: {value}");
        }
    }
}

#[test]
fn a_signature_is_in_the_encoding_that_the_recipe_says() {
    let not_hex = Refusal::malformed("x-hub-signature-256", "is not in hex");
    for value in ["sha256=", "sha256=0", "sha256=zz", "sha256=00 00", "sha256=sha256=00"] {
        assert_eq!(spoiled("github", "x-hub-signature-256", value.as_bytes()), not_hex);
    }
    let not_base64 = Refusal::malformed("webhook-signature", "is not in base64");
    for value in ["v1,", "v1,=", "v1,-_-_", "v1,A", "v1,AAAA,AAAA"] {
        assert_eq!(spoiled("standard-webhooks", "webhook-signature", value.as_bytes()), not_base64);
    }
}

#[test]
fn a_part_of_a_signature_is_no_signature() {
    let headers = signed("github");
    let whole = headers["x-hub-signature-256"].to_str().unwrap();
    let cut = whole.get(..whole.len() - 2).unwrap();
    for value in [cut, "sha256=00", &format!("{whole}00")] {
        let refused = spoiled("github", "x-hub-signature-256", value.as_bytes());
        assert_eq!(refused, Refusal::BadSignature, "{value}");
    }
}

#[test]
fn sixteen_signatures_are_tried_and_no_more() {
    let headers = signed("standard-webhooks");
    let good = headers["webhook-signature"].to_str().unwrap();
    let with_bad = |count| format!("{}{good}", "v1,AAAA ".repeat(count));
    let name = "webhook-signature";

    let mut crowded = headers.clone();
    crowded.insert(name, with_bad(CANDIDATES_MAX - 1).try_into().unwrap());
    assert!(check("standard-webhooks", &crowded).is_ok());

    let refused = spoiled("standard-webhooks", name, with_bad(CANDIDATES_MAX).as_bytes());
    assert_eq!(refused, Refusal::malformed(name, "carries too many signatures"));
}

#[test]
fn a_timestamp_in_the_signature_is_there_once_and_in_digits() {
    let headers = signed("stripe");
    let good = headers["stripe-signature"].to_str().unwrap();
    let signature = good.split_once(',').unwrap().1;

    let refused = spoiled("stripe", "stripe-signature", signature.as_bytes());
    assert_eq!(refused, Refusal::TimestampMissing);

    let twice = format!("t=9999999999,{good}");
    let refused = spoiled("stripe", "stripe-signature", twice.as_bytes());
    assert_eq!(refused.code(), "malformed-header");
}

#[test]
fn a_timestamp_is_whole_seconds_even_when_it_is_signed() {
    let recipe = Recipe::named("standard-webhooks").unwrap();
    for text in ["-1", "+1614265330", "1614265330.5", "now", "99999999999999999999", "0x10"] {
        let key = recipe.secret.key(SECRET).unwrap();
        let message = [b"msg_1.", text.as_bytes(), b".", BODY].concat();
        let tag = crate::signature::check::tag(recipe.signature.algorithm, &key, &message);
        let mut headers = signed("standard-webhooks");
        headers.insert("webhook-timestamp", text.parse().unwrap());
        let signature = format!("v1,{}", data_encoding::BASE64.encode(&tag));
        headers.insert("webhook-signature", signature.try_into().unwrap());

        assert_eq!(
            check("standard-webhooks", &headers),
            Err(Refusal::TimestampMalformed { format: TimeFormat::Seconds }),
            "{text}"
        );
    }
}

#[test]
fn what_was_signed_cannot_be_swapped() {
    let swapped = [("webhook-id", "msg_2"), ("webhook-timestamp", "1614265331")];
    for (name, value) in swapped {
        let refused = spoiled("standard-webhooks", name, value.as_bytes());
        assert_eq!(refused, Refusal::BadSignature);
    }
}
