//! What the gate counted by itself. It comes by the queue, at least once and in any order.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::json;
use shared::{
    domain::{Commit, Timestamp},
    last_use,
    ports::{Item, PortError, Tenant},
};

use super::{
    amount::{MICROS, VALUE_MAX},
    event::{GATE, Place},
    meter::{BLOCKED, REQUESTS, UNITS},
    period,
    plan::{Plan, Row, RowState},
    prune, store,
};
use crate::quota;

/// What the gate saw of one key and member on one route since it told of it last.
#[derive(Debug, Deserialize)]
struct Counted {
    app: String,
    #[serde(default)]
    key: Option<String>,
    #[serde(default)]
    route: Option<String>,
    #[serde(default)]
    subject: Option<String>,
    #[serde(default)]
    member: Option<String>,
    at_ms: i64,
    passed: i64,
    blocked: i64,
    /// Less than nothing when more was given back than taken.
    units: i64,
    #[serde(default)]
    statuses: BTreeMap<String, u32>,
    #[serde(default)]
    latency: BTreeMap<u16, u32>,
}

/// Statuses and latencies of items, added up: by time, key, route, subject, class; and by time,
/// key, route, bucket.
#[derive(Default)]
pub struct Fared {
    /// How requests were answered.
    pub statuses: BTreeMap<(Timestamp, Place, String), i64>,
    /// How long they took.
    pub latencies: BTreeMap<(Timestamp, Place, u16), i64>,
}

impl Counted {
    fn place(&self) -> Place {
        let text = |it: &Option<String>| it.clone().unwrap_or_default();
        let (key, route) = (text(&self.key), text(&self.route));
        Place { subject: text(&self.subject), member: text(&self.member), key, route }
    }

    /// A raw event for each meter that it says something of, and always the first: its id is what
    /// the item is known by.
    fn rows(&self, id: &str) -> Vec<Row> {
        let source = format!("{GATE}{}", self.app);
        let all = [(REQUESTS, self.passed), (BLOCKED, self.blocked), (UNITS, self.units)];
        let told = |(meter, count): &(&str, i64)| *meter == REQUESTS || *count != 0;
        all.into_iter()
            .filter(told)
            .map(|(meter, count)| Row {
                source: source.clone(),
                id: part(id, meter),
                meter: meter.to_owned(),
                place: self.place(),
                dimensions: BTreeMap::new(),
                word: String::new(),
                value: count.clamp(-VALUE_MAX, VALUE_MAX) * MICROS,
                time: Timestamp(self.at_ms),
                hash: String::new(),
                state: RowState::Counted,
            })
            .collect()
    }
}

/// The id of the raw event for one meter.
fn part(id: &str, meter: &str) -> String {
    format!("{id}/{meter}")
}

impl Fared {
    fn add(&mut self, it: &Counted) {
        let start = period::floor(Timestamp(it.at_ms));
        // Neither is kept by member.
        let place = Place { member: String::new(), ..it.place() };
        for (class, count) in &it.statuses {
            let key = (start, place.clone(), class.clone());
            *self.statuses.entry(key).or_default() += i64::from(*count);
        }
        // The sketch is not kept by subject.
        let place = Place { subject: String::new(), ..place };
        for (bucket, count) in &it.latency {
            let key = (start, place.clone(), *bucket);
            *self.latencies.entry(key).or_default() += i64::from(*count);
        }
    }
}

/// Takes items in that were not taken in before.
///
/// # Errors
/// When the database fails, or an item is not what the gate makes.
pub async fn ingest(at: &impl Tenant, items: &[Item]) -> Result<Commit, PortError> {
    let read = |it: &Item| match serde_json::from_value::<Counted>(it.body.clone()) {
        Ok(counted) => Ok((it.id.clone(), counted)),
        Err(err) => Err(PortError::new("usage", format!("{}: {err}", it.id))),
    };
    let items: Vec<_> = items.iter().map(read).collect::<Result<_, _>>()?;
    let keys = items.iter().map(|(id, it)| {
        let source = format!("{GATE}{}", it.app);
        json!([source, part(id, REQUESTS)])
    });
    let known = store::events(at, &keys.collect::<serde_json::Value>()).await?;
    let state = store::state(at).await?;
    let (mut plan, mut fared) = (Plan::knowing(known), Fared::default());
    let mut used: BTreeMap<&str, Timestamp> = BTreeMap::new();
    for (id, it) in &items {
        if Timestamp(it.at_ms) < state.events_from {
            // Whether it was counted is not known any more.
            at.note(&format!("usage of {} is too late to be counted: {id}", it.app));
            continue;
        }
        if !plan.knows(&format!("{GATE}{}", it.app), &part(id, REQUESTS)) {
            it.rows(id).into_iter().for_each(|row| plan.keep(row));
            fared.add(it);
            if let Some(key) = &it.key {
                let last = used.entry(key).or_default();
                *last = (*last).max(Timestamp(it.at_ms));
            }
        }
    }
    if plan.is_empty() {
        return Ok(Commit::new());
    }
    let looks = quota::changed(at, &plan.subjects()).await?;
    let commit = plan.commit(at.time()).and(store::add_fared(&fared)).and(looks);
    let commit = used.into_iter().fold(commit, |it, (key, at)| it.and(last_use::counted(key, at)));
    Ok(commit.job(prune::job(at.time())))
}
