//! The states of the keys that are decided together, as they were read or are remembered.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
};

use super::{
    Ask, Counted, Judged,
    book::{Book, Entry, Known},
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
        let questions = asks.iter().flat_map(|it| &it.questions);
        let mut keys: BTreeMap<_, _> =
            questions.map(|it| (it.key.clone(), Key::default())).collect();
        let names: Vec<_> = keys.keys().map(String::as_str).collect();
        for (name, known) in book.read(&names).await? {
            if let Some(it) = keys.get_mut(&name) {
                it.known = known;
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
                key.changed = Some([ask.now, it.limit.forgotten(state)]);
            }
        }
        judged
    }

    /// Writes what has changed, and adds up what is counted. Says whether it was as it had been
    /// read; otherwise nothing is written.
    ///
    /// # Errors
    /// When the book cannot be written.
    pub async fn write<'a>(
        self,
        book: &impl Book,
        counted: impl Iterator<Item = Counted<'a>>,
        now: Option<Timestamp>,
    ) -> Result<bool, PortError> {
        let now = now.unwrap_or(Timestamp(0));
        let mut sums = BTreeMap::<[&str; 4], i64>::new();
        for (of, n) in counted {
            *sums.entry(of).or_default() += n;
        }
        let entry = |(name, key): (String, Key)| {
            let ([at, until], Known { version, state }) = (key.changed?, key.known);
            let next = book.version_after(version, now);
            Some(Entry { name, version, next, state, at, until })
        };
        let entries: Vec<_> = self.0.into_iter().filter_map(entry).collect();
        let counts: Vec<Counted> = sums.into_iter().collect();
        if entries.is_empty() && counts.is_empty() {
            return Ok(true);
        }
        let written = book.write(&entries, &counts, now).await?;
        remember(entries, written);
        Ok(written)
    }
}

/// Remembers what was written, and forgets what somebody else has changed.
fn remember(entries: Vec<Entry>, written: bool) {
    if !written {
        TO_READ.set(READ_AFTER_CONFLICT);
    }
    REMEMBERED.with_borrow_mut(|all| {
        if all.len() + entries.len() > REMEMBERED_MAX {
            all.clear();
        }
        for Entry { name, next, state, .. } in entries {
            if written {
                all.insert(name, Known { version: next, state });
            } else {
                all.remove(&name);
            }
        }
    });
}
