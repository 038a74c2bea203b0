//! The walk through a history: which clock begins, stops and goes on when. Pure.
//!
//! | | begins | is done | while not done |
//! |---|---|---|---|
//! | first response | when the ticket is opened | at the first public answer of an agent | |
//! | next response | when the requester writes after an answer; of several in a row with the first | at the next public answer | |
//! | update | at each public answer, which ends the round before | at the next public answer | |
//! | resolution | when the ticket is opened | when it is resolved or closed | opened again it goes on |
//!
//! Clocks stand still in the states that pause, and where nobody waits: resolved, closed, spam,
//! merged. A ticket that is opened again, or is no longer merged or spam, goes on with what was
//! counted, in the rounds that were not done.

use std::collections::{BTreeMap, BTreeSet};

use shared::domain::Timestamp;

use super::{
    clock::Clock,
    history::{Happening, Told, View, What},
    policy::Target,
    terms::{Judge, Promises, Term},
};
use crate::state::State;

/// How far ahead it is looked for what will be reached, in milliseconds: the horizon of calendars.
const AHEAD_MS: i64 = super::calendar::HORIZON_DAYS * 24 * 60 * 60 * 1000;

/// A ticket's clocks at a moment.
pub struct Walk<'a> {
    promises: &'a Promises,
    judge: Judge<'a>,
    view: View,
    at: Timestamp,
    is_open: bool,
    is_answered: bool,
    clocks: [Clock; 4],
    told: BTreeSet<Told>,
    acknowledged: BTreeMap<(Target, u32), Timestamp>,
}

/// Where a walk has come to.
pub struct Standing<'a> {
    /// The moment.
    pub now: Timestamp,
    /// Where the ticket is.
    pub state: State,
    /// The clocks, in the order of [`Target::ALL`].
    pub clocks: [Clock; 4],
    /// The same, each with what it reaches when nothing else happens.
    pub ahead: [Clock; 4],
    /// What the ticket is held to, in that order.
    pub terms: [Option<Term<'a>>; 4],
    /// Which alerts went out.
    pub told: BTreeSet<Told>,
    /// Which rounds an agent took note of, and when.
    pub acknowledged: BTreeMap<(Target, u32), Timestamp>,
}

impl<'a> Walk<'a> {
    fn new(promises: &'a Promises) -> Self {
        Self {
            promises,
            judge: Judge::new(promises),
            view: View::default(),
            at: Timestamp(0),
            is_open: false,
            is_answered: false,
            clocks: Target::ALL.map(Clock::new),
            told: BTreeSet::new(),
            acknowledged: BTreeMap::new(),
        }
    }

    /// Goes through what happened up to a moment, which must be in its order. What is later is left
    /// out.
    pub fn through(promises: &'a Promises, history: &[Happening], now: Timestamp) -> Standing<'a> {
        let mut walk = Self::new(promises);
        for it in history.iter().filter(|it| it.at <= now) {
            walk.go_to(it.at);
            walk.take(&it.what);
        }
        walk.go_to(now);
        let terms = walk.terms();
        walk.hold(&terms);
        let clocks = walk.clocks.clone();
        walk.look_ahead();
        Standing {
            now,
            state: walk.view.state,
            clocks,
            ahead: walk.clocks,
            terms,
            told: walk.told,
            acknowledged: walk.acknowledged,
        }
    }

    fn terms(&mut self) -> [Option<Term<'a>>; 4] {
        self.judge.terms(&self.view, self.at)
    }

    /// When what it goes by changes next, up to a moment.
    fn next_change(&self, to: Timestamp) -> Timestamp {
        self.promises.changes_after(self.at).map_or(to, |it| it.min(to))
    }

    fn go_to(&mut self, to: Timestamp) {
        if !self.is_open {
            self.at = to;
        }
        while self.at < to {
            let end = self.next_change(to);
            let terms = self.terms();
            for (clock, term) in self.clocks.iter_mut().zip(&terms) {
                clock.run(term.as_ref(), self.view.state, self.at, end);
            }
            self.at = end;
        }
    }

    fn look_ahead(&mut self) {
        let to = Timestamp(self.at.0.saturating_add(AHEAD_MS));
        while self.at < to {
            let end = self.next_change(to);
            let terms = self.terms();
            for (clock, term) in self.clocks.iter_mut().zip(&terms) {
                // What goes on beyond a change has to be counted; the last part has not.
                if end < to {
                    clock.run(term.as_ref(), self.view.state, self.at, end);
                } else {
                    clock.run_ahead(term.as_ref(), self.view.state, self.at, end);
                }
            }
            self.at = end;
        }
    }

    fn hold(&mut self, terms: &[Option<Term<'a>>; 4]) {
        for (clock, term) in self.clocks.iter_mut().zip(terms) {
            clock.hold(term.as_ref(), self.view.state);
        }
    }

    fn clock(&mut self, target: Target) -> Option<&mut Clock> {
        self.clocks.iter_mut().find(|it| it.target == target)
    }

    /// Takes in what happens now.
    fn take(&mut self, what: &What) {
        let terms = self.terms();
        self.hold(&terms);
        match what {
            What::Opened(fields) => {
                self.is_open = true;
                self.start(Target::FirstResponse);
                self.start(Target::Resolution);
                self.change(fields);
            }
            What::Changed(fields) => self.change(fields),
            What::Received => {
                let is_on = self.clock(Target::NextResponse).is_some_and(|it| it.is_on());
                if self.is_answered && !is_on {
                    self.start(Target::NextResponse);
                }
            }
            What::Replied => {
                self.is_answered = true;
                self.stop(Target::FirstResponse);
                self.stop(Target::NextResponse);
                self.stop(Target::Update);
                self.start(Target::Update);
            }
            What::Told(it) => _ = self.told.insert(*it),
            What::Acknowledged { target, round } => {
                self.acknowledged.entry((*target, *round)).or_insert(self.at);
            }
        }
    }

    fn start(&mut self, target: Target) {
        let at = self.at;
        if let Some(it) = self.clock(target) {
            it.start(at);
        }
    }

    fn stop(&mut self, target: Target) {
        let at = self.at;
        if let Some(it) = self.clock(target) {
            it.stop(at);
        }
    }

    fn change(&mut self, fields: &serde_json::Map<String, serde_json::Value>) {
        self.judge.forget();
        self.view.change(fields);
        match self.view.state {
            State::Resolved | State::Closed => self.stop(Target::Resolution),
            State::Open | State::Pending | State::OnHold => {
                let at = self.at;
                if let Some(it) = self.clock(Target::Resolution) {
                    it.go_on(at);
                }
            }
            State::Spam | State::Merged => {}
        }
    }
}
