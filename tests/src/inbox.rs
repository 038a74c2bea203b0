//! A member with an inbox that is followed live, for tests.

use serde_json::json;

use crate::host::{Host, Sandbox};

/// A tenant that lives by the real clock, with a member, and the type `tea.ready` for its inbox, whose
/// subject is `Number` and the `n` of the notice. Gives the member's id as well.
///
/// # Panics
/// When the host refuses it.
pub fn with_inbox(host: &Host) -> (Sandbox, String) {
    let at = host.sandbox();
    let member = json!({"email": "ann@example.com", "name": "Ann"});
    let member = host.ask("POST", "/v1/members", &at.key, &member).text("/id");
    let workflow = json!({"channels": ["in_app"],
        "template": {"subject": "Number {{ n }}", "markdown": "Here it is: {{ n }}"}});
    let put = host.ask("PUT", "/v1/notifications/workflows/tea.ready", &at.key, &workflow);
    assert!(put.status.is_success(), "{}", put.json());
    (at, member)
}

/// The token of a link to the member's inbox that works for so long.
///
/// # Panics
/// When the host refuses it.
pub fn link(host: &Host, at: &Sandbox, member: &str, seconds: u64) -> String {
    let path = format!("/v1/notifications/inbox/{member}/links");
    host.ask("POST", &path, &at.key, &json!({"expires_in_seconds": seconds})).text("/token")
}
