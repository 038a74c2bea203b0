//! What a conversation cannot say of the spine: time, failure, and the same thing twice.

use std::time::Duration;

use edge::Backplane;
use pollster::block_on;
use proptest::prelude::*;
use serde_json::{Value, json};
use shared::{
    domain::{Commit, Draft, Id, Job, NewJob, Principal, Timestamp},
    drain,
    memory::Memory,
    open::Open,
    ports::{CommitError, PortError, Row, Sql, SqlError, Statement, Store, Tenant, Wake},
};
use tests::host::{Host, Sandbox, request};
use webhooks::{recipe::Recipe, signature};

const SECRET: &str = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
const PUT: &str = "insert into selftest_rows (tenant, name, number) values (?1, ?2, 1)";
const BUMP: &str = "update selftest_rows set number = number + 1 where tenant = ?1 and name = ?2";
const ROWS: &str = "select name, number from selftest_rows where tenant = ?1 order by name";

fn open(host: &Memory) -> Open<Memory, shared::memory::MemorySql> {
    block_on(Open::new(host, &host.store("ten_a"), Principal::system("ten_a", true), None)).unwrap()
}

fn subject() -> Id {
    Id::trusted("thing".to_owned())
}

fn count(host: &Memory, text: &'static str) -> usize {
    block_on(open(host).query(text, [])).unwrap().len()
}

const LOG: &str = "select sequence from log where tenant = ?1";
const JOBS: &str = "select id from jobs where tenant = ?1 and state = 'waiting'";
const DEAD: &str = "select id from jobs where tenant = ?1 and state = 'dead'";

#[test]
fn a_commit_whose_guard_does_not_hold_leaves_nothing() {
    let host = Memory::default();
    let commit = Commit::new()
        .write(PUT, ["one".into()])
        .write_one(BUMP, ["another".into()])
        .entry(Draft::new("a.b", &subject()))
        .job(NewJob::new("selftest.job", "j", json!({})));

    let outcome = block_on(open(&host).commit(commit));

    assert!(matches!(outcome, Err(CommitError::Conflict)));
    assert_eq!((count(&host, ROWS), count(&host, LOG), count(&host, JOBS)), (0, 0, 0));
}

#[test]
fn a_worker_that_dies_gives_its_job_back_when_its_lease_ends() {
    let host = Memory::default();
    let job = NewJob::new("selftest.job", "j", json!({"name": "good"}));
    block_on(open(&host).commit(Commit::new().job(job))).unwrap();
    // As a drain that took the job and never came back.
    let lease = "update jobs set leased_until_ms = ?2, attempts = 1 where tenant = ?1";
    let until = open(&host).real_now() + Duration::from_secs(60);
    block_on(open(&host).query(lease, [until.into()])).unwrap();

    drained(&host);
    assert_eq!(count(&host, ROWS), 0, "it is still the other's");

    host.advance(Duration::from_secs(61));
    drained(&host);
    assert_eq!((count(&host, ROWS), count(&host, JOBS)), (1, 0));
}

#[test]
fn a_job_whose_worker_always_dies_is_a_dead_letter() {
    let host = Memory::default();
    let job = NewJob::new("selftest.job", "j", json!({"name": "good"}));
    block_on(open(&host).commit(Commit::new().job(job))).unwrap();
    let tried = "update jobs set attempts = ?2 where tenant = ?1";
    block_on(open(&host).query(tried, [Job::ATTEMPTS_MAX.into()])).unwrap();

    drained(&host);

    assert_eq!((count(&host, DEAD), count(&host, ROWS)), (1, 0));
}

#[test]
fn a_job_that_was_given_up_comes_back_when_it_is_told_of_more() {
    let host = Memory::default();
    let job = || NewJob::new("selftest.job", "j", json!({"name": "good"}));
    block_on(open(&host).commit(Commit::new().job(job()))).unwrap();
    let died = "
        update jobs set state = 'dead', attempts = ?2, reason = 'x', due_at_ms = 0
        where tenant = ?1";
    block_on(open(&host).query(died, [Job::ATTEMPTS_MAX.into()])).unwrap();

    block_on(open(&host).commit(Commit::new().job(job()))).unwrap();
    assert_eq!((count(&host, DEAD), count(&host, JOBS)), (1, 0), "the same work is done once");
    let later = job().at(open(&host).now() + Duration::from_secs(5)).sooner();
    block_on(open(&host).commit(Commit::new().job(later))).unwrap();
    assert_eq!((count(&host, DEAD), count(&host, JOBS)), (0, 1));

    drained(&host);
    assert_eq!(count(&host, ROWS), 0, "not before its new time");
    host.advance(Duration::from_secs(5));
    drained(&host);
    assert_eq!((count(&host, ROWS), count(&host, JOBS), count(&host, DEAD)), (1, 0, 0));
}

