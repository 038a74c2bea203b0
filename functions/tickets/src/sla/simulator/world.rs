//! Made-up worlds: a stretch of days around the jump of a clock, and what is put and happens in it.

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike, Days, NaiveDate, Offset, TimeZone, Timelike};
use chrono_tz::Tz;
use serde_json::{Map, Value, json};
use shared::domain::Timestamp;

use crate::sla::{
    calendar::{Calendar, CalendarText},
    history::{Happening, Told, What},
    policy::{PolicyText, Target},
    versions::Version,
};

pub const MINUTE_MS: i64 = 60_000;
/// How long before a jump a window begins, and how long it is, in minutes.
const BEFORE: i64 = 48 * 60;
pub const WINDOW: usize = 110 * 60;
/// How far past now the simulator looks.
const AHEAD: usize = 10 * 60;

/// By an hour, by half of one, by two, at midnight, in the south, around Ramadan, by law at short
/// notice, one that skipped a day, and some that do not jump.
const ZONES: [&str; 28] = [
    "Africa/Cairo",
    "Africa/Casablanca",
    "Africa/El_Aaiun",
    "America/Asuncion",
    "America/Chicago",
    "America/Halifax",
    "America/Havana",
    "America/Los_Angeles",
    "America/New_York",
    "America/Nuuk",
    "America/Santiago",
    "America/Sao_Paulo",
    "America/St_Johns",
    "Antarctica/Troll",
    "Asia/Amman",
    "Asia/Beirut",
    "Asia/Jerusalem",
    "Asia/Kathmandu",
    "Asia/Tehran",
    "Atlantic/Azores",
    "Australia/Adelaide",
    "Australia/Lord_Howe",
    "Europe/Berlin",
    "Europe/Dublin",
    "Pacific/Apia",
    "Pacific/Auckland",
    "Pacific/Chatham",
    "UTC",
];
const JUMPS_A_ZONE: usize = 5;

/// What clocks show, minute by minute, in the windows that were used.
#[derive(Default)]
pub struct Zones {
    jumps: BTreeMap<usize, Vec<i64>>,
    shown: BTreeMap<(usize, i64), Vec<(NaiveDate, u16)>>,
}

impl Zones {
    fn tz(zone: usize) -> Tz {
        ZONES[zone % ZONES.len()].parse().unwrap()
    }

    /// Some jumps of a zone between 2011 and 2023, spread over them; noon of some day without any.
    fn jumps(&mut self, zone: usize) -> &[i64] {
        self.jumps.entry(zone).or_insert_with(|| {
            let offset = |at: i64| {
                let utc = DateTime::from_timestamp_millis(at).unwrap().naive_utc();
                Self::tz(zone).offset_from_utc_datetime(&utc).fix().local_minus_utc()
            };
            let hour = 60 * MINUTE_MS;
            let (from, to) = (1_293_840_000_000, 1_672_531_200_000);
            let steps = (from..to).step_by(hour as usize * 12);
            let jumps: Vec<_> = steps.filter(|it| offset(*it) != offset(it + 12 * hour)).collect();
            let step = (jumps.len() / JUMPS_A_ZONE).max(1);
            let some: Vec<_> = jumps.iter().rev().step_by(step).copied().collect();
            if some.is_empty() { vec![1_600_000_020_000 - 1_600_000_020_000 % hour] } else { some }
        })
    }

    /// What the clock of a zone shows in a window: the date, and the minute of the day.
    pub fn shown(&mut self, zone: usize, start: i64) -> &[(NaiveDate, u16)] {
        self.shown.entry((zone, start)).or_insert_with(|| {
            let at = |it: usize| Self::tz(zone).timestamp_millis_opt(start + it as i64 * MINUTE_MS);
            let shown = (0..WINDOW).map(|it| at(it).unwrap().naive_local());
            shown.map(|it| (it.date(), (it.hour() * 60 + it.minute()) as u16)).collect()
        })
    }
}

/// Chance from a seed (splitmix64).
pub struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let it = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let it = (it ^ (it >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        it ^ (it >> 31)
    }

    /// Up to, and without, this.
    fn below(&mut self, most: usize) -> usize {
        (self.next() % most as u64) as usize
    }

    fn one_in(&mut self, most: usize) -> bool {
        self.below(most) == 0
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }
}

/// Something that was put, under its name.
#[derive(Clone, Debug)]
pub struct Put<T> {
    pub name: String,
    pub version: Version<T>,
}

/// A ticket, and what it is held to.
#[derive(Debug)]
pub struct World {
    /// The first minute of the window.
    pub start: i64,
    pub calendars: Vec<Put<CalendarText>>,
    /// Of which zone each of these is.
    pub zones: Vec<usize>,
    pub policies: Vec<Put<PolicyText>>,
    pub history: Vec<Happening>,
    pub now: Timestamp,
}

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
pub const CONDITIONS: [Option<&str>; 6] = [
    None,
    None,
    Some("ticket.plan == 'gold'"),
    Some("ticket.priority == 'urgent'"),
    Some("has(ticket.team)"),
    Some("ticket.unknown.field == 1"),
];

