//! What is due: entries to follow, items to take in, jobs to work, and a test clock to move.
//!
//! Everything here may be ended at any moment and started again: a follower's effects and its
//! place in the log are one commit, and a job's lease runs out.

use std::time::Duration;

use futures_util::future::join_all;

use crate::{
    domain::{Commit, Draft, Failure, Id, Job, Principal, Retry, Timestamp},
    function::Function,
    ingest, log,
    open::{self, Open},
    ports::{CommitError, Edge, PortError, Row, Store, Tenant, Value, Wake},
};

/// How long a worker has for a job before another may take it, by the real clock.
const LEASE: Duration = Duration::from_secs(60);
/// How many jobs are worked at the same time.
const BATCH: u32 = 8;
/// How many rounds one drain goes before it lets others have their turn.
const ROUNDS_MAX: u32 = 64;
/// After how long no new round begins. What runs then ends within its own time-out.
const TIME_MAX: Duration = Duration::from_secs(10);
/// When a follower that failed is tried again.
const FOLLOW_AGAIN: Duration = Duration::from_secs(30);
/// How often a clock that is on its way looks whether another function is done.
const CLOCK_PERIOD: Duration = Duration::from_secs(1);
/// How many waiting jobs are looked at to find the next moment. All but the leased ones of them
/// are due, or say when they are.
const NEXT_MAX: u32 = 32;
/// How many entries a follower takes at once.
const FOLLOW_MAX: u32 = 100;
/// The longest reason that is kept beside a failed job, in characters.
const REASON_CHARS_MAX: usize = 500;

const CURSOR: &str = "select sequence from cursors where tenant = ?1 and follower = ?2";
const MOVE_CURSOR: &str = "
    insert into cursors (tenant, follower, sequence) values (?1, ?2, ?4)
    on conflict (tenant, follower) do update set sequence = excluded.sequence
      where cursors.sequence = ?3";

const LEASE_DUE: &str = "
    update jobs set lease = ?3, leased_until_ms = ?4, attempts = attempts + 1
    where tenant = ?1 and id in (
      select id from jobs
      where tenant = ?1 and state = 'waiting' and function = ?2
        and due_at_ms <= ?5 and leased_until_ms <= ?6
      order by due_at_ms, id limit ?7)
    returning id, kind, body, due_at_ms, attempts";
const LEASE_ONE: &str = "
    update jobs set lease = ?3, leased_until_ms = ?4, attempts = attempts + 1
    where tenant = ?1 and id = ?2 and state = 'waiting' and leased_until_ms <= ?5
    returning id, kind, body, due_at_ms, attempts";
const DONE: &str = "delete from jobs where tenant = ?1 and id = ?2 and lease = ?3";
const AGAIN: &str = "
    update jobs set due_at_ms = ?4, lease = null, leased_until_ms = 0, reason = ?5
    where tenant = ?1 and id = ?2 and lease = ?3";
const DEAD: &str = "
    update jobs set state = 'dead', lease = null, leased_until_ms = 0, reason = ?4
    where tenant = ?1 and id = ?2 and lease = ?3";

const NEXT: &str = "
    select function, due_at_ms, leased_until_ms from jobs
    where tenant = ?1 and state = 'waiting' order by due_at_ms limit 1";
const NEXT_OF: &str = "
    select function, due_at_ms, leased_until_ms from jobs
    where tenant = ?1 and state = 'waiting' and function = ?2
    order by due_at_ms limit ?3";

const CLOCK: &str = "select now_ms, target_ms from clocks where tenant = ?1";
const MOVE_CLOCK: &str = "update clocks set now_ms = ?3 where tenant = ?1 and now_ms = ?2";

/// Does what is due in this tenant for the functions of `F`, and says when there is more.
///
/// # Errors
/// When the database fails; what was done so far is done.
pub async fn drain<F: Function, E: Edge, S: Store>(
    edge: &E,
    store: &S,
    tenant: &str,
) -> Result<Option<Timestamp>, PortError> {
    let end = edge.now() + TIME_MAX;
    let sandbox = open::is_sandbox(edge, store, tenant).await?;
    let mut again = None;
    for _ in 0..ROUNDS_MAX {
        let open = Open::system(edge, store, tenant, sandbox).await?;
        let mut busy = false;
        for name in F::names() {
            match follow::<F, _, _>(&open, name).await {
                Ok(followed) => busy |= followed,
                Err(err) => {
                    // One follower that fails holds up neither the others nor the jobs.
                    edge.note(&format!("{name} follows the log of {tenant}: {err}"));
                    again = Some(edge.now() + FOLLOW_AGAIN);
                }
            }
            busy |= ingest::take_rows::<F, _, _>(&open, name).await?;
            busy |= work_due::<F, _, _>(&open, name).await?;
        }
        if !busy && !move_clock(&open).await? {
            let next = next::<F, _, _>(&open).await?;
            return Ok([next, again].into_iter().flatten().min());
        }
        if edge.now() > end {
            break;
        }
    }
    Ok(Some(edge.now()))
}

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
        let params: [Value; 4] =
            [id.into(), lease.as_str().into(), (now + LEASE).into(), now.into()];
        for row in system.query(LEASE_ONE, params).await? {
            work::<F, _, _>(&system, &job(row)?, &lease).await?;
        }
    }
    Ok(())
}

