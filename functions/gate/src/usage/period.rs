//! Stretches of time in a zone, cut where quarters of an hour begin: the offset of every zone is
//! a multiple of 15 minutes, so hours, days and months of any zone are made of whole ones.

use std::time::Duration;

use chrono::{DateTime, Datelike, Timelike};
use chrono_tz::Tz;
use shared::domain::Timestamp;

/// How long a counter counts.
pub const QUARTER: Duration = Duration::from_secs(15 * 60);
/// The same in milliseconds.
pub const QUARTER_MS: i64 = 15 * 60 * 1000;
/// How many stretches a query may ask for: a hundred days of hours.
pub const PIECES_MAX: usize = 2_400;

/// By what time is told apart.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Unit {
    /// `2026-10-25T02:00+01:00`
    Hour,
    /// `2026-10-25`
    Day,
    /// `2026-10`
    Month,
    /// `7-02`: the day of the week, 1 is Monday, and the hour.
    WeekdayHour,
}

/// A stretch of time under a label; several may have the same.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Piece {
    /// What it is called in the answer.
    pub label: String,
    /// From this moment on.
    pub from: Timestamp,
    /// Up to this moment.
    pub to: Timestamp,
}

/// Stretches, cut into what counters tell and what only the raw events can.
#[derive(Debug, Default)]
pub struct Cut {
    /// Made of whole quarters of an hour.
    pub whole: Vec<Piece>,
    /// The ends, each within one quarter.
    pub ends: Vec<Piece>,
}

/// The start of the quarter of an hour that a moment is in.
pub fn floor(it: Timestamp) -> Timestamp {
    Timestamp(it.0.div_euclid(QUARTER_MS).saturating_mul(QUARTER_MS))
}

/// The first start of a quarter of an hour that is not before a moment.
pub fn ceil(it: Timestamp) -> Timestamp {
    if floor(it) == it { it } else { floor(it) + QUARTER }
}

impl Unit {
    fn label(self, at: Timestamp, zone: Tz) -> String {
        let Some(utc) = DateTime::from_timestamp_millis(at.0) else { return String::new() };
        let local = utc.with_timezone(&zone);
        match self {
            Self::Hour => {
                let offset = local.format("%:z");
                format!("{}:00{offset}", local.format("%Y-%m-%dT%H"))
            }
            Self::Day => local.format("%Y-%m-%d").to_string(),
            Self::Month => local.format("%Y-%m").to_string(),
            Self::WeekdayHour => {
                format!("{}-{:02}", local.weekday().number_from_monday(), local.hour())
            }
        }
    }

    /// The stretches between two moments; `None` when there are more than [`PIECES_MAX`].
    pub fn pieces(self, from: Timestamp, to: Timestamp, zone: Tz) -> Option<Vec<Piece>> {
        let mut pieces: Vec<Piece> = Vec::new();
        let mut at = from;
        while at < to {
            let (label, end) = (self.label(at, zone), (floor(at) + QUARTER).min(to));
            let full = pieces.len() == PIECES_MAX;
            match pieces.last_mut().filter(|it| it.label == label) {
                Some(last) => last.to = end,
                None if full => return None,
                None => pieces.push(Piece { label, from: at, to: end }),
            }
            at = end;
        }
        Some(pieces)
    }
}

impl Cut {
    /// Cuts these stretches.
    pub fn of(pieces: &[Piece]) -> Self {
        let mut cut = Self::default();
        for Piece { label, from, to } in pieces {
            let piece = |from, to| Piece { label: label.clone(), from, to };
            let (first, last) = (ceil(*from), floor(*to));
            if first > last {
                // All of it lies within one quarter.
                cut.ends.push(piece(*from, *to));
                continue;
            }
            let ends = [(*from, first), (last, *to)].into_iter().filter(|(from, to)| from < to);
            cut.ends.extend(ends.map(|(from, to)| piece(from, to)));
            if first < last {
                cut.whole.push(piece(first, last));
            }
        }
        cut
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    #[test]
    fn the_hour_that_comes_twice_is_two_hours() {
        let (from, to) = (at("2026-10-25T00:00:00Z"), at("2026-10-25T02:00:00Z"));

        let pieces = Unit::Hour.pieces(from, to, chrono_tz::Europe::Berlin).unwrap();

        let labels: Vec<_> = pieces.iter().map(|it| it.label.as_str()).collect();
        assert_eq!(labels, ["2026-10-25T02:00+02:00", "2026-10-25T02:00+01:00"]);
    }

    #[test]
    fn days_begin_where_the_zone_has_them() {
        let (from, to) = (at("2026-03-28T18:00:00Z"), at("2026-03-29T18:15:00Z"));

        let nepal = Unit::Day.pieces(from, to, chrono_tz::Asia::Kathmandu).unwrap();

        let starts: Vec<_> = nepal.iter().map(|it| it.from.to_string()).collect();
        assert_eq!(starts, ["2026-03-28T18:00:00.000Z", "2026-03-28T18:15:00.000Z"]);
    }

    #[test]
    fn too_many_are_none() {
        let from = at("2026-01-01T00:00:00Z");
        let to = from + Duration::from_secs(3600 * (PIECES_MAX as u64 + 1));

        assert!(Unit::Hour.pieces(from, to, chrono_tz::UTC).is_none());
        assert!(Unit::Day.pieces(from, to, chrono_tz::UTC).is_some());
    }

    proptest! {
        #[test]
        fn pieces_and_their_cut_cover_the_time_once(
            from in 1_700_000_000_000_i64..1_800_000_000_000, length in 1_i64..90_000_000,
            zone in prop::sample::select(vec!["Europe/Berlin", "Australia/Lord_Howe", "Asia/Kathmandu", "America/St_Johns"]),
        ) {
            let (from, to) = (Timestamp(from), Timestamp(from + length));
            let pieces = Unit::Hour.pieces(from, to, zone.parse().unwrap()).unwrap();
            let cut = Cut::of(&pieces);

            let mut all: Vec<_> = cut.whole.iter().chain(&cut.ends).map(|it| (it.from, it.to)).collect();
            all.sort();
            prop_assert_eq!(all.first().map(|it| it.0), Some(from));
            prop_assert_eq!(all.last().map(|it| it.1), Some(to));
            prop_assert!(all.windows(2).all(|it| it[0].1 == it[1].0));
            prop_assert!(cut.whole.iter().all(|it| floor(it.from) == it.from && floor(it.to) == it.to));
            prop_assert!(cut.ends.iter().all(|it| it.to.0 - it.from.0 < QUARTER_MS));
        }
    }
}
