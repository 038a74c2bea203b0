//! Whom and what a rule finds in an entry.

use super::*;

fn notice(data: Value) -> Result<Option<NewNotice>, String> {
    let text = json!({"action": "invoice.*", "type": "bill", "to_found": ["/data/to"],
        "files_found": "/data/files", "mail_found": "/data/mail"});
    let rule: RuleText = serde_json::from_value(text).unwrap();
    rule.notice(json!({"action": "invoice.x", "subject": "bdl_1", "data": data}))
}

#[test]
fn an_object_is_a_contact_with_its_name_and_language() {
    let to = json!({"email": "Ada@Example.com", "name": "Ada", "locale": "de"});
    let files = json!([{"blob": "files/a", "name": "a.pdf", "type": "application/pdf"}]);

    let it = notice(json!({"to": to, "files": files})).unwrap().unwrap();

    let NewRecipient::Contact(contact) = &it.to[0] else { panic!("{:?}", it.to) };
    assert_eq!(contact.email.as_ref().unwrap().as_str(), "Ada@example.com");
    assert_eq!((contact.name.as_str(), contact.locale.as_deref()), ("Ada", Some("de")));
    assert_eq!(it.files.len(), 1);
    let of = it.of.unwrap();
    assert_eq!((of.action.as_str(), of.subject.as_str()), ("invoice.x", "bdl_1"));
}

#[test]
fn whom_no_mail_reaches_is_told_and_nobody_is_nobody() {
    let why = notice(json!({"to": {"email": "no address"}})).unwrap_err();
    assert!(why.contains("/data/to") && why.contains("somebody@example.com"), "{why}");
    assert!(notice(json!({"to": "no address"})).unwrap().is_none());
    assert!(notice(json!({})).unwrap().is_none());
}

#[test]
fn files_that_are_none_are_told() {
    let bad = json!([{"blob": "secret", "name": "a.pdf", "type": "application/pdf"}]);

    assert!(notice(json!({"to": "ada@example.com", "files": bad})).is_err());
    let it = notice(json!({"to": "ada@example.com", "files": null})).unwrap().unwrap();
    assert!(it.files.is_empty());
}

#[test]
fn a_list_is_each_that_it_names() {
    let to = json!(["ada@example.com", {"email": "bob@example.com"}, "nobody", 7]);
    let it = notice(json!({"to": to})).unwrap().unwrap();
    assert_eq!(it.to.len(), 2);

    let many = |count: usize| json!({"to": vec!["ada@example.com"; count]});
    assert_eq!(notice(many(LIST_MAX)).unwrap().unwrap().to.len(), LIST_MAX);
    assert!(notice(many(LIST_MAX + 1)).unwrap_err().contains("/data/to"));
    assert!(notice(json!({"to": []})).unwrap().is_none());
    assert!(notice(json!({"to": [{"email": "no address"}]})).is_err());
}

#[test]
fn a_thread_is_found_and_a_bad_one_is_told() {
    let of = |mail: Value| notice(json!({"to": "ada@example.com", "mail": mail}));

    let it = of(json!({"message_id": "a@b", "person": true})).unwrap().unwrap().mail.unwrap();
    assert_eq!((it.message_id.as_deref(), it.person), (Some("a@b"), true));
    assert!(of(Value::Null).unwrap().unwrap().mail.is_none());
    assert!(of(json!({"message_id": "a@b\r\nBcc: x@y.zz"})).unwrap_err().contains("message_id"));
}
