//! The headers of what is handed on: what belongs to one connection, or to us, stays behind
//! (RFC 9110, section 7.6).

use std::net::IpAddr;

use http::{Uri, request};
use shared::{
    door,
    http::{HeaderMap, HeaderName, HeaderValue, header},
    ports::Edge,
};

use super::app::App;

/// How we call ourselves in `Via`.
const VIA: &str = "1.1 backplane";
/// Of one connection only (RFC 9110, section 7.6.1), beside those that `Connection` names.
const HOP_BY_HOP: [&str; 11] = [
    "connection",
    "expect",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];
/// What runtimes, and we, say to our own.
const OURS: [&str; 3] = ["backplane-", "spin-", "cf-"];
/// What says where a request came from: only we know.
const ORIGINS: [&str; 3] = ["forwarded", "true-client-ip", "x-real-ip"];

/// Whether a header is never handed on, whoever sends it.
pub fn is_ours(name: &HeaderName) -> bool {
    let name = name.as_str();
    HOP_BY_HOP.contains(&name) || OURS.iter().any(|it| name.starts_with(it))
}

/// Whether a request wants to go on as a WebSocket (RFC 6455). Some runtimes keep `Upgrade` from
/// us, but none the key.
pub fn is_websocket(headers: &HeaderMap) -> bool {
    headers.contains_key(header::SEC_WEBSOCKET_KEY)
        || words(headers, &header::UPGRADE).any(|it| it == "websocket")
}

/// The headers that the origin gets.
pub fn onward<E: Edge>(edge: &E, app: &App, parts: &request::Parts) -> HeaderMap {
    let mut headers = passed(&parts.headers);
    let says_whence = |it: &HeaderName| {
        let name = it.as_str();
        ORIGINS.contains(&name)
            || name.starts_with("x-forwarded-")
            || name == E::CLIENT_ADDRESS
            || Some(name) == E::CLIENT_ASN
    };
    remove(&mut headers, says_whence);
    headers.remove(header::HOST);
    for name in &app.remove_headers {
        headers.remove(name.as_str());
    }
    let client = door::client_address(edge, &parts.headers);
    let host = parts.headers.get(header::HOST).and_then(|it| it.to_str().ok());
    whence(&mut headers, client, &parts.uri, host);
    via(&mut headers);
    for (name, value) in &app.add_headers {
        set(&mut headers, name, value);
    }
    headers
}

/// The headers that the client gets.
pub fn back(headers: &HeaderMap) -> HeaderMap {
    let mut headers = passed(headers);
    // Another way to the origin is none to us (RFC 7838).
    headers.remove(header::ALT_SVC);
    via(&mut headers);
    headers
}

/// All that is not of one connection, and not ours.
fn passed(headers: &HeaderMap) -> HeaderMap {
    let named: Vec<_> = words(headers, &header::CONNECTION).collect();
    let mut passed = headers.clone();
    remove(&mut passed, |it| is_ours(it) || named.iter().any(|name| name == it.as_str()));
    passed
}

fn remove(headers: &mut HeaderMap, is_one: impl Fn(&HeaderName) -> bool) {
    for name in headers.keys().filter(|it| is_one(it)).cloned().collect::<Vec<_>>() {
        headers.remove(name);
    }
}

/// The members of a list, in lower case.
fn words(headers: &HeaderMap, name: &HeaderName) -> impl Iterator<Item = String> {
    let texts = headers.get_all(name).iter().filter_map(|it| it.to_str().ok());
    texts.flat_map(|it| it.split(',')).map(|it| it.trim().to_ascii_lowercase())
}

/// Says where a request came from, in the words of RFC 7239 and in the older ones.
fn whence(headers: &mut HeaderMap, client: Option<IpAddr>, uri: &Uri, host: Option<&str>) {
    let mut forwarded = Vec::new();
    if let Some(it) = client {
        set(headers, "x-forwarded-for", &it.to_string());
        forwarded.push(match it {
            IpAddr::V4(it) => format!("for={it}"),
            IpAddr::V6(it) => format!("for=\"[{it}]\""),
        });
    }
    // Some runtimes put the host into the address, and keep the header from us.
    if let Some(it) = uri.authority().map(http::uri::Authority::as_str).or(host) {
        set(headers, "x-forwarded-host", it);
        forwarded.push(format!("host=\"{}\"", it.replace(['"', '\\'], "")));
    }
    let scheme = uri.scheme_str().unwrap_or("http");
    set(headers, "x-forwarded-proto", scheme);
    forwarded.push(format!("proto={scheme}"));
    set(headers, "forwarded", &forwarded.join(";"));
}

