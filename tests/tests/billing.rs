//! A year of a sandbox: renewals, usage, changes, payments that fail and what follows. A bank of
//! ours stands in for the payment providers: it follows what they follow, and says what they say.

mod late;
mod leaving;
mod progressive;
mod world;

use std::time::Duration;

use serde_json::{Value, json};
use world::Played;

/// Plays the year, and says what there is at its end.
fn year() -> (Vec<Value>, Vec<Value>) {
    let world = Played::new();
    world.catalogue();
    let ok = world.customer("ok", Some("ok"));
    let flaky = world.customer("flaky", Some("ok"));
    world.pays_by("flaky", "flaky");
    let transfer = world.customer("transfer", None);
    assert_eq!([&ok, &transfer].map(|it| world.state(it)), ["active", "active"]);
    for month in 1..=12u32 {
        for id in ["ok", "flaky", "transfer"] {
            let event = json!({
                "specversion": "1.0", "id": format!("{id}-{month}"), "source": "app",
                "type": "calls", "subject": id, "data": {"value": 900 + 100 * month},
            });
            world.post("/v1/usage/events", event);
        }
        let path = format!("/v1/billing/subscriptions/{ok}/change");
        match month {
            3 => drop(world.post(&path, json!({"plan": "business"}))),
            5 => drop(world.post(&path, json!({"seats": 5}))),
            8 => drop(world.post(&path, json!({"plan": "team"}))),
            _ => {}
        }
        let (year, next) = if month == 12 { (2031, 1) } else { (2030, month + 1) };
        world.advance(&format!("{year}-{next:02}-15T12:00:00Z"));
        for bill in world.all("/v1/billing/invoices?customer=transfer") {
            if bill["state"] == "open" {
                let id = bill["id"].as_str().unwrap();
                world.post(&format!("/v1/billing/invoices/{id}/payments"), json!({}));
            }
        }
    }
    check(&world, &[ok, flaky, transfer]);
    (world.all("/v1/billing/invoices"), world.all("/v1/billing/ledger"))
}

fn check(world: &Played, subscriptions: &[String]) {
    let states: Vec<_> = subscriptions.iter().map(|it| world.state(it)).collect();
    assert_eq!(states, ["active", "active", "active"]);
    let balances = world.balances();
    assert_eq!(balances.values().sum::<i64>(), 0);
    assert!(balances["revenue"] < 0 && balances["cash"] > 0, "{balances:?}");
    let bills = world.all("/v1/billing/invoices");
    let owed: i64 = bills
        .iter()
        .filter(|it| it["state"] == "open")
        .map(|it| it["totals"]["due"].as_i64().unwrap() - it["paid"].as_i64().unwrap())
        .sum();
    assert_eq!(balances["receivable"], owed, "what is owed is what is open");
    // Numbers are gapless in each year, whatever came in between.
    for year in ["2030", "2031"] {
        let number = |it: &Value| {
            let text = it["number"].as_str()?.strip_prefix(&format!("{year}-"))?.to_owned();
            (it["kind"] == "invoice").then(|| text.parse::<u64>().unwrap())
        };
        let mut numbers: Vec<_> = bills.iter().filter_map(number).collect();
        numbers.sort_unstable();
        let count = u64::try_from(numbers.len()).unwrap();
        assert_eq!(numbers, (1..=count).collect::<Vec<_>>(), "{year}");
    }
    let jobs = world.get("/v1/jobs?state=dead");
    assert_eq!(jobs["items"], json!([]));
}

#[test]
fn a_year_is_the_same_however_often_it_is_played() {
    let (bills, postings) = year();
    let (again, postings_again) = year();

    assert!(bills.len() > 36, "{}", bills.len());
    assert_eq!(bills, again);
    assert_eq!(postings, postings_again);
}

