//! What takes days: retries, keys and links that end, a grace period, a year of a test clock.

use std::time::{Duration, Instant};

use edge::Backplane;
use pollster::block_on;
use serde_json::{Value, json};
use shared::{
    domain::Timestamp,
    memory::Memory,
    ports::{Sql, Statement},
};
use tests::{
    client::Answer,
    host::{Host, Sandbox, request},
    sink::Sink,
};
use webhooks::{recipe::Recipe, signature};

const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// What the schedule of retries comes to, without chance; with it, up to a fifth more.
const SCHEDULE: Duration = Duration::from_secs(272_105);
/// How long a year may take, by the clock on the wall.
const YEAR_TIMEOUT: Duration = Duration::from_secs(60);

fn memory(host: &Host) -> &Memory {
    let Host::Memory(it) = host else { unreachable!("these tests are played in memory") };
    it
}

/// Lets time go by, and then lets everything happen that is due.
fn pass(host: &Host, time: Duration) {
    memory(host).advance(time);
    memory(host).settle::<Backplane>();
}

fn get(host: &Host, path: &str, key: &str) -> Answer {
    host.ask("GET", path, key, &Value::Null)
}

fn post(host: &Host, path: &str, key: &str, body: Value) -> Answer {
    host.ask("POST", path, key, &body)
}

fn now(host: &Host, key: &str) -> Timestamp {
    Timestamp::parse(&get(host, "/v1/whoami", key).text("/now")).unwrap()
}

/// A tenant that lives by the real clock, and a key to it.
fn real_tenant(host: &Host) -> Sandbox {
    let operator = host.operator_key();
    let tenant = post(host, "/v1/tenants", operator, json!({"name": "T"})).text("/id");
    let bearer = format!("Bearer {operator}");
    let headers = [("authorization", &*bearer), ("backplane-tenant", &*tenant)];
    let body = json!({"name": "all", "scopes": ["*"]});
    let made = host.call(request("POST", "/v1/keys", &headers, &body));
    Sandbox { tenant, key_id: made.text("/id"), key: made.text("/secret") }
}

/// A source with this target, and a message that came to it.
fn message(host: &Host, at: &Sandbox, target: &str) -> String {
    let body =
        json!({"name": "s", "recipe": "github", "secret": "secret-of-ours", "target": target});
    let path = post(host, "/v1/webhooks/sources", &at.key, body).text("/path");
    let body = json!({"n": 1});
    let recipe = Recipe::named("github").unwrap();
    let signed =
        signature::sign(&recipe, "secret-of-ours", "one", 0, body.to_string().as_bytes()).unwrap();
    let headers: Vec<_> = signed.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    host.call(request("POST", &path, &headers, &body)).text("/id")
}

