//! Prices against numbers that were worked out by hand, and properties.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn model(text: serde_json::Value) -> Model {
    serde_json::from_value::<Model>(text).unwrap().checked().unwrap()
}

fn cost(model: &Model, quantity: &str) -> i64 {
    model.charge(Quantity::parse(quantity).unwrap()).unwrap().amount
}

#[test]
fn each_unit_is_charged_by_its_tier_or_all_by_the_last() {
    let tiers = json!([
        {"up_to": 5, "unit_amount": "700"}, {"up_to": 10, "unit_amount": "650"},
        {"unit_amount": "600", "flat_amount": 100},
    ]);
    let graduated = model(json!({"model": "graduated", "tiers": tiers}));
    let volume = model(json!({"model": "volume", "tiers": tiers}));

    assert_eq!(["0", "5", "6", "20"].map(|it| cost(&graduated, it)), [0, 3500, 4150, 12_850]);
    assert_eq!(["0", "5", "6", "20"].map(|it| cost(&volume, it)), [0, 3500, 3900, 12_100]);
}

#[test]
fn packages_that_are_begun_count_whole() {
    let package = model(json!({"model": "package", "size": 1000, "amount": 500, "free": 100}));

    let costs = ["0", "100", "100.000001", "1100", "1101"].map(|it| cost(&package, it));

    assert_eq!(costs, [0, 0, 500, 500, 1000]);
}

#[test]
fn a_percentage_is_of_an_amount() {
    let plain = model(json!({"model": "percentage", "hundredths": 290, "fixed": 30}));
    let tiered = model(json!({"model": "graduated_percentage", "tiers": [
        {"up_to": 10_000, "hundredths": 300}, {"hundredths": 100, "flat_amount": 50},
    ]}));

    assert_eq!(["0", "10000", "1"].map(|it| cost(&plain, it)), [0, 320, 30]);
    assert_eq!(["10000", "20000"].map(|it| cost(&tiered, it)), [300, 450]);
}

#[test]
fn fractions_of_a_cent_are_rounded_once() {
    let price = model(json!({"model": "per_unit", "unit_amount": "0.0125"}));

    assert_eq!(["1", "39", "40", "1000000"].map(|it| cost(&price, it)), [0, 0, 1, 12_500]);
}

#[test]
fn limits_are_parts_of_their_own() {
    let limits = Limits { minimum: Some(1000), maximum: Some(2000) };
    let price = model(json!({"model": "per_unit", "unit_amount": "100"}));
    let charge = |count| limits.apply(price.charge(Quantity::of(count)).unwrap()).unwrap();

    assert_eq!([3, 15, 40].map(|it| charge(it).amount), [1000, 1500, 2000]);
    assert_eq!(charge(40).parts.iter().map(|it| it.amount).sum::<i64>(), 2000);
}

#[test]
fn what_makes_no_sense_is_refused() {
    let bad = [
        json!({"model": "graduated", "tiers": []}),
        json!({"model": "graduated", "tiers": [{"up_to": 5}]}),
        json!({"model": "volume", "tiers": [{"up_to": 5}, {"up_to": 5}, {}]}),
        json!({"model": "package", "size": 0, "amount": 1}),
        json!({"model": "percentage", "hundredths": 10_001}),
        json!({"model": "flat", "amount": -1}),
    ];

    for it in bad {
        assert!(serde_json::from_value::<Model>(it.clone()).unwrap().checked().is_err(), "{it}");
    }
    for text in ["", "-1", "1.", ".5", "1.0000001", "1e3", "1000000000000"] {
        assert!(Quantity::parse(text).is_err(), "{text}");
    }
    assert!(UnitAmount::parse("0.00000000001").is_err());
    assert!(UnitAmount::parse("100000000").is_err());
}

fn models() -> impl Strategy<Value = Model> {
    let tier = (1u64..1_000, 0i64..10_000_000_000_000, 0i64..10_000);
    let tiers = prop::collection::vec(tier, 1..5).prop_map(|all| {
        let mut end = 0;
        let count = all.len();
        let tiers = all.into_iter().enumerate().map(|(at, (width, unit, flat))| {
            end += width;
            let unit = format!("{}.{:010}", unit / UnitAmount::ONE, unit % UnitAmount::ONE);
            Tier {
                up_to: (at + 1 < count).then_some(end),
                unit_amount: UnitAmount::parse(&unit).unwrap(),
                flat_amount: flat,
            }
        });
        tiers.collect::<Vec<_>>()
    });
    prop_oneof![
        tiers.clone().prop_map(|tiers| Model::Graduated { tiers }),
        tiers.prop_map(|tiers| Model::Volume { tiers }),
        (1u64..5_000, 0i64..100_000, 0u64..500).prop_map(|(size, amount, free)| Model::Package {
            size,
            amount,
            free
        }),
        (0u32..10_000, 0i64..1_000, 0u64..500)
            .prop_map(|(hundredths, fixed, free)| Model::Percentage { hundredths, fixed, free }),
    ]
}

proptest! {
    #[test]
    fn parts_add_up_and_more_never_costs_less_in_graduated_tiers(
        model in models(), one in 0i64..5_000_000_000, more in 0i64..5_000_000_000,
    ) {
        let (less, more) =
            (Quantity::from_millionths(one), Quantity::from_millionths(one + more));

        let (first, second) = (model.charge(less).unwrap(), model.charge(more).unwrap());

        for it in [&first, &second] {
            prop_assert_eq!(it.parts.iter().map(|it| it.amount).sum::<i64>(), it.amount);
            prop_assert!(it.parts.iter().all(|it| it.amount >= 0));
        }
        if !matches!(model, Model::Volume { .. }) {
            prop_assert!(first.amount <= second.amount);
        }
    }

    #[test]
    fn what_is_written_is_read(millionths in 0i64..999_999_999_999_999_999) {
        let it = Quantity::from_millionths(millionths);

        prop_assert_eq!(Quantity::parse(&it.to_string()), Ok(it));
    }
}
