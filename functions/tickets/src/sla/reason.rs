//! Reasons: why a clock is as it is, for who asks. Pure.

use serde::Serialize;
use shared::domain::Timestamp;
use utoipa::ToSchema;

use super::{clock, terms::Term};
use crate::state::State;

/// How many reasons of a round are remembered: the last.
const REASONS_MAX: usize = 50;

/// One thing that decided over a clock.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, ToSchema)]
#[schema(as = SlaReason)]
pub struct Reason {
    /// From when.
    pub at: Timestamp,
    /// How much was counted by then, in milliseconds of working time.
    pub counted_ms: i64,
    /// What it was.
    pub why: String,
}

/// What decided over a round, in its order.
#[derive(Clone, Debug, Default)]
pub struct Reasons {
    all: Vec<Reason>,
    ground: Option<Ground>,
}

/// On what a clock runs or stands still.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Ground {
    policy: String,
    version: i64,
    minutes: u32,
    calendar: String,
    /// In which state it stands still.
    still: Option<State>,
}

impl Reasons {
    /// Forgets what was: a round begins.
    pub fn begin(&mut self, at: Timestamp, round: u32) {
        *self = Self::default();
        self.say(at, 0, format!("round {round} begins"));
    }

    /// Remembers one.
    pub fn say(&mut self, at: Timestamp, counted_ms: i64, why: impl Into<String>) {
        if self.all.len() == REASONS_MAX {
            self.all.remove(0);
        }
        self.all.push(Reason { at, counted_ms, why: why.into() });
    }

    /// Remembers on what the clock goes on, where that is something else than before.
    pub fn look(&mut self, at: Timestamp, counted_ms: i64, term: Option<&Term<'_>>, state: State) {
        let ground = term.map(|it| Ground::of(it, state));
        if ground == self.ground {
            return;
        }
        let why = ground.as_ref().map_or_else(|| "not promised".to_owned(), Ground::words);
        self.say(at, counted_ms, why);
        self.ground = ground;
    }

    /// All that are remembered.
    pub fn all(&self) -> &[Reason] {
        &self.all
    }
}

impl Ground {
    fn of(it: &Term<'_>, state: State) -> Self {
        Self {
            policy: it.policy.to_owned(),
            version: it.version,
            minutes: it.minutes,
            calendar: it.calendar_name.to_owned(),
            still: (!clock::counts(it, state)).then_some(state),
        }
    }

    fn words(&self) -> String {
        let Self { policy, version, minutes, calendar, still } = self;
        let how = match still {
            Some(it) => format!("stands still while {}", it.word()),
            None => "counted".to_owned(),
        };
        format!("{how}: {minutes} minutes by version {version} of {policy}, calendar {calendar}")
    }
}
