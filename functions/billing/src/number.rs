//! The number of a document: gapless within a legal entity, a kind of document and a year.
//!
//! Article 226(2) of Directive 2006/112/EC asks for "a sequential number, based on one or more
//! series, which uniquely identifies the invoice". One series is one [`Pattern`]; whoever keeps the
//! last number gives the next one out in the same commit as the document, so that none is lost.

use std::fmt;

/// The most digits that a counter may be given.
pub const WIDTH_MAX: usize = 12;
/// The longest pattern, in bytes. Tax offices and banks cut references that are much longer.
pub const PATTERN_BYTES_MAX: usize = 40;

const YEAR: &str = "{year}";
const COUNTER: &str = "{counter:";

/// How a series writes its numbers: text with `{year}` and `{counter:6}`, each once, in any order.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Pattern {
    text: String,
    width: usize,
}

/// One number of a series, before it is written.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Number {
    /// The calendar year of the issue date, 1 to 9999.
    pub year: u16,
    /// The place in that year, from 1.
    pub counter: u64,
}

/// Why there is no such pattern or number.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Error {
    /// The pattern is not one.
    #[error(
        "a number's pattern has {{year}} and {{counter:W}} once each, W from 1 to 12, letters, digits and -/._ beside them, 40 bytes at most"
    )]
    BadPattern,
    /// All numbers of the width are used: the series needs a wider pattern.
    #[error("the series has no number left in this year; widen its counter")]
    Full,
    /// The year is not between 1 and 9999.
    #[error("a year is 1 to 9999")]
    BadYear,
}

impl Pattern {
    /// Reads a pattern, for example `ACME-{year}-{counter:6}`.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let (before, rest) = text.split_once(COUNTER).ok_or(Error::BadPattern)?;
        let (width, after) = rest.split_once('}').ok_or(Error::BadPattern)?;
        let width: usize = width.parse().map_err(|_| Error::BadPattern)?;
        let around = format!("{before}{after}");
        let plain = around.replacen(YEAR, "", 1);
        let is_plain = |it: char| it.is_ascii_alphanumeric() || "-/._".contains(it);
        // The year and the counter side by side would make 2026|1 and 202|61 one number.
        let touch = before.ends_with(YEAR) || after.starts_with(YEAR);
        let digits = before.ends_with(|it: char| it.is_ascii_digit())
            || after.starts_with(|it: char| it.is_ascii_digit());
        let fits = text.len() <= PATTERN_BYTES_MAX && (1..=WIDTH_MAX).contains(&width);
        if !fits || plain == around || !plain.chars().all(is_plain) || touch || digits {
            return Err(Error::BadPattern);
        }
        Ok(Self { text: text.to_owned(), width })
    }

    /// The last counter that the width holds.
    pub fn counter_max(&self) -> u64 {
        10u64.saturating_pow(u32::try_from(self.width).unwrap_or(u32::MAX)) - 1
    }

    /// The number for a document issued in `year`, which follows `last`: the counter that the
    /// series gave out last in that year, none when it gave out none. Each year counts from 1 for
    /// itself, so an earlier one goes on where it stood after a later one has begun.
    ///
    /// # Errors
    /// When the year is none, or has no number left.
    pub fn next(&self, last: Option<u64>, year: u16) -> Result<Number, Error> {
        let last = last.unwrap_or(0);
        match (1..=9999).contains(&year) {
            false => Err(Error::BadYear),
            true if last >= self.counter_max() => Err(Error::Full),
            true => Ok(Number { year, counter: last + 1 }),
        }
    }

    /// Writes the number: the year with four digits, the counter with leading zeros.
    pub fn write(&self, number: Number) -> String {
        let year = format!("{:04}", number.year);
        let counter = format!("{:0width$}", number.counter, width = self.width);
        self.text.replacen(YEAR, &year, 1).replacen(&self.counter_slot(), &counter, 1)
    }

    /// Reads what [`Pattern::write`] wrote. `None` when another pattern wrote it.
    pub fn read(&self, text: &str) -> Option<Number> {
        let slot = self.counter_slot();
        let year_first = self.text.find(YEAR)? < self.text.find(&slot)?;
        let year_at = self.text.find(YEAR)?;
        let counter_at = self.text.find(&slot)?;
        let (year_at, counter_at) = if year_first {
            (year_at, counter_at + 4 - YEAR.len())
        } else {
            (year_at + self.width - slot.len(), counter_at)
        };
        let year = text.get(year_at..year_at + 4)?.parse().ok()?;
        let counter = text.get(counter_at..counter_at + self.width)?.parse().ok()?;
        let number = Number { year, counter };
        (counter > 0 && self.write(number) == text).then_some(number)
    }

    fn counter_slot(&self) -> String {
        format!("{COUNTER}{}}}", self.width)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_series_counts_from_one_in_each_year() {
        let pattern = Pattern::parse("ACME-{year}-{counter:4}").unwrap();

        let first = pattern.next(None, 2026).unwrap();
        let second = pattern.next(Some(first.counter), 2026).unwrap();
        let new_year = pattern.next(None, 2027).unwrap();
        let late = pattern.next(Some(second.counter), 2026).unwrap();

        assert_eq!(pattern.write(second), "ACME-2026-0002");
        assert_eq!(pattern.write(new_year), "ACME-2027-0001");
        assert_eq!(pattern.write(late), "ACME-2026-0003");
    }

    #[test]
    fn a_full_series_is_refused_rather_than_widened() {
        let pattern = Pattern::parse("{counter:1}/{year}").unwrap();

        assert_eq!(pattern.next(Some(8), 2026), Ok(Number { year: 2026, counter: 9 }));
        assert_eq!(pattern.next(Some(9), 2026), Err(Error::Full));
        assert_eq!(pattern.next(None, 0), Err(Error::BadYear));
    }

    #[test]
    fn a_pattern_that_could_write_one_number_twice_is_refused() {
        for bad in [
            "{year}",
            "{counter:6}",
            "{year}{counter:6}",
            "{year}-1{counter:6}",
            "{year}-{counter:0}",
            "{year}-{counter:13}",
            "{year}-{year}-{counter:3}",
            "{year}-{counter:3}-{counter:3}",
            "A B-{year}-{counter:3}",
        ] {
            assert_eq!(Pattern::parse(bad), Err(Error::BadPattern), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(year in 1u16..9999, counter in 1u64..999_999, flip: bool) {
            let text = if flip { "R{counter:6}.{year}" } else { "R/{year}/{counter:6}" };
            let pattern = Pattern::parse(text).unwrap();
            let number = Number { year, counter };

            prop_assert_eq!(pattern.read(&pattern.write(number)), Some(number));
        }

        #[test]
        fn a_series_has_no_gap_in_any_year(years in prop::collection::vec(2024u16..2028, 1..40)) {
            let pattern = Pattern::parse("{year}-{counter:3}").unwrap();
            let mut given = BTreeMap::<u16, Vec<u64>>::new();
            let mut written = BTreeSet::new();
            for year in years {
                let of_year = given.entry(year).or_default();
                let next = pattern.next(of_year.last().copied(), year).unwrap();
                of_year.push(next.counter);
                prop_assert!(written.insert(pattern.write(next)), "it is given out twice");
            }
            for counters in given.values() {
                prop_assert!(counters.iter().zip(1..).all(|(counter, place)| *counter == place));
            }
        }
    }
}
