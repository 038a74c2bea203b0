//! A model of usage in Rust, and tens of thousands of random events that both take in.

use std::collections::{BTreeMap, BTreeSet};

use pollster::block_on;
use serde_json::{Value, json};
use shared::{
    domain::Timestamp,
    memory::{Memory, START},
    ports::Tenant,
};

use super::{ask, open, post};
use crate::usage::{amount::Amount, counter};

const METERS: [&str; 4] = ["sum", "count", "max", "unique"];
const HOUR_MS: i64 = 60 * 60 * 1000;
const DAY_MS: i64 = 24 * HOUR_MS;

/// How many events are sent.
#[expect(clippy::disallowed_methods, reason = "this is a test, and native")]
fn events() -> usize {
    std::env::var("USAGE_EVENTS").map_or(20_000, |it| it.parse().expect("a number"))
}

/// An event, as the sender has it.
#[derive(Clone, Debug, PartialEq)]
struct Sent {
    id: usize,
    meter: usize,
    subject: u64,
    member: u64,
    user: u64,
    /// In millionths.
    value: i64,
    time: i64,
    corrects: Option<usize>,
}

#[derive(Default)]
struct Model {
    sent: BTreeMap<usize, Sent>,
    /// What counts: the time, for whom and of whom may be those of a corrected event.
    counted: BTreeMap<usize, Sent>,
}

/// Chance that is the same in every run.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) % end
    }

    /// From `start` up to `start + length`.
    fn moment(&mut self, start: i64, length: i64) -> i64 {
        start + i64::try_from(self.below(length.unsigned_abs())).unwrap()
    }

    fn event(&mut self, id: usize, now: i64) -> Sent {
        let meter = self.below(4).try_into().unwrap();
        // Small ones, fractions, and the largest; which would be the maximum of everything.
        let value = match self.below(10) {
            0 if METERS[meter] != "max" => 8_999_999_999_999_999,
            1..4 => self.moment(0, 1_000_000_000),
            _ => self.moment(0, 100) * 1_000_000,
        };
        // From too late to too early, and most of them in a busy hour.
        let time = match self.below(3) {
            0 => self.moment(now - 40 * DAY_MS, 40 * DAY_MS + 600_000),
            _ => self.moment(now - HOUR_MS, HOUR_MS),
        };
        Sent {
            id,
            meter,
            subject: self.below(5),
            member: self.below(3),
            user: self.below(40),
            value,
            time,
            corrects: None,
        }
    }
}

impl Sent {
    fn json(&self) -> Value {
        json!({
            "specversion": "1.0", "source": "model", "id": self.id.to_string(),
            "type": METERS[self.meter], "subject": self.subject.to_string(),
            "time": Timestamp(self.time), "corrects": self.corrects.map(|it| it.to_string()),
            "data": {"value": Amount(self.value.into()), "dimensions": {
                "member": self.member.to_string(), "user": self.user.to_string(),
                "route": format!("GET /{}", self.user % 3),
            }},
        })
    }
}

fn is_in_time(time: i64, now: i64) -> bool {
    (now - 35 * DAY_MS..=now + 300_000).contains(&time)
}

impl Model {
    /// What becomes of an event.
    fn take(&mut self, it: &Sent, now: i64) -> &'static str {
        if let Some(kept) = self.sent.get(&it.id) {
            return if kept == it { "duplicate" } else { "refused" };
        }
        let counted = match it.corrects {
            None if is_in_time(it.time, now) => it.clone(),
            None => return "refused",
            Some(id) => match self.counted.get(&id) {
                Some(of) if of.meter == it.meter && of.subject == it.subject => {
                    let of = self.counted.remove(&id).unwrap();
                    Sent { id: it.id, value: it.value, ..of }
                }
                _ => return "refused",
            },
        };
        self.sent.insert(it.id, it.clone());
        self.counted.insert(it.id, counted);
        "counted"
    }

    fn total(
        &self,
        meter: usize,
        subject: Option<u64>,
        member: Option<u64>,
        span: (i64, i64),
    ) -> i128 {
        let fits = |it: &&Sent| {
            it.meter == meter
                && subject.is_none_or(|of| of == it.subject)
                && member.is_none_or(|of| of == it.member)
                && (span.0..span.1).contains(&it.time)
        };
        let found: Vec<_> = self.counted.values().filter(fits).collect();
        let words: BTreeSet<_> = found.iter().map(|it| it.user).collect();
        match METERS[meter] {
            "sum" => found.iter().map(|it| i128::from(it.value)).sum(),
            "max" => found.iter().map(|it| it.value).max().unwrap_or(0).into(),
            "count" => i128::try_from(found.len()).unwrap() * 1_000_000,
            _ => i128::try_from(words.len()).unwrap() * 1_000_000,
        }
    }
}

/// The next event: new, repeated, changed under its id, or a correction; often of one that is on
/// its way in the same batch.
fn next(chance: &mut Chance, model: &Model, batch: &[Sent], id: usize, now: i64) -> Sent {
    let some = |chance: &mut Chance| {
        let earlier = usize::try_from(chance.below(id.max(1) as u64)).unwrap();
        let beside = usize::try_from(chance.below(100)).unwrap();
        batch.get(beside).or_else(|| model.sent.get(&earlier)).cloned()
    };
    match (chance.below(10), some(chance)) {
        (0 | 1, Some(it)) => it,
        (2, Some(it)) => Sent { value: it.value / 2 + 1, ..it },
        (3, Some(it)) => {
            let value = chance.moment(0, 50_000_000);
            let subject = if chance.below(9) == 0 { 7 } else { it.subject };
            Sent { id, value, subject, corrects: Some(it.id), ..chance.event(id, now) }
                .of_meter(it.meter)
        }
        _ => chance.event(id, now),
    }
}

