//! The states of the keys that are decided together, as they were read or are remembered.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
};

use serde_json::{Value as Json, json};

use super::{Ask, Judged, counts::Counts};
use crate::{
    domain::Timestamp,
    limit::{Act, State},
    ports::{PortError, Row, Sql, SqlError, Statement},
};

const READ: &str = "
    select key, version, state from limits where key in (select value from json_each(?1))";
/// Writes states and counts, if the states were still as they had been read.
const WRITE: &str = "insert into decisions (keys, counts, now_ms) values (?1, ?2, ?3)";

/// How many keys an instance remembers.
const REMEMBERED_MAX: usize = 10_000;
/// The moments when keys are forgotten are whole multiples of this: a key that is asked for all the
/// time moves in the index by them not each time, but now and then.
const FORGOTTEN_EACH_MS: i64 = 60 * 1000;

/// After somebody else was faster, how many decisions are made by what is read: where several
/// instances serve the same keys, what one of them remembers is nearly always old.
const READ_AFTER_CONFLICT: u32 = 1_000;

thread_local! {
    static REMEMBERED: RefCell<BTreeMap<String, Known>> = RefCell::default();
    static TO_READ: Cell<u32> = const { Cell::new(0) };
}

/// What is known of a key.
#[derive(Clone, Debug, Default)]
struct Known {
    version: i64,
    state: State,
}

/// Keys by their names.
#[derive(Default)]
pub struct Keys(BTreeMap<String, Key>);

/// Names of keys that have to be read.
pub struct Missing(Vec<String>);

/// A key while it is decided about.
#[derive(Default)]
struct Key {
    known: Known,
    /// From when on it is as good as forgotten, if its state was changed.
    changed: Option<Timestamp>,
}

impl Known {
    /// The version that it was written under: they go up also when a row was forgotten in between.
    fn count_on(&mut self, now: Timestamp) {
        self.version = (self.version + 1).max(now.0);
    }
}

impl Missing {
    /// What reads them: key, version and state of each that is there.
    pub fn statement(&self) -> Statement {
        Statement::new(READ, [(&Json::from(self.0.clone())).into()])
    }
}

impl Keys {
    /// What this instance remembers of all keys, unless one of them is only looked at.
    pub fn remembered(asks: &[Ask]) -> Option<Self> {
        if let Some(fewer) = TO_READ.get().checked_sub(1) {
            TO_READ.set(fewer);
            return None;
        }
        let mut questions = asks.iter().flat_map(|it| &it.questions);
        REMEMBERED.with_borrow(|all| {
            let key = |known: &Known| Key { known: known.clone(), changed: None };
            let known = questions.try_fold(BTreeMap::new(), |mut keys, it| {
                let known = all.get(&it.key).filter(|_| it.act != Act::Take(0))?;
                keys.insert(it.key.clone(), key(known));
                Some(keys)
            });
            known.map(Self)
        })
    }

    /// All keys as they are; those that are not there are as new.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn read(sql: &impl Sql, asks: &[Ask]) -> Result<Self, PortError> {
        let questions = asks.iter().flat_map(|it| &it.questions);
        let missing = Missing(questions.map(|it| it.key.clone()).collect());
        let found = sql.query(missing.statement()).await?;
        let mut keys = Self::default();
        keys.learn(missing, found)?;
        Ok(keys)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Which keys of an ask are not here.
    pub fn missing(&self, ask: &Ask) -> Option<Missing> {
        let names = ask.questions.iter().map(|it| &it.key);
        let missing: Vec<_> = names.filter(|it| !self.0.contains_key(*it)).cloned().collect();
        (!missing.is_empty()).then_some(Missing(missing))
    }

    /// Takes in what was found of keys that were missing.
    ///
    /// # Errors
    /// When a row is none.
    pub fn learn(&mut self, missing: Missing, found: Vec<Row>) -> Result<(), PortError> {
        self.0.extend(missing.0.into_iter().map(|it| (it, Key::default())));
        for row in found {
            let [key, version, state] = row.columns()?;
            if let Some(it) = self.0.get_mut(&key.text()?) {
                it.known = Known { version: version.integer()?, state: state.json()? };
            }
        }
        Ok(())
    }

    /// Decides what is asked by the keys as those before it have left them.
    pub fn decide(&mut self, ask: &Ask) -> Judged {
        let new = State::default();
        let state = |name: &str| self.0.get(name).map_or(&new, |it| &it.known.state);
        let states: Vec<_> = ask.questions.iter().map(|it| state(&it.key)).collect();
        let judged = ask.judge(&states);
        let taken = ask.questions.iter().zip(&judged.states);
        for (it, state) in taken.filter(|(it, _)| judged.admitted && it.act != Act::Take(0)) {
            if let Some(key) = self.0.get_mut(&it.key) {
                key.known.state.clone_from(state);
                key.changed = Some(it.limit.forgotten(state));
            }
        }
        judged
    }

    /// Writes what has changed, and what is counted. Says whether it was as it had been read;
    /// otherwise nothing is written.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn write(
        self,
        sql: &impl Sql,
        counts: &Counts,
        now: Timestamp,
    ) -> Result<bool, PortError> {
        let Some(statement) = self.statement(counts, now) else { return Ok(true) };
        let written = match sql.query(statement).await {
            Ok(_) => true,
            Err(SqlError::Conflict) => false,
            Err(SqlError::Port(err)) => return Err(err),
        };
        self.remember(written, now);
        Ok(written)
    }

    /// What writes all that has changed, if anything has.
    pub fn statement(&self, counts: &Counts, now: Timestamp) -> Option<Statement> {
        let row = |(name, key): (&String, &Key)| {
            let until = key.changed?.0.div_euclid(FORGOTTEN_EACH_MS) + 1;
            let state = serde_json::to_string(&key.known.state).unwrap_or_default();
            let until = until.saturating_mul(FORGOTTEN_EACH_MS);
            Some(json!([name, key.known.version, state, until]))
        };
        let keys: Vec<Json> = self.0.iter().filter_map(row).collect();
        let nothing = keys.is_empty() && counts.is_empty();
        let params = [(&Json::from(keys)).into(), (&counts.rows()).into(), now.into()];
        (!nothing).then(|| Statement::new(WRITE, params))
    }

    /// Takes what has changed as written.
    pub fn settle(&mut self, now: Timestamp) {
        for it in self.0.values_mut() {
            if it.changed.take().is_some() {
                it.known.count_on(now);
            }
        }
    }

    /// Remembers what was written, and forgets what somebody else has changed.
    fn remember(self, written: bool, now: Timestamp) {
        if !written {
            TO_READ.set(READ_AFTER_CONFLICT);
        }
        REMEMBERED.with_borrow_mut(|all| {
            if all.len() + self.0.len() > REMEMBERED_MAX {
                all.clear();
            }
            for (name, Key { known, .. }) in self.0.into_iter().filter(|it| it.1.changed.is_some())
            {
                if written {
                    let mut known = known;
                    known.count_on(now);
                    all.insert(name, known);
                } else {
                    all.remove(&name);
                }
            }
        });
    }
}
