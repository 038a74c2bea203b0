//! How fast tickets come in, by mail and by the form, and what a list of them costs as they grow.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{
    bench_webhooks::tenant,
    host::{Host, Sandbox},
    wrk::{self, median, print},
};

/// How often each is measured.
const ROUNDS: usize = 3;
/// More than a round can post, so that none comes twice.
const POSTED: usize = 20_000;
/// The same of forms, each of which is a page that was shown before.
const PAGES_SENT: usize = 8_000;
/// How long nobody is who fills in a form.
const READING: Duration = Duration::from_secs(3);
/// How many tickets there are when a list is timed, the least first.
const SIZES: [usize; 5] = [100, 1_000, 10_000, 100_000, 1_000_000];
/// As many as are opened by the API: on the local host the others are written like the first.
const OPENED: usize = 100;
/// How many pages are timed of each list.
const PAGES: usize = 200;
/// How long SQLite may wait for the host.
const PATIENCE: Duration = Duration::from_secs(60);

/// One more ticket like the first of this tenant, for each number from ?2 to ?3.
const MORE_TICKETS: &str = "
    with recursive numbers (n) as (select ?2 union all select n + 1 from numbers where n < ?3)
    insert into tickets (tenant, id, number, state, requester, customer, assignee, team, ticket,
      updated_at_ms, version)
    select tenant, 'tkt_' || printf('%026d', n), n, state, requester, customer, assignee, team,
      json_set(ticket, '$.id', 'tkt_' || printf('%026d', n), '$.number', n), updated_at_ms + n,
      version
    from numbers, (select * from tickets where tenant = ?1 and number = 1)";
/// The same in a view.
const MORE_ROWS: &str = "
    insert into ticket_view_rows (tenant, build, sort, ticket)
    select tenant, (select build from ticket_views where tenant = ?1), -updated_at_ms, id
    from tickets where tenant = ?1 and number between ?2 and ?3";

/// Runs all of it on this runtime, and prints a table of each.
///
/// # Panics
/// When the runtime does not start, or an answer is not 2xx.
pub fn run(runtime: &str) {
    let state = tempfile::tempdir().expect("there is room for the state");
    let host = Host::start(runtime, state.path());
    intake(&host, runtime, state.path());
    lists(&host, runtime, state.path());
}

/// Mails and forms a second, beside the no-op: they take turns.
fn intake(host: &Host, runtime: &str, state: &Path) {
    let url = host.url().expect("a started host has an address").to_owned();
    let at = tenant(host);
    let mailbox = json!({"address": "help@bench.example", "name": "Help"});
    let made = host.ask("POST", "/v1/tickets/mailboxes", &at.key, &mailbox);
    assert!(made.status.is_success(), "{made:?}");
    let path = format!("/v1/mail/{}/postmark", made.text("/address"));
    let authorization = format!("Bearer {}", made.text("/token"));
    let form = json!({"title": "Help", "per_minute": 100_000, "per_client": 100_000});
    let form = host.ask("PUT", "/v1/tickets/forms/help", &at.key, &form).text("/path");
    let (mut idle, mut mails, mut forms) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        idle.push(wrk::ask(&format!("{url}/v1/health"), None));
        let rows = (0..POSTED).map(|it| vec![authorization.clone(), mail(round, it)]);
        let script = wrk::posts(state, &format!("mails-{round}"), &path, &["authorization"], rows);
        mails.push(wrk::ask(&format!("{url}{path}"), Some(&script)));
        let kind = "application/x-www-form-urlencoded; charset=utf-8".to_owned();
        let rows: Vec<_> =
            (0..PAGES_SENT).map(|it| vec![kind.clone(), filled_in(host, &form, it)]).collect();
        std::thread::sleep(READING);
        let name = format!("forms-{round}");
        let script = wrk::posts(state, &name, &form, &["content-type"], rows.into_iter());
        forms.push(wrk::ask(&format!("{url}{form}"), Some(&script)));
    }
    let idle = median(&idle);
    print(runtime, "no-op", idle, idle);
    print(runtime, "mails", median(&mails), idle);
    print(runtime, "forms", median(&forms), idle);
}

