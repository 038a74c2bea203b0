//! The rules, read minute by minute.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{Datelike, NaiveDate};
use serde_json::Value;
use shared::domain::Timestamp;

use super::{
    Seen, SeenTarget,
    world::{MINUTE_MS, World, Zones},
};
use crate::{
    sla::{
        calendar::CalendarText,
        history::{Told, What},
        holiday::Holiday,
        policy::{PolicyText, Target, To},
        report::TargetState,
    },
    state::State,
};

/// One target, minute by minute.
#[derive(Clone, Default)]
struct Tally {
    round: u32,
    began: Option<usize>,
    done: Option<usize>,
    minutes: i64,
    promised: bool,
    reached: BTreeMap<u16, usize>,
    broken: Vec<(u32, usize)>,
}

impl Tally {
    fn begin(&mut self, minute: usize) {
        let mut broken = std::mem::take(&mut self.broken);
        broken.extend(self.reached.get(&100).map(|it| (self.round, *it)));
        *self = Self { round: self.round + 1, began: Some(minute), broken, ..Self::default() };
    }

    fn is_waiting(&self) -> bool {
        self.began.is_some() && self.done.is_none()
    }
}

/// What a target is held to in some minute.
#[derive(Clone)]
struct Held<'a> {
    policy: &'a str,
    number: i64,
    text: &'a PolicyText,
    target: Target,
    minutes: u32,
    /// Which calendar; `None` is all time.
    calendar: Option<usize>,
    /// Each percent that is told, and how many minutes that is.
    marks: Vec<(u16, i64)>,
}

impl Held<'_> {
    fn pauses(&self, state: &str) -> bool {
        let own = self.text.targets[&self.target].pauses.as_ref();
        own.unwrap_or(&self.text.pauses).iter().any(|it| it.word() == state)
    }
}

struct Simulation<'a> {
    world: &'a World,
    /// Of each calendar as it was put, whether each minute is worked.
    open: Vec<Vec<bool>>,
    fields: BTreeMap<String, String>,
    answered: bool,
    tallies: [Tally; 4],
    told: BTreeSet<Told>,
    noted: BTreeSet<(Target, u32)>,
}

/// What there is to say of a world, by going through all of its minutes.
pub fn simulate(world: &World, zones: &mut Zones) -> Seen {
    let open = world.calendars.iter().zip(&world.zones).map(|(it, zone)| {
        let shown = zones.shown(*zone, world.start);
        // The minute before the ticket was opened is asked for as well.
        let before = world.opened_minute() - 1;
        let mut open = vec![false; before];
        let text = it.version.what.as_ref().unwrap();
        open.extend(worked(text, &shown[before..world.end_minute()]));
        open
    });
    let open = open.collect();
    let (fields, tallies) = (BTreeMap::new(), Default::default());
    let (told, noted) = (BTreeSet::new(), BTreeSet::new());
    Simulation { world, open, fields, answered: false, tallies, told, noted }.run()
}

/// Whether each minute is within the hours of the date that is shown.
fn worked(text: &CalendarText, shown: &[(NaiveDate, u16)]) -> impl Iterator<Item = bool> {
    let mut today = None;
    let mut hours = Vec::new();
    shown.iter().map(move |(date, minute)| {
        if today != Some(*date) {
            (today, hours) = (Some(*date), hours_of(text, *date));
        }
        text.always || hours.iter().any(|(from, to)| (from..to).contains(&minute))
    })
}

fn hours_of(text: &CalendarText, date: NaiveDate) -> Vec<(u16, u16)> {
    let minute = |it: String| {
        let (hour, minute) = it.split_once(':').unwrap();
        hour.parse::<u16>().unwrap() * 60 + minute.parse::<u16>().unwrap()
    };
    let special = text.special.iter().find(|it| it.date == date).map(|it| it.hours.clone());
    let weekday = date.weekday().to_string().to_lowercase();
    let usual = text.hours.iter().find(|it| format!("{:?}", it.0).to_lowercase() == weekday);
    let is_off = text.holidays.iter().any(|it| falls_on(it, date));
    let usual = usual.filter(|_| !is_off).map_or_else(Vec::new, |it| it.1.clone());
    let hours = special.unwrap_or(usual).into_iter();
    hours.map(|it| (minute(it.from.into()), minute(it.to.into()))).collect()
}

