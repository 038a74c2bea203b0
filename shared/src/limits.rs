//! The limiter over a [`book::Book`] of states: a database that many write to, or a [`redis`]. Whoever
//! alone writes a database has them [`held`].
//!
//! What is decided is decided by [`crate::limit::Limit::decide`] from the states as they were read. One
//! statement then writes all states, if none of them was changed meanwhile, and nothing otherwise;
//! who comes second decides anew. So two askers never take the same unit.
//!
//! Those who ask at the same time are decided [`together`], one after the other, and written by one
//! statement. An instance remembers the states that it wrote, so that a key that it asks for often
//! costs no other. What it remembers may be old: then that statement writes nothing, and the states
//! are read. Nobody is refused, or told how a key stands, by what is only remembered.

pub mod book;
pub mod counts;
pub mod held;
mod keys;
pub mod redis;
mod rows;
pub mod together;

use crate::{
    domain::Timestamp,
    limit::{Act, Standing, State},
    ports::{PortError, QUESTIONS_MAX, Question, Sql, Statement, Tally},
};
use book::Book;
use counts::Counts;
use keys::Keys;

/// How often a decision is made anew because another was faster. With each try somebody gets on.
const TRIES_MAX: u32 = 1_000;

const PRUNE: &str = "
    delete from limits where key in (
      select key from limits where until_ms < ?1 order by until_ms limit ?2)
    returning 1";
/// The limiter's own tables, for where no migration makes them.
pub const CREATE: [&str; 2] = [
    "create table if not exists limits (
      key text not null primary key,
      version integer not null,
      state text not null,
      until_ms integer not null
    ) strict",
    "create index if not exists limits_by_end on limits (until_ms)",
];
/// How many forgotten keys are removed at once …
const PRUNED: i64 = 1_000;
/// … and how often in a row.
const PRUNES_MAX: u32 = 100;

/// What somebody asks.
#[derive(Clone, Debug)]
pub struct Ask {
    /// What is taken, all of it or nothing. No two are of the same key.
    pub questions: Vec<Question>,
    /// What is counted with it.
    pub tallies: Vec<Tally>,
    /// When, by the clock of the tenant.
    pub now: Timestamp,
}

/// What comes of an ask by the states of its keys.
struct Judged {
    /// Whether all of it fits.
    admitted: bool,
    /// How the keys stand: where something was refused, nothing was taken of the others either.
    standings: Vec<Standing>,
    /// Their states if it is admitted.
    states: Vec<State>,
}

impl Ask {
    /// What is asked, if it can be decided at once.
    ///
    /// # Errors
    /// When there are too many questions, or two about the same key.
    pub fn new(
        questions: &[Question],
        tallies: &[Tally],
        now: Timestamp,
    ) -> Result<Self, PortError> {
        let twice = questions
            .iter()
            .enumerate()
            .any(|(number, it)| questions.iter().skip(number + 1).any(|other| other.key == it.key));
        if twice || questions.len() > QUESTIONS_MAX {
            return Err(PortError::new("limiter", "too many questions, or two of the same key"));
        }
        Ok(Self { questions: questions.to_vec(), tallies: tallies.to_vec(), now })
    }

    /// Decides by the states of its keys, in the order of its questions.
    fn judge(&self, known: &[&State]) -> Judged {
        let decide = |(it, known): (&Question, &&State)| it.limit.decide(known, &it.act, self.now);
        let asked = || self.questions.iter().zip(known);
        let (mut standings, states): (Vec<_>, Vec<_>) = asked().map(decide).unzip();
        let admitted = standings.iter().all(|it: &Standing| it.admitted);
        if !admitted {
            for (standing, (it, known)) in standings.iter_mut().zip(asked()) {
                let untouched = it.limit.decide(known, &Act::Take(0), self.now).0;
                let Standing { admitted, retry_ms, .. } = *standing;
                *standing = Standing { admitted, retry_ms, ..untouched };
            }
        }
        Judged { admitted, standings, states }
    }
}

/// Decides what several ask, one after the other, and counts with it: of each ask how its keys
/// stand then.
///
/// # Errors
/// When the book fails, or others were faster too often.
pub async fn decide(book: &impl Book, asks: &[Ask]) -> Result<Vec<Vec<Standing>>, PortError> {
    let mut remembered = Keys::remembered(asks);
    for _ in 0..TRIES_MAX {
        let (mut keys, is_fresh) = match remembered.take() {
            Some(keys) => (keys, false),
            None => (Keys::read(book, asks).await?, true),
        };
        let judged: Vec<_> = asks.iter().map(|ask| keys.decide(ask)).collect();
        if !is_fresh && judged.iter().any(|it| !it.admitted) {
            continue;
        }
        let mut counts = Counts::default();
        for (ask, it) in asks.iter().zip(&judged) {
            counts.add(ask, it.admitted);
        }
        let now = asks.iter().map(|it| it.now).max().unwrap_or_default();
        if keys.write(book, &counts, now).await? {
            return Ok(judged.into_iter().map(|it| it.standings).collect());
        }
    }
    Err(PortError::new("limiter", "too many ask for the same key"))
}

/// Forgets what is as good as forgotten, a number of keys at a time.
///
/// # Errors
/// When the database fails.
pub async fn prune(sql: &impl Sql, now: Timestamp) -> Result<(), PortError> {
    for _ in 0..PRUNES_MAX {
        let params = [now.into(), PRUNED.into()];
        if sql.query(Statement::new(PRUNE, params)).await?.is_empty() {
            break;
        }
    }
    Ok(())
}
