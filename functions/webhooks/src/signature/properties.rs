//! What holds for every request, whoever sends it.

use data_encoding::{BASE64, HEXLOWER};
use ed25519_dalek::SigningKey;
use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::{collection::vec, prelude::*};

use super::*;
use crate::recipe::SecretEncoding;

const NOW_SECONDS: i64 = 1_614_265_330;
/// Fits every recipe with a secret that is shared: as text, as base64, and as user and password.
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const USER_AND_PASSWORD: &str = "user:MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const SEED: [u8; 32] = [7; 32];

fn any_recipe() -> impl Strategy<Value = Recipe> {
    recipes(|recipe| recipe.signature.algorithm != Algorithm::None)
}

/// The recipes whose requests can be made by `sign`.
fn signable() -> impl Strategy<Value = Recipe> {
    recipes(can_sign)
}

/// Those of them in which every byte of the body counts.
fn sealing() -> impl Strategy<Value = Recipe> {
    recipes(|recipe| can_sign(recipe) && recipe.signature.algorithm.signs())
}

fn can_sign(recipe: &Recipe) -> bool {
    let signature = &recipe.signature;
    let timestamp = recipe.timestamp.as_ref().map(|it| &it.at);
    let is_ours = signature.algorithm == Algorithm::Ed25519 || !signature.algorithm.is_public();
    is_ours
        && signature.header.is_some()
        && signature.body_sha256_query.is_none()
        && !matches!(timestamp, Some(Place::Pointer(_)))
}

fn recipes(fits: impl Fn(&Recipe) -> bool) -> impl Strategy<Value = Recipe> {
    let all = Recipe::names().map(|name| Recipe::named(name).unwrap());
    proptest::sample::select(all.filter(fits).collect::<Vec<_>>())
}

/// What the provider signs with, and what the source has to check it.
fn secrets(recipe: &Recipe) -> (String, String) {
    let write = |bytes: &[u8]| match recipe.secret.encoding {
        SecretEncoding::Hex => HEXLOWER.encode(bytes),
        _ => BASE64.encode(bytes),
    };
    let public = SigningKey::from_bytes(&SEED).verifying_key();
    match recipe.signature.algorithm {
        Algorithm::Ed25519 => (write(&SEED), write(public.as_bytes())),
        Algorithm::Basic => (USER_AND_PASSWORD.to_owned(), USER_AND_PASSWORD.to_owned()),
        _ => (SECRET.to_owned(), SECRET.to_owned()),
    }
}

/// The headers at which the recipes look.
fn header_name() -> impl Strategy<Value = String> {
    let recipes: Vec<_> = Recipe::names().map(|name| Recipe::named(name).unwrap()).collect();
    let places = recipes.iter().flat_map(places).filter_map(|it| match it {
        Place::Header(name) => Some(name.clone()),
        _ => None,
    });
    let signatures = recipes.iter().filter_map(|it| it.signature.header.clone());
    let others = ["content-type", "paypal-cert-url", "host"].map(str::to_owned);
    let names: Vec<_> = places.chain(signatures).chain(others).collect();
    proptest::sample::select(names)
}

/// Any bytes, or such as are almost right.
fn header_value() -> impl Strategy<Value = Vec<u8>> {
    let almost = "(t=|v1=|v0=|v1,|sha256=|h1=|;|Basic |Bearer |,|=| |[0-9a-f]{2,64}|\
        [A-Za-z0-9+/]{4}|1614265330|2021-02-25T15:02:10Z|application/json){0,9}";
    prop_oneof![vec(any::<u8>(), 0..64), almost.prop_map(String::into_bytes)]
}

/// Any bytes, or JSON that is almost right.
fn body() -> impl Strategy<Value = Vec<u8>> {
    let almost = r#"\{"(signature|type|webhookTimestamp)":("a"|1|\{"(signature|token|timestamp)":("00"|1614265330|null)\})\}"#;
    prop_oneof![vec(any::<u8>(), 0..256), almost.prop_map(String::into_bytes)]
}

/// What somebody might write into a recipe.
fn field_value() -> impl Strategy<Value = Value> {
    let words = "[a-z/{}~=;]{0,8}|none|token|basic|hex|whole|secret|hmac-sha512|empty|[^a]{0,4}";
    prop_oneof![
        words.prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        proptest::sample::select(vec![Value::Null, serde_json::json!([]), serde_json::json!({})]),
        words.prop_map(|it| serde_json::json!({ "header": it })),
        words.prop_map(|it| serde_json::json!([{ "pointer": it }])),
    ]
}

/// The pointers to all that is in a value.
fn collect(value: &Value, at: &str, into: &mut Vec<String>) {
    into.push(at.to_owned());
    match value {
        Value::Array(items) => {
            items
                .iter()
                .enumerate()
                .for_each(|(it, value)| collect(value, &format!("{at}/{it}"), into));
        }
        Value::Object(fields) => {
            fields.iter().for_each(|(it, value)| collect(value, &format!("{at}/{it}"), into));
        }
        _ => {}
    }
}

fn incoming<'a>(headers: &'a HeaderMap, path: &'a str, body: &'a [u8]) -> Incoming<'a> {
    let base = Some("https://hooks.example.com".to_owned());
    Incoming { base, path_and_query: path, ..Incoming::post(headers, body) }
}

