//! What a recipe may say of a signature, and what is said when it may not.

use data_encoding::BASE64;
use serde_json::{Value, json};

use super::*;

/// A built-in recipe with this change.
fn changed(name: &str, change: impl Fn(&mut Value)) -> Result<Recipe, Error> {
    let mut recipe = serde_json::to_value(Recipe::named(name).unwrap()).unwrap();
    change(&mut recipe);
    Recipe::parse(recipe.to_string().as_bytes())
}

/// A built-in recipe with `value` in its signature.
fn with(name: &str, field: &str, value: Value) -> Result<Recipe, Error> {
    changed(name, |it| it["signature"][field] = value.clone())
}

#[test]
fn a_body_is_signed_unless_the_recipe_owns_up() {
    assert_eq!(with("stripe", "signed", json!("{timestamp}")), Err(Error::BodyNotSigned));
    assert_eq!(with("twilio", "signed", json!("{url}")), Err(Error::BodyNotSigned));
    assert_eq!(with("twilio", "body_sha256_query", Value::Null), Err(Error::BodyNotSigned));
    assert_eq!(with("twilio", "signed", json!("{params}")), Err(Error::BadBodyQuery));
    assert_eq!(with("mailgun", "unsigned_body", json!(false)), Err(Error::BodyNotSigned));

    let unsigned = |it: &mut Value| {
        it["signature"]["unsigned_body"] = json!(true);
        it["signature"]["signed"] = json!("{timestamp}");
    };
    assert_eq!(changed("stripe", unsigned), Err(Error::UnsignedBodyWithoutId));
}

#[test]
fn what_is_not_fully_signed_comes_with_a_warning() {
    let warned = Recipe::names().filter(|it| !Recipe::named(it).unwrap().warnings().is_empty());

    assert_eq!(warned.collect::<Vec<_>>(), ["mailgun", "none", "paypal"]);
}

#[test]
fn a_signature_is_in_one_place() {
    assert_eq!(with("stripe", "pointer", json!("/a")), Err(Error::SignaturePlace));
    assert_eq!(with("stripe", "header", Value::Null), Err(Error::SignaturePlace));
    let bad = Err(Error::BadPointer("a".to_owned()));
    assert_eq!(with("mailgun", "pointer", json!("a")), bad);
}

#[test]
fn a_signature_is_described_and_what_is_none_is_not() {
    for field in ["signed", "encoding"] {
        assert_eq!(with("stripe", field, Value::Null), Err(Error::SignatureUndescribed));
    }
    for name in ["gitlab-token", "basic", "none"] {
        let (signed, encoding) = (json!("{body}"), json!("hex"));
        assert_eq!(with(name, "signed", signed), Err(Error::NothingSigned), "{name}");
        assert_eq!(with(name, "encoding", encoding), Err(Error::NothingSigned), "{name}");
    }
    assert_eq!(with("none", "header", json!("x-a")), Err(Error::NothingSigned));
    assert_eq!(with("basic", "form", json!({"prefix": "x"})), Err(Error::NothingSigned));
    let hex = changed("gitlab-token", |it| it["secret"]["encoding"] = json!("hex"));
    assert_eq!(hex, Err(Error::NothingSigned));
}

#[test]
fn pairs_have_a_separator_and_others_have_none() {
    for good in [",", ";", "&"] {
        assert!(with("paddle", "separator", json!(good)).is_ok(), "{good}");
    }
    assert_eq!(with("paddle", "separator", json!("=")), Err(Error::BadSeparator));
    assert_eq!(with("github", "separator", json!(";")), Err(Error::BadSeparator));
    assert!(matches!(with("paddle", "separator", json!(";;")), Err(Error::NotARecipe(_))));
}