#[test]
fn a_first_payment_that_is_refused_grants_nothing_and_ends_after_a_day() {
    let world = Played::new();
    world.catalogue();

    let it = world.customer("stolen", Some("stolen"));
    let granted = world.get("/v1/billing/customers/stolen/entitlements");
    let before = world.state(&it);
    world.advance("2030-01-03T00:00:00Z");

    assert_eq!((before.as_str(), &granted["plan"]), ("incomplete", &Value::Null));
    assert_eq!(world.state(&it), "cancelled");
    let balances = world.balances();
    assert_eq!((balances["receivable"], balances.get("cash").copied().unwrap_or(0)), (0, 0));
}

#[test]
fn a_renewal_that_is_not_paid_goes_through_dunning_and_another_card_ends_it() {
    let world = Played::new();
    world.catalogue();
    let it = world.customer("x", Some("ok"));
    world.pays_by("x", "stolen");

    world.advance("2030-02-02T00:00:00Z");
    let late = world.state(&it);
    let has = world.get("/v1/billing/customers/x/entitlements")["plan"].clone();
    world.advance("2030-02-10T00:00:00Z");
    let after_grace = world.get("/v1/billing/customers/x/entitlements")["plan"].clone();
    world.pays_by("x", "ok");
    world.memory.advance(Duration::from_secs(10));
    world.get("/v1/test-clock");

    assert_eq!((late.as_str(), has), ("past_due", json!("team")));
    assert_eq!(after_grace, Value::Null);
    assert_eq!(world.state(&it), "active");
    assert_eq!(world.get("/v1/billing/customers/x/entitlements")["plan"], "team");
}

#[test]
fn smart_days_try_again_on_a_working_day_at_the_hour_of_the_last_payment() {
    let world = Played::new();
    world.catalogue();
    let dunning = json!({
        "retry_days": [2, 3, 7], "grace_days": 7, "last": "cancel", "smart": true,
    });
    let party = json!({"name": "Tea GmbH", "country": "DE", "vat_id": "DE123456789"});
    let entity = json!({"party": party, "account": "acc_1", "dunning": dunning});
    world.put("/v1/billing/entities/default", entity);
    let it = world.customer("x", Some("ok"));
    world.pays_by("x", "flaky");

    // It is refused on Friday the 1st; days 2 and 3 are a weekend, and the first month was paid
    // at midnight.
    world.advance("2030-02-12T12:00:00Z");

    let bills = world.all("/v1/billing/invoices");
    let bill = bills.iter().find(|it| it["failures"][0].is_object()).unwrap();
    let refused = bill["failures"].as_array().unwrap();
    let days: Vec<_> = refused.iter().map(|it| &it["at"].as_str().unwrap()[..16]).collect();
    assert_eq!(days, ["2030-02-01T01:00", "2030-02-04T00:00"]);
    assert_eq!(&bill["paid_at"].as_str().unwrap()[..16], "2030-02-08T00:00");
    assert_eq!(world.state(&it), "active");
}

#[test]
fn what_is_never_paid_is_given_up_and_the_subscription_ends() {
    let world = Played::new();
    world.catalogue();
    let it = world.customer("x", Some("ok"));
    world.pays_by("x", "stolen");

    world.advance("2030-03-20T00:00:00Z");

    assert_eq!(world.state(&it), "cancelled");
    let states: Vec<_> = world.all("/v1/billing/invoices");
    let states: Vec<_> = states.iter().map(|it| it["state"].as_str().unwrap()).collect();
    assert!(states.contains(&"uncollectible"), "{states:?}");
    let balances = world.balances();
    assert_eq!(balances.values().sum::<i64>(), 0);
    assert!(balances["bad_debt"] > 0, "{balances:?}");
}

