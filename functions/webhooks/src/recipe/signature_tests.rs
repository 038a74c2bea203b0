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

    assert_eq!(warned.collect::<Vec<_>>(), ["mailgun", "none", "paypal", "sns"]);
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
    assert_eq!(more("names", json!(vec!["a.b"; 9])), Err(Error::BadKeyUrl));
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

/// The recipe of SNS with `value` at `pointer`.
fn sns_with(pointer: &str, value: Value) -> Result<Recipe, Error> {
    changed("sns", |it| *it.pointer_mut(pointer).unwrap() = value.clone())
}

#[test]
fn fields_are_signed_so_that_each_is_only_itself() {
    let fields = |it: Value| sns_with("/signature/fields", it);
    let names = json!(["Message", "MessageId", "Timestamp", "SubscribeURL", "Type"]);
    assert!(fields(json!({"names": names})).is_ok());
    assert!(
        fields(json!({"names": names, "optional": ["SubscribeURL"], "secret": "Type"})).is_ok()
    );
    for bad in [
        Value::Null,
        json!({"names": []}),
        json!({"names": ["Message"]}),
        json!({"names": ["Message", "MessageId", "Type", "type"]}),
        json!({"names": ["Message", "Message"]}),
        json!({"names": ["Message", "Message/Id"]}),
        json!({"names": ["Message", "Message\nId"]}),
        json!({"names": ["Message", ""]}),
        json!({"names": names, "optional": ["Message"]}),
        json!({"names": names, "optional": ["MessageId"]}),
        json!({"names": names, "optional": ["Subject"]}),
        json!({"names": names, "optional": ["Type"], "secret": "Type"}),
        json!({"names": names, "secret": "TopicArn"}),
        json!({"names": (0..17).map(|it| format!("f{it}")).collect::<Vec<_>>()}),
    ] {
        assert_eq!(fields(bad.clone()), Err(Error::BadFields), "{bad}");
    }
    let string = |it: &str| sns_with("/signature/signed", json!(it));
    for bad in ["{fields}x", "x{fields}", "{timestamp}{fields}", "{fields}{body}", "{body}"] {
        assert_eq!(string(bad), Err(Error::FieldsNotAlone), "{bad}");
    }
    assert_eq!(with("github", "fields", json!({"names": names})), Err(Error::FieldsNotAlone));
    assert_eq!(with("github", "signed", json!("{fields}")), Err(Error::BadFields));
}

#[test]
fn what_is_beside_the_signed_fields_says_nothing() {
    let places = [
        json!({"pointer": "/UnsubscribeURL"}),
        json!({"pointer": "/Message/a"}),
        json!({"pointer": "/message"}),
        json!({"inside": {"text": "/UnsubscribeURL", "pointer": "/a"}}),
        json!({"header": "x-amz-sns-message-id"}),
        json!({"query": "id"}),
    ];
    for place in places {
        for pointer in
            ["/id/0", "/event_type/2", "/timestamp/at", "/challenge/when/0/at", "/challenge/token"]
        {
            let refused = sns_with(pointer, place.clone()).unwrap_err();
            let is_known = refused == Error::FieldNotSigned
                || refused == Error::SignedIdUnclear
                || refused == Error::TimestampNotSigned
                || matches!(refused, Error::BadChallenge(_));
            assert!(is_known, "{pointer}: {place}: {refused}");
        }
    }
    let inside = json!({"inside": {"text": "/Message", "pointer": "/id"}});
    assert_eq!(sns_with("/id/0", inside), Err(Error::SignedIdUnclear));
    assert_eq!(sns_with("/id", json!([])), Err(Error::SignedIdUnclear));
    let bad = json!([{"inside": {"text": "Message", "pointer": "/id"}}]);
    assert!(matches!(sns_with("/event_type", bad), Err(Error::BadPointer(_))));
}

#[test]
fn only_the_providers_own_hosts_are_visited() {
    let visits = |hosts: Value| sns_with("/challenge/answer/visit", hosts);
    assert!(visits(json!(["api.example.com", "sns.*.amazonaws.com"])).is_ok());
    for bad in [
        json!([]),
        json!(["*.amazonaws.com"]),
        json!(["sns.*.com"]),
        json!(["sns-*.amazonaws.com"]),
        json!(["sns.*.*.amazonaws.com"]),
        json!(["127.0.0.1"]),
        json!(vec!["a.b"; 5]),
    ] {
        assert!(matches!(visits(bad.clone()), Err(Error::BadChallenge(_))), "{bad}");
    }
    let get = changed("sns", |it| it["challenge"]["method"] = json!("get"));
    assert!(get.is_err(), "the address would be anybody's");
    let visit = json!({"when": [{"at": {"pointer": "/type"}, "is": {"text": "a"}}],
        "token": {"pointer": "/url"}, "answer": {"visit": ["a.b"]}});
    let of = |name: &str| changed(name, |recipe| recipe["challenge"] = visit.clone());
    assert!(of("github").is_ok());
    for unsigned in ["gitlab-token", "mailgun", "paypal", "none"] {
        assert!(matches!(of(unsigned), Err(Error::BadChallenge(_))), "{unsigned}");
    }
}

#[test]
fn a_name_with_a_region_is_of_hosts_with_one() {
    let names = |it: Value| sns_with("/signature/key_url/names", it);
    assert!(names(json!(["sns-*.amazonaws.com"])).is_ok());
    assert_eq!(names(json!(["*.amazonaws.com"])), Err(Error::BadKeyUrl));
    let hosts = sns_with("/signature/key_url/hosts", json!(["sns.eu-west-1.amazonaws.com"]));
    assert_eq!(hosts, Err(Error::BadKeyUrl));
    assert_eq!(sns_with("/signature/key_url/pointer", Value::Null), Err(Error::BadKeyUrl));
    let both = changed("sns", |it| it["signature"]["key_url"]["header"] = json!("x-key"));
    assert_eq!(both, Err(Error::BadKeyUrl));
    let version = sns_with("/signature/version/otherwise", json!(""));
    assert!(matches!(version, Err(Error::BadText { .. })));
}