fn falls_on(it: &Holiday, date: NaiveDate) -> bool {
    let same_day = it.date.day() == date.day();
    let same_year_day = same_day && it.date.month() == date.month();
    let years = date.year() - it.date.year();
    let comes = match it.rule.as_deref() {
        None => it.date == date,
        Some("FREQ=YEARLY") => same_year_day,
        Some("FREQ=YEARLY;INTERVAL=2") => same_year_day && years % 2 == 0,
        Some(rule) if rule.contains("BYMONTHDAY") => same_day,
        Some(_) => {
            let week = |it: NaiveDate| (it.day() - 1) / 7;
            it.date.weekday() == date.weekday() && week(it.date) == week(date)
        }
    };
    comes && it.date <= date && !it.except.contains(&date)
}

impl<'a> Simulation<'a> {
    fn run(mut self) -> Seen {
        let (now, end) = (self.world.now_minute(), self.world.end_minute());
        let mut events = self.world.history.iter().peekable();
        let mut held = [const { None }; 4];
        let mut present = None;
        let changes = self.world.policies.iter().map(|it| it.version.applies_from);
        let more = self.world.calendars.iter().map(|it| it.version.applies_from);
        let changes: BTreeSet<_> = changes.chain(more).collect();
        for minute in self.world.opened_minute()..end {
            let at = self.moment(minute);
            if changes.contains(&at) || minute == self.world.opened_minute() {
                held = self.held(at);
            }
            while let Some(it) = events.next_if(|it| it.at == at && minute <= now) {
                self.promise(&held);
                self.happens(&it.what, minute);
                held = self.held(at);
            }
            if minute == now {
                self.promise(&held);
                present = Some((self.tallies.clone(), held.clone()));
            }
            self.promise(&held);
            self.pass(&held, minute);
        }
        let (tallies, held) = present.unwrap();
        let targets = (0..4).map(|it| self.target(&tallies[it], it, held[it].as_ref()));
        let mut alerts: Vec<_> =
            (0..4).flat_map(|it| self.alerts(&tallies[it], it, held[it].as_ref())).collect();
        alerts.sort();
        Seen { targets: targets.collect(), alerts }
    }

    fn moment(&self, minute: usize) -> Timestamp {
        Timestamp(self.world.start + minute as i64 * MINUTE_MS)
    }

    fn state(&self) -> &str {
        self.fields.get("state").map_or("open", String::as_str)
    }

    fn is_active(&self) -> bool {
        ["open", "pending", "on_hold"].contains(&self.state())
    }

    /// What the ticket is held to at a moment.
    fn held(&self, at: Timestamp) -> [Option<Held<'a>>; 4] {
        let mut best: Option<(&str, i64, &PolicyText)> = None;
        for name in ["gold", "silver"] {
            let puts = self.world.policies.iter().filter(|it| it.name == name);
            let puts = puts.map(|it| &it.version).filter(|it| it.applies_from <= at);
            let Some(it) = puts.max_by_key(|it| (it.applies_from, it.number)) else { continue };
            let Some(text) = it.what.as_ref() else { continue };
            let is_chosen = self.fields.get("sla").is_some_and(|it| it == name);
            if is_chosen {
                best = Some((name, it.number, text));
                break;
            }
            let is_better = best.is_none_or(|(_, _, it)| text.rank < it.rank);
            if self.fits(text) && is_better {
                best = Some((name, it.number, text));
            }
        }
        let priority = self.fields.get("priority").map_or("normal", String::as_str);
        Target::ALL.map(|target| {
            let (policy, number, text) = best?;
            let own = text.targets.get(&target)?;
            let minutes = *own.minutes.iter().find(|it| it.0.word() == priority)?.1;
            let name = own.calendar.as_ref().unwrap_or(&text.calendar);
            let calendar = (name != "always").then(|| self.calendar(name, at));
            let percents = text.ladder.iter().map(|it| it.percent).chain([100]);
            let share = |it: u16| i64::from(minutes) * i64::from(it) / 100;
            let marks = percents.map(|it| (it, share(it))).collect();
            Some(Held { policy, number, text, target, minutes, calendar, marks })
        })
    }

