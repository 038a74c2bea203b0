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
}
