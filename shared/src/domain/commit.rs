//! A change, all or none: statements, log entries and jobs that stand or fall together.

use super::{Draft, NewJob};
use crate::ports::Value;

/// One statement of a commit, on the tenant's own tables.
#[derive(Clone, Debug)]
pub struct Write {
    /// The statement. `?1` is the tenant; the port binds it.
    pub text: &'static str,
    /// What `?2` and on stand for.
    pub params: Vec<Value>,
    /// Whether the whole commit is undone unless this changes exactly one row.
    pub guarded: bool,
}

/// What one request, job or follower wants to change in its tenant.
#[derive(Clone, Debug, Default)]
pub struct Commit {
    /// In this order.
    pub writes: Vec<Write>,
    /// In this order, at the end of the log.
    pub entries: Vec<Draft>,
    /// To do outside, once this is committed.
    pub jobs: Vec<NewJob>,
    /// Functions to wake for what is not a new job.
    pub wakes: Vec<String>,
}

impl Commit {
    /// A commit that changes nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Also runs `text`, however many rows it changes.
    pub fn write(mut self, text: &'static str, params: impl Into<Vec<Value>>) -> Self {
        self.writes.push(Write { text, params: params.into(), guarded: false });
        self
    }

    /// Also runs `text`, which must change exactly one row, or the commit is a conflict.
    pub fn write_one(mut self, text: &'static str, params: impl Into<Vec<Value>>) -> Self {
        self.writes.push(Write { text, params: params.into(), guarded: true });
        self
    }

    /// Also appends to the log.
    pub fn entry(mut self, draft: Draft) -> Self {
        self.entries.push(draft);
        self
    }

    /// Also leaves this to be done outside.
    pub fn job(mut self, job: NewJob) -> Self {
        self.jobs.push(job);
        self
    }

    /// Also wakes this function.
    pub fn wake(mut self, function: &str) -> Self {
        self.wakes.push(function.to_owned());
        self
    }

    /// This and then the other, in one commit.
    pub fn and(mut self, other: Self) -> Self {
        self.writes.extend(other.writes);
        self.entries.extend(other.entries);
        self.jobs.extend(other.jobs);
        self.wakes.extend(other.wakes);
        self
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.writes.is_empty()
            && self.entries.is_empty()
            && self.jobs.is_empty()
            && self.wakes.is_empty()
    }
}
