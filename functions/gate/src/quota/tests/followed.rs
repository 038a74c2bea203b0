//! What the gate takes from the log: questions of what was used, and entitlements.

use pollster::block_on;
use serde_json::{Value, json};
use shared::{
    domain::{Commit, Draft, Id},
    ports::Tenant,
};

use super::{DAY, Place};

const FROM: &str = "2026-01-01T00:00:00Z";
const TO: &str = "2026-02-01T00:00:00Z";

impl Place {
    /// Somebody else writes this into the log, and the gate reads it.
    fn logs(&self, all: &[(&'static str, &str, Value)]) {
        let entries = all.iter().fold(Commit::new(), |commit, (action, subject, data)| {
            let subject = Id::trusted((*subject).to_owned());
            commit.entry(Draft::new(action, &subject).with(data.clone()))
        });
        block_on(self.tenant().commit(entries)).unwrap();
        self.pass(10);
    }

    fn is_entitled(&self, data: Value) {
        self.logs(&[("entitlement.changed", "acme", data)]);
    }

    /// The data of the log's entries with this action, in their order.
    pub fn logged(&self, action: &str) -> Vec<Value> {
        const LOGGED: &str =
            "select entry from log where tenant = ?1 and action = ?2 order by sequence";
        let rows = block_on(self.tenant().query(LOGGED, [action.into()])).unwrap();
        let read = |row: shared::ports::Row| {
            let [entry] = row.columns().unwrap();
            entry.json::<Value>().unwrap()
        };
        rows.into_iter().map(read).collect()
    }
}

fn question(id: &str, changes: Value) -> (&'static str, &str, Value) {
    let mut data = json!({
        "question": id, "invoice": "inv_1", "customer": "acme", "meter": "calls",
        "from": FROM, "to": TO, "group_by": null,
    });
    data.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    ("usage.asked", id, data)
}

#[test]
fn a_question_is_told_the_exact_value_once() {
    let place = Place::new();
    place.uses("ann", 40);
    place.uses("bob", 2);

    place.logs(&[
        question("usk_1", json!({})),
        question("usk_2", json!({"group_by": "member"})),
        question("usk_3", json!({"customer": "other"})),
        question("usk_4", json!({"to": FROM})),
    ]);
    place.pass(DAY);

    let told = place.logged("usage.told");
    let subjects: Vec<_> = told.iter().map(|it| it["subject"].as_str().unwrap()).collect();
    assert_eq!(subjects, ["usk_1", "usk_2", "usk_3", "usk_4"]);
    assert_eq!(
        told[0]["data"],
        json!({"question": "usk_1", "invoice": "inv_1", "customer": "acme", "meter": "calls",
            "from": FROM, "to": TO, "value": "42", "groups": {}})
    );
    assert_eq!(told[1]["data"]["value"], "42");
    assert_eq!(told[1]["data"]["groups"], json!({"ann": "40", "bob": "2"}));
    assert_eq!(told[2]["data"]["value"], "0");
    assert_eq!(told[3]["data"]["value"], "0");
}

#[test]
fn a_question_of_a_subscription_is_answered_to_it() {
    let place = Place::new();
    place.uses("ann", 40);

    place.logs(&[question("usk_1", json!({"invoice": null, "subscription": "sub_1"}))]);

    let told = place.logged("usage.told");
    assert_eq!(told[0]["data"]["subscription"], "sub_1");
    assert_eq!(told[0]["data"]["value"], "40");
}

#[test]
fn a_question_without_an_answer_is_told_why() {
    let place = Place::new();
    place.uses("ann", 40);
    place.pass(80 * DAY);

    place.logs(&[
        question("usk_1", json!({"meter": "nothing"})),
        question("usk_2", json!({"group_by": "colour"})),
        question("usk_3", json!({"from": "soon"})),
        question("usk_4", json!({"from": TO, "to": FROM})),
        // Of that quarter of an hour the raw events are gone.
        question("usk_5", json!({"from": "2026-01-01T00:00:01Z"})),
        question("usk_6", json!({"customer": null})),
        question("usk_7", json!({})),
    ]);

    let told = place.logged("usage.told");
    let reasons = [
        "there is no meter nothing",
        "group_by is one of member, key, route",
        "",
        "from is before to, by 400 days at most",
        "only whole quarters of an hour are known",
        "",
    ];
    assert_eq!(told.len(), reasons.len() + 1);
    for (it, why) in told.iter().zip(reasons) {
        let error = it["data"]["error"].as_str().unwrap();
        assert!(!error.is_empty() && error.contains(why), "{it}");
        assert!(it["data"].get("value").is_none(), "{it}");
    }
    assert_eq!(told[6]["data"]["value"], "40", "the others do not hold it up");
}

#[test]
fn more_groups_than_fit_are_not_cut_off() {
    let place = Place::new();
    for number in 0..=crate::usage::asked::GROUPS_MAX {
        place.uses(&format!("member{number}"), 1);
    }

    place.logs(&[question("usk_1", json!({"group_by": "member"}))]);

    let told = place.logged("usage.told");
    assert!(told[0]["data"]["error"].as_str().unwrap().contains("more than 100 groups"));
}

#[test]
fn an_entitled_customer_has_the_plan_until_it_is_not() {
    let place = Place::new();
    place.plan("pro", json!({"limit": 1000}));
    let anchor = "2026-01-31T10:00:00.000Z";
    let pro = json!({"customer": "acme", "plan": "pro", "anchor": anchor,
        "zone": "Europe/Berlin", "seats": 3, "features": {"sso": true}});

    place.is_entitled(pro.clone());

    let subject = place.get("/v1/usage/subjects/acme");
    assert_eq!((&subject["plan"], &subject["anchor"]), (&json!("pro"), &json!(anchor)));
    assert_eq!(subject["zone"], "Europe/Berlin");
    assert_eq!(place.standing()["limit"], 1000);
    // More seats are nothing to the gate.
    place.is_entitled(pro);
    assert_eq!(place.logged("subject.put").len(), 1);

    // A plan of billing that is none of usage takes it away, as no plan does, and once.
    place.is_entitled(json!({"customer": "acme", "plan": "free"}));
    place.is_entitled(json!({"customer": "acme", "plan": null}));
    assert_eq!(place.ask("GET", "/v1/usage/subjects/acme", &Value::Null).0, 404);
    let taken = place.logged("subject.deleted");
    assert_eq!(taken.len(), 1);
    assert_eq!(taken[0]["data"]["entitled_to"], "free");
}

#[test]
fn what_was_set_by_hand_is_overwritten_and_the_log_says_so() {
    let place = Place::new();
    place.plan("pro", json!({"limit": 1000}));
    place.plan("max", json!({"limit": 5000}));
    place.subject("max", "keep");

    place.is_entitled(json!({"customer": "acme", "plan": "pro"}));

    let subject = place.get("/v1/usage/subjects/acme");
    assert_eq!(subject["plan"], "pro");
    assert_eq!(subject["history"].as_array().unwrap().len(), 2);
    let put = place.logged("subject.put");
    assert_eq!(put[1]["data"]["replaced"]["plan"], "max");
    assert!(put[1]["data"]["entitlement"].is_i64());
    // By hand again, to the same plan: the next entitlement says that as well, and then is quiet.
    place.subject("pro", "keep");
    place.is_entitled(json!({"customer": "acme", "plan": "pro"}));
    place.is_entitled(json!({"customer": "acme", "plan": "pro"}));
    let put = place.logged("subject.put");
    assert_eq!(put.len(), 4);
    assert_eq!(put[3]["data"]["replaced"]["plan"], "pro");
}

#[test]
fn of_several_entitlements_the_last_holds_and_a_bad_one_stops_nobody() {
    let place = Place::new();
    place.plan("pro", json!({"limit": 1000}));
    place.plan("max", json!({"limit": 5000}));
    let changed = |data| ("entitlement.changed", "acme", data);

    place.logs(&[
        changed(json!({"customer": "acme", "plan": "pro"})),
        changed(json!({"customer": "acme", "plan": "pro", "zone": "Mars/Base"})),
        changed(json!({"customer": "acme", "plan": "max"})),
        changed(json!({"customer": "late", "plan": "pro", "anchor": "2300-01-01T00:00:00Z"})),
        changed(json!({"customer": "other", "plan": "pro"})),
    ]);

    assert_eq!(place.get("/v1/usage/subjects/acme")["plan"], "max");
    assert_eq!(place.get("/v1/usage/subjects/other")["plan"], "pro");
    assert_eq!(place.ask("GET", "/v1/usage/subjects/late", &Value::Null).0, 404);
    assert_eq!(place.logged("entitlement.refused").len(), 2);
}
