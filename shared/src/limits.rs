//! The limiter in SQL, for a database that many write to, and for an object that has one.
//!
//! What is decided is decided by [`Limit::decide`] from the states as they were read. One
//! statement then writes all states, if none of them was changed meanwhile, and nothing otherwise;
//! who comes second decides anew. So a decision costs one look and one statement, and two askers
//! never take the same unit.

use serde_json::{Value as Json, json};

use crate::{
    domain::Timestamp,
    limit::{Act, Limit, Standing, State},
    ports::{PortError, QUESTIONS_MAX, Question, Sql, Statement, Tally, Value},
};

/// How often a decision is made anew because another was faster. With each try somebody gets on.
const TRIES_MAX: u32 = 1_000;

const READ: &str = "
    select key, version, state from limits where key in (select value from json_each(?1))";
// Numbers of versions go up also when a row was forgotten in between: they start at the time.
const WRITE: &str = "
    with asked as (
      select value ->> 0 as key, value ->> 1 as was, value ->> 2 as state, value ->> 3 as until_ms
      from json_each(?1))
    insert into limits (key, version, state, until_ms)
    select key, max(was + 1, ?2), state, until_ms from asked
    where not exists (
      select 1 from asked left join limits on limits.key = asked.key
      where coalesce(limits.version, 0) <> asked.was)
    on conflict (key) do update set
      version = excluded.version, state = excluded.state, until_ms = excluded.until_ms
    returning key";
const PRUNE: &str = "
    delete from limits where key in (
      select key from limits where until_ms < ?1 order by until_ms limit ?2)
    returning 1";
/// Counts what belongs to a label.
const COUNT: &str = "
    insert into tallies (tenant, function, label, field, n)
    select ?1, ?2, ?3, value ->> 0, value ->> 1 from json_each(?4) where true
    on conflict (tenant, function, label, field) do update set n = n + excluded.n";

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

/// What is known of a key.
struct Known {
    version: i64,
    state: State,
}

/// Decides all questions at once.
///
/// # Errors
/// When the database fails, the questions are too many or name a key twice, or others were faster
/// too often.
pub async fn decide(
    sql: &impl Sql,
    questions: &[Question],
    now: Timestamp,
) -> Result<Vec<Standing>, PortError> {
    check(questions)?;
    for _ in 0..TRIES_MAX {
        let known = read(sql, questions).await?;
        let decided: Vec<_> = questions
            .iter()
            .zip(&known)
            .map(|(it, known)| it.limit.decide(&known.state, &it.act, now))
            .collect();
        let admitted = decided.iter().all(|(standing, _)| standing.admitted);
        if !admitted || write(sql, questions, &known, &decided, now).await? {
            return Ok(standings(questions, &known, decided, admitted, now));
        }
    }
    Err(PortError::new("limiter", "too many ask for the same key"))
}

/// Counts by how it was decided, in the database of the tenant.
///
/// # Errors
/// When the database fails.
pub async fn count(
    sql: &impl Sql,
    tally: Option<&Tally>,
    standings: &[Standing],
) -> Result<(), PortError> {
    let Some(tally) = tally else { return Ok(()) };
    sql.query(Statement::new(COUNT, counted(tally, standings))).await?;
    Ok(())
}

/// What a statement that counts is given.
pub(crate) fn counted(tally: &Tally, standings: &[Standing]) -> [Value; 4] {
    let admitted = standings.iter().all(|it| it.admitted);
    let counts = json!(if admitted { &tally.admitted } else { &tally.refused });
    [(&tally.tenant).into(), (&tally.function).into(), (&tally.label).into(), (&counts).into()]
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

/// Writes what has changed. Says whether it was as it had been read.
async fn write(
    sql: &impl Sql,
    questions: &[Question],
    known: &[Known],
    decided: &[(Standing, State)],
    now: Timestamp,
) -> Result<bool, PortError> {
    let changed: Vec<Json> = questions
        .iter()
        .zip(known)
        .zip(decided)
        .filter(|((question, _), _)| question.act != Act::Take(0))
        .map(|((question, known), (_, state))| {
            let until = question.limit.forgotten(state).0;
            let state = serde_json::to_string(state).unwrap_or_default();
            json!([question.key, known.version, state, until])
        })
        .collect();
    if changed.is_empty() {
        return Ok(true);
    }
    let params = [(&Json::from(changed)).into(), now.into()];
    Ok(!sql.query(Statement::new(WRITE, params)).await?.is_empty())
}

/// How the keys stand: where something was refused, nothing was taken of the others either.
fn standings(
    questions: &[Question],
    known: &[Known],
    decided: Vec<(Standing, State)>,
    admitted: bool,
    now: Timestamp,
) -> Vec<Standing> {
    let untaken = |limit: Limit, state: &State, fits: Standing| {
        let now = limit.decide(state, &Act::Take(0), now).0;
        Standing { admitted: fits.admitted, retry_ms: fits.retry_ms, ..now }
    };
    decided
        .into_iter()
        .zip(questions.iter().zip(known))
        .map(
            |((it, _), (question, known))| {
                if admitted { it } else { untaken(question.limit, &known.state, it) }
            },
        )
        .collect()
}
