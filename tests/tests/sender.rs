//! The sender over days and through trouble, in memory: notices, tokens, rates, order, age.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc, time::Duration};

use edge::Backplane;
use http::{HeaderMap, StatusCode};
use proptest::prelude::*;
use serde_json::{Value, json};
use shared::{
    memory::Memory,
    ports::{FetchError, HttpRequest, HttpResponse},
};
use tests::{
    client::Answer,
    host::{Host, Sandbox, request},
};

const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

type Requests = Rc<RefCell<Vec<HttpRequest>>>;

/// A host whose network answers by `answer`, and what was sent to it.
fn host(answer: impl Fn(&HttpRequest) -> u16 + 'static) -> (Host, Requests) {
    let sent = Requests::default();
    let seen = Rc::clone(&sent);
    let network = move |request: HttpRequest| {
        let (status, path) = (answer(&request), request.url.path().to_owned());
        let body = match path.as_str() {
            "/token" => json!({"access_token": "of the day", "expires_in": 3600}).to_string(),
            _ => String::new(),
        };
        seen.borrow_mut().push(request);
        match StatusCode::from_u16(status) {
            Ok(status) => Ok(HttpResponse {
                status,
                headers: HeaderMap::new(),
                body: body.into(),
                cut: path == "/breaks-off",
            }),
            Err(_) => Err(FetchError::Unreachable("as it was told to".into())),
        }
    };
    (Host::Memory(Box::new(Memory::with_network(network))), sent)
}

fn memory(host: &Host) -> &Memory {
    let Host::Memory(it) = host else { unreachable!("these tests are played in memory") };
    it
}

/// A tenant that lives by the real clock, and a key to it.
fn tenant(host: &Host) -> Sandbox {
    let operator = host.operator_key();
    let tenant = host.ask("POST", "/v1/tenants", operator, &json!({"name": "T"})).text("/id");
    let bearer = format!("Bearer {operator}");
    let headers = [("authorization", &*bearer), ("backplane-tenant", &*tenant)];
    let body = json!({"name": "all", "scopes": ["*"]});
    let made = host.call(request("POST", "/v1/keys", &headers, &body));
    Sandbox { tenant, key_id: made.text("/id"), key: made.text("/secret") }
}

fn post(host: &Host, at: &Sandbox, path: &str, body: Value) -> Answer {
    let answer = host.ask("POST", path, &at.key, &body);
    assert!(answer.status.is_success(), "{path}: {answer:?}");
    answer
}

fn endpoint(host: &Host, at: &Sandbox, settings: Value) -> String {
    post(host, at, "/v1/webhooks/endpoints", settings).text("/id")
}

fn publish(host: &Host, at: &Sandbox, kind: &str, data: Value) -> String {
    post(host, at, "/v1/webhooks/events", json!({"type": kind, "data": data})).text("/id")
}

fn pass(host: &Host, time: Duration) {
    memory(host).advance(time);
    memory(host).settle::<Backplane>();
}

fn get(host: &Host, at: &Sandbox, path: &str) -> Value {
    host.ask("GET", path, &at.key, &Value::Null).json()
}

fn header(request: &HttpRequest, name: &str) -> String {
    let value = request.headers.get(name).and_then(|it| it.to_str().ok());
    value.unwrap_or_default().to_owned()
}

/// The paths that were called, with what came in a JSON body.
fn said(sent: &Requests, path: &str) -> Vec<Value> {
    let all = sent.borrow();
    let those = all.iter().filter(|it| it.url.path() == path);
    those.map(|it| serde_json::from_slice(&it.body).unwrap_or_default()).collect()
}

#[test]
fn whoever_fails_for_five_days_is_announced_at_each_step_and_disabled() {
    let (host, sent) = host(|it| if it.url.path() == "/fails" { 500 } else { 200 });
    let at = tenant(&host);
    endpoint(&host, &at, json!({"url": "http://a.example/notices", "types": ["backplane.*"]}));
    let failing = endpoint(&host, &at, json!({"url": "http://a.example/fails", "types": ["a.*"]}));

    for _ in 0..6 * 24 {
        publish(&host, &at, "a.b", json!({}));
        pass(&host, HOUR);
    }

    let state = get(&host, &at, &format!("/v1/webhooks/endpoints/{failing}"));
    assert_eq!(state["state"], "disabled", "{state}");
    let told: Vec<_> = said(&sent, "/notices")
        .iter()
        .map(|it| (it["type"].clone(), it["data"]["percent"].clone()))
        .collect();
    let warned = |percent: u8| (json!("backplane.endpoint.warned"), json!(percent));
    let ended = (json!("backplane.endpoint.disabled"), Value::Null);
    assert_eq!(told, [warned(50), warned(70), warned(90), ended]);
    let entries = get(&host, &at, &format!("/v1/log?subject={failing}"))["items"].clone();
    let actions: Vec<_> =
        entries.as_array().unwrap().iter().map(|it| it["action"].as_str().unwrap()).collect();
    assert_eq!(actions.iter().filter(|it| **it == "endpoint.failing").count(), 1, "{actions:?}");
    assert_eq!(actions.iter().filter(|it| **it == "endpoint.disabled").count(), 1);
}

