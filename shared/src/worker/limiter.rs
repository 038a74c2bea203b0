//! The limiter: an object for each shard of keys.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use worker::{Env, Request, RequestInit, Response, State};

use super::{LIMITER, object};
use crate::{
    domain::Timestamp,
    limits,
    ports::{Admission, PortError, Rate, Row, Sql, SqlError, Statement},
};

/// What an object of `LIMITER` is made of.
pub struct LimiterState(worker::SqlStorage);

#[derive(Deserialize, Serialize)]
struct Question {
    key: String,
    limit: u32,
    period_ms: u64,
    now_ms: i64,
}

#[derive(Deserialize, Serialize)]
struct Answer {
    wait_ms: Option<u64>,
}

/// Asks the object of the key's shard.
pub(super) async fn ask(
    env: &Env,
    key: &str,
    rate: Rate,
    now: Timestamp,
) -> Result<Admission, PortError> {
    let question = Question {
        key: key.to_owned(),
        limit: rate.limit,
        period_ms: u64::try_from(rate.period.as_millis()).unwrap_or(u64::MAX),
        now_ms: now.0,
    };
    let answer = exchange(env, &question).await.map_err(|err| PortError::new("limiter", err))?;
    Ok(match answer.wait_ms {
        None => Admission::Admitted,
        Some(it) => Admission::Refused(Duration::from_millis(it)),
    })
}

async fn exchange(env: &Env, question: &Question) -> worker::Result<Answer> {
    // 256 shards: a key is always with the same object, and no object has them all.
    let shard = Sha256::digest(&question.key).first().copied().unwrap_or(0);
    let mut init = RequestInit::new();
    init.with_method(worker::Method::Post).with_body(Some(serde_json::to_string(question)?.into()));
    let request = Request::new_with_init("http://limiter/", &init)?;
    let stub = env.durable_object(LIMITER)?.get_by_name(&format!("shard-{shard:02x}"))?;
    stub.fetch_with_request(request).await?.json().await
}

impl LimiterState {
    /// The object, as the runtime starts it.
    pub fn new(state: &State) -> Self {
        Self(state.storage().sql())
    }

    /// Decides one question.
    ///
    /// # Errors
    /// When the question is none, or the database fails.
    pub async fn fetch(&self, mut request: Request) -> worker::Result<Response> {
        let question: Question = request.json().await?;
        let period = Duration::from_millis(question.period_ms);
        let rate = Rate { limit: question.limit, period };
        let now = Timestamp(question.now_ms);
        let admission = self.decide(&question.key, rate, now).await;
        let wait_ms = match admission.map_err(|err| worker::Error::from(err.to_string()))? {
            Admission::Admitted => None,
            Admission::Refused(wait) => Some(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)),
        };
        Response::from_json(&Answer { wait_ms })
    }

    async fn decide(&self, key: &str, rate: Rate, now: Timestamp) -> Result<Admission, PortError> {
        self.query(Statement::new(limits::CREATE, [])).await?;
        limits::prune(self, now).await?;
        limits::admit(self, key, rate, now).await
    }
}

impl Sql for LimiterState {
    async fn query(&self, statement: Statement) -> Result<Vec<Row>, SqlError> {
        object::run(&self.0, &statement)
    }

    async fn batch(&self, statements: Vec<Statement>) -> Result<Vec<Vec<Row>>, SqlError> {
        // The limiter has no use for one: each of its statements decides by itself.
        statements.iter().map(|it| object::run(&self.0, it)).collect()
    }
}
