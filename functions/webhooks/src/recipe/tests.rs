//! Recipes that hold, and recipes that are refused.

use serde_json::{Value, json};
use utoipa::PartialSchema;

use super::*;

fn stripe() -> Value {
    serde_json::to_value(Recipe::named("stripe").unwrap()).unwrap()
}

/// Stripe's recipe with `value` at `pointer`.
fn stripe_with(pointer: &str, value: Value) -> Result<Recipe, Error> {
    let mut recipe = stripe();
    *recipe.pointer_mut(pointer).unwrap() = value;
    Recipe::parse(recipe.to_string().as_bytes())
}

#[test]
fn every_recipe_that_comes_along_keeps_the_rules() {
    for name in Recipe::names() {
        let recipe = Recipe::parse(built_in::json(name).unwrap().as_bytes());

        assert!(recipe.is_ok(), "{name}: {recipe:?}");
    }
    assert!(Recipe::names().is_sorted());
}

#[test]
fn every_file_in_the_folder_is_in_the_table() {
    // Cargo runs tests in the package's folder.
    let files = std::fs::read_dir("recipes").unwrap().map(|file| file.unwrap().file_name());
    let mut names: Vec<_> = files.map(|it| it.into_string().unwrap()).collect();
    names.sort();

    let mut table: Vec<_> = Recipe::names().map(|name| format!("{name}.json")).collect();
    table.sort();
    assert_eq!(names, table);
}

#[test]
fn an_unknown_name_is_no_recipe() {
    assert_eq!(Recipe::named("Stripe"), None);
    assert_eq!(Recipe::named(""), None);
}

#[test]
fn a_recipe_survives_being_stored() {
    for name in Recipe::names() {
        let recipe = Recipe::named(name).unwrap();

        let stored = serde_json::to_string(&recipe).unwrap();

        assert_eq!(Recipe::parse(stored.as_bytes()).unwrap(), recipe);
        let file: Value = serde_json::from_str(built_in::json(name).unwrap()).unwrap();
        assert_eq!(serde_json::to_value(&recipe).unwrap(), file, "{name} leaves nothing out");
    }
}

#[test]
fn what_is_left_out_has_a_default() {
    let mut recipe = stripe();
    recipe.as_object_mut().unwrap().remove("dedupe_seconds");
    recipe["timestamp"].as_object_mut().unwrap().remove("tolerance_seconds");

    let recipe = Recipe::parse(recipe.to_string().as_bytes()).unwrap();

    assert_eq!(recipe, Recipe::named("stripe").unwrap());
}

#[test]
fn a_field_that_nobody_knows_is_refused_and_named() {
    for pointer in ["", "/signature", "/timestamp", "/secret"] {
        let mut recipe = stripe();
        recipe.pointer_mut(pointer).unwrap()["surprise"] = json!(1);

        let refused = Recipe::parse(recipe.to_string().as_bytes()).unwrap_err();

        assert!(refused.to_string().contains("surprise"), "{pointer}: {refused}");
    }
}

#[test]
fn what_is_not_a_recipe_is_refused() {
    let small = ["", "{}", "[]", "null", "\"stripe\"", "{", "\u{feff}{}"];
    for text in small {
        let refused = Recipe::parse(text.as_bytes()).unwrap_err();
        assert!(matches!(refused, Error::NotARecipe(_)), "{text}: {refused}");
    }
    let twice = format!("{0}{0}", stripe());
    assert!(matches!(Recipe::parse(twice.as_bytes()), Err(Error::NotARecipe(_))));
    let large = vec![b' '; RECIPE_BYTES_MAX + 1];
    assert_eq!(Recipe::parse(&large), Err(Error::TooLarge));
}

#[test]
fn a_signed_string_has_nothing_unknown_and_nothing_twice() {
    let bad =
        ["{body}{body}", "{body", "body}", "{token}{body}", "{{body}}", "{}{body}", "{body}}"];
    for text in bad {
        assert!(matches!(Template::parse(text), Err(Error::BadTemplate(_))), "{text}");
    }
    let long = format!("{{body}}{}", "x".repeat(template::SIGNED_BYTES_MAX));
    assert_eq!(Template::parse(&long), Err(Error::BadTemplate("is too long")));
}

