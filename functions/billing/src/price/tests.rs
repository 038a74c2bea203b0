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
fn what_is_beyond_all_sums_is_refused_rather_than_wrong() {
    let most = "999999999999";
    let dear = [
        json!({"model": "package", "size": 1, "amount": 999_999_999_999i64}),
        json!({"model": "per_unit", "unit_amount": "99999999"}),
        json!({"model": "volume", "tiers": [{"unit_amount": "1", "flat_amount": 1}]}),
    ];

    for it in dear {
        let charge = model(it.clone()).charge(Quantity::parse(most).unwrap());
        assert_eq!(charge, Err(Error::TooLarge), "{it}");
    }
}

#[test]
fn a_package_says_what_it_costs_however_much_that_is() {
    let dear = model(json!({"model": "package", "size": 10, "amount": 250_000_000}));

    let charge = dear.charge(Quantity::of(25)).unwrap();

    assert_eq!(charge.parts[0].to_string(), "3 packages × 250000000");
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

fn unit(parts: i64) -> UnitAmount {
    let text = format!("{}.{:010}", parts / UnitAmount::ONE, parts % UnitAmount::ONE);
    UnitAmount::parse(&text).unwrap()
}

fn models() -> impl Strategy<Value = Model> {
    let tier = (1u64..1_000, 0i64..10_000_000_000_000, 0i64..10_000);
    let tiers = prop::collection::vec(tier, 1..5).prop_map(|all| {
        let mut end = 0;
        let count = all.len();
        let tiers = all.into_iter().enumerate().map(|(at, (width, unit, flat))| {
            end += width;
            let up_to = (at + 1 < count).then_some(end);
            Tier { up_to, unit_amount: self::unit(unit), flat_amount: flat }
        });
        tiers.collect::<Vec<_>>()
    });
    let percent = |tiers: Vec<Tier>| {
        let tier = |(at, it): (usize, Tier)| PercentTier {
            up_to: it.up_to,
            hundredths: u32::try_from(at).unwrap() * 113 % 10_000,
            flat_amount: it.flat_amount,
        };
        Model::GraduatedPercentage { tiers: tiers.into_iter().enumerate().map(tier).collect() }
    };
    prop_oneof![
        (0i64..100_000).prop_map(|amount| Model::Flat { amount }),
        (0i64..UnitAmount::ONE * 100).prop_map(|it| Model::PerUnit { unit_amount: unit(it) }),
        tiers.clone().prop_map(|tiers| Model::Graduated { tiers }),
        tiers.clone().prop_map(percent),
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
    fn a_charge_keeps_its_limits_and_its_parts(
        model in models(), one in 0i64..5_000_000_000, more in 0i64..5_000_000_000,
        minimum in prop::option::of(0i64..100_000), span in prop::option::of(0i64..100_000),
    ) {
        let maximum = span.map(|it| minimum.unwrap_or(0) + it);
        let limits = Limits { minimum, maximum }.checked().unwrap();
        let charge = |it| {
            limits.apply(model.charge(Quantity::from_millionths(it)).unwrap()).unwrap()
        };

        let (first, second) = (charge(one), charge(one + more));

        for it in [&first, &second] {
            prop_assert_eq!(it.parts.iter().map(|it| it.amount).sum::<i64>(), it.amount);
            prop_assert!(minimum.is_none_or(|least| least <= it.amount));
            prop_assert!(maximum.is_none_or(|most| it.amount <= most));
        }
        if !matches!(model, Model::Volume { .. }) {
            prop_assert!(first.amount <= second.amount);
        }
    }

    #[test]
    fn graduated_tiers_cost_what_their_slices_cost(
        first in 1u64..1_000, width in 1u64..1_000, units in prop::array::uniform3(0i64..1_000),
        quantity in 0i64..3_000,
    ) {
        let tier = |up_to, cents| Tier {
            up_to, unit_amount: UnitAmount::of(cents).unwrap(), flat_amount: 0,
        };
        let ends = [Some(first), Some(first + width), None];
        let tiers: Vec<_> = ends.into_iter().zip(units).map(|(end, it)| tier(end, it)).collect();
        let counted: i64 = (0..quantity)
            .map(|it| match u64::try_from(it).unwrap() {
                it if it < first => units[0],
                it if it < first + width => units[1],
                _ => units[2],
            })
            .sum();
        let last = match u64::try_from(quantity).unwrap() {
            it if it <= first => units[0],
            it if it <= first + width => units[1],
            _ => units[2],
        };

        let graduated = Model::Graduated { tiers: tiers.clone() }.checked().unwrap();
        let volume = Model::Volume { tiers }.checked().unwrap();

        let quantity_of = Quantity::of(quantity);
        prop_assert_eq!(graduated.charge(quantity_of).unwrap().amount, counted);
        prop_assert_eq!(volume.charge(quantity_of).unwrap().amount, quantity * last);
    }

    #[test]
    fn nothing_that_can_be_asked_breaks_a_price(
        model in models(), millionths in 0i64..1_000_000_000_000_000_000, dear in 0i64..=AMOUNT_MAX,
        size in 1u64..100,
    ) {
        let quantity = Quantity::from_millionths(millionths);

        for it in [model, Model::Package { size, amount: dear, free: 0 }, Model::Flat { amount: dear }] {
            match it.charge(quantity) {
                Ok(charge) => prop_assert!((0..=AMOUNT_MAX).contains(&charge.amount)),
                Err(err) => prop_assert_eq!(err, Error::TooLarge),
            }
        }
    }

    #[test]
    fn what_is_written_is_read(millionths in 0i64..999_999_999_999_999_999) {
        let it = Quantity::from_millionths(millionths);

        prop_assert_eq!(Quantity::parse(&it.to_string()), Ok(it));
    }
}