fn signed(recipe: &Recipe, id: &str, timestamp_seconds: i64, body: &[u8]) -> HeaderMap {
    let none = HeaderMap::new();
    let request = incoming(&none, "/in/src_1", body);
    let parse = |(name, value)| -> (HeaderName, HeaderValue) {
        let (name, value): (String, String) = (name, value);
        (name.try_into().unwrap(), value.try_into().unwrap())
    };
    let secret = secrets(recipe).0;
    let headers = sign_request(recipe, &secret, id, timestamp_seconds, &request).unwrap();
    let mut headers: HeaderMap = headers.into_iter().map(parse).collect();
    headers.insert("content-type", HeaderValue::from_static("application/json"));
    headers
}

fn check(recipe: &Recipe, headers: &HeaderMap, body: &[u8]) -> Result<Verified, Refusal> {
    let incoming = incoming(headers, "/in/src_1", body);
    verify(recipe, &[secrets(recipe).1], &incoming, NOW_SECONDS)
}

proptest! {
    #[test]
    fn no_request_makes_verify_panic_and_none_is_believed_by_luck(
        recipe in any_recipe(),
        headers in vec((header_name(), header_value()), 0..6),
        path in "/(in|[%a-z]{0,5})(\\?[a-zA-Z0-9%=&._]{0,40})?",
        method in "GET|POST|OPTIONS|é",
        body in body(),
        certificate in proptest::option::of(vec(any::<u8>(), 0..64)),
        now_seconds in any::<i64>(),
    ) {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            if let Ok(value) = HeaderValue::from_bytes(&value) {
                map.append(HeaderName::try_from(name).unwrap(), value);
            }
        }
        let secrets = [secrets(&recipe).1];
        let certificate = certificate.as_deref();
        let it = Incoming { method: &method, certificate, ..incoming(&map, &path, &body) };

        prop_assert!(verify(&recipe, &secrets, &it, now_seconds).is_err());
        let _ = answer(&recipe, &secrets, &it);
        let _ = key_url(&recipe, &secrets, &it);
    }

    #[test]
    fn no_recipe_makes_us_panic(
        recipe in any_recipe(),
        field in any::<prop::sample::Index>(),
        value in field_value(),
        body in body(),
    ) {
        let secrets = [secrets(&recipe).1];
        let mut json = serde_json::to_value(&recipe).unwrap();
        let mut pointers = Vec::new();
        collect(&json, "", &mut pointers);
        let pointer: &String = field.get(&pointers);
        *json.pointer_mut(pointer).unwrap() = value;
        let Ok(changed) = Recipe::parse(json.to_string().as_bytes()) else { return Ok(()) };
        let headers = HeaderMap::new();
        let incoming = incoming(&headers, "/in/src_1?crc_token=a", &body);

        let _ = verify(&changed, &secrets, &incoming, NOW_SECONDS);
        let _ = answer(&changed, &secrets, &Incoming { method: "GET", ..incoming });
        let _ = sign(&changed, SECRET, "id", NOW_SECONDS, &body);
        let stored = serde_json::to_string(&changed).unwrap();
        prop_assert_eq!(Recipe::parse(stored.as_bytes()), Ok(changed));
    }

    #[test]
    fn no_certificate_makes_us_panic(
        inside in "[A-Za-z0-9+/=\n]{0,200}",
        der in vec(any::<u8>(), 0..200),
    ) {
        let recipe = Recipe::named("paypal").unwrap();
        let url = "https://api.paypal.com/v1/notifications/certs/CERT-1".parse().unwrap();
        for base64 in [inside, BASE64.encode(&der)] {
            let pem = format!("-----BEGIN CERTIFICATE-----{base64}-----END CERTIFICATE-----");
            prop_assert!(!is_certificate(&recipe, &url, pem.as_bytes(), NOW_SECONDS));
        }
    }

    #[test]
    fn what_is_signed_verifies(
        recipe in signable(),
        id in "[!-~]{1,256}",
        skew_seconds in -300_i64..=300,
        body in vec(any::<u8>(), 0..512),
    ) {
        prop_assume!(!is_oracles(&recipe, &body));
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
        recipe in sealing(),
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
        recipe in signable(),
        letter in any::<prop::sample::Index>(),
        replacement in b'!'..=b'~',
    ) {
        let mut headers = signed(&recipe, "msg_1", NOW_SECONDS, b"{}");
        let value = headers.get_mut(recipe.signature.header.as_deref().unwrap()).unwrap();
        let mut changed = value.as_bytes().to_vec();
        *letter.get_mut(&mut changed) = replacement;
        // Hex and the word Basic may be in either case, and base64 may lack its padding.
        let plain = |bytes: &[u8]| -> Vec<u8> {
            bytes.to_ascii_lowercase().into_iter().filter(|it| *it != b'=').collect()
        };
        prop_assume!(plain(&changed) != plain(value.as_bytes()));
        *value = HeaderValue::from_bytes(&changed).unwrap();

        let answer = check(&recipe, &headers, b"{}");

        prop_assert!(answer.is_err());
    }
}
