//! What holds of tickets whatever agents do to them, in whatever order.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use serde_json::{Value, json};
use shared::memory::Memory;

use crate::Tickets;

const TENANT: &str = "ten_00000000000000000000000000";

struct Desk {
    memory: Memory,
    tickets: Vec<String>,
    said: usize,
}

/// Something that an agent does; numbers name tickets, messages and entries by what there is.
#[derive(Clone, Debug)]
enum Act {
    Open,
    Say(usize, &'static str),
    Change(usize, Value),
    Merge(usize, usize, bool),
    Split(usize, usize),
    Link(usize, &'static str, usize),
    Unlink(usize),
    Undo(usize, usize),
}

fn act() -> impl Strategy<Value = Act> {
    let change = prop_oneof![
        Just(json!({"state": "resolved"})),
        Just(json!({"state": "open"})),
        Just(json!({"state": "closed"})),
        Just(json!({"state": "spam"})),
        Just(json!({"team": "ops"})),
        Just(json!({"team": null})),
        Just(json!({"add_tags": ["a"], "remove_tags": ["b"]})),
        Just(json!({"add_tags": ["b"]})),
        Just(json!({"priority": "urgent"})),
        Just(json!({"priority": null, "impact": "high"})),
        Just(json!({"fields": {"x": 1}})),
        Just(json!({"fields": {"x": null}, "incident": "i"})),
    ];
    let kinds = prop_oneof![Just("parent"), Just("child"), Just("related"), Just("blocks")];
    let said = prop_oneof![Just("reply"), Just("note"), Just("received")];
    prop_oneof![
        2 => Just(Act::Open),
        3 => (any::<usize>(), said).prop_map(|(a, b)| Act::Say(a, b)),
        4 => (any::<usize>(), change).prop_map(|(a, b)| Act::Change(a, b)),
        3 => (any::<usize>(), any::<usize>(), any::<bool>()).prop_map(|(a, b, c)| Act::Merge(a, b, c)),
        2 => (any::<usize>(), any::<usize>()).prop_map(|(a, b)| Act::Split(a, b)),
        2 => (any::<usize>(), kinds, any::<usize>()).prop_map(|(a, b, c)| Act::Link(a, b, c)),
        1 => any::<usize>().prop_map(Act::Unlink),
        5 => (any::<usize>(), any::<usize>()).prop_map(|(a, b)| Act::Undo(a, b)),
    ]
}

impl Desk {
    fn new() -> Self {
        let memory = Memory::default();
        memory.add_tenant(TENANT);
        let mut desk = Self { memory, tickets: Vec::new(), said: 0 };
        desk.act(&Act::Open);
        desk
    }

    fn ask(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let response = self.memory.ask::<Tickets>(TENANT, method, path, body);
        let status = response.status().as_u16();
        assert!(status < 500, "{method} {path}: {status} {:?}", self.memory.notes());
        let body = response.body().as_full().unwrap();
        (status, serde_json::from_slice(body).unwrap_or(Value::Null))
    }

    fn get(&self, path: &str) -> Value {
        let (status, body) = self.ask("GET", path, &Value::Null);
        assert_eq!(status, 200, "{path}");
        body
    }

    fn list(&self, path: &str) -> Vec<Value> {
        self.get(path)["items"].as_array().unwrap().clone()
    }

    fn ticket(&self, number: usize) -> &str {
        &self.tickets[number % self.tickets.len()]
    }

    fn path(&self, number: usize, rest: &str) -> String {
        format!("/v1/tickets/{}{rest}", self.ticket(number))
    }

    fn act(&mut self, act: &Act) {
        match act {
            Act::Open => {
                let number = self.tickets.len();
                let new = json!({"subject": format!("S{number}"), "text": "T",
                    "requester": {"email": format!("a{number}@example.com")}});
                let (status, made) = self.ask("POST", "/v1/tickets", &new);
                assert_eq!(status, 201);
                self.tickets.push(made["id"].as_str().unwrap().to_owned());
                self.said += 1;
            }
            Act::Say(ticket, kind) => {
                let said = json!({"kind": kind, "text": "words"});
                let path = self.path(*ticket, "/messages");
                let (status, _) = self.ask("POST", &path, &said);
                self.said += usize::from(status == 201);
                // What is said where it is over opens another.
                self.find_new();
            }
            Act::Change(ticket, change) => {
                self.ask("PATCH", &self.path(*ticket, ""), change);
            }
            Act::Merge(ticket, into, copies) => {
                let merge = json!({"into": self.ticket(*into), "copy_requester": copies});
                self.ask("POST", &self.path(*ticket, "/merge"), &merge);
            }
            Act::Split(ticket, message) => {
                let all = self.list(&self.path(*ticket, "/messages"));
                if !all.is_empty() {
                    let split = json!({"messages": [all[message % all.len()]["id"]]});
                    self.ask("POST", &self.path(*ticket, "/split"), &split);
                }
                self.find_new();
            }
            Act::Link(ticket, kind, other) => {
                let link = json!({"kind": kind, "ticket": self.ticket(*other)});
                self.ask("POST", &self.path(*ticket, "/links"), &link);
            }
            Act::Unlink(ticket) => {
                if let Some(it) = self.list(&self.path(*ticket, "/links")).first() {
                    let (kind, other) = (it["kind"].as_str(), it["ticket"].as_str());
                    let rest = format!("/links/{}/{}", kind.unwrap(), other.unwrap());
                    assert_eq!(self.ask("DELETE", &self.path(*ticket, &rest), &Value::Null).0, 204);
                }
            }
            Act::Undo(ticket, entry) => self.undo(*ticket, *entry),
        }
    }

    /// Undoes an entry. What a change had changed is as it was before.
    fn undo(&self, ticket: usize, entry: usize) {
        let log = self.list(&self.path(ticket, "/log?limit=200"));
        let entry = &log[entry % log.len()];
        let asked = json!({"sequence": entry["sequence"]});
        let (status, after) = self.ask("POST", &self.path(ticket, "/undo"), &asked);
        if entry["action"] == "ticket.changed" && status == 200 {
            let decided = ["priority", "tags", "team"];
            for (name, was) in entry["data"]["before"].as_object().unwrap() {
                if !decided.contains(&name.as_str()) {
                    assert_eq!(&after[name], was, "{name} of {entry}");
                }
            }
        }
        if entry["action"] == "ticket.opened" || entry["action"] == "ticket.replied" {
            assert_eq!(status, 409, "{entry}");
        }
    }

    fn find_new(&mut self) {
        let all = self.list("/v1/tickets?limit=200");
        let known: BTreeSet<_> = self.tickets.iter().cloned().collect();
        let ids = all.iter().map(|it| it["id"].as_str().unwrap().to_owned());
        self.tickets.extend(ids.filter(|it| !known.contains(it)));
    }

    /// Whatever was done: each message is in one ticket, a merged ticket leads to one that is not,
    /// links are there from both sides, and numbers are each given once.
    fn check(&self) {
        let all: BTreeMap<_, _> = self
            .tickets
            .iter()
            .map(|id| (id.clone(), self.get(&format!("/v1/tickets/{id}"))))
            .collect();
        let numbers: BTreeSet<_> = all.values().map(|it| it["number"].as_i64()).collect();
        assert_eq!(numbers.len(), all.len());
        let mut messages = BTreeSet::new();
        for (id, ticket) in &all {
            assert_eq!(ticket["state"] == "merged", ticket["merged_into"].is_string(), "{ticket}");
            for message in self.list(&format!("/v1/tickets/{id}/messages?limit=200")) {
                assert_ne!(ticket["state"], "merged", "{id} is merged, and has {message}");
                assert!(messages.insert(message["id"].to_string()), "{message} is there twice");
            }
            let mut end = ticket;
            for step in 0.. {
                let Some(next) = end["merged_into"].as_str() else { break };
                assert!(step < all.len(), "{id} leads in a circle");
                end = &all[next];
            }
            self.check_links(id);
        }
        assert_eq!(messages.len(), self.said, "nothing that was said is lost");
    }

    fn check_links(&self, id: &str) {
        let back = BTreeMap::from([
            ("related", "related"),
            ("parent", "child"),
            ("child", "parent"),
            ("blocks", "blocked_by"),
            ("blocked_by", "blocks"),
        ]);
        let links = self.list(&format!("/v1/tickets/{id}/links"));
        assert!(links.iter().filter(|it| it["kind"] == "parent").count() <= 1);
        for link in links {
            let (kind, other) = (link["kind"].as_str().unwrap(), link["ticket"].as_str().unwrap());
            let there = self.list(&format!("/v1/tickets/{other}/links"));
            let expected = json!({"kind": back[kind], "ticket": id});
            assert!(there.contains(&expected), "{id} {kind} {other}, and there {there:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn nothing_that_was_said_is_lost_whatever_is_done(acts in prop::collection::vec(act(), 1..40)) {
        let mut desk = Desk::new();
        for it in &acts {
            desk.act(it);
        }
        desk.check();
    }
}
