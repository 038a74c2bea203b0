//! Which threads an entry can name.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn why(found: Value) -> String {
    named(&found).unwrap_err()
}

#[test]
fn a_thread_is_read_with_brackets_and_without() {
    let it = named(&json!({
        "message_id": "<tmg_1.x@example.com>", "in_reply_to": ["a@b", "<c@d>"],
        "references": ["root@b"], "reply_to": "help+t1@Example.com", "from_name": "Ada of Acme",
        "subject": " Re: Tea ", "person": true,
    }))
    .unwrap();

    assert_eq!(it.message_id.as_deref(), Some("tmg_1.x@example.com"));
    assert_eq!(
        it.headers(),
        [("In-Reply-To", "<a@b> <c@d>".to_owned()), ("References", "<root@b>".to_owned())]
    );
    assert_eq!(it.reply_to.unwrap().as_str(), "help+t1@example.com");
    assert_eq!((it.subject.as_deref(), it.person), (Some("Re: Tea"), true));
    assert!(named(&json!({})).unwrap().headers().is_empty());
}

#[test]
fn one_is_a_list_of_one_and_null_is_nothing_and_somebody_has_a_name() {
    let it = named(&json!({
        "message_id": "a@b", "in_reply_to": "c@d", "references": ["c@d"], "subject": null,
        "reply_to": {"email": "help+t1@example.com", "name": "Help"},
        "from": {"email": "help@example.com", "name": "Help"},
    }))
    .unwrap();

    assert_eq!(it.in_reply_to, it.references);
    assert_eq!(it.reply_to.unwrap().as_str(), "help+t1@example.com");
    let from = (it.from.as_ref().map(Address::as_str), it.from_name.as_deref());
    assert_eq!(from, (Some("help@example.com"), Some("Help")));
    let of_nothing = json!({"message_id": null, "in_reply_to": null, "references": null,
        "reply_to": null, "from": null, "from_name": null});
    assert_eq!(named(&of_nothing), Ok(Thread::default()));
    let called = json!({"from": {"email": "a@example.com", "name": ""}, "from_name": "Ada"});
    assert_eq!(named(&called).unwrap().from_name.as_deref(), Some("Ada"));
}

#[test]
fn a_message_id_is_one_of_the_standard() {
    let longest = format!("{}@example.com", "a".repeat(ID_BYTES_MAX - 12));
    for good in ["a@b", "a.b_c+d=e@x-y.example", "1@[127.0.0.1]", "a@localhost", &longest] {
        assert!(named(&json!({"message_id": good})).is_ok(), "{good}");
    }
    let long = format!("a{longest}");
    let bad = [
        "",
        "a",
        "@b",
        "a@",
        "a@b@c",
        "a b@c",
        "a@b\r\nBcc: x@y.zz",
        "a\n@b",
        "<a@b",
        "a@b>",
        ".a@b",
        "a..b@c",
        "a@b.",
        "\"a b\"@c",
        "ä@b",
        "a@[1]2",
        "a@[[1]",
        &long,
    ];
    for bad in bad {
        assert!(why(json!({"message_id": bad})).contains("message_id"), "{bad:?}");
    }
}

#[test]
fn what_others_wrote_is_named_as_it_is() {
    let odd = named(&json!({"in_reply_to": ["no-at-sign"], "references": ["<a..b@c d>"]}));
    assert!(odd.is_err(), "a blank would make two of one");
    let odd = named(&json!({"in_reply_to": ["no-at-sign"], "references": ["<a..b@c>"]})).unwrap();
    assert_eq!(odd.headers()[1].1, "<a..b@c>");
    for bad in ["", "<>", "a@b> <c@d", "a\r\n@b", "ä@b", &"a".repeat(ID_BYTES_MAX + 1)] {
        assert!(why(json!({"references": [bad]})).contains("references"), "{bad:?}");
    }
}

#[test]
fn no_more_is_named_than_a_head_carries() {
    let many = |count: usize| json!({"references": vec!["a@b"; count]});
    assert_eq!(named(&many(NAMED_MAX)).unwrap().references.len(), NAMED_MAX);
    assert!(named(&many(NAMED_MAX + 1)).is_err());
}

#[test]
fn words_that_end_a_line_are_refused() {
    for bad in [
        json!({"subject": "Tea\r\nBcc: x@y.zz"}),
        json!({"subject": "  "}),
        json!({"subject": "a".repeat(SUBJECT_TAKEN_MAX + 1)}),
        json!({"from_name": "Ada\nX: y"}),
        json!({"from_name": "a".repeat(NAME_CHARS_MAX + 1)}),
        json!({"from_name": " "}),
        json!({"reply_to": "nobody"}),
        json!({"from": "nobody"}),
        json!({"from": {"email": "ada@example.com", "name": "Ada\r\nX: y"}}),
        json!({"from": {"name": "Ada"}}),
        json!({"in_reply_to": 7}),
        json!({"reply_too": "ada@example.com"}),
        json!("text"),
    ] {
        assert!(named(&bad).is_err(), "{bad}");
    }
    let long = named(&json!({"subject": "a".repeat(SUBJECT_TAKEN_MAX)})).unwrap();
    assert_eq!(long.subject.unwrap().len(), SUBJECT_CHARS_MAX);
}

proptest! {
    #[test]
    fn nothing_that_is_taken_ends_a_header(
        id in "[ -~\r\n]{0,30}", other in "\\PC{0,30}", subject in ".{0,30}",
    ) {
        let found = json!({"message_id": id, "references": [other], "subject": subject});
        if let Ok(it) = named(&found) {
            let lines = it.headers().into_iter().map(|it| it.1);
            for line in lines.chain(it.message_id).chain(it.subject) {
                prop_assert!(!line.contains(['\r', '\n']), "{line:?}");
            }
        }
    }
}
