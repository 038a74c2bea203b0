//! Whatever the text and the data, there is an answer, a mistake or a trouble, and no panic.

use proptest::prelude::*;
use serde_json::Value;

use super::*;

/// Data of a few levels.
pub(super) fn data() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-3i64..4).prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[aébB,-]{0,4}".prop_map(Value::from),
        Just("2030-01-31T12:00:00Z".into()),
        Just("1h".into()),
        Just("^a+$".into()),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec(("[abc]", inner), 0..4)
                .prop_map(|it| Value::Object(it.into_iter().collect())),
        ]
    })
}

/// Texts that are expressions, mostly: of every operator, macro and function.
pub(super) fn texts() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        prop::sample::select(vec![
            "it",
            "x",
            "null",
            "true",
            "false",
            "0",
            "1",
            "-1",
            "2u",
            "1.5",
            "1e300",
            "'a'",
            "''",
            "'é,a'",
            "[]",
            "{}",
            "9223372036854775807",
            "-9223372036854775808",
            "'1h'",
            "'[ab]+'",
        ])
        .prop_map(str::to_owned),
        any::<i32>().prop_map(|it| it.to_string()),
    ];
    leaf.prop_recursive(4, 40, 3, |inner| {
        let operators =
            vec!["+", "-", "*", "/", "%", "==", "!=", "<", "<=", ">", ">=", "&&", "||", "in"];
        let methods = vec![
            "contains",
            "startsWith",
            "endsWith",
            "matches",
            "split",
            "join",
            "indexOf",
            "substring",
            "replace",
            "trim",
            "size",
            "lowerAscii",
            "upperAscii",
            "getHours",
            "getFullYear",
            "getMilliseconds",
        ];
        let functions =
            vec!["size", "int", "uint", "double", "string", "bool", "timestamp", "duration", "dyn"];
        let macros = vec!["all", "exists", "exists_one", "filter", "map"];
        let one = inner.clone();
        prop_oneof![
            (one.clone(), prop::sample::select(operators), one.clone())
                .prop_map(|(a, sign, b)| format!("({a} {sign} {b})")),
            (one.clone(), one.clone(), one.clone())
                .prop_map(|(a, b, c)| format!("({a} ? {b} : {c})")),
            one.clone().prop_map(|it| format!("!({it})")),
            one.clone().prop_map(|it| format!("-({it})")),
            one.clone().prop_map(|it| format!("({it}).a")),
            one.clone().prop_map(|it| format!("has(({it}).a)")),
            (one.clone(), one.clone()).prop_map(|(a, b)| format!("({a})[{b}]")),
            (one.clone(), one.clone()).prop_map(|(a, b)| format!("[{a}, {b}]")),
            (one.clone(), one.clone()).prop_map(|(a, b)| format!("{{{a}: {b}}}")),
            (prop::sample::select(functions), one.clone())
                .prop_map(|(name, it)| format!("{name}({it})")),
            (one.clone(), prop::sample::select(methods), prop::collection::vec(one.clone(), 0..3))
                .prop_map(|(it, name, with)| format!("({it}).{name}({})", with.join(", "))),
            (one.clone(), prop::sample::select(macros), one)
                .prop_map(|(it, name, body)| format!("({it}).{name}(x, {body})")),
        ]
    })
}

/// Pieces of the language in no order.
fn rubble() -> impl Strategy<Value = String> {
    let pieces = vec![
        "a",
        ".",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        "1",
        "0x",
        "u",
        "e5",
        "\"",
        "'",
        "\\",
        "\\u00",
        "r'",
        "b'",
        "?",
        ":",
        "&&",
        "||",
        "!",
        "-",
        "+",
        " ",
        "in",
        "has(",
        ".all(x,",
        ".map(x,",
        ",",
        "é",
        "\n",
        "//",
        "`",
        "==",
        "<",
        "null",
        "true",
        "'''",
        "\r",
        ".5",
        "size(",
        ".matches('",
    ];
    prop::collection::vec(prop::sample::select(pieces), 0..24).prop_map(|it| it.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn no_text_makes_parsing_panic(text in ".{0,64}") {
        let _ = Expression::parse(&text);
    }

    #[test]
    fn no_rubble_makes_it_panic(text in rubble()) {
        if let Ok(expression) = Expression::parse(&text) {
            let _ = expression.evaluate(&[("a", &Value::Null)]);
        }
    }

    #[test]
    fn no_expression_and_no_data_make_it_panic(text in texts(), data in data()) {
        if let Ok(expression) = Expression::parse(&text) {
            let answer = expression.evaluate(&[("it", &data)]);
            // Nothing but the text and the data decides.
            prop_assert_eq!(expression.evaluate(&[("it", &data)]), answer);
        }
    }

    #[test]
    fn no_pattern_makes_it_panic(pattern in r"[a(){}\[\]|*+?.^$\\dwbp1,9-]{0,24}", text in "[a19é ]{0,12}") {
        let expression = Expression::parse("it[0].matches(it[1])").unwrap();
        let _ = expression.evaluate(&[("it", &serde_json::json!([text, pattern]))]);
    }

    #[test]
    fn no_moment_makes_it_panic(a in "[0-9hmsu.-]{0,16}", b: i64) {
        for text in ["duration(it[0])", "timestamp(it[1])", "timestamp(it[1]) + duration(it[0])",
            "timestamp(it[1]) - timestamp(0)", "timestamp(it[0])"] {
            let expression = Expression::parse(text).unwrap();
            let _ = expression.evaluate(&[("it", &serde_json::json!([a, b]))]);
        }
    }

    #[test]
    fn data_is_answered_as_it_was(data in data()) {
        let expression = Expression::parse("it").unwrap();
        prop_assert_eq!(expression.evaluate(&[("it", &data)]), Ok(data));
    }
}
