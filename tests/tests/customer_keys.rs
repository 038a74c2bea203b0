//! Keys of a tenant's customers: what opens with them, and until when.
//!
//! `BACKPLANE_RUNTIMES=local,workerd cargo test -p tests --test customer_keys`

use std::time::Duration;

use serde_json::{Value, json};
use tests::{
    client::Answer,
    host::{Host, Sandbox, request},
    origin::Origin,
};

/// A key of a customer, as `(id, secret)`.
fn key(host: &Host, at: &str, more: Value) -> (String, String) {
    let mut body = json!({"name": "k", "customer": "acme"});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let made = host.ask("POST", "/v1/keys", at, &body);
    assert_eq!(made.status, 201, "{made:?}");
    (made.text("/id"), made.text("/secret"))
}

fn app(host: &Host, at: &Sandbox, origin: &Origin) -> String {
    let app = json!({
        "origin": origin.url(), "identify": {"key_header": "x-api-key", "keys": "backplane"},
    });
    let put = host.ask("PUT", "/v1/limits/apps/api", &at.key, &app);
    assert_eq!(put.status, 201, "{put:?}");
    put.text("/path")
}

fn call(host: &Host, path: &str, headers: &[(&str, &str)]) -> Answer {
    host.call(request("GET", &format!("{path}/x"), headers, &Value::Null))
}

/// A key says that it was used when that is counted.
fn wait_until_used(host: &Host, at: &Sandbox, id: &str) {
    let key = || host.ask("GET", &format!("/v1/keys/{id}"), &at.key, &Value::Null).json();
    for _ in 0..300 {
        if key()["last_used_at"].is_string() {
            return;
        }
        match host {
            Host::Memory(it) => {
                it.advance(Duration::from_secs(1));
                it.settle::<edge::Backplane>();
            }
            _ => std::thread::sleep(Duration::from_millis(100)),
        }
    }
    panic!("never used: {}", key());
}

#[test]
fn the_proxy_lets_only_keys_through_that_hold() {
    Host::everywhere("keys of the proxy", &[], |host| {
        let (at, origin) = (host.sandbox(), Origin::start());
        let path = app(host, &at, &origin);
        let policy = json!({
            "app": "api", "algorithm": "fixed_window", "limit": 2, "period_seconds": 3600,
            "key": "{customer}",
        });
        let put = host.ask("PUT", "/v1/limits/policies/each", &at.key, &policy);
        assert_eq!(put.status, 201, "{put:?}");
        let (id, secret) = key(host, &at.key, json!({}));
        let (_, other) = key(host, &at.key, json!({"app": "other"}));
        let elsewhere = host.sandbox();
        let (_, foreign) = key(host, &elsewhere.key, json!({}));

        assert_eq!(call(host, &path, &[]).status, 401);
        for refused in ["ck_none", &other, &foreign, &at.key] {
            let answer = call(host, &path, &[("x-api-key", refused)]);
            assert_eq!(answer.status, 401, "{answer:?}");
            assert_eq!(answer.text("/type"), "/problems/limits/key-refused");
            assert_eq!(answer.headers["www-authenticate"], "Bearer error=\"invalid_token\"");
        }
        assert_eq!(origin.came(), 0, "who is refused does not reach the origin");
        assert_eq!(call(host, &path, &[("x-api-key", &secret)]).status, 200);
        assert_eq!(call(host, &path, &[("x-api-key", &secret)]).status, 200);
        let full = call(host, &path, &[("x-api-key", &secret)]);
        assert_eq!(
            full.status, 429,
            "what was refused took nothing, and this is the third: {full:?}"
        );

        wait_until_used(host, &at, &id);
        let gone = host.ask("DELETE", &format!("/v1/keys/{id}"), &at.key, &Value::Null);
        assert_eq!(gone.status, 200, "{gone:?}");
        assert_eq!(call(host, &path, &[("x-api-key", &secret)]).status, 401);
        assert_eq!(origin.came(), 2);
    });
}

#[test]
fn outside_of_a_sandbox_a_key_ends_within_a_second() {
    let Host::Memory(memory) = Host::memory() else { return };
    let host = Host::Memory(memory.clone());
    let operator = host.operator_key().to_owned();
    let tenant = host.ask("POST", "/v1/tenants", &operator, &json!({"name": "T"})).text("/id");
    let bearer = format!("Bearer {operator}");
    let headers = [("authorization", &*bearer), ("backplane-tenant", &*tenant)];
    let own = json!({"name": "all", "scopes": ["*"]});
    let own = host.call(request("POST", "/v1/keys", &headers, &own)).text("/secret");
    let check = |secret: &str| {
        host.ask("POST", "/v1/limits/check", &own, &json!({"secret": secret})).status.as_u16()
    };

    let (id, secret) = key(&host, &own, json!({}));
    assert_eq!(check(&secret), 200);
    host.ask("DELETE", &format!("/v1/keys/{id}"), &own, &Value::Null);
    memory.advance(Duration::from_secs(1));
    assert_eq!(check(&secret), 401, "revoked");

    let (_, secret) = key(&host, &own, json!({"expires_at": "2026-01-01T00:10:00Z"}));
    assert_eq!(check(&secret), 200);
    memory.advance(Duration::from_secs(10 * 60 - 2));
    assert_eq!(check(&secret), 200);
    memory.advance(Duration::from_secs(1));
    assert_eq!(check(&secret), 401, "expired");
}

#[test]
fn a_customer_has_a_hundred_keys_in_use_beside_those_of_others() {
    let host = Host::memory();
    let at = host.sandbox();
    let keys: Vec<_> = (0..100).map(|_| key(&host, &at.key, json!({})).0).collect();

    let full = host.ask("POST", "/v1/keys", &at.key, &json!({"name": "k", "customer": "acme"}));

    assert_eq!((full.status.as_u16(), full.text("/type")), (409, "/problems/too-many".to_owned()));
    key(&host, &at.key, json!({"customer": "beta"}));
    let own = host.ask("POST", "/v1/keys", &at.key, &json!({"name": "k", "scopes": ["log:read"]}));
    assert_eq!(own.status, 201, "{own:?}");
    host.ask("DELETE", &format!("/v1/keys/{}", keys[0]), &at.key, &Value::Null);
    key(&host, &at.key, json!({}));
}
