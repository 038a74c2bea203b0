//! The book in SQL: rows of `limits` and `tallies`, written through the view `decisions`.

use serde_json::{Value as Json, json};

use super::{
    Counted,
    book::{Book, Entry, Known},
};
use crate::{
    domain::Timestamp,
    ports::{PortError, Sql, SqlError, Statement},
};

const READ: &str = "
    select key, version, state from limits where key in (select value from json_each(?1))";
/// Writes states and counts, if the states were still as they had been read.
const WRITE: &str = "insert into decisions (keys, counts, now_ms) values (?1, ?2, ?3)";

/// The moments when keys are forgotten are whole multiples of this: a key that is asked for all the
/// time moves in the index by them not each time, but now and then.
const FORGOTTEN_EACH_MS: i64 = 60 * 1000;

impl<S: Sql> Book for S {
    async fn read(&self, names: &[&str]) -> Result<Vec<(String, Known)>, PortError> {
        let names: Json = names.iter().copied().collect();
        let rows = self.query(Statement::new(READ, [(&names).into()])).await?;
        let known = rows.into_iter().map(|row| {
            let [key, version, state] = row.columns()?;
            Ok((key.text()?, Known { version: version.integer()?, state: state.json()? }))
        });
        known.collect()
    }

    /// As the trigger does: they go up also when a row was forgotten, for they start at the time.
    fn version_after(&self, version: i64, now: Timestamp) -> i64 {
        (version + 1).max(now.0)
    }

    async fn write(
        &self,
        entries: &[Entry],
        counts: &[Counted<'_>],
        now: Timestamp,
    ) -> Result<bool, PortError> {
        let row = |it: &Entry| {
            let until =
                (it.until.0.div_euclid(FORGOTTEN_EACH_MS) + 1).saturating_mul(FORGOTTEN_EACH_MS);
            let state = serde_json::to_string(&it.state).unwrap_or_default();
            json!([it.name, it.version, state, until])
        };
        let keys: Json = entries.iter().map(row).collect();
        let count = |([tenant, function, label, field], n): &Counted| {
            json!([tenant, function, label, field, n])
        };
        let counts: Json = counts.iter().map(count).collect();
        let params = [(&keys).into(), (&counts).into(), now.into()];
        match self.query(Statement::new(WRITE, params)).await {
            Ok(_) => Ok(true),
            Err(SqlError::Conflict) => Ok(false),
            Err(SqlError::Port(err)) => Err(err),
        }
    }
}
