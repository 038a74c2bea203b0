//! Alerts: who is to hear of which promise, and when. Pure.
//!
//! A step of the ladder is due when its mark is reached, so in working time. Where that was missed
//! for more than a quarter of an hour, because the mark is of a policy that was put later or nobody
//! looked in time, it waits for working time. It goes out once in a round, whatever changes after
//! it. That a promise is broken is said of what was done since as well; the rest of the
//! ladder is for what still runs, and ends when an agent takes note.

use shared::domain::Timestamp;

use super::{
    clock::{self, Clock},
    history::Told,
    policy::{BREACH_PERCENT, To},
    terms::Term,
    walk::Standing,
};
use crate::state::State;

/// How late an alert may go out where it is not working time, in milliseconds.
pub const LATE_MS_MAX: i64 = 15 * 60 * 1000;

/// Something that somebody is to hear of.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Alert {
    /// What it is of.
    pub of: Told,
    /// When its mark is reached, or was.
    pub reached_at: Timestamp,
    /// When it goes out: now, or later when nothing else happens.
    pub at: Timestamp,
    /// When the promise is broken, or was.
    pub due_at: Option<Timestamp>,
    /// Which step of the ladder it is, from 1. `None` for a broken promise without one.
    pub step: Option<usize>,
    /// Who is told.
    pub to: Vec<To>,
}

impl Alert {
    /// Whether it is that a promise is broken.
    pub fn is_breach(&self) -> bool {
        self.of.percent == BREACH_PERCENT
    }
}

impl Standing<'_> {
    /// The alerts that did not go out yet, the next first: those to send now, and what comes later
    /// when nothing else happens.
    pub fn alerts(&self) -> Vec<Alert> {
        if matches!(self.state, State::Spam | State::Merged) {
            return Vec::new();
        }
        let all = self.clocks.iter().zip(&self.ahead).zip(&self.terms);
        let mut all: Vec<_> = all
            .flat_map(|((clock, ahead), term)| self.of_clock(clock, ahead, term.as_ref()))
            .filter(|it| !self.told.contains(&it.of))
            .collect();
        all.sort_by_key(|it| (it.at, it.reached_at, it.of));
        all
    }

    fn of_clock(&self, clock: &Clock, ahead: &Clock, term: Option<&Term<'_>>) -> Vec<Alert> {
        let before = clock.breaches.iter().filter_map(|(round, at)| {
            let of = Told { target: clock.target, round: *round, percent: BREACH_PERCENT };
            self.alert(of, *at, Some(*at), term)
        });
        let runs = clock.is_on() && term.is_some_and(|it| clock::counts(it, self.state));
        let now = ahead.reached.iter().filter_map(|(percent, at)| {
            let of = Told { target: clock.target, round: clock.round, percent: *percent };
            let counts = runs || of.percent == BREACH_PERCENT || *at > self.now;
            counts.then(|| self.alert(of, *at, ahead.breached_at(), term)).flatten()
        });
        before.chain(now).collect()
    }

    /// The alert of a mark. `None` when nobody is to hear of it.
    fn alert(
        &self,
        of: Told,
        reached_at: Timestamp,
        due_at: Option<Timestamp>,
        term: Option<&Term<'_>>,
    ) -> Option<Alert> {
        let steps = term.map_or(&[][..], |it| it.ladder).iter().enumerate();
        let step = steps.clone().find(|(_, it)| it.percent == of.percent);
        let is_noted = self.acknowledged.contains_key(&(of.target, of.round));
        let step = step.filter(|_| !is_noted);
        if step.is_none() && of.percent != BREACH_PERCENT {
            return None;
        }
        let at = self.goes_out_at(reached_at, term)?;
        let to = step.map_or_else(Vec::new, |(_, it)| it.to.clone());
        Some(Alert { of, reached_at, at, due_at, step: step.map(|(it, _)| it + 1), to })
    }

    /// When what is reached at a moment is told of. `None` when its calendar opens no more.
    fn goes_out_at(&self, reached_at: Timestamp, term: Option<&Term<'_>>) -> Option<Timestamp> {
        let is_late = self.now.0.saturating_sub(reached_at.0) > LATE_MS_MAX;
        match term {
            Some(it) if is_late && !it.calendar.touches(self.now) => it.calendar.opens_at(self.now),
            _ => Some(reached_at.max(self.now)),
        }
    }
}
