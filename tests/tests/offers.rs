//! An alert of a quota is answered with what the plan that has more of it comes to: on the gate,
//! billing and the log together, in memory. `fixtures/billing/offers.http` is played everywhere.

use std::time::Duration;

use serde_json::{Value, json};
use shared::domain::Timestamp;
use tests::host::{Host, Sandbox, request};

const BEGIN: &str = "2030-01-01T00:00:00Z";
/// The middle of the first month, and when an event of then has been looked at.
const MIDDLE: &str = "2030-01-16T12:00:00Z";
const LOOKED: &str = "2030-01-16T12:00:05.000Z";

/// A tenant whose plans of billing are called as the plans of quotas that they grant.
struct Place {
    host: Host,
    at: Sandbox,
}

impl Place {
    fn new() -> Self {
        let host = Host::memory();
        let at = host.sandbox();
        let place = Self { host, at };
        place.advance(BEGIN);
        place.put("/v1/usage/meters/calls", json!({"aggregation": "sum"}));
        for (name, limit, amount) in
            [("free", 100, 0), ("pro", 1_000, 5_000), ("max", 9_000, 20_000)]
        {
            let quota = json!({"meter": "calls", "limit": limit, "window": {"every": "month"}});
            place.put(&format!("/v1/usage/plans/{name}"), json!({"quotas": [quota]}));
            place.plan(name, amount, json!({}));
        }
        place.entity(json!({}));
        place.customer(json!({"collection": "send_invoice"}));
        place
    }

    fn ask(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let answer = self.host.ask(method, path, &self.at.key, body);
        (answer.status.as_u16(), answer.json())
    }

    fn done(&self, method: &str, path: &str, body: Value) -> Value {
        let (status, answer) = self.ask(method, path, &body);
        assert!((200..300).contains(&status), "{method} {path}: {status} {answer}");
        answer
    }

    fn put(&self, path: &str, body: Value) {
        self.done("PUT", path, body);
    }

    fn entity(&self, more: Value) {
        let party = json!({"name": "Tea GmbH", "country": "DE", "vat_id": "DE123456789"});
        self.put("/v1/billing/entities/default", with(json!({"party": party}), more));
    }

    fn customer(&self, more: Value) {
        let party = json!({"name": "Acme AG", "country": "DE"});
        let text = json!({"party": party, "email": "acme@example.com", "locale": "de"});
        self.put("/v1/billing/customers/acme", with(text, more));
    }

    fn plan(&self, name: &str, amount: i64, more: Value) {
        let price = json!({
            "name": "base", "basis": {"kind": "recurring"},
            "model": {"model": "flat", "amount": amount},
        });
        let text = json!({"title": name, "currency": "EUR", "prices": [price]});
        self.put(&format!("/v1/billing/plans/{name}"), with(text, more));
    }

    fn subscribe(&self, plan: &str) -> String {
        let body = json!({"customer": "acme", "plan": plan});
        let made = self.done("POST", "/v1/billing/subscriptions", body);
        made["id"].as_str().unwrap().to_owned()
    }

    fn advance(&self, to: &str) {
        self.done("POST", "/v1/test-clock/advance", json!({"to": to}));
        let now = self.done("GET", "/v1/test-clock", Value::Null);
        assert_eq!(now["status"], "ready", "{now}");
    }

    /// So much is used, and looked at.
    fn uses(&self, id: &str, amount: u32) {
        let event = json!({"specversion": "1.0", "id": id, "source": "app", "type": "calls",
            "subject": "acme", "data": {"value": amount}});
        self.done("POST", "/v1/usage/events", event);
        let now = self.done("GET", "/v1/test-clock", Value::Null);
        let now = Timestamp::parse(now["now"].as_str().unwrap()).unwrap();
        self.advance(&(now + Duration::from_secs(5)).to_string());
    }

    /// What is in the log with this action.
    fn logged(&self, action: &str) -> Vec<Value> {
        let log = self.done("GET", "/v1/log?limit=200", Value::Null);
        let all = log["items"].as_array().unwrap().iter();
        all.filter(|it| it["action"] == action).map(|it| it["data"].clone()).collect()
    }