#[test]
fn an_open_circuit_spares_the_endpoint_and_one_success_closes_it() {
    let works = Rc::new(RefCell::new(false));
    let switch = Rc::clone(&works);
    let (host, sent) = host(move |_| if *switch.borrow() { 200 } else { 503 });
    let at = tenant(&host);
    let id = endpoint(&host, &at, json!({"url": "http://a.example/x"}));
    for n in 0..50 {
        publish(&host, &at, "a.b", json!({"n": n}));
    }
    let tried = sent.borrow().len();
    assert!(tried < 30, "{tried} attempts although the circuit opens after ten failures");

    works.replace(true);
    for _ in 0..60 {
        pass(&host, Duration::from_secs(60));
    }

    let health = get(&host, &at, &format!("/v1/webhooks/endpoints/{id}/health"));
    assert_eq!(health["backlog"]["waiting"], 0, "{health}");
    assert_eq!(health["verdict"], "ok");
    let log = get(&host, &at, &format!("/v1/log?subject={id}&limit=200")).to_string();
    assert!(log.contains("endpoint.failing") && log.contains("endpoint.recovered"), "{log}");
}

#[test]
fn an_answer_that_breaks_off_counts_and_says_so() {
    let (host, _) = host(|_| 200);
    let at = tenant(&host);
    for (path, cut) in [("breaks-off", json!(true)), ("whole", Value::Null)] {
        let settings = json!({"url": format!("http://a.example/{path}"), "types": [path]});
        let id = endpoint(&host, &at, settings);

        publish(&host, &at, path, json!({}));

        let delivery = get(&host, &at, &format!("/v1/webhooks/endpoints/{id}/deliveries/1"));
        assert_eq!(delivery["state"], "delivered", "{delivery}");
        assert_eq!(delivery["tries"][0]["body_cut"], cut, "{delivery}");
    }
}

#[test]
fn a_token_is_had_once_and_again_when_it_is_refused() {
    let refuses = Rc::new(RefCell::new(false));
    let switch = Rc::clone(&refuses);
    let (host, sent) = host(move |it| match it.url.path() {
        "/token" => 200,
        _ if *switch.borrow() => 401,
        _ => 200,
    });
    let at = tenant(&host);
    let auth = json!({
        "kind": "client_credentials", "token_url": "http://a.example/token",
        "client_id": "us", "client_secret": "of ours", "scope": "hooks",
    });
    let id = endpoint(&host, &at, json!({"url": "http://a.example/x", "auth": auth}));

    publish(&host, &at, "a.b", json!({}));
    publish(&host, &at, "a.b", json!({}));
    assert_eq!(said(&sent, "/token").len(), 1);
    refuses.replace(true);
    publish(&host, &at, "a.b", json!({}));
    refuses.replace(false);
    pass(&host, Duration::from_secs(10));

    assert_eq!(said(&sent, "/token").len(), 2);
    let all = sent.borrow();
    let bearer: Vec<_> = all
        .iter()
        .filter(|it| it.url.path() == "/x")
        .map(|it| header(it, "authorization"))
        .collect();
    assert_eq!(bearer, ["Bearer of the day"; 4]);
    let asked = String::from_utf8(all[0].body.to_vec()).unwrap();
    assert_eq!(asked, "grant_type=client_credentials&scope=hooks");
    assert_eq!(header(&all[0], "authorization"), "Basic dXM6b2Yrb3Vycw==");
    drop(all);
    let shown = get(&host, &at, &format!("/v1/webhooks/endpoints/{id}")).to_string();
    assert!(!shown.contains("of ours"), "{shown}");
}

