//! What takes months: windows that follow each other, what is told, plans that change, reports.

mod followed;
mod members;
mod printed;

use std::{cell::Cell, time::Duration};

use pollster::block_on;
use serde_json::{Value, json};
use shared::{
    domain::Timestamp,
    memory::{Memory, MemorySql},
    open::Open,
    ports::Tenant,
};

use super::{Verdict, holder::allows};
use crate::Gate;

const TENANT: &str = "ten_00000000000000000000000000";
const DAY: u64 = 24 * 60 * 60;

/// A tenant, whose clock is moved in steps of half an hour at most.
struct Place(Memory, Cell<u32>);

impl Place {
    fn new() -> Self {
        let memory = Memory::default();
        memory.add_tenant(TENANT);
        let place = Self(memory, Cell::new(0));
        place.done("PUT", "/v1/usage/meters/calls", json!({"aggregation": "sum"}));
        place
    }

    fn now(&self) -> Timestamp {
        self.tenant().time()
    }

    fn tenant(&self) -> Open<Memory, MemorySql> {
        block_on(Open::system(&self.0, &self.0.store(TENANT), TENANT, false)).unwrap()
    }

    fn ask(&self, method: &str, path: &str, body: &Value) -> (u16, Vec<u8>) {
        let response = self.0.ask::<Gate>(TENANT, method, path, body);
        let status = response.status().as_u16();
        (status, response.body().as_full().unwrap().to_vec())
    }

    fn done(&self, method: &str, path: &str, body: Value) -> Value {
        let (status, body) = self.ask(method, path, &body);
        let text = String::from_utf8(body).unwrap();
        assert!((200..300).contains(&status), "{method} {path}: {status} {text}");
        serde_json::from_str(&text).unwrap_or(Value::Null)
    }

    fn get(&self, path: &str) -> Value {
        self.done("GET", path, Value::Null)
    }

    fn plan(&self, name: &str, quota: Value) {
        let mut all = json!({"meter": "calls", "window": {"every": "month"}});
        all.as_object_mut().unwrap().extend(quota.as_object().unwrap().clone());
        self.done("PUT", &format!("/v1/usage/plans/{name}"), json!({"quotas": [all]}));
    }

    fn subject(&self, plan: &str, on_change: &str) {
        let body = json!({"plan": plan, "on_change": on_change});
        self.done("PUT", "/v1/usage/subjects/acme", body);
    }

    fn standing(&self) -> Value {
        self.get("/v1/usage/subjects/acme/standing")["quotas"][0].clone()
    }

    /// So much is used, by an event of this number.
    fn uses(&self, member: &str, amount: u32) -> u32 {
        self.1.set(self.1.get() + 1);
        let event = json!({
            "specversion": "1.0", "id": self.1.get().to_string(), "source": "tests",
            "type": "calls", "subject": "acme",
            "data": {"value": amount, "dimensions": {"member": member}},
        });
        self.done("POST", "/v1/usage/events", event);
        self.pass(10);
        self.1.get()
    }

    /// It was not.
    fn void(&self, number: u32) {
        let event = json!({"source": "tests", "id": number.to_string(), "reason": "a mistake"});
        self.done("POST", "/v1/usage/void", event);
        self.pass(10);
    }

    fn pass(&self, seconds: u64) {
        let end = self.now() + Duration::from_secs(seconds);
        while self.now() < end {
            self.0.advance(end.since(self.now()).min(Duration::from_secs(1800)));
            self.0.settle::<Gate>();
        }
    }

    fn until(&self, text: &str) {
        let end = Timestamp::parse(text).unwrap();
        self.pass(end.since(self.now()).as_secs() + 1);
    }

    fn may(&self, member: Option<&str>, cost: i64) -> Verdict {
        block_on(allows(&self.tenant(), "acme", member, "calls", cost)).unwrap()
    }

    /// What was told so far: action, and threshold, of each month.
    fn told(&self) -> Vec<String> {
        const TOLD: &str = "
            select action, entry from log where tenant = ?1
              and (action like 'quota.%' or action like 'spend.%') order by sequence";
        let rows = block_on(self.tenant().query(TOLD, [])).unwrap();
        let told = rows.into_iter().map(|row| {
            let [action, entry] = row.columns().unwrap();
            let entry: Value = entry.json().unwrap();
            let data = &entry["data"];
            let month = data["window"]["from"].as_str().unwrap()[..7].to_owned();
            let threshold = data["threshold"].as_i64().map_or(String::new(), |it| format!(" {it}"));
            format!("{month} {}{threshold}", action.text().unwrap())
        });
        told.collect()
    }
}

