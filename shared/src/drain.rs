//! What is due: entries to follow, items to take in, jobs to work, and a test clock to move.
//!
//! Everything here may be ended at any moment and started again: a follower's effects and its
//! place in the log are one commit, and a job's lease runs out.

use std::{
    cell::{Cell, RefCell},
    future::poll_fn,
    pin::pin,
    task::{Poll, Waker},
    time::Duration,
};

use futures_util::future::{join_all, select};

use crate::{
    directory,
    domain::{Commit, Timestamp},
    function::Function,
    ingest, log,
    open::{self, Open},
    ports::{CommitError, Edge, PortError, Row, Store, Tenant, Wake},
    work,
};

/// How many rounds one drain goes before it lets others have their turn.
const ROUNDS_MAX: u32 = 64;
/// After how long no new round begins. What runs then ends within its own time-out.
const TIME_MAX: Duration = Duration::from_secs(20);
/// How long a function rests that has nothing to do while another is busy.
const TURN_PAUSE: Duration = Duration::from_secs(1);
/// When a follower that failed is tried again.
const FOLLOW_AGAIN: Duration = Duration::from_secs(30);
/// When it is looked again whether a tenant is suspended still. What is due waits until then.
const SUSPENDED_AGAIN: Duration = Duration::from_secs(5 * 60);
/// How often a clock that is on its way looks whether another function is done.
const CLOCK_PERIOD: Duration = Duration::from_secs(1);
/// How many waiting jobs are looked at to find the next moment. All but the leased ones of them
/// are due, or say when they are.
const NEXT_MAX: u32 = 32;
/// How often a follower takes them in a row because what it wrote was a conflict.
const CONFLICTS_MAX: u32 = 8;
/// How many entries a follower takes at once.
const FOLLOW_MAX: u32 = 100;

const CURSOR: &str = "select sequence from cursors where tenant = ?1 and follower = ?2";
const MOVE_CURSOR: &str = "
    insert into cursors (tenant, follower, sequence) values (?1, ?2, ?4)
    on conflict (tenant, follower) do update set sequence = excluded.sequence
      where cursors.sequence = ?3";

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
    let sandbox = match directory::tenant(edge, tenant).await? {
        Some(it) if it.state == "suspended" => return Ok(Some(edge.now() + SUSPENDED_AGAIN)),
        Some(it) => it.sandbox,
        None => open::is_sandbox(edge, store, tenant).await?,
    };
    let mut again = None;
    for _ in 0..ROUNDS_MAX {
        let open = Open::system(edge, store, tenant, sandbox).await?;
        // At the same time, so that a function whose jobs wait for somebody holds up no other.
        let busy = Busy::default();
        let rounds = F::names().into_iter().map(|it| turns::<F, _, _>(&open, it, end, &busy));
        let rounds = join_all(rounds);
        let mut busy = false;
        for outcome in rounds.await {
            let Round { worked, again: later } = outcome?;
            busy |= worked;
            again = later.or(again);
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

/// What came of one round of a function.
struct Round {
    /// Whether there was anything to do.
    worked: bool,
    /// When it wants another one although there is nothing to do.
    again: Option<Timestamp>,
}

/// How many functions are at something, and who waits until none is.
#[derive(Default)]
struct Busy {
    count: Cell<u32>,
    waiting: RefCell<Vec<Waker>>,
}

impl Busy {
    fn enter(&self) {
        self.count.set(self.count.get() + 1);
    }

    fn leave(&self) {
        self.count.set(self.count.get().saturating_sub(1));
        if self.is_over() {
            self.waiting.take().into_iter().for_each(Waker::wake);
        }
    }

    fn is_over(&self) -> bool {
        self.count.get() == 0
    }

    async fn over(&self) {
        poll_fn(|context| {
            if self.is_over() {
                return Poll::Ready(());
            }
            self.waiting.borrow_mut().push(context.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

/// The rounds of one function: at least one, and more as long as another function is at its own,
/// so that what becomes due meanwhile does not wait for that.
async fn turns<F: Function, E: Edge, S: Store>(
    open: &Open<E, S>,
    name: &'static str,
    end: Timestamp,
    busy: &Busy,
) -> Result<Round, PortError> {
    let mut all = Round { worked: false, again: None };
    loop {
        busy.enter();
        let outcome = round::<F, _, _>(open, name, end).await;
        busy.leave();
        let Round { worked, again } = outcome?;
        all = Round { worked: all.worked || worked, again: again.or(all.again) };
        if busy.is_over() || open.edge().now() > end {
            return Ok(all);
        }
        if !worked {
            select(pin!(open.edge().sleep(TURN_PAUSE)), pin!(busy.over())).await;
            if busy.is_over() {
                return Ok(all);
            }
        }
    }
}

async fn round<F: Function, E: Edge, S: Store>(
    open: &Open<E, S>,
    name: &'static str,
    end: Timestamp,
) -> Result<Round, PortError> {
    let (followed, again) = match follow::<F, _, _>(open, name).await {
        Ok(followed) => (followed, None),
        Err(err) => {
            // A follower that fails does not hold up the jobs.
            let tenant = &open.principal().tenant;
            open.note(&format!("{name} follows the log of {tenant}: {err}"));
            (false, Some(open.edge().now() + FOLLOW_AGAIN))
        }
    };
    let took = ingest::take_rows::<F, _, _>(open, name).await?;
    let worked = work::work_due::<F, _, _>(open, name, end).await?;
    Ok(Round { worked: followed || took || worked, again })
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
    for _ in 0..CONFLICTS_MAX {
        match take_in::<F, _, _>(open, name, words).await {
            // Another drain took them in, or a request changed what was read: it is read again.
            Err(CommitError::Conflict) => {}
            Err(CommitError::Port(err)) => return Err(err),
            Ok(followed) => return Ok(followed),
        }
    }
    Err(PortError::new("log", "what a follower writes is a conflict"))
}

async fn take_in<F: Function, E: Edge, S: Store>(
    open: &Open<E, S>,
    name: &str,
    words: &[&str],
) -> Result<bool, CommitError> {
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
    open.commit(commit).await.map(|()| true)
}

/// Moves a test clock that is on its way to the next job, or to where it is going. Says whether
/// it moved. While another function has work that is due, the clock waits for it, and it is woken,
/// also when the clock has arrived: nobody else knows that the moment has come.
async fn move_clock<E: Edge, S: Store>(open: &Open<E, S>) -> Result<bool, PortError> {
    let rows = open.query(CLOCK, []).await?;
    let Some(row) = rows.into_iter().next() else { return Ok(false) };
    let [now, target] = row.columns()?;
    let (now, target) = (now.timestamp()?, target.timestamp()?);
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
    if now >= target {
        return Ok(false);
    }
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