#[test]
fn a_rate_is_kept_and_nothing_is_lost_by_it() {
    let (host, sent) = host(|_| 200);
    let at = tenant(&host);
    endpoint(&host, &at, json!({"url": "http://a.example/x", "rate_per_second": 2}));
    for n in 0..20 {
        publish(&host, &at, "a.b", json!({"n": n}));
    }
    let at_once = sent.borrow().len();
    assert!(at_once <= 6, "{at_once} at once, at two a second");

    for _ in 0..40 {
        pass(&host, Duration::from_secs(1));
    }

    assert_eq!(said(&sent, "/x").len(), 20);
}

#[test]
fn what_is_old_goes_and_what_is_young_stays() {
    let (host, _) = host(|_| 200);
    let at = tenant(&host);
    let id = endpoint(&host, &at, json!({"url": "http://a.example/x"}));
    let old = publish(&host, &at, "a.b", json!({}));
    for _ in 0..20 {
        pass(&host, DAY);
    }
    let young = publish(&host, &at, "a.b", json!({}));
    for _ in 0..15 {
        pass(&host, DAY);
    }

    let events = get(&host, &at, "/v1/webhooks/events").to_string();
    assert!(events.contains(&young) && !events.contains(&old), "{events}");
    let manifest = get(&host, &at, &format!("/v1/webhooks/endpoints/{id}/manifest"));
    assert_eq!(manifest["items"].as_array().unwrap().len(), 1);
    assert_eq!(manifest["items"][0]["sequence"], 2, "numbers are never given twice");
    publish(&host, &at, "a.b", json!({}));
    let manifest = get(&host, &at, &format!("/v1/webhooks/endpoints/{id}/manifest"));
    assert_eq!(manifest["items"][1]["sequence"], 3);
}

#[test]
fn what_is_due_in_a_suspended_tenant_waits() {
    let (host, sent) = host(|it| if it.url.path() == "/x" { 500 } else { 200 });
    let at = tenant(&host);
    let id = endpoint(&host, &at, json!({"url": "http://a.example/x"}));
    publish(&host, &at, "a.b", json!({}));
    let change = |state: &str| {
        let path = format!("/v1/tenants/{}/{state}", at.tenant);
        let answer = host.ask("POST", &path, host.operator_key(), &Value::Null);
        assert!(answer.status.is_success(), "{answer:?}");
    };

    change("suspend");
    let before = sent.borrow().len();
    pass(&host, HOUR);
    assert_eq!(sent.borrow().len(), before);
    change("restore");
    pass(&host, HOUR);

    assert!(sent.borrow().len() > before);
    let health = get(&host, &at, &format!("/v1/webhooks/endpoints/{id}/health"));
    assert_eq!(health["verdict"], "failing");
}

#[test]
fn each_attempt_is_a_span_of_the_callers_trace() {
    let answers = RefCell::new(vec![200, 500]);
    let (host, sent) = host(move |_| answers.borrow_mut().pop().unwrap_or(200));
    let at = tenant(&host);
    let id = endpoint(&host, &at, json!({"url": "http://a.example:81/x?secret"}));
    let (trace, caller) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
    let bearer = format!("Bearer {}", at.key);
    let parent = format!("00-{trace}-{caller}-01");
    let headers =
        [("authorization", &*bearer), ("traceparent", &*parent), ("tracestate", "congo=t61")];
    let body = json!({"type": "a.b", "data": {}});

    let event = host.call(request("POST", "/v1/webhooks/events", &headers, &body)).text("/id");
    pass(&host, HOUR);

    let parents: Vec<_> = sent.borrow().iter().map(|it| header(it, "traceparent")).collect();
    let tries =
        get(&host, &at, &format!("/v1/webhooks/endpoints/{id}/deliveries/1"))["tries"].clone();
    let span = |n: usize| tries[n]["span_id"].as_str().unwrap().to_owned();
    let expected = [0, 1].map(|n| format!("00-{trace}-{}-01", span(n)));
    assert_eq!(parents, expected);
    assert_ne!(span(0), span(1));
    assert!(sent.borrow().iter().all(|it| header(it, "tracestate") == "congo=t61"));
    assert_eq!(
        (&tries[0]["trace_id"], &tries[0]["server"]),
        (&json!(trace), &json!("http://a.example:81"))
    );
    let spans = get(&host, &at, &format!("/v1/webhooks/events/{event}/spans"));
    let spans = &spans["resourceSpans"][0]["scopeSpans"][0]["spans"];
    assert_eq!((&spans[0]["traceId"], &spans[0]["parentSpanId"]), (&json!(trace), &json!(caller)));
    assert_eq!((&spans[1]["spanId"], &spans[2]["spanId"]), (&json!(span(0)), &json!(span(1))));
    assert_eq!(spans[2]["parentSpanId"], spans[0]["spanId"]);
    assert!(!spans.to_string().contains("secret"), "{spans}");
}