    fn fits(&self, text: &PolicyText) -> bool {
        let is = |name: &str, value: &str| self.fields.get(name).is_some_and(|it| it == value);
        match text.when.as_ref().map(|it| it.text()) {
            None => true,
            Some("ticket.plan == 'gold'") => is("plan", "gold"),
            Some("ticket.priority == 'urgent'") => is("priority", "urgent"),
            Some("has(ticket.team)") => self.fields.contains_key("team"),
            Some(_) => false,
        }
    }

    /// Which of the calendars of this name counts at a moment.
    fn calendar(&self, name: &str, at: Timestamp) -> usize {
        let all = self.world.calendars.iter().enumerate().filter(|it| it.1.name == name);
        let key = |it: &usize| {
            let it = &self.world.calendars[*it].version;
            (it.applies_from, it.number)
        };
        let all: Vec<_> = all.map(|it| it.0).collect();
        let past = all.iter().filter(|it| key(it).0 <= at).max_by_key(|it| key(it));
        *past.or(all.iter().min_by_key(|it| key(it))).unwrap()
    }

    fn is_open(&self, held: &Held<'_>, minute: usize) -> bool {
        held.calendar.is_none_or(|it| self.open[it][minute])
    }

    fn touches(&self, held: &Held<'_>, minute: usize) -> bool {
        self.is_open(held, minute) || self.is_open(held, minute - 1)
    }

