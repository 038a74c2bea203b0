//! The states of the keys that are decided together, as they were read or are remembered.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
};

use serde_json::{Value as Json, json};

use super::{Ask, Counted, Judged};
use crate::{
    domain::Timestamp,
    limit::{Act, State},
    ports::{PortError, Sql, SqlError, Statement},
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

/// A key while it is decided about.
#[derive(Default)]
struct Key {
    known: Known,
    /// From when on it is as good as forgotten, if its state was changed.
    changed: Option<Timestamp>,
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
        let mut keys: BTreeMap<_, _> =
            questions.map(|it| (it.key.clone(), Key::default())).collect();
        let names: Json = keys.keys().map(String::as_str).collect();
        for row in sql.query(Statement::new(READ, [(&names).into()])).await? {
            let [key, version, state] = row.columns()?;
            if let Some(it) = keys.get_mut(&key.text()?) {
                it.known = Known { version: version.integer()?, state: state.json()? };
            }
        }
        Ok(Self(keys))
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

    /// Writes what has changed, and adds up what is counted. Says whether it was as it had been
    /// read; otherwise nothing is written.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn write<'a>(
        self,
        sql: &impl Sql,
        counted: impl Iterator<Item = Counted<'a>>,
        now: Option<Timestamp>,
    ) -> Result<bool, PortError> {
        let now = now.unwrap_or(Timestamp(0));
        let mut sums = BTreeMap::<[&str; 4], i64>::new();
        for (of, n) in counted {
            *sums.entry(of).or_default() += n;
        }
        let row = |(name, key): (&String, &Key)| {
            let until = key.changed?.0.div_euclid(FORGOTTEN_EACH_MS) + 1;
            let state = serde_json::to_string(&key.known.state).unwrap_or_default();
            let until = until.saturating_mul(FORGOTTEN_EACH_MS);
            Some(json!([name, key.known.version, state, until]))
        };
        let keys: Vec<Json> = self.0.iter().filter_map(row).collect();
        let count = |([tenant, function, label, field], n): Counted| {
            json!([tenant, function, label, field, n])
        };
        let counts: Vec<Json> = sums.into_iter().map(count).collect();
        if keys.is_empty() && counts.is_empty() {
            return Ok(true);
        }
        let params = [(&Json::from(keys)).into(), (&Json::from(counts)).into(), now.into()];
        let written = match sql.query(Statement::new(WRITE, params)).await {
            Ok(_) => true,
            Err(SqlError::Conflict) => false,
            Err(SqlError::Port(err)) => return Err(err),
        };
        self.remember(written, now);
        Ok(written)
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
                    let version = (known.version + 1).max(now.0);
                    all.insert(name, Known { version, ..known });
                } else {
                    all.remove(&name);
                }
            }
        });
    }
}
