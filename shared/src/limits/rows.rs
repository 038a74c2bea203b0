//! The book in SQL: rows of `limits` and `tallies`, written through the view `decisions`.

use serde_json::{Value as Json, json};

use super::{
    book::{Book, Entry, Known},
    counts::Counts,
};
use crate::{
    domain::Timestamp,
    ports::{PortError, Row, Sql, SqlError, Statement},
};

const READ: &str = "
    select key, version, state from limits where key in (select value from json_each(?1))";
/// Writes states and counts, if the states were still as they had been read.
const WRITE: &str = "insert into decisions (keys, counts, now_ms) values (?1, ?2, ?3)";

/// The moments when keys are forgotten are whole multiples of this: a key that is asked for all the
/// time moves in the index by them not each time, but now and then.
const FORGOTTEN_EACH_MS: i64 = 60 * 1000;

/// What reads keys.
pub fn read(names: &[String]) -> Statement {
    Statement::new(READ, [(&Json::from(names)).into()])
}

/// What was read.
///
/// # Errors
/// When a row is none of these.
pub fn known(rows: Vec<Row>) -> Result<Vec<(String, Known)>, PortError> {
    let known = rows.into_iter().map(|row| {
        let [key, version, state] = row.columns()?;
        Ok((key.text()?, Known { version: version.integer()?, state: state.json()? }))
    });
    known.collect()
}

/// The version that the trigger gives a key: they go up also when a row was forgotten in between,
/// for they start at the time.
pub fn version_after(version: i64, now: Timestamp) -> i64 {
    (version + 1).max(now.0)
}

/// What writes keys and counts.
pub fn write(entries: &[Entry], counts: &Counts, now: Timestamp) -> Statement {
    let row = |it: &Entry| {
        let until = it.until.0.div_euclid(FORGOTTEN_EACH_MS) + 1;
        let until = until.saturating_mul(FORGOTTEN_EACH_MS);
        let state = serde_json::to_string(&it.known.state).unwrap_or_default();
        json!([it.name, it.known.version, state, until])
    };
    let keys: Json = entries.iter().map(row).collect();
    Statement::new(WRITE, [(&keys).into(), (&counts.rows()).into(), now.into()])
}

impl<S: Sql> Book for S {
    async fn read(&self, names: &[String]) -> Result<Vec<(String, Known)>, PortError> {
        known(self.query(read(names)).await?)
    }

    fn version_after(&self, version: i64, now: Timestamp) -> i64 {
        version_after(version, now)
    }

    async fn write(
        &self,
        entries: &[Entry<'_>],
        counts: &Counts,
        now: Timestamp,
    ) -> Result<bool, PortError> {
        match self.query(write(entries, counts, now)).await {
            Ok(_) => Ok(true),
            Err(SqlError::Conflict) => Ok(false),
            Err(SqlError::Port(err)) => Err(err),
        }
    }
}
