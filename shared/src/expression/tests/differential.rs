//! Where the crate `cel` has an answer too, it is ours.

use std::panic::{AssertUnwindSafe, catch_unwind};

use cel::{Context, Program, Value as Theirs};
use proptest::prelude::*;
use serde_json::Value;

use super::{
    properties::{data, texts},
    *,
};

/// Ints as ints: through serde the crate would take those above zero for uints.
fn theirs(json: &Value) -> Theirs {
    match json {
        Value::Null => Theirs::Null,
        Value::Bool(it) => Theirs::Bool(*it),
        Value::Number(it) => match (it.as_i64(), it.as_u64()) {
            (Some(it), _) => Theirs::Int(it),
            (_, Some(it)) => Theirs::UInt(it),
            _ => Theirs::Float(it.as_f64().unwrap()),
        },
        Value::String(it) => Theirs::String(it.clone().into()),
        Value::Array(it) => Theirs::List(it.iter().map(theirs).collect::<Vec<_>>().into()),
        Value::Object(it) => {
            #[expect(clippy::disallowed_types, reason = "the crate takes nothing else")]
            let map: std::collections::HashMap<String, Theirs> =
                it.iter().map(|(key, it)| (key.clone(), theirs(it))).collect();
            Theirs::Map(map.into())
        }
    }
}

/// As we write it; the crate writes moments in another way.
fn as_json(value: &Theirs) -> Option<Value> {
    Some(match value {
        Theirs::List(it) => Value::Array(it.iter().map(as_json).collect::<Option<_>>()?),
        Theirs::Map(it) => {
            let entries = it.map.iter().map(|(key, it)| Some((key.to_string(), as_json(it)?)));
            Value::Object(entries.collect::<Option<_>>()?)
        }
        Theirs::Timestamp(it) => moments::write_timestamp(&it.to_utc()).into(),
        Theirs::Duration(it) => moments::write_duration(it).into(),
        Theirs::Float(it) if !it.is_finite() => return None,
        other => other.json().ok()?,
    })
}

/// The crate's answer; none when it fails, or panics, or has an answer that is not JSON.
fn their_answer(text: &str, data: &Value) -> Option<Value> {
    catch_unwind(AssertUnwindSafe(|| {
        let program = Program::compile(text).ok()?;
        let mut context = Context::default();
        context.add_variable_from_value("it", theirs(data));
        as_json(&program.execute(&context).ok()?)
    }))
    .ok()?
}

/// Texts of the kind that is asked for, so that nearly all have an answer. The kinds are ints, doubles,
/// bools, strings and lists of ints.
fn of_kind(kind: usize, depth: usize) -> BoxedStrategy<String> {
    let leaves: [&[&str]; 5] = [
        &["it.int", "1", "-7", "3", "it.list[0]"],
        &["it.double", "1.5", "-0.25", "1e10"],
        &["true", "it.int in it.list", "has(it.none)"],
        &["it.text", "'a'", "'é,a'", "''"],
        &["it.list", "[]", "[2, 1, 2]"],
    ];
    let leaf = prop::sample::select(leaves[kind].to_vec()).prop_map(str::to_owned);
    if depth == 0 {
        return leaf.boxed();
    }
    // The digits are kinds, in whose places such texts are put.
    let shapes: [&[&str]; 5] = [
        &[
            "(0 + 0)",
            "(0 * 0)",
            "(0 - 0)",
            "0 / 0",
            "0 % 0",
            "-(0)",
            "size(3)",
            "size(4)",
            "int(1)",
            "(2 ? 0 : 0)",
            "4[0]",
            "{3: 0}[3]",
            "3.indexOf(3)",
            "3.size()",
        ],
        &[
            "(1 + 1)",
            "(1 * 1)",
            "(1 - 1)",
            "1 / 1",
            "-(1)",
            "double(0)",
            "(2 ? 1 : 1)",
            "{'k': 1}.k",
        ],
        &[
            "(2 && 2)",
            "(2 || 2)",
            "!(2)",
            "(0 < 0)",
            "(0 <= 1)",
            "(1 > 0)",
            "(3 >= 3)",
            "(0 == 1)",
            "(3 != 3)",
            "(4 == 4)",
            "({3: 0} == {3: 1})",
            "0 in 4",
            "1 in 4",
            "3 in {3: 0}",
            "4.all(x, x > 0)",
            "4.exists(x, x == 0)",
            "4.exists_one(x, 2)",
            "3.contains(3)",
            "3.startsWith(3)",
            "3.endsWith(3)",
            "3.matches('^a.*')",
            "has({'a': 0}.a)",
            "(0 / 0 == 0 || 2)",
            "(2 && 0 % 0 > 0)",
            "(2 ? 2 : 2)",
        ],
        &["(3 + 3)", "string(0)", "(2 ? 3 : 3)", "string(2)", "{'k': 3}.k"],
        &[
            "(4 + 4)",
            "[0, 0]",
            "4.filter(x, x > 0)",
            "4.map(x, x * 0)",
            "4.map(x, 2, x + 0)",
            "4.map(x, 4.size())",
            "(2 ? 4 : 4)",
        ],
    ];
    let branch = prop::sample::select(shapes[kind].to_vec()).prop_flat_map(move |shape| {
        let parts: Vec<_> = shape.chars().map(|it| part(it, depth)).collect();
        parts.prop_map(|it| it.concat())
    });
    prop_oneof![1 => leaf, 4 => branch].boxed()
}

/// The text of the kind that a digit stands for; any other character is itself.
fn part(it: char, depth: usize) -> BoxedStrategy<String> {
    match it.to_digit(10) {
        Some(kind) => of_kind(kind as usize, depth - 1),
        None => Just(it.to_string()).boxed(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(4_000) })]

    #[test]
    fn the_answers_agree(text in texts(), data in data()) {
        if let Ok(expression) = Expression::parse(&text)
            && let Ok(ours) = expression.evaluate(&[("it", &data)])
            && let Some(theirs) = their_answer(&text, &data)
        {
            prop_assert_eq!(ours, theirs, "{}", text);
        }
    }

    #[test]
    fn the_answers_to_what_makes_sense_agree(
        text in (0usize..5).prop_flat_map(|kind| of_kind(kind, 3)),
        (int, double, string, list) in (
            any::<i8>(), -100i8..100, "[aé,]{0,3}", prop::collection::vec(-3i64..4, 1..4),
        ),
    ) {
        let double = f64::from(double) / 4.0;
        let data = serde_json::json!({"int": int, "double": double, "text": string, "list": list});
        let expression = Expression::parse(&text).unwrap();
        if let Some(theirs) = their_answer(&text, &data) {
            prop_assert_eq!(expression.evaluate(&[("it", &data)]), Ok(theirs), "{}", text);
        }
    }
}
