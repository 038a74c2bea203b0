//! Where the states of keys are kept, and counts add up.

use super::Counted;
use crate::{domain::Timestamp, limit::State, ports::PortError};

/// What is known of a key. The default is that of a key never seen.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Known {
    /// Another one after each change of the state; 0 of a key never seen.
    pub version: i64,
    /// How it stands.
    pub state: State,
}

/// A key as it is to be written.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// The version that it had.
    pub version: i64,
    /// The version that it gets.
    pub next: i64,
    /// Its new state.
    pub state: State,
    /// When that was decided, by the clock of its tenant …
    pub at: Timestamp,
    /// … and from when on it is as good as forgotten, by the same clock.
    pub until: Timestamp,
}

/// A book of states and counts, which several instances write.
pub trait Book {
    /// What is known of these keys. Those never seen are left out.
    async fn read(&self, names: &[&str]) -> Result<Vec<(String, Known)>, PortError>;

    /// The version that a key gets that had this one: one that it never had, also if it was
    /// forgotten in between.
    fn version_after(&self, version: i64, now: Timestamp) -> i64;

    /// Writes all entries, if each key still has the version that it had, and adds up the counts;
    /// otherwise it does nothing. Says which.
    async fn write(
        &self,
        entries: &[Entry],
        counts: &[Counted<'_>],
        now: Timestamp,
    ) -> Result<bool, PortError>;
}
