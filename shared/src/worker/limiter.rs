//! The limiter: objects, each for a share of the groups, with what they count until it is sent.
//!
//! An object is the only one that knows its keys, so it decides in memory. What was decided is
//! written before anybody hears of it, together with all that others ask within a millisecond:
//! a flush of the disk is what costs here.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};
use worker::{Env, Request, RequestInit, Response, ScheduledTime, State, Storage};

use super::{LIMITER, Worker, object};
use crate::{
    domain::Timestamp,
    ingest,
    limit::{self, Act, Limit, Standing},
    limits,
    ports::{
        Edge, ITEMS_MAX, Item, PortError, Question, Queue, Row, Sql, SqlError, Statement, Tally,
    },
};

/// How long an object keeps what it has counted, and how often it forgets keys.
const SEND_AFTER: Duration = ingest::FOLD_AFTER;
/// After how many decisions keys are forgotten.
const PRUNE_EACH: u32 = 256;
/// For how long decisions are gathered to be written together.
const GATHER: Duration = Duration::from_millis(1);
/// How many keys an object keeps in memory.
const KEYS_MAX: usize = 50_000;

const CREATE_COUNTED: &str = "
    create table if not exists counted (
      tenant text not null, function text not null, label text not null, field text not null,
      n integer not null, primary key (tenant, function, label, field)
    ) strict, without rowid";
const COUNT: &str = "
    insert into counted (tenant, function, label, field, n)
    select value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4
    from json_each(?1) where true
    on conflict (tenant, function, label, field) do update set n = n + excluded.n";
const READ: &str = "select key, state from limits where key in (select value from json_each(?1))";
const WRITE: &str = "
    insert into limits (key, version, state, until_ms)
    select value ->> 0, 0, value ->> 1, value ->> 2 from json_each(?1) where true
    on conflict (key) do update set state = excluded.state, until_ms = excluded.until_ms";
/// What waits to be sent: an outbox, so that what is sent again has the id that it had.
const CREATE_OUTBOX: &str = "
    create table if not exists outbox (
      id text not null primary key, tenant text not null, function text not null, body text not null
    ) strict";
const FOLD: &str = "
    insert into outbox (id, tenant, function, body)
    select lower(hex(randomblob(16))), tenant, function,
      json_object('label', label, 'counts', json(json_group_object(field, n)))
    from counted group by tenant, function, label";
const FOLDED: &str = "delete from counted";
const WAITING: &str = "
    select id, tenant, function, body from outbox
    order by tenant, function, id limit ?1";
const SENT: &str = "delete from outbox where id in (select value from json_each(?1))";
const NEXT: &str = "select min(until_ms) from limits";

/// What an object of `LIMITER` is made of.
pub struct LimiterState {
    storage: Storage,
    edge: Worker,
    is_up: Cell<bool>,
    /// Whether the alarm is set to come soon.
    is_armed: Cell<bool>,
    decisions: Cell<u32>,
    known: RefCell<Known>,
    /// How often what was decided could not be written.
    losses: Cell<u32>,
}

/// What an object has in memory.
#[derive(Default)]
struct Known {
    /// The keys as they are now, with the limit that each was last asked by.
    states: BTreeMap<String, (Limit, limit::State)>,
    /// Those of them that are not written yet.
    unwritten: BTreeSet<String>,
    /// What is counted and not written yet: by tenant, function, label and field.
    counts: BTreeMap<[String; 4], i64>,
}

/// What the object is asked.
#[derive(Deserialize, Serialize)]
struct Questions {
    questions: Vec<Question>,
    tallies: Vec<Tally>,
    now_ms: i64,
}

/// Asks the object of the group's share.
pub(super) async fn ask(
    env: &Env,
    group: &str,
    questions: &[Question],
    tallies: &[Tally],
    now: Timestamp,
) -> Result<Vec<Standing>, PortError> {
    let questions =
        Questions { questions: questions.to_vec(), tallies: tallies.to_vec(), now_ms: now.0 };
    exchange(env, group, &questions).await.map_err(|err| PortError::new("limiter", err))
}

