//! The limiter: objects, each for a share of the groups, with what they count until it is sent.
//!
//! An object is the only one that writes its keys, so it decides in memory, and writes a moment
//! later. The runtime keeps an object that has something to do; if it breaks all the same, what it
//! decided in that moment is forgotten.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::Duration,
};

use js_sys::{JsString, Promise};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use wasm_bindgen::{JsCast, JsValue, prelude::wasm_bindgen};
use worker::{
    Delay, Env, Response, ScheduledTime, State, Storage,
    wasm_bindgen_futures::{JsFuture, spawn_local},
};

use super::{LIMITER, Worker, object};
use crate::{
    domain::Timestamp,
    ingest,
    limit::Standing,
    limits::{self, Ask, held::Held},
    ports::{
        Edge, ITEMS_MAX, Item, PortError, Question, Queue, Row, Sql, SqlError, Statement, Tally,
    },
};

/// How long an object keeps what it has decided to itself.
const WRITE_AFTER: Duration = Duration::from_millis(250);

/// How long it keeps what it has counted, and how often it forgets keys.
const SEND_AFTER: Duration = ingest::FOLD_AFTER;

const CREATE_COUNTED: &str = "
    create table if not exists counted (
      tenant text not null, function text not null, label text not null, field text not null,
      n integer not null, primary key (tenant, function, label, field)
    ) strict, without rowid";
const CREATE_DECISIONS: &str = "
    create view if not exists decisions as select '' as keys, '' as counts, 0 as now_ms where false";
// As `infra/migrations/spin/0001_decisions.sql`, but for where it counts, and that nobody else
// ever is faster.
const CREATE_WRITTEN: &str = "
    create trigger if not exists decisions_written instead of insert on decisions begin
      insert into limits (key, version, state, until_ms)
      select value ->> 0, max((value ->> 1) + 1, new.now_ms), value ->> 2, value ->> 3
      from json_each(new.keys) where true
      on conflict (key) do update set
        version = excluded.version, state = excluded.state, until_ms = excluded.until_ms;
      insert into counted (tenant, function, label, field, n)
      select value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4
      from json_each(new.counts) where true
      on conflict (tenant, function, label, field) do update set n = n + excluded.n;
    end";
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
pub struct LimiterState(Rc<Inner>);

struct Inner {
    storage: Storage,
    edge: Worker,
    held: RefCell<Held>,
    is_up: Cell<bool>,
    /// Whether what is held is soon to be written.
    is_due: Cell<bool>,
    /// Whether the alarm is set to come soon.
    is_armed: Cell<bool>,
}

#[wasm_bindgen]
extern "C" {
    /// An object as others see it, see `shim.js`.
    type LimiterStub;
    #[wasm_bindgen(method, catch)]
    fn decide(this: &LimiterStub, asked: &str) -> Result<Promise, JsValue>;
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
    // 1,024 shares: a group is always with the same object, and no object has them all.
    let hash = Sha256::digest(group);
    let share = hash.iter().take(2).fold(0_u32, |sum, it| (sum << 8) | u32::from(*it)) >> 6;
    let stub = env.durable_object(LIMITER)?.get_by_name(&format!("share-{share:03x}"))?;
    let promise = stub.into_rpc::<LimiterStub>().decide(&serde_json::to_string(asked)?)?;
    let standings = String::from(JsFuture::from(promise).await?.unchecked_into::<JsString>());
    Ok(serde_json::from_str(&standings)?)
}

impl LimiterState {
    /// The object, as the runtime starts it.
    pub fn new(state: &State, env: Env) -> Self {
        Self(Rc::new(Inner {
            storage: state.storage(),
            edge: Worker::new(env),
            held: RefCell::default(),
            is_up: Cell::default(),
            is_due: Cell::default(),
            is_armed: Cell::default(),
        }))
    }

    /// Decides what is asked, at once.
    ///
    /// # Errors
    /// When the question is none, or the database fails.
    pub fn decide(&self, asked: &str) -> Result<String, JsValue> {
        let standings = self.0.decide(asked).map_err(failed)?;
        if !self.0.is_due.replace(true) {
            let inner = Rc::clone(&self.0);
            spawn_local(async move {
                Delay::from(WRITE_AFTER).await;
                inner.is_due.set(false);
                if let Err(err) = inner.write().await {
                    inner.edge.note(&format!("limiter: what was decided is not written: {err}"));
                }
            });
        }
        Ok(standings)
    }

    /// Sends what was counted, and forgets keys that say nothing any more.
    ///
    /// # Errors
    /// When the database or the queue fails: the runtime repeats it then.
    pub async fn alarm(&self) -> worker::Result<Response> {
        self.0.alarm().await
    }
}

impl Inner {
    fn decide(&self, asked: &str) -> Result<String, PortError> {
        let bad = |err: serde_json::Error| PortError::new("limiter", err);
        let asked: Questions = serde_json::from_str(asked).map_err(bad)?;
        self.bring_up()?;
        let ask = Ask::new(&asked.questions, &asked.tallies, Timestamp(asked.now_ms))?;
        let standings = self.held.borrow_mut().decide(&ask, |it| self.run(it))?;
        serde_json::to_string(&standings).map_err(bad)
    }

    fn run(&self, statement: Statement) -> Result<Vec<Row>, SqlError> {
        object::run(&self.storage.sql(), &statement)
    }

    /// Writes what is held. The alarm sends what was counted, and forgets keys by the real clock, of
    /// which no key is ahead.
    async fn write(&self) -> Result<(), PortError> {
        if !self.held.borrow_mut().write(|it| self.run(it))? || self.is_armed.replace(true) {
            return Ok(());
        }
        let at = self.edge.now() + SEND_AFTER;
        let armed = self.storage.set_alarm(ScheduledTime::new(object::date(at))).await;
        armed.map_err(|err| {
            self.is_armed.set(false);
            PortError::new("alarm", err)
        })
    }

    /// Sends what was counted, forgets keys, and comes again while there are any.
    ///
    /// # Errors
    /// When the database or the queue fails: the runtime repeats it then.
    async fn alarm(&self) -> worker::Result<Response> {
        self.is_armed.set(false);
        self.bring_up().map_err(failed)?;
        self.held.borrow_mut().write(|it| self.run(it)).map_err(failed)?;
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

    fn bring_up(&self) -> Result<(), PortError> {
        if self.is_up.get() {
            return Ok(());
        }
        let own = [CREATE_COUNTED, CREATE_OUTBOX, CREATE_DECISIONS, CREATE_WRITTEN];
        for text in limits::CREATE.into_iter().chain(own) {
            self.run(Statement::new(text, []))?;
        }
        self.is_up.set(true);
        Ok(())
    }
}

fn failed(err: PortError) -> worker::Error {
    worker::Error::from(err.to_string())
}

impl Sql for Inner {
    async fn query(&self, statement: Statement) -> Result<Vec<Row>, SqlError> {
        self.run(statement)
    }

    async fn batch(&self, statements: Vec<Statement>) -> Result<Vec<Vec<Row>>, SqlError> {
        object::transaction(&self.storage, statements)
    }
}