impl World {
    pub fn of(seed: u64, zones: &mut Zones) -> Self {
        let mut chance = Chance(seed);
        let zone = chance.below(ZONES.len());
        let jump = {
            let all = zones.jumps(zone);
            all[chance.below(all.len())]
        };
        let start = jump - BEFORE * MINUTE_MS;
        // Half of them keep to quarters of an hour, as hours do: then much falls together.
        let grid = if seed.is_multiple_of(2) { 15 } else { 1 };
        let begin = 60 + chance.below(40 * 60) / grid * grid;
        let history = history(&mut chance, start, begin, grid);
        let last = (history.last().unwrap().at.0 - start) / MINUTE_MS;
        let now = last as usize + chance.below(12 * 60) / grid * grid;
        let now = if chance.one_in(8) { begin + chance.below(20 * 60) } else { now };
        let mut world = Self {
            start,
            calendars: Vec::new(),
            zones: Vec::new(),
            policies: Vec::new(),
            history,
            now: Timestamp(start + now as i64 * MINUTE_MS),
        };
        // Another zone's clock, of which one window is used as well.
        let other = (zone + 11) % ZONES.len();
        for name in ["near", "far"] {
            for number in 1..=1 + i64::from(chance.one_in(3)) {
                let zone = if chance.one_in(4) { other } else { zone };
                let text = calendar(&mut chance, zone, start);
                world.zones.push(zone);
                let applies_from = world.some_moment(&mut chance, begin);
                let version = Version { number, applies_from, what: Some(text) };
                world.calendars.push(Put { name: name.to_owned(), version });
            }
        }
        for name in ["gold", "silver"].into_iter().take(1 + chance.below(2)) {
            for number in 1..=1 + chance.below(3) as i64 {
                let what = (!(number > 1 && chance.one_in(6))).then(|| policy(&mut chance, grid));
                let applies_from = world.some_moment(&mut chance, begin);
                let version = Version { number, applies_from, what };
                world.policies.push(Put { name: name.to_owned(), version });
            }
        }
        world
    }

    /// Before the window, or somewhere in it, past now as well; sometimes when something happens.
    fn some_moment(&self, chance: &mut Chance, begin: usize) -> Timestamp {
        match chance.below(4) {
            0 | 1 => Timestamp(self.start - 1_000 * MINUTE_MS),
            2 => self.history[chance.below(self.history.len())].at,
            _ => Timestamp(self.start + (begin + chance.below(60 * 60)) as i64 * MINUTE_MS),
        }
    }

    /// The minute in which the ticket is opened, in the window.
    pub fn opened_minute(&self) -> usize {
        ((self.history[0].at.0 - self.start) / MINUTE_MS) as usize
    }

    /// The minute that is now, in the window.
    pub fn now_minute(&self) -> usize {
        ((self.now.0 - self.start) / MINUTE_MS) as usize
    }

    /// How far the simulator looks, in minutes of the window.
    pub fn end_minute(&self) -> usize {
        (self.now_minute() + AHEAD).min(WINDOW)
    }

    /// The same as a moment.
    pub fn until(&self) -> Timestamp {
        Timestamp(self.start + self.end_minute() as i64 * MINUTE_MS)
    }
}

/// Up to four stretches, often at the hours in which clocks jump.
fn hours(chance: &mut Chance) -> Vec<Value> {
    let mut marks: Vec<_> = (0..2 * chance.below(5)).map(|_| chance.below(97) * 15).collect();
    if chance.one_in(3) {
        marks.extend([60 + chance.below(60), 120 + chance.below(90)]);
    }
    marks.sort_unstable();
    marks.dedup();
    let time = |it: usize| format!("{:02}:{:02}", it / 60, it % 60);
    let pairs = marks.chunks_exact(2);
    pairs.map(|it| json!({"from": time(it[0]), "to": time(it[1])})).collect()
}

fn calendar(chance: &mut Chance, zone: usize, start: i64) -> CalendarText {
    if chance.one_in(10) {
        return CalendarText { always: true, ..CalendarText::default() };
    }
    let first = DateTime::from_timestamp_millis(start).unwrap().date_naive();
    loop {
        let week: Map<_, _> =
            DAYS.iter().map(|it| ((*it).to_owned(), hours(chance).into())).collect();
        let holidays: Vec<_> = (0..chance.below(3)).map(|_| holiday(chance, first)).collect();
        let special = first + Days::new(chance.below(6) as u64);
        let special = json!({"date": special, "hours": hours(chance)});
        let special = if chance.one_in(3) { vec![special] } else { Vec::new() };
        let text = json!({"zone": ZONES[zone], "hours": week, "holidays": holidays,
            "special": special});
        let text: CalendarText = serde_json::from_value(text).unwrap();
        if Calendar::new(text.clone()).is_ok() {
            return text;
        }
    }
}

