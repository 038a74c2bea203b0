//! The limiter: objects, each for a share of the groups, with what they count until it is sent.
//!
//! An object is the only one that writes its keys, so what it remembers of them holds, and a
//! decision is one statement.

use std::{cell::Cell, time::Duration};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use worker::{Env, Request, RequestInit, Response, ScheduledTime, State, Storage};

use super::{LIMITER, Worker, object};
use crate::{
    domain::Timestamp,
    ingest,
    limit::Standing,
    limits::{self, Ask},
    ports::{
        Edge, ITEMS_MAX, Item, PortError, Question, Queue, Row, Sql, SqlError, Statement, Tally,
    },
};

/// How long an object keeps what it has counted, and how often it forgets keys.
const SEND_AFTER: Duration = ingest::FOLD_AFTER;
/// After how many decisions keys are forgotten.
const PRUNE_EACH: u32 = 256;

const CREATE_COUNTED: &str = "
    create table if not exists counted (
      tenant text not null, function text not null, label text not null, field text not null,
      n integer not null, primary key (tenant, function, label, field)
    ) strict, without rowid";
const CREATE_DECISIONS: &str = "
    create view if not exists decisions as select '' as keys, '' as counts, 0 as now_ms where false";
// As `infra/migrations/spin/0001_decisions.sql`, but for where it counts, and that nobody else
// ever was faster.
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
pub struct LimiterState {
    storage: Storage,
    edge: Worker,
    is_up: Cell<bool>,
    /// Whether the alarm is set to come soon.
    is_armed: Cell<bool>,
    decisions: Cell<u32>,
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
        let now = Timestamp(asked.now_ms);
        let ask = Ask::new(&asked.questions, &asked.tallies, now)?;
        let standings = limits::decide(self, &[ask]).await?;
        Ok(standings.into_iter().next().unwrap_or_default())
    }

    /// Sends what was counted, forgets keys, and comes again while there are any.
    ///
    /// # Errors
    /// When the database or the queue fails: the runtime repeats it then.
    pub async fn alarm(&self) -> worker::Result<Response> {
        self.is_armed.set(false);
        self.bring_up().await.map_err(failed)?;
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
        let own = [CREATE_COUNTED, CREATE_OUTBOX, CREATE_DECISIONS, CREATE_WRITTEN];
        for text in limits::CREATE.into_iter().chain(own) {
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
