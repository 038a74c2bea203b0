//! How fast notices go out to many, in how much memory, and how soon a live client has one.

use std::{
    fs,
    io::BufRead,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use serde_json::{Value, json};
use shared::domain::Timestamp;

use crate::{
    bench_webhooks::tenant,
    feed::{PATIENCE, connect},
    host::{Host, Sandbox},
    wrk,
};

/// How many recipients a notice has, the least first: more than are told of in the answer.
const RECIPIENTS: [usize; 3] = [200, 1_000, 10_000];
/// How many notices a live client waits for.
const LIVE: usize = 100;
/// They come unevenly, so that they meet every phase of what looks now and then.
const UNEVEN_MS: [u64; 5] = [210, 370, 40, 530, 130];
/// How long a fan-out may take.
const FAN_OUT: Duration = Duration::from_secs(600);

/// Runs all of it on this runtime, and prints a table of each.
///
/// # Panics
/// When the runtime does not start, or something does not arrive.
pub fn run(runtime: &str) {
    let state = tempfile::tempdir().expect("there is room for the state");
    let host = Host::start(runtime, state.path());
    let url = host.url().expect("a started host has an address").to_owned();
    let at = tenant(&host);
    let workflow = json!({"channels": ["in_app"],
        "template": {"subject": "Number {{ n }}", "markdown": "Here it is: {{ n }}"}});
    let put = host.ask("PUT", "/v1/notifications/workflows/bench", &at.key, &workflow);
    assert!(put.status.is_success(), "{put:?}");
    let idle = wrk::ask(&format!("{url}/v1/health"), None).per_second;
    println!("\n| runtime | recipients | notices/s | ratio to the no-op | peak of memory, MB |");
    println!("|---|---|---|---|---|");
    println!("| {runtime} | no-op | {idle:.0} | 1.000 | |");
    for recipients in RECIPIENTS {
        host.forget_peak();
        let each = fan_out(&host, &at, recipients);
        let peak = host.peak_kilobytes() / 1024;
        println!("| {runtime} | {recipients} | {each:.0} | {:.3} | {peak} |", each / idle);
    }
    let mut waited = live(&host, &at);
    waited.sort_unstable();
    let at = |percent: usize| waited[(waited.len() * percent / 100).min(waited.len() - 1)];
    println!("\n| runtime | from commit to a live client | ms |");
    println!("|---|---|---|");
    println!("| {runtime} | p50 | {} |", at(50));
    println!("| {runtime} | p99 | {} |", at(99));
}

/// Notices a second, from the call to the last that is in its inbox.
fn fan_out(host: &Host, at: &Sandbox, recipients: usize) -> f64 {
    let contact = |it| json!({"contact": {"email": format!("a{it}@example.com")}});
    let to: Vec<Value> = (0..recipients).map(contact).collect();
    let notice = json!({"type": "bench", "to": to, "data": {"n": recipients}});
    let began = Instant::now();
    let made = host.ask("POST", "/v1/notifications", &at.key, &notice);
    assert!(made.status.is_success(), "{made:?}");
    let path = format!("/v1/notifications/{}", made.text("/id"));
    loop {
        let seen = host.ask("GET", &path, &at.key, &Value::Null).json();
        if seen["counts"]["sent"] == json!(recipients) {
            break;
        }
        assert!(began.elapsed() < FAN_OUT, "not all were told: {}", seen["counts"]);
        std::thread::sleep(Duration::from_millis(50));
    }
    #[expect(clippy::cast_precision_loss, reason = "ten thousand is exact")]
    let recipients = recipients as f64;
    recipients / began.elapsed().as_secs_f64()
}

/// How long each of some notices took from its commit to a live client, in milliseconds.
fn live(host: &Host, at: &Sandbox) -> Vec<i64> {
    let member = json!({"email": "ann@example.com", "name": "Ann"});
    let member = host.ask("POST", "/v1/members", &at.key, &member).text("/id");
    let path = format!("/v1/notifications/inbox/{member}/live");
    let mut lines = connect(host, at, &path, "last-event-id: 0");
    std::thread::scope(|scope| {
        let waits = scope.spawn(move || -> Vec<i64> {
            (0..LIVE).map(|_| received(&mut lines)).map(|it| now().0 - it.0).collect()
        });
        for (number, pause) in (0..LIVE).zip(UNEVEN_MS.into_iter().cycle()) {
            std::thread::sleep(Duration::from_millis(pause));
            let notice =
                json!({"type": "bench", "to": [{"member": member}], "data": {"n": number}});
            let sent = host.ask("POST", "/v1/notifications", &at.key, &notice);
            assert!(sent.status.is_success(), "{sent:?}");
        }
        waits.join().expect("each of them comes")
    })
}

/// When what comes next was put into the inbox.
fn received(lines: &mut impl BufRead) -> Timestamp {
    let end = Instant::now() + PATIENCE;
    loop {
        let mut line = String::new();
        lines.read_line(&mut line).expect("the feed goes on");
        assert!(Instant::now() < end && !line.is_empty(), "no change came");
        let data =
            line.strip_prefix("data: ").and_then(|it| serde_json::from_str::<Value>(it).ok());
        let at = data.and_then(|it| serde_json::from_value(it["item"]["at"].clone()).ok());
        if let Some(at) = at {
            return at;
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a bench measures by the clock of the machine")]
fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970");
    Timestamp(i64::try_from(since.as_millis()).expect("it is before the end of time"))
}

/// The processes of a group: a host is the first of its own.
fn of_group(group: u32) -> impl Iterator<Item = String> {
    let processes = fs::read_dir("/proc").into_iter().flatten().filter_map(Result::ok);
    let names = processes.filter_map(|it| it.file_name().into_string().ok());
    names.filter(move |it| {
        let stat = fs::read_to_string(format!("/proc/{it}/stat")).unwrap_or_default();
        // Behind the name of the program, which may have blanks in it: state, parent, group.
        let fields = stat.rsplit(')').next().unwrap_or_default();
        fields.split_whitespace().nth(2) == Some(&group.to_string())
    })
}

impl Host {
    /// Forgets how much memory it has had at most.
    fn forget_peak(&self) {
        for it in of_group(self.group()) {
            // Only the kernel of Linux knows this file; without it the peak is that of all rounds.
            let _ = fs::write(format!("/proc/{it}/clear_refs"), "5");
        }
    }

    /// How much memory its processes have had at most since.
    fn peak_kilobytes(&self) -> u64 {
        let peak = |it: String| {
            let status = fs::read_to_string(format!("/proc/{it}/status")).unwrap_or_default();
            let line = status.lines().find_map(|it| it.strip_prefix("VmHWM:"))?.trim().to_owned();
            line.split_whitespace().next()?.parse::<u64>().ok()
        };
        of_group(self.group()).filter_map(peak).sum()
    }
}