    fn offers(&self) -> Vec<Value> {
        self.logged("upgrade.offered")
    }

    /// What is offered when half of the quota is used in the middle of the month.
    fn offered(&self) -> Option<Value> {
        self.advance(MIDDLE);
        self.uses("1", 60);
        let alerts = self.logged("quota.reached").len() + self.logged("quota.forecast").len();
        let mut offers = self.offers();
        assert!(alerts > 0 && offers.len() <= alerts, "{alerts} alerts, {offers:#?}");
        (!offers.is_empty()).then(|| offers.remove(0))
    }

    fn change(&self, subscription: &str, change: &Value) -> (u16, Value) {
        self.ask("POST", &format!("/v1/billing/subscriptions/{subscription}/change"), change)
    }

    fn preview(&self, subscription: &str, plan: &str) -> Value {
        let path = format!("/v1/billing/subscriptions/{subscription}/preview");
        self.done("POST", &path, json!({"plan": plan}))
    }
}

fn with(mut all: Value, more: Value) -> Value {
    all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    all
}

#[test]
fn an_offer_is_what_a_preview_says_and_a_change_charges() {
    let place = Place::new();
    let id = place.subscribe("free");

    let offer = place.offered().unwrap();

    // 15 days, 11 hours, 59 minutes and 55 seconds of 31 days of 50 euro, and a fifth of VAT less.
    assert_eq!((&offer["gross"], &offer["tax"]), (&json!(2_975), &json!(475)));
    assert_eq!((&offer["currency"], &offer["price"]), (&json!("EUR"), &json!("29,75\u{a0}€")));
    for (name, value) in [
        ("customer", json!("acme")),
        ("subscription", json!(id)),
        ("plan", json!("pro")),
        ("in_place_of", json!("free")),
        ("timing", json!("now")),
        ("priced_at", json!(LOOKED)),
        ("alert", json!("quota.reached")),
        ("threshold", json!(50)),
        ("quota", json!("calls/month")),
        ("moves", json!("each_second")),
        ("quota_plan", json!({"plan": "pro", "limit": 1_000, "more": 900})),
    ] {
        assert_eq!(offer[name], value, "{name} of {offer:#}");
    }
    let preview = place.preview(&id, "pro");
    for name in ["gross", "tax", "total", "timing", "direction", "effective_at"] {
        assert_eq!(preview[name], offer[name], "{name}");
    }
    let (status, changed) = place.change(&id, &offer["link"]["send"]);
    assert_eq!((status, &changed["plan"]), (200, &json!("pro")), "{changed}");
    let bills = place.done("GET", "/v1/billing/invoices?customer=acme", Value::Null);
    let bill = bills["items"].as_array().unwrap().iter().find(|it| it["totals"]["net"] == 2_500);
    assert_eq!(bill.unwrap()["totals"]["gross"], offer["gross"]);
}

#[test]
fn it_is_told_once_for_each_threshold() {
    let place = Place::new();
    place.subscribe("free");
    place.offered().unwrap();

    let told = |place: &Place| {
        let of = |it: &Value| format!("{} {}", it["alert"].as_str().unwrap(), it["threshold"]);
        place.offers().iter().map(of).collect::<Vec<_>>()
    };
    assert_eq!(told(&place), ["quota.reached 50", "quota.forecast null"]);
    place.uses("2", 1);
    place.uses("3", 1);
    assert_eq!(told(&place).len(), 2);
    place.uses("4", 40);
    let all = ["quota.reached 50", "quota.forecast null", "quota.reached 80", "quota.reached 100"];
    assert_eq!(told(&place)[..4], all);
    assert_eq!(told(&place)[4..], ["quota.exceeded null"]);
    let sequences: Vec<_> = place.offers().iter().map(|it| it["alert_sequence"].clone()).collect();
    assert!(sequences.windows(2).all(|it| it[0].as_i64() < it[1].as_i64()), "{sequences:?}");
}