/// Lets one follower take in what is new. Says whether there was anything.
async fn follow<F: Function, E: Edge, S: Store>(
    open: &Open<E, S>,
    name: &str,
) -> Result<bool, PortError> {
    let words = F::follows(name);
    if words.is_empty() {
        return Ok(false);
    }
    let rows = open.query(CURSOR, [name.into()]).await?;
    let cursor = match rows.into_iter().next() {
        Some(row) => row.columns().and_then(|[it]| it.integer())?,
        None => 0,
    };
    let mut entries = log::read(open, cursor, FOLLOW_MAX, None).await?;
    let Some(last) = entries.last().map(|it| it.sequence) else { return Ok(false) };
    entries.retain(|it| words.iter().any(|word| it.action.starts_with(word)));
    let commit = match entries.is_empty() {
        true => Commit::new(),
        false => F::follow(name, open, &entries).await?,
    };
    let commit = commit.write_one(MOVE_CURSOR, [name.into(), cursor.into(), last.into()]);
    match open.commit(commit).await {
        Ok(()) => Ok(true),
        // Another drain took them in.
        Err(CommitError::Conflict) => Ok(false),
        Err(CommitError::Port(err)) => Err(err),
    }
}

/// Leases and works what is due. Says whether there was anything.
async fn work_due<F: Function, E: Edge, S: Store>(
    open: &Open<E, S>,
    name: &str,
) -> Result<bool, PortError> {
    let (lease, real) = (lease(open)?, open.edge().now());
    let params: [Value; 6] = [
        name.into(),
        lease.as_str().into(),
        (real + LEASE).into(),
        open.now().into(),
        real.into(),
        BATCH.into(),
    ];
    let rows = open.query(LEASE_DUE, params).await?;
    let jobs = rows.into_iter().map(job).collect::<Result<Vec<_>, _>>()?;
    let outcomes = join_all(jobs.iter().map(|it| work::<F, _, _>(open, it, &lease))).await;
    outcomes.into_iter().collect::<Result<Vec<_>, _>>()?;
    Ok(!jobs.is_empty())
}

async fn work<F: Function, E: Edge, S: Store>(
    open: &Open<E, S>,
    job: &Job,
    lease: &str,
) -> Result<(), PortError> {
    // A worker that dies with its job never says so: the attempts do.
    let outcome = if job.attempts > Job::ATTEMPTS_MAX {
        let written = F::give_up(open, job).await?;
        Err(Failure::dead("each try ended without an answer").writing(written))
    } else if let Some(outcome) = ingest::work::<F>(open, job).await {
        outcome
    } else {
        F::work(open, job).await
    };
    let commit = match outcome {
        Ok(commit) => commit.write_one(DONE, [(&job.id).into(), lease.into()]),
        Err(failure) => failed(open, job, lease, failure)?,
    };
    match open.commit(commit).await {
        Ok(()) => Ok(()),
        Err(CommitError::Conflict) => conflicted(open, job, lease).await,
        Err(CommitError::Port(err)) => Err(err),
    }
}

/// What a job wanted to write was a conflict: it is tried again by the schedule, unless its lease
/// ran out and somebody else has it.
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
    let reason: String = failure.reason.chars().take(REASON_CHARS_MAX).collect();
    open.note(&format!("job {}: attempt {}: {reason}", job.id, job.attempts));
    let mut chance = [0; 1];
    open.random(&mut chance)?;
    let wait = match failure.retry {
        Retry::Never => None,
        Retry::After(wait) => job.backoff(chance[0]).map(|it| it.max(wait)),
        Retry::Schedule => job.backoff(chance[0]),
    };
    let (id, lease) = (Value::from(&job.id), Value::from(lease));
    Ok(match wait {
        Some(wait) => {
            failure.commit.write_one(AGAIN, [id, lease, (open.now() + wait).into(), reason.into()])
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

/// Moves a test clock that is on its way to the next job, or to where it is going. Says whether
/// it moved. While another function has work that is due, the clock waits for it.
async fn move_clock<E: Edge, S: Store>(open: &Open<E, S>) -> Result<bool, PortError> {
    let rows = open.query(CLOCK, []).await?;
    let Some(row) = rows.into_iter().next() else { return Ok(false) };
    let [now, target] = row.columns()?;
    let (now, target) = (now.timestamp()?, target.timestamp()?);
    if now >= target {
        return Ok(false);
    }
    let next = open.query(NEXT, []).await?.into_iter().next().map(waiting).transpose()?;
    let to = match next {
        Some(it) if it.due <= now => {
            // Soon, and not when its lease ends: its worker is likely done before that.
            let now = open.edge().now();
            let at = if it.leased_until > now { now + CLOCK_PERIOD } else { now };
            open.store().wake(vec![Wake { function: it.function, at }]).await?;
            return Ok(false);
        }
        Some(it) => it.due.min(target),
        None => target,
    };
    match open.commit(Commit::new().write_one(MOVE_CLOCK, [now.into(), to.into()])).await {
        Ok(()) | Err(CommitError::Conflict) => Ok(true),
        Err(CommitError::Port(err)) => Err(err),
    }
}

struct Waiting {
    function: String,
    due: Timestamp,
    leased_until: Timestamp,
}

fn waiting(row: Row) -> Result<Waiting, PortError> {
    let [function, due, leased_until] = row.columns()?;
    Ok(Waiting {
        function: function.text()?,
        due: due.timestamp()?,
        leased_until: leased_until.timestamp()?,
    })
}

/// When the functions of `F` have something to do again, by the real clock.
async fn next<F: Function, E: Edge, S: Store>(
    open: &Open<E, S>,
) -> Result<Option<Timestamp>, PortError> {
    let mut soonest: Option<Timestamp> = None;
    for name in F::names() {
        let rows = open.query(NEXT_OF, [name.into(), NEXT_MAX.into()]).await?;
        for row in rows {
            let it = waiting(row)?;
            let Some(at) = open.real(it.due) else { continue };
            let at = at.max(it.leased_until);
            soonest = Some(soonest.map_or(at, |other| other.min(at)));
        }
    }
    Ok(soonest)
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
