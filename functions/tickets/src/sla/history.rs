//! Histories: what happened to a ticket, as its log tells it. Pure.

use serde_json::{Map, Value};
use shared::domain::{Entry, Timestamp};

use super::policy::{BREACH_PERCENT, Target};
use crate::{priority::Priority, state::State};

/// One thing that happened.
#[derive(Clone, Debug, PartialEq)]
pub struct Happening {
    /// When.
    pub at: Timestamp,
    /// What.
    pub what: What,
}

/// What happened, as far as promises go.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// The requester asked: the ticket as it began.
    Opened(Map<String, Value>),
    /// These of its fields are so from now on; what is null is no more.
    Changed(Map<String, Value>),
    /// The requester, or somebody for them, wrote again.
    Received,
    /// An agent answered them.
    Replied,
    /// An alert went out.
    Told(Told),
    /// An agent took note of a target: its ladder ends for this round.
    Acknowledged {
        /// The target.
        target: Target,
        /// Its round.
        round: u32,
    },
}

/// An alert that went out.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Told {
    /// Of what.
    pub target: Target,
    /// In which round of it.
    pub round: u32,
    /// At how much of it, in percent.
    pub percent: u16,
}

/// What is known of a ticket at a moment: its fields, as conditions see them.
#[derive(Clone, Debug)]
pub struct View {
    /// The fields, with `state` and `priority` among them.
    pub fields: Value,
    /// Where it is.
    pub state: State,
    /// How soon it is to be looked at.
    pub priority: Priority,
    /// Where it was before it was merged.
    before_merge: State,
}

impl Default for View {
    fn default() -> Self {
        let (state, priority) = (State::Open, Priority::default());
        Self { fields: Value::Object(Map::new()), state, priority, before_merge: state }
    }
}

impl View {
    /// Takes in what changed.
    pub fn change(&mut self, fields: &Map<String, Value>) {
        let Value::Object(known) = &mut self.fields else { return };
        for (name, value) in fields {
            if value.is_null() {
                known.remove(name);
            } else {
                known.insert(name.clone(), value.clone());
            }
        }
        // What is told of a ticket that is opened names its customer beside its requester.
        if let Some(requester) = fields.get("requester") {
            let customer = requester.get("customer").cloned().unwrap_or_default();
            match customer.is_null() {
                true => known.remove("customer"),
                false => known.insert("customer".to_owned(), customer),
            };
        }
        let word = |name: &str| fields.get(name).and_then(Value::as_str);
        let state = word("state").and_then(State::parse);
        let priority = word("priority");
        let priority = Priority::ALL.into_iter().find(|it| Some(it.word()) == priority);
        self.priority = priority.unwrap_or(self.priority);
        if let Some(state) = state {
            if state == State::Merged && self.state != State::Merged {
                self.before_merge = self.state;
            }
            self.state = state;
        }
    }

    /// The promise that somebody chose for it.
    pub fn chosen(&self) -> Option<&str> {
        self.fields.get("sla").and_then(Value::as_str)
    }
}

/// A history that is read, entry by entry.
#[derive(Clone, Debug, Default)]
pub struct History {
    view: View,
    all: Vec<Happening>,
}

impl History {
    /// Takes in the next entry of the ticket's log.
    pub fn read(&mut self, entry: &Entry) {
        let Some(what) = happened(entry, &self.view) else { return };
        if let What::Opened(fields) | What::Changed(fields) = &what {
            self.view.change(fields);
        }
        self.all.push(Happening { at: entry.at, what });
    }

    /// Takes in what is about to be told.
    pub fn add(&mut self, at: Timestamp, what: What) {
        self.all.push(Happening { at, what });
    }

    /// All that happened, in its order.
    pub fn all(&self) -> &[Happening] {
        &self.all
    }
}

/// What an entry says that happened to a ticket that was so before it.
fn happened(entry: &Entry, before: &View) -> Option<What> {
    match entry.action.as_str() {
        "ticket.opened" => {
            let mut fields = entry.data.as_object().cloned().unwrap_or_default();
            fields.insert("id".to_owned(), entry.subject.as_str().into());
            Some(What::Opened(fields))
        }
        "ticket.message_received" => Some(What::Received),
        "ticket.replied" => Some(What::Replied),
        "ticket.merged" => Some(What::Changed(state(State::Merged))),
        "ticket.unmerged" if before.state == State::Merged => {
            let now = entry.data.get("state").and_then(|it| State::parse(it.as_str()?));
            Some(What::Changed(state(now.unwrap_or(before.before_merge))))
        }
        "ticket.sla_warned" => told(entry).map(What::Told),
        "ticket.sla_breached" => {
            let it = told(entry)?;
            Some(What::Told(Told { percent: BREACH_PERCENT, ..it }))
        }
        "ticket.sla_acknowledged" => {
            let Told { target, round, .. } = told(entry)?;
            Some(What::Acknowledged { target, round })
        }
        // Whatever else says how fields are after it: `ticket.changed`, and what undoes it.
        _ => after(entry).map(What::Changed),
    }
}

