//! Jobs as a tenant sees them: what waits, and the dead letters.

use serde::Serialize;
use serde_json::Value as Json;
use shared::{
    domain::{Commit, Draft, Id, Page, Timestamp},
    http::{Response, StatusCode, json},
    ports::{PortError, Row, Tenant, Value},
    problem::Problem,
    route::Call,
};
use utoipa::ToSchema;

const LIST: &str = "
    select id, function, kind, body, due_at_ms, attempts, state, reason from jobs
    where tenant = ?1 and id > ?2 order by id limit ?3";
const LIST_IN: &str = "
    select id, function, kind, body, due_at_ms, attempts, state, reason from jobs
    where tenant = ?1 and id > ?2 and state = ?4 order by id limit ?3";
const FIND: &str = "
    select id, function, kind, body, due_at_ms, attempts, state, reason from jobs
    where tenant = ?1 and id = ?2";
const REVIVE: &str = "
    update jobs set state = 'waiting', attempts = 0, due_at_ms = ?3, reason = null
    where tenant = ?1 and id = ?2 and state = 'dead'";

/// Work that is not done yet, or failed for good.
#[derive(Debug, Serialize, ToSchema)]
pub struct JobView {
    /// Its id.
    pub id: String,
    /// What it does, as `webhooks.deliver`.
    pub kind: String,
    /// What it was queued with.
    #[schema(value_type = Object)]
    pub body: Json,
    /// `waiting` or `dead`.
    pub state: String,
    /// When it is due, or was when it died.
    pub due_at: Timestamp,
    /// How many times it was tried.
    pub attempts: i64,
    /// Why the last try failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(skip)]
    function: String,
}

/// Lists jobs, of one `state` or of all.
pub async fn list(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let (limit, cursor) = call.page()?;
    let after = cursor.as_ref().map_or("", |it| it.key());
    let (after, more) = (Value::from(after), Value::from(limit + 1));
    let rows = match call.query("state").as_deref() {
        None => at.query(LIST, [after, more]).await?,
        Some(it @ ("waiting" | "dead")) => at.query(LIST_IN, [after, more, it.into()]).await?,
        Some(_) => return Err(Problem::invalid().detail("state is waiting or dead")),
    };
    let jobs = rows.into_iter().map(read).collect::<Result<Vec<_>, _>>()?;
    Ok(json(StatusCode::OK, &Page::of(jobs, limit, |it| it.id.clone())))
}

/// Lets a dead job have its tries again.
pub async fn retry(at: &impl Tenant, id: &str) -> Result<Response, Problem> {
    let row = at.query(FIND, [id.into()]).await?.into_iter().next();
    let job = row.map(read).transpose()?.ok_or_else(Problem::not_found)?;
    if job.state != "dead" {
        return Err(waiting());
    }
    let commit = Commit::new()
        .write_one(REVIVE, [id.into(), at.now().into()])
        .entry(Draft::new("job.revived", &Id::trusted(id.to_owned())))
        .wake(&job.function);
    let job =
        JobView { state: "waiting".to_owned(), attempts: 0, due_at: at.now(), reason: None, ..job };
    at.answer(commit, json(StatusCode::ACCEPTED, &job), waiting).await
}

fn waiting() -> Problem {
    Problem::new(StatusCode::CONFLICT, "/problems/jobs/waiting", "The job is waiting for its turn")
        .detail("only a dead job can be retried")
}

fn read(row: Row) -> Result<JobView, PortError> {
    let [id, function, kind, body, due_at, attempts, state, reason] = row.columns()?;
    Ok(JobView {
        id: id.text()?,
        function: function.text()?,
        kind: kind.text()?,
        body: body.json()?,
        due_at: due_at.timestamp()?,
        attempts: attempts.integer()?,
        state: state.text()?,
        reason: reason.optional_text()?,
    })
}