impl Sent {
    fn of_meter(self, meter: usize) -> Self {
        Self { meter, ..self }
    }
}

/// Sends random events in batches, takes some back, and gives the model that did the same.
fn play(at: &impl Tenant, chance: &mut Chance) -> Model {
    let (now, mut model, mut id) = (at.now().0, Model::default(), 0);
    while id < events() {
        let mut batch = Vec::new();
        for _ in 0..=chance.below(100) {
            batch.push(next(chance, &model, &batch, id, now));
            id += 1;
        }
        // Some corrections come before what they correct.
        let (one, other) = (chance.below(batch.len() as u64), chance.below(batch.len() as u64));
        batch.swap(one.try_into().unwrap(), other.try_into().unwrap());
        let body: Value = batch.iter().map(Sent::json).collect();
        let results = post(at, body).unwrap();
        for (it, result) in batch.iter().zip(results["items"].as_array().unwrap()) {
            assert_eq!(result["status"], model.take(it, now), "{it:?}: {result}");
        }
        // Most of these were never sent, do not count any more, or are taken back twice.
        for _ in 0..3 {
            let id = usize::try_from(chance.below(id as u64)).unwrap();
            let body = json!({"source": "model", "id": id.to_string(), "reason": "a mistake"});
            let voided = ask(at, "voidUsage", "/v1/usage/void", body);
            assert_eq!(voided.is_ok(), model.counted.remove(&id).is_some(), "{id}: {voided:?}");
        }
    }
    model
}

#[test]
fn totals_are_what_the_model_and_the_raw_events_say() {
    let memory = Memory::default();
    let at = open(&memory);
    for it in METERS {
        let dimension = if it == "unique" { "user" } else { "" };
        let text = json!({"aggregation": it, "dimension": dimension});
        ask(&at, "putMeter", &format!("/v1/usage/meters/{it}"), text).unwrap();
    }
    let mut chance = Chance(0x5eed);

    let model = play(&at, &mut chance);

    assert!(model.counted.len() > events() / 4, "most of them count");
    for number in 0..400_usize {
        let meter = number % 4;
        let (name, (from, to)) = (METERS[meter], span(&mut chance, number));
        let subject = (chance.below(2) == 0).then(|| chance.below(5));
        let member = (chance.below(3) == 0).then(|| chance.below(3));
        let text = |it: Option<u64>| it.map(|it| it.to_string());
        let (of, by, span) = (text(subject), text(member), (Timestamp(from), Timestamp(to)));

        let total = counter::total(&at, name, of.as_deref(), by.as_deref(), span.0, span.1);
        let recount = counter::recount(&at, name, of.as_deref(), span.0, span.1);

        let expected = model.total(meter, subject, member, (from, to));
        assert_eq!(block_on(total).unwrap(), expected, "{name} {of:?} {by:?} {span:?}");
        let expected = model.total(meter, subject, None, (from, to));
        assert_eq!(block_on(recount).unwrap(), expected, "{name} {of:?} {span:?}");
    }
    groups_add_up(&at, &model);
}

/// A stretch of time: of any length with any ends, within the busy hour, or one quarter of it.
fn span(chance: &mut Chance, number: usize) -> (i64, i64) {
    let (start, length) = match number % 5 {
        0 => (41 * DAY_MS, HOUR_MS / 4),
        1 => (41 * DAY_MS, 41 * DAY_MS),
        2 | 3 => (HOUR_MS, HOUR_MS),
        _ => {
            let from = START.0 - HOUR_MS / 4 * chance.moment(1, 4);
            return (from, from + HOUR_MS / 4);
        }
    };
    let from = chance.moment(START.0 - start, start);
    (from, chance.moment(from, length))
}

/// Whatever it is told apart by, it is told apart completely.
fn groups_add_up(at: &impl Tenant, model: &Model) {
    let span = (START.0 - 20 * DAY_MS + 123, START.0 - 3 * DAY_MS + 456);
    let expected = model.total(0, None, None, span);
    for group in ["subject", "member", "route", "hour", "day", "month", "weekday_hour"] {
        let (from, to) = (Timestamp(span.0), Timestamp(span.1));
        let path =
            format!("/v1/usage?meter=sum&from={from}&to={to}&group_by={group}&zone=Asia/Kathmandu");
        let usage = ask(at, "getUsage", &path, json!({})).unwrap();

        let micros = |it: &Value| {
            let (whole, places) =
                it.as_str().unwrap().split_once('.').unwrap_or((it.as_str().unwrap(), ""));
            format!("{whole}{places:0<6}").parse::<i128>().unwrap()
        };
        let sum: i128 =
            usage["items"].as_array().unwrap().iter().map(|it| micros(&it["value"])).sum();
        assert_eq!((sum, micros(&usage["total"])), (expected, expected), "{group}");
    }
}
