//! Handshakes that are answered, and those that are not.

use http::HeaderMap;
use serde_json::json;

use super::*;
use crate::{
    recipe::Error,
    signature::{sign, verify},
};

const SECRET: &str = "a-secret-of-ours";

fn ask(
    recipe: &Recipe,
    method: &str,
    path: &str,
    headers: &HeaderMap,
) -> Result<Option<Reply>, Refusal> {
    let incoming = Incoming { method, path_and_query: path, ..Incoming::post(headers, b"") };
    answer(recipe, &["an-older-secret".to_owned(), SECRET.to_owned()], &incoming)
}

fn get(recipe: &str, query: &str) -> Result<Option<Reply>, Refusal> {
    let path = format!("/in/src_1{query}");
    ask(&Recipe::named(recipe).unwrap(), "GET", &path, &HeaderMap::new())
}

/// What a signed POST of this body is answered.
fn posted(recipe: &Recipe, body: &[u8]) -> Option<Reply> {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", "application/json".parse().unwrap());
    for (name, value) in sign(recipe, SECRET, "", 0, body).unwrap() {
        headers.insert(http::HeaderName::try_from(name).unwrap(), value.parse().unwrap());
    }
    verify(recipe, &[SECRET.to_owned()], &Incoming::post(&headers, body), 0).unwrap().reply
}

#[test]
fn a_get_with_the_secret_is_answered_its_challenge() {
    let mode = "?hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=";

    let answered = get("meta", &format!("{mode}{SECRET}")).unwrap();
    assert_eq!(answered, Some(Reply::Text("1158201444".to_owned())));
    assert!(get("meta", &format!("{mode}an-older-secret")).is_ok());

    for query in [
        &format!("{mode}another-secret"),
        mode,
        "",
        &format!("?hub.mode=unsubscribe&hub.challenge=1&hub.verify_token={SECRET}"),
        &format!("?hub.mode=subscribe&hub.verify_token={SECRET}"),
        &format!("{mode}{SECRET}&hub.verify_token={SECRET}"),
        &format!("?hub.mode=subscribe&hub.challenge=a%00b&hub.verify_token={SECRET}"),
    ] {
        assert_eq!(get("meta", query), Err(Refusal::BadHandshake), "{query}");
    }
}

#[test]
fn a_recipe_without_a_handshake_knows_none() {
    assert_eq!(get("stripe", "?crc_token=x"), Ok(None));
    assert_eq!(get("cloudevents", ""), Ok(None));
    let meta = Recipe::named("meta").unwrap();
    assert_eq!(ask(&meta, "OPTIONS", "/in/src_1", &HeaderMap::new()), Ok(None));
}

// Computed with Python's `hmac`.
#[test]
fn what_is_signed_for_a_stranger_is_a_word_and_no_event() {
    let x = Recipe::named("x").unwrap();
    let signed = "sha256=G5wvVh78KaGhMHf31poImIOXrWtXaKUiArA2XCov0Y8=";
    let answered = ask(&x, "GET", "/in/s?crc_token=challenge_string", &HeaderMap::new());
    assert_eq!(answered, Ok(Some(Reply::Json(json!({ "response_token": signed })))));

    for query in ["?crc_token=%7B%7D", "?crc_token=a%20b", "?nonce=1"] {
        assert_eq!(get("x", query), Err(Refusal::BadHandshake), "{query}");
    }

    let token = b"challenge_string";
    let mut headers = HeaderMap::new();
    for (name, value) in sign(&x, SECRET, "", 0, token).unwrap() {
        headers.insert(http::HeaderName::try_from(name).unwrap(), value.parse().unwrap());
    }
    let refused = verify(&x, &[SECRET.to_owned()], &Incoming::post(&headers, token), 0);
    assert_eq!(refused, Err(Refusal::BadSignature), "though its signature is good");
}

