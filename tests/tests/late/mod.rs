//! Usage that comes after its invoice: the world is the same as if it had come in time.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::world::Played;

/// What a customer used: when it was counted, for when, and how much.
type Used = (&'static str, &'static str, i64);

/// Plays usage that is told at these moments, and says what was charged for calls: by the end of
/// the period, and all of it.
fn calls_of(used: &[Used], until: &str, ends: Option<&str>) -> (BTreeMap<String, i64>, Vec<Value>) {
    let world = Played::new();
    world.catalogue();
    let it = world.customer("x", Some("ok"));
    let mut ended = false;
    for (number, (told, at, value)) in used.iter().enumerate() {
        if let Some(end) = ends.filter(|it| !ended && *it <= *told) {
            world.advance(end);
            world.post(&format!("/v1/billing/subscriptions/{it}/cancel"), json!({"at": "now"}));
            ended = true;
        }
        if *told > "2030-01-01T00:00:00Z" {
            world.advance(told);
        }
        let event = json!({
            "specversion": "1.0", "id": number.to_string(), "source": "app", "type": "calls",
            "subject": "x", "time": at, "data": {"value": value},
        });
        world.post("/v1/usage/events", event);
    }
    world.advance(until);
    let bills = world.all("/v1/billing/invoices");
    let mut sums = BTreeMap::new();
    for bill in bills.iter().filter(|it| it["number"].is_string()) {
        let sign = if bill["kind"] == "invoice" { 1 } else { -1 };
        for line in bill["lines"].as_array().unwrap().iter().filter(|it| it["price"] == "calls") {
            let end = line["period"]["to"].as_str().unwrap().to_owned();
            *sums.entry(end).or_default() += sign * line["amount"].as_i64().unwrap();
        }
    }
    assert_eq!(world.balances().values().sum::<i64>(), 0);
    assert_eq!(world.get("/v1/jobs?state=dead")["items"], json!([]));
    (sums, bills)
}

/// The same usage, each told when it was used.
fn in_time(used: &[Used]) -> Vec<Used> {
    let mut all: Vec<_> = used.iter().map(|(_, at, value)| (*at, *at, *value)).collect();
    all.sort_unstable();
    all
}

#[test]
fn usage_that_comes_late_is_charged_with_the_next_bills_as_if_it_had_come_in_time() {
    let used = [
        ("2030-01-10T00:00:00Z", "2030-01-10T00:00:00Z", 900),
        ("2030-02-10T00:00:00Z", "2030-01-20T00:00:00Z", 700),
        ("2030-02-11T00:00:00Z", "2030-02-05T00:00:00Z", 1400),
        // By then the bill of February has been made; January is asked once more with that of March.
        ("2030-03-04T00:00:00Z", "2030-01-31T22:00:00Z", 400),
        ("2030-03-05T00:00:00Z", "2030-02-20T00:00:00Z", 300),
    ];

    let (late, bills) = calls_of(&used, "2030-05-02T12:00:00Z", None);
    let (punctual, _) = calls_of(&in_time(&used), "2030-05-02T12:00:00Z", None);

    assert_eq!(late, punctual);
    let after: Vec<_> = bills
        .iter()
        .flat_map(|it| it["lines"].as_array().unwrap())
        .filter(|it| it["after"].is_string())
        .map(|it| (it["amount"].as_i64().unwrap(), it["detail"].as_str().unwrap()))
        .collect();
    assert_eq!(after, [(150, "900 → 1600"), (100, "1600 → 2000"), (75, "1400 → 1700")]);
}

