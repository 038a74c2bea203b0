//! Eventual mode: an instance counts for itself, and tells the limiter soon after.
//!
//! Of each key an instance admits at most a slice, a tenth of what the key can take at once but at
//! least one unit, before it adds that to what all have taken; and it does so a quarter of a second
//! after the first of them, whether or not anybody asks again. When its slice or what is left is
//! used up, or nothing was heard for a second, a request is decided exactly. So no more is admitted
//! than the limit and one slice for each other instance that serves the key at the same time, and
//! one request's cost where that is more than a slice.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    time::Duration,
};

use shared::{
    domain::Timestamp,
    limit::{Act, Limit, Standing},
    ports::{Edge, PortError, QUESTIONS_MAX, Question, Tally},
};

/// For how long an instance counts by what it last heard.
const ALONE: Duration = Duration::from_secs(1);
/// How long it keeps what it has admitted to itself.
const TELL_AFTER: Duration = Duration::from_millis(250);
/// The part of what a key can take at once that an instance admits alone.
const SLICES: i64 = 10;
/// How many keys an instance counts.
const KEYS_MAX: usize = 10_000;

/// What an instance knows of a key.
#[derive(Clone)]
struct Share {
    /// Where the key is decided, and by which limit.
    group: String,
    limit: Limit,
    /// As all stood, when that was last asked, less what was told since.
    known: Standing,
    /// When, by the real clock.
    since: Timestamp,
    /// What this instance has admitted since, the last of it at this time of the tenant …
    pending: i64,
    at: Timestamp,
    /// … and what is counted of that: one for each label.
    tallies: Vec<Tally>,
}

thread_local! {
    static SHARES: RefCell<BTreeMap<String, Share>> = RefCell::default();
    /// By when what was admitted is told.
    static TOLD_BY: Cell<Option<Timestamp>> = const { Cell::new(None) };
}

/// How many units an instance admits of a key before it tells.
pub fn slice(capacity: i64) -> i64 {
    (capacity / SLICES).max(1)
}

/// Decides all questions, each of them a [`Act::Take`], at once: here where that can be, and
/// exactly otherwise.
pub async fn decide(
    edge: &impl Edge,
    group: &str,
    questions: &[Question],
    tally: Option<Tally>,
    now: Timestamp,
) -> Result<Vec<Standing>, PortError> {
    if let Some(standings) = alone(questions, tally.as_ref(), edge.now(), now) {
        tell_later(edge);
        return Ok(standings);
    }
    tell(edge, questions.iter().map(|it| it.key.clone()).collect()).await?;
    let standings = edge.decide(group, questions, tally.as_slice(), now).await?;
    let since = edge.now();
    SHARES.with_borrow_mut(|shares| {
        if shares.len() + questions.len() > KEYS_MAX {
            shares.retain(|_, it| it.pending > 0);
        }
        for (it, known) in questions.iter().zip(&standings) {
            let share = shares.entry(it.key.clone()).or_insert_with(|| Share {
                group: group.to_owned(),
                limit: it.limit,
                known: *known,
                since,
                pending: 0,
                at: now,
                tallies: vec![],
            });
            // What others here have admitted meanwhile stays pending.
            (share.known, share.since) = (*known, since);
        }
    });
    Ok(standings)
}

/// Decides without asking; `None` when that cannot be.
fn alone(
    questions: &[Question],
    tally: Option<&Tally>,
    real: Timestamp,
    now: Timestamp,
) -> Option<Vec<Standing>> {
    SHARES.with_borrow_mut(|shares| {
        let fits = |it: &Question| {
            let share = shares.get(&it.key)?;
            let Act::Take(cost) = it.act else { return None };
            let room = share.known.remaining.min(slice(it.limit.capacity()));
            let heard = real < share.since + ALONE && share.known.admitted;
            (heard && share.pending + cost <= room).then_some(cost)
        };
        let costs: Vec<_> = questions.iter().map(fits).collect::<Option<_>>()?;
        let mut standings = Vec::with_capacity(questions.len());
        for (number, (it, cost)) in questions.iter().zip(costs).enumerate() {
            let share = shares.get_mut(&it.key)?;
            share.pending += cost;
            share.at = now;
            if let (0, Some(tally)) = (number, tally) {
                add(&mut share.tallies, tally);
            }
            let remaining = share.known.remaining - share.pending;
            standings.push(Standing { admitted: true, remaining, ..share.known });
        }
        Some(standings)
    })
}