fn state(it: State) -> Map<String, Value> {
    Map::from_iter([("state".to_owned(), it.word().into())])
}

/// The fields that are different after an entry: those that were set, and the plan that was found.
fn after(entry: &Entry) -> Option<Map<String, Value>> {
    let mut fields = entry.data.get("after").and_then(Value::as_object).cloned()?;
    if let Some(plan) = entry.data.get("plan") {
        fields.insert("plan".to_owned(), plan.clone());
    }
    Some(fields)
}

fn told(entry: &Entry) -> Option<Told> {
    let number = |name: &str| entry.data.get(name).and_then(Value::as_u64);
    let target = entry.data.get("target").and_then(Value::as_str).and_then(Target::parse)?;
    let round = number("round").and_then(|it| it.try_into().ok()).unwrap_or(1);
    let percent = number("percent").and_then(|it| it.try_into().ok()).unwrap_or(BREACH_PERCENT);
    Some(Told { target, round, percent })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn entry(action: &str, data: Value) -> Entry {
        let (actor, leaf) = ("operator".to_owned(), String::new());
        let (action, subject) = (action.to_owned(), "tkt_1".to_owned());
        Entry { sequence: 1, at: Timestamp(5), actor, action, subject, data, leaf }
    }

    #[test]
    fn the_log_is_read_into_what_counts() {
        let mut history = History::default();
        for it in [
            entry("ticket.opened", json!({"state": "open", "priority": "high", "plan": "gold"})),
            entry("ticket.noted", json!({"text": "Hm"})),
            entry("ticket.replied", json!({"message": "tmg_1"})),
            entry(
                "ticket.changed",
                json!({"before": {"state": "open"}, "after": {"state": "pending"}}),
            ),
            entry("ticket.message_received", json!({"message": "tmg_2"})),
            entry("ticket.sla_warned", json!({"target": "update", "round": 2, "percent": 80})),
            entry("ticket.sla_breached", json!({"target": "update", "round": 2})),
            entry("ticket.sla_acknowledged", json!({"target": "update", "round": 2})),
            entry("ticket.merged", json!({"into": "tkt_2"})),
            entry("ticket.unmerged", json!({"ticket": "tkt_2"})),
        ] {
            history.read(&it);
        }
        let all = history.all();

        let changed = |it: &str| What::Changed(state(State::parse(it).unwrap()));
        let told = |percent| What::Told(Told { target: Target::Update, round: 2, percent });
        let what: Vec<_> = all.iter().skip(1).map(|it| it.what.clone()).collect();
        assert!(matches!(&all[0].what, What::Opened(it) if it["id"] == "tkt_1"));
        assert_eq!(
            what,
            [
                What::Replied,
                changed("pending"),
                What::Received,
                told(80),
                told(100),
                What::Acknowledged { target: Target::Update, round: 2 },
                changed("merged"),
                changed("pending"),
            ]
        );
    }

    #[test]
    fn a_plan_and_a_customer_are_known_as_of_the_last_change() {
        let mut history = History::default();
        let requester = json!({"email": "a@example.com", "customer": "acme"});
        let opened = json!({"state": "open", "plan": "gold", "requester": requester});
        history.read(&entry("ticket.opened", opened));
        let fields = |it: &History| it.view.fields.clone();
        assert_eq!(fields(&history)["customer"], "acme");

        let after = json!({"requester": {"email": "b@example.com"}});
        history.read(&entry("ticket.changed", json!({"after": after, "plan": null})));

        assert_eq!(fields(&history).get("customer"), None);
        assert_eq!(fields(&history).get("plan"), None);
    }

    #[test]
    fn a_field_that_is_null_is_no_more() {
        let mut view = View::default();
        let change = |it: Value| it.as_object().cloned().unwrap();

        view.change(&change(json!({"plan": "gold", "priority": "urgent", "sla": "vip"})));
        assert_eq!((view.priority, view.chosen()), (Priority::Urgent, Some("vip")));

        view.change(&change(json!({"plan": null, "sla": null, "priority": "unknown"})));
        assert_eq!((view.priority, view.chosen()), (Priority::Urgent, None));
        assert_eq!(view.fields, json!({"priority": "unknown"}));
    }
}
