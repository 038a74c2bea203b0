//! Work outside: at least once, after its commit, not before its time.

use std::{borrow::Cow, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Commit, Id, Timestamp};
use crate::ports::PortError;

/// A job that a commit leaves behind.
#[derive(Clone, Debug)]
pub struct NewJob {
    /// Deterministic: the same work has the same id, and is queued once.
    pub id: String,
    /// `<function>.<what>`: the function that works it, and its word for it.
    pub kind: Cow<'static, str>,
    /// What the worker needs. No secret.
    pub body: Value,
    /// Not before this moment of the tenant's clock. `None` is at once.
    pub due: Option<Timestamp>,
    /// Whether it is tried once before the answer to the request goes out.
    pub eager: bool,
    /// Whether the same job, when it is queued already, is due now as well.
    pub sooner: bool,
}

/// A job in the hands of its worker.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Job {
    /// The id it was queued with; the far side's idempotency key.
    pub id: String,
    /// `<function>.<what>`.
    pub kind: String,
    /// What it was queued with.
    pub body: Value,
    /// When it was due.
    pub due: Timestamp,
    /// How many times it has been tried, this time included.
    pub attempts: u32,
}

/// Why a job is not done.
#[derive(Debug)]
pub struct Failure {
    /// What to write beside it, whether it is tried again or not.
    pub commit: Commit,
    /// What went wrong, for whoever reads the dead letters.
    pub reason: String,
    /// Whether and when to try again.
    pub retry: Retry,
}

/// Whether and when a failed job is tried again.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Retry {
    /// By the function's schedule: [`Job::backoff`].
    Schedule,
    /// Not before this long.
    After(Duration),
    /// It was not tried, or goes on later: after this long, and not counted.
    Postpone(Duration),
    /// Never: it is a dead letter now.
    Never,
}

impl NewJob {
    /// A job to do at once.
    pub fn new(kind: impl Into<Cow<'static, str>>, id: impl Into<String>, body: Value) -> Self {
        Self { id: id.into(), kind: kind.into(), body, due: None, eager: false, sooner: false }
    }

    /// The same, not before `due`.
    pub fn at(self, due: Timestamp) -> Self {
        Self { due: Some(due), ..self }
    }

    /// The same, tried once before the answer to the request goes out.
    pub fn eager(self) -> Self {
        Self { eager: true, ..self }
    }

    /// The same; one that is queued already is due no later than this one. For a job that works
    /// off all there is, and is told of more: also one that was given up, which has all its tries
    /// again.
    pub fn sooner(self) -> Self {
        Self { sooner: true, ..self }
    }

    /// The function that works it: the first word of its kind.
    pub fn function(&self) -> &str {
        function(&self.kind)
    }
}

/// The function in a kind.
fn function(kind: &str) -> &str {
    kind.split('.').next().unwrap_or("")
}

impl Job {
    /// The function that works it: the first word of its kind.
    pub fn function(&self) -> &str {
        function(&self.kind)
    }

    /// What it is about: the `id` in its body.
    ///
    /// # Errors
    /// A dead letter, when there is none.
    pub fn subject(&self) -> Result<Id, Failure> {
        let id = self.body.get("id").and_then(Value::as_str);
        id.map(|it| Id::trusted(it.to_owned())).ok_or_else(|| Failure::dead("the job names no id"))
    }

    /// Whether there is no other try after this one.
    pub fn is_last(&self) -> bool {
        self.attempts >= Self::ATTEMPTS_MAX
    }

    /// How many times a job is tried before it is a dead letter.
    pub const ATTEMPTS_MAX: u32 = 10;

    /// The wait before the next try, after `attempts` of them, by the schedule that Standard
    /// Webhooks 1.0 recommends, in seconds: about 75 hours in all.
    const SCHEDULE: [u64; 9] = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400];

    /// How long to wait before the next try: the schedule and up to a fifth more, by `chance`
    /// (0 to 255). `None` when there is none.
    pub fn backoff(&self, chance: u8) -> Option<Duration> {
        Self::backoff_after(self.attempts, chance)
    }

    /// The same for whatever was tried `attempts` times.
    pub fn backoff_after(attempts: u32, chance: u8) -> Option<Duration> {
        let index = usize::try_from(attempts).ok()?.checked_sub(1)?;
        let seconds = Self::SCHEDULE.get(index)?;
        let millis = seconds * 1000;
        Some(Duration::from_millis(millis + millis / 5 * u64::from(chance) / 255))
    }
}

impl Failure {
    /// A failure that the schedule may mend.
    pub fn again(reason: impl ToString) -> Self {
        Self { commit: Commit::new(), reason: reason.to_string(), retry: Retry::Schedule }
    }

    /// No failure: the job goes on after `wait`, and what it has done so far is written.
    pub fn postponed(wait: Duration, commit: Commit) -> Self {
        Self { commit, reason: String::new(), retry: Retry::Postpone(wait) }
    }

    /// A failure that no retry mends.
    pub fn dead(reason: impl ToString) -> Self {
        Self { retry: Retry::Never, ..Self::again(reason) }
    }

    /// The same, with something to write down.
    pub fn writing(self, commit: Commit) -> Self {
        Self { commit, ..self }
    }
}

impl From<PortError> for Failure {
    fn from(err: PortError) -> Self {
        Self::again(err)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn tried(attempts: u32) -> Job {
        let (id, kind) = ("j".to_owned(), "webhooks.deliver".to_owned());
        Job { id, kind, body: json!({}), due: Timestamp(0), attempts }
    }

    #[test]
    fn the_last_attempt_has_no_next() {
        assert!(tried(Job::ATTEMPTS_MAX - 1).backoff(0).is_some());
        assert!(tried(Job::ATTEMPTS_MAX).backoff(0).is_none());
        assert!(tried(0).backoff(0).is_none());
    }

    proptest! {
        #[test]
        fn jitter_adds_at_most_a_fifth(attempts in 1..Job::ATTEMPTS_MAX, chance: u8) {
            let plain = tried(attempts).backoff(0).unwrap();
            let wait = tried(attempts).backoff(chance).unwrap();

            prop_assert!(plain <= wait && wait <= plain + plain / 5);
        }
    }
}