#[test]
fn a_trace_that_makes_no_sense_begins_anew() {
    let (host, sent) = host(|_| 200);
    let at = tenant(&host);
    endpoint(&host, &at, json!({"url": "http://a.example/x"}));
    let bearer = format!("Bearer {}", at.key);
    for parent in ["nonsense", "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"] {
        let headers =
            [("authorization", &*bearer), ("traceparent", parent), ("tracestate", "congo=t61")];
        let body = json!({"type": "a.b", "data": {}});
        let answer = host.call(request("POST", "/v1/webhooks/events", &headers, &body));
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
    }
    pass(&host, HOUR);

    let sent = sent.borrow();
    let traces: Vec<_> = sent.iter().map(|it| header(it, "traceparent")).collect();
    assert_eq!(traces.len(), 2);
    assert!(traces.iter().all(|it| it.len() == 55 && !it.contains("4bf92f35")), "{traces:?}");
    assert_ne!(traces[0][3..35], traces[1][3..35]);
    assert!(sent.iter().all(|it| header(it, "tracestate").is_empty()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever answers come, as long as they are fewer than the tries, in order or not: each event is delivered in the end, its number
    /// never changes, and an endpoint in order never sees a number before a lower one is done.
    #[test]
    fn each_event_arrives_and_an_endpoint_in_order_sees_them_in_order(
        answers in proptest::collection::vec(prop_oneof![Just(200u16), Just(500), Just(0)], 0..10),
        fifo: bool,
        events in 1usize..12,
    ) {
        let answers = RefCell::new(answers);
        let (host, sent) = host(move |_| answers.borrow_mut().pop().unwrap_or(200));
        let at = tenant(&host);
        let order = if fifo { "fifo" } else { "parallel" };
        endpoint(&host, &at, json!({"url": "http://a.example/x", "order": order}));
        let ids: Vec<_> =
            (0..events).map(|n| publish(&host, &at, "a.b", json!({"n": n}))).collect();
        for _ in 0..24 * 6 {
            pass(&host, HOUR);
        }

        let mut numbers = BTreeMap::new();
        let mut order = Vec::new();
        for it in sent.borrow().iter() {
            let (id, sequence) = (header(it, "webhook-id"), header(it, "webhook-sequence"));
            let sequence: usize = sequence.parse().unwrap();
            prop_assert_eq!(*numbers.entry(id).or_insert(sequence), sequence);
            order.push(sequence);
        }
        for (n, id) in ids.iter().enumerate() {
            prop_assert_eq!(numbers.get(id), Some(&(n + 1)));
        }
        if fifo {
            prop_assert!(order.is_sorted(), "{:?}", order);
        }
    }
}

#[test]
fn what_is_kept_no_longer_goes_in_pages() {
    let (host, _) = host(|_| 500);
    let at = tenant(&host);
    let id = endpoint(&host, &at, json!({"url": "http://a.example/x"}));
    let publish = |seconds: u32| {
        let body = json!({"type": "a.b", "data": {}, "retention_seconds": seconds});
        post(&host, &at, "/v1/webhooks/events", body).text("/id")
    };
    (0..250).for_each(|_| drop(publish(60)));
    let kept = publish(24 * 60 * 60);

    pass(&host, HOUR);

    let left = get(&host, &at, "/v1/webhooks/events");
    assert_eq!(left["items"].as_array().map(Vec::len), Some(1), "{left}");
    assert_eq!(left["items"][0]["id"], kept);
    let left = get(&host, &at, &format!("/v1/webhooks/endpoints/{id}/deliveries"));
    assert_eq!(left["items"].as_array().map(Vec::len), Some(1), "{left}");
    // Each of those that waited is told of.
    let (mut told, mut path) = (0, format!("/v1/log?limit=100&subject={id}"));
    for _ in 0..10 {
        let page = get(&host, &at, &path);
        told += page.to_string().matches(r#""reason":"retention""#).count();
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/v1/log?limit=100&subject={id}&cursor={next}");
    }
    assert_eq!(told, 250);
}
