//! What somebody writes who wants to break the isolate. All of it runs in 512 KiB of stack, unoptimised,
//! which is less than the 1 MiB that an optimised component has.

use std::{thread, time::Duration};

use serde_json::{Value, json};

use super::*;

const STACK_BYTES: usize = 512 * 1024;
/// Unoptimised, on a busy machine. Each takes milliseconds when optimised.
const TIME_MAX: Duration = Duration::from_secs(5);

/// Runs it on a small stack. An overflow ends the whole test run, so it cannot be missed.
fn on_a_small_stack<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    thread::Builder::new().stack_size(STACK_BYTES).spawn(work).unwrap().join().unwrap()
}

#[expect(clippy::disallowed_methods, reason = "a test may look at the clock")]
fn timed<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let start = std::time::Instant::now();
    let answer = work();
    let took = start.elapsed();
    let shown: String = what.chars().take(60).collect();
    assert!(took < TIME_MAX, "{shown}… took {took:?}");
    answer
}

/// Parses and evaluates it; only whether it comes back, and with what.
fn run(text: String, data: Value) -> Result<Value, String> {
    on_a_small_stack(move || {
        timed(&text, || {
            let parsed = Expression::parse(&text).map_err(|it| it.reason)?;
            parsed.evaluate(&[("it", &data)]).map_err(|it| it.to_string())
        })
    })
}

/// Openings, something, and closings, as many as an expression has room for.
fn nested(open: &str, middle: &str, close: &str) -> String {
    let times = (EXPRESSION_CHARS_MAX - middle.len()) / (open.len() + close.len());
    format!("{}{middle}{}", open.repeat(times), close.repeat(times))
}

#[test]
fn a_text_that_is_too_long_is_refused_before_it_is_read() {
    for text in ["(", "!", "[", "{1:", "-", "a.", "é"].map(|it| it.repeat(10_000)) {
        let reason = run(text, Value::Null).unwrap_err();

        assert_eq!(reason, "an expression has at most 4096 characters");
    }
}

#[test]
fn brackets_are_nested_to_a_limit() {
    let each = [
        ("(", "1", ")"),
        ("(", "", ""),
        ("[", "", ""),
        ("[", "", "]"),
        ("{1:", "1", "}"),
        ("{", "1", ":1}"),
        ("size(", "it", ")"),
        ("it[", "0", "]"),
        ("it.map(x,", "1", ")"),
        ("it.contains(", "1", ")"),
        ("!(", "true", ")"),
        ("-(", "1", ")"),
        ("1+(", "1", ")"),
        ("true&&(", "true", ")"),
        ("true?(", "1", "):1"),
        ("[1].all(x,-[1,!(true||1==1+2*(", "1", "))])"),
    ];
    for (open, middle, close) in each {
        let reason = run(nested(open, middle, close), Value::Null).unwrap_err();

        assert_eq!(reason, format!("nested more than {NESTING_MAX} deep"), "{open}");
    }
}

#[test]
fn the_deepest_that_is_allowed_needs_little_stack() {
    // All layers of the grammar at each depth. A macro and the brackets in it are two.
    for (open, middle, close, each) in [
        ("[", "it", "]", 1),
        ("it == 0 ? 0 : it < 0 || 1 > 2 ? 1 : 1 + 2 * -(", "it", ")", 1),
        ("!!(false || true && 1 == 1 + 0 * size([it].map(x, ", "x", ")))", 3),
        ("{'a': [it].map(x, x != 0, ", "it", ")}.a", 2),
        ("it.matches('a' + string(", "it", "))", 2),
    ] {
        let times = (NESTING_MAX - 1) / each;
        let text = format!("{}{middle}{}", open.repeat(times), close.repeat(times));
        let reason = run(text, json!(1)).err().unwrap_or_default();
        assert!(!reason.starts_with("nested"), "{reason}");
    }
}

/// A value can be as deep as steps are written in a row, which is more than a tree is.
#[test]
fn values_that_are_made_deep_need_little_stack() {
    let text = format!("[1]{}", ".map(s,[s])".repeat(370));

    assert_eq!(run(text.clone() + ".size()", Value::Null), Ok(json!(1)));
    assert_eq!(run(text, Value::Null).unwrap_err(), "the data is nested more than 128 deep");
}