/// Counts once more what has this label.
fn add(tallies: &mut Vec<Tally>, one: &Tally) {
    let Some(sum) = tallies.iter_mut().find(|it| it.label == one.label) else {
        tallies.push(one.clone());
        return;
    };
    for (name, n) in &one.admitted {
        match sum.admitted.iter_mut().find(|it| it.0 == *name) {
            Some(it) => it.1 += n,
            None => sum.admitted.push((name.clone(), *n)),
        }
    }
}

/// Tells of all keys after a moment, once for all that are asked for until then: also when nobody
/// asks again, as this instance may end.
fn tell_later(edge: &impl Edge) {
    let now = edge.now();
    // Whoever was to tell may have been ended.
    if TOLD_BY.get().is_some_and(|it| now < it + ALONE) {
        return;
    }
    TOLD_BY.set(Some(now + TELL_AFTER));
    let mine = edge.clone();
    edge.after(async move {
        mine.sleep(TELL_AFTER).await;
        TOLD_BY.set(None);
        let pending = |it: &(&String, &Share)| it.1.pending > 0;
        let keys: Vec<_> = SHARES.with_borrow(|shares| {
            shares.iter().filter(pending).map(|(key, _)| key.clone()).collect()
        });
        if let Err(err) = tell(&mine, keys).await {
            mine.note(&format!("gate: what was admitted is not told: {err}"));
        }
    });
}

/// Adds what this instance has admitted of these keys to what all have taken, and hears how they
/// stand.
async fn tell(edge: &impl Edge, keys: Vec<String>) -> Result<(), PortError> {
    // What is told is forgotten first: told twice would be worse than not told.
    let told = SHARES.with_borrow_mut(|shares| {
        keys.into_iter().filter_map(|key| Some((shares.get_mut(&key)?.take()?, key))).collect()
    });
    let mut told: Vec<(Share, String)> = told;
    // Together what is decided together.
    told.sort_by(|a, b| a.0.group.cmp(&b.0.group));
    for of_group in told.chunk_by(|a, b| a.0.group == b.0.group) {
        for some in of_group.chunks(QUESTIONS_MAX) {
            settle(edge, some).await?;
        }
    }
    Ok(())
}

/// Settles shares of one group.
async fn settle(edge: &impl Edge, told: &[(Share, String)]) -> Result<(), PortError> {
    let Some((first, _)) = told.first() else { return Ok(()) };
    let question = |(it, key): &(Share, String)| {
        let act = Act::Settle(it.pending, it.at);
        Question { key: key.clone(), limit: it.limit, act }
    };
    let questions: Vec<_> = told.iter().map(question).collect();
    let tallies: Vec<_> = told.iter().flat_map(|it| it.0.tallies.iter().cloned()).collect();
    let at = told.iter().map(|it| it.0.at).max().unwrap_or(first.at);
    let standings = edge.decide(&first.group, &questions, &tallies, at).await?;
    let since = edge.now();
    SHARES.with_borrow_mut(|shares| {
        for ((_, key), known) in told.iter().zip(standings) {
            if let Some(share) = shares.get_mut(key) {
                (share.known, share.since) = (known, since);
            }
        }
    });
    Ok(())
}

impl Share {
    /// What has to be told of it, and from now on is known as taken.
    fn take(&mut self) -> Option<Self> {
        if self.pending == 0 {
            return None;
        }
        let told = self.clone();
        self.known.remaining -= self.pending;
        self.pending = 0;
        self.tallies.clear();
        Some(told)
    }
}
