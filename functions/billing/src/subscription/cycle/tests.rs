//! The life of a subscription, played at random: turns, changes, cancellations, pauses.
//!
//! A model beside it notes when it was on trial and when it rested. In the end every moment must
//! have been metered once and charged in advance once, except those.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::{
    money::Currency,
    period::{Interval, Unit, Zone},
    plan::Price,
    price::{Limits, Model},
    subscription::Cancellation,
};

const ZONES: [&str; 3] = ["Europe/Berlin", "Pacific/Apia", "America/New_York"];
const DAY_MS: i64 = 86_400_000;

/// Something that happens, after a part of the time until the next turn.
#[derive(Clone, Debug)]
enum Event {
    Turn,
    Change(usize),
    Plan(usize),
    Forget,
    CancelNow,
    CancelAt(i64),
    CancelAtEnd,
    Keep,
    Pause,
    Resume,
}

/// A subscription, and what is known of its life.
struct Life {
    it: Subscription,
    now: Timestamp,
    moments: Vec<Timestamp>,
    metered: Vec<Period>,
    charged: Vec<Period>,
    free: Vec<Period>,
    unpaid: Vec<Period>,
}

fn plans() -> [Plan; 4] {
    [
        plan("basic", Unit::Month, 1, true),
        plan("pro", Unit::Month, 1, false),
        plan("yearly", Unit::Year, 1, true),
        plan("daily", Unit::Day, 10, true),
    ]
}

fn plan(name: &str, unit: Unit, count: u32, meters: bool) -> Plan {
    let price = Price {
        name: "calls".to_owned(),
        title: None,
        basis: Basis::Metered { meter: "calls".to_owned(), group_by: None },
        model: Model::Flat { amount: 1 },
        limits: Limits::default(),
        tax_class: None,
    };
    Plan {
        name: name.to_owned(),
        title: name.to_owned(),
        currency: Currency::EUR,
        interval: Interval::new(unit, count).unwrap(),
        thresholds: None,
        prices: if meters { vec![price] } else { Vec::new() },
        trial_days: 0,
        seats: None,
        features: BTreeMap::new(),
        usage_plan: None,
        mirrors: Vec::new(),
        version: 1,
        created_at: Timestamp(0),
    }
}

fn pending(plan: &Plan, resets: bool, asked_at: Timestamp) -> Pending {
    let (plan, plan_version) = (plan.name.clone(), plan.version);
    Pending { plan, plan_version, seats: 0, resets, asked_at }
}

fn begun(plan: &Plan, now: Timestamp, zone: Zone, trial_days: i64) -> Subscription {
    let trial_end = (trial_days > 0).then(|| Timestamp(now.0 + trial_days * DAY_MS));
    let anchor = trial_end.unwrap_or(now);
    let first = plan.interval.period(&crate::period::Anchor { at: anchor, zone }, 0).unwrap();
    let period = trial_end.map_or(first, |to| Period { from: now, to });
    Subscription {
        entity: "acme".to_owned(),
        plan: plan.name.clone(),
        plan_version: plan.version,
        granting: true,
        state: if trial_end.is_some() { State::Trialing } else { State::Active },
        anchor,
        zone,
        period_number: if trial_end.is_some() { -1 } else { 0 },
        trial_end,
        version: 1,
        ..Subscription::begun("sub_1".to_owned(), "tea", plan.currency, period, now)
    }
}

impl Life {
    fn new(it: Subscription) -> Self {
        let charged = match it.state {
            State::Trialing => Vec::new(),
            _ => vec![it.period],
        };
        let (now, none) = (it.created_at, Vec::new);
        Self { it, now, moments: vec![now], metered: none(), charged, free: none(), unpaid: none() }
    }

    fn plan(&self) -> Plan {
        plans().into_iter().find(|it| it.name == self.it.plan).unwrap()
    }

    /// Time passes, and what is due by then happens first.
    fn pass(&mut self, part: i64) {
        let due = self.it.due().unwrap_or(Timestamp(self.now.0 + 50 * DAY_MS));
        self.now = Timestamp(self.now.0 + (due.0 - self.now.0) * part / 1000);
        self.moments.push(self.now);
        if self.it.due().is_some_and(|it| it <= self.now) {
            self.turn();
        }
    }

