//! Which files an entry can name.

use serde_json::json;

use super::*;

fn file(blob: &str, name: &str, kind: &str) -> Value {
    json!({"blob": blob, "name": name, "type": kind})
}

#[test]
fn one_file_is_a_list_of_one() {
    let one = file("files/a", "a.pdf", "application/pdf");

    let found = named(&one).unwrap();

    assert_eq!(found, named(&json!([one])).unwrap());
    assert_eq!((found[0].blob.as_str(), found[0].name.as_str()), ("files/a", "a.pdf"));
}

#[test]
fn what_is_not_handed_on_is_no_file() {
    for blob in ["paypal/token", "usage/rep_1", "file", ""] {
        let why = named(&file(blob, "a.pdf", "application/pdf")).unwrap_err();
        assert!(why.contains("files/"), "{why}");
    }
}

#[test]
fn a_name_is_no_path_and_ends_no_header() {
    for name in ["", "../a", "a\\b", "a\r\nBcc: x@y.zz", "a\"b", &"a".repeat(151)] {
        assert!(named(&file("files/a", name, "application/pdf")).is_err(), "{name:?}");
    }
    assert!(named(&file("files/a", "Rechnung Ä-1 (2).pdf", "application/pdf")).is_ok());
}

#[test]
fn a_type_is_two_words_and_has_no_parts() {
    let kinds = [
        "pdf",
        "/",
        "text/",
        "text/plain; charset=x",
        "a/b\r\nX: y",
        "multipart/mixed",
        "Message/rfc822",
    ];
    for kind in kinds {
        assert!(named(&file("files/a", "a", kind)).is_err(), "{kind:?}");
    }
    assert!(named(&file("files/a", "a", "application/vnd.ms-excel")).is_ok());
}

#[test]
fn a_mail_carries_ten() {
    let all = |count| Value::Array(vec![file("files/a", "a", "text/csv"); count]);

    assert_eq!(named(&all(FILES_MAX)).map(|it| it.len()), Ok(FILES_MAX));
    assert!(named(&all(FILES_MAX + 1)).is_err());
    assert!(named(&json!("files/a")).is_err());
}