/// A page of a form as a browser sends it.
fn filled_in(host: &Host, form: &str, number: usize) -> String {
    let shown = host.ask("GET", form, "", &Value::Null);
    let text = String::from_utf8_lossy(&shown.body).into_owned();
    let page = text.split("name=\"page\" value=\"").nth(1).and_then(|it| it.split('"').next());
    let page = page.expect("a form says which page it is");
    format!("page={page}&email=ada{number}%40sender.example&subject=Question&text=How%3F")
}

/// A mail as a provider hands it over.
fn mail(round: usize, number: usize) -> String {
    let id = format!("{round}.{number}@sender.example");
    let raw = format!(
        "From: Ada <ada{number}@sender.example>\r\nTo: help@bench.example\r\nSubject: Question \
         {number}\r\nMessage-ID: <{id}>\r\nDate: Tue, 01 Jan 2030 00:00:00 +0000\r\nMIME-Version: \
         1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nHow does it work?\r\n"
    );
    json!({"From": format!("ada{number}@sender.example"), "To": "help@bench.example",
        "OriginalRecipient": "help@bench.example", "RawEmail": raw})
    .to_string()
}

/// What a page costs of the list of all, of one state and of a view, as tickets grow.
fn lists(host: &Host, runtime: &str, state: &Path) {
    let at = tenant(host);
    let view = json!({"when": "ticket.state == 'open'"});
    let put = host.ask("PUT", "/v1/tickets/views/open", &at.key, &view);
    assert!(put.status.is_success(), "{put:?}");
    for number in 0..OPENED {
        let new = json!({"subject": format!("Question {number}"), "text": "How?",
            "requester": {"email": format!("a{number}@example.com")}});
        let made = host.ask("POST", "/v1/tickets", &at.key, &new);
        assert!(made.status.is_success(), "{made:?}");
    }
    println!("\n| runtime | tickets | all, ms | one state, ms | a view, ms | ratio to the least |");
    println!("|---|---|---|---|---|---|");
    let mut first = None;
    for size in SIZES {
        if !grow(runtime, state, &at, size) {
            break;
        }
        let all = page(host, &at, "/v1/tickets?limit=50");
        let one = page(host, &at, "/v1/tickets?limit=50&state=open");
        let view = page(host, &at, "/v1/tickets/views/open/tickets?limit=50");
        let [a, b, c] = *first.get_or_insert([all, one, view]);
        let worst = (all / a).max(one / b).max(view / c);
        println!("| {runtime} | {size} | {all:.2} | {one:.2} | {view:.2} | {worst:.2} |");
    }
}

/// Whether there are as many tickets now. Only the local host's database can be written beside it.
fn grow(runtime: &str, state: &Path, at: &Sandbox, size: usize) -> bool {
    if size <= OPENED {
        return true;
    }
    if runtime != "local" {
        return false;
    }
    let database = rusqlite::Connection::open(state.join("sqlite_db.db"));
    let database = database.expect("the local host has its database there");
    database.busy_timeout(PATIENCE).expect("SQLite can wait");
    let known = "select count(*) from tickets where tenant = ?1";
    let known: usize = database
        .query_row(known, [&at.tenant], |row| row.get(0))
        .expect("the schema is as it is here");
    for statement in [MORE_TICKETS, MORE_ROWS] {
        let numbers = (&at.tenant, known + 1, size);
        database.execute(statement, numbers).expect("the schema is as it is here");
    }
    true
}

/// The median time of a page, in milliseconds.
fn page(host: &Host, at: &Sandbox, path: &str) -> f64 {
    let time = |_| {
        let began = Instant::now();
        let answer = host.ask("GET", path, &at.key, &Value::Null);
        let took = began.elapsed();
        assert_eq!(answer.json()["items"].as_array().map(Vec::len), Some(50), "{answer:?}");
        took
    };
    let mut all: Vec<_> = (0..PAGES).map(time).collect();
    all.sort_unstable();
    all[all.len() / 2].as_secs_f64() * 1000.0
}
