//! An inbox in a real browser, on the runtimes that `BACKPLANE_RUNTIMES` names: live in two tabs,
//! and pushed. Firefox, as Debian has it, since its push service can be another than its maker's.
//!
//! `BACKPLANE_RUNTIMES=local,workerd cargo test --workspace --test browser`

use std::process::Command;

use serde_json::json;
use tests::{host::Host, inbox::with_inbox, local::root};

/// What lets the browser's push service be on loopback.
const HOSTS: (&str, &str) = ("push_hosts", "https://*:*,http://127.0.0.1:*");

#[test]
fn a_browser_is_told_live_and_by_push() {
    let names = Host::asked_for();
    if names.is_empty() {
        println!("skipped: no runtime is named");
    }
    for name in names {
        println!("browser: {name}");
        let state = tempfile::tempdir().expect("there is room for the state");
        let host = Host::start_with(&name, state.path(), &[HOSTS]);
        // Only Workers keep connections while nobody is awake.
        let transport = if name == "workerd" { "WebSocket" } else { "EventSource" };
        follow(&host, transport);
    }
}

fn follow(host: &Host, transport: &str) {
    let (at, member) = with_inbox(host);
    // What leaves the product has a sender.
    let settings = json!({"from": "tea@example.com", "base": "https://api.example.com"});
    let put = host.ask("PUT", "/v1/notifications/settings", &at.key, &settings);
    assert!(put.status.is_success(), "{}", put.json());
    let told = json!({"url": host.url(), "key": at.key, "member": member, "transport": transport});

    let mut script = Command::new("node");
    script.current_dir(root()).arg("tests/browser/inbox.mjs").arg(told.to_string());
    let status = script.status().expect("node is installed");

    assert!(status.success(), "{status}: see above");
}
