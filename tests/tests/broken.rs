//! What breaks stays small: an instance that panics, a queue's batch that is none.
//!
//! `BACKPLANE_RUNTIMES=local,workerd cargo test -p tests --test broken`

use serde_json::{Value, json};
use tests::{host::Host, workerd::Workerd};

/// How often it is broken, so that what an instance leaves behind shows.
const BREAKS: usize = 5;

#[test]
fn a_panic_is_answered_and_the_next_request_finds_a_new_instance() {
    for name in Host::asked_for() {
        println!("panic: {name}");
        let state = tempfile::tempdir().unwrap();
        let host = Host::start_with(&name, state.path(), &[("selftest_panic", "yes")]);
        let at = host.sandbox();
        for _ in 0..BREAKS {
            let broken = host.ask("POST", "/v1/selftest/panic", &at.key, &Value::Null);
            assert_eq!(broken.status, 500, "{name}");
            if name == "workerd" {
                // On Spin the runtime itself answers, and without a body.
                assert_eq!(broken.json()["type"], "/problems/internal");
            }
            let after = host.ask("GET", "/v1/selftest/jobs", &at.key, &Value::Null);
            assert_eq!(after.status, 200, "{name}: {}", String::from_utf8_lossy(&after.body));
        }
    }
}

#[test]
fn a_message_that_nobody_can_take_does_not_come_again() {
    if !Host::asked_for().iter().any(|it| it == "workerd") {
        println!("skipped: BACKPLANE_RUNTIMES does not name workerd");
        return;
    }
    let state = tempfile::tempdir().unwrap();
    let mut host = Host::start("workerd", state.path());
    let at = host.sandbox();
    let message = |tenant: &str, function: &str| {
        let item = json!({"id": "one", "body": {"name": "good"}});
        json!({"tenant": tenant, "function": function, "item": item}).to_string()
    };
    let messages = [
        ("none", "{".to_owned()),
        ("gone", message("ten_00000000000000000000000000", "selftest")),
        ("unknown", message(&at.tenant, "nobody")),
        ("good", message(&at.tenant, "selftest")),
    ];

    let outcome = queue(&mut host, &messages);

    // Another version may know the function, so its message waits.
    assert_eq!(outcome["explicitAcks"], json!(["none", "gone", "good"]), "{outcome}");
    assert_eq!(outcome["retryMessages"][0]["msgId"], "unknown", "{outcome}");
    let counts = host.ask("GET", "/v1/selftest/jobs", &at.key, &Value::Null).json();
    assert_eq!(counts["counts"][0]["name"], "item good", "{counts}");
}

fn queue(host: &mut Host, messages: &[(&str, String)]) -> Value {
    let Host::Workerd(workerd): &mut Host = host else { unreachable!("it was started above") };
    let messages: Vec<_> =
        messages.iter().map(|(id, body)| json!({"id": id, "body": body})).collect();
    Workerd::command(workerd, json!({"cmd": "queue", "messages": messages})).unwrap()
}
