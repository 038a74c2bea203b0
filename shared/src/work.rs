//! Jobs in the hands of their workers: leased, worked, ended, tried again, given up.

use std::time::Duration;

use futures_util::{FutureExt, StreamExt, stream::FuturesUnordered};

use crate::{
    domain::{Commit, Draft, Failure, Id, Job, Principal, Retry, Timestamp},
    function::Function,
    ingest,
    open::Open,
    ports::{CommitError, Edge, PortError, Row, Store, Tenant, Value},
};

/// How long a worker has for a job before another may take it, by the real clock.
const LEASE: Duration = Duration::from_secs(60);
/// How often it is looked for more while all that is worked waits.
const PAUSE: Duration = Duration::from_secs(1);
/// How many jobs are worked at the same time.
const BATCH: u32 = 8;
/// How often a job is worked in a row because what it wrote was a conflict: each of those that are
/// worked with it may have been before it.
const CONFLICTS_MAX: u32 = BATCH;
/// The longest reason that is kept beside a failed job, in characters.
const REASON_CHARS_MAX: usize = 500;

const LEASE_DUE: &str = "
    update jobs set lease = ?3, leased_until_ms = ?4, attempts = attempts + 1, told = 0
    where tenant = ?1 and id in (
      select id from jobs
      where tenant = ?1 and state = 'waiting' and function = ?2
        and due_at_ms <= ?5 and leased_until_ms <= ?6
      order by due_at_ms, id limit ?7)
    returning id, kind, body, due_at_ms, attempts";
const LEASE_ONE: &str = "
    update jobs set lease = ?3, leased_until_ms = ?4, attempts = attempts + 1, told = 0
    where tenant = ?1 and id = ?2 and state = 'waiting' and lease is null
    returning id, kind, body, due_at_ms, attempts";
const HELD: &str = "select 1 from jobs where tenant = ?1 and id = ?2 and lease = ?3";
// Who was told of more while it worked goes on. The first statement takes one from `told`, so that
// exactly one of the others finds the row.
const END: &str = "
    update jobs set told = told - 1 where tenant = ?1 and id = ?2 and lease = ?3";
const DONE: &str = "
    delete from jobs where tenant = ?1 and id = ?2 and lease = ?3 and told = -1";
const GO_ON: &str = "
    update jobs set due_at_ms = ?4, lease = null, leased_until_ms = 0, attempts = 0
    where tenant = ?1 and id = ?2 and lease = ?3 and told = 0";
const AGAIN: &str = "
    update jobs set due_at_ms = ?4, lease = null, leased_until_ms = 0, reason = ?5
    where tenant = ?1 and id = ?2 and lease = ?3";
// It was not tried: the try is given back. Who was told of more goes on at once.
const LATER: &str = "
    update jobs set due_at_ms = case told when 0 then ?4 else ?5 end, lease = null,
      leased_until_ms = 0, attempts = attempts - 1
    where tenant = ?1 and id = ?2 and lease = ?3";
const DEAD: &str = "
    update jobs set state = 'dead', lease = null, leased_until_ms = 0, reason = ?4
    where tenant = ?1 and id = ?2 and lease = ?3";

/// Tries the eager jobs of a request, once each, before its answer goes out.
pub async fn try_now<F: Function, E: Edge, S: Store>(open: &Open<E, S>) {
    let ids = open.take_eager();
    if ids.is_empty() {
        return;
    }
    if let Err(err) = work_these::<F, _, _>(open, &ids).await {
        // The jobs are committed, and the wake comes for them.
        open.note(&format!("eager jobs: {err}"));
    }
}

async fn work_these<F: Function, E: Edge, S: Store>(
    open: &Open<E, S>,
    ids: &[String],
) -> Result<(), PortError> {
    let Principal { tenant, sandbox, .. } = open.principal();
    let system = Open::system(open.edge(), open.store(), tenant, *sandbox).await?;
    let now = open.edge().now();
    for id in ids {
        let lease = lease(&system)?;
        let params: [Value; 3] = [id.into(), lease.as_str().into(), (now + LEASE).into()];
        for row in system.query(LEASE_ONE, params).await? {
            work::<F, _, _>(&system, &job(row)?, &lease).await?;
        }
    }
    Ok(())
}