async fn exchange(env: &Env, group: &str, asked: &Questions) -> worker::Result<Vec<Standing>> {
    // 4,096 shares: a group is always with the same object, and no object has them all.
    let hash = Sha256::digest(group);
    let share = hash.iter().take(2).fold(0_u32, |sum, it| (sum << 8) | u32::from(*it)) >> 4;
    let mut init = RequestInit::new();
    init.with_method(worker::Method::Post).with_body(Some(serde_json::to_string(asked)?.into()));
    let request = Request::new_with_init("http://limiter/", &init)?;
    let stub = env.durable_object(LIMITER)?.get_by_name(&format!("share-{share:03x}"))?;
    stub.fetch_with_request(request).await?.json().await
}

impl LimiterState {
    /// The object, as the runtime starts it.
    pub fn new(state: &State, env: Env) -> Self {
        Self {
            storage: state.storage(),
            edge: Worker::new(env),
            is_up: Cell::default(),
            is_armed: Cell::default(),
            decisions: Cell::default(),
            known: RefCell::default(),
            losses: Cell::default(),
        }
    }

    /// Decides what is asked.
    ///
    /// # Errors
    /// When the question is none, or the database fails.
    pub async fn fetch(&self, mut request: Request) -> worker::Result<Response> {
        let asked: Questions = request.json().await?;
        let standings = self.decide(&asked).await.map_err(failed)?;
        // What is forgotten is forgotten by the real clock, of which no key is ahead.
        self.arm(self.edge.now() + SEND_AFTER).await?;
        Response::from_json(&standings)
    }

    async fn decide(&self, asked: &Questions) -> Result<Vec<Standing>, PortError> {
        self.bring_up().await?;
        self.decisions.set(self.decisions.get().wrapping_add(1));
        if self.decisions.get().is_multiple_of(PRUNE_EACH) {
            limits::prune(self, self.edge.now()).await?;
        }
        limits::check(&asked.questions)?;
        self.learn(&asked.questions).await?;
        let standings = self.known.borrow_mut().decide(asked);
        let losses = self.losses.get();
        self.edge.sleep(GATHER).await;
        self.flush().await?;
        if self.losses.get() != losses {
            return Err(PortError::new("limiter", "what was decided could not be written"));
        }
        Ok(standings)
    }

    /// Reads the keys that are not in memory. Nobody else has a turn meanwhile.
    async fn learn(&self, questions: &[Question]) -> Result<(), PortError> {
        let mut known = self.known.borrow_mut();
        known.forget_some();
        let unknown = questions.iter().filter(|it| !known.states.contains_key(&it.key));
        let keys: serde_json::Value = unknown.clone().map(|it| it.key.as_str()).collect();
        let unknown: BTreeMap<_, _> = unknown.map(|it| (it.key.clone(), it.limit)).collect();
        if unknown.is_empty() {
            return Ok(());
        }
        let rows = object::run(&self.storage.sql(), &Statement::new(READ, [(&keys).into()]))?;
        for (key, limit) in &unknown {
            known.states.insert(key.clone(), (*limit, limit::State::default()));
        }
        for row in rows {
            let [key, state] = row.columns()?;
            let key = key.text()?;
            if let Some(limit) = unknown.get(&key) {
                known.states.insert(key, (*limit, state.json()?));
            }
        }
        Ok(())
    }

    /// Writes what is not written yet: of whoever comes first, for all.
    async fn flush(&self) -> Result<(), PortError> {
        let statements = self.known.borrow_mut().take_unwritten();
        if statements.is_empty() {
            return Ok(());
        }
        let written = self.batch(statements).await;
        if written.is_err() {
            // What is on the disk counts, and everybody who waits hears that it failed.
            self.known.take();
            self.losses.set(self.losses.get().wrapping_add(1));
        }
        written.map(drop).map_err(PortError::from)
    }

    /// Sends what was counted, forgets keys, and comes again while there are any.
    ///
    /// # Errors
    /// When the database or the queue fails: the runtime repeats it then.
    pub async fn alarm(&self) -> worker::Result<Response> {
        self.is_armed.set(false);
        self.bring_up().await.map_err(failed)?;
        self.flush().await.map_err(failed)?;
        self.send().await.map_err(failed)?;
        limits::prune(self, self.edge.now()).await.map_err(failed)?;
        let rows = self.query(Statement::new(NEXT, [])).await;
        let next = rows.map_err(|err| worker::Error::from(err.to_string()))?.into_iter().next();
        let next = next.map(|row| row.columns().and_then(|[at]| at.optional_timestamp()));
        if let Some(at) = next.transpose().map_err(failed)?.flatten() {
            // Not soon: who asks meanwhile sets it to an earlier time.
            let at = at.max(self.edge.now() + SEND_AFTER);
            self.storage.set_alarm(ScheduledTime::new(object::date(at))).await?;
        }
        Response::empty()
    }

