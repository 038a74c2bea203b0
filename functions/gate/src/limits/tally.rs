//! What the limiter has counted for us, as usage.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};
use shared::ports::{Item, PortError};

/// An item as the limiter makes it: counts by name, of what has one label.
#[derive(Deserialize)]
struct Sum {
    label: String,
    counts: BTreeMap<String, i64>,
}

/// The item as usage takes it in.
///
/// # Errors
/// When it is none of the limiter's.
pub fn usage(item: &Item) -> Result<Item, PortError> {
    let bad = |err: serde_json::Error| PortError::new("tally", format!("{}: {err}", item.id));
    let sum: Sum = serde_json::from_value(item.body.clone()).map_err(bad)?;
    let mut body: Value = serde_json::from_str(&sum.label).map_err(bad)?;
    let count = |name: &str| sum.counts.get(name).copied().unwrap_or(0);
    let under = |kind: &str| -> BTreeMap<&str, i64> {
        let named = sum.counts.iter().filter_map(|(name, n)| Some((name.strip_prefix(kind)?, *n)));
        named.collect()
    };
    for (name, value) in [
        ("passed", json!(count("passed"))),
        ("blocked", json!(count("blocked"))),
        ("units", json!(count("passed_units"))),
        ("statuses", json!(under("status:"))),
        ("latency", json!(under("latency:"))),
    ] {
        if let Some(fields) = body.as_object_mut() {
            fields.insert(name.to_owned(), value);
        }
    }
    Ok(Item { id: item.id.clone(), body })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_told_apart_by_their_names() {
        let label = json!({"app": "a", "key": "k", "at_ms": 900_000}).to_string();
        let counts = json!({
            "passed": 2, "passed_units": 7, "blocked": 1, "status:2xx": 2, "latency:12": 2,
        });
        let item = Item { id: "t:1".into(), body: json!({"label": label, "counts": counts}) };

        let body = usage(&item).unwrap().body;

        assert_eq!((&body["passed"], &body["units"]), (&json!(2), &json!(7)));
        assert_eq!(body["statuses"], json!({"2xx": 2}));
        assert_eq!(body["latency"], json!({"12": 2}));
        assert!(usage(&Item { id: "x".into(), body: json!({}) }).is_err());
    }
}
