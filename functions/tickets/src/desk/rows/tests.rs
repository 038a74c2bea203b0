//! Views are what a walk over all tickets says, after whatever was done in whatever order.

use pollster::block_on;
use proptest::prelude::*;
use shared::{
    domain::{Id, Timestamp},
    memory::Memory,
    open::Open,
    ports::{CommitError, Value},
};

use super::*;
use crate::{
    desk::view::ViewText,
    priority::Priority,
    settings::Settings,
    state::State,
    ticket::{Channel, write},
};

const TENANT: &str = "ten_views";

fn open(memory: &Memory) -> impl Tenant {
    block_on(Open::system(memory, &memory.store(TENANT), TENANT, false)).unwrap()
}

/// A ticket with this number, which was never kept.
pub fn ticket(number: i64) -> Ticket {
    let (id, now) = (Id::trusted(format!("tkt_{number:08}")), Timestamp(number * 1_000));
    Ticket { pinned: true, ..Ticket::new(id, number, "S".to_owned(), Channel::Api, now) }
}

/// What is done to the tickets, or to the views.
#[derive(Clone, Debug)]
enum Step {
    Open,
    Change(usize, State, Priority),
    Put(usize, usize),
    Delete(usize),
    /// Some of the jobs are worked.
    Look(usize),
    /// A slice is looked at while a ticket changes: one of the two has to do it again.
    Race(usize, State),
    /// A ticket is due at another moment, or at none.
    Due(usize, Option<i64>),
    /// The same while a slice is looked at.
    DueRace(usize, Option<i64>),
}

const KEEP_DUE: &str = "
    insert into ticket_slas (tenant, ticket, due_at_ms, standing) values (?1, ?2, ?3, '{}')
    on conflict (tenant, ticket) do update set due_at_ms = excluded.due_at_ms";

const WHENS: [(&str, &str, bool); 7] = [
    ("ticket.state == 'open'", "updated", false),
    ("ticket.state in ['open', 'pending']", "priority", false),
    ("ticket.priority == 'urgent' || ticket.state == 'pending'", "created", true),
    ("ticket.nothing == 1", "updated", false),
    ("true", "priority", true),
    ("ticket.state == 'open'", "due", false),
    ("ticket.state != 'resolved'", "due", true),
];

fn text(number: usize) -> ViewText {
    let (when, order, reverse) = WHENS[number % WHENS.len()];
    serde_json::from_value(json!({"when": when, "order": order, "reverse": reverse})).unwrap()
}

fn step() -> impl Strategy<Value = Step> {
    let state = prop::sample::select(vec![State::Open, State::Pending, State::Resolved]);
    let priority = prop::sample::select(Priority::ALL.to_vec());
    let due = prop::option::of(1_000..1_010_i64);
    prop_oneof![
        3 => Just(Step::Open),
        5 => (0..40_usize, state.clone(), priority).prop_map(|(it, s, p)| Step::Change(it, s, p)),
        2 => (0..3_usize, 0..7_usize).prop_map(|(it, when)| Step::Put(it, when)),
        1 => (0..3_usize).prop_map(Step::Delete),
        2 => (1..4_usize).prop_map(Step::Look),
        2 => (0..40_usize, state).prop_map(|(it, s)| Step::Race(it, s)),
        4 => (0..40_usize, due.clone()).prop_map(|(it, due)| Step::Due(it, due)),
        1 => (0..40_usize, due).prop_map(|(it, due)| Step::DueRace(it, due)),
    ]
}

/// A tenant with tickets and views.
struct Desk<T> {
    at: T,
    tickets: Vec<Id>,
    jobs: Vec<Job>,
}

impl<T: Tenant> Desk<T> {
    fn commit(&mut self, mut commit: Commit) -> bool {
        self.queue(std::mem::take(&mut commit.jobs));
        match block_on(self.at.commit(commit)) {
            Ok(()) => true,
            Err(CommitError::Conflict) => false,
            Err(err) => panic!("{err}"),
        }
    }

    fn queue(&mut self, jobs: Vec<NewJob>) {
        let due = Timestamp(0);
        self.jobs.extend(jobs.into_iter().map(|it| Job {
            id: it.id,
            kind: it.kind.into_owned(),
            body: it.body,
            due,
            attempts: 1,
        }));
    }

    fn open(&mut self) {
        let number = i64::try_from(self.tickets.len()).unwrap();
        let new = ticket(number);
        let opened =
            block_on(write::opened(&self.at, &Settings::default(), new, None, false)).unwrap();
        assert!(self.commit(opened.1));
        self.tickets.push(opened.0.id);
    }

    fn find(&self, number: usize) -> Option<Ticket> {
        let id = self.tickets.get(number % self.tickets.len().max(1))?;
        block_on(store::find_ticket(&self.at, id.as_str())).unwrap()
    }

    fn changing(&self, number: usize, state: State, priority: Option<Priority>) -> Option<Commit> {
        let before = self.find(number)?;
        let priority = priority.unwrap_or(before.priority);
        let after = Ticket { state, priority, ..before.clone() };
        let settings = Settings::default();
        let changed = write::changed(&self.at, &settings, &before, after, None, None);
        Some(block_on(changed).unwrap().1)
    }

    fn put(&mut self, number: usize, when: usize) {
        let name = format!("view_{number}");
        let before = block_on(store::find_view(&self.at, &name)).unwrap();
        let made = super::super::view::built_anew(&self.at, name, text(when), before);
        let commit = block_on(made).unwrap().1;
        assert!(self.commit(commit));
    }

