//! From an entry of the log to the mail of it, in memory.

use mail_parser::{Message, MessageParser, MimeHeaders as _};
use pollster::block_on;
use serde_json::json;
use shared::{
    domain::{Commit, Draft, Id},
    memory::Memory,
    open::Open,
    ports::{Blobs as _, Tenant},
};

use super::*;
use crate::{Notify, rule::Rule, settings::Settings, store, workflow::Workflow};

const TENANT: &str = "ten_threads";

fn open(memory: &Memory) -> impl Tenant {
    block_on(Open::system(memory, &memory.store(TENANT), TENANT, false)).unwrap()
}

/// A tenant whose answers to tickets are mailed, in digests.
fn office(at: &impl Tenant) {
    let settings = json!({"from": "news@example.com", "base": "https://api.example.com"});
    let settings: Settings = serde_json::from_value(settings).unwrap();
    let workflow = json!({"channels": ["email"],
        "template": {"subject": "Stale", "html": "{{ entry.data.text }} <img src='cid:a b.png'>"},
        "digest": {"kind": "fixed", "seconds": 600}});
    let text = serde_json::from_value(workflow).unwrap();
    let workflow = Workflow { kind: "reply".to_owned(), text, updated_at: at.now(), version: 1 };
    let rule = json!({"action": "ticket.replied", "type": "reply", "to_found": ["/data/to"],
        "mail_found": "/data/mail", "files_found": "/data/files"});
    let text = serde_json::from_value(rule).unwrap();
    let commit = store::put_settings(&Settings { version: 1, ..settings })
        .and(store::put_workflow(&workflow, None))
        .and(store::put_rule(&Rule { name: "replies".to_owned(), text, version: 1 }));
    block_on(async {
        at.blobs()
            .put("files/a", futures_util::stream::iter([Ok(vec![1, 2].into())]))
            .await
            .unwrap();
        at.commit(commit).await.unwrap();
    });
}

/// What comes of an answer with this about its mail: the mails, as they would go out.
fn mails(memory: &Memory, mail: Value) -> Vec<Vec<u8>> {
    let at = open(memory);
    office(&at);
    let data = json!({"to": [{"email": "ada@example.com"}, {"email": "bob@example.com"}],
        "text": "Hello", "mail": mail,
        "files": [{"blob": "files/a", "name": "a b.png", "type": "image/png"}]});
    let entry = Draft::new("ticket.replied", &Id::trusted("tkt_1".to_owned())).with(data);
    block_on(at.commit(Commit::new().entry(entry))).unwrap();
    memory.settle::<Notify>();
    block_on(async {
        let mut found = Vec::new();
        for it in store::list_mails(&at, None, 10).await.unwrap() {
            found.push(store::find_mail(&at, &it.id).await.unwrap().unwrap());
        }
        found
    })
}

#[test]
fn an_answer_is_mailed_as_one_of_its_thread() {
    let found = mails(
        &Memory::default(),
        json!({"message_id": "tmg_1@example.com", "in_reply_to": ["q@example.org"],
            "references": ["p@example.org", "q@example.org"], "from": "help@example.com",
            "reply_to": "help+t1@example.com", "from_name": "Eve", "subject": "Re: Tea",
            "person": true}),
    );

    assert_eq!(found.len(), 2, "no digest holds it");
    for bytes in &found {
        let mail: Message<'_> = MessageParser::default().parse(bytes).unwrap();
        assert_eq!(mail.message_id(), Some("tmg_1@example.com"));
        assert_eq!(mail.in_reply_to().as_text(), Some("q@example.org"));
        let before = mail.references().as_text_list().unwrap();
        assert_eq!(before, ["p@example.org", "q@example.org"]);
        let from = mail.from().unwrap().first().unwrap();
        assert_eq!((from.name(), from.address()), (Some("Eve"), Some("help@example.com")));
        let answers = mail.reply_to().unwrap().first().unwrap();
        assert_eq!(answers.address(), Some("help+t1@example.com"));
        assert_eq!(mail.subject(), Some("Re: Tea"));
        assert!(mail.header("Auto-Submitted").is_none());
        let image = mail.parts.iter().find(|it| it.content_id().is_some()).unwrap();
        assert_eq!(image.contents(), [1, 2]);
        let page = mail.body_html(0).unwrap();
        assert!(page.contains(image.content_id().unwrap()), "{page}");
    }
}

#[test]
fn a_thread_that_is_none_is_no_mail_and_is_told() {
    let memory = Memory::default();

    let found = mails(&memory, json!({"message_id": "a@b\r\nBcc: x@y.zz"}));

    assert_eq!(found.len(), 0);
    let told = block_on(shared::log::read(&open(&memory), 0, 100, None)).unwrap();
    let refused = told.iter().find(|it| it.action == "notice.refused").unwrap();
    assert!(refused.data["why"].as_str().unwrap().contains("message_id"), "{refused:?}");
}
