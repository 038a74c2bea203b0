//! Worked examples that other engines publish, in fixtures/billing: each names its source.

use std::{collections::BTreeMap, fs, path::PathBuf};

use serde::{Deserialize, de::DeserializeOwned};
use shared::domain::Timestamp;

use crate::{
    money::Currency,
    period::{Anchor, Interval, Precision, Unit, Zone},
    price::{Limits, Model, Quantity},
    proration::{self, Change, Item, Rules, Side, Timing},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Price {
    source: String,
    what: String,
    price: Model,
    #[serde(default)]
    limits: Limits,
    /// What each quantity costs, in minor units.
    costs: BTreeMap<String, i64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Proration {
    source: String,
    what: String,
    begins: Timestamp,
    at: Timestamp,
    #[serde(default)]
    precision: Precision,
    /// What a period costs, and how long one is.
    old: (i64, Unit),
    new: (i64, Unit),
    back: i64,
    charged: i64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cycle {
    source: String,
    what: String,
    unit: Unit,
    /// The days on which periods begin; the first is the anchor.
    begins: Vec<String>,
}

fn read<T: DeserializeOwned>(name: &str) -> Vec<T> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/billing").join(name);
    let all: Vec<T> = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    assert!(!all.is_empty(), "{name} has no example");
    all
}

#[test]
fn prices_are_as_other_engines_tell_them() {
    for it in read::<Price>("prices.json") {
        let (model, limits) = (it.price.checked().unwrap(), it.limits.checked().unwrap());

        for (quantity, cost) in &it.costs {
            let charge = model.charge(Quantity::parse(quantity).unwrap()).unwrap();
            let amount = limits.apply(charge).unwrap().amount;
            assert_eq!(amount, *cost, "{quantity} in {}: {}", it.source, it.what);
        }
    }
}

#[test]
fn changes_in_the_middle_are_as_other_engines_tell_them() {
    for it in read::<Proration>("prorations.json") {
        let preview = proration::preview(&change(&it)).unwrap();

        let back: i64 = preview.lines.iter().map(|it| -it.amount.min(0)).sum();
        let charged: i64 = preview.lines.iter().map(|it| it.amount.max(0)).sum();
        assert_eq!((back, charged), (it.back, it.charged), "{}: {}", it.source, it.what);
    }
}

fn change(it: &Proration) -> Change {
    let zone = Zone::default();
    let side = |name: &str, (amount, unit): (i64, Unit)| Side {
        plan: name.to_owned(),
        seats: 0,
        items: vec![Item { name: name.to_owned(), amount, tax_class: None }],
        interval: Interval::new(unit, 1).unwrap(),
        currency: Currency::parse("USD").unwrap(),
    };
    let (old, new) = (side("old", it.old), side("new", it.new));
    let timing = if old.interval == new.interval { Timing::Now } else { Timing::Reset };
    Change {
        period: old.interval.period(&Anchor { at: it.begins, zone }, 0).unwrap(),
        paid: it.old.0,
        old,
        new,
        at: it.at,
        anchor: Anchor { at: it.at, zone },
        precision: it.precision,
        rules: Rules::default(),
        timing: Some(timing),
        on_trial: false,
    }
}

#[test]
fn periods_begin_when_other_engines_begin_them() {
    for it in read::<Cycle>("periods.json") {
        let interval = Interval::new(it.unit, 1).unwrap();
        let at = Timestamp::parse(&format!("{}T09:30:00Z", it.begins[0])).unwrap();
        let anchor = Anchor { at, zone: Zone::default() };
        let day = |number: usize| {
            let period = interval.period(&anchor, i64::try_from(number).unwrap()).unwrap();
            period.from.to_string()[..10].to_owned()
        };

        let begins: Vec<_> = (0..it.begins.len()).map(day).collect();

        assert_eq!(begins, it.begins, "{}: {}", it.source, it.what);
    }
}
