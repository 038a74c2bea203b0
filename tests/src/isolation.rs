//! Two tenants: nothing of one is seen or touched by the other, and what is somebody else's is
//! answered as what never was.

use edge::Backplane;
use serde_json::{Value, json};
use shared::{
    domain::Id,
    domain::Timestamp,
    function::Function,
    route::{Access, Route},
};

use crate::{
    client::Answer,
    host::{Host, Sandbox, request},
};

/// Asks every route for everything that another tenant has.
///
/// # Panics
/// When an answer differs from the one for an unknown id, or the other tenant was changed.
pub fn check(host: &Host) {
    let (ours, theirs) = (host.sandbox(), host.sandbox());
    let foreign = furnish(host, &theirs);
    let before = log(host, &theirs);

    for route in Backplane::routes().filter(|it| it.path.contains('{')) {
        let Access::Scope(_) = route.access else { continue };
        for id in &foreign {
            let unknown = unknown_like(id);
            let one = ask(host, &ours, route, id);
            let other = ask(host, &ours, route, &unknown);
            let line = format!("{} {} with {id}", route.method, route.path);
            assert_eq!(one.status, other.status, "{line}");
            assert_ne!(one.status.as_u16() / 100, 2, "{line}: {one:?}");
            let body = String::from_utf8_lossy(&one.body).replace(id.as_str(), &unknown);
            assert_eq!(body, String::from_utf8_lossy(&other.body), "{line}");
            assert_eq!(
                one.headers.get("content-type"),
                other.headers.get("content-type"),
                "{line}"
            );
        }
    }

    assert_eq!(log(host, &theirs), before, "the other tenant is as it was");
    lists_are_separate(host, &ours, &foreign);
}

/// Makes one of each noun, and gives their ids.
fn furnish(host: &Host, at: &Sandbox) -> Vec<String> {
    let make = |path: &str, body: Value, id: &str| {
        let made = host.ask("POST", path, &at.key, &body);
        assert_eq!(made.status, 201, "{path}: {made:?}");
        made.text(id)
    };
    let member = json!({"email": "ada@example.com"});
    let source = json!({"name": "s", "recipe": "generic-hmac", "secret": "secret-of-theirs"});
    let host_name = format!("{}.example.com", at.tenant.replace('_', "-"));
    let source = make("/v1/webhooks/sources", source, "/id");
    let account = json!({"provider": "stripe", "account": at.tenant});
    vec![
        at.key_id.clone(),
        make("/v1/members", member, "/id"),
        receive(host, &source),
        source,
        make("/v1/hosts", json!({"name": host_name}), "/name"),
        make("/v1/accounts", account, "/name"),
        "selftest.job:run:dead".to_owned(),
    ]
}

fn receive(host: &Host, source: &str) -> String {
    let recipe = webhooks::recipe::Recipe::named("generic-hmac").expect("it is built in");
    let body = json!({"id": "1"});
    let text = body.to_string();
    let headers = webhooks::signature::sign(&recipe, "secret-of-theirs", "", 0, text.as_bytes());
    let headers = headers.expect("the secret fits");
    let headers: Vec<_> = headers.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    let answer = host.call(request("POST", &format!("/in/{source}"), &headers, &body));
    answer.text("/id")
}

/// An id of the same kind that nobody has.
fn unknown_like(id: &str) -> String {
    match id.split_once('_') {
        Some((prefix, rest)) if rest.len() == 26 => {
            Id::new(prefix, Timestamp(1), &[9; 10]).to_string()
        }
        _ => format!("unknown-{}", id.len()),
    }
}

/// A call on this route that would work on a thing of one's own.
fn ask(host: &Host, at: &Sandbox, route: &Route, id: &str) -> Answer {
    let blank = route.path.find('{').zip(route.path.find('}'));
    let path = match blank {
        Some((start, end)) => format!("{}{id}{}", &route.path[..start], &route.path[end + 1..]),
        None => route.path.to_owned(),
    };
    let body = match (route.method, route.operation) {
        ("GET" | "DELETE", _) => Value::Null,
        ("PATCH", _) => json!({"name": "changed"}),
        _ => json!({}),
    };
    host.ask(route.method, &path, &at.key, &body)
}

fn log(host: &Host, at: &Sandbox) -> Value {
    host.ask("GET", "/v1/log?limit=200", &at.key, &Value::Null).json()
}

fn lists_are_separate(host: &Host, at: &Sandbox, foreign: &[String]) {
    let lists = Backplane::routes().filter(|it| {
        it.method == "GET"
            && !it.path.contains('{')
            && it.path != "/v1/log/live"
            && matches!(it.access, Access::Scope(_))
    });
    for route in lists {
        let answer = host.ask("GET", route.path, &at.key, &Value::Null);
        assert_eq!(answer.status, 200, "{}: {answer:?}", route.path);
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        for id in foreign.iter().filter(|it| !it.starts_with("selftest")) {
            assert!(!text.contains(id.as_str()), "{} shows {id}", route.path);
        }
    }
}

/// Asks each documented route once, as a newcomer would who fills in the document's blanks.
///
/// # Panics
/// When a route answers as if it were not there, or breaks.
pub fn every_route_answers(host: &Host) {
    let at = host.sandbox();
    for route in Backplane::routes().filter(|it| it.path != "/v1/log/live") {
        let answer = match route.access {
            Access::Scope(_) | Access::Whoever => ask(host, &at, route, "x"),
            Access::Operator | Access::OperatorTenant => {
                let operator = Sandbox { key: host.operator_key().to_owned(), ..at.clone() };
                ask(host, &operator, route, "x")
            }
            Access::Public | Access::Address(_) => ask(host, &at, route, "x"),
        };
        let line = format!("{} {}: {answer:?}", route.method, route.path);
        assert!(answer.status.as_u16() < 500, "{line}");
        assert_ne!(answer.status, 405, "{line}");
        let known = !route.path.contains('{') && !route.path.starts_with("/docs");
        assert!(!known || answer.status != 404, "{line}");
    }
}
