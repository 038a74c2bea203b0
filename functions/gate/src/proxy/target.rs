//! Where a request goes: its address at the origin, and by which route it is counted.

use http::Uri;
use percent_encoding::percent_decode_str;
use shared::{outbound, problem::Problem};

use crate::limits::pattern;

/// The longest prefix, and the longest origin, in characters.
const CHARS_MAX: usize = 512;
/// The route of what no pattern fits.
const OTHER: &str = "other";

/// An origin as it is kept: scheme, host, and port where it is not the scheme's own.
///
/// # Errors
/// 422 when it is no address of the web, or leads to our own components. Whether the deployment
/// may call it is decided when it is called: the operator can change that.
pub fn origin(text: &str) -> Result<String, Problem> {
    let unfit = || {
        let why = "write an http or https address without a path, query or password";
        Problem::unfitting("origin", why)
    };
    let url = outbound::elsewhere(text.trim()).filter(outbound::is_bare);
    let url = url.filter(|_| text.len() <= CHARS_MAX).ok_or_else(unfit)?;
    Ok(url.origin().ascii_serialization())
}

/// Whether a text can stand before every path.
///
/// # Errors
/// 422 when it cannot.
pub fn check_prefix(prefix: &str) -> Result<(), Problem> {
    let plain = |it: u8| it.is_ascii_alphanumeric() || b"/._~-%".contains(&it);
    let begins = prefix.is_empty() || prefix.starts_with('/') && !prefix.ends_with('/');
    if begins && prefix.bytes().all(plain) && !climbs(prefix) && prefix.len() <= CHARS_MAX {
        return Ok(());
    }
    Err(Problem::unfitting("path_prefix", "begin with / and end without; no .. in it"))
}

/// The part of a path that is below the app, byte for byte as the client wrote it.
pub fn below(path: &str) -> &str {
    let rest = path.strip_prefix("/gate/").unwrap_or("");
    rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/")
}

/// The address of a request at the origin.
///
/// # Errors
/// 400 when its path would lead out of the prefix.
pub fn address(origin: &str, prefix: &str, asked: &Uri) -> Result<Uri, Problem> {
    let path = below(asked.path());
    if climbs(path) {
        let why = "the path has a . or .. in it: write where it leads to";
        return Err(Problem::invalid().detail(why));
    }
    let query = asked.query().map(|it| format!("?{it}")).unwrap_or_default();
    let text = format!("{origin}{prefix}{path}{query}");
    text.parse().map_err(|err| Problem::invalid().detail("the path is none").caused_by(err))
}

/// Whether somebody who reads this path may walk up in it: a segment that is `.` or `..`, however
/// it is written (WHATWG URL), also behind a backslash.
fn climbs(path: &str) -> bool {
    let decoded = percent_decode_str(path).decode_utf8_lossy();
    decoded.split(['/', '\\']).any(|it| {
        let name = it.split(';').next().unwrap_or(it);
        name == "." || name == ".."
    })
}

/// By which route a path is counted.
pub fn route(patterns: &[String], path: &str) -> String {
    let found = pattern::best(path, patterns.iter().map(|it| (it.as_str(), it)));
    found.map_or(OTHER, String::as_str).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(prefix: &str, path: &str) -> Result<String, u16> {
        let asked = path.parse().unwrap();
        let address = address("https://a.example", prefix, &asked);
        address.map(|it| it.to_string()).map_err(|it| it.status().as_u16())
    }

    #[test]
    fn a_path_is_kept_byte_for_byte() {
        for (path, there) in [
            ("/gate/gte_1", "/v2/"),
            ("/gate/gte_1?x=%20y&link=1", "/v2/?x=%20y&link=1"),
            ("/gate/gte_1/", "/v2/"),
            ("/gate/gte_1/a%2Fb//c%20d/", "/v2/a%2Fb//c%20d/"),
            ("/gate/gte_1/%E4%BA%BA/~x+y;z=1?", "/v2/%E4%BA%BA/~x+y;z=1?"),
            ("/gate/gte_1/.well-known/..a/a..", "/v2/.well-known/..a/a.."),
        ] {
            assert_eq!(at("/v2", path), Ok(format!("https://a.example{there}")));
        }
    }

    #[test]
    fn nobody_walks_out_of_the_prefix() {
        for path in ["..", "a/../b", "%2e%2E/x", ".%2e", "a/.", "..\\x", "%2e%2e%2fx", "..;/x"] {
            assert_eq!(at("/v2", &format!("/gate/gte_1/{path}")), Err(400), "{path}");
        }
        for bad in ["x", "/x/", "/../x", "/a?b", "/a b"] {
            assert!(check_prefix(bad).is_err(), "{bad}");
        }
        assert!(check_prefix("").is_ok() && check_prefix("/v2/api").is_ok());
    }

    #[test]
    fn an_origin_is_an_address_of_the_web_and_no_more() {
        assert_eq!(origin("HTTPS://Api.Example.com:443/").unwrap(), "https://api.example.com");
        assert_eq!(origin("http://127.0.0.1:80").unwrap(), "http://127.0.0.1");
        for bad in [
            "api.example.com",
            "ftp://example.com",
            "https://u:p@example.com",
            "https://example.com/v1",
            "https://example.com?x",
            "https://example.com#x",
            "http://tick.spin.internal",
            "http://tick.spin.internal.",
        ] {
            assert!(origin(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_no_pattern_fits_is_other() {
        let routes = ["/v1/orders/*", "/v1/*"].map(str::to_owned);

        assert_eq!(route(&routes, "/v1/orders/1"), "/v1/orders/*");
        assert_eq!(route(&routes, "/v1/x"), "/v1/*");
        assert_eq!(route(&routes, "/x"), "other");
        assert_eq!(route(&[], "/x"), "other");
    }
}
