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
    player::SHOWN,
};

/// Asks every route for everything that another tenant has.
///
/// # Panics
/// When an answer differs from the one for an unknown id, or the other tenant was changed.
pub fn check(host: &Host) {
    let (ours, theirs) = (host.sandbox(), host.sandbox());
    let foreign = furnish(host, &theirs);
    // Twice, as to look is to use a key, and a key remembers when it was used.
    lists(host, &theirs);
    let before = lists(host, &theirs);

    for route in Backplane::routes().filter(|it| it.path.contains('{')) {
        let (Access::Scope(_) | Access::Customer(_)) = route.access else { continue };
        if route.path.contains("event-types") && route.method != "GET" {
            continue; // Its names are of one's own choice, and others may have chosen the same.
        }
        for id in &foreign {
            let unknown = unknown_like(id);
            let one = ask(host, &ours, route, id);
            let other = ask(host, &ours, route, &unknown);
            let line = format!("{} {} with {id}", route.method, route.path);
            assert!(!one.status.is_success(), "{line}: {one:?}");
            same(&one, &other, id, &unknown, &line);
        }
    }
    filters_find_nothing(host, &ours, &foreign);
    a_header_changes_nothing(host, &ours, &theirs);
    the_operators_routes_are_closed(host, &ours, &theirs);

    for ((path, after), (_, before)) in lists(host, &theirs).iter().zip(&before) {
        assert_eq!(after, before, "{path} of the other tenant is as it was");
    }
    lists_are_separate(host, &ours, &foreign);
    idempotency_keys_are_ones_own(host, &ours, &theirs);
}

/// Whether two answers differ in nothing but the id that was asked for.
fn same(one: &Answer, other: &Answer, id: &str, unknown: &str, line: &str) {
    let text = |it: &[u8]| String::from_utf8_lossy(it).into_owned();
    assert_eq!(one.status, other.status, "{line}");
    assert_eq!(text(&one.body).replace(id, unknown), text(&other.body), "{line}");
    for name in ["content-type"].into_iter().chain(SHOWN) {
        assert_eq!(one.headers.get(name), other.headers.get(name), "{line}: {name}");
    }
}

/// Asks lists for what belongs to somebody else.
fn filters_find_nothing(host: &Host, at: &Sandbox, foreign: &[String]) {
    for id in foreign {
        let unknown = unknown_like(id);
        for filter in [
            "/v1/webhooks/messages?source=",
            "/v1/webhooks/endpoints?customer=",
            "/v1/keys?customer=",
            "/v1/log?subject=",
        ] {
            let ask = |id: &str| host.ask("GET", &format!("{filter}{id}"), &at.key, &Value::Null);
            let one = ask(id);
            same(&one, &ask(&unknown), id, &unknown, filter);
            let items = one.json().get("items").cloned();
            assert!(items.is_none_or(|it| it == json!([])), "{filter}{id}: {one:?}");
        }
    }
}

/// Names the other tenant in the operator's header, with a key that is not the operator's.
fn a_header_changes_nothing(host: &Host, ours: &Sandbox, theirs: &Sandbox) {
    let bearer = format!("Bearer {}", ours.key);
    let headers = [("authorization", &*bearer), ("backplane-tenant", &*theirs.tenant)];

    let answer = host.call(request("GET", "/v1/whoami", &headers, &Value::Null));

    assert_eq!(answer.text("/tenant"), ours.tenant);
}

/// Asks for what is the operator's alone.
fn the_operators_routes_are_closed(host: &Host, ours: &Sandbox, theirs: &Sandbox) {
    let closed = |it: &&Route| matches!(it.access, Access::Operator | Access::OperatorTenant);
    for route in Backplane::routes().filter(closed) {
        let answer = ask(host, ours, route, &theirs.tenant);
        assert_eq!(answer.status, 401, "{} {}: {answer:?}", route.method, route.path);
    }
}

/// Uses one idempotency key in both tenants, for the same request.
fn idempotency_keys_are_ones_own(host: &Host, ours: &Sandbox, theirs: &Sandbox) {
    let add = |at: &Sandbox| {
        let bearer = format!("Bearer {}", at.key);
        let headers = [("authorization", &*bearer), ("idempotency-key", "the same")];
        host.call(request("POST", "/v1/members", &headers, &json!({"email": "bob@example.com"})))
    };

    let (one, other) = (add(theirs), add(ours));

    assert_eq!((one.status.as_u16(), other.status.as_u16()), (201, 201), "{other:?}");
    assert_ne!(one.text("/id"), other.text("/id"));
    assert!(!other.headers.contains_key("idempotency-replayed"));
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
        make("/v1/webhooks/endpoints", json!({"customer": "acme"}), "/id"),
        publish(host, at),
        "acme".to_owned(),
        put_type(host, at),
    ]
}

fn publish(host: &Host, at: &Sandbox) -> String {
    let event = json!({"type": "invoice.paid", "customer": "acme", "data": {}});
    host.ask("POST", "/v1/webhooks/events", &at.key, &event).text("/id")
}

fn put_type(host: &Host, at: &Sandbox) -> String {
    let put = host.ask("PUT", "/v1/webhooks/event-types/theirs.only", &at.key, &json!({}));
    put.text("/name")
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
        Some((start, end)) => format!("{}{id}{}", &route.path[..start], &route.path[end + 1..])
            .replace("{sequence}", "1"),
        None => route.path.to_owned(),
    };
    let body = match (route.method, route.operation) {
        ("GET" | "DELETE" | "*", _) => Value::Null,
        ("PATCH", _) => json!({"name": "changed"}),
        _ => json!({}),
    };
    let method = if route.method == "*" { "GET" } else { route.method };
    host.ask(method, &path, &at.key, &body)
}

/// Everything that a tenant can list, by the path of the list.
fn lists(host: &Host, at: &Sandbox) -> Vec<(&'static str, Value)> {
    let ask =
        |it: &Route| host.ask("GET", &format!("{}?limit=200", it.path), &at.key, &Value::Null);
    let stands_still = |it: &&Route| it.path != "/v1/test-clock";
    list_routes().filter(stands_still).map(|it| (it.path, ask(it).json())).collect()
}

fn list_routes() -> impl Iterator<Item = &'static Route> {
    Backplane::routes().filter(|it| {
        it.method == "GET"
            && !it.path.contains('{')
            && it.path != "/v1/log/live"
            && matches!(it.access, Access::Scope(_) | Access::Customer(_))
    })
}

fn lists_are_separate(host: &Host, at: &Sandbox, foreign: &[String]) {
    for route in list_routes() {
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
            Access::Scope(_) | Access::Customer(_) | Access::Whoever => ask(host, &at, route, "x"),
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
