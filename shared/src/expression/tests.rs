//! What the language means, in small cases: an expression, and its answer or its trouble.

mod adversary;
mod differential;
mod properties;

use serde_json::{Value, json};

use super::*;

/// Each with the answer it has for `event()`.
const ANSWERS: [(&str, &str); 118] = [
    // Literals.
    ("null", "null"),
    ("-9223372036854775808", "-9223372036854775808"),
    ("0x1F", "31"),
    ("-0x1F", "-31"),
    ("18446744073709551615u", "18446744073709551615"),
    (".5 + 1e-1", "0.6"),
    (r#"'it\'s' + "\u00e9\x41\101\n""#, r#""it'séAA\n""#),
    (r#"r"\d""#, r#""\\d""#),
    ("'''two\nlines'''", r#""two\nlines""#),
    ("[1, 'a', [true],]", r#"[1,"a",[true]]"#),
    (r#"{"b": 1, "a": {1: null, true: 2u},}"#, r#"{"a":{"1":null,"true":2},"b":1}"#),
    ("1 // a comment\n + 1", "2"),
    // Arithmetic.
    ("1 + 2 * 3 - 4 / 2 % 3", "5"),
    ("(1 + 2) * 3", "9"),
    ("7 / -2", "-3"),
    ("-7 % 3", "-1"),
    ("--5", "5"),
    ("- -5", "5"),
    ("-event.data.amount", "-150"),
    ("3u - 1u", "2"),
    ("1.5 * 2.0", "3.0"),
    ("double(event.data.amount) * 1.5", "225.0"),
    ("'a' + 'b' + 'c'", r#""abc""#),
    ("[1] + [] + ['b']", r#"[1,"b"]"#),
    // Comparison: numbers are numbers, whatever their kind.
    ("1 == 1.0 && 1u == 1 && 1.0 == 1u", "true"),
    ("1 < 1.5 && 2u > 1.5 && -1 < 0u", "true"),
    ("9007199254740993 > 9007199254740992.0", "true"),
    ("9223372036854775807 < 9223372036854775808.0", "true"),
    ("18446744073709551615u > 9223372036854775807", "true"),
    ("1 == '1'", "false"),
    ("null == false", "false"),
    ("1 != null", "true"),
    ("'a' < 'b' && 'B' < 'a' && false < true", "true"),
    ("[1, [2]] == [1.0, [2u]]", "true"),
    ("[1] == [1, 2]", "false"),
    ("{'a': 1, 'b': [2]} == {'b': [2.0], 'a': 1u}", "true"),
    ("{'a': 1} == {'b': 1}", "false"),
    ("double('NaN') == double('NaN')", "false"),
    ("1 < double('NaN')", "false"),
    ("1.0 / 0.0 > 1.0", "true"),
    // Logic: one that decides makes up for one that fails.
    ("!true || !!true", "true"),
    ("true || 1 / 0 == 1", "true"),
    ("1 / 0 == 1 || true", "true"),
    ("false && event.missing", "false"),
    ("event.missing && false", "false"),
    ("false || false || true", "true"),
    ("true && true && false", "false"),
    ("true || false && false", "true"),
    ("1 < 2 == true", "true"),
    ("true ? 1 : 1 / 0", "1"),
    ("false ? 1 : true ? 2 : 3", "2"),
    ("(true ? false : true) ? 1 : 2", "2"),
    // Fields and elements.
    ("event.data.amount", "150"),
    ("event['data'][\"amount\"]", "150"),
    ("event.data.none", "null"),
    ("event.channels[1]", r#""vip""#),
    ("event.channels[0.0]", r#""web""#),
    ("event.lines[0].sku.size()", "5"),
    ("{1: 'a'}[1u] + {1u: 'b'}[1.0]", r#""ab""#),
    ("{'a': 1}.a", "1"),
    ("event.as == event.type", "false"),
    ("has(event.data.amount)", "true"),
    ("has(event.data.missing)", "false"),
    ("has(event.data.none)", "true"),
    ("has({'a': 1}.a) && !has({}.a)", "true"),
    ("has(event.data.missing) && event.data.missing > 1", "false"),
    ("'vip' in event.channels", "true"),
    ("'x' in event.channels", "false"),
    ("2.0 in [1, 2]", "true"),
    ("'amount' in event.data", "true"),
    ("1 in event.data", "false"),
    ("[] in {}", "false"),
    // Macros.
    ("event.lines.all(l, l.count > 0)", "true"),
    ("event.lines.exists(l, l.count > 1)", "true"),
    ("event.lines.exists_one(l, l.count > 0)", "false"),
    ("[1, 2, 3].existsOne(i, i == 2)", "true"),
    ("event.lines.filter(l, l.count > 1).map(l, l.sku)", r#"["tea-1"]"#),
    ("[1, 2, 3].map(i, i > 1, i * i)", "[4,9]"),
    ("{'b': 1, 'a': 2}.map(k, k)", r#"["a","b"]"#),
    ("event.data.exists(k, k == 'email')", "true"),
    ("[1, 2].map(i, [3, 4].map(j, i * j))", "[[3,4],[6,8]]"),
    ("[1].map(event, event + 1)", "[2]"),
    ("[].all(i, false) && ![].exists(i, true)", "true"),
    ("[0, 2].all(i, 4 / i == 2)", "\"trouble: division by zero\""),
    ("[0, 3].all(i, 4 / i == 2)", "false"),
    ("[0, 2].exists(i, 4 / i == 2)", "true"),
    // Strings.
    ("size('héé')", "3"),
    ("event.data.email.endsWith('@example.com')", "true"),
    ("'abc'.contains('b') && 'abc'.startsWith('a')", "true"),
    ("'ÀB'.lowerAscii() + 'àb'.upperAscii()", r#""ÀbàB""#),
    ("'  a '.trim()", r#""a""#),
    ("'aaa'.replace('a', 'b') + 'aaa'.replace('a', 'b', 2)", r#""bbbbba""#),
    ("'ab'.replace('', '-')", r#""-a-b-""#),
    ("'a,b,c'.split(',')", r#"["a","b","c"]"#),
    ("'a,b,c'.split(',', 2)", r#"["a","b,c"]"#),
    ("'a,b'.split(',', 0)", "[]"),
    ("'hé'.split('')", r#"["h","é"]"#),
    ("['a', 'b'].join() + ['a', 'b'].join('-')", r#""aba-b""#),
    ("'tacocat'.substring(4) + 'tacocat'.substring(0, 4)", r#""cattaco""#),
    ("'héllo'.indexOf('l')", "2"),
    ("'a'.indexOf('z')", "-1"),
    // Patterns.
    ("'evt_12'.matches('^evt_[0-9]+$') && matches('xay', 'a')", "true"),
    ("'URGENT'.matches('(?i)urgent')", "true"),
    // Conversions.
    ("int('-12') + int(3.9) + int(4u)", "-5"),
    ("int(-3.9)", "-3"),
    ("uint('7') == 7 && uint(3.9) == 3", "true"),
    ("double('1e3') + double(1)", "1001.0"),
    ("string(1) + string(2.5) + string(true) + string('x')", r#""12.5truex""#),
    ("bool('true') && !bool('f')", "true"),
    ("dyn(1) == 1", "true"),
    // Time.
    ("timestamp(event.time) < timestamp('2030-02-01T00:00:00+01:00')", "true"),
    ("timestamp(event.time).getHours() * 60 + timestamp(event.time).getMinutes()", "750"),
    ("timestamp('2030-01-31T12:00:00Z') + duration('1h30m')", r#""2030-01-31T13:30:00Z""#),
    ("timestamp('2030-01-31T12:00:00Z') - timestamp('2030-01-31T11:59:58.5Z')", r#""1.5s""#),
    ("int(timestamp('1970-01-02T00:00:00Z'))", "86400"),
    ("string(duration('-90s')) + string(timestamp(0))", r#""-90s1970-01-01T00:00:00Z""#),
    ("timestamp('2030-01-31T12:00:00Z').getDayOfWeek()", "4"),
    ("duration('1h') == duration('60m') && duration('1h').getMinutes() == 60", "true"),
];

/// Each with what is said of it.
const TROUBLES: [(&str, &str); 30] = [
    ("event.data.missing", "no such key: missing"),
    ("event['x']", "no such key: x"),
    ("has(event.x.y)", "no such key: x"),
    ("evnt.data", "there is no variable evnt"),
    ("event.data.none.x", "null has no field x"),
    ("event.channels[2]", "there is no element 2 in a list of 2"),
    ("event.channels[-1]", "there is no element -1 in a list of 2"),
    ("event.channels[0.5]", "a list is not looked up by a double"),
    ("1 / 0", "division by zero"),
    ("1 % 0", "division by zero"),
    ("9223372036854775807 + 1", "the result of + is too large"),
    ("-9223372036854775808 / -1", "the result of / is too large"),
    ("-(-9223372036854775808)", "the result of - is too large"),
    ("0u - 1u", "the result of - is too large"),
    ("1 + 1.0", "+ does not fit an int and a double; convert one with int(), uint() or double()"),
    ("'a' + 1", "+ does not fit a string and an int"),
    ("'a' < 1", "< does not fit a string and an int"),
    ("1 in 'a'", "in does not fit an int and a string"),
    ("true && 1", "&& needs true or false, and here is an int"),
    ("!1", "! needs true or false, and here is an int"),
    ("1 ? 2 : 3", "? needs true or false, and here is an int"),
    ("1.all(i, true)", "a macro goes over a list, not an int"),
    ("{1.0: 1}", "a double is no key of a map"),
    ("{'a': 1, 'a': 2}", "the key a is there twice"),
    ("{'1': 1, 1: 2}", "two keys are 1 in JSON"),
    ("1.0 / 0.0", "JSON has no number inf"),
    ("int('12a')", "the string is not an int"),
    ("int(1e19)", "the number does not fit an int"),
    ("size(1)", "size does not fit an int"),
    ("'é'.substring(2)", "substring is out of the bounds of the string"),
];

/// Each with where it goes wrong, and how.
const MISTAKES: [(&str, usize, usize, &str); 32] = [
    ("", 1, 1, "the expression stops too early"),
    ("1 +", 1, 4, "the expression stops too early"),
    ("1 +\n  * 2", 2, 3, "a value is missing before *"),
    ("1 2", 1, 3, "the expression was over before this"),
    ("'é' 2", 1, 5, "the expression was over before this"),
    ("(1", 1, 3, ") is missing here"),
    ("[1", 1, 3, "] is missing here"),
    ("{1}", 1, 3, ": is missing here"),
    ("a ? b", 1, 6, ": is missing here"),
    ("a = b", 1, 3, "write == to compare"),
    ("a & b", 1, 3, "write && for and"),
    ("a | b", 1, 3, "write || for or"),
    ("a @ b", 1, 3, "@ has no meaning here"),
    ("'a", 1, 1, "the string has no end"),
    ("'a\nb'", 1, 1, "the string has a line break; write \\n for one"),
    (r"'\d'", 1, 1, r"\d is no escape"),
    (r"'\u12'", 1, 1, "4 digits follow this escape"),
    (r"'\ud800'", 1, 1, "this escape is no character"),
    ("b'a'", 1, 1, "bytes are not part of this language; use a string"),
    ("9223372036854775808", 1, 1, "the number is too large for an int"),
    ("1e999", 1, 1, "the number is too large"),
    ("0x", 1, 1, "the number is too large, or has no digits"),
    ("1a", 1, 1, "a number does not go on with a"),
    ("let", 1, 1, "let is a reserved word"),
    ("a.true", 1, 3, "write [\"true\"] for the field true"),
    ("a.`b`", 1, 3, "write [\"name\"] for a field with an unusual name"),
    ("frob(1)", 1, 1, "there is no function frob"),
    ("contains('a', 'b')", 1, 1, "write ….contains(…), not contains(…)"),
    ("'a'.int()", 1, 5, "write int(…), not ….int()"),
    ("size()", 1, 1, "size does not take 0 arguments"),
    ("has(a)", 1, 1, "has() asks for a field, as in has(event.data)"),
    ("a.all(1, true)", 1, 7, "a macro begins with the name of its variable"),
];

fn event() -> Value {
    json!({
        "id": "evt_1",
        "type": "order",
        "as": null,
        "time": "2030-01-31T12:30:15.250Z",
        "channels": ["web", "vip"],
        "data": {"amount": 150, "email": "ann@example.com", "none": null},
        "lines": [{"sku": "tea-1", "count": 2}, {"sku": "cup-1", "count": 1}],
    })
}

/// The answer of a text that is an expression.
fn answer(text: &str) -> Result<Value, Trouble> {
    Expression::parse(text).unwrap().evaluate(&[("event", &event())])
}

#[test]
fn expressions_have_the_answers_of_the_standard() {
    for (text, expected) in ANSWERS {
        let expected: Value = serde_json::from_str(expected).unwrap();
        let found = answer(text).unwrap_or_else(|it| format!("trouble: {it}").into());

        assert_eq!(found, expected, "{text}");
    }
}

#[test]
fn what_does_not_fit_the_data_is_said_in_words() {
    for (text, expected) in TROUBLES {
        assert_eq!(answer(text).map_err(|it| it.to_string()), Err(expected.into()), "{text}");
    }
}

#[test]
fn a_mistake_has_its_place() {
    for (text, line, column, reason) in MISTAKES {
        let expected = Mistake { line, column, reason: reason.into() };

        assert_eq!(Expression::parse(text), Err(expected), "{text}");
    }
}

#[test]
fn a_filter_holds_or_not_and_is_nothing_else() {
    let data = event();
    let holds = |text| Expression::parse(text).unwrap().holds(&[("event", &data)]);

    assert_eq!(holds(r#"event.data.amount > 100 && "vip" in event.channels"#), Ok(true));
    assert_eq!(holds("event.data.amount > 200"), Ok(false));
    assert_eq!(holds("event.data.amount"), Err(Trouble::NotBool("an int")));
}

#[test]
fn a_transform_makes_json() {
    let text = r#"{"id": event.id, "total": event.data.amount, "skus": event.lines.map(l, l.sku)}"#;

    let made = answer(text).unwrap();

    assert_eq!(made, json!({"id": "evt_1", "total": 150, "skus": ["tea-1", "cup-1"]}));
}

#[test]
fn numbers_of_json_are_ints_when_they_are_written_as_such() {
    let data = json!({"int": 10, "double": 10.0, "large": u64::MAX});
    let evaluate = |text| Expression::parse(text).unwrap().evaluate(&[("it", &data)]);

    assert_eq!(evaluate("it.int / 4"), Ok(json!(2)));
    assert_eq!(evaluate("it.double / 4.0"), Ok(json!(2.5)));
    assert_eq!(evaluate("it.large"), Ok(json!(u64::MAX)));
}

#[test]
fn an_expression_names_the_variables_it_needs() {
    let expression = Expression::parse("event.all(x, x > limit) && x == event.x").unwrap();

    assert_eq!(expression.variables().collect::<Vec<_>>(), ["event", "limit", "x"]);
}

#[test]
fn an_expression_is_its_text_on_the_wire() {
    let expression: Expression = serde_json::from_str(r#""a  >  1""#).unwrap();

    assert_eq!(serde_json::to_string(&expression).unwrap(), r#""a  >  1""#);
    let wrong = serde_json::from_str::<Expression>(r#""a >""#).unwrap_err();
    assert!(wrong.to_string().starts_with("line 1, column 4: "), "{wrong}");
}
