//! Where wall clocks jump: the moments around which everything that goes by them is tested.

use std::sync::LazyLock;

use shared::domain::{Timestamp, Zone};

/// Zones with every kind of jump: by an hour, by half of one, by two, at midnight, in the south,
/// around Ramadan, by law at short notice, and one that skipped a day.
pub const ZONES: [&str; 26] = [
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
    "Asia/Tehran",
    "Atlantic/Azores",
    "Australia/Adelaide",
    "Australia/Lord_Howe",
    "Europe/Berlin",
    "Europe/Dublin",
    "Pacific/Apia",
    "Pacific/Auckland",
    "Pacific/Chatham",
];

/// The years in which jumps are looked for: in these all of the zones have some.
const FROM: &str = "2011-01-01T00:00:00Z";
const YEARS: i64 = 12;
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// One jump of a wall clock.
#[derive(Clone, Copy, Debug)]
pub struct Jump {
    /// The first moment after it.
    pub at: Timestamp,
    /// How far, in milliseconds: forward is a gap, back an overlap.
    pub by_ms: i64,
}

/// A zone by its name.
pub fn zone(name: &str) -> Zone {
    name.parse().unwrap()
}

/// A moment as it is written.
pub fn moment(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

/// The jumps of each of [`ZONES`]: the last two gaps and the last two overlaps.
pub static JUMPS: LazyLock<Vec<(Zone, Jump)>> = LazyLock::new(|| {
    let zones = ZONES.map(zone);
    zones.iter().flat_map(|zone| jumps(*zone).map(|it| (*zone, it))).collect()
});

fn jumps(zone: Zone) -> impl Iterator<Item = Jump> {
    let start = moment(FROM).0;
    // None of these jumps there and back within a day.
    let days = (0..YEARS * 366).map(move |it| start + it * DAY_MS);
    let jump = move |day: i64| {
        let before = zone.offset_ms(Timestamp(day));
        let by_ms = zone.offset_ms(Timestamp(day + DAY_MS)) - before;
        // All of these jump on a whole minute.
        let mut minutes = (1..=1440).map(|it| Timestamp(day + it * 60_000));
        (by_ms != 0)
            .then(|| Jump { at: minutes.find(|it| zone.offset_ms(*it) != before).unwrap(), by_ms })
    };
    let found: Vec<_> = days.filter_map(jump).collect();
    let some = |forward: bool| {
        let fitting = found.iter().rev().filter(move |it| (it.by_ms > 0) == forward);
        fitting.take(2).copied().collect::<Vec<_>>()
    };
    some(true).into_iter().chain(some(false))
}

#[test]
fn each_zone_has_a_gap_and_an_overlap() {
    for name in ZONES {
        let found: Vec<_> = jumps(zone(name)).collect();

        assert!(found.iter().any(|it| it.by_ms > 0), "{name} has no gap");
        assert!(found.iter().any(|it| it.by_ms < 0), "{name} has no overlap");
    }
}
