//! Usage that is billed before its period ends: all invoices together come to what they would have
//! come to without.

use std::collections::BTreeMap;

use proptest::{prelude::*, test_runner::Config};
use serde_json::{Value, json};
use tests::mortal;

use crate::world::Played;

/// What somebody does, so many hours after the beginning.
#[derive(Clone, Debug)]
enum Act {
    /// Uses something, for a moment so many hours before.
    Use(&'static str, u32, u32),
    /// Says that the latest use was another one.
    Correct(u32),
    /// Has another plan.
    Change,
    /// Ends it.
    Cancel,
}

fn plan(calls: &str, thresholds: &Value) -> Value {
    let metered = |name: &str, group_by: Option<&str>, model: Value, limits: Value| {
        json!({"name": name, "title": name, "model": model, "limits": limits,
            "tax_class": class_of(name), "basis": {"kind": "metered", "meter": name, "group_by": group_by}})
    };
    let tiers = json!([{"up_to": 100}, {"up_to": 1000, "unit_amount": calls},
        {"unit_amount": "0.7"}]);
    let volume = json!([{"up_to": 500, "unit_amount": "2.5"}, {"unit_amount": "1.3"}]);
    let base = json!({"name": "base", "basis": {"kind": "recurring"},
        "model": {"model": "flat", "amount": 700}});
    let prices = [
        base,
        metered("calls", None, json!({"model": "graduated", "tiers": tiers}), json!({})),
        metered("jobs", Some("member"), json!({"model": "volume", "tiers": volume}), json!({})),
        metered(
            "files",
            None,
            json!({"model": "package", "size": 30, "amount": 75, "free": 40}),
            json!({"minimum": 400, "maximum": 2000}),
        ),
        metered(
            "sales",
            None,
            json!({"model": "percentage", "hundredths": 290, "fixed": 30, "free": 1000}),
            json!({}),
        ),
    ];
    json!({"title": "API", "currency": "EUR", "prices": prices, "thresholds": thresholds,
        "interval": {"unit": "day", "count": 3}})
}

/// The tax class of a price.
fn class_of(price: &str) -> Option<&'static str> {
    match price {
        "jobs" => Some("books"),
        "files" => Some("school"),
        _ => None,
    }
}

fn world(thresholds: &Value, coupons: &[Value]) -> (Played, String) {
    let world = Played::new();
    let party = json!({"name": "Tea GmbH", "country": "DE", "vat_id": "DE123456789"});
    let books = json!({"places": {"DE": {"kind": "reduced", "rate_hundredths": 700}}});
    let school = json!({"elsewhere": {"kind": "exempt", "reason": "Education"}});
    let entity = json!({"party": party, "account": "acc_1", "draft_hours": 2,
        "proration": {"same": "now"}, "tax_classes": {"books": books, "school": school}});
    world.put("/v1/billing/entities/default", entity);
    for meter in ["calls", "jobs", "files", "sales"] {
        world.put(&format!("/v1/usage/meters/{meter}"), json!({"aggregation": "sum"}));
    }
    world.put("/v1/billing/plans/api", plan("3.5", thresholds));
    world.put("/v1/billing/plans/cheap", plan("1.25", thresholds));
    let mut codes = Vec::new();
    for (number, coupon) in coupons.iter().enumerate() {
        codes.push(format!("C{number}"));
        let text = json!({"title": "C", "coupon": coupon});
        world.put(&format!("/v1/billing/coupons/C{number}"), text);
    }
    world.pays_by("x", "ok");
    let new = json!({"customer": "x", "plan": "api", "coupons": codes});
    let made = world.post("/v1/billing/subscriptions", new);
    (world, made["id"].as_str().unwrap().to_owned())
}

fn moment(hour: u32) -> String {
    format!("2030-01-{:02}T{:02}:00:00Z", 1 + hour / 24, hour % 24)
}

fn act(world: &Played, it: &str, (number, hour): (usize, u32), act: &Act, last: &mut Option<Used>) {
    let path = format!("/v1/billing/subscriptions/{it}");
    let event = |id: String, kind: &str, at: u32, value: u32| {
        json!({"specversion": "1.0", "id": id, "source": "app", "type": kind, "subject": "x",
            "time": moment(at), "data": {"value": value,
                "dimensions": {"member": if value.is_multiple_of(2) { "ada" } else { "eve" }}}})
    };
    match act {
        Act::Use(meter, value, before) => {
            let (id, at) = (format!("u{number}"), hour.saturating_sub(*before));
            world.post("/v1/usage/events", event(id.clone(), meter, at, *value));
            *last = Some((id, *meter, at));
        }
        Act::Correct(value) => {
            let Some((id, meter, at)) = last.take() else { return };
            let mut event = event(format!("c{number}"), meter, at, *value);
            event["corrects"] = json!(id);
            world.post("/v1/usage/events", event);
        }
        Act::Change => {
            let body = json!({"plan": "cheap", "timing": "none"});
            world.call("POST", &format!("{path}/change"), body, None);
        }
        Act::Cancel => drop(world.post(&format!("{path}/cancel"), json!({"at": "now"}))),
    }
}