fn via(headers: &mut HeaderMap) {
    headers.append(header::VIA, HeaderValue::from_static(VIA));
}

/// Sets a header, left out when it cannot be one.
fn set(headers: &mut HeaderMap, name: &str, value: &str) {
    if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::from_str(value)) {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use shared::memory::Memory;

    use super::*;

    fn map(headers: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        map
    }

    fn sent(app: serde_json::Value, headers: &[(&'static str, &'static str)]) -> HeaderMap {
        let app: App = serde_json::from_value(app).unwrap();
        let mut request = http::Request::new(());
        *request.uri_mut() = "https://gate.example:8443/gate/gte_1/x".parse().unwrap();
        *request.headers_mut() = map(headers);
        onward(&Memory::default(), &app, &request.into_parts().0)
    }

    fn app() -> serde_json::Value {
        serde_json::json!({"origin": "https://a.example"})
    }

    #[test]
    fn what_is_of_one_connection_stays_there() {
        let headers = map(&[
            ("connection", "close, X-Hop"),
            ("connection", "x-other"),
            ("x-hop", "1"),
            ("x-other", "1"),
            ("keep-alive", "timeout=5"),
            ("te", "trailers"),
            ("trailer", "x-sum"),
            ("transfer-encoding", "chunked"),
            ("proxy-authenticate", "Basic"),
            ("upgrade", "h2c"),
            ("alt-svc", "h3=\":443\""),
            ("backplane-errand", "erase"),
            ("set-cookie", "a=1"),
            ("set-cookie", "b=2"),
            ("via", "1.0 other"),
        ]);

        let passed = back(&headers);

        assert_eq!(
            passed,
            map(&[
                ("set-cookie", "a=1"),
                ("set-cookie", "b=2"),
                ("via", "1.0 other"),
                ("via", VIA),
            ])
        );
    }

    #[test]
    fn where_a_request_came_from_says_the_runtime_alone() {
        let headers = sent(
            app(),
            &[
                ("x-client-address", "203.0.113.7:1234"),
                ("x-forwarded-for", "1.2.3.4"),
                ("x-forwarded-prefix", "/admin"),
                ("forwarded", "for=1.2.3.4"),
                ("x-real-ip", "1.2.3.4"),
                ("spin-client-addr", "1.2.3.4"),
                ("cf-connecting-ip", "1.2.3.4"),
                ("accept", "*/*"),
            ],
        );

        assert_eq!(
            headers,
            map(&[
                ("accept", "*/*"),
                ("x-forwarded-for", "203.0.113.7"),
                ("x-forwarded-host", "gate.example:8443"),
                ("x-forwarded-proto", "https"),
                ("forwarded", "for=203.0.113.7;host=\"gate.example:8443\";proto=https"),
                ("via", VIA),
            ])
        );
        let headers = sent(app(), &[("x-client-address", "2001:db8::1")]);
        assert!(headers["forwarded"].to_str().unwrap().starts_with("for=\"[2001:db8::1]\";"));
    }

    #[test]
    fn an_app_adds_and_removes() {
        let mut app = app();
        app["add_headers"] = serde_json::json!({"X-Gate": "secret"});
        app["remove_headers"] = serde_json::json!(["Authorization"]);

        let headers = sent(app, &[("authorization", "Bearer k"), ("x-gate", "forged")]);

        assert_eq!(headers.get("authorization"), None);
        assert_eq!(headers.get_all("x-gate").iter().collect::<Vec<_>>(), ["secret"]);
    }

    #[test]
    fn a_websocket_is_known_by_either_header() {
        assert!(is_websocket(&map(&[("upgrade", "h2c, WebSocket")])));
        assert!(is_websocket(&map(&[("sec-websocket-key", "x")])));
        assert!(!is_websocket(&map(&[("upgrade", "h2c")])));
    }
}
