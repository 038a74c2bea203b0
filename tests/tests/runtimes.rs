//! The same on the real runtimes: stories, contract, isolation, crash.
//!
//! `BACKPLANE_RUNTIMES=local,workerd cargo test -p tests --test runtimes`, or `url` for whoever
//! answers at `BACKPLANE_URL` to `BACKPLANE_OPERATOR_KEY`.

use std::fs;

use serde_json::Value;
use tests::{crash, host::Host, isolation, player};

/// How often the crash test kills, unless `CRASH_KILLS` says otherwise.
const KILLS: u32 = 100;

#[test]
fn every_story_plays_as_written() {
    Host::on_each("stories", |host| {
        let mut differing = Vec::new();
        for file in player::stories() {
            let expected = fs::read_to_string(&file).unwrap();
            let actual = player::play(host, &expected);
            if actual != expected {
                differing.push(format!("{}:\n{}", file.display(), difference(&expected, &actual)));
            }
        }
        assert!(differing.is_empty(), "{}", differing.join("\n\n"));
        println!("  {} stories", player::stories().len());
    });
}

/// The lines that differ.
fn difference(expected: &str, actual: &str) -> String {
    let lines = expected.lines().zip(actual.lines()).filter(|(a, b)| a != b);
    lines.map(|(a, b)| format!("- {a}\n+ {b}\n")).collect()
}

#[test]
fn the_runtime_keeps_its_promises() {
    Host::on_each("contract", |host| {
        let at = host.sandbox();
        let kept = host.ask("POST", "/v1/selftest/contract", &at.key, &Value::Null).json();
        assert_eq!(kept["kept"], true, "{kept:#}");
        println!("  {} promises", kept["checks"].as_array().map_or(0, Vec::len));
    });
}

#[test]
fn no_tenant_sees_another() {
    Host::on_each("isolation", isolation::check);
}

#[test]
fn every_route_answers() {
    Host::on_each("routes", isolation::every_route_answers);
}

#[test]
fn nothing_is_lost_when_the_host_is_killed() {
    if !Host::asked_for().iter().any(|it| it == "local") {
        println!("skipped: BACKPLANE_RUNTIMES does not name local");
        return;
    }
    let kills = std::env::var("CRASH_KILLS").ok().and_then(|it| it.parse().ok()).unwrap_or(KILLS);
    let state = tempfile::tempdir().unwrap();
    crash::check(state.path(), kills);
}