    fn delete(&mut self, number: usize) {
        let name = format!("view_{number}");
        let Some(it) = block_on(store::find_view(&self.at, &name)).unwrap() else { return };
        let changes = block_on(store::view_changes(&self.at)).unwrap() + 1;
        let commit = store::change_views(changes).and(store::delete_view(&it));
        assert!(self.commit(commit.job(sweeping(it.build))));
    }

    /// What a job gives, and whether it goes on.
    fn worked(&self, job: &Job) -> (Commit, bool) {
        match block_on(crate::desk::work(&self.at, job)) {
            Ok(it) => (it, false),
            Err(it) if it.reason.is_empty() => (it.commit, true),
            Err(it) => panic!("{}", it.reason),
        }
    }

    fn work(&mut self) {
        let Some(job) = self.jobs.pop() else { return };
        let (commit, goes_on) = self.worked(&job);
        if !self.commit(commit) || goes_on {
            self.jobs.push(job);
        }
    }

    fn due(&self, number: usize, due: Option<i64>) -> Option<Commit> {
        let it = self.find(number)?;
        let due = due.map(Timestamp);
        let keep = Commit::new().write(KEEP_DUE, [Value::from(&it.id), due.into()]);
        Some(block_on(due_changing(&self.at, &it, keep)).unwrap())
    }

    fn race(&mut self, change: Option<Commit>) {
        let Some(change) = change else { return };
        let Some(job) = self.jobs.pop() else { return };
        let (looked, goes_on) = self.worked(&job);
        assert!(self.commit(change), "no view was changed");
        if !self.commit(looked) || goes_on {
            self.jobs.push(job);
        }
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Open => self.open(),
            Step::Change(number, state, priority) => {
                if let Some(it) = self.changing(number, state, Some(priority)) {
                    assert!(self.commit(it));
                }
            }
            Step::Put(number, when) => self.put(number, when),
            Step::Delete(number) => self.delete(number),
            Step::Look(count) => (0..count).for_each(|_| self.work()),
            Step::Race(number, state) => {
                let change = self.changing(number, state, None);
                self.race(change);
            }
            Step::Due(number, due) => {
                if let Some(it) = self.due(number, due) {
                    assert!(self.commit(it));
                }
            }
            Step::DueRace(number, due) => {
                let change = self.due(number, due);
                self.race(change);
            }
        }
    }

    /// The tickets of a view as a walk over all finds them.
    fn expected(&self, view: &View) -> Vec<String> {
        let lens = view.text.lens();
        let due = |it: &Ticket, sign: i64| {
            let text = "select due_at_ms from ticket_slas where tenant = ?1 and ticket = ?2";
            let row = block_on(self.at.query(text, [(&it.id).into()])).unwrap().into_iter().next();
            let due = row.and_then(|row| row.columns::<1>().unwrap()[0].clone().integer().ok());
            sign * due.unwrap_or(i64::MAX)
        };
        let all = self
            .tickets
            .iter()
            .map(|it| block_on(store::find_ticket(&self.at, it.as_str())).unwrap().unwrap());
        let mut found: Vec<_> = all
            .filter_map(|it| {
                let place = lens.place(&it, &json!(it))?;
                let place = view.text.due().map_or(place, |sign| due(&it, sign));
                Some((place, it.id.to_string()))
            })
            .collect();
        found.sort();
        found.into_iter().map(|it| it.1).collect()
    }

    fn is_right(&self) {
        for view in block_on(store::list_views(&self.at)).unwrap() {
            assert_eq!(view.after, None, "it is built");
            let start = (i64::MIN, "");
            let rows = block_on(store::list_placed(&self.at, view.build, start, 1_000)).unwrap();
            let found: Vec<_> = rows.into_iter().map(|it| it.1.id.to_string()).collect();
            assert_eq!(found, self.expected(&view), "{view:?}");
            assert_eq!(view.count, i64::try_from(found.len()).unwrap(), "{view:?}");
        }
    }
}

fn played(steps: Vec<Step>) {
    let memory = Memory::default();
    let mut desk = Desk { at: open(&memory), tickets: Vec::new(), jobs: Vec::new() };
    for step in steps {
        desk.take(step);
    }
    while !desk.jobs.is_empty() {
        desk.work();
    }
    desk.is_right();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_view_is_what_a_walk_over_all_tickets_finds(
        steps in prop::collection::vec(step(), 1..60)
    ) {
        played(steps);
    }
}

#[test]
fn a_change_that_was_made_by_other_views_is_made_again() {
    let memory = Memory::default();
    let mut desk = Desk { at: open(&memory), tickets: Vec::new(), jobs: Vec::new() };
    desk.open();
    let change = desk.changing(0, State::Pending, None).unwrap();

    desk.put(0, 0);

    assert!(!desk.commit(change), "a conflict: the new view is not written by it");
}

#[test]
fn many_tickets_are_looked_at_in_slices_and_what_is_replaced_is_swept() {
    let memory = Memory::default();
    let mut desk = Desk { at: open(&memory), tickets: Vec::new(), jobs: Vec::new() };
    (0..450).for_each(|_| desk.open());
    desk.put(0, 0);
    desk.work();
    let view = block_on(store::find_view(&desk.at, "view_0")).unwrap().unwrap();
    assert_eq!((view.looked, view.count), (200, 200));
    assert!(view.after.is_some());
    let old = view.build;

    desk.put(0, 1);
    while !desk.jobs.is_empty() {
        desk.work();
    }

    desk.is_right();
    let left = block_on(store::list_placed(&desk.at, old, (i64::MIN, ""), 10)).unwrap();
    assert!(left.is_empty(), "{}", left.len());
}