#[test]
fn a_certificate_is_of_named_hosts() {
    let hosts =
        |hosts: Value| with("paypal", "key_url", json!({"header": "x-key", "hosts": hosts}));
    assert!(hosts(json!(["api.example.com"])).is_ok());
    for bad in [
        json!([]),
        json!(["localhost"]),
        json!(["API.example.com"]),
        json!(["api.example.com:443"]),
        json!(["api.example.com/"]),
        json!(["127.0.0.1"]),
        json!(["*.example.com"]),
        json!(["a.b", "a.c", "a.d", "a.e", "a.f"]),
    ] {
        assert_eq!(hosts(bad.clone()), Err(Error::BadKeyUrl), "{bad}");
    }
    let more = |name: &str, value: Value| {
        let mut url = json!({"header": "x-key", "hosts": ["api.example.com"]});
        url[name] = value;
        with("paypal", "key_url", url)
    };
    assert!(more("names", json!(["certificates.example.com"])).is_ok());
    assert_eq!(more("names", json!(["*"])), Err(Error::BadKeyUrl));
    assert_eq!(more("names", json!(["a.b", "a.c", "a.d", "a.e", "a.f"])), Err(Error::BadKeyUrl));
    let root = include_str!("../../../../fixtures/paypal/certificates/root.pem");
    assert!(more("roots", json!(root)).is_ok());
    assert_eq!(more("roots", json!("-----BEGIN CERTIFICATE-----")), Err(Error::BadRoots));
    assert_eq!(with("paypal", "key_url", Value::Null), Err(Error::SecretSigned));
    let hmac = with("paypal", "algorithm", json!("hmac-sha256"));
    assert_eq!(hmac, Err(Error::BadKeyUrl));
}

#[test]
fn addresses_and_types_are_such_as_there_are() {
    let url = |it: &str| changed("twilio", |recipe| recipe["public_url"] = json!(it));
    for good in ["https://a.example.com", "http://localhost:3000", "https://a.b/c/d"] {
        assert!(url(good).is_ok(), "{good}");
    }
    for bad in [
        "",
        "a.example.com",
        "https://a.b/",
        "https://a.b?c",
        "https://u@a.b",
        "ftp://a.b",
        "https://A.b",
        "https://a.b/ c",
    ] {
        assert_eq!(url(bad), Err(Error::BadPublicUrl), "{bad}");
    }
    let types = |it: Value| changed("stripe", |recipe| recipe["content_types"] = it.clone());
    assert!(types(json!(["application/json", "application/cloudevents+json"])).is_ok());
    for bad in [
        json!(["json"]),
        json!(["Application/json"]),
        json!(["a/b; c=d"]),
        json!(["a/"]),
        json!(vec!["a/b"; 9]),
    ] {
        assert_eq!(types(bad.clone()), Err(Error::BadContentType), "{bad}");
    }
    let query = changed("x", |it| it["challenge"]["token"]["query"] = json!("a b"));
    assert_eq!(query, Err(Error::BadQuery("a b".to_owned())));
}

#[test]
fn a_secret_is_what_its_algorithm_needs() {
    let check = |name: &str, secret: &str| Recipe::named(name).unwrap().check_secret(secret);
    assert_eq!(check("basic", "user:password"), Ok(()));
    assert_eq!(check("basic", "user-password"), Err(Error::SecretWithoutColon));
    assert_eq!(check("gitlab-token", "a-tökèn-of-ours"), Err(Error::SecretNotPrintable));
    assert_eq!(check("none", "whatever-it-is"), Err(Error::SecretOfNobody));

    // The public key of RFC 8032's first test, and points that are none or weak.
    let hex = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
    assert_eq!(check("discord", hex), Ok(()));
    assert_eq!(check("discord", &hex.to_uppercase()), Ok(()));
    assert_eq!(check("discord", "zz"), Err(Error::SecretNotHex));
    assert_eq!(check("discord", &hex[2..]), Err(Error::SecretNotAKey));
    assert_eq!(check("discord", &"00".repeat(32)), Err(Error::SecretNotAKey));
    let base64 = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
    assert_eq!(check("standard-webhooks-v1a", &format!("whpk_{base64}")), Ok(()));

    assert_eq!(check("sendgrid", base64), Err(Error::SecretNotAKey));
    assert_eq!(check("sendgrid", &BASE64.encode(&[0; 91])), Err(Error::SecretNotAKey));
    for public in ["discord", "sendgrid", "paypal", "none"] {
        assert!(!Recipe::named(public).unwrap().takes_any_secret(), "{public}");
    }
    assert!(Recipe::named("basic").unwrap().takes_any_secret());
}