#[test]
fn a_change_whose_payment_fails_leaves_everything_as_it_was() {
    let world = Played::new();
    world.catalogue();
    let it = world.customer("x", Some("ok"));
    let path = format!("/v1/billing/subscriptions/{it}");
    let before = world.get(&path);
    world.pays_by("x", "stolen");

    world.post(&format!("{path}/change"), json!({"plan": "business"}));
    world.get("/v1/test-clock");
    let after = world.get(&path);

    for field in ["plan", "plan_version", "seats", "period", "state", "charged"] {
        assert_eq!(before[field], after[field], "{field}");
    }
    assert_eq!(after["awaiting_payment"], Value::Null);
    let numbered = world.all("/v1/billing/invoices");
    let numbered = numbered.iter().filter(|it| it["number"].is_string()).count();
    assert_eq!(numbered, 1, "what fell through has no number");
}

#[test]
fn a_change_that_is_paid_in_the_next_period_gives_back_only_what_that_one_cost() {
    let world = Played::new();
    world.catalogue();
    let path = format!("/v1/billing/subscriptions/{}", world.customer("x", Some("ok")));
    world.advance("2030-01-31T12:00:00Z");
    world.pays_by("x", "slow");

    world.post(&format!("{path}/change"), json!({"plan": "business"}));
    let asked = world.get(&path);
    world.advance("2030-02-02T00:00:00Z");
    let after = world.get(&path);

    assert!(asked["awaiting_payment"].is_string(), "{asked}");
    assert_eq!((&after["plan"], &after["period_number"]), (&json!("business"), &json!(1)));
    // February was charged by the old plan: 20 and two seats.
    assert_eq!(after["charged"], 4000);
}

#[test]
fn a_refund_pays_back_and_leaves_a_credit_note() {
    let world = Played::new();
    world.catalogue();
    let it = world.customer("x", Some("ok"));
    world.get("/v1/test-clock");

    let path = format!("/v1/billing/subscriptions/{it}/cancel");
    world.post(&path, json!({"at": "now", "unused": "refund"}));
    world.get("/v1/test-clock");

    let bills = world.all("/v1/billing/invoices");
    let paid = bills.iter().find(|it| it["kind"] == "invoice").unwrap();
    let note = bills.iter().find(|it| it["kind"] == "credit_note").unwrap();
    assert_eq!(paid["refunded"], note["totals"]["gross"]);
    assert_eq!(note["preceding"]["number"], paid["number"]);
    let balances = world.balances();
    assert_eq!((balances["receivable"], balances.values().sum::<i64>()), (0, 0));
}

#[test]
fn what_is_used_in_a_trial_is_free_also_where_it_changes_and_ends_in_it() {
    let world = Played::new();
    world.catalogue();
    world.pays_by("x", "ok");
    let new = json!({"customer": "x", "plan": "team", "trial_days": 14});
    let made = world.post("/v1/billing/subscriptions", new);
    let path = format!("/v1/billing/subscriptions/{}", made["id"].as_str().unwrap());
    let event = json!({
        "specversion": "1.0", "id": "1", "source": "app", "type": "calls", "subject": "x",
        "data": {"value": 5000},
    });
    world.post("/v1/usage/events", event);

    world.advance("2030-01-05T00:00:00Z");
    world.post(&format!("{path}/change"), json!({"plan": "business"}));
    world.advance("2030-01-08T00:00:00Z");
    world.post(&format!("{path}/cancel"), json!({"at": "now"}));
    world.advance("2030-01-10T00:00:00Z");

    assert_eq!(world.get(&path)["state"], "cancelled");
    assert_eq!(world.all("/v1/billing/invoices"), Vec::<Value>::new());
}

#[test]
fn what_a_change_did_not_charge_is_not_given_back_by_the_next_one() {
    let world = Played::new();
    world.catalogue();
    let path = format!("/v1/billing/subscriptions/{}", world.customer("x", Some("ok")));

    world.post(&format!("{path}/change"), json!({"plan": "business", "timing": "none"}));
    let back = json!({"plan": "team", "timing": "now"});
    let preview = world.post(&format!("{path}/preview"), back);

    assert_eq!(
        (world.get(&path)["plan"].clone(), preview["total"].clone()),
        (json!("business"), json!(0))
    );
}