#[test]
fn months_go_by_with_rollover_and_each_threshold_is_told_once() {
    let place = Place::new();
    place.plan("pro", json!({"limit": 1000, "rollover": {"at_most": 300}}));
    place.plan("max", json!({"limit": 5000, "rollover": {"at_most": 300}}));
    place.subject("pro", "keep");

    place.uses("ann", 500);
    place.uses("bob", 10);
    assert_eq!(place.told(), ["2026-01 quota.reached 50"]);
    place.until("2026-01-20T00:00:00Z");
    place.uses("ann", 290);
    // The forecast came by itself, when a tenth of the month was over.
    let january = ["reached 50", "forecast", "reached 80"].map(|it| format!("2026-01 quota.{it}"));
    assert_eq!(place.told(), january);

    // 200 are left, and carried over.
    place.until("2026-02-01T00:00:00Z");
    let february = place.standing();
    assert_eq!((&february["rollover"], &february["used"]), (&json!(200), &json!(0)));
    assert_eq!(february["remaining"], 1200);
    place.until("2026-02-10T00:00:00Z");
    place.uses("ann", 600);
    assert_eq!(place.told().last().unwrap(), "2026-02 quota.forecast");
    assert_eq!(place.standing()["percent"], 50);

    // 600 are left, and 300 of them are carried over; nothing is used of March, and April has as much.
    place.until("2026-03-01T00:00:00Z");
    assert_eq!(place.standing()["rollover"], 300);
    place.until("2026-04-01T00:00:00Z");
    assert_eq!(place.standing()["rollover"], 300);
    place.uses("ann", 1400);
    let told = place.told();
    let april: Vec<_> = told.iter().filter(|it| it.starts_with("2026-04")).collect();
    assert_eq!(
        april,
        [
            "2026-04 quota.reached 50",
            "2026-04 quota.reached 80",
            "2026-04 quota.reached 100",
            "2026-04 quota.exceeded",
        ]
    );
    place.until("2026-05-02T00:00:00Z");
    assert_eq!(place.told().len(), told.len(), "and nothing more: {:?}", place.told());
    assert_eq!(place.standing()["rollover"], 0);
}

#[test]
fn a_correction_lets_a_threshold_be_told_again_and_jitter_does_not() {
    let place = Place::new();
    place.plan("pro", json!({"limit": 1000, "thresholds": [50]}));
    place.subject("pro", "keep");

    place.uses("ann", 450);
    let few = place.uses("ann", 50);
    assert_eq!(place.told(), ["2026-01 quota.reached 50"]);
    place.uses("ann", 1);
    place.void(few);
    let more = place.uses("ann", 50);
    assert_eq!(place.told().len(), 1, "451 of 1000 are above the margin");
    place.void(more);
    place.void(3);
    place.uses("ann", 50);
    assert_eq!(place.told().len(), 2);
}

#[test]
fn a_plan_that_changes_in_a_window_follows_its_word() {
    for (word, limit, used) in [("keep", 3000, 800), ("reset", 3000, 0), ("prorate", 2000, 800)] {
        let place = Place::new();
        place.plan("pro", json!({"limit": 1000}));
        place.plan("max", json!({"limit": 3000}));
        place.subject("pro", "keep");
        place.uses("ann", 800);

        // The middle of 31 days.
        place.until("2026-01-16T12:00:00Z");
        place.subject("max", word);

        let standing = place.standing();
        let found = (standing["limit"].as_i64().unwrap(), standing["used"].as_i64().unwrap());
        // The clock of the host moves as it is looked at.
        assert!((found.0 - limit).abs() <= 1 && found.1 == used, "{word}: {standing}");
        let history = &place.get("/v1/usage/subjects/acme")["history"];
        assert_eq!(history.as_array().unwrap().len(), 2);
    }
}

#[test]
fn a_plan_that_is_changed_is_looked_at_by_all_who_have_it() {
    let place = Place::new();
    place.plan("pro", json!({"limit": 1000, "thresholds": [100]}));
    place.subject("pro", "keep");
    place.uses("ann", 500);
    assert!(place.told().is_empty());

    place.plan("pro", json!({"limit": 500, "thresholds": [100]}));
    place.pass(10);

    assert_eq!(place.told(), ["2026-01 quota.reached 100"]);
}

#[test]
fn a_hard_quota_is_shared_and_each_member_has_its_part() {
    let place = Place::new();
    place.plan("team", json!({"limit": 100, "hard": true, "member_limit": 40}));
    place.subject("team", "keep");

    place.uses("ann", 40);
    assert!(!place.may(Some("ann"), 1).allowed);
    assert!(place.may(Some("ann"), 0).allowed, "a peek costs nothing");
    assert!(place.may(Some("bob"), 40).allowed);
    place.uses("bob", 40);
    assert!(place.may(Some("eve"), 20).allowed);
    let verdict = place.may(Some("eve"), 21);
    assert!(!verdict.allowed);
    assert_eq!(verdict.again_at, Timestamp::parse("2026-02-01T00:00:00Z"));
    assert_eq!(verdict.quotas[0].member.as_ref().unwrap().remaining, 20);
    assert!(block_on(allows(&place.tenant(), "nobody", None, "calls", 1)).unwrap().allowed);
}

