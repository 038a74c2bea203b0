//! The log of a tenant: read page by page, and followed live.

pub mod bundle;
pub mod checkpoint;
mod export;
mod live;
pub mod note;
pub mod proof;
pub mod schema;
mod store;
#[cfg(test)]
mod tests;
mod tiles;
pub mod tree;
pub mod witness;

use shared::{
    domain::{Commit, Failure, Job, Page},
    function::Function,
    http::{Response, StatusCode, json},
    live::News,
    log,
    ports::Tenant,
    problem::Problem,
    route::{Access, Call, Route},
};

shared::serve!(Audit);

/// The capability.
pub struct Audit;

const READ: Access = Access::Scope("log:read");
const WRITE: Access = Access::Scope("log:write");

const ROUTES: &[Route] = &[
    Route::new("GET", "/v1/log", "listLog", READ),
    Route::new("GET", "/v1/log/live", "followLog", READ),
    Route::new("GET", "/v1/log/keys", "listLogKeys", READ),
    Route::new("GET", "/v1/log/checkpoint", "getLogCheckpoint", READ),
    Route::new("GET", "/v1/log/checkpoints", "listLogCheckpoints", READ),
    Route::new("GET", "/v1/log/proofs/inclusion", "proveLogInclusion", READ),
    Route::new("GET", "/v1/log/proofs/consistency", "proveLogConsistency", READ),
    Route::new("POST", "/v1/log/export", "exportLog", READ),
    Route::new("GET", "/v1/log/witnesses", "listLogWitnesses", READ),
    Route::new("GET", "/v1/log/witnesses/{name}", "getLogWitness", READ),
    Route::new("PUT", "/v1/log/witnesses/{name}", "putLogWitness", WRITE),
    Route::new("DELETE", "/v1/log/witnesses/{name}", "deleteLogWitness", WRITE),
];

/// The longest subject that can be asked for, in characters.
const SUBJECT_CHARS_MAX: usize = 512;

impl Function for Audit {
    const NAME: &'static str = "audit";

    fn routes() -> impl Iterator<Item = &'static Route> {
        ROUTES.iter()
    }

    async fn handle(tenant: &impl Tenant, call: &Call) -> Result<Response, Problem> {
        match call.operation() {
            "listLog" => list(tenant, call).await,
            "followLog" => live::follow(tenant, call).await,
            "listLogKeys" => checkpoint::keys(tenant).await,
            "getLogCheckpoint" => checkpoint::get(tenant).await,
            "listLogCheckpoints" => checkpoint::list(tenant, call).await,
            "proveLogInclusion" => proof::inclusion(tenant, call).await,
            "proveLogConsistency" => proof::consistency(tenant, call).await,
            "exportLog" => export::export(tenant, call).await,
            "listLogWitnesses" => witness::list(tenant).await,
            "getLogWitness" => witness::get(tenant, call).await,
            "putLogWitness" => witness::put(tenant, call).await,
            "deleteLogWitness" => witness::delete(tenant, call).await,
            _ => Err(Problem::not_found()),
        }
    }

    async fn news(
        tenant: &impl Tenant,
        call: &Call,
        place: Option<&str>,
    ) -> Result<Option<News>, Problem> {
        match call.operation() {
            "followLog" => live::news(tenant, call, place).await,
            _ => Ok(None),
        }
    }

    async fn work(tenant: &impl Tenant, job: &Job) -> Result<Commit, Failure> {
        match job.kind.as_str() {
            witness::TELL => witness::tell(tenant, job).await,
            checkpoint::TILE => checkpoint::tile(tenant, job).await,
            other => Err(Failure::dead(format!("audit works no {other}"))),
        }
    }
}

/// Lists entries, oldest first: after `after`, of one `subject` or of all.
async fn list(tenant: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let (limit, cursor) = call.page()?;
    let after = match cursor {
        Some(it) => it.key().parse().map_err(|_| bad_sequence("cursor"))?,
        None => sequence(call, "after")?.unwrap_or(0),
    };
    let subject = call.query("subject");
    if subject.as_ref().is_some_and(|it| it.len() > SUBJECT_CHARS_MAX) {
        return Err(Problem::invalid().detail("no subject is that long"));
    }
    let entries = log::read(tenant, after, limit + 1, subject.as_deref()).await?;
    Ok(json(StatusCode::OK, &Page::of(entries, limit, |it| it.sequence.to_string())))
}

/// The sequence in a query parameter.
fn sequence(call: &Call, name: &str) -> Result<Option<i64>, Problem> {
    let Some(text) = call.query(name) else { return Ok(None) };
    match text.parse() {
        Ok(it) if it >= 0 => Ok(Some(it)),
        _ => Err(bad_sequence(name)),
    }
}

fn bad_sequence(name: &str) -> Problem {
    Problem::invalid().detail(format!("{name} is the sequence of an entry: 0, 1, 2 …"))
}
