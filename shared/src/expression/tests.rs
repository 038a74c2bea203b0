//! What the language means, in small cases.

use serde_json::{Value, json};

use super::*;

fn event() -> Value {
    json!({
        "id": "evt_1",
        "type": "order",
        "time": "2030-01-31T12:30:15.250Z",
        "channels": ["web", "vip"],
        "data": {"amount": 150, "rate": 1.5, "email": "ann@example.com", "none": null},
        "lines": [{"sku": "tea-1", "count": 2}, {"sku": "cup-1", "count": 1}],
    })
}

/// The answer of a text that is an expression.
fn answer(text: &str) -> Result<Value, Trouble> {
    Expression::parse(text).unwrap().evaluate(&[("event", &event())])
}

#[test]
fn a_filter_holds_or_not() {
    let filter =
        Expression::parse(r#"event.data.amount > 100 && "vip" in event.channels"#).unwrap();

    assert_eq!(filter.holds(&[("event", &event())]), Ok(true));
}

#[test]
fn a_transform_makes_json() {
    let text = r#"{"id": event.id, "total": event.data.amount, "skus": event.lines.map(l, l.sku)}"#;

    assert_eq!(answer(text), Ok(json!({"id": "evt_1", "total": 150, "skus": ["tea-1", "cup-1"]})));
}
