//! What a few events change, together: the raw events, and the exact difference to the counters.
//!
//! A plan starts from what is known of these events already, takes them one after the other, and
//! becomes one commit. Its guards undo that commit when somebody else was faster.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use shared::{
    domain::{Commit, Draft, Timestamp},
    http::StatusCode,
    problem::Problem,
};

use super::{
    amount::MICROS,
    event::{Event, Place},
    meter::{Aggregation, Meter, Meters},
    period,
    settings::Window,
    store,
};

/// A raw event.
#[derive(Clone, Debug)]
pub struct Row {
    /// Who said so.
    pub source: String,
    /// The sender's id for it.
    pub id: String,
    /// The meter.
    pub meter: String,
    /// For whom and where.
    pub place: Place,
    /// All dimensions.
    pub dimensions: BTreeMap<String, String>,
    /// What a meter of the kind `unique` tells apart.
    pub word: String,
    /// How much, in millionths.
    pub value: i64,
    /// When it was used.
    pub time: Timestamp,
    /// By which a repetition is told.
    pub hash: String,
    /// Whether it counts.
    pub state: RowState,
}

/// Whether a raw event counts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RowState {
    /// It does.
    Counted,
    /// Another one took its place.
    Corrected,
    /// It was taken back.
    Voided,
}

/// Which counter.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Bucket {
    /// The meter.
    pub meter: String,
    /// For whom and where.
    pub place: Place,
    /// The start of its quarter of an hour.
    pub start: Timestamp,
}

/// The difference to a counter.
#[derive(Clone, Copy, Debug, Default)]
pub struct Delta {
    /// Whole units.
    pub whole: i64,
    /// Millionths beside them.
    pub micros: i64,
    /// How many events.
    pub count: i64,
    /// The largest value that was added, in millionths.
    pub peak: i64,
    /// The largest value that was taken away, in millionths: it may have been the largest of all.
    pub taken: Option<i64>,
}

/// What became of an event that is not refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// It is counted.
    Counted,
    /// It was before.
    Duplicate,
}

type Key = (String, String);

/// What a few events change.
#[derive(Default)]
pub struct Plan {
    known: BTreeMap<Key, Row>,
    fresh: Vec<Key>,
    settled: BTreeMap<Key, RowState>,
    counters: BTreeMap<Bucket, Delta>,
    uniques: BTreeMap<(Bucket, String), i64>,
    entries: Vec<Draft>,
}

impl RowState {
    /// As it is kept.
    pub fn word(self) -> &'static str {
        match self {
            Self::Counted => "counted",
            Self::Corrected => "corrected",
            Self::Voided => "voided",
        }
    }
}

impl Row {
    /// Its source and id.
    pub fn key(&self) -> Key {
        (self.source.clone(), self.id.clone())
    }

    fn bucket(&self) -> Bucket {
        let (meter, place) = (self.meter.clone(), self.place.clone());
        Bucket { meter, place, start: period::floor(self.time) }
    }
}

impl Plan {
    /// A plan that knows these raw events.
    pub fn knowing(rows: Vec<Row>) -> Self {
        Self { known: rows.into_iter().map(|it| (it.key(), it)).collect(), ..Self::default() }
    }

    /// Whether it knows a raw event.
    pub fn knows(&self, source: &str, id: &str) -> bool {
        self.known.contains_key(&(source.to_owned(), id.to_owned()))
    }

    /// How many events it counts.
    pub fn counted(&self) -> usize {
        self.fresh.len()
    }

    /// Whose counters it changes.
    pub fn subjects(&self) -> BTreeSet<&str> {
        let all = self.counters.keys().map(|it| it.place.subject.as_str());
        all.filter(|it| !it.is_empty()).collect()
    }