#[test]
fn a_signed_string_reads_back_as_it_was_written() {
    let all = "{id}{timestamp}{body}{body_crc32}{method}{url}{params}{fields}{secret}";
    for text in ["{body}", "v0:{timestamp}:{body}", "{id}.{timestamp}.{body}", "é{body}~", all] {
        assert_eq!(String::from(Template::parse(text).unwrap()), text);
    }
}

#[test]
fn a_timestamp_must_be_signed_and_what_is_signed_must_be_found() {
    let refused = stripe_with("/signature/signed", json!("{body}"));
    assert_eq!(refused, Err(Error::TimestampNotSigned));

    let refused = stripe_with("/timestamp", Value::Null);
    assert_eq!(refused, Err(Error::SignedTimestampMissing));

    let refused = stripe_with("/id", json!([]));
    assert!(refused.is_ok(), "nobody signs it");

    let both = json!([{"header": "x-id"}, {"header": "x-other"}]);
    let mut unclear = stripe();
    unclear["signature"]["signed"] = json!("{id}.{timestamp}.{body}");
    unclear["id"] = both;
    let refused = Recipe::parse(unclear.to_string().as_bytes());
    assert_eq!(refused, Err(Error::SignedIdUnclear));
}

#[test]
fn a_key_of_the_signature_needs_pairs() {
    let refused = stripe_with("/signature/form", json!({"prefix": "v1="}));
    assert_eq!(refused, Err(Error::KeyWithoutPairs));

    let refused = stripe_with("/timestamp/at", json!({"signature_key": "v1"}));
    assert_eq!(refused, Err(Error::KeyWithoutPairs));
}

#[test]
fn names_and_pointers_are_such_as_can_be_found() {
    for header in ["", "x y", "x:", "é", "x\n", &"x".repeat(65)] {
        let refused = stripe_with("/signature/header", json!(header));
        assert_eq!(refused, Err(Error::BadHeader(header.to_owned())));
    }
    for label in ["", "v 1", "v1=", "a,b", "é", &"x".repeat(33)] {
        let refused = stripe_with("/signature/form", json!({ "pairs": label }));
        assert_eq!(refused, Err(Error::BadLabel(label.to_owned())));
    }
    for pointer in ["", "id", "/a~", "/a~2b", &format!("/{}", "x".repeat(256))] {
        let refused = stripe_with("/id/0", json!({ "pointer": pointer }));
        assert_eq!(refused, Err(Error::BadPointer(pointer.to_owned())));
    }
    assert!(stripe_with("/id/0", json!({"pointer": "/a~0b/~1/0"})).is_ok());
}

#[test]
fn everything_has_a_limit() {
    let five = vec![json!({"header": "x-id"}); PLACES_MAX + 1];
    assert_eq!(stripe_with("/id", json!(five)), Err(Error::TooManyPlaces));
    assert_eq!(stripe_with("/event_type", json!(five)), Err(Error::TooManyPlaces));

    for title in ["", "a\nb", &"x".repeat(81)] {
        let refused = stripe_with("/title", json!(title));
        assert_eq!(refused, Err(Error::BadText { field: "title", max: 80 }));
    }
    for seconds in [0, TOLERANCE_SECONDS_MAX + 1] {
        let refused = stripe_with("/timestamp/tolerance_seconds", json!(seconds));
        assert_eq!(refused, Err(Error::BadTolerance));
    }
    for seconds in [0, 59, DEDUPE_SECONDS_MAX + 1] {
        let refused = stripe_with("/dedupe_seconds", json!(seconds));
        assert_eq!(refused, Err(Error::BadDedupe));
    }
}

#[test]
fn a_message_is_remembered_as_long_as_it_can_be_replayed() {
    assert_eq!(stripe_with("/dedupe_seconds", json!(599)), Err(Error::DedupeTooShort));
    assert!(stripe_with("/dedupe_seconds", json!(600)).is_ok());
}

#[test]
fn the_rules_hold_wherever_a_recipe_is_read() {
    let mut recipe = stripe();
    recipe["dedupe_seconds"] = json!(0);

    let refused = serde_json::from_value::<Recipe>(recipe).unwrap_err();

    assert_eq!(refused.to_string(), Error::BadDedupe.to_string());
}

