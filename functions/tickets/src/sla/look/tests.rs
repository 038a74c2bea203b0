//! What is kept of tickets is what their logs say, and nobody is told twice, whatever is done.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use pollster::block_on;
use proptest::prelude::*;
use serde_json::{Value, json};
use shared::{memory::Memory, open::Open, ports::Tenant};

use crate::{Tickets, sla::standing::kept_now, store};

const TENANT: &str = "ten_00000000000000000000000000";
const MINUTE: Duration = Duration::from_secs(60);

struct Desk {
    memory: Memory,
    tickets: Vec<String>,
}

impl Desk {
    fn new() -> Self {
        let memory = Memory::default();
        memory.add_tenant(TENANT);
        Self { memory, tickets: Vec::new() }
    }

    fn ask(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let response = self.memory.ask::<Tickets>(TENANT, method, path, body);
        let status = response.status().as_u16();
        let body = response.body().as_full().unwrap();
        let body = serde_json::from_slice(body).unwrap_or(Value::Null);
        assert!(status < 500, "{method} {path}: {status} {body} {:?}", self.memory.notes());
        (status, body)
    }

    fn put(&self, path: &str, body: &Value) {
        let (status, body) = self.ask("PUT", path, body);
        assert_eq!(status, 200, "{path}: {body}");
    }

    fn open(&mut self) {
        let new = json!({"subject": "S", "text": "T", "requester": {"email": "a@example.com"}});
        let (status, made) = self.ask("POST", "/v1/tickets", &new);
        assert_eq!(status, 201, "{made}");
        self.tickets.push(made["id"].as_str().unwrap().to_owned());
    }

    /// Time passes, in steps that are short enough for nothing to be late.
    fn wait(&self, minutes: u32) {
        let mut left = minutes;
        while left > 0 {
            let step = left.min(7);
            self.memory.advance(MINUTE * step);
            self.memory.settle::<Tickets>();
            left -= step;
        }
    }

    fn path(&self, ticket: usize, rest: &str) -> String {
        format!("/v1/tickets/{}{rest}", self.tickets[ticket % self.tickets.len()])
    }

    /// The alerts in the log of a ticket: of what, in which round, and at how much.
    fn told(&self, ticket: usize) -> Vec<(String, i64, i64)> {
        let (_, log) = self.ask("GET", &self.path(ticket, "/log?limit=200"), &Value::Null);
        let told = log["items"].as_array().unwrap().iter();
        let told = told.filter(|it| {
            it["action"] == "ticket.sla_warned" || it["action"] == "ticket.sla_breached"
        });
        told.map(|it| {
            let data = &it["data"];
            let number = |name: &str| data[name].as_i64().unwrap();
            (data["target"].as_str().unwrap().to_owned(), number("round"), number("percent"))
        })
        .collect()
    }

    /// What is kept of each ticket is what its log says, and each alert is there once.
    fn check(&self) {
        let store = self.memory.store(TENANT);
        let at = block_on(Open::system(&self.memory, &store, TENANT, false)).unwrap();
        for (number, id) in self.tickets.iter().enumerate() {
            let kept = block_on(store::find_standing(&at, id)).unwrap();
            let expected = block_on(kept_now(&at, id)).unwrap();
            assert_eq!(kept.unwrap_or_default(), expected, "{id}");
            let told = self.told(number);
            let once: BTreeSet<_> = told.iter().collect();
            assert_eq!(once.len(), told.len(), "{told:?}");
        }
        assert_eq!(self.memory.notes(), [""; 0]);
    }
}

fn minutes(first: u32, resolution: u32) -> Value {
    let all = |it: u32| json!({"low": it, "normal": it, "high": it, "urgent": it});
    let of = |it: u32| json!({"minutes": all(it)});
    json!({"targets": {"first_response": of(first), "next_response": of(first),
        "update": of(2 * first), "resolution": of(resolution)}})
}

