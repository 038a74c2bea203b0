//! The mails in `fixtures/tickets/mails`: each is read and decided as its outcome says.
//!
//! An outcome says all that is not as in a plain mail: see `plain`.

use std::{fs, path::PathBuf};

use serde_json::{Map, Value, json};

use super::{
    thread::{Candidate, Decision, Lead, OnNewSubject, clues, decide},
    token::{SECRET_BYTES, Secret},
    *,
};

/// The mailbox of the outcomes.
const MAILBOX: &str = "tmb_1";

/// A mail of the corpus, and what is to become of it.
pub struct Kept {
    /// Its group and name.
    pub name: String,
    /// As it is posted.
    pub raw: Vec<u8>,
    /// What is to become of it.
    pub outcome: Map<String, Value>,
}

/// All mails of the corpus.
pub fn all() -> Vec<Kept> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/tickets/mails");
    let groups = fs::read_dir(&folder).unwrap().map(|it| it.unwrap().path());
    let mut all = Vec::new();
    for group in groups.filter(|it| it.is_dir()) {
        let outcomes = fs::read(group.join("outcomes.json")).unwrap();
        let outcomes: Map<String, Value> = serde_json::from_slice(&outcomes).unwrap();
        let mails = fs::read_dir(&group).unwrap().count() - 1;
        assert_eq!(mails, outcomes.len(), "each mail of {} has an outcome", group.display());
        for (name, outcome) in outcomes {
            let raw = fs::read(group.join(format!("{name}.eml"))).unwrap();
            let group = group.file_name().unwrap().to_string_lossy().into_owned();
            let Value::Object(outcome) = outcome else { panic!("an outcome is an object") };
            all.push(Kept { name: format!("{group}/{name}"), raw, outcome });
        }
    }
    all
}

/// What becomes of a mail in the world of the outcomes.
pub fn decided(incoming: &Incoming, policy: OnNewSubject) -> String {
    let secret = Secret::new(&[7; SECRET_BYTES]).unwrap();
    let sender = incoming.from.as_ref().map_or("", |it| it.email.as_str());
    let people = ["ada@example.com", "bob@example.com", "carol@example.net", "eve@example.org"];
    let candidates: Vec<_> = clues(incoming, MAILBOX, &secret)
        .into_iter()
        .filter_map(|(clue, lead)| {
            let ticket = match lead {
                Lead::Number(it @ (12 | 13)) => it,
                Lead::Message(it) if it == "known@example.com" => 12,
                Lead::Message(it) if it == "closed@example.com" => 13,
                _ => return None,
            };
            let subject = if ticket == 12 { "Broken printer" } else { "Old invoice" }.to_owned();
            let (is_closed, is_known) = (ticket == 13, people.contains(&sender));
            Some(Candidate { ticket, clue, subject, is_closed, is_known })
        })
        .collect();
    let is_ours = token::without_extension(sender) == "support@example.com";
    let word = |it: Value| it.as_str().unwrap_or_default().to_owned();
    match decide(incoming, &candidates, policy, is_ours) {
        Decision::Join(ticket, clue) => format!("join {ticket} by {}", word(json!(clue))),
        Decision::Open(None) => "open".to_owned(),
        Decision::Open(Some((ticket, why))) => {
            format!("open, follows {ticket}: {}", word(json!(why)))
        }
        Decision::Bounced(ticket) => format!("bounced {ticket}"),
        Decision::Ignore(why) => format!("ignored: {}", word(json!(why))),
    }
}

/// What a mail is that says nothing of itself.
fn plain() -> Value {
    json!({
        "subject": "Question", "own": "hello", "sender": "ada@example.com", "called": "Ada",
        "attachments": [], "automatic": null, "suppresses": false, "bounce": null, "verdict": {},
        "left_out": [], "decision": "open",
    })
}

/// What was read, by the names of the outcomes.
fn seen(incoming: &Incoming, policy: OnNewSubject) -> Value {
    let files = incoming.attachments.iter().map(|it| {
        let marks = [(it.inline, " inline"), (it.broken, " broken")];
        let marks: String = marks.iter().filter(|it| it.0).map(|it| it.1).collect();
        format!("{} {} {}{marks}", it.name, it.media_type, it.size)
    });
    let from = incoming.from.as_ref();
    json!({
        "subject": incoming.subject, "own": incoming.split.own,
        "sender": from.map(|it| &it.email), "called": from.map_or("", |it| &it.name),
        "attachments": files.collect::<Vec<_>>(), "automatic": incoming.automatic,
        "suppresses": incoming.suppresses, "bounce": incoming.bounce, "verdict": incoming.verdict,
        "left_out": incoming.left_out, "decision": decided(incoming, policy),
        "sent_at": incoming.sent_at, "message_id": incoming.message_id,
        "recipients": incoming.to.count,
    })
}

fn check(kept: &Kept, wrong: &mut Vec<String>) {
    let trusted = ["mx.example.com".to_owned()];
    let incoming = read(&kept.raw, &Envelope::default(), &trusted).unwrap();
    let policy = match kept.outcome.get("policy").and_then(Value::as_str) {
        Some("split") => OnNewSubject::Split,
        _ => OnNewSubject::Keep,
    };
    let (mut expected, seen) = (plain(), seen(&incoming, policy));
    let html = incoming.html.as_deref().unwrap_or("");
    for (name, value) in &kept.outcome {
        let text = value.as_str().unwrap_or_default();
        let is_right = match name.as_str() {
            "policy" => true,
            "html" => html.contains(text),
            "html_without" => !html.contains(text),
            _ => {
                expected[name] = value.clone();
                true
            }
        };
        if !is_right {
            wrong.push(format!("{}: {name}: {html}", kept.name));
        }
    }
    if kept.outcome.get("html").is_none() && !kept.outcome.contains_key("left_out") {
        // Formatted words are expected where they are said to be.
        let is_formatted = incoming.html.is_some() && !kept.name.contains("/html");
        if is_formatted && kept.outcome.get("html_without").is_none() {
            wrong.push(format!("{}: html that nobody expects: {html}", kept.name));
        }
    }
    for (name, value) in expected.as_object().unwrap() {
        // What a group is not about may be left open for some of it, by null.
        let is_open = value.is_null() && matches!(name.as_str(), "attachments" | "own");
        if !is_open && seen[name] != *value {
            wrong.push(format!("{}: {name}: {} is to be {value}", kept.name, seen[name]));
        }
    }
}

#[test]
fn each_mail_becomes_what_its_outcome_says() {
    let (all, mut wrong) = (all(), Vec::new());
    for kept in &all {
        check(kept, &mut wrong);
    }
    assert!(wrong.is_empty(), "{} things:\n{}", wrong.len(), wrong.join("\n"));
    assert!(all.len() >= 200, "there are {} mails", all.len());
}