#[test]
fn options_are_answered_with_headers() {
    let recipe = Recipe::named("cloudevents").unwrap();
    let mut headers = HeaderMap::new();
    headers.insert("webhook-request-origin", "events.example.com".parse().unwrap());

    let Ok(Some(Reply::Headers(reply))) = ask(&recipe, "OPTIONS", "/in/s", &headers) else {
        panic!("it is answered")
    };

    assert_eq!(reply["webhook-allowed-origin"], "events.example.com");
    let refused = ask(&recipe, "OPTIONS", "/in/s", &HeaderMap::new());
    assert_eq!(refused, Err(Refusal::BadHandshake));
}

#[test]
fn a_signed_post_is_answered_as_its_recipe_says() {
    let zoom = Recipe::named("zoom").unwrap();
    let body =
        br#"{"event":"endpoint.url_validation","payload":{"plainToken":"qgg8vlvZRS6UYooatFL8Aw"}}"#;
    let Some(Reply::Json(reply)) = posted(&zoom, body) else { panic!("it is answered") };
    assert_eq!(reply["plainToken"], "qgg8vlvZRS6UYooatFL8Aw");
    let tag = check::tag(Algorithm::HmacSha256, SECRET.as_bytes(), b"qgg8vlvZRS6UYooatFL8Aw");
    assert_eq!(reply["encryptedToken"], HEXLOWER.encode(&tag));
    assert_eq!(posted(&zoom, br#"{"event":"meeting.started"}"#), None);

    let mut recipe = serde_json::to_value(Recipe::named("generic-hmac").unwrap()).unwrap();
    let condition = json!({"at": {"pointer": "/type"}, "is": {"number": 1}});
    recipe["challenge"] = json!({"when": [condition], "answer": {"json": {"type": [1, null]}}});
    let discord: Recipe = serde_json::from_value(recipe.clone()).unwrap();
    let pong = Some(Reply::Json(json!({"type": [1, null]})));
    assert_eq!(posted(&discord, br#"{"type":1}"#), pong);
    assert_eq!(posted(&discord, br#"{"type":2}"#), None);

    recipe["challenge"]["answer"] = json!("empty");
    let empty: Recipe = serde_json::from_value(recipe).unwrap();
    assert_eq!(posted(&empty, br#"{"type":1}"#), Some(Reply::Empty));
}

#[test]
fn the_token_is_nobodys_placeholder() {
    let recipe = Recipe::named("zoom").unwrap();
    let body = br#"{"event":"endpoint.url_validation","payload":{"plainToken":"{hmac_hex}"}}"#;

    let Some(Reply::Json(reply)) = posted(&recipe, body) else { panic!("it is answered") };

    assert_eq!(reply["plainToken"], "{hmac_hex}");
}

#[test]
fn a_handshake_keeps_the_rules() {
    let with = |name: &str, challenge: Value| {
        let mut recipe = serde_json::to_value(Recipe::named(name).unwrap()).unwrap();
        recipe["challenge"] = challenge;
        Recipe::parse(recipe.to_string().as_bytes())
    };
    let query = json!({"query": "t"});
    let bad = [
        json!({"answer": {"text": "ok"}}),
        json!({"method": "get", "answer": {"text": "{token}"}}),
        json!({"method": "get", "answer": {"text": "{other}"}}),
        json!({"method": "get", "token": {"pointer": "/a"}, "answer": {"text": "{token}"}}),
        json!({"method": "options", "answer": {"headers": {"set-cookie": "a=b"}}}),
        json!({"method": "get", "answer": {"text": "a\nb"}}),
    ];
    for challenge in bad {
        let refused = with("generic-hmac", challenge.clone());
        assert!(matches!(refused, Err(Error::BadChallenge(_))), "{challenge}: {refused:?}");
    }
    let signing = json!({"method": "get", "token": query, "answer": {"text": "{hmac_hex}"}});
    assert!(with("generic-hmac", signing.clone()).is_ok());
    let refused = with("generic-ed25519", signing);
    assert!(matches!(refused, Err(Error::BadChallenge(_))), "{refused:?}");
}
