//! How soon tickets are to be looked at.

use serde_json::json;

use super::*;

fn ticket(fields: serde_json::Value) -> Ticket {
    let mut all = json!({
        "id": "tkt_1", "number": 1, "subject": "S", "state": "open",
        "requester": {"email": "ada@example.com", "customer": "acme"}, "channel": "api",
        "impact": "medium", "urgency": "medium", "priority": "normal",
        "created_at": "2030-01-01T00:00:00Z", "updated_at": "2030-01-01T00:00:00Z",
    });
    for (name, value) in fields.as_object().unwrap() {
        all[name] = value.clone();
    }
    serde_json::from_value(all).unwrap()
}

fn settings(fields: serde_json::Value) -> Settings {
    serde_json::from_value(fields).unwrap()
}

#[test]
fn the_matrix_says_it_where_impact_and_urgency_meet() {
    use Priority::{High, Low, Normal, Urgent};
    let expected = [
        ("low", "low", Low),
        ("low", "medium", Low),
        ("low", "high", Normal),
        ("medium", "low", Low),
        ("medium", "medium", Normal),
        ("medium", "high", High),
        ("high", "low", Normal),
        ("high", "medium", High),
        ("high", "high", Urgent),
    ];
    for (impact, urgency, priority) in expected {
        let it =
            decide(ticket(json!({"impact": impact, "urgency": urgency})), &settings(json!({})));

        assert_eq!(it.priority, priority, "{impact} {urgency}");
        assert_eq!(it.because.len(), 1);
    }
}

#[test]
fn a_plan_a_customer_and_an_incident_raise_it_and_never_lower_it() {
    let all = settings(json!({"plans": {"pro": "high", "free": "low"}, "vips": ["acme"],
        "vip_priority": "high", "incident_priority": "urgent"}));
    let priority = |fields| decide(ticket(fields), &all).priority;
    let other = json!({"customer": "other"});

    assert_eq!(priority(json!({"requester": other})), Priority::Normal);
    assert_eq!(priority(json!({"requester": other, "plan": "pro"})), Priority::High);
    assert_eq!(priority(json!({"requester": other, "plan": "free"})), Priority::Normal);
    assert_eq!(priority(json!({})), Priority::High);
    assert_eq!(priority(json!({"incident": "inc-1"})), Priority::Urgent);
    let loud = json!({"impact": "high", "urgency": "high", "plan": "pro"});
    assert_eq!(priority(loud), Priority::Urgent);
}

#[test]
fn rules_come_after_and_a_hand_comes_before_all() {
    let all = settings(json!({"rules": [
        {"name": "down", "when": "ticket.subject.contains('down')", "at_least": "urgent",
         "team": "ops", "add_tags": ["outage"]},
        {"name": "newsletter", "when": "'newsletter' in ticket.tags", "priority": "low"},
        {"name": "senseless", "when": "ticket.nothing > 3", "priority": "urgent"},
    ]}));
    let it = decide(ticket(json!({"subject": "All is down"})), &all);
    assert_eq!((it.priority, it.team.as_deref()), (Priority::Urgent, Some("ops")));
    assert_eq!(it.tags, ["outage"]);
    assert_eq!(it.because.last().unwrap(), "rule down: urgent");

    let kept = json!({"subject": "down", "team": "sales", "tags": ["newsletter"]});
    let it = decide(ticket(kept), &all);
    assert_eq!((it.priority, it.team.as_deref()), (Priority::Low, Some("sales")));

    let by_hand = json!({"subject": "down", "priority": "low", "pinned": true});
    let it = decide(ticket(by_hand), &all);
    assert_eq!((it.priority, it.because[0].as_str()), (Priority::Low, "set by hand"));
    assert_eq!(it.team.as_deref(), Some("ops"), "rules say the rest");
}

#[test]
fn deciding_again_changes_nothing() {
    let all = settings(json!({"rules": [{"name": "a", "when": "true", "at_least": "high",
        "add_tags": ["x", "a"]}]}));
    let once = decide(ticket(json!({"tags": ["m"]})), &all);
    let twice = decide(once.clone(), &all);

    assert_eq!((&twice.priority, &twice.tags), (&once.priority, &once.tags));
}