    fn turn(&mut self) {
        let Some(due) = self.it.due() else { return };
        assert!(due >= self.now, "time goes back");
        self.now = due;
        self.moments.push(due);
        let next = match &self.it.pending {
            Some(it) => plans().into_iter().find(|plan| plan.name == it.plan).unwrap(),
            None => self.plan(),
        };
        self.took(turn(&self.it, &next, due).unwrap());
    }

    /// Notes what happened now, and that it follows from what was.
    fn took(&mut self, turn: Turn) {
        let (before, after) = (&self.it, &turn.after);
        assert!(before.metered_from <= after.metered_from, "metered_from goes back");
        if turn.action == "subscription.renewed" || turn.action == "subscription.trial_ended" {
            assert_eq!(before.period.to, after.period.from, "a gap, or an overlap");
        }
        let was_trial = before.state == State::Trialing;
        if was_trial && after.state != State::Trialing {
            self.free.push(Period { from: before.created_at, to: self.now });
            self.unpaid.push(Period { from: before.created_at, to: self.now });
        }
        let over = after.state == State::Cancelled || before.period.to <= self.now;
        if let Some(from) = before.paused_at.filter(|_| before.state == State::Paused && over) {
            self.free.push(Period { from, to: self.now });
            self.unpaid.push(Period { from: before.period.to.max(from), to: self.now });
        }
        if let Some(period) = turn.charged {
            assert_eq!(period, after.period);
            assert!(period.millis() > 0);
            let plan = plans().into_iter().find(|it| it.name == after.plan).unwrap();
            let place = plan.interval.index_at(&after.anchor(), period.from);
            assert_eq!(place, Some(after.period_number));
            // What a reset begins anew is given back of the old period.
            if let Some(last) = self.charged.last_mut() {
                last.to = last.to.min(period.from);
            }
            self.charged.push(period);
        }
        self.metered.extend(turn.metered);
        self.it = turn.after;
    }

    fn play(&mut self, event: &Event) {
        let runs = self.it.state.runs();
        match event {
            Event::Turn => self.turn(),
            Event::Change(to) if runs => {
                let plan = &plans()[*to];
                let resets =
                    self.it.state != State::Trialing && plan.interval != self.plan().interval;
                let change = pending(plan, resets, self.now);
                self.took(changed_at(&self.it, &change, plan, self.now).unwrap());
            }
            Event::Plan(to) if runs && self.it.state != State::Trialing => {
                self.it.pending = Some(pending(&plans()[*to], false, self.now));
            }
            Event::Forget => self.it.pending = None,
            Event::CancelNow if self.it.state != State::Cancelled => {
                self.cancel(self.now);
                self.took(ended(&self.it, self.now));
            }
            Event::CancelAt(days) => self.cancel(Timestamp(self.now.0 + days * DAY_MS)),
            Event::CancelAtEnd => self.cancel(self.it.period.to.max(self.now)),
            Event::Keep => self.it.cancellation = None,
            Event::Pause if self.it.state == State::Active => {
                (self.it.state, self.it.paused_at) = (State::Paused, Some(self.now));
            }
            Event::Resume if self.it.state == State::Paused => {
                self.took(resumed(&self.it, &self.plan(), self.now).unwrap());
            }
            _ => {}
        }
    }

    fn cancel(&mut self, at: Timestamp) {
        let (reason, comment, involuntary, asked_at) = (None, None, false, self.now);
        self.it.cancellation = Some(Cancellation { at, reason, comment, involuntary, asked_at });
    }