#[test]
fn a_delivery_that_fails_is_tried_by_the_schedule_and_then_a_dead_letter() {
    let host = Host::memory();
    let at = real_tenant(&host);
    let sink = Sink::start();
    let id = message(&host, &at, &format!("{}/fail", sink.url()));

    let mut passed = Duration::ZERO;
    while get(&host, &format!("/v1/webhooks/messages/{id}"), &at.key).text("/delivery") != "failed"
    {
        pass(&host, HOUR);
        passed += HOUR;
        assert!(passed < 10 * DAY, "it is tried for ever");
    }

    let tries = sink.delivered();
    let attempts: Vec<_> = tries.iter().map(|it| it.header("backplane-attempt").unwrap()).collect();
    assert_eq!(attempts, ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10"]);
    assert!(tries.iter().all(|it| it.header("backplane-message") == Some(&*id)));
    assert!(passed >= SCHEDULE && passed <= SCHEDULE + SCHEDULE / 5 + 10 * HOUR, "{passed:?}");
    let dead = get(&host, "/v1/jobs?state=dead", &at.key).json();
    assert_eq!(dead["items"][0]["reason"], "the target answered 500");
}

#[test]
fn a_key_ends_by_the_real_clock_though_no_job_has_run() {
    let host = Host::memory();
    let at = real_tenant(&host);
    let ends = (now(&host, &at.key) + HOUR).to_string();
    let new = json!({"name": "brief", "scopes": ["log:read"], "expires_at": ends});
    let brief = post(&host, "/v1/keys", &at.key, new).text("/secret");
    assert_eq!(get(&host, "/v1/log", &brief).status, 200);

    // Nothing settles between this and the question.
    memory(&host).advance(HOUR);

    assert_eq!(get(&host, "/v1/log", &brief).status, 401);
}

#[test]
fn a_rotated_key_ends_after_the_overlap_though_no_job_has_run() {
    let host = Host::memory();
    let at = real_tenant(&host);
    for ends in [Value::Null, json!((now(&host, &at.key) + 10 * DAY).to_string())] {
        let new = json!({"name": "old", "scopes": ["log:read"], "expires_at": ends});
        let old = post(&host, "/v1/keys", &at.key, new);
        let rotate = format!("/v1/keys/{}/rotate", old.text("/id"));
        let overlap = json!({"overlap_seconds": 3600});
        let new = post(&host, &rotate, &at.key, overlap).text("/secret");
        assert_eq!(get(&host, "/v1/log", &old.text("/secret")).status, 200, "they overlap");

        memory(&host).advance(HOUR);

        assert_eq!(get(&host, "/v1/log", &old.text("/secret")).status, 401, "{ends}");
        assert_eq!(get(&host, "/v1/log", &new).status, 200);
    }
}

#[test]
fn a_link_ends_by_the_real_clock() {
    let host = Host::memory();
    let at = host.sandbox();
    let new = json!({"path": "/v1/log", "scopes": ["log:read"], "expires_in_seconds": 3600});
    let link = post(&host, "/v1/links", &at.key, new).text("/link");
    let follow = || host.call(request("GET", &link, &[], &Value::Null)).status;
    assert_eq!(follow(), 200);

    pass(&host, HOUR);

    assert_eq!(follow(), 401);
}

#[test]
fn a_deleted_tenant_can_be_restored_until_its_grace_is_over() {
    let host = Host::memory();
    let at = real_tenant(&host);
    let path = format!("/v1/tenants/{}", at.tenant);
    let operator = host.operator_key();
    assert_eq!(host.ask("DELETE", &path, operator, &Value::Null).status, 200);

    pass(&host, 29 * DAY);
    let restored = post(&host, &format!("{path}/restore"), operator, Value::Null);

    assert_eq!(restored.text("/state"), "active");
    pass(&host, 2 * DAY);
    assert_eq!(get(&host, "/v1/log", &at.key).status, 200, "the old date erases nothing");
}

#[test]
fn nothing_is_left_of_a_tenant_when_its_grace_is_over() {
    let host = Host::memory();
    let (at, other) = (real_tenant(&host), real_tenant(&host));
    let account = json!({"provider": "stripe", "account": "acct_1"});
    assert_eq!(post(&host, "/v1/accounts", &at.key, account.clone()).status, 201);
    assert_eq!(post(&host, "/v1/accounts", &other.key, account.clone()).status, 409);
    message(&host, &at, "https://example.com/");
    let path = format!("/v1/tenants/{}", at.tenant);
    let operator = host.operator_key();
    assert_eq!(host.ask("DELETE", &path, operator, &Value::Null).status, 200);

    pass(&host, 30 * DAY + HOUR);

    assert_eq!(get(&host, &path, operator).text("/state"), "deleted");
    assert_eq!(post(&host, &format!("{path}/restore"), operator, Value::Null).status, 409);
    assert_eq!(get(&host, "/v1/log", &at.key).status, 401);
    assert_eq!(rows_of(&host, &at.tenant), Vec::<String>::new());
    assert_eq!(post(&host, "/v1/accounts", &other.key, account).status, 201, "it is free again");
    assert_eq!(get(&host, "/v1/log", &other.key).status, 200, "and nobody else was touched");
}

/// The tables in which a tenant has rows, those of the directory as well.
fn rows_of(host: &Host, tenant: &str) -> Vec<String> {
    let store = memory(host).store(tenant);
    let ask = |text: String, params: Vec<shared::ports::Value>| {
        // The port takes texts that live as long as the program.
        block_on(store.query(Statement::new(text.leak(), params))).unwrap()
    };
    let tables = "select m.name from sqlite_master m join pragma_table_info(m.name) c \
                  where m.type = 'table' and c.name = 'tenant'";
    let names = ask(tables.to_owned(), vec![]).into_iter().map(|row| {
        let [name] = row.columns().unwrap();
        name.text().unwrap()
    });
    let holds = |name: &String| {
        let text = format!("select tenant from {name} where tenant = ?1 limit 1");
        !ask(text, vec![tenant.into()]).is_empty()
    };
    names.filter(holds).collect()
}

#[test]
fn a_year_goes_by_in_bounded_time_and_everything_happens_on_its_day() {
    let host = Host::memory();
    let at = host.sandbox();
    let advance = |to: &str| post(&host, "/v1/test-clock/advance", &at.key, json!({"to": to}));
    assert_eq!(advance("2030-01-01T00:00:00Z").status, 200);
    let start = now(&host, &at.key);
    let keys: Vec<_> = (1u32..=365)
        .map(|day| {
            let ends = (start + DAY * day).to_string();
            let new = json!({"name": "k", "scopes": ["log:read"], "expires_at": ends});
            post(&host, "/v1/keys", &at.key, new).text("/secret")
        })
        .collect();

    let began = Instant::now();
    arrive(&host, &at, &(start + DAY * 100).to_string());
    let (over, working) = keys.split_at(100);
    let status = |key: &String| get(&host, "/v1/log?limit=1", key).status.as_u16();
    assert_eq!(status(over.last().unwrap()), 401, "what ended on the way has ended");
    assert!(working.iter().all(|it| status(it) == 200), "and nothing else has");
    arrive(&host, &at, &(start + DAY * 365).to_string());
    let left = get(&host, "/v1/jobs", &at.key).json();

    assert!(began.elapsed() < YEAR_TIMEOUT, "{:?}", began.elapsed());
    assert_eq!(left["items"], json!([]));
}

/// Sends the clock on its way and asks until it is there.
fn arrive(host: &Host, at: &Sandbox, to: &str) {
    assert_eq!(post(host, "/v1/test-clock/advance", &at.key, json!({"to": to})).status, 200);
    for _ in 0..100 {
        let clock = get(host, "/v1/test-clock", &at.key);
        if clock.text("/status") == "ready" {
            assert_eq!(clock.text("/now"), to);
            return;
        }
        memory(host).advance(Duration::from_secs(1));
    }
    panic!("the clock never arrives at {to}");
}