#[test]
fn a_secret_is_checked_when_it_is_typed_in() {
    let github = Recipe::named("github").unwrap();
    assert_eq!(github.check_secret("It's a Secret to Everybody"), Ok(()));
    assert_eq!(github.check_secret("1234567"), Err(Error::SecretTooShort));
    assert_eq!(github.check_secret("12345678"), Ok(()));
    assert_eq!(github.check_secret("12345678\n"), Err(Error::SecretHasSpaces));
    assert_eq!(github.check_secret(&"x".repeat(1024)), Ok(()));
    assert_eq!(github.check_secret(&"x".repeat(1025)), Err(Error::SecretTooLong));

    let standard = Recipe::named("standard-webhooks").unwrap();
    assert_eq!(standard.check_secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), Ok(()));
    assert_eq!(standard.check_secret("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), Ok(()));
    assert_eq!(standard.check_secret("whsec_not base64!"), Err(Error::SecretNotBase64));
    assert_eq!(standard.check_secret("whsec_"), Err(Error::SecretTooShort));
    assert_eq!(standard.check_secret("whsec_MTIzNDU2Nw=="), Err(Error::SecretTooShort));
    assert!(Error::SecretNotBase64.is_about_the_secret());
    assert!(!Error::TooLarge.is_about_the_secret());
}

#[test]
fn the_key_is_the_text_or_what_the_text_stands_for() {
    let stripe = Recipe::named("stripe").unwrap();
    assert_eq!(stripe.secret.key("whsec_12345678").unwrap(), b"whsec_12345678");

    let standard = Recipe::named("standard-webhooks").unwrap();
    for text in ["whsec_MTIzNDU2Nzg=", "whsec_MTIzNDU2Nzg", "MTIzNDU2Nzg="] {
        assert_eq!(standard.secret.key(text).unwrap(), b"12345678");
    }
}

#[test]
fn a_recipe_is_changed_without_being_written() {
    let changes = json!({
        "header": "X-Acme-Signature",
        "prefix": "sha1=",
        "encoding": "base64",
        "algorithm": "hmac-sha1",
        "signed": "{timestamp}.{body}",
        "timestamp_header": "X-Acme-Time",
        "tolerance_seconds": 60,
        "id_header": "X-Acme-Id",
        "dedupe_seconds": 3600,
    });
    let generic = Recipe::named("generic-hmac").unwrap();

    let acme = generic.with(serde_json::from_value(changes).unwrap()).unwrap();

    let expected = json!({
        "header": "X-Acme-Signature",
        "form": {"prefix": "sha1="},
        "encoding": "base64",
        "algorithm": "hmac-sha1",
        "signed": "{timestamp}.{body}",
    });
    let stored = serde_json::to_value(&acme).unwrap();
    assert_eq!(stored["signature"], expected);
    assert_eq!(
        stored["timestamp"],
        json!({"at": {"header": "X-Acme-Time"}, "tolerance_seconds": 60})
    );
    assert_eq!(stored["id"], json!([{"header": "X-Acme-Id"}]));
    assert_eq!(stored["dedupe_seconds"], 3600);
}

#[test]
fn a_change_keeps_the_rules_too() {
    let generic = || Recipe::named("generic-hmac").unwrap();
    let unsigned = Overrides { timestamp_header: Some("x-time".into()), ..Default::default() };
    assert_eq!(generic().with(unsigned), Err(Error::TimestampNotSigned));

    let timeless = Overrides { tolerance_seconds: Some(60), ..Default::default() };
    assert_eq!(generic().with(timeless), Err(Error::ToleranceWithoutTimestamp));

    assert_eq!(generic().with(Overrides::default()), Ok(generic()));
    assert!(serde_json::from_value::<Overrides>(json!({"headr": "x"})).is_err());
}

#[test]
fn the_api_document_knows_the_shape() {
    let schema = serde_json::to_value(Recipe::schema()).unwrap();

    assert_eq!(schema["required"], json!(["title", "docs", "signature", "secret"]));
    assert_eq!(schema["additionalProperties"], false);
    let signature = serde_json::to_value(Signature::schema()).unwrap();
    assert_eq!(signature["properties"]["signed"]["type"], json!(["string", "null"]));
}
