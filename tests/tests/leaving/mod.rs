//! Members who leave, and what becomes of their seats.

use serde_json::{Value, json};

use crate::world::Played;

/// Two members who sit on the two seats of a subscription, and what becomes of it when they leave.
fn after_leaving(rule: Value, entity: Value) -> (Value, Vec<Value>) {
    let world = Played::new();
    world.catalogue();
    let mut plan = world.get("/v1/billing/plans/team");
    let prices = plan["prices"].take();
    let plan = json!({"title": "team", "currency": "EUR", "prices": prices, "seats": rule});
    world.put("/v1/billing/plans/team", plan);
    let party = json!({"name": "Tea GmbH", "country": "DE", "vat_id": "DE123456789"});
    let mut all = json!({"party": party, "account": "acc_1"});
    all.as_object_mut().unwrap().extend(entity.as_object().unwrap().clone());
    world.put("/v1/billing/entities/default", all);
    let path = format!("/v1/billing/subscriptions/{}", world.customer("x", Some("ok")));
    world.get("/v1/test-clock");
    let members = ["ada", "eve"].map(|name| {
        let new = json!({"email": format!("{name}@example.com"), "name": name});
        world.post("/v1/members", new)["id"].as_str().unwrap().to_owned()
    });
    for member in &members {
        world.post(&format!("{path}/seats"), json!({"member": member}));
    }
    world.advance("2030-01-16T12:00:00Z");
    for member in &members {
        world.call("DELETE", &format!("/v1/members/{member}"), Value::Null, None);
    }
    world.get("/v1/test-clock");
    assert_eq!(world.get(&format!("{path}/seats"))["items"], json!([]), "the seats are free");
    let changed = world.get(&path);
    world.advance("2030-02-02T00:00:00Z");
    assert_eq!(world.balances().values().sum::<i64>(), 0);
    assert_eq!(world.get("/v1/jobs?state=dead")["items"], json!([]));
    let bills = world.all("/v1/billing/invoices");
    let renewed = world.get(&path);
    assert_eq!(renewed["period_number"], 1);
    (
        json!({"then": changed["seats"], "pending": changed["pending"]["seats"],
        "later": renewed["seats"]}),
        bills,
    )
}

#[test]
fn a_member_that_leaves_frees_its_seat_for_somebody_else() {
    let (seats, _) = after_leaving(json!({"min": 1, "max": 50}), json!({}));

    assert_eq!(seats, json!({"then": 2, "pending": null, "later": 2}));
}

#[test]
fn a_member_that_leaves_takes_its_seat_along_where_the_plan_says_so_down_to_the_fewest() {
    let rule = json!({"min": 1, "max": 50, "follows_members": true});
    let now = json!({"proration": {"seats_down": "now"}});

    let (later, bills) = after_leaving(rule.clone(), json!({}));
    let (at_once, notes) = after_leaving(rule, now);

    assert_eq!(later, json!({"then": 2, "pending": 1, "later": 1}));
    assert!(bills.iter().all(|it| it["kind"] == "invoice"));
    assert_eq!(at_once, json!({"then": 1, "pending": null, "later": 1}));
    // Half of the month of one seat is given back.
    let notes: Vec<_> = notes.iter().filter(|it| it["kind"] == "credit_note").collect();
    assert_eq!((notes.len(), &notes[0]["totals"]["net"]), (1, &json!(500)));
}