    /// Every stretch between two things that happened was metered and charged once, or is free.
    fn check(mut self) {
        let ends = self.metered.iter().chain(&self.charged).flat_map(|it| [it.from, it.to]);
        let mut moments: Vec<_> = ends.chain(self.moments.iter().copied()).collect();
        moments.extend(self.free.iter().flat_map(|it| [it.from, it.to]));
        moments.sort();
        if self.it.state == State::Trialing {
            self.free.push(self.it.period);
            self.unpaid.push(self.it.period);
        }
        let rests = self.it.paused_at.filter(|_| self.it.state == State::Paused);
        for pair in moments.windows(2).filter(|it| it[0] < it[1]) {
            let at = Timestamp(pair[0].0 + (pair[1].0 - pair[0].0) / 2);
            let count = |all: &[Period]| all.iter().filter(|it| it.contains(at)).count();
            let (free, unpaid) = (count(&self.free) > 0, count(&self.unpaid) > 0);
            if at < self.it.metered_from {
                assert_eq!(count(&self.metered), usize::from(!free), "metered at {at}");
            } else {
                assert_eq!(count(&self.metered), 0, "metered too early at {at}");
            }
            let is_past = at < self.it.ended_at.unwrap_or(self.now);
            if is_past && !unpaid && rests.is_none_or(|it| at < it) {
                assert_eq!(count(&self.charged), 1, "charged at {at}");
            }
            assert!(count(&self.charged) <= 1, "charged twice at {at}");
        }
        if let Some(end) = self.it.ended_at {
            assert_eq!((self.it.metered_from, self.it.due()), (end, None));
        }
    }
}

fn events() -> impl Strategy<Value = Event> {
    prop_oneof![
        6 => Just(Event::Turn),
        3 => (0usize..4).prop_map(Event::Change),
        2 => (0usize..4).prop_map(Event::Plan),
        1 => Just(Event::Forget),
        1 => Just(Event::CancelNow),
        1 => (1i64..100).prop_map(Event::CancelAt),
        1 => Just(Event::CancelAtEnd),
        2 => Just(Event::Keep),
        2 => Just(Event::Pause),
        2 => Just(Event::Resume),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn every_moment_is_metered_once_and_charged_once(
        minute in 1_640_995_200i64 / 60..1_893_456_000 / 60, zone in 0usize..3, first in 0usize..4,
        trial_days in prop_oneof![Just(0i64), 1i64..40],
        events in prop::collection::vec((0i64..=1_100, events()), 1..40),
    ) {
        let zone: Zone = ZONES[zone].parse().unwrap();
        let start = Timestamp(minute * 60_000);
        let mut life = Life::new(begun(&plans()[first], start, zone, trial_days));

        for (part, event) in &events {
            // Some of it exactly when something is due.
            life.pass((*part).min(1_000));
            life.play(event);
        }

        life.check();
    }
}

#[test]
fn a_change_from_a_plan_without_meters_charges_nothing_of_what_was_before() {
    let [basic, pro, ..] = plans();
    let start = Timestamp::parse("2030-04-01T00:00:00Z").unwrap();
    let middle = Timestamp::parse("2030-04-16T00:00:00Z").unwrap();
    let it = begun(&pro, start, Zone::default(), 0);

    let changed = changed_at(&it, &pending(&basic, false, middle), &basic, middle).unwrap();
    let renewed = turn(&changed.after, &basic, changed.after.period.to).unwrap();

    assert_eq!(changed.after.period, it.period);
    assert_eq!(renewed.metered, Some(Period { from: middle, to: it.period.to }));
}

#[test]
fn what_is_used_in_a_trial_is_free_however_it_ends() {
    let [basic, pro, ..] = plans();
    let start = Timestamp::parse("2030-04-01T00:00:00Z").unwrap();
    let middle = Timestamp(start.0 + 7 * DAY_MS);
    let it = begun(&basic, start, Zone::default(), 14);

    let cancelled = ended(&it, middle);
    let changed = changed_at(&it, &pending(&pro, false, middle), &pro, middle).unwrap();
    let over = turn(&it, &basic, it.period.to).unwrap();

    assert_eq!([cancelled.metered, changed.metered, over.metered], [None; 3]);
    assert_eq!(over.charged.map(|it| it.from), Some(it.period.to));
}

#[test]
fn an_anchor_on_the_thirty_first_returns_after_a_change() {
    let [basic, pro, ..] = plans();
    let start = Timestamp::parse("2030-01-31T12:00:00Z").unwrap();
    let mut it = begun(&basic, start, Zone::default(), 0);
    let mut starts = Vec::new();

    for _ in 0..4 {
        it.pending = Some(pending(&pro, false, it.period.from));
        it = turn(&it, &pro, it.period.to).unwrap().after;
        starts.push(it.period.from.to_string()[..10].to_owned());
    }

    assert_eq!(starts, ["2030-02-28", "2030-03-31", "2030-04-30", "2030-05-31"]);
}
