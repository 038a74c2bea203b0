//! Reports: how what was promised of a ticket stands. Pure.

use serde::{Deserialize, Serialize};
use shared::domain::Timestamp;
use utoipa::ToSchema;

use super::{
    clock::{self, Clock},
    history::Happening,
    policy::Target,
    reason::Reason,
    terms::{Promises, Term},
    walk::{Standing, Walk},
};
use crate::state::State;

/// How one promise stands.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = SlaState)]
pub enum TargetState {
    /// It is not promised, or nothing of it has begun.
    None,
    /// Time is counted, when the calendar says so.
    Running,
    /// The ticket is in a state that pauses it.
    Paused,
    /// It was done in time.
    Met,
    /// It was not done in time, whether it is done by now or not.
    Breached,
    /// Nobody waits for it: the ticket is merged, spam, or resolved without it.
    Cancelled,
}

/// How what was promised of a ticket stands at a moment.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = SlaReport)]
pub struct Report {
    /// The moment.
    pub at: Timestamp,
    /// Each target: first response, next response, update, resolution.
    pub targets: Vec<TargetReport>,
}

/// How one promise stands.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = SlaTargetReport)]
pub struct TargetReport {
    /// What.
    pub target: Target,
    /// How it stands.
    pub state: TargetState,
    /// Which time of it: 1, 2, 3 …; 0 before the first.
    pub round: u32,
    /// How much was counted in this round, in milliseconds of working time.
    pub counted_ms: i64,
    /// How much that is of what is promised now, rounded down.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub percent: Option<i64>,
    /// When this round began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When it is broken, or was. As far as is known: when nothing else happens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due_at: Option<Timestamp>,
    /// When it was done, in time or not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub met_at: Option<Timestamp>,
    /// When it was broken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub breached_at: Option<Timestamp>,
    /// How many rounds before this one were broken, of the last hundred.
    pub breached_before: usize,
    /// When an agent took note of this round: nobody else is told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acknowledged_at: Option<Timestamp>,
    /// By what it is promised now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<By>,
    /// Why it is so: the last 50 things that decided over this round.
    pub because: Vec<Reason>,
}

/// By what something is promised.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, ToSchema)]
#[schema(as = SlaBy)]
pub struct By {
    /// The policy.
    pub policy: String,
    /// Its version.
    pub version: i64,
    /// The calendar.
    pub calendar: String,
    /// Within how many minutes of working time.
    pub minutes: u32,
}

impl Report {
    /// How what was promised stands at a moment, from all that happened to the ticket up to then, in
    /// its order.
    pub fn of(promises: &Promises, history: &[Happening], now: Timestamp) -> Self {
        Walk::through(promises, history, now).report()
    }

    /// One target of it.
    pub fn target(&self, target: Target) -> Option<&TargetReport> {
        self.targets.iter().find(|it| it.target == target)
    }
}

impl Standing<'_> {
    /// What there is to tell of it.
    pub fn report(&self) -> Report {
        let all = self.clocks.iter().zip(&self.ahead).zip(&self.terms);
        let targets = all.map(|((clock, ahead), term)| self.target(clock, ahead, term.as_ref()));
        Report { at: self.now, targets: targets.collect() }
    }

    fn target(&self, clock: &Clock, ahead: &Clock, term: Option<&Term<'_>>) -> TargetReport {
        let due_at = ahead.breached_at();
        let breached_at = due_at.filter(|it| *it <= self.now);
        let state = self.state_of(clock, breached_at.is_some(), term);
        let is_counted = matches!(state, TargetState::Running | TargetState::Paused);
        TargetReport {
            target: clock.target,
            state,
            round: clock.round,
            counted_ms: clock.counted_ms,
            percent: term.filter(|_| clock.round > 0).map(|it| percent(clock, it)),
            started_at: clock.started_at,
            due_at: due_at.filter(|it| is_counted || *it <= self.now),
            met_at: clock.stopped_at.filter(|_| clock.held),
            breached_at,
            breached_before: clock.breaches.len(),
            acknowledged_at: self.acknowledged.get(&(clock.target, clock.round)).copied(),
            by: term.map(By::of),
            because: clock.reasons.all().to_vec(),
        }
    }

    /// How a promise stands whose clock and term these are.
    fn state_of(&self, clock: &Clock, is_breached: bool, term: Option<&Term<'_>>) -> TargetState {
        let is_promised = term.is_some();
        match self.state {
            _ if !clock.held => TargetState::None,
            State::Spam | State::Merged => TargetState::Cancelled,
            _ if is_breached => TargetState::Breached,
            _ if clock.stopped_at.is_some() => TargetState::Met,
            // Whatever is promised by then: what is over stays as it is.
            it if !it.is_active() => TargetState::Cancelled,
            _ if !is_promised => TargetState::None,
            it if term.is_some_and(|term| !clock::counts(term, it)) => TargetState::Paused,
            _ => TargetState::Running,
        }
    }
}

fn percent(clock: &Clock, term: &Term<'_>) -> i64 {
    clock.counted_ms.saturating_mul(100) / term.share(100).max(1)
}

impl By {
    fn of(it: &Term<'_>) -> Self {
        Self {
            policy: it.policy.to_owned(),
            version: it.version,
            calendar: it.calendar_name.to_owned(),
            minutes: it.minutes,
        }
    }
}
