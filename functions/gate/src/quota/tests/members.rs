//! The parts of members: what is refused by a check, and what somebody hears.

use serde_json::{Value, json};

use super::{DAY, Place};

impl Place {
    /// The status of a check, and what it says is used up.
    fn asks(&self, body: Value) -> (u16, Value) {
        let (status, body) = self.ask("POST", "/v1/limits/check", &body);
        let body: Value = serde_json::from_slice(&body).unwrap();
        (status, body["used_up"].clone())
    }

    fn has_part(&self, more: Value) {
        let mut quota = json!({"limit": 100, "hard": true, "member_limit": 40});
        quota.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.plan("team", quota);
        self.subject("team", "keep");
    }

    fn told_of_members(&self) -> Vec<(String, i64)> {
        let told = self.logged("quota.member_reached").into_iter().map(|it| {
            let data = &it["data"];
            (data["member"].as_str().unwrap().to_owned(), data["threshold"].as_i64().unwrap())
        });
        told.collect()
    }
}

#[test]
fn a_check_refuses_the_member_whose_part_is_used_up_and_nobody_else() {
    let place = Place::new();
    place.has_part(json!({}));

    place.uses("ann", 39);
    assert_eq!(place.asks(json!({"customer": "acme", "member": "ann"})).0, 200);
    place.uses("ann", 1);

    let (status, used_up) = place.asks(json!({"customer": "acme", "member": "ann"}));
    assert_eq!(status, 429);
    let until = "2026-02-01T00:00:00.000Z";
    let own = json!([{"quota": "calls/month", "meter": "calls", "member": "ann", "until": until}]);
    assert_eq!(used_up, own);
    for other in [
        json!({"customer": "acme", "member": "bob"}),
        json!({"customer": "acme"}),
        json!({"customer": "beta", "member": "ann"}),
        json!({"customer": "acme", "member": "ann", "meters": ["tokens"]}),
    ] {
        assert_eq!(place.asks(other.clone()).0, 200, "{other}");
    }

    // What is used up for all is so for each.
    place.uses("bob", 60);
    let (status, used_up) = place.asks(json!({"customer": "acme", "member": "eve"}));
    assert_eq!((status, &used_up[0]["member"]), (429, &Value::Null));

    place.until("2026-02-01T00:00:00Z");
    assert_eq!(place.asks(json!({"customer": "acme", "member": "ann"})).0, 200);
}

#[test]
fn the_part_of_a_soft_quota_refuses_nobody_and_is_told() {
    let place = Place::new();
    place.has_part(json!({"hard": false}));

    place.uses("ann", 50);

    assert_eq!(place.asks(json!({"customer": "acme", "member": "ann"})).0, 200);
    assert_eq!(place.told_of_members(), [("ann".to_owned(), 100)]);
}

#[test]
fn each_member_is_told_of_once_in_a_window_and_after_a_correction() {
    let place = Place::new();
    place.has_part(json!({}));
    let (ann, bob) = (|it| ("ann".to_owned(), it), |it| ("bob".to_owned(), it));

    place.uses("ann", 20);
    place.uses("bob", 19);
    place.pass(DAY);
    assert_eq!(place.told_of_members(), [ann(50)]);
    place.uses("bob", 1);
    let last = place.uses("ann", 12);
    assert_eq!(place.told_of_members(), [ann(50), bob(50), ann(80)]);
    place.void(last);
    place.uses("ann", 12);
    assert_eq!(place.told_of_members().last(), Some(&ann(80)));
    assert_eq!(place.told_of_members().len(), 4);

    place.until("2026-02-01T00:00:00Z");
    place.uses("ann", 20);
    assert_eq!(place.told_of_members().len(), 5);
    let told = place.logged("quota.member_reached");
    assert_eq!(told[4]["data"]["percent"], 50);
    assert_eq!((&told[4]["data"]["used"], &told[4]["data"]["limit"]), (&json!(20), &json!(40)));
}

#[test]
fn what_the_gate_counts_is_of_the_member_too() {
    let place = Place::new();
    let policy = json!({"algorithm": "fixed_window", "limit": 100, "period_seconds": 60,
        "key": "{customer}"});
    place.done("PUT", "/v1/limits/policies/each", policy);
    place.has_part(json!({"meter": "gate.requests", "member_limit": 3}));
    let ann = json!({"customer": "acme", "member": "ann"});

    for _ in 0..3 {
        assert_eq!(place.asks(ann.clone()).0, 200);
    }
    place.pass(120);

    assert_eq!(place.asks(ann).0, 429);
    assert_eq!(place.asks(json!({"customer": "acme", "member": "bob"})).0, 200);
}