#[test]
fn what_is_written_in_a_row_has_no_depth() {
    for (text, expected) in [
        (format!("{}true", "!".repeat(4_090)), json!(true)),
        (format!("{}1", "-".repeat(4_095)), json!(-1)),
        (format!("1{}", "+1".repeat(2_047)), json!(2_048)),
        (format!("true{}", "&&true".repeat(682)), json!(true)),
        (format!("{}1", "false?0:".repeat(511)), json!(1)),
        (format!("'a'{}", ".trim()".repeat(584)), json!("a")),
        (format!("[{}]", "1,".repeat(2_047)), json!(vec![1; 2_047])),
    ] {
        assert_eq!(run(text, Value::Null), Ok(expected));
    }
    let reason = run(format!("it{}", ".a".repeat(2_047)), json!({"a": {}})).unwrap_err();
    assert_eq!(reason, "no such key: a");
    let reason = run(format!("it{}", "[0]".repeat(1_364)), json!([[]])).unwrap_err();
    assert_eq!(reason, "there is no element 0 in a list of 0");
}

#[test]
fn work_that_multiplies_runs_out_of_fuel() {
    let thousand = json!((0..1_000).collect::<Vec<_>>());
    for text in [
        "it.map(a, it.map(b, it.map(c, a * b * c)))",
        "it.all(a, it.all(b, it.all(c, a + b + c >= 0)))",
        // A failure is absorbed, an empty tank is not.
        "it.exists(a, it.exists(b, it.exists(c, 1 / 0 == a))) || true",
        "it.map(a, it)",
        "it.map(a, it) == it.map(a, it)",
        "it.map(a, it + it)",
        "it.all(a, it == it)",
        "it.map(a, string(it.map(b, 'x').join('y').size()))",
        "it.all(a, a in it.map(b, -b - 1) || true)",
    ] {
        assert_eq!(run(text.into(), thousand.clone()).unwrap_err(), OUT_OF_FUEL, "{text}");
    }
}

const OUT_OF_FUEL: &str = "the expression does too much with this data";

#[test]
fn what_doubles_runs_out_of_fuel() {
    for (start, step) in [
        ("['ab']", ".map(s, s + s)"),
        ("[[1]]", ".map(s, s + s)"),
        ("[1]", ".map(s, [s, s])"),
        ("[1]", ".map(s, {'a': s, 'b': s})"),
        ("['aa']", ".map(s, s.replace('a', s))"),
        ("['ab']", ".map(s, s.split('').join(s))"),
    ] {
        let text = format!("{start}{}", step.repeat(100));

        assert_eq!(run(text, Value::Null).unwrap_err(), OUT_OF_FUEL, "{step}");
    }
    // Shared values are as large as what they spell, when they are compared or answered.
    let shared = format!("[1]{}", ".map(s, [s, s])".repeat(60));
    assert_eq!(run(format!("{shared} == {shared}"), Value::Null).unwrap_err(), OUT_OF_FUEL);
    assert_eq!(run(format!("{shared}.size()"), Value::Null), Ok(json!(1)));
}

#[test]
fn a_pattern_is_bounded_and_linear() {
    let long = "a".repeat(60_000);
    for pattern in
        ["(a{1000}){1000}", "((a{99}){99}){99}", "(){99999}{99999}", "(?:(?:){9999}){9999}"]
    {
        let reason = run(format!("'a'.matches('{pattern}')"), Value::Null).unwrap_err();
        assert!(reason.starts_with("the pattern is not valid or too large"), "{reason}");
        // The same when it comes with the data.
        let reason = run("it.matches(it)".into(), pattern.into()).unwrap_err();
        assert!(reason.starts_with("the pattern is not valid or too large"), "{reason}");
        let _ = run(format!("[it].map(x, '{pattern}').all(x, 'a'.matches(x))"), Value::Null);
    }
    for pattern in
        ["(a+)+$b", "(a|a)*b", "(a*)*b", "(.*)(.*)(.*)(.*)x", "^(([a-z])+.)+[A-Z]([a-z])+$"]
    {
        let _ = run(format!("it.matches('{pattern}')"), long.clone().into());
    }
    for pattern in [
        "(".repeat(1_000),
        format!("{}a{}", "(".repeat(400), ")".repeat(400)),
        "a".repeat(2_000),
        "|".repeat(1_000),
        "*".repeat(1_000),
        "a*".repeat(500),
    ] {
        let _ = run(format!("'a'.matches('{pattern}')"), Value::Null);
        let _ = run("'a'.matches(it)".into(), pattern.into());
    }
    let many = json!((0..1_000).map(|it| format!("(a{{{it}}}|b){{9}}")).collect::<Vec<_>>());
    assert_eq!(run("it.all(x, !'b'.matches(x) || true)".into(), many).unwrap_err(), OUT_OF_FUEL);
}

