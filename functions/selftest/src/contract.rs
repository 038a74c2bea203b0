//! What is checked, and what is written down on the way.

use serde::Serialize;
use serde_json::{Value, json};
use shared::{
    contract::Check,
    domain::{Commit, Draft, Entry, Failure, Id, Job, NewJob, Retry},
    http::{Response, StatusCode, json as json_response},
    ports::{Item, PortError, Tenant},
    problem::Problem,
};
use utoipa::ToSchema;

const JOB: &str = "selftest.job";

const WIPE: &str = "delete from selftest_rows where tenant = ?1";
const COUNT_UP: &str = "
    insert into selftest_rows (tenant, name, number) values (?1, ?2, 1)
    on conflict (tenant, name) do update set number = number + 1";
// An item may come twice.
const COUNT_ONCE: &str = "
    insert into selftest_rows (tenant, name, number) values (?1, ?2, 1)
    on conflict (tenant, name) do nothing";
const READ: &str = "select name, number from selftest_rows where tenant = ?1 order by name";

/// What came of the contract's promises.
#[derive(Debug, Serialize, ToSchema)]
pub struct Contract {
    /// Whether all are kept.
    pub kept: bool,
    /// Each of them.
    pub checks: Vec<Check>,
}

/// That jobs were started.
#[derive(Debug, Serialize, ToSchema)]
pub struct Started {
    /// `run_…`
    pub run: Id,
}

/// How often each thing happened since the jobs were started.
#[derive(Debug, Serialize, ToSchema)]
pub struct Counts {
    /// By name.
    pub counts: Vec<Counted>,
}

/// How often one thing happened.
#[derive(Debug, Serialize, ToSchema)]
pub struct Counted {
    /// What.
    pub name: String,
    /// How often.
    pub number: i64,
}

/// Only a sandbox is scratched in.
pub fn sandbox_only(at: &impl Tenant) -> Result<(), Problem> {
    if at.principal().sandbox {
        return Ok(());
    }
    let kind = "/problems/selftest/no-sandbox";
    Err(Problem::new(StatusCode::CONFLICT, kind, "Only a sandbox can be tested")
        .detail("create a tenant with sandbox: true"))
}

/// Checks the promises of the ports.
pub async fn check(at: &impl Tenant) -> Result<Response, Problem> {
    let checks = at.check_contract().await;
    let kept = checks.iter().all(|it| it.broken.is_none());
    Ok(json_response(StatusCode::OK, &Contract { kept, checks }))
}

/// Starts jobs that succeed, come again, and die, an entry for the follower, and items in the queue.
pub async fn start_jobs(at: &impl Tenant) -> Result<Response, Problem> {
    let run = at.new_id("run")?;
    let job = |name: &str| NewJob::new(JOB, format!("{JOB}:{run}:{name}"), json!({"name": name}));
    // Before anything is left in the queue: a drain can take that in at once.
    let wiped = at.commit(Commit::new().write(WIPE, [])).await;
    wiped.map_err(|err| Problem::internal().caused_by(err))?;
    let commit = Commit::new()
        .entry(Draft::new("selftest.started", &run))
        .job(job("good"))
        // The same work twice is queued once.
        .job(job("good"))
        .job(job("dead"))
        .job(job("eager").eager());
    let item = |id: &str| Item { id: format!("{run}:{id}"), body: json!({"name": id}) };
    at.enqueue("selftest", vec![item("good"), item("alone")]).await?;
    let response = json_response(StatusCode::ACCEPTED, &Started { run });
    at.answer(commit, response, Problem::changed_meanwhile).await
}

/// Reads how far they are.
pub async fn check_jobs(at: &impl Tenant) -> Result<Response, Problem> {
    let rows = at.query(READ, []).await?;
    let counts = rows
        .into_iter()
        .map(|row| {
            let [name, number] = row.columns()?;
            Ok(Counted { name: name.text()?, number: number.integer()? })
        })
        .collect::<Result<_, PortError>>()?;
    Ok(json_response(StatusCode::OK, &Counts { counts }))
}

/// Breaks the instance, where the deployment allows that: the client must get an answer, and the
/// next request a new instance.
#[expect(clippy::panic, reason = "to see what a mistake of ours does to others")]
pub async fn panic(at: &impl Tenant) -> Result<Response, Problem> {
    if at.setting("selftest_panic").await?.is_some() {
        panic!("as it was told to");
    }
    let kind = "/problems/selftest/no-panic";
    Err(Problem::new(StatusCode::CONFLICT, kind, "This deployment does not panic when told to")
        .detail("set selftest_panic, and only where nobody is served"))
}

/// Works one of the jobs.
pub async fn work(_: &impl Tenant, job: &Job) -> Result<Commit, Failure> {
    let name = job.body.get("name").and_then(|it| it.as_str()).unwrap_or("");
    let counted = Commit::new().write_one(COUNT_UP, [format!("job {name}").into()]);
    match name {
        "dead" => Err(Failure {
            retry: Retry::Never,
            ..Failure::dead("as it was told to").writing(counted)
        }),
        _ => Ok(counted),
    }
}

/// Takes in items. One of them cannot be taken in together with others.
pub fn ingest(items: &[Item]) -> Result<Commit, PortError> {
    let name = |it: &Item| it.body.get("name").and_then(Value::as_str).unwrap_or("").to_owned();
    if items.len() > 1 && items.iter().any(|it| name(it) == "alone") {
        return Err(PortError::new("selftest", "as it was told to"));
    }
    Ok(items.iter().fold(Commit::new(), |commit, it| {
        commit.write(COUNT_ONCE, [format!("item {}", name(it)).into()])
    }))
}

/// Counts each entry: what follows the log sees each of them once.
pub fn follow(_: &impl Tenant, entries: &[Entry]) -> Result<Commit, PortError> {
    Ok(entries.iter().fold(Commit::new(), |commit, it| {
        let name = format!("followed {}", it.action);
        let subject = Id::trusted(it.subject.clone());
        commit.write_one(COUNT_UP, [name.into()]).entry(Draft::new("seen", &subject))
    }))
}