#[test]
fn it_holds_until_it_says_and_not_for_longer() {
    let place = Place::new();
    place.plan("pro", 90_000, json!({}));
    let id = place.subscribe("free");
    let offer = place.offered().unwrap();
    let gross = |at: &str| {
        place.advance(at);
        place.preview(&id, "pro")["gross"].clone()
    };

    // A cent of net each 29.76 seconds; when the next one goes is a matter of the moment.
    assert_eq!(offer["holds_until"], "2030-01-16T12:00:14.000Z");
    assert_eq!(gross("2030-01-16T12:00:14Z"), offer["gross"]);
    assert_ne!(gross("2030-01-16T12:00:15Z"), offer["gross"]);
    let (status, refused) = place.change(&id, &offer["link"]["send"]);
    assert_eq!((status, &refused["type"]), (409, &json!("/problems/billing/wrong-state")));
}

#[test]
fn what_is_prorated_by_the_day_holds_for_the_day() {
    let place = Place::new();
    place.entity(json!({"precision": "day", "zone": "Europe/Berlin"}));
    place.customer(json!({"collection": "send_invoice", "zone": "Europe/Berlin"}));
    let id = place.subscribe("free");
    let offer = place.offered().unwrap();
    let gross = |at: &str| {
        place.advance(at);
        place.preview(&id, "pro")["gross"].clone()
    };

    assert_eq!(
        (&offer["moves"], &offer["holds_until"]),
        (&json!("each_day"), &json!("2030-01-16T23:00:00.000Z"))
    );
    assert_eq!(gross("2030-01-16T22:59:59.999Z"), offer["gross"]);
    assert_ne!(gross("2030-01-16T23:00:00Z"), offer["gross"]);
}

#[test]
fn a_trial_is_changed_for_nothing() {
    let place = Place::new();
    place.plan("free", 1_000, json!({"trial_days": 30}));
    let id = place.subscribe("free");

    let offer = place.offered().unwrap();

    assert_eq!((&offer["gross"], &offer["timing"]), (&json!(0), &json!("none")));
    assert_eq!(
        (&offer["trial_end"], &offer["holds_until"]),
        (&json!("2030-01-31T00:00:00.000Z"), &json!("2030-01-31T00:00:00.000Z"))
    );
    assert_eq!(offer["moves"], "with_the_period");
    let (status, changed) = place.change(&id, &offer["link"]["send"]);
    assert_eq!(
        (status, &changed["plan"], &changed["state"]),
        (200, &json!("pro"), &json!("trialing"))
    );
}

#[test]
fn a_change_that_is_planned_is_replaced_and_one_to_the_same_plan_is_not_offered() {
    for (planned, expected) in [("free", Some("pro")), ("max", None)] {
        let place = Place::new();
        place.entity(json!({"proration": {"upgrade": "at_renewal"}}));
        place.customer(json!({"collection": "send_invoice", "net_days": 30}));
        let id = place.subscribe("pro");
        let (status, _) = place.change(&id, &json!({"plan": planned}));
        assert_eq!(status, 200);
        place.advance(MIDDLE);

        place.uses("1", 600);

        let offers = place.offers();
        let replaced = offers.first().map(|it| it["replaces"].as_str().unwrap());
        assert_eq!(replaced.map(|_| "pro"), expected);
        if let Some(offer) = offers.first() {
            assert_eq!((&offer["plan"], &offer["replaces"]), (&json!("max"), &json!("free")));
            // It is charged with the next period.
            assert_eq!((&offer["gross"], &offer["timing"]), (&json!(0), &json!("at_renewal")));
            assert_eq!(offer["holds_until"], "2030-02-01T00:00:00.000Z");
        }
    }
}