#[test]
fn usage_that_is_lowered_late_is_given_back() {
    let world = Played::new();
    world.catalogue();
    world.customer("x", Some("ok"));
    let event = |id: &str, corrects: Option<&str>, value: u32| {
        let mut event = json!({
            "specversion": "1.0", "id": id, "source": "app", "type": "calls", "subject": "x",
            "data": {"value": value},
        });
        if let Some(it) = corrects {
            event["corrects"] = json!(it);
        }
        world.post("/v1/usage/events", event);
    };
    world.advance("2030-01-20T00:00:00Z");
    event("1", None, 3000);
    world.advance("2030-02-10T00:00:00Z");
    event("2", Some("1"), 500);

    world.advance("2030-04-02T00:00:00Z");

    let bills = world.all("/v1/billing/invoices");
    let lines = bills.iter().flat_map(|it| it["lines"].as_array().unwrap());
    let calls: Vec<_> = lines.filter(|it| it["price"] == "calls" && it["amount"] != 0).collect();
    let amounts: Vec<_> = calls.iter().map(|it| it["amount"].as_i64().unwrap()).collect();
    assert_eq!(amounts, [500, -500]);
    assert_eq!((&calls[1]["quantity"], &calls[1]["detail"]), (&json!(-1), &json!("3000 → 500")));
    assert_eq!(world.balances().values().sum::<i64>(), 0);
}

#[test]
fn an_invoice_that_is_taken_back_as_a_whole_is_forgiven_with_what_comes_late() {
    let world = Played::new();
    world.catalogue();
    world.customer("x", Some("ok"));
    let event = |id: &str, value: u32| {
        let event = json!({
            "specversion": "1.0", "id": id, "source": "app", "type": "calls", "subject": "x",
            "time": "2030-01-10T00:00:00Z", "data": {"value": value},
        });
        world.post("/v1/usage/events", event);
    };
    world.advance("2030-01-11T00:00:00Z");
    event("1", 3000);
    world.advance("2030-02-02T00:00:00Z");
    let bills = world.all("/v1/billing/invoices");
    let billed = bills.iter().find(|it| it["period"]["from"] == "2030-02-01T00:00:00.000Z");
    let path = format!("/v1/billing/invoices/{}/credit", billed.unwrap()["id"].as_str().unwrap());
    world.post(&path, json!({"reason": "a gift"}));
    event("2", 700);

    world.advance("2030-04-02T00:00:00Z");

    let bills = world.all("/v1/billing/invoices");
    let lines = bills.iter().flat_map(|it| it["lines"].as_array().unwrap());
    assert!(lines.clone().count() > 3 && lines.clone().all(|it| it["after"].is_null()));
}

#[test]
fn what_comes_after_the_end_of_a_subscription_is_charged_by_one_last_look() {
    let used = [
        ("2030-01-10T00:00:00Z", "2030-01-10T00:00:00Z", 1200),
        ("2030-01-25T00:00:00Z", "2030-01-12T00:00:00Z", 800),
    ];

    let (late, bills) = calls_of(&used, "2030-03-20T00:00:00Z", Some("2030-01-20T00:00:00Z"));

    assert_eq!(late.values().copied().collect::<Vec<_>>(), [250]);
    let states: Vec<_> = bills.iter().map(|it| it["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["paid", "paid", "paid"]);
}

#[test]
fn where_the_next_bill_is_a_year_away_what_comes_late_has_one_of_its_own() {
    let world = Played::new();
    world.catalogue();
    let model = json!({"model": "per_unit", "unit_amount": "2"});
    let price = json!({"name": "calls", "model": model,
        "basis": {"kind": "metered", "meter": "calls"}});
    let plan = json!({"title": "Yearly", "currency": "EUR", "prices": [price],
        "interval": {"unit": "year", "count": 1}});
    world.put("/v1/billing/plans/yearly", plan);
    world.pays_by("x", "ok");
    world.post("/v1/billing/subscriptions", json!({"customer": "x", "plan": "yearly"}));
    let event = |id: &str, value: u32| {
        let event = json!({
            "specversion": "1.0", "id": id, "source": "app", "type": "calls", "subject": "x",
            "time": "2030-12-20T00:00:00Z", "data": {"value": value},
        });
        world.post("/v1/usage/events", event);
    };
    world.advance("2030-12-21T00:00:00Z");
    event("1", 100);
    world.advance("2031-01-10T00:00:00Z");
    event("2", 30);

    world.advance("2031-02-10T00:00:00Z");

    let bills = world.all("/v1/billing/invoices");
    let paid: Vec<_> = bills.iter().filter(|it| it["state"] == "paid").collect();
    let net: Vec<_> = paid.iter().map(|it| it["totals"]["net"].as_i64().unwrap()).collect();
    assert_eq!(net, [200, 60]);
    assert_eq!(paid[1]["lines"][0]["after"], paid[0]["id"]);
}
