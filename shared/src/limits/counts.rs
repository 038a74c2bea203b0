//! What is counted with decisions, added up until it is written.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::Ask;

/// How many, of each tenant, function, label and field.
#[derive(Default)]
pub struct Counts(BTreeMap<[String; 4], i64>);

impl Counts {
    /// Counts what goes with a decision.
    pub fn add(&mut self, ask: &Ask, admitted: bool) {
        for it in &ask.tallies {
            for (field, n) in if admitted { &it.admitted } else { &it.refused } {
                let of = [&it.tenant, &it.function, &it.label, field].map(Clone::clone);
                *self.0.entry(of).or_default() += n;
            }
        }
    }

    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each sum, and what it is of: tenant, function, label, field.
    pub fn iter(&self) -> impl Iterator<Item = (&[String; 4], i64)> {
        self.0.iter().map(|(of, n)| (of, *n))
    }

    /// As `decisions` takes them: `[tenant, function, label, field, n]` of each.
    pub fn rows(&self) -> Json {
        let row = |([tenant, function, label, field], n): (&[String; 4], &i64)| {
            json!([tenant, function, label, field, n])
        };
        self.0.iter().map(row).collect()
    }
}