#[test]
fn who_cannot_take_one_is_offered_none() {
    let nobody = Place::new();
    nobody.put("/v1/usage/subjects/acme", json!({"plan": "free"}));
    assert_eq!(nobody.offered(), None, "there is no subscription");

    let highest = Place::new();
    highest.subscribe("max");
    highest.advance(MIDDLE);
    highest.uses("1", 8_000);
    assert!(!highest.logged("quota.reached").is_empty() && highest.offers().is_empty());

    let leaving = Place::new();
    let id = leaving.subscribe("free");
    leaving.done("POST", &format!("/v1/billing/subscriptions/{id}/cancel"), json!({}));
    assert_eq!(leaving.offered(), None, "it was cancelled");

    let owing = Place::new();
    owing.subscribe("pro");
    owing.advance(MIDDLE);
    owing.uses("1", 600);
    assert!(!owing.logged("quota.reached").is_empty() && owing.offers().is_empty());

    let by_hand = Place::new();
    by_hand.subscribe("pro");
    by_hand.put("/v1/usage/subjects/acme", json!({"plan": "free"}));
    assert_eq!(by_hand.offered(), None, "the plan of quotas is not that of the subscription");

    let forbidden = Place::new();
    forbidden.entity(json!({"portal": {"changes": {"free": ["max"]}}}));
    forbidden.subscribe("free");
    assert_eq!(forbidden.offered(), None, "the seller does not let customers do it");

    let full = Place::new();
    full.plan("free", 0, json!({"seats": {"min": 5, "max": 5}}));
    full.plan("pro", 5_000, json!({"seats": {"min": 1, "max": 3}}));
    full.subscribe("free");
    assert_eq!(full.offered(), None, "it has more seats than the other plan");
}

#[test]
fn only_plans_of_the_currency_are_offered_and_rather_those_of_the_interval() {
    let place = Place::new();
    place.plan("pro", 5_000, json!({"currency": "USD"}));
    place.subscribe("free");
    assert_eq!(place.offered(), None);

    let place = Place::new();
    place.plan("pro", 5_000, json!({"currency": "USD"}));
    let granting = |more: Value| with(json!({"usage_plan": "pro"}), more);
    place.plan("pro-dear", 6_000, granting(json!({})));
    place.plan("pro-month", 5_500, granting(json!({})));
    place.plan("pro-weekly", 100, granting(json!({"interval": {"unit": "week", "count": 1}})));
    place.subscribe("free");
    assert_eq!(place.offered().unwrap()["plan"], "pro-month");

    let place = Place::new();
    place.plan("pro", 50_000, json!({"interval": {"unit": "year", "count": 1}}));
    let id = place.subscribe("free");
    let offer = place.offered().unwrap();
    assert_eq!((&offer["timing"], &offer["gross"]), (&json!("reset"), &json!(59_500)));
    assert_eq!(place.change(&id, &offer["link"]["send"]).0, 200);
}

#[test]
fn who_cannot_be_charged_yet_is_told_so() {
    let place = Place::new();
    place.customer(json!({}));
    let id = place.subscribe("free");

    let offer = place.offered().unwrap();

    assert_eq!(offer["needs_payment_method"], true);
    assert_eq!(place.change(&id, &offer["link"]["send"]).0, 422);
    place.customer(json!({"collection": "send_invoice"}));
    assert_eq!(place.change(&id, &offer["link"]["send"]).0, 200);
}

#[test]
fn its_link_opens_the_change_and_nothing_else_and_is_not_in_the_log() {
    let place = Place::new();
    let id = place.subscribe("free");
    let offer = place.offered().unwrap();
    let link = &offer["link"];
    let (method, path) = link["make"].as_str().unwrap().split_once(' ').unwrap();

    let made = place.done(method, path, link["with"].clone());
    let token = format!("Bearer {}", made["token"].as_str().unwrap());
    let by_link = |method: &str, path: &str, body: &Value| {
        let headers = [("authorization", token.as_str())];
        place.host.call(request(method, path, &headers, body)).status.as_u16()
    };

    let preview = format!("/v1/billing/subscriptions/{id}/preview");
    assert_eq!(by_link("POST", &preview, &json!({"plan": "pro"})), 200);
    assert_eq!(by_link("GET", "/v1/billing/invoices", &Value::Null), 401);
    assert_eq!(by_link("GET", "/v1/billing/subscriptions", &Value::Null), 401);
    assert_eq!(by_link("POST", link["opens"].as_str().unwrap(), &link["send"]), 200);
    let log = place.done("GET", "/v1/log?limit=200", Value::Null).to_string();
    assert!(!log.contains(made["token"].as_str().unwrap()) && !log.contains("lnk_"));
    // Of somebody else's subscription there is none.
    let other = json!({"customer": "acme", "subscription": "sub_00000000000000000000000000"});
    assert_eq!(place.ask(method, path, &other).0, 422);
}