/// What was used last: its event, the meter, and for which hour.
type Used = (String, &'static str, u32);

/// What all invoices and credit notes charge, by price and by what it is for; and the invoices.
fn played(
    acts: &[(u32, Act)],
    thresholds: &Value,
    coupons: &[Value],
) -> (BTreeMap<String, i64>, Vec<Value>) {
    let (world, it) = world(thresholds, coupons);
    let (mut hour, mut last, mut ended, mut changed) = (0, None, false, false);
    for (number, (wait, it_is)) in acts.iter().enumerate() {
        hour += wait;
        world.advance(&moment(hour));
        let again = match it_is {
            Act::Change => std::mem::replace(&mut changed, true) || ended,
            Act::Cancel => std::mem::replace(&mut ended, true),
            _ => false,
        };
        if !again {
            act(&world, &it, (number, hour), it_is, &mut last);
        }
    }
    world.advance("2030-02-20T00:00:00Z");
    let bills = world.all("/v1/billing/invoices");
    let mut sums = BTreeMap::new();
    for bill in bills.iter().filter(|it| it["number"].is_string()) {
        let sign = if bill["kind"] == "invoice" { 1 } else { -1 };
        assert_eq!(tax_of(bill), bill["totals"]["tax"].as_i64().unwrap(), "{bill}");
        for line in bill["lines"].as_array().unwrap() {
            let price = line["price"].as_str().unwrap_or("other");
            let from = line["period"]["from"].as_str().unwrap();
            *sums.entry(format!("{price} {from}")).or_default() +=
                sign * line["amount"].as_i64().unwrap();
        }
    }
    sums.retain(|_, it| *it != 0);
    assert_eq!(world.balances().values().sum::<i64>(), 0);
    assert_eq!(world.get("/v1/jobs?state=dead")["items"], json!([]));
    assert!(bills.iter().all(|it| it["state"] != "draft"), "{bills:?}");
    (sums, bills)
}

/// The tax of a bill by the classes of its prices, rounded once for each rate.
fn tax_of(bill: &Value) -> i64 {
    let mut bases = BTreeMap::<i64, i64>::new();
    for line in bill["lines"].as_array().unwrap() {
        let class = line["price"].as_str().and_then(class_of);
        assert_eq!(line["tax_class"].as_str(), class, "{line}");
        let rate = class.map_or(19, |it| if it == "books" { 7 } else { 0 });
        *bases.entry(rate).or_default() += line["amount"].as_i64().unwrap();
    }
    let rounded = |cents: i64| (cents.abs() + 50) / 100 * cents.signum();
    bases.into_iter().map(|(rate, base)| rounded(rate * base)).sum()
}

fn acts() -> impl Strategy<Value = Vec<(u32, Act)>> {
    let meter = prop::sample::select(vec!["calls", "jobs", "files", "sales"]);
    let used = (meter, 1u32..3000, prop_oneof![Just(0u32), Just(0), 0u32..30]);
    let used = used.prop_map(|(meter, value, before)| Act::Use(meter, value, before));
    let one = prop_oneof![
        8 => used,
        2 => (0u32..3000).prop_map(Act::Correct),
        1 => Just(Act::Change),
        1 => Just(Act::Cancel),
    ];
    prop::collection::vec((1u32..14, one), 4..14)
}

fn coupons() -> impl Strategy<Value = Vec<Value>> {
    let forever = json!({"kind": "forever"});
    let percent = json!({"off": {"kind": "percent", "hundredths": 1234}, "duration": forever});
    let amount = json!({"off": {"kind": "amount", "amount": 1500, "currency": "EUR"},
        "duration": {"kind": "repeating", "periods": 2}});
    prop::sample::subsequence(vec![percent, amount], 0..=2)
}

proptest! {
    #![proptest_config(Config { cases: 8, failure_persistence: None, ..Config::default() })]
    #[test]
    fn no_cent_is_lost_and_none_is_charged_twice(
        acts in acts(), coupons in coupons(), seed: u64, deaths in 0u64..20, step in 1i64..1500, every in 100i64..2000,
    ) {
        let thresholds = json!({"steps": [step, step * 2], "every": every});

        // Whichever steps die before they are written: each is tried again.
        mortal::begin(seed, deaths);
        let (with, bills) = played(&acts, &thresholds, &coupons);
        mortal::spare();
        let (without, _) = played(&acts, &Value::Null, &coupons);

        prop_assert_eq!(with, without, "{:?}", bills);
    }
}

fn sells(world: &Played, id: &str, value: u32) {
    let event = json!({"specversion": "1.0", "id": id, "source": "app", "type": "sales",
        "subject": "x", "data": {"value": value}});
    world.post("/v1/usage/events", event);
}

/// Those that a threshold made.
fn early(world: &Played) -> Vec<Value> {
    let bills = world.all("/v1/billing/invoices");
    bills.into_iter().filter(|it| it["threshold"].is_i64()).collect()
}

#[test]
fn usage_that_comes_to_a_threshold_is_billed_within_the_hour() {
    let (world, it) = world(&json!({"steps": [500, 2000], "every": 5000}), &[]);
    let path = format!("/v1/billing/subscriptions/{it}");
    let shown = || world.get(&path)["progress"].clone();
    let before = shown();
    sells(&world, "1", 15_000);
    world.advance("2030-01-01T02:00:00Z");
    // 30 and 2.9 % of 14,000 are 436: not enough.
    let after_one = shown();
    sells(&world, "2", 10_000);
    world.advance("2030-01-01T04:00:00Z");
    let after_two = shown();
    sells(&world, "3", 200_000);
    world.advance("2030-01-01T06:00:00Z");

    let at = |it: &Value| {
        let of = |name: &str| it[name].as_i64().unwrap_or(-1);
        (of("next"), of("billed"), of("invoices"))
    };
    assert_eq!([&before, &after_one].map(at), [(500, 0, 0); 2]);
    assert_eq!(at(&after_two), (2000, 726, 1));
    assert_eq!(at(&shown()), (7000, 6526, 2));
    let early = early(&world);
    let of =
        |it: &Value| (it["threshold"].clone(), it["totals"]["net"].clone(), it["state"].clone());
    let paid = |threshold: i64, net: i64| (json!(threshold), json!(net), json!("paid"));
    assert_eq!(early.iter().map(of).collect::<Vec<_>>(), [paid(500, 726), paid(2000, 5800)]);
    assert_eq!(early[1]["lines"][0]["detail"], "25000 → 225000");
    let log = world.all("/v1/log");
    let told: Vec<_> =
        log.iter().filter(|it| it["action"] == "invoice.threshold_reached").collect();
    assert_eq!(told.len(), 2);
    assert_eq!(told[0]["subject"], early[0]["id"]);
    let data = &told[0]["data"];
    assert_eq!((&data["threshold"], &data["usage"]), (&json!(500), &json!(726)));
}

#[test]
fn a_quota_that_is_reached_makes_it_look_at_once() {
    let (world, _) = world(&json!({"steps": [500]}), &[]);
    let quota = json!({"meter": "sales", "limit": 20_000, "window": {"every": "month"}});
    world.put("/v1/usage/plans/api", json!({"quotas": [quota]}));
    world.put("/v1/usage/subjects/x", json!({"plan": "api"}));
    world.advance("2030-01-01T01:10:00Z");

    sells(&world, "1", 40_000);
    world.advance("2030-01-01T01:10:30Z");

    let amounts: Vec<_> = early(&world).iter().map(|it| it["totals"]["net"].clone()).collect();
    assert_eq!(amounts, [json!(1161)]);
}

#[test]
fn one_that_is_not_paid_goes_through_dunning_as_any_other() {
    let (world, it) = world(&json!({"steps": [500]}), &[]);
    world.pays_by("x", "stolen");

    sells(&world, "1", 40_000);
    world.advance("2030-01-01T02:00:00Z");
    let before = (world.state(&it), early(&world)[0]["state"].clone());
    world.pays_by("x", "ok");
    world.advance("2030-01-01T03:00:00Z");

    assert_eq!(before, ("past_due".to_owned(), json!("open")));
    assert_eq!((world.state(&it).as_str(), &early(&world)[0]["state"]), ("active", &json!("paid")));
}

#[test]
fn prepaid_credit_pays_it_first_and_what_is_lowered_later_is_credit_again() {
    let (world, _) = world(&json!({"steps": [500]}), &[]);
    let grant = json!({"amount": 300, "currency": "EUR", "basis": "promotional"});
    world.post("/v1/billing/customers/x/credits", grant);
    sells(&world, "1", 40_000);
    world.advance("2030-01-01T02:00:00Z");
    let first = early(&world).remove(0);
    let event = json!({"specversion": "1.0", "id": "2", "source": "app", "type": "sales",
        "subject": "x", "corrects": "1", "data": {"value": 0}});
    world.post("/v1/usage/events", event);

    world.advance("2030-01-04T03:00:00Z");

    assert_eq!(
        (&first["totals"]["prepaid"], &first["totals"]["gross"]),
        (&json!(300), &json!(1382))
    );
    let bills = world.all("/v1/billing/invoices");
    let last = bills.iter().find(|it| it["continues"] == first["id"]).unwrap();
    let lines = last["lines"].as_array().unwrap();
    let amounts: Vec<_> =
        lines.iter().map(|it| (it["price"].as_str(), it["amount"].as_i64())).collect();
    // What is given back is more than the next period and the least amount of a price cost.
    assert_eq!(last["kind"], "credit_note");
    assert!(amounts.contains(&(Some("sales"), Some(1161))), "{amounts:?}");
    assert!(amounts.contains(&(Some("files"), Some(-400))), "{amounts:?}");
    assert!(amounts.contains(&(Some("base"), Some(-700))), "{amounts:?}");
    assert_eq!(world.balances().values().sum::<i64>(), 0);
}

#[test]
fn a_period_whose_usage_is_left_out_is_left_with_what_was_billed_before() {
    let (world, _) = world(&json!({"steps": [500]}), &[]);
    sells(&world, "1", 40_000);
    world.advance("2030-01-01T02:00:00Z");
    sells(&world, "2", 40_000);
    world.advance("2030-01-04T01:00:00Z");
    let bills = world.all("/v1/billing/invoices");
    let draft = bills.iter().find(|it| it["state"] == "draft").unwrap();
    let path = format!("/v1/billing/invoices/{}/finalise", draft["id"].as_str().unwrap());

    let last = world.post(&format!("{path}?without_usage=true"), json!({}));
    world.advance("2030-01-20T00:00:00Z");

    assert_eq!(last["totals"]["net"], 700);
    let bills = world.all("/v1/billing/invoices");
    let mut lines = bills.iter().flat_map(|it| it["lines"].as_array().unwrap());
    let is_sale = |it: &&Value| it["price"] == "sales" && it["amount"] != 0;
    assert_eq!(lines.clone().filter(is_sale).count(), 1);
    assert!(lines.all(|it| it["after"].is_null()));
}

/// What the sales of the period cost, by the invoice of its end, once the first one is taken back,
/// here or by the `fickle` bank, and then `after` happens.
fn sales_after_a_credit(method: &str, after: impl Fn(&Played)) -> Vec<i64> {
    let (world, _) = world(&json!({"steps": [500]}), &[]);
    world.pays_by("x", method);
    sells(&world, "1", 40_000);
    world.advance("2030-01-01T02:00:00Z");
    let first = early(&world).remove(0);
    if method == "ok" {
        let id = first["id"].as_str().unwrap();
        world.post(&format!("/v1/billing/invoices/{id}/credit"), json!({}));
    }
    world.pays_by("x", "ok");
    after(&world);

    world.advance("2030-01-10T00:00:00Z");

    assert_eq!(world.balances().values().sum::<i64>(), 0);
    let bills = world.all("/v1/billing/invoices");
    let last = bills.iter().find(|it| it["continues"] == first["id"]).unwrap();
    let sign = if last["kind"] == "invoice" { 1 } else { -1 };
    let lines = last["lines"].as_array().unwrap().iter().filter(|it| it["price"] == "sales");
    lines.map(|it| sign * it["amount"].as_i64().unwrap()).collect()
}

#[test]
fn what_was_taken_back_whole_while_its_period_ran_is_not_given_back_again() {
    let corrected = |value: u32| {
        move |world: &Played| {
            let event = json!({"specversion": "1.0", "id": "2", "source": "app", "type": "sales",
                "subject": "x", "corrects": "1", "data": {"value": value}});
            world.post("/v1/usage/events", event);
        }
    };

    // 40,000 cost 1161, which was given back: less is neither charged nor given back, and of more
    // only what is beyond it is charged, as before.
    let none: [i64; 0] = [];
    assert_eq!(sales_after_a_credit("ok", |_| {}), none);
    assert_eq!(sales_after_a_credit("ok", corrected(0)), none);
    assert_eq!(sales_after_a_credit("ok", corrected(20_000)), none);
    assert_eq!(sales_after_a_credit("fickle", corrected(20_000)), none);
    assert_eq!(sales_after_a_credit("ok", corrected(50_000)), [290]);
    let more_and_less = |world: &Played| {
        sells(world, "3", 10_000);
        world.advance("2030-01-01T05:00:00Z");
        corrected(5_000)(world);
    };
    assert_eq!(sales_after_a_credit("ok", more_and_less), none);
}