/// Leases and works what is due, and more as soon as half of it is done, so that a job that waits
/// for somebody holds up few others. Says whether there was anything.
pub(crate) async fn work_due<F: Function, E: Edge, S: Store>(
    open: &Open<E, S>,
    name: &str,
    end: Timestamp,
) -> Result<bool, PortError> {
    let (mut running, mut worked, mut outcome) = (FuturesUnordered::new(), false, Ok(()));
    // Leasing is one of the steps that run: each of them goes on while it waits for the database,
    // which one of them may just have locked.
    running.push(step::<F, _, _>(open, name, Step::Lease(BATCH)));
    let mut pauses = false;
    loop {
        if running.len() == usize::from(pauses) {
            break; // Nothing runs but the pause, and nobody waits for that.
        }
        let stepped = match running.next().now_or_never() {
            Some(stepped) => stepped,
            None => {
                // All of them wait: meanwhile others may have become due.
                if !pauses && open.edge().now() <= end {
                    pauses = true;
                    running.push(step::<F, _, _>(open, name, Step::Pause));
                }
                running.next().await
            }
        };
        let Some(stepped) = stepped else { break };
        let free = BATCH.saturating_sub(u32::try_from(running.len()).unwrap_or(BATCH));
        let goes_on = outcome.is_ok() && free > 0 && open.edge().now() <= end;
        match stepped {
            Ok(Stepped::Paused) => {
                pauses = false;
                if goes_on && !running.is_empty() {
                    running.push(step::<F, _, _>(open, name, Step::Lease(free)));
                }
            }
            Ok(Stepped::Leased(lease, jobs)) => {
                worked |= !jobs.is_empty();
                for job in jobs {
                    running.push(step::<F, _, _>(open, name, Step::Work(job, lease.clone())));
                }
            }
            Ok(Stepped::Worked) => {
                if goes_on && free >= BATCH / 2 {
                    running.push(step::<F, _, _>(open, name, Step::Lease(free)));
                }
            }
            Err(err) => outcome = Err(err),
        }
    }
    outcome.map(|()| worked)
}

/// What runs at the same time.
enum Step {
    /// Lease up to this many jobs.
    Lease(u32),
    /// Work this one, under this lease.
    Work(Job, String),
    /// Wait a little, and look again.
    Pause,
}

/// What came of it.
enum Stepped {
    Leased(String, Vec<Job>),
    Worked,
    Paused,
}

async fn step<F: Function, E: Edge, S: Store>(
    open: &Open<E, S>,
    name: &str,
    step: Step,
) -> Result<Stepped, PortError> {
    match step {
        Step::Lease(limit) => {
            let lease = lease(open)?;
            let jobs = lease_due(open, name, &lease, limit).await?;
            Ok(Stepped::Leased(lease, jobs))
        }
        Step::Work(job, lease) => {
            work::<F, _, _>(open, &job, &lease).await.map(|()| Stepped::Worked)
        }
        Step::Pause => {
            open.edge().sleep(PAUSE).await;
            Ok(Stepped::Paused)
        }
    }
}

async fn lease_due<E: Edge, S: Store>(
    open: &Open<E, S>,
    name: &str,
    lease: &str,
    limit: u32,
) -> Result<Vec<Job>, PortError> {
    let real = open.edge().now();
    let params: [Value; 6] = [
        name.into(),
        lease.into(),
        (real + LEASE).into(),
        open.time().into(),
        real.into(),
        limit.into(),
    ];
    open.query(LEASE_DUE, params).await?.into_iter().map(job).collect()
}

/// Works one job until what it writes is no conflict. Another job that changed what it had read did
/// so for good, so that what it reads now is likely still true when it writes.
async fn work<F: Function, E: Edge, S: Store>(
    open: &Open<E, S>,
    job: &Job,
    lease: &str,
) -> Result<(), PortError> {
    for _ in 0..CONFLICTS_MAX {
        let commit = match outcome::<F, _, _>(open, job).await? {
            Ok(commit) => done(open, job, lease, commit),
            Err(failure) => failed(open, job, lease, failure)?,
        };
        match open.commit(commit).await {
            Ok(()) => return Ok(()),
            Err(CommitError::Port(err)) => return Err(err),
            Err(CommitError::Conflict) if is_ours(open, job, lease).await? => {}
            Err(CommitError::Conflict) => return Ok(()), // Its lease ran out: somebody else has it.
        }
    }
    conflicted(open, job, lease).await
}