#[test]
fn each_is_told_when_it_is_due_and_once() {
    let mut desk = Desk::new();
    desk.open();
    desk.put("/v1/tickets/slas/usual", &minutes(60, 600));
    desk.check();
    let mut seen = BTreeMap::new();

    // Each minute of four hours, from when the policy applies.
    for minute in 1..=240 {
        desk.memory.advance(MINUTE);
        desk.memory.settle::<Tickets>();
        for it in desk.told(0) {
            seen.entry((it.0, it.2)).or_insert(minute);
        }
    }

    desk.check();
    let seen: Vec<_> =
        seen.iter().map(|((target, percent), it)| (target.as_str(), *percent, *it)).collect();
    let first = "first_response";
    assert_eq!(seen, [(first, 50, 30), (first, 80, 48), (first, 100, 60)]);
}

#[test]
fn who_took_note_is_not_told_again_and_there_is_nothing_to_note_of_what_is_done() {
    let mut desk = Desk::new();
    desk.put("/v1/tickets/slas/usual", &minutes(60, 600));
    desk.open();
    desk.wait(31);
    let note = |desk: &Desk, target: &str| {
        desk.ask("POST", &desk.path(0, "/sla/acknowledge"), &json!({"target": target})).0
    };

    assert_eq!(note(&desk, "first_response"), 200);
    assert_eq!(note(&desk, "first_response"), 200);
    assert_eq!(note(&desk, "next_response"), 409);
    desk.wait(120);

    desk.check();
    let told: Vec<_> = desk.told(0).iter().map(|it| it.2).collect();
    assert_eq!(told, [50, 100]);
    desk.ask("POST", &desk.path(0, "/messages"), &json!({"kind": "reply", "text": "T"}));
    assert_eq!(note(&desk, "first_response"), 409);
    let (_, log) = desk.ask("GET", &desk.path(0, "/log?limit=200"), &Value::Null);
    let noted = log["items"].as_array().unwrap().iter();
    let noted = noted.filter(|it| it["action"] == "ticket.sla_acknowledged").count();
    assert_eq!(noted, 1);
}

#[test]
fn what_is_due_is_listed_with_the_soonest_first() {
    let mut desk = Desk::new();
    desk.put("/v1/tickets/slas/usual", &minutes(60, 600));
    (0..3).for_each(|_| {
        desk.open();
        desk.wait(5);
    });
    desk.ask(
        "POST",
        &desk.path(0, "/messages"),
        &json!({"kind": "reply", "text": "T", "state": "open"}),
    );
    desk.ask("PATCH", &desk.path(1, ""), &json!({"state": "resolved"}));

    let (status, due) = desk.ask("GET", "/v1/tickets/due?limit=1", &Value::Null);
    assert_eq!((status, &due["items"][0]["ticket"]["id"]), (200, &json!(desk.tickets[2])));
    let next = due["next"].as_str().unwrap();
    let (_, due) = desk.ask("GET", &format!("/v1/tickets/due?cursor={next}"), &Value::Null);
    assert_eq!(due["items"].as_array().unwrap().len(), 1);
    assert_eq!(due["items"][0]["ticket"]["id"], json!(desk.tickets[0]));
}