#[test]
fn a_follower_sees_each_entry_once_however_often_it_is_woken() {
    let host = Memory::default();
    for _ in 0..250 {
        let commit = Commit::new().entry(Draft::new("selftest.started", &subject()));
        block_on(open(&host).commit(commit)).unwrap();
    }

    (0..5).for_each(|_| drained(&host));

    let rows = block_on(open(&host).query(ROWS, [])).unwrap();
    let [name, number] = rows.into_iter().next().unwrap().columns().unwrap();
    assert_eq!(name.text().unwrap(), "followed selftest.started");
    assert_eq!(number.integer().unwrap(), 250);
}

fn drained(host: &Memory) {
    block_on(drain::drain::<Backplane, _, _>(host, &host.store("ten_a"), "ten_a")).unwrap();
}

/// A database that fails the way a full or locked one does.
#[derive(Clone)]
struct Failing(&'static str);

impl Sql for Failing {
    async fn query(&self, _: Statement) -> Result<Vec<Row>, SqlError> {
        Err(SqlError::from_sqlite(self.0))
    }

    async fn batch(&self, _: Vec<Statement>) -> Result<Vec<Vec<Row>>, SqlError> {
        Err(SqlError::from_sqlite(self.0))
    }
}

impl Store for Failing {
    async fn commit(&self, _: Vec<Statement>, _: Vec<Wake>) -> Result<Vec<Vec<Row>>, SqlError> {
        Err(SqlError::from_sqlite(self.0))
    }

    async fn wake(&self, _: Vec<Wake>) -> Result<(), PortError> {
        Err(PortError::new("sql", self.0))
    }
}

#[test]
fn a_locked_or_full_database_is_a_problem_that_says_what_to_do() {
    let host = Memory::default();
    for (reason, status) in [("database is locked", 503), ("database or disk is full", 507)] {
        let principal = Principal::system("ten_a", false);
        let made = http::Request::get("/v1/log").body(bytes::Bytes::new()).unwrap();
        let route = shared::route::find(
            <Backplane as shared::function::Function>::routes(),
            made.method(),
            "/v1/log",
        );
        let call = shared::route::Call::new(route.unwrap(), made).unwrap();

        let outcome = block_on(shared::serve::run::<Backplane, _, _>(
            &host,
            &Failing(reason),
            principal,
            &call,
        ));

        let response = shared::serve::finish(&host, &http::Method::GET, outcome);
        assert_eq!(response.status().as_u16(), status, "{reason}");
        assert!(host.notes().last().unwrap().contains(reason), "the log has the cause");
        let body = response.into_body();
        let text = String::from_utf8_lossy(body.as_full().unwrap()).into_owned();
        assert!(!text.contains("database"), "and the client has not: {text}");
    }
}

#[test]
fn a_host_name_leads_to_its_tenant_without_any_scope() {
    let host = Host::memory();
    let at = host.sandbox();
    let body = json!({"name": "help.example.com"});
    assert_eq!(host.ask("POST", "/v1/hosts", &at.key, &body).status, 201);

    let by_host =
        |name: &str| host.call(request("GET", "/v1/whoami", &[("host", name)], &Value::Null));

    let known = by_host("HELP.example.com:8443").json();
    assert_eq!((&known["tenant"], &known["actor"]), (&json!(at.tenant), &json!("visitor")));
    assert_eq!(known["scopes"], json!([]));
    assert_eq!(by_host("other.example.com").status, 401);
}

#[test]
fn a_client_that_keeps_showing_bad_credentials_is_told_to_wait() {
    let host = Host::memory();
    let guess = |client: &str| {
        let headers = [("authorization", "Bearer bpk_guess"), ("x-client-address", client)];
        host.call(request("GET", "/v1/log", &headers, &Value::Null)).status.as_u16()
    };

    let answers: Vec<_> = (0..200).map(|_| guess("192.0.2.1:5000")).collect();

    assert_eq!(answers[0], 401);
    assert_eq!(answers[199], 429);
    assert_eq!(guess("192.0.2.2:5000"), 401, "and nobody else is");
}

#[test]
fn an_address_without_an_end_is_not_read() {
    let path = format!("/v1/log?subject={}", "x".repeat(9000));

    let answer = Host::memory().call(request("GET", &path, &[], &Value::Null));

    assert_eq!(answer.status, 414);
}

#[test]
fn a_delivery_whose_worker_always_dies_fails_its_message() {
    let memory = Memory::default();
    let host = Host::Memory(Box::new(memory.clone()));
    let at = host.sandbox();
    let path = source(&host, &at);
    let id = path.replace("/in/", "/v1/webhooks/sources/");
    let target = json!({"target": "https://example.com/hook"});
    assert_eq!(host.ask("PATCH", &id, &at.key, &target).status, 200);
    let now = Timestamp::parse(&host.ask("GET", "/v1/whoami", &at.key, &Value::Null).text("/now"));
    let message = send(&host, &path, "evt_1", now.unwrap().seconds());
    let died = "update jobs set attempts = ?2, due_at_ms = 0 where tenant = ?1";
    let params = [at.tenant.as_str().into(), Job::ATTEMPTS_MAX.into()];
    block_on(memory.store("").query(Statement::new(died, params))).unwrap();

    let store = memory.store(&at.tenant);
    block_on(drain::drain::<Backplane, _, _>(&memory, &store, &at.tenant)).unwrap();

    let path = format!("/v1/webhooks/messages/{message}");
    assert_eq!(host.ask("GET", &path, &at.key, &Value::Null).text("/delivery"), "failed");
}

fn source(host: &Host, at: &Sandbox) -> String {
    let body = json!({"name": "s", "recipe": "standard-webhooks", "secret": SECRET});
    host.ask("POST", "/v1/webhooks/sources", &at.key, &body).text("/path")
}

fn send(host: &Host, path: &str, id: &str, now: i64) -> String {
    let recipe = Recipe::named("standard-webhooks").unwrap();
    let body = json!({"type": "order.paid", "id": id});
    let headers = signature::sign(&recipe, SECRET, id, now, body.to_string().as_bytes()).unwrap();
    let headers: Vec<_> = headers.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    host.call(request("POST", path, &headers, &body)).text("/id")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_order_and_any_duplication_stores_the_same(sent in proptest::collection::vec(0u8..6, 1..40)) {
        let host = Host::memory();
        let at = host.sandbox();
        let path = source(&host, &at);
        let now = Timestamp::parse(&host.ask("GET", "/v1/whoami", &at.key, &Value::Null).text("/now"));
        let now = now.unwrap().seconds();

        let mut answers = std::collections::BTreeMap::new();
        for number in &sent {
            let id = format!("evt_{number}");
            let message = send(&host, &path, &id, now);
            let first = answers.entry(id).or_insert_with(|| message.clone());
            prop_assert_eq!(&*first, &message, "a duplicate is told of the first");
        }

        let stored = host.ask("GET", "/v1/webhooks/messages?limit=200", &at.key, &Value::Null).json();
        let stored: std::collections::BTreeSet<_> = stored["items"].as_array().unwrap().iter()
            .map(|it| it["provider_id"].as_str().unwrap().to_owned()).collect();
        let distinct: std::collections::BTreeSet<_> = answers.keys().cloned().collect();
        prop_assert_eq!(stored, distinct);
    }

    #[test]
    fn nothing_that_is_posted_anywhere_breaks_it(
        path in "/(v1|in)/[a-z/{}%0-9_-]{0,40}",
        body in proptest::collection::vec(any::<u8>(), 0..200),
        kind in "[ -~]{0,40}",
        key in "[ -~]{0,40}",
    ) {
        let host = Host::memory();
        let request = http::Request::post(path.as_str())
            .header("content-type", kind)
            .header("authorization", key)
            .body(bytes::Bytes::from(body));
        if let Ok(request) = request {
            let answer = host.call(request);
            prop_assert!(answer.status.is_client_error(), "{:?}", answer);
            prop_assert_eq!(&answer.headers["content-type"], "application/problem+json");
        }
    }
}
