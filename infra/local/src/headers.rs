//! The headers by which Spin tells a component what was asked.

use std::net::SocketAddr;

use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::route::Match;

/// The domain of components. No request from outside may claim it.
pub const INTERNAL_DOMAIN: &str = ".spin.internal";

/// Removes what only Spin may say, and a host that is inside.
pub fn strip(headers: &mut HeaderMap) {
    strip_spin(headers);
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let host = host.split(':').next().unwrap_or_default();
    if host.to_ascii_lowercase().ends_with(INTERNAL_DOMAIN) {
        headers.remove(header::HOST);
    }
}

/// Removes what only Spin may say.
pub fn strip_spin(headers: &mut HeaderMap) {
    let forged = headers.keys().filter(|name| name.as_str().starts_with("spin-"));
    for name in forged.cloned().collect::<Vec<_>>() {
        headers.remove(name);
    }
}

/// Says which route answers, and who asked.
pub fn describe(headers: &mut HeaderMap, full_url: &str, found: &Match<'_>, client: SocketAddr) {
    let route = found.route;
    let client = client.to_string();
    let fixed = [
        ("spin-full-url", full_url),
        ("spin-path-info", &found.rest),
        ("spin-matched-route", &route.raw),
        ("spin-component-route", route.prefix()),
        ("spin-raw-component-route", &route.raw),
        ("spin-base-path", "/"),
        ("spin-client-addr", &client),
    ];
    for (name, value) in fixed {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    for (name, value) in &found.named {
        let name = HeaderName::try_from(format!("spin-path-match-{name}"));
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(value)) {
            headers.insert(name, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route::Route;

    #[test]
    fn forged_headers_are_removed() {
        let mut headers = HeaderMap::new();
        headers.insert("spin-client-addr", HeaderValue::from_static("1.2.3.4:5"));
        headers.insert("spin-anything", HeaderValue::from_static("forged"));
        headers.insert("host", HeaderValue::from_static("tea.Spin.internal:80"));
        headers.insert("accept", HeaderValue::from_static("text/html"));

        strip(&mut headers);

        assert_eq!(headers.keys().collect::<Vec<_>>(), ["accept"]);
    }

    #[test]
    fn the_route_is_described() {
        let mut headers = HeaderMap::new();
        let route = Route::new("/tea/:kind/...", "tea");
        let found = route.matches("/tea/green/cups").unwrap();

        describe(&mut headers, "http://a/tea/green/cups", &found, ([127, 0, 0, 1], 9).into());

        for (name, value) in [
            ("spin-full-url", "http://a/tea/green/cups"),
            ("spin-path-info", "/cups"),
            ("spin-matched-route", "/tea/:kind/..."),
            ("spin-component-route", "/tea/:kind"),
            ("spin-client-addr", "127.0.0.1:9"),
            ("spin-path-match-kind", "green"),
        ] {
            assert_eq!(headers.get(name).unwrap(), value, "{name}");
        }
    }
}