    /// Whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        self.fresh.is_empty() && self.settled.is_empty()
    }

    /// Takes an event.
    ///
    /// # Errors
    /// Why it is refused; the plan is as it was then.
    pub fn take(&mut self, it: &Event, meters: &Meters, at: Window) -> Result<Outcome, Problem> {
        if let Some(kept) = self.known.get(&(it.source.clone(), it.id.clone())) {
            return if kept.hash == it.hash { Ok(Outcome::Duplicate) } else { Err(id_reused()) };
        }
        let meter = meters.get(&it.meter).ok_or_else(|| unknown_meter(&it.meter))?;
        let row = row(it, meter, at.now)?;
        match &it.corrects {
            None => {
                at.check(row.time)?;
                self.keep(row);
            }
            Some(id) => self.correct(row, id, at)?,
        }
        Ok(Outcome::Counted)
    }

    /// Counts a raw event that is good.
    pub fn keep(&mut self, row: Row) {
        self.add(&row, 1);
        self.fresh.push(row.key());
        self.known.insert(row.key(), row);
    }

    fn correct(&mut self, row: Row, id: &str, at: Window) -> Result<(), Problem> {
        let target = self.open(&row.source, id, at)?;
        if target.meter != row.meter {
            return Err(Problem::unfitting(
                "type",
                format!("what it corrects is {}", target.meter),
            ));
        }
        if !row.place.subject.is_empty() && target.place.subject != row.place.subject {
            return Err(Problem::unfitting("subject", "what it corrects has another one"));
        }
        let told = json!({"source": row.source, "corrects": id, "meter": row.meter,
            "from_micros": target.value, "to_micros": row.value});
        self.entries.push(Draft { action: "usage.corrected", subject: row.id.clone(), data: told });
        self.settle(&target, RowState::Corrected);
        let Row { place, dimensions, word, time, .. } = target;
        self.keep(Row { place, dimensions, word, time, ..row });
        Ok(())
    }

    /// Takes an event back.
    ///
    /// # Errors
    /// When it cannot be, or not any more.
    pub fn void(&mut self, source: &str, id: &str, why: &str, at: Window) -> Result<(), Problem> {
        let target = self.open(source, id, at)?;
        let told = json!({"source": source, "meter": target.meter, "micros": target.value,
            "reason": why});
        self.entries.push(Draft { action: "usage.voided", subject: id.to_owned(), data: told });
        self.settle(&target, RowState::Voided);
        Ok(())
    }

    /// An event that counts, and is not too old to be changed.
    fn open(&self, source: &str, id: &str, at: Window) -> Result<Row, Problem> {
        let found = self.known.get(&(source.to_owned(), id.to_owned()));
        let target = found.ok_or_else(|| unknown_event(source, id))?;
        if target.state != RowState::Counted {
            return Err(settled(target.state));
        }
        at.check(target.time)?;
        Ok(target.clone())
    }

    fn settle(&mut self, row: &Row, state: RowState) {
        self.add(row, -1);
        let key = row.key();
        if !self.fresh.contains(&key) {
            self.settled.insert(key.clone(), state);
        }
        self.known.insert(key, Row { state, ..row.clone() });
    }

    fn add(&mut self, row: &Row, sign: i64) {
        let delta = self.counters.entry(row.bucket()).or_default();
        delta.whole += sign * (row.value / MICROS);
        delta.micros += sign * (row.value % MICROS);
        delta.count += sign;
        if sign > 0 {
            delta.peak = delta.peak.max(row.value);
        } else {
            delta.taken = delta.taken.max(Some(row.value));
        }
        if !row.word.is_empty() {
            *self.uniques.entry((row.bucket(), row.word.clone())).or_default() += sign;
        }
    }

    /// Also writes this to the log.
    pub fn entry(&mut self, entry: Draft) {
        self.entries.push(entry);
    }

    /// All of it as one commit.
    pub fn commit(self, now: Timestamp) -> Commit {
        let fresh: Vec<_> = self.fresh.iter().filter_map(|it| self.known.get(it)).collect();
        let mut commit = store::insert_events(&fresh, now);
        for ((source, id), state) in &self.settled {
            commit = commit.and(store::settle(source, id, *state));
        }
        commit = commit.and(store::add_counters(&self.counters));
        commit = commit.and(store::add_uniques(&self.uniques));
        self.entries.into_iter().fold(commit, Commit::entry)
    }
}