    fn promise(&mut self, held: &[Option<Held<'_>>; 4]) {
        let is_active = self.is_active();
        for (tally, held) in self.tallies.iter_mut().zip(held).filter(|_| is_active) {
            tally.promised |= tally.is_waiting() && held.is_some();
        }
    }

    fn happens(&mut self, what: &What, minute: usize) {
        let [first, next, update, resolution] = &mut self.tallies;
        match what {
            What::Received if self.answered && !next.is_waiting() => next.begin(minute),
            What::Received => {}
            What::Replied => {
                for it in [first, next].into_iter().filter(|it| it.is_waiting()) {
                    it.done = Some(minute);
                }
                update.begin(minute);
                self.answered = true;
            }
            What::Opened(fields) | What::Changed(fields) => {
                if matches!(what, What::Opened(_)) {
                    first.begin(minute);
                    resolution.begin(minute);
                }
                for (name, value) in fields {
                    match value {
                        Value::Null => _ = self.fields.remove(name),
                        it => {
                            self.fields.insert(name.clone(), it.as_str().unwrap().to_owned());
                        }
                    }
                }
                let is_active = self.is_active();
                let is_over = ["resolved", "closed"].contains(&self.state());
                let resolution = &mut self.tallies[3];
                if is_active {
                    resolution.done = None;
                } else if is_over && resolution.is_waiting() {
                    resolution.done = Some(minute);
                }
            }
            What::Told(it) => _ = self.told.insert(*it),
            What::Acknowledged { target, round } => _ = self.noted.insert((*target, *round)),
        }
    }

    /// One minute passes.
    fn pass(&mut self, held: &[Option<Held<'_>>; 4], minute: usize) {
        if !self.is_active() {
            return;
        }
        for (number, held) in held.iter().enumerate() {
            let Some(held) = held else { continue };
            if !self.tallies[number].is_waiting() || held.pauses(self.state()) {
                continue;
            }
            let (touches, is_open) = (self.touches(held, minute), self.is_open(held, minute));
            let tally = &mut self.tallies[number];
            for (percent, share) in held.marks.iter().filter(|_| touches) {
                if *share <= tally.minutes {
                    tally.reached.entry(*percent).or_insert(minute);
                }
            }
            tally.minutes += i64::from(is_open);
        }
    }

    /// What was or will be reached in the round that is on now.
    fn reached(&self, number: usize) -> BTreeMap<u16, usize> {
        self.tallies[number].reached.clone()
    }

    fn target(&self, now: &Tally, number: usize, held: Option<&Held<'_>>) -> SeenTarget {
        let reached = self.reached(number);
        let broken = reached.get(&100).copied();
        let was_broken = broken.is_some_and(|it| it <= self.world.now_minute());
        let state = if !now.promised {
            TargetState::None
        } else if ["spam", "merged"].contains(&self.state()) {
            TargetState::Cancelled
        } else if was_broken {
            TargetState::Breached
        } else if now.done.is_some() {
            TargetState::Met
        } else if !self.is_active() {
            TargetState::Cancelled
        } else if held.is_none() {
            TargetState::None
        } else if held.is_some_and(|it| it.pauses(self.state())) {
            TargetState::Paused
        } else {
            TargetState::Running
        };
        let is_counted = matches!(state, TargetState::Running | TargetState::Paused);
        let percent = held.map(|it| now.minutes * 100 / i64::from(it.minutes));
        SeenTarget {
            state,
            round: now.round,
            counted_ms: now.minutes * MINUTE_MS,
            percent: percent.filter(|_| now.round > 0),
            started_at: now.began.map(|it| self.moment(it)),
            due_at: broken.filter(|_| was_broken || is_counted).map(|it| self.moment(it)),
            met_at: now.done.filter(|_| now.promised).map(|it| self.moment(it)),
            breached_at: broken.filter(|_| was_broken).map(|it| self.moment(it)),
            breached_before: now.broken.len(),
            by: held.map(|it| (it.policy.to_owned(), it.number, it.minutes)),
            reached: reached.into_iter().map(|(a, b)| (a, self.moment(b))).collect(),
        }
    }

    fn alerts(
        &self,
        now: &Tally,
        number: usize,
        held: Option<&Held<'_>>,
    ) -> Vec<(Told, Timestamp, Timestamp, Vec<To>)> {
        let (target, present) = (Target::ALL[number], self.world.now_minute());
        if State::parse(self.state()).is_some_and(|it| matches!(it, State::Spam | State::Merged)) {
            return Vec::new();
        }
        let is_on = now.is_waiting() && self.is_active();
        let is_on = is_on && held.is_some_and(|it| !it.pauses(self.state()));
        let before = now.broken.iter().map(|(round, it)| (*round, 100, *it));
        let reached = self.reached(number);
        let these = reached.iter().map(|(percent, it)| (now.round, *percent, *it));
        let mut all = Vec::new();
        for (round, percent, minute) in before.chain(these) {
            let of = Told { target, round, percent };
            let is_past_for_good = minute <= present && !is_on && percent != 100;
            if self.told.contains(&of) || is_past_for_good {
                continue;
            }
            let is_noted = self.noted.contains(&(target, round));
            let step = held.and_then(|it| it.text.ladder.iter().find(|it| it.percent == percent));
            let to = step.filter(|_| !is_noted).map(|it| it.to.clone());
            if to.is_none() && percent != 100 {
                continue;
            }
            let mut sent = minute.max(present);
            if let Some(held) =
                held.filter(|it| present - minute.min(present) > 15 && !self.touches(it, present))
            {
                let later = (present..self.world.end_minute()).find(|it| self.is_open(held, *it));
                let Some(later) = later else { continue };
                sent = later;
            }
            all.push((of, self.moment(minute), self.moment(sent), to.unwrap_or_default()));
        }
        all
    }
}