#[test]
fn long_texts_are_paid_for_by_whatever_reads_them() {
    let long = json!("1s".repeat(100_000));
    for call in [
        "duration(it)",
        "timestamp(it)",
        "int(it)",
        "double(it)",
        "bool(it)",
        "it.trim()",
        "it.size()",
        "it.indexOf('z')",
        "it.substring(0, 1)",
        "it.contains('z')",
        "it.matches('z')",
        "it.split('z')",
        "it.replace('z', '')",
        "it == it + ''",
        "it < it",
        "it in {}",
        "{}[it]",
    ] {
        let text = format!(
            "[1,2,3,4,5,6,7,8,9,0].all(a, [1,2,3,4,5,6,7,8,9,0].all(b, {call} != 'x' || true))"
        );
        assert_eq!(run(text, long.clone()).unwrap_err(), OUT_OF_FUEL, "{call}");
    }
    let name = "n".repeat(1_000);
    let data = json!({name.clone(): 1});
    let text = format!(
        "[1,2,3,4,5,6,7,8,9,0].all(a,[1,2,3,4,5,6,7,8,9,0].all(b,[1,2,3,4,5,6,7,8,9,0].all(c,[1,2,3,4,5,6,7,8,9,0].all(d,it.{name}==1))))"
    );
    assert_eq!(run(text, data).unwrap_err(), OUT_OF_FUEL);
}

#[test]
fn deep_data_is_read_compared_and_answered_to_a_limit() {
    let mut data = json!(1);
    for _ in 0..2_000 {
        data = Value::Array(vec![data]);
    }
    on_a_small_stack(move || {
        for text in ["it", "it == it", "[it]", "{'a': it}", "it in [it]"] {
            let trouble = Expression::parse(text).unwrap().evaluate(&[("it", &data)]).unwrap_err();
            assert_eq!(trouble.to_string(), "the data is nested more than 128 deep", "{text}");
        }
        assert_eq!(
            Expression::parse("it[0].size() == 1").unwrap().holds(&[("it", &data)]),
            Ok(true)
        );
        // Dropping such a value is the caller's business; here it would need a larger stack.
        std::mem::forget(data);
    });
}

#[test]
fn what_serde_json_reads_can_be_answered() {
    let text = format!("{}{}", "[".repeat(127), "]".repeat(127));
    let data: Value = serde_json::from_str(&text).unwrap();

    assert_eq!(run("it".into(), data.clone()), Ok(data));
}

#[test]
fn odd_ends_are_mistakes_or_troubles() {
    for text in [
        "int('9".to_owned() + &"9".repeat(400) + "')",
        "9".repeat(400),
        format!("0x{}", "f".repeat(400)),
        format!("1e{}", "9".repeat(400)),
        "9223372036854775807 * 9223372036854775807".into(),
        "-9223372036854775808 % -1".into(),
        "int(-9223372036854775808.0)".into(),
        "timestamp(9223372036854775807)".into(),
        "timestamp('9999-12-31T23:59:59Z') + duration('1s')".into(),
        "timestamp('0000-01-01T00:00:00Z')".into(),
        "duration('9".to_owned() + &"9".repeat(400) + "h')",
        "duration('1')".into(),
        "duration('-')".into(),
        "duration('1.2.3s')".into(),
        "duration('µs')".into(),
        "'a'.substring(-1)".into(),
        "'a'.substring(1, 0)".into(),
        "'a'.substring(0, 9223372036854775807)".into(),
        r"'\".into(),
        r"'\x'".into(),
        r"'\777'".into(),
        r"'\U00110000'".into(),
        r"'\uD83D\uDE00'".into(),
        "\u{0}".into(),
        "\u{feff}1".into(),
        "'''".into(),
        "r'".into(),
        "has(it.map(x, x))".into(),
        "it.map(x, x, x, x)".into(),
        "it.map(true, 1)".into(),
        ".it".into(),
        "it.".into(),
        "it.?a".into(),
        "Point{x: 1}".into(),
        "{,}".into(),
        "[,]".into(),
        "f(,)".into(),
        "1.size(".into(),
    ] {
        let outcome = run(text.clone(), json!([1]));
        assert!(outcome.is_err(), "{text}: {outcome:?}");
    }
    assert_eq!(
        run("'a,b'.split(',', -9223372036854775808).size()".into(), Value::Null),
        Ok(json!(2))
    );
    assert_eq!(
        run("'aa'.replace('a', 'b', 9223372036854775807)".into(), Value::Null),
        Ok(json!("bb"))
    );
}
