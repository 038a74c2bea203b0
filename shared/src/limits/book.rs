//! Where the states of keys are kept, and counts add up.

use super::counts::Counts;
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
pub struct Entry<'a> {
    /// Its name.
    pub name: &'a str,
    /// The version that it had, and its new state.
    pub known: &'a Known,
    /// When that was decided, by the clock of its tenant …
    pub at: Timestamp,
    /// … and from when on it is as good as forgotten, by the same clock.
    pub until: Timestamp,
}

/// A book of states and counts, which several instances write.
pub trait Book {
    /// What is known of these keys. Those never seen are left out.
    async fn read(&self, names: &[String]) -> Result<Vec<(String, Known)>, PortError>;

    /// The version that a key gets that had this one: one that it never had, also if it was
    /// forgotten in between.
    fn version_after(&self, version: i64, now: Timestamp) -> i64;

    /// Writes all entries, if each key still has the version that it had, and adds up the counts;
    /// otherwise it does nothing. Says which.
    async fn write(
        &self,
        entries: &[Entry<'_>],
        counts: &Counts,
        now: Timestamp,
    ) -> Result<bool, PortError>;
}
