//! Callers without a key are limited by the network that they are in (ASN): as the runtime says, or
//! as the front of an app does. In memory and on the runtimes that `BACKPLANE_RUNTIMES` names.
//!
//! `BACKPLANE_RUNTIMES=local,workerd cargo test --workspace --test networks -- --test-threads=1`

use serde_json::{Value, json};
use tests::{
    host::{Host, request},
    origin::Origin,
};

/// What a client must not be able to say: the header in which the adapter of Workers tells us.
const FORGED: (&str, &str) = ("backplane-client-asn", "64999");

/// An app behind the gate of a fresh tenant, with one request an hour for each network.
struct App<'a> {
    host: &'a Host,
    path: String,
}

impl<'a> App<'a> {
    fn new(host: &'a Host, origin: &Origin, identify: &Value, policy: &Value) -> Self {
        let at = host.sandbox();
        let app = json!({"origin": origin.url(), "identify": identify});
        let put = host.ask("PUT", "/v1/limits/apps/api", &at.key, &app);
        assert_eq!(put.status, 201, "{put:?}");
        let mut all = json!({
            "app": "api", "algorithm": "fixed_window", "limit": 1, "period_seconds": 3600,
        });
        all.as_object_mut().unwrap().extend(policy.as_object().unwrap().clone());
        let made = host.ask("PUT", "/v1/limits/policies/networks", &at.key, &all);
        assert_eq!(made.status, 201, "{made:?}");
        Self { host, path: put.text("/path") }
    }

    fn status(&self, headers: &[(&str, &str)]) -> u16 {
        let path = format!("{}/x", self.path);
        self.host.call(request("GET", &path, headers, &Value::Null)).status.as_u16()
    }

    /// The same of a client in this network, as the runtime has it: workerd takes the metadata of a
    /// request from a header, which its own host sets, as Cloudflare's does, and hands none on.
    fn from(&self, asn: &str, more: &[(&str, &str)]) -> u16 {
        let cf = format!("{{\"asn\":{asn}}}");
        let mut headers = match self.host {
            Host::Memory(_) => vec![("x-client-asn", asn)],
            _ => vec![("mf-cf-blob", cf.as_str())],
        };
        headers.extend(more);
        self.status(&headers)
    }
}

#[test]
fn each_network_has_its_own_as_far_as_the_runtime_knows() {
    let origin = Origin::start();
    Host::everywhere("networks", &[], |host| {
        let app =
            App::new(host, &origin, &json!({"when_missing": "admit"}), &json!({"key": "{asn}"}));
        // On Spin nobody says it: the policy does not count for anybody.
        let second = if matches!(host, Host::Local(_)) { 200 } else { 429 };

        assert_eq!(app.from("64500", &[]), 200);
        assert_eq!(app.from("64500", &[FORGED]), second, "a client cannot leave its network");
        assert_eq!(app.from("64501", &[FORGED]), 200);
        assert_eq!(app.from("64501", &[]), second);

        // Without a number there is no key, whatever a client says.
        for headers in [&[][..], &[FORGED], &[FORGED], &[("x-front-asn", "64500")]] {
            assert_eq!(app.status(headers), 200);
        }
    });
}

#[test]
fn the_front_of_an_app_is_believed_if_the_app_says_so() {
    let origin = Origin::start();
    Host::everywhere("fronts", &[], |host| {
        let identify = json!({"when_missing": "admit", "asn_header": "X-Front-Asn"});
        let app = App::new(host, &origin, &identify, &json!({"key": "{asn}"}));

        assert_eq!(app.status(&[("x-front-asn", "AS64500")]), 200);
        assert_eq!(app.status(&[("x-front-asn", "64500")]), 429);
        assert_eq!(app.from("64500", &[("x-front-asn", "64501")]), 200);
        assert_eq!(app.from("64500", &[("x-front-asn", "64501")]), 429);
        // Where the front speaks, the runtime knows the network of the front only.
        for _ in 0..2 {
            assert_eq!(app.from("64500", &[]), 200);
            assert_eq!(app.status(&[("x-front-asn", "somewhere")]), 200);
        }
    });
}

#[test]
fn a_condition_can_name_networks() {
    let origin = Origin::start();
    Host::everywhere("named", &[], |host| {
        let identify = json!({"when_missing": "admit", "asn_header": "X-Front-Asn"});
        let policy = json!({"key": "all", "when": "asn in [64500, 64501]"});
        let app = App::new(host, &origin, &identify, &policy);

        assert_eq!(app.status(&[("x-front-asn", "64500")]), 200);
        assert_eq!(app.status(&[("x-front-asn", "64501")]), 429);
        assert_eq!(app.status(&[("x-front-asn", "64502")]), 200);
        assert_eq!(app.status(&[]), 200);
    });
}

#[test]
fn the_origin_hears_of_a_network_only_from_a_front() {
    let origin = Origin::start();
    Host::everywhere("told", &[], |host| {
        let app =
            App::new(host, &origin, &json!({"when_missing": "admit"}), &json!({"key": "{asn}"}));
        let path = format!("{}/headers", app.path);
        let sent = [FORGED, ("x-front-asn", "64500"), ("x-client-asn", "64500")];

        let answer = host.call(request("GET", &path, &sent, &Value::Null));

        let came: Vec<(String, String)> =
            serde_json::from_value(answer.json()["headers"].clone()).unwrap();
        let has = |name: &str| came.iter().any(|(it, _)| it == name);
        assert!(has("x-front-asn") && !has("backplane-client-asn"), "{came:?}");
        assert_eq!(has("x-client-asn"), !matches!(host, Host::Memory(_)), "{came:?}");
    });
}