/// The raw event of an event that corrects nothing.
fn row(it: &Event, meter: &Meter, now: Timestamp) -> Result<Row, Problem> {
    let value = match (it.value, meter.aggregation) {
        (Some(value), _) => value,
        (None, Aggregation::Count | Aggregation::Unique) => MICROS,
        (None, _) => return Err(Problem::unfitting("data.value", "the meter needs one")),
    };
    let word = it.dimensions.get(&meter.dimension).cloned().unwrap_or_default();
    if meter.aggregation == Aggregation::Unique && word.is_empty() && it.corrects.is_none() {
        let field = format!("data.dimensions.{}", meter.dimension);
        return Err(Problem::unfitting(&field, "the meter tells its values apart"));
    }
    Ok(Row {
        source: it.source.clone(),
        id: it.id.clone(),
        meter: it.meter.clone(),
        place: it.place.clone(),
        dimensions: it.dimensions.clone(),
        word,
        value,
        time: it.time.unwrap_or(now),
        hash: it.hash.clone(),
        state: RowState::Counted,
    })
}

fn id_reused() -> Problem {
    let kind = "/problems/usage/id-reused";
    Problem::new(StatusCode::CONFLICT, kind, "Another event has this id")
        .detail("the source has sent another event under this id: nothing was counted")
}

fn unknown_meter(name: &str) -> Problem {
    let kind = "/problems/usage/unknown-meter";
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, kind, "There is no such meter")
        .detail(format!("make it with PUT /v1/usage/meters/{name}"))
}

fn unknown_event(source: &str, id: &str) -> Problem {
    let kind = "/problems/usage/unknown-event";
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, kind, "There is no such event")
        .detail(format!("{source} has sent no event {id}, or it is not kept any more"))
}

fn settled(state: RowState) -> Problem {
    let kind = "/problems/usage/settled";
    let problem = Problem::new(StatusCode::CONFLICT, kind, "The event does not count any more");
    match state {
        RowState::Corrected => problem.detail("it was corrected: change its correction instead"),
        _ => problem.detail("it was taken back"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::usage::{amount::Amount, event::CloudEvent, meter, settings::State};

    fn event(id: &str, value: i64, corrects: Option<&str>) -> Event {
        let sent = json!({"specversion": "1.0", "id": id, "source": "s", "type": "gate.units",
            "subject": "acme", "corrects": corrects, "data": {"value": value}});
        Event::of(serde_json::from_str::<CloudEvent>(&sent.to_string()).unwrap()).unwrap()
    }

    fn window() -> Window {
        State::default().window(Timestamp(1_893_456_000_000))
    }

    fn meters() -> Meters {
        meter::built_in().into_iter().map(|it| (it.name.clone(), it)).collect()
    }

    fn sum(plan: &Plan) -> (String, i64) {
        let parts = plan
            .counters
            .values()
            .fold((0, 0, 0), |sum, it| (sum.0 + it.whole, sum.1 + it.micros, sum.2 + it.count));
        (Amount::parts(parts.0.into(), parts.1.into()).to_string(), parts.2)
    }

    #[test]
    fn a_plan_tells_repetitions_corrections_and_voids_of_its_own_apart() {
        let (mut plan, meters, at) = (Plan::default(), meters(), window());
        let mut take = |it: &Event| plan.take(it, &meters, at).map_err(|it| it.kind());

        assert_eq!(take(&event("1", 5, None)), Ok(Outcome::Counted));
        assert_eq!(take(&event("1", 5, None)), Ok(Outcome::Duplicate));
        assert_eq!(take(&event("1", 6, None)), Err("/problems/usage/id-reused"));
        assert_eq!(take(&event("2", 7, Some("1"))), Ok(Outcome::Counted));
        assert_eq!(take(&event("3", 8, Some("1"))), Err("/problems/usage/settled"));
        assert_eq!(take(&event("4", 8, Some("9"))), Err("/problems/usage/unknown-event"));
        assert_eq!(sum(&plan), ("7".to_owned(), 1));

        plan.void("s", "2", "a mistake", at).unwrap();
        assert!(plan.void("s", "2", "again", at).is_err());
        assert_eq!(sum(&plan), ("0".to_owned(), 0));
        assert_eq!(plan.counted(), 2);
    }
}