async fn outcome<F: Function, E: Edge, S: Store>(
    open: &Open<E, S>,
    job: &Job,
) -> Result<Result<Commit, Failure>, PortError> {
    // A worker that dies with its job never says so: the attempts do.
    if job.attempts > Job::ATTEMPTS_MAX {
        let written = F::give_up(open, job).await?;
        return Ok(Err(Failure::dead("each try ended without an answer").writing(written)));
    }
    Ok(match ingest::work::<F>(open, job).await {
        Some(outcome) => outcome,
        None => F::work(open, job).await,
    })
}

async fn is_ours<E: Edge, S: Store>(
    open: &Open<E, S>,
    job: &Job,
    lease: &str,
) -> Result<bool, PortError> {
    let rows = open.query(HELD, [Value::from(&job.id), lease.into()]).await?;
    Ok(!rows.is_empty())
}

fn done<E: Edge, S: Store>(open: &Open<E, S>, job: &Job, lease: &str, commit: Commit) -> Commit {
    let (id, lease) = (Value::from(&job.id), Value::from(lease));
    commit
        .write_one(END, [id.clone(), lease.clone()])
        .write(DONE, [id.clone(), lease.clone()])
        .write(GO_ON, [id, lease, open.time().into()])
}

/// What a job wanted to write was a conflict, each time: it is tried again by the schedule, unless
/// its lease ran out and somebody else has it.
async fn conflicted<E: Edge, S: Store>(
    open: &Open<E, S>,
    job: &Job,
    lease: &str,
) -> Result<(), PortError> {
    let commit = failed(open, job, lease, Failure::again("what it writes is a conflict"))?;
    match open.commit(commit).await {
        Ok(()) | Err(CommitError::Conflict) => Ok(()),
        Err(CommitError::Port(err)) => Err(err),
    }
}

fn failed<E: Edge, S: Store>(
    open: &Open<E, S>,
    job: &Job,
    lease: &str,
    failure: Failure,
) -> Result<Commit, PortError> {
    if let Retry::Postpone(wait) = failure.retry {
        let now = open.time();
        let params = [Value::from(&job.id), lease.into(), (now + wait).into(), now.into()];
        return Ok(failure.commit.write_one(LATER, params));
    }
    let reason: String = failure.reason.chars().take(REASON_CHARS_MAX).collect();
    open.note(&format!("job {}: attempt {}: {reason}", job.id, job.attempts));
    let mut chance = [0; 1];
    open.random(&mut chance)?;
    let wait = match failure.retry {
        Retry::Never => None,
        Retry::After(wait) => job.backoff(chance[0]).map(|it| it.max(wait)),
        Retry::Schedule | Retry::Postpone(_) => job.backoff(chance[0]),
    };
    let (id, lease) = (Value::from(&job.id), Value::from(lease));
    Ok(match wait {
        Some(wait) => {
            failure.commit.write_one(AGAIN, [id, lease, (open.time() + wait).into(), reason.into()])
        }
        None => failure
            .commit
            .entry(
                Draft::new("job.dead", &Id::trusted(job.id.clone()))
                    .with(serde_json::json!({"kind": job.kind, "reason": reason})),
            )
            .write_one(DEAD, [id, lease, reason.into()]),
    })
}

fn lease(tenant: &impl Tenant) -> Result<String, PortError> {
    tenant.new_id("lea").map(|it| it.to_string())
}

fn job(row: Row) -> Result<Job, PortError> {
    let [id, kind, body, due, attempts] = row.columns()?;
    Ok(Job {
        id: id.text()?,
        kind: kind.text()?,
        body: body.json()?,
        due: due.timestamp()?,
        attempts: u32::try_from(attempts.integer()?).unwrap_or(u32::MAX),
    })
}
