//! Versions: what applies from which moment on. Pure.
//!
//! Each put is a version, with the moment from which it applies. At any moment the one that applies
//! is the one with the latest such moment up to then, and of two with the same one the later put. So
//! what is planned for June stays so when something is put for March.

use shared::domain::Timestamp;

/// Something as it was put.
#[derive(Clone, Debug)]
pub struct Version<T> {
    /// 1, 2, 3 … in the order of the puts.
    pub number: i64,
    /// From when it applies.
    pub applies_from: Timestamp,
    /// What applies. `None` is the end of it.
    pub what: Option<T>,
}

/// All versions of one thing.
#[derive(Clone, Debug)]
pub struct Versions<T>(Vec<Version<T>>);

impl<T> Versions<T> {
    /// These, in any order.
    pub fn new(mut all: Vec<Version<T>>) -> Self {
        all.sort_by_key(|it| (it.applies_from, it.number));
        Self(all)
    }

    /// The one that applies at this moment. `None` when it is before all of them.
    pub fn at(&self, moment: Timestamp) -> Option<&Version<T>> {
        self.0.get(..self.0.partition_point(|it| it.applies_from <= moment))?.last()
    }

    /// The one that applies at this moment, or else the first.
    pub fn at_or_first(&self, moment: Timestamp) -> Option<&Version<T>> {
        self.at(moment).or(self.0.first())
    }

    /// The one that applies at this moment, and those that do later; or all that ever did.
    pub fn from(&self, moment: Timestamp, ever: bool) -> impl Iterator<Item = &Version<T>> {
        let past = self.0.partition_point(|it| it.applies_from <= moment);
        let skipped = if ever { 0 } else { past.saturating_sub(1) };
        self.0.iter().skip(skipped)
    }

    /// When what applies changes.
    pub fn moments(&self) -> impl Iterator<Item = Timestamp> {
        self.0.iter().map(|it| it.applies_from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_that_applies_counts_and_of_two_the_later_put() {
        let put = |number, from, what| Version { number, applies_from: Timestamp(from), what };
        let all = Versions::new(vec![
            put(1, 10, Some('a')),
            put(2, 30, Some('b')),
            put(3, 20, Some('c')),
            put(4, 20, Some('d')),
            put(5, 40, None),
        ]);
        let at = |moment| all.at(Timestamp(moment)).map(|it| it.what);

        assert_eq!(at(9), None);
        assert_eq!(at(10), Some(Some('a')));
        assert_eq!(at(20), Some(Some('d')));
        assert_eq!(at(30), Some(Some('b')));
        assert_eq!(at(99), Some(None));
        let from = |moment, ever| all.from(Timestamp(moment), ever).map(|it| it.number);
        assert_eq!(from(20, false).collect::<Vec<_>>(), [4, 2, 5]);
        assert_eq!(from(20, true).count(), 5);
        assert_eq!(from(0, false).count(), 5);
        assert_eq!(all.at_or_first(Timestamp(0)).map(|it| it.number), Some(1));
    }
}