/// One in the window, of each kind that there is.
fn holiday(chance: &mut Chance, first: NaiveDate) -> Value {
    let date = first + Days::new(chance.below(6) as u64);
    let years_ago = |it: i32| date.with_year(date.year() - it).unwrap_or(date);
    let place = date.day().div_ceil(7);
    let weekday =
        ["MO", "TU", "WE", "TH", "FR", "SA", "SU"][date.weekday().num_days_from_monday() as usize];
    match chance.below(6) {
        0 => json!({"date": years_ago(3), "rule": "FREQ=YEARLY"}),
        1 => json!({"date": years_ago(1), "rule": "FREQ=YEARLY;INTERVAL=2"}),
        2 => json!({"date": years_ago(2), "rule": "FREQ=YEARLY", "except": [date]}),
        3 => json!({"date": date, "rule": format!("FREQ=MONTHLY;BYDAY={place}{weekday}")}),
        4 => json!({"date": date, "rule": format!("FREQ=MONTHLY;BYMONTHDAY={}", date.day())}),
        _ => json!({"date": date}),
    }
}

/// All shares of all targets are whole minutes.
fn policy(chance: &mut Chance, grid: usize) -> PolicyText {
    let unit = if grid > 1 { 60 } else { 20 };
    let mut targets = Map::new();
    for target in Target::ALL {
        let mut minutes = Map::new();
        for priority in ["low", "normal", "high", "urgent"] {
            if !chance.one_in(8) {
                let most = if target == Target::Resolution { 60 } else { 24 };
                minutes.insert(priority.to_owned(), (unit * (1 + chance.below(most / 2))).into());
            }
        }
        let mut text = json!({"minutes": minutes});
        if chance.one_in(4) {
            text["calendar"] = "far".into();
        }
        if chance.one_in(6) {
            text["pauses"] = json!(["on_hold"]);
        }
        if !chance.one_in(8) {
            targets.insert(target.word().to_owned(), text);
        }
    }
    let calendar = chance.of(&["near", "near", "far", "always"]);
    let mut text = json!({"rank": chance.below(3), "calendar": calendar, "targets": targets});
    if let Some(it) = chance.of(&CONDITIONS) {
        text["when"] = it.into();
    }
    if chance.one_in(3) {
        text["pauses"] = json!(["pending", "on_hold"]);
    }
    if chance.one_in(3) {
        text["ladder"] = json!([{"percent": 30, "to": ["team"]}, {"percent": 95, "to": ["assignee"]},
            {"percent": 150, "to": ["team", "assignee"]}]);
    }
    serde_json::from_value::<PolicyText>(text).unwrap().checked().unwrap()
}

fn history(chance: &mut Chance, start: i64, begin: usize, grid: usize) -> Vec<Happening> {
    let fields = |it: Value| it.as_object().cloned().unwrap();
    let priority = chance.of(&["low", "normal", "high", "urgent"]);
    let opened = What::Opened(fields(json!({"state": "open", "priority": priority})));
    let mut at = start + begin as i64 * MINUTE_MS;
    let mut all = vec![Happening { at: Timestamp(at), what: opened }];
    for _ in 0..chance.below(14) {
        if !chance.one_in(4) {
            at += ((1 + chance.below(260 / grid)) * grid) as i64 * MINUTE_MS;
        }
        let target = Target::ALL[chance.below(4)];
        let round = 1 + chance.below(2) as u32;
        let what = match chance.below(12) {
            0..=2 => What::Received,
            3..=5 => What::Replied,
            6..=8 => {
                let states = [
                    "open", "open", "open", "pending", "on_hold", "resolved", "closed", "spam",
                    "merged",
                ];
                What::Changed(fields(json!({"state": chance.of(&states)})))
            }
            9 => {
                let priority = chance.of(&["low", "normal", "high", "urgent"]);
                What::Changed(fields(json!({"priority": priority})))
            }
            10 => What::Changed(fields(other(chance.below(4)))),
            _ if chance.one_in(2) => What::Acknowledged { target, round },
            _ => What::Told(Told { target, round, percent: chance.of(&[30, 50, 80, 100]) }),
        };
        all.push(Happening { at: Timestamp(at), what });
    }
    all
}

/// What else changes of a ticket.
fn other(it: usize) -> Value {
    match it {
        0 => json!({"plan": "gold"}),
        1 => json!({"plan": null, "team": "tea_1"}),
        2 => json!({"sla": "silver"}),
        _ => json!({"sla": null, "team": null}),
    }
}
