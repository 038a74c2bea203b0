//! Lists that are full, in memory: the statement that adds decides, and its refusal says what to do.

use std::time::Duration;

use edge::Backplane;
use futures_util::StreamExt as _;
use pollster::block_on;
use serde_json::{Value, json};
use shared::{
    http::{Body, Response},
    memory::Memory,
};
use tests::host::{Host, Sandbox, request};

/// How many live connections a tenant has at a time.
const CONNECTIONS_MAX: usize = 20;

/// Fills a list by `new`, and checks that it takes `max` and no more until one is removed.
fn fill(at: &Sandbox, host: &Host, path: &str, max: usize, new: impl Fn(usize) -> Value) {
    let list = || {
        let mut count = 0;
        let mut page = format!("{path}?limit=200");
        loop {
            let found = host.ask("GET", &page, &at.key, &Value::Null).json();
            count += found["items"].as_array().unwrap().len();
            let Some(next) = found["next"].as_str() else { return count };
            page = format!("{path}?limit=200&cursor={next}");
        }
    };
    for n in list()..max {
        let answer = host.ask("POST", path, &at.key, &new(n));
        assert_eq!(answer.status, 201, "number {n}: {answer:?}");
    }

    let answer = host.ask("POST", path, &at.key, &new(max));

    assert_eq!(answer.status, 409, "{answer:?}");
    assert_eq!(answer.text("/type"), "/problems/too-many");
    let detail = answer.text("/detail");
    assert!(detail.starts_with(&format!("at most {max} ")) && detail.contains(": "), "{detail}");
    assert_eq!(list(), max);
    let last = host.ask("GET", &format!("{path}?limit=1"), &at.key, &Value::Null).json();
    let last = last.pointer("/items/0/id").or(last.pointer("/items/0/name")).unwrap().clone();
    let removed =
        host.ask("DELETE", &format!("{path}/{}", last.as_str().unwrap()), &at.key, &Value::Null);
    assert_eq!(removed.status, 204, "{removed:?}");
    assert_eq!(host.ask("POST", path, &at.key, &new(max)).status, 201);
}

#[test]
fn a_tenant_has_so_many_members_names_sources_and_endpoints() {
    let host = Host::memory();
    let at = host.sandbox();
    let url = "https://a.example/";

    fill(&at, &host, "/v1/members", 1_000, |n| json!({"email": format!("m{n}@example.com")}));
    fill(&at, &host, "/v1/hosts", 1_000, |n| json!({"name": format!("h{n}.example.com")}));
    fill(&at, &host, "/v1/accounts", 1_000, |n| json!({"provider": "p", "account": n.to_string()}));
    fill(&at, &host, "/v1/webhooks/sources", 200, |_| json!({"name": "s", "recipe": "none"}));
    fill(&at, &host, "/v1/webhooks/endpoints", 50, |_| json!({"url": url}));

    let other = host.sandbox();
    let source = json!({"name": "s", "recipe": "none"});
    let answer = host.ask("POST", "/v1/webhooks/sources", &other.key, &source);
    assert_eq!(answer.status, 201, "another tenant has lists of its own");
    let theirs = json!({"url": url, "customer": "c"});
    let answer = host.ask("POST", "/v1/webhooks/endpoints", &at.key, &theirs);
    assert_eq!(answer.status, 201, "each customer has endpoints of its own");
}

#[test]
fn a_tenant_has_so_many_keys_in_use() {
    let host = Host::memory();
    let at = host.sandbox();
    let new = json!({"name": "k", "scopes": ["log:read"]});
    let make = || host.ask("POST", "/v1/keys", &at.key, &new);
    let ids: Vec<_> = (1..1_000).map(|_| make().text("/id")).collect();
    let rotate = |id: &str, overlap: u32| {
        let body = json!({"overlap_seconds": overlap});
        host.ask("POST", &format!("/v1/keys/{id}/rotate"), &at.key, &body)
    };

    assert_eq!(make().text("/type"), "/problems/too-many");
    let both = rotate(&ids[0], 60);
    assert_eq!(both.text("/detail"), "at most 1000 keys in use: revoke one that is not used");
    let old = host.ask("GET", &format!("/v1/keys/{}", ids[0]), &at.key, &Value::Null);
    assert!(old.json()["expires_at"].is_null(), "nothing of it was done: {old:?}");

    assert_eq!(rotate(&ids[0], 0).status, 201, "one takes the other's place");
    assert_eq!(make().status, 409);
    let path = format!("/v1/keys/{}", ids[1]);
    assert_eq!(host.ask("DELETE", &path, &at.key, &Value::Null).status, 200);
    assert_eq!(make().status, 201, "a revoked key leaves its place");
    assert_eq!(make().status, 409);
}

#[test]
fn a_live_connection_keeps_its_place_while_it_lasts() {
    let host = Host::memory();
    let at = host.sandbox();
    let source = json!({"name": "s", "recipe": "none"});
    let id = host.ask("POST", "/v1/webhooks/sources", &at.key, &source).text("/id");
    let tail = format!("/v1/webhooks/sources/{id}/live");
    let Host::Memory(memory) = &host else { unreachable!("these tests are played in memory") };
    let mut followed = follow(memory, &at, "/v1/log/live?after=0");
    for _ in 1..CONNECTIONS_MAX {
        assert_eq!(follow(memory, &at, &tail).status(), 200);
    }
    let refused = host.ask("GET", "/v1/log/live", &at.key, &Value::Null);
    assert_eq!(refused.status, 409, "{refused:?}");
    let detail = "at most 20 live connections: close one, and wait up to 30 s";
    assert_eq!(refused.text("/detail"), detail);
    assert_eq!(follow(memory, &host.sandbox(), "/v1/log/live").status(), 200, "another's");

    // The clients of all but the first have gone; what is sent to the first keeps its place.
    let Body::Stream(chunks) = followed.body_mut() else { panic!("it is a stream") };
    for _ in 0..4 {
        assert!(block_on(chunks.next()).is_some());
    }

    for _ in 1..CONNECTIONS_MAX {
        assert_eq!(follow(memory, &at, &tail).status(), 200);
    }
    assert_eq!(follow(memory, &at, &tail).status(), 409);
    // It ends after its five minutes; by then the others are over, and its own is given back.
    while block_on(chunks.next()).is_some() {}
    for _ in 0..CONNECTIONS_MAX {
        assert_eq!(follow(memory, &at, &tail).status(), 200);
    }
}

#[test]
fn a_client_that_does_not_read_loses_its_place() {
    let host = Host::memory();
    let at = host.sandbox();
    let Host::Memory(memory) = &host else { unreachable!("these tests are played in memory") };
    let mut slow = follow(memory, &at, "/v1/log/live?after=0");
    let Body::Stream(chunks) = slow.body_mut() else { panic!("it is a stream") };
    assert!(block_on(chunks.next()).is_some());

    memory.advance(Duration::from_secs(31));
    assert_eq!(follow(memory, &at, "/v1/log/live").status(), 200);

    assert!(block_on(chunks.next()).is_none(), "it comes back where it was");
}

fn follow(memory: &Memory, at: &Sandbox, path: &str) -> Response {
    let bearer = format!("Bearer {}", at.key);
    memory.serve::<Backplane>(request("GET", path, &[("authorization", &bearer)], &Value::Null))
}
