//! What holds for every request, whoever sends it.

use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::{collection::vec, prelude::*};

use super::*;

const NOW_SECONDS: i64 = 1_614_265_330;
/// Fits every recipe that comes along, as text and as base64.
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn recipe() -> impl Strategy<Value = Recipe> {
    let names: Vec<_> = Recipe::names().collect();
    proptest::sample::select(names).prop_map(|name| Recipe::named(name).unwrap())
}

/// The headers at which the recipes look.
fn header_name() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(vec![
        "stripe-signature",
        "x-hub-signature-256",
        "x-github-delivery",
        "x-slack-signature",
        "x-slack-request-timestamp",
        "webhook-id",
        "webhook-timestamp",
        "webhook-signature",
        "x-signature",
    ])
}

/// Any bytes, or such as are almost right.
fn header_value() -> impl Strategy<Value = Vec<u8>> {
    let almost = "(t=|v1=|v0=|v1,|sha256=|,|=| |[0-9a-f]{2,64}|[A-Za-z0-9+/]{4}|1614265330){0,9}";
    prop_oneof![vec(any::<u8>(), 0..64), almost.prop_map(String::into_bytes)]
}

fn signed(recipe: &Recipe, id: &str, timestamp_seconds: i64, body: &[u8]) -> HeaderMap {
    let parse = |(name, value)| -> (HeaderName, HeaderValue) {
        let (name, value): (String, String) = (name, value);
        (name.try_into().unwrap(), value.try_into().unwrap())
    };
    sign(recipe, SECRET, id, timestamp_seconds, body).unwrap().into_iter().map(parse).collect()
}

fn check(recipe: &Recipe, headers: &HeaderMap, body: &[u8]) -> Result<Verified, Refusal> {
    verify(recipe, &[SECRET.to_owned()], headers, body, NOW_SECONDS)
}

proptest! {
    #[test]
    fn no_request_makes_verify_panic_and_none_is_believed_by_luck(
        recipe in recipe(),
        headers in vec((header_name(), header_value()), 0..6),
        body in vec(any::<u8>(), 0..256),
        now_seconds in any::<i64>(),
    ) {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            if let Ok(value) = HeaderValue::from_bytes(&value) {
                map.append(name, value);
            }
        }

        prop_assert!(verify(&recipe, &[SECRET.to_owned()], &map, &body, now_seconds).is_err());
    }

    #[test]
    fn what_is_signed_verifies(
        recipe in recipe(),
        id in "[!-~]{1,256}",
        skew_seconds in -300_i64..=300,
        body in vec(any::<u8>(), 0..512),
    ) {
        let signed_at_seconds = NOW_SECONDS + skew_seconds;
        let headers = signed(&recipe, &id, signed_at_seconds, &body);

        let verified = check(&recipe, &headers, &body).unwrap();

        let is_told = recipe.timestamp.is_some();
        prop_assert_eq!(verified.signed_at_seconds, is_told.then_some(signed_at_seconds));
        match recipe.id.first() {
            Some(Place::Header(_)) => prop_assert_eq!(verified.message, id),
            _ => prop_assert!(!verified.message.is_empty()),
        }
    }

    #[test]
    fn a_body_with_one_bit_changed_is_refused(
        recipe in recipe(),
        body in vec(any::<u8>(), 1..512),
        byte in any::<prop::sample::Index>(),
        bit in 0..8_u8,
    ) {
        let headers = signed(&recipe, "msg_1", NOW_SECONDS, &body);
        let mut changed = body;
        *byte.get_mut(&mut changed) ^= 1 << bit;

        prop_assert_eq!(check(&recipe, &headers, &changed), Err(Refusal::BadSignature));
    }

    #[test]
    fn a_signature_with_one_letter_changed_is_refused(
        recipe in recipe(),
        letter in any::<prop::sample::Index>(),
        replacement in b'!'..=b'~',
    ) {
        let mut headers = signed(&recipe, "msg_1", NOW_SECONDS, b"{}");
        let value = headers.get_mut(recipe.signature.header.as_str()).unwrap();
        let mut changed = value.as_bytes().to_vec();
        *letter.get_mut(&mut changed) = replacement;
        // Hex may be in either case, and base64 may lack its padding.
        let plain = |bytes: &[u8]| -> Vec<u8> {
            bytes.to_ascii_lowercase().into_iter().filter(|it| *it != b'=').collect()
        };
        prop_assume!(plain(&changed) != plain(value.as_bytes()));
        *value = HeaderValue::from_bytes(&changed).unwrap();

        let answer = check(&recipe, &headers, b"{}");

        prop_assert!(answer.is_err());
    }
}