/// Something that is done; numbers name tickets by what there is.
#[derive(Clone, Debug)]
enum Act {
    Open,
    Wait(u32),
    Say(usize, &'static str),
    Change(usize, Value),
    Merge(usize, usize),
    Undo(usize, usize),
    Note(usize, &'static str),
    Put(&'static str, Value, i64),
    Delete(&'static str, bool),
}

fn act() -> impl Strategy<Value = Act> {
    let change = prop_oneof![
        Just(json!({"state": "pending"})),
        Just(json!({"state": "open"})),
        Just(json!({"state": "resolved"})),
        Just(json!({"state": "spam"})),
        Just(json!({"priority": "urgent"})),
        Just(json!({"priority": "low", "team": "ops"})),
        Just(json!({"sla": "strict"})),
        Just(json!({"sla": null, "team": null})),
    ];
    let said = prop_oneof![Just("reply"), Just("note"), Just("received")];
    let target = prop_oneof![Just("first_response"), Just("update"), Just("resolution")];
    let policy = prop_oneof![
        Just(minutes(60, 600)),
        Just(minutes(20, 120)),
        Just(json!({"targets": {}})),
        Just(json!({"rank": 1, "when": "has(ticket.team)", "targets": minutes(30, 90)["targets"]})),
        Just(json!({"rank": 2, "calendar": "office", "targets": minutes(30, 90)["targets"],
            "ladder": [{"percent": 40, "to": ["assignee", "team"]}, {"percent": 200, "to": []}]})),
    ];
    let name = prop_oneof![Just("usual"), Just("strict")];
    prop_oneof![
        3 => Just(Act::Open),
        6 => (1u32..200).prop_map(Act::Wait),
        5 => (any::<usize>(), said).prop_map(|(a, b)| Act::Say(a, b)),
        5 => (any::<usize>(), change).prop_map(|(a, b)| Act::Change(a, b)),
        1 => (any::<usize>(), any::<usize>()).prop_map(|(a, b)| Act::Merge(a, b)),
        2 => (any::<usize>(), any::<usize>()).prop_map(|(a, b)| Act::Undo(a, b)),
        2 => (any::<usize>(), target).prop_map(|(a, b)| Act::Note(a, b)),
        3 => (name.clone(), policy, -100i64..100).prop_map(|(a, b, c)| Act::Put(a, b, c)),
        1 => (name, any::<bool>()).prop_map(|(a, b)| Act::Delete(a, b)),
    ]
}

impl Desk {
    fn act(&mut self, act: &Act) {
        match act {
            Act::Open => self.open(),
            Act::Wait(minutes) => self.wait(*minutes),
            Act::Say(ticket, kind) => {
                let said = json!({"kind": kind, "text": "words"});
                self.ask("POST", &self.path(*ticket, "/messages"), &said);
            }
            Act::Change(ticket, change) => {
                self.ask("PATCH", &self.path(*ticket, ""), change);
            }
            Act::Merge(ticket, into) => {
                let into = &self.tickets[into % self.tickets.len()];
                self.ask("POST", &self.path(*ticket, "/merge"), &json!({"into": into}));
            }
            Act::Undo(ticket, entry) => {
                let (_, log) = self.ask("GET", &self.path(*ticket, "/log?limit=200"), &Value::Null);
                let log = log["items"].as_array().unwrap();
                let undo = json!({"sequence": log[entry % log.len()]["sequence"]});
                self.ask("POST", &self.path(*ticket, "/undo"), &undo);
            }
            Act::Note(ticket, target) => {
                let path = self.path(*ticket, "/sla/acknowledge");
                self.ask("POST", &path, &json!({"target": target}));
            }
            Act::Put(name, policy, minutes) => {
                let store = self.memory.store(TENANT);
                let at = block_on(Open::system(&self.memory, &store, TENANT, false)).unwrap();
                let from = shared::domain::Timestamp(at.now().0 + minutes * 60_000);
                self.put(&format!("/v1/tickets/slas/{name}?applies_from={from}"), policy);
            }
            Act::Delete(name, forget) => {
                let path = format!("/v1/tickets/slas/{name}?forget={forget}");
                self.ask("DELETE", &path, &Value::Null);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn what_is_kept_is_what_the_log_says_whatever_is_done(
        acts in prop::collection::vec(act(), 1..30)
    ) {
        let mut desk = Desk::new();
        let day = json!([{"from": "01:00", "to": "02:10"}, {"from": "03:00", "to": "09:00"}]);
        let week: serde_json::Map<_, _> = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
            .iter()
            .map(|it| ((*it).to_owned(), day.clone()))
            .collect();
        desk.put("/v1/tickets/calendars/office", &json!({"hours": week}));
        desk.open();
        for it in &acts {
            desk.act(it);
            desk.check();
        }
    }
}
