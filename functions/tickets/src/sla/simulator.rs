//! The engine beside a simulator that goes minute by minute.
//!
//! `world` makes up calendars, policies and histories around the jumps of wall clocks, all on whole
//! minutes. `minutes` reads the rules once more and shares nothing with the engine but the types of
//! what it is given: its clock is chrono's, its conditions are matched by their text, and it knows
//! no stretches, only whether a minute is worked. Whatever both say has to be equal.

mod minutes;
mod world;

use std::collections::BTreeMap;

use shared::domain::Timestamp;

use self::world::{World, Zones};
use super::{
    calendar::Calendar,
    history::Told,
    policy::{Target, To},
    report::TargetState,
    terms::Promises,
    versions::{Version, Versions},
    walk::{Standing, Walk},
};

/// How many histories are gone through.
const HISTORIES: u64 = 10_000;

/// What is said of a ticket.
#[derive(Debug, PartialEq)]
pub struct Seen {
    pub targets: Vec<SeenTarget>,
    /// What of, reached when, sent when, to whom.
    pub alerts: Vec<(Told, Timestamp, Timestamp, Vec<To>)>,
}

/// What is said of one target.
#[derive(Debug, PartialEq)]
pub struct SeenTarget {
    pub state: TargetState,
    pub round: u32,
    pub counted_ms: i64,
    pub percent: Option<i64>,
    pub started_at: Option<Timestamp>,
    pub due_at: Option<Timestamp>,
    pub met_at: Option<Timestamp>,
    pub breached_at: Option<Timestamp>,
    pub breached_before: usize,
    pub by: Option<(String, i64, u32)>,
    pub reached: Vec<(u16, Timestamp)>,
}

fn promises(world: &World) -> Promises {
    let mut policies = BTreeMap::<String, Vec<_>>::new();
    for it in &world.policies {
        policies.entry(it.name.clone()).or_default().push(it.version.clone());
    }
    let mut calendars = BTreeMap::<String, Vec<_>>::new();
    for it in &world.calendars {
        let Version { number, applies_from, what } = it.version.clone();
        let what = what.map(|it| Calendar::new(it).unwrap());
        calendars.entry(it.name.clone()).or_default().push(Version { number, applies_from, what });
    }
    Promises::new(versions(policies), versions(calendars))
}

fn versions<T>(all: BTreeMap<String, Vec<Version<T>>>) -> BTreeMap<String, Versions<T>> {
    all.into_iter().map(|(name, it)| (name, Versions::new(it))).collect()
}

/// What the engine says, in the words of the simulator, as far as that one looked.
fn seen(standing: &Standing<'_>, until: Timestamp) -> Seen {
    let report = standing.report();
    let targets = report.targets.iter().zip(&standing.ahead).map(|(it, ahead)| SeenTarget {
        state: it.state,
        round: it.round,
        counted_ms: it.counted_ms,
        percent: it.percent,
        started_at: it.started_at,
        due_at: it.due_at.filter(|it| *it < until),
        met_at: it.met_at,
        breached_at: it.breached_at,
        breached_before: it.breached_before,
        by: it.by.as_ref().map(|it| (it.policy.clone(), it.version, it.minutes)),
        reached: ahead.reached.iter().map(|(a, b)| (*a, *b)).filter(|it| it.1 < until).collect(),
    });
    let alerts = standing.alerts().into_iter().filter(|it| it.at < until);
    let alerts = alerts.map(|it| (it.of, it.reached_at, it.at, it.to));
    let mut seen = Seen { targets: targets.collect(), alerts: alerts.collect() };
    seen.alerts.sort();
    seen
}

#[test]
fn the_engine_is_equal_to_a_simulator_that_goes_minute_by_minute() {
    let mut zones = Zones::default();
    let mut reached = BTreeMap::<&str, u32>::new();

    for seed in 0..HISTORIES {
        let world = World::of(seed, &mut zones);
        let expected = minutes::simulate(&world, &mut zones);
        let promises = promises(&world);
        let found = seen(&Walk::through(&promises, &world.history, world.now), world.until());

        assert!(found == expected, "history {seed}: {world:#?}\n{found:#?}\n{expected:#?}");
        for (target, it) in Target::ALL.iter().zip(&found.targets) {
            *reached.entry(target.word()).or_default() += u32::from(it.breached_at.is_some());
            *reached.entry(state(it)).or_default() += 1;
        }
        *reached.entry("alerts").or_default() += u32::from(!found.alerts.is_empty());
    }

    // The histories are not of one kind: each target was broken in hundreds of them, and each
    // state was seen in hundreds.
    assert_eq!(reached.len(), 4 + 6 + 1, "{reached:?}");
    assert!(reached.values().all(|it| *it >= 300), "{reached:?}");
}

fn state(it: &SeenTarget) -> &'static str {
    match it.state {
        TargetState::None => "is none",
        TargetState::Running => "is running",
        TargetState::Paused => "is paused",
        TargetState::Met => "is met",
        TargetState::Breached => "is breached",
        TargetState::Cancelled => "is cancelled",
    }
}