#[test]
fn a_grace_lets_more_through_until_it_ends() {
    let place = Place::new();
    let grace = json!({"percent": 20, "seconds": 3 * DAY});
    place.plan("pro", json!({"limit": 100, "hard": true, "grace": grace}));
    place.subject("pro", "keep");

    place.uses("ann", 101);
    assert_eq!(place.standing()["state"], "grace");
    assert!(place.may(None, 19).allowed);
    assert!(!place.may(None, 20).allowed);
    place.pass(3 * DAY);
    assert_eq!(place.standing()["state"], "exceeded");
    assert!(!place.may(None, 1).allowed);
    let told = place.told();
    assert_eq!(told[3..], ["2026-01 quota.exceeded", "2026-01 quota.grace_ended"]);
    place.pass(DAY);
    assert_eq!(place.told(), told);
}

#[test]
fn what_may_be_spent_is_capped() {
    let place = Place::new();
    let price = json!({"price_per_unit": 3, "currency": "EUR", "spend_cap": 300});
    let mut quota = json!({"limit": 100, "thresholds": [100]});
    quota.as_object_mut().unwrap().extend(price.as_object().unwrap().clone());
    place.plan("pro", quota);
    place.subject("pro", "keep");

    place.uses("ann", 199);
    assert_eq!(place.standing()["spend"]["amount"], 297);
    assert!(place.may(None, 1).allowed);
    assert!(!place.may(None, 2).allowed);
    place.uses("ann", 1);
    assert_eq!(place.told().last().unwrap(), "2026-01 spend.capped");
}

#[test]
fn a_report_is_made_step_by_step_and_its_hash_is_in_the_log() {
    let place = Place::new();
    place.done("PUT", "/v1/usage/meters/tokens", json!({"aggregation": "count"}));
    for _ in 0..90 {
        place.uses("ann", 10);
        place.pass(DAY);
    }
    let body = json!({
        "meters": ["calls", "tokens"], "subject": "acme", "from": "2026-02-01T00:00:00Z",
        "to": "2026-04-01T00:00:00Z", "by": "day", "zone": "Europe/Berlin",
    });

    let asked = place.done("POST", "/v1/usage/reports", body);
    let id = asked["id"].as_str().unwrap().to_owned();
    let report = place.get(&format!("/v1/usage/reports/{id}"));

    // From 1 o'clock of the first day on, and the day on which the clock is changed is one line.
    assert_eq!((&report["state"], &report["lines"]), (&json!("done"), &json!(2 * 60)));
    assert_eq!((&report["lines_done"], &report["differing"]), (&json!(2 * 60), &json!(0)));
    let (status, file) = place.ask("GET", &format!("/v1/usage/reports/{id}/file"), &Value::Null);
    assert_eq!(status, 200);
    assert_eq!(report["sha256"], shared::domain::sha256_hex(&file));
    let text = String::from_utf8(file).unwrap();
    assert_eq!(text.lines().count(), 1 + 2 * 60);
    let sum: i64 =
        text.lines().skip(1).map(|it| it.split(',').nth(4).unwrap().parse::<i64>().unwrap()).sum();
    // Of 59 days.
    assert_eq!(sum, 590);
    assert!(text.lines().skip(1).all(|it| it.ends_with(",yes")), "{text}");
    const MADE: &str = "select entry from log where tenant = ?1 and action = 'report.made'";
    let rows = block_on(place.tenant().query(MADE, [])).unwrap();
    let [entry] = rows.into_iter().next().unwrap().columns().unwrap();
    assert_eq!(entry.json::<Value>().unwrap()["data"]["sha256"], report["sha256"]);

    place.pass(401 * DAY);
    assert_eq!(place.ask("GET", &format!("/v1/usage/reports/{id}"), &Value::Null).0, 404);
    assert_eq!(place.ask("GET", &format!("/v1/usage/reports/{id}/file"), &Value::Null).0, 404);
}

#[test]
fn a_schedule_reports_each_window_once() {
    let place = Place::new();
    let body = json!({"meters": ["calls"], "window": {"every": "month"}, "by": "day"});
    place.done("PUT", "/v1/usage/reports/schedules/monthly", body);
    let body = json!({"meters": ["calls"], "cron": "0 6 * * MON", "format": "json"});
    place.done("PUT", "/v1/usage/reports/schedules/weekly", body);

    place.until("2026-04-01T01:00:00Z");

    let reports = place.get("/v1/usage/reports?limit=200");
    let of = |name: &str| {
        let all = reports["items"].as_array().unwrap().iter().rev();
        let own = all.filter(|it| it["schedule"] == name).cloned();
        own.collect::<Vec<_>>()
    };
    let months: Vec<_> = of("monthly").iter().map(|it| it["from"].to_string()).collect();
    assert_eq!(months.len(), 3, "{months:?}");
    assert!(months[2].contains("2026-03-01"), "{months:?}");
    let weeks = of("weekly");
    assert_eq!(weeks.len(), 13);
    assert!(weeks.windows(2).all(|it| it[0]["to"] == it[1]["from"]));
    assert!(weeks.iter().all(|it| it["state"] == "done"));
}
