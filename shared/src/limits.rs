//! The limiter in SQL, for a database that many write to, and for an object that has one.
//!
//! What is decided is decided by [`crate::limit::Limit::decide`] from the states as they were read. One
//! statement then writes all states, if none of them was changed meanwhile, and nothing otherwise;
//! who comes second decides anew. So two askers never take the same unit.
//!
//! An instance remembers the states that it wrote, so that a key that it asks for often costs one
//! statement. What it remembers may be old: then that statement writes nothing, and the states are
//! read. Nobody is refused, or told how a key stands, by what is only remembered.

use std::{cell::RefCell, collections::BTreeMap};

use serde_json::{Value as Json, json};

use crate::{
    domain::Timestamp,
    limit::{Act, Standing, State},
    ports::{PortError, QUESTIONS_MAX, Question, Sql, SqlError, Statement, Tally},
};

/// How often a decision is made anew because another was faster. With each try somebody gets on.
const TRIES_MAX: u32 = 1_000;

const READ: &str = "
    select key, version, state from limits where key in (select value from json_each(?1))";
/// Writes states and counts, if the states were still as they had been read.
const WRITE: &str = "insert into decisions (keys, counts, now_ms) values (?1, ?2, ?3)";
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

/// How many keys an instance remembers.
const REMEMBERED_MAX: usize = 10_000;

thread_local! {
    static REMEMBERED: RefCell<BTreeMap<String, Known>> = RefCell::default();
}

/// What is known of a key.
#[derive(Clone, Debug)]
struct Known {
    version: i64,
    state: State,
}

/// What comes of questions by the states of their keys.
struct Judged {
    /// Whether all of them fit.
    admitted: bool,
    /// How the keys stand: where something was refused, nothing was taken of the others either.
    standings: Vec<Standing>,
    /// Their states if it is admitted.
    states: Vec<State>,
}

/// Decides all questions by what is known of their keys.
fn judge(questions: &[Question], known: &[&State], now: Timestamp) -> Judged {
    let decide = |(it, known): (&Question, &&State)| it.limit.decide(known, &it.act, now);
    let (mut standings, states): (Vec<_>, Vec<_>) = questions.iter().zip(known).map(decide).unzip();
    let admitted = standings.iter().all(|it: &Standing| it.admitted);
    if !admitted {
        for (standing, (it, known)) in standings.iter_mut().zip(questions.iter().zip(known)) {
            let now = it.limit.decide(known, &Act::Take(0), now).0;
            let Standing { admitted, retry_ms, .. } = *standing;
            *standing = Standing { admitted, retry_ms, ..now };
        }
    }
    Judged { admitted, standings, states }
}

/// Decides all questions at once, and counts with it.
///
/// # Errors
/// When the database fails, the questions are too many or name a key twice, or others were faster
/// too often.
pub async fn decide(
    sql: &impl Sql,
    questions: &[Question],
    tallies: &[Tally],
    now: Timestamp,
) -> Result<Vec<Standing>, PortError> {
    check(questions)?;
    let mut remembered = remember(questions);
    for _ in 0..TRIES_MAX {
        let (known, is_fresh) = match remembered.take() {
            Some(known) => (known, false),
            None => (read(sql, questions).await?, true),
        };
        let states: Vec<_> = known.iter().map(|it| &it.state).collect();
        let judged = judge(questions, &states, now);
        if !judged.admitted && !is_fresh {
            continue;
        }
        if write(sql, questions, &known, &judged, tallies, now).await? {
            return Ok(judged.standings);
        }
    }
    Err(PortError::new("limiter", "too many ask for the same key"))
}

/// What is counted: tenant, function, label, field and number.
fn counted(tallies: &[Tally], admitted: bool) -> impl Iterator<Item = Counted<'_>> {
    tallies.iter().flat_map(move |it| {
        let counts = if admitted { &it.admitted } else { &it.refused };
        counts.iter().map(|(field, n)| ([&*it.tenant, &*it.function, &*it.label, &**field], *n))
    })
}

/// Whose, and of which function, label and field; and how many.
type Counted<'a> = ([&'a str; 4], i64);

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

/// Refuses too many questions, and two about the same key.
fn check(questions: &[Question]) -> Result<(), PortError> {
    let twice = questions
        .iter()
        .enumerate()
        .any(|(number, it)| questions.iter().skip(number + 1).any(|other| other.key == it.key));
    if twice || questions.len() > QUESTIONS_MAX {
        return Err(PortError::new("limiter", "too many questions, or two of the same key"));
    }
    Ok(())
}

/// What this instance remembers of all keys, unless one of them is only looked at.
fn remember(questions: &[Question]) -> Option<Vec<Known>> {
    if questions.iter().any(|it| it.act == Act::Take(0)) {
        return None;
    }
    REMEMBERED.with_borrow(|all| questions.iter().map(|it| all.get(&it.key).cloned()).collect())
}

async fn read(sql: &impl Sql, questions: &[Question]) -> Result<Vec<Known>, PortError> {
    let keys: Json = questions.iter().map(|it| it.key.as_str()).collect();
    let mut known: Vec<_> =
        questions.iter().map(|_| Known { version: 0, state: State::default() }).collect();
    for row in sql.query(Statement::new(READ, [(&keys).into()])).await? {
        let [key, version, state] = row.columns()?;
        let key = key.text()?;
        let number = questions.iter().position(|it| it.key == key);
        if let Some(it) = number.and_then(|it| known.get_mut(it)) {
            *it = Known { version: version.integer()?, state: state.json()? };
        }
    }
    Ok(known)
}

/// Writes what has changed and what is counted. Says whether it was as it had been read.
async fn write(
    sql: &impl Sql,
    questions: &[Question],
    known: &[Known],
    judged: &Judged,
    tallies: &[Tally],
    now: Timestamp,
) -> Result<bool, PortError> {
    let asked = questions.iter().zip(known).zip(&judged.states);
    let changed = asked.filter(|((it, _), _)| judged.admitted && it.act != Act::Take(0));
    let row = |((question, known), state): ((&Question, &Known), &State)| {
        let until = question.limit.forgotten(state).0;
        let state = serde_json::to_string(state).unwrap_or_default();
        json!([question.key, known.version, state, until])
    };
    let keys: Vec<Json> = changed.clone().map(row).collect();
    let count =
        |([tenant, function, label, field], n): Counted| json!([tenant, function, label, field, n]);
    let counts: Vec<Json> = counted(tallies, judged.admitted).map(count).collect();
    if keys.is_empty() && counts.is_empty() {
        return Ok(true);
    }
    let params = [(&Json::from(keys)).into(), (&Json::from(counts)).into(), now.into()];
    let written = match sql.query(Statement::new(WRITE, params)).await {
        Ok(_) => true,
        Err(SqlError::Conflict) => false,
        Err(SqlError::Port(err)) => return Err(err),
    };
    REMEMBERED.with_borrow_mut(|all| {
        if all.len() + questions.len() > REMEMBERED_MAX {
            all.clear();
        }
        for ((question, known), state) in changed {
            if written {
                let version = (known.version + 1).max(now.0);
                all.insert(question.key.clone(), Known { version, state: state.clone() });
            } else {
                all.remove(&question.key);
            }
        }
    });
    Ok(written)
}
