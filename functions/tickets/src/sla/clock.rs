//! Clocks: how much of what was promised is used up. Pure.
//!
//! Each target of a ticket has one. It counts working time, by the calendar that applies while it is
//! counted, and keeps what it has counted whatever changes: another priority, another policy or
//! another version of it set another mark on the same clock. While nothing is promised nothing is
//! counted.
//!
//! A mark is reached at the first moment at which that much was counted and the clock runs, and
//! which is working time or the end of some; what happens to the ticket in the same millisecond is
//! before it. So a mark that is set lower than what was counted already, in the night, is reached in
//! the morning, and an answer at the last moment is in time. What was reached stays so.

use std::collections::BTreeMap;

use shared::domain::Timestamp;

use super::{
    policy::{BREACH_PERCENT, Target},
    reason::Reasons,
    terms::Term,
};
use crate::state::State;

/// How many broken rounds of a target are remembered: those that nobody was told of are among the
/// last.
const BREACHES_MAX: usize = 100;

/// How far one target is.
#[derive(Clone, Debug)]
pub struct Clock {
    /// Of what.
    pub target: Target,
    /// Which time of it: 1, 2, 3 …; 0 before the first.
    pub round: u32,
    /// When this round began.
    pub started_at: Option<Timestamp>,
    /// When what was promised in this round was done.
    pub stopped_at: Option<Timestamp>,
    /// How much was counted in this round, in milliseconds.
    pub counted_ms: i64,
    /// Whether it was promised at any time of this round at which somebody waited.
    pub held: bool,
    /// Which marks were reached in this round, in percent, and when.
    pub reached: BTreeMap<u16, Timestamp>,
    /// Rounds before this one that were broken, and when.
    pub breaches: Vec<(u32, Timestamp)>,
    /// Why it is as it is.
    pub reasons: Reasons,
}

impl Clock {
    /// One that has not begun.
    pub fn new(target: Target) -> Self {
        Self {
            target,
            round: 0,
            started_at: None,
            stopped_at: None,
            counted_ms: 0,
            held: false,
            reached: BTreeMap::new(),
            breaches: Vec::new(),
            reasons: Reasons::default(),
        }
    }

    /// Whether a round is going on, counted or not.
    pub fn is_on(&self) -> bool {
        self.started_at.is_some() && self.stopped_at.is_none()
    }

    /// When this round was broken.
    pub fn breached_at(&self) -> Option<Timestamp> {
        self.reached.get(&BREACH_PERCENT).copied()
    }

    /// Begins the next round.
    pub fn start(&mut self, at: Timestamp) {
        if let Some(it) = self.breached_at() {
            self.breaches.push((self.round, it));
            if self.breaches.len() > BREACHES_MAX {
                self.breaches.remove(0);
            }
        }
        self.round += 1;
        (self.started_at, self.stopped_at) = (Some(at), None);
        (self.counted_ms, self.held) = (0, false);
        self.reached.clear();
        self.reasons.begin(at, self.round);
    }

    /// What was promised is done.
    pub fn stop(&mut self, at: Timestamp) {
        if self.is_on() {
            self.stopped_at = Some(at);
            self.reasons.say(at, self.counted_ms, "done");
        }
    }

    /// What was promised is not done after all: the round goes on.
    pub fn go_on(&mut self, at: Timestamp) {
        if self.stopped_at.take().is_some() {
            self.reasons.say(at, self.counted_ms, "not done after all");
        }
    }

    /// Remembers that this round is promised, where it is while somebody waits.
    pub fn hold(&mut self, term: Option<&Term<'_>>, state: State) {
        self.held |= self.is_on() && term.is_some() && state.is_active();
    }

    /// Counts from one moment to another, between which nothing changes but the calendar.
    pub fn run(&mut self, term: Option<&Term<'_>>, state: State, from: Timestamp, to: Timestamp) {
        if !self.is_on() || from >= to {
            return;
        }
        self.hold(term, state);
        self.reasons.look(from, self.counted_ms, term, state);
        let Some(term) = term.filter(|it| counts(it, state)) else { return };
        self.reach_what_is_counted(term, from, to);
        let mut marks = self.marks(term);
        for it in term.calendar.stretches(from, to) {
            while let Some((percent, share)) = marks.last().copied() {
                let at = Timestamp(it.from.0 + share - self.counted_ms);
                if at > it.to || at >= to {
                    break;
                }
                marks.pop();
                self.reach(percent, at, share);
            }
            self.counted_ms += it.millis();
        }
    }

    /// What it will reach from one moment to another when nothing happens. Nothing is counted for
    /// good: this is for a copy of the clock.
    pub fn run_ahead(
        &mut self,
        term: Option<&Term<'_>>,
        state: State,
        from: Timestamp,
        to: Timestamp,
    ) {
        let Some(term) = term.filter(|it| self.is_on() && counts(it, state)) else { return };
        let most = self.marks(term).first().map_or(0, |(_, share)| *share);
        // No further than the last mark: the horizon is ten years away.
        let end = term.calendar.after(from, most - self.counted_ms).unwrap_or(to);
        let beyond = Timestamp(end.0.saturating_add(1));
        self.reach_what_is_counted(term, from, to);
        self.run(Some(term), state, from, beyond.min(to));
    }

    /// The marks that are not reached, the highest first.
    fn marks(&self, term: &Term<'_>) -> Vec<(u16, i64)> {
        let all = term.percents().into_iter().rev().map(|it| (it, term.share(it)));
        all.filter(|(it, _)| !self.reached.contains_key(it)).collect()
    }

    /// Reaches the marks that are no higher than what was counted before.
    fn reach_what_is_counted(&mut self, term: &Term<'_>, from: Timestamp, to: Timestamp) {
        let mut marks = self.marks(term);
        marks.retain(|(_, share)| *share <= self.counted_ms);
        if marks.is_empty() {
            return;
        }
        let touches = term.calendar.touches(from);
        let at = if touches { Some(from) } else { term.calendar.opens_at(from) };
        if let Some(at) = at.filter(|it| *it < to) {
            marks.iter().rev().for_each(|(percent, _)| self.reach(*percent, at, self.counted_ms));
        }
    }

    fn reach(&mut self, percent: u16, at: Timestamp, counted_ms: i64) {
        self.reached.insert(percent, at);
        if percent == BREACH_PERCENT {
            self.reasons.say(at, counted_ms, "broken");
        }
    }
}

/// Whether time is counted in this state.
pub fn counts(term: &Term<'_>, state: State) -> bool {
    state.is_active() && !term.pauses.contains(&state)
}
