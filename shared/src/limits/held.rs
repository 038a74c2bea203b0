//! The keys of whoever alone writes them, such as an object: decided in memory, and written a
//! moment later, many with one statement.

use super::{Ask, counts::Counts, keys::Keys, rows};
use crate::{
    domain::Timestamp,
    limit::Standing,
    ports::{PortError, Row, SqlError, Statement},
};

/// How many keys are held.
const HELD_MAX: usize = 1_000;

/// Keys, and what was counted with them.
#[derive(Default)]
pub struct Held {
    keys: Keys,
    counts: Counts,
    /// When it was last decided, by the clock of whoever asked.
    last: Timestamp,
}

impl Held {
    /// Decides what is asked. `run` runs a statement at once, for keys that are not held.
    ///
    /// # Errors
    /// When the database fails. Then nothing is taken.
    pub fn decide(
        &mut self,
        ask: &Ask,
        run: impl Fn(Statement) -> Result<Vec<Row>, SqlError>,
    ) -> Result<Vec<Standing>, PortError> {
        if self.keys.len() + ask.questions.len() > HELD_MAX {
            self.write(&run)?;
            self.keys = Keys::default();
        }
        let missing = self.keys.missing(ask);
        if !missing.is_empty() {
            let found = run(rows::read(&missing))?;
            self.keys.learn(&missing, rows::known(found)?);
        }
        let judged = self.keys.decide(ask);
        self.counts.add(ask, judged.admitted);
        self.last = self.last.max(ask.now);
        Ok(judged.standings)
    }

    /// Writes what has changed and what was counted. Says whether there was anything.
    ///
    /// # Errors
    /// When the database fails. Then it is still to be written.
    pub fn write(
        &mut self,
        run: impl Fn(Statement) -> Result<Vec<Row>, SqlError>,
    ) -> Result<bool, PortError> {
        let entries = self.keys.entries();
        if entries.is_empty() && self.counts.is_empty() {
            return Ok(false);
        }
        run(rows::write(&entries, &self.counts, self.last))?;
        self.keys.settle(|it| rows::version_after(it, self.last));
        self.counts = Counts::default();
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use pollster::block_on;
    use proptest::prelude::*;

    use super::*;
    use crate::{
        limit::{Act, Algorithm, Limit},
        limits,
        memory::MemorySql,
        ports::{Question, Sql},
    };

    fn ask(key: u8, act: Act, at_ms: i64) -> Ask {
        let limit = Limit::new(Algorithm::Gcra, 10, 1_000, Some(3)).unwrap();
        let question = Question { key: format!("key-{key}"), limit, act };
        Ask::new(&[question], &[], Timestamp(1_000_000 + at_ms)).unwrap()
    }

    fn acts() -> impl Strategy<Value = Act> {
        prop_oneof![
            (0..4_i64).prop_map(Act::Take),
            (-3..3_i64).prop_map(|it| Act::Settle(it, Timestamp(1_000_000))),
        ]
    }

    proptest! {
        // Each case brings two databases up.
        #![proptest_config(ProptestConfig::with_cases(40))]

        /// Whether it is written after each decision or now and then, and whether or not it begins
        /// anew from what was written: it decides as the limiter in SQL does.
        #[test]
        fn it_decides_as_the_limiter_in_sql(
            asked in proptest::collection::vec((0..4_u8, acts(), 0..300_i64, 0..4_u8), 1..60),
        ) {
            let (sql, other) = (MemorySql::migrated(), MemorySql::migrated());
            let run = |it: Statement| block_on(sql.query(it));
            let (mut held, mut at) = (Held::default(), 0);
            for (key, act, later, what) in asked {
                at += later;
                let ask = ask(key, act, at);

                let decided = held.decide(&ask, run).unwrap();

                let exact = block_on(limits::decide(&other, std::slice::from_ref(&ask))).unwrap();
                prop_assert_eq!(vec![decided], exact);
                if what > 1 {
                    held.write(run).unwrap();
                }
                if what == 3 {
                    held = Held::default();
                }
            }
        }
    }

    #[test]
    fn what_does_not_fit_in_is_written_and_read_again() {
        let sql = MemorySql::migrated();
        let run = |it: Statement| block_on(sql.query(it));
        let mut held = Held::default();
        let limit = Limit::new(Algorithm::FixedWindow, 1, 60_000, None).unwrap();
        let take = |key: usize| {
            let question = Question { key: format!("key-{key}"), limit, act: Act::Take(1) };
            Ask::new(&[question], &[], Timestamp(1_000_000)).unwrap()
        };

        let first: Vec<_> = (0..2 * HELD_MAX).map(|it| held.decide(&take(it), run)).collect();
        let second: Vec<_> = (0..2 * HELD_MAX).map(|it| held.decide(&take(it), run)).collect();

        assert!(first.into_iter().all(|it| it.unwrap()[0].admitted));
        assert!(second.into_iter().all(|it| !it.unwrap()[0].admitted));
    }

    #[test]
    fn what_cannot_be_written_is_written_later() {
        let sql = MemorySql::migrated();
        let run = |it: Statement| block_on(sql.query(it));
        let broken = |_: Statement| Err(SqlError::Port(PortError::new("sql", "it is full")));
        let mut held = Held::default();
        held.decide(&ask(1, Act::Take(3), 0), run).unwrap();

        assert!(held.write(broken).is_err());
        assert!(held.write(run).unwrap());
        assert!(!held.write(run).unwrap());

        let next = Held::default().decide(&ask(1, Act::Take(1), 0), run).unwrap();
        assert!(!next[0].admitted);
    }
}