    async fn send(&self) -> Result<(), PortError> {
        self.batch(vec![Statement::new(FOLD, []), Statement::new(FOLDED, [])]).await?;
        loop {
            let limit = i64::try_from(ITEMS_MAX).unwrap_or(i64::MAX);
            let rows = self.query(Statement::new(WAITING, [limit.into()])).await?;
            let mut items = vec![];
            let mut whose = None;
            for row in rows {
                let [id, tenant, function, body] = row.columns()?;
                let (tenant, function) = (tenant.text()?, function.text()?);
                if *whose.get_or_insert_with(|| (tenant.clone(), function.clone()))
                    == (tenant, function)
                {
                    items.push(Item { id: id.text()?, body: body.json()? });
                }
            }
            let Some((tenant, function)) = whose else { return Ok(()) };
            let sent: serde_json::Value = items.iter().map(|it| it.id.as_str()).collect();
            self.edge.enqueue(&tenant, &function, items).await?;
            self.query(Statement::new(SENT, [(&sent).into()])).await?;
        }
    }

    async fn bring_up(&self) -> Result<(), PortError> {
        if self.is_up.get() {
            return Ok(());
        }
        for text in limits::CREATE.into_iter().chain([CREATE_COUNTED, CREATE_OUTBOX]) {
            self.query(Statement::new(text, [])).await?;
        }
        self.is_up.set(true);
        Ok(())
    }

    async fn arm(&self, at: Timestamp) -> worker::Result<()> {
        if self.is_armed.replace(true) {
            return Ok(());
        }
        let armed = self.storage.set_alarm(ScheduledTime::new(object::date(at))).await;
        armed.inspect_err(|_| self.is_armed.set(false))
    }
}

impl Known {
    /// Decides, and remembers what has to be written of it.
    fn decide(&mut self, asked: &Questions) -> Vec<Standing> {
        let none = limit::State::default();
        let state = |it: &Question| self.states.get(&it.key).map_or(&none, |it| &it.1);
        let states: Vec<_> = asked.questions.iter().map(state).collect();
        let judged = limits::judge(&asked.questions, &states, Timestamp(asked.now_ms));
        if judged.admitted {
            for (it, state) in asked.questions.iter().zip(judged.states) {
                if it.act != Act::Take(0) {
                    self.states.insert(it.key.clone(), (it.limit, state));
                    self.unwritten.insert(it.key.clone());
                }
            }
        }
        for (name, n) in limits::counted(&asked.tallies, judged.admitted) {
            *self.counts.entry(name.map(str::to_owned)).or_default() += n;
        }
        judged.standings
    }

    /// What writes all that is not written.
    fn take_unwritten(&mut self) -> Vec<Statement> {
        let mut statements = vec![];
        let row = |key: &String| {
            let (limit, state) = self.states.get(key)?;
            let text = serde_json::to_string(state).unwrap_or_default();
            Some(json!([key, text, limit.forgotten(state).0]))
        };
        let states: Vec<_> = self.unwritten.iter().filter_map(row).collect();
        if !states.is_empty() {
            statements.push(Statement::new(WRITE, [(&json!(states)).into()]));
        }
        let count = |([tenant, function, label, field], n): (&[String; 4], &i64)| {
            json!([tenant, function, label, field, n])
        };
        let counts: Vec<_> = self.counts.iter().map(count).collect();
        if !counts.is_empty() {
            statements.push(Statement::new(COUNT, [(&json!(counts)).into()]));
        }
        self.unwritten.clear();
        self.counts.clear();
        statements
    }

    /// Keeps the memory small: what is written can be read again.
    fn forget_some(&mut self) {
        if self.states.len() > KEYS_MAX {
            let Self { states, unwritten, .. } = self;
            states.retain(|key, _| unwritten.contains(key));
        }
    }
}

fn failed(err: PortError) -> worker::Error {
    worker::Error::from(err.to_string())
}

impl Sql for LimiterState {
    async fn query(&self, statement: Statement) -> Result<Vec<Row>, SqlError> {
        object::run(&self.storage.sql(), &statement)
    }

    async fn batch(&self, statements: Vec<Statement>) -> Result<Vec<Vec<Row>>, SqlError> {
        object::transaction(&self.storage, statements)
    }
}
