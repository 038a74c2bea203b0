//! How fast the gate decides, beside a function that does nothing, and as there are more keys.

use std::{fs, path::Path, time::Instant};

use serde_json::{Value, json};

use crate::{
    bench_webhooks::tenant,
    host::{Host, Sandbox},
    wrk::{self, median, print},
};

const ROUNDS: usize = 3;
/// How many keys take turns …
const KEYS: usize = 1_000;
/// … and how many of them in eventual mode, which is for those that ask often.
const BUSY_KEYS: usize = 10;
/// How many checks are asked at once where keys are made.
const TOGETHER: usize = 100;
/// How many batches are timed at each number of keys.
const TIMED: usize = 20;

/// Decisions a second, exact and eventual, with one policy and with three.
///
/// # Panics
/// When the runtime does not start, or refuses something.
pub fn throughput(runtime: &str) {
    let state = tempfile::tempdir().expect("there is room for the state");
    let host = Host::start(runtime, state.path());
    let url = host.url().expect("a started host has an address").to_owned();
    let at = tenant(&host);
    for (name, app, mode) in [
        ("one", "exact", "exact"),
        ("first", "three", "exact"),
        ("second", "three", "exact"),
        ("third", "three", "exact"),
        ("alone", "eventual", "eventual"),
    ] {
        put(&host, &at, name, app, mode);
    }
    let loads = [
        ("exact", "exact", KEYS),
        ("one key", "exact", 1),
        ("three", "three", KEYS),
        ("eventual", "eventual", BUSY_KEYS),
    ];
    let (mut idle, mut found) = (Vec::new(), [const { Vec::new() }; 4]);
    for _ in 0..ROUNDS {
        // The no-op is sent what the gate is sent: the generator works on the same processors.
        let same = script(state.path(), &at.key, loads[0], ["GET", "/v1/health"]);
        idle.push(wrk::ask(&format!("{url}/v1/health"), Some(&same)));
        for (load, found) in loads.iter().zip(&mut found) {
            let script = script(state.path(), &at.key, *load, ["POST", "/v1/limits/check"]);
            found.push(wrk::ask(&format!("{url}/v1/limits/check"), Some(&script)));
        }
    }
    let idle = median(&idle);
    print(runtime, "no-op", idle, idle);
    for ((name, ..), found) in loads.iter().zip(&found) {
        print(runtime, name, median(found), idle);
    }
}

/// What a decision costs as there are 100 keys, and more by tens up to `most`.
///
/// # Panics
/// When the runtime does not start, or refuses something.
pub fn many_keys(runtime: &str, most: usize) {
    let state = tempfile::tempdir().expect("there is room for the state");
    let host = Host::start(runtime, state.path());
    let at = tenant(&host);
    put(&host, &at, "one", "exact", "exact");
    println!();
    println!("| runtime | keys | ms a decision, of {TOGETHER} | ratio to the fewest |");
    println!("|---|---|---|---|");
    let (mut made, mut first, mut keys) = (0, None, 100);
    while keys <= most {
        while made < keys {
            ask(&host, &at, made);
            made += TOGETHER;
        }
        let mut took: Vec<_> = (0..TIMED)
            .map(|n| {
                let start = Instant::now();
                ask(&host, &at, (n * 7_919 * TOGETHER) % made);
                start.elapsed().as_secs_f64() * 1000.0
            })
            .collect();
        took.sort_by(f64::total_cmp);
        #[expect(clippy::cast_precision_loss, reason = "a hundred is exact")]
        let each = took[TIMED / 2] / TOGETHER as f64;
        let ratio = each / *first.get_or_insert(each);
        println!("| {runtime} | {keys} | {each:.3} | {ratio:.2} |");
        keys *= 10;
    }
}

fn put(host: &Host, at: &Sandbox, name: &str, app: &str, mode: &str) {
    let policy = json!({
        "app": app, "algorithm": "gcra", "limit": 1_000_000, "period_seconds": 60,
        "key": "{api_key}", "mode": mode,
    });
    let put = host.ask("PUT", &format!("/v1/limits/policies/{name}"), &at.key, &policy);
    assert_eq!(put.status, 201, "{put:?}");
}

/// One check of each of a hundred keys.
fn ask(host: &Host, at: &Sandbox, from: usize) {
    let check = |n: usize| json!({"app": "exact", "api_key": format!("key_{}", from + n)});
    let checks: Vec<Value> = (0..TOGETHER).map(check).collect();
    let answer = host.ask("POST", "/v1/limits/checks", &at.key, &json!({"checks": checks}));
    assert_eq!(answer.status, 200, "{answer:?}");
}

/// A script for wrk that asks for one key after the other.
fn script(
    folder: &Path,
    key: &str,
    (name, app, keys): (&str, &str, usize),
    [method, path]: [&str; 2],
) -> String {
    let script = format!(
        r#"
local n = 0
function request()
  n = n % {keys} + 1
  return wrk.format("{method}", "{path}", {{
    ["content-type"] = "application/json", ["authorization"] = "Bearer {key}",
  }}, '{{"app":"{app}","api_key":"key_' .. n .. '","route":"/v1/orders"}}')
end
"#
    );
    let file = folder.join(format!("{method}-{name}.lua"));
    fs::write(&file, script).expect("there is room for the script");
    file.display().to_string()
}
