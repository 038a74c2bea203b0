//! The states of the keys that are decided together, as they were read or are remembered.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
};

use super::{
    Ask, Judged,
    book::{Book, Entry, Known},
    counts::Counts,
};
use crate::{
    domain::Timestamp,
    limit::{Act, State},
    ports::PortError,
};

/// How many keys an instance remembers.
const REMEMBERED_MAX: usize = 10_000;

/// After somebody else was faster, how many decisions are made by what is read: where several
/// instances serve the same keys, what one of them remembers is nearly always old.
const READ_AFTER_CONFLICT: u32 = 1_000;

thread_local! {
    static REMEMBERED: RefCell<BTreeMap<String, Known>> = RefCell::default();
    static TO_READ: Cell<u32> = const { Cell::new(0) };
}

/// Keys by their names.
#[derive(Default)]
pub struct Keys(BTreeMap<String, Key>);

/// A key while it is decided about.
#[derive(Default)]
struct Key {
    known: Known,
    /// When its state was changed, and from when on it is as good as forgotten, if it was.
    changed: Option<[Timestamp; 2]>,
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
    /// When the book cannot be read.
    pub async fn read(book: &impl Book, asks: &[Ask]) -> Result<Self, PortError> {
        let mut names: Vec<_> =
            asks.iter().flat_map(|it| &it.questions).map(|it| it.key.clone()).collect();
        names.sort_unstable();
        names.dedup();
        let mut keys = Self::default();
        keys.learn(&names, book.read(&names).await?);
        Ok(keys)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Which keys of an ask are not here.
    pub fn missing(&self, ask: &Ask) -> Vec<String> {
        let names = ask.questions.iter().map(|it| &it.key);
        names.filter(|it| !self.0.contains_key(*it)).cloned().collect()
    }

    /// Takes in what is known of these keys, each of which is as new if nothing is.
    pub fn learn(&mut self, names: &[String], found: Vec<(String, Known)>) {
        self.0.extend(names.iter().map(|it| (it.clone(), Key::default())));
        for (name, known) in found {
            if let Some(it) = self.0.get_mut(&name) {
                it.known = known;
            }
        }
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
                key.changed = Some([ask.now, it.limit.forgotten(state)]);
            }
        }
        judged
    }

    /// Writes what has changed, and what is counted. Says whether it was as it had been read;
    /// otherwise nothing is written.
    ///
    /// # Errors
    /// When the book cannot be written.
    pub async fn write(
        mut self,
        book: &impl Book,
        counts: &Counts,
        now: Timestamp,
    ) -> Result<bool, PortError> {
        let entries = self.entries();
        if entries.is_empty() && counts.is_empty() {
            return Ok(true);
        }
        let written = book.write(&entries, counts, now).await?;
        self.0.retain(|_, it| it.changed.is_some());
        if written {
            self.settle(|it| book.version_after(it, now));
        }
        self.remember(written);
        Ok(written)
    }

    /// What has changed.
    pub fn entries(&self) -> Vec<Entry<'_>> {
        let changed = self.0.iter().filter_map(|(name, it)| {
            let [at, until] = it.changed?;
            Some(Entry { name, known: &it.known, at, until })
        });
        changed.collect()
    }

    /// Takes what has changed as written, each key under the version that comes after its own.
    pub fn settle(&mut self, version_after: impl Fn(i64) -> i64) {
        for it in self.0.values_mut() {
            if it.changed.take().is_some() {
                it.known.version = version_after(it.known.version);
            }
        }
    }

    /// Remembers what was written, and forgets what somebody else has changed.
    fn remember(self, written: bool) {
        if !written {
            TO_READ.set(READ_AFTER_CONFLICT);
        }
        REMEMBERED.with_borrow_mut(|all| {
            if all.len() + self.0.len() > REMEMBERED_MAX {
                all.clear();
            }
            for (name, Key { known, .. }) in self.0 {
                if written {
                    all.insert(name, known);
                } else {
                    all.remove(&name);
                }
            }
        });
    }
}
