//! Which hosts may be called, where the runtime does not enforce it itself.
//!
//! The setting `outbound_hosts` is a comma-separated list of `scheme://host:port`, as Spin has it
//! in `allowed_outbound_hosts`: `*` for any host or port, `*.example.com` for what is under it. A
//! private, loopback or link-local address is refused unless the list names that very host. The
//! scheme of a connection that is no request is `tcp`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

/// Names that lead into somebody's own network.
const PRIVATE_NAMES: [&str; 5] = ["localhost", "local", "internal", "lan", "home.arpa"];

/// Whether the list allows this address.
pub fn allows(list: &str, url: &Url) -> bool {
    let private = is_private(url);
    list.split(',').filter_map(|it| Pattern::parse(it.trim())).any(|it| it.fits(url, private))
}

/// How far a connection may go.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Reach {
    /// Nowhere.
    None,
    /// To public addresses, whatever the name resolves to.
    Public,
    /// To whatever the name resolves to: the list names this very host.
    Any,
}

/// How far the list lets a connection of TCP go to this host, as a URL has it, and port.
pub fn reach(list: &str, host: &str, port: u16) -> Reach {
    // As an address of HTTP, every way of writing an address of IP is read as the one address.
    let Ok(url) = format!("https://{host}:{port}/").parse::<Url>() else { return Reach::None };
    let private = is_private(&url);
    let entries = list.split(',').filter_map(|it| Pattern::parse(it.trim()));
    let fitting = entries
        .filter(|it| it.scheme == "tcp" && it.fits_port(&url) && it.fits_host(&url, private));
    // The widest of those that fit.
    fitting
        .map(|it| if url.host_str() == Some(it.host) { Reach::Any } else { Reach::Public })
        .fold(Reach::None, Reach::max)
}

/// Whether a host, as a URL has it, is this machine itself.
pub fn is_loopback(host: &str) -> bool {
    match Host::parse(host) {
        Ok(Host::Ipv4(it)) => it.is_loopback(),
        Ok(Host::Ipv6(it)) => it.is_loopback(),
        Ok(Host::Domain(name)) => name == "localhost",
        Err(_) => false,
    }
}

/// The address of somebody else on the web, without a user or a password. `None` for anything else.
pub fn elsewhere(text: &str) -> Option<Url> {
    text.parse::<Url>().ok().filter(|url| {
        let plain = url.username().is_empty() && url.password().is_none();
        // By that name Spin's components call each other, past the door.
        let ours = url.host_str().is_some_and(|it| it.trim_end_matches('.').ends_with(".internal"));
        plain && url.has_host() && !ours && matches!(url.scheme(), "http" | "https")
    })
}

/// Whether an address is scheme, host and port alone.
pub fn is_bare(url: &Url) -> bool {
    url.path() == "/" && url.query().is_none() && url.fragment().is_none()
}

/// Whether it is scheme, host and port of somebody else, as `https://api.example.com`: what a path
/// is put behind.
pub fn is_origin(text: &str) -> bool {
    elsewhere(text).is_some_and(|url| is_bare(&url) && !text.ends_with('/'))
}

struct Pattern<'a> {
    scheme: &'a str,
    host: &'a str,
    port: Option<u16>,
}

impl<'a> Pattern<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://")?;
        // The colons of an IPv6 address are inside its brackets.
        let (host, port) = match rest.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, port),
            _ => (rest, if scheme == "http" { "80" } else { "443" }),
        };
        let port = if port == "*" { None } else { Some(port.parse().ok()?) };
        Some(Self { scheme, host, port })
    }

    fn fits(&self, url: &Url, private: bool) -> bool {
        url.scheme() == self.scheme && self.fits_host(url, private) && self.fits_port(url)
    }

    fn fits_port(&self, url: &Url) -> bool {
        self.port.is_none_or(|it| Some(it) == url.port_or_known_default())
    }

    fn fits_host(&self, url: &Url, private: bool) -> bool {
        let host = url.host_str().unwrap_or("");
        let named = self.host == host;
        let under = self
            .host
            .strip_prefix('*')
            .is_some_and(|it| it.is_empty() || it.starts_with('.') && host.ends_with(it));
        named || under && !private
    }
}

/// Whether the host is an address, or a name, of somebody's own network. URLs have every way of
/// writing an IPv4 address (decimal, octal, hex, short) already read as the one address.
fn is_private(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(it)) => !is_public_v4(it),
        Some(Host::Ipv6(it)) => !is_public_v6(it),
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.');
            PRIVATE_NAMES.iter().any(|it| {
                name == *it || name.strip_suffix(it).is_some_and(|rest| rest.ends_with('.'))
            })
        }
        None => true,
    }
}

/// Whether a resolved address is one of the public internet.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(it) => is_public_v4(it),
        IpAddr::V6(it) => is_public_v6(it),
    }
}

/// By the IANA registry of special-purpose addresses.
fn is_public_v4(it: Ipv4Addr) -> bool {
    let [a, b, c, _] = it.octets();
    let special = it.is_private()
        || it.is_loopback()
        || it.is_link_local()
        || it.is_multicast()
        || it.is_documentation()
        || a == 0
        || a >= 240
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && (18..20).contains(&b));
    !special
}

fn is_public_v6(it: Ipv6Addr) -> bool {
    let segments = it.segments();
    let [first, second, ..] = segments;
    // An IPv4 address in any of its disguises: mapped, compatible, NAT64, 6to4.
    let [.., high, low] = segments;
    let last = Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    let zeros = |count: usize| segments.iter().take(count).all(|it| *it == 0);
    let embedded = if it.to_ipv4_mapped().is_some() || zeros(6)
        // The well-known prefix only: what a network's own NAT64 reaches is the network's.
        || segments.starts_with(&[0x64, 0xff9b, 0, 0, 0, 0])
    {
        Some(last)
    } else if first == 0x2002 {
        let [_, high, low, ..] = segments;
        Some(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low)))
    } else {
        None
    };
    if let Some(it) = embedded {
        return is_public_v4(it);
    }
    // Only 2000::/3 is given out for the public internet, and of that neither the addresses of
    // protocols, 2001::/23, nor those of documentation, 2001:db8::/32 and 3fff::/20.
    let reserved = match first {
        0x2001 => second < 0x200 || second == 0xdb8,
        0x3fff => second < 0x1000,
        _ => false,
    };
    first & 0xe000 == 0x2000 && !reserved
}

#[cfg(test)]
mod tests {
    use super::*;

    const PUBLIC: &str = "https://*:*,http://*:*";

    fn allowed(list: &str, url: &str) -> bool {
        url.parse().is_ok_and(|it| allows(list, &it))
    }

    #[test]
    fn a_wildcard_lets_nobody_into_a_private_network() {
        for url in [
            "http://127.0.0.1/",
            "http://2130706433/",
            "http://0x7f.1/",
            "http://0177.0.0.1/",
            "http://10.0.0.1/",
            "http://172.16.0.1/",
            "http://192.168.1.1/",
            "http://169.254.169.254/latest/meta-data/",
            "http://100.64.0.1/",
            "http://0.0.0.0/",
            "http://255.255.255.255/",
            "http://224.0.0.1/",
            "http://[::1]/",
            "http://[::]/",
            "http://[::ffff:10.0.0.1]/",
            "http://[::127.0.0.1]/",
            "http://[64:ff9b::7f00:1]/",
            "http://[2002:7f00:1::]/",
            "http://[fe80::1]/",
            "http://[fd00::1]/",
            "http://[ff02::1]/",
            "http://localhost/",
            "http://LOCALHOST./",
            "http://a.localhost/",
            "http://metadata.google.internal/",
            "http://printer.local/",
        ] {
            assert!(!allowed(PUBLIC, url), "{url}");
        }
    }

    #[test]
    fn an_origin_has_nothing_behind_it() {
        for good in ["https://api.example.com", "http://127.0.0.1:8080"] {
            assert!(is_origin(good), "{good}");
        }
        for bad in [
            "",
            "https://api.example.com/",
            "https://api.example.com/v1",
            "https://api.example.com?x",
            "https://api.example.com#x",
            "https://me:secret@api.example.com",
            "ftp://api.example.com",
            "http://tenants.spin.internal",
            "http://tenants.spin.internal.",
        ] {
            assert!(!is_origin(bad), "{bad}");
        }
    }

    #[test]
    fn a_wildcard_lets_everybody_else_through() {
        for url in ["http://192.0.3.1/", "https://example.com:8443/x", "http://[2606:4700::1111]/"]
        {
            assert!(allowed(PUBLIC, url), "{url}");
        }
    }

    #[test]
    fn a_private_host_that_is_named_is_meant() {
        assert!(allowed("http://127.0.0.1:*", "http://127.0.0.1:8080/x"));
        assert!(!allowed("http://127.0.0.1:80", "http://127.0.0.1:8080/x"));
        assert!(!allowed("http://127.0.0.1:*", "http://127.0.0.2:8080/x"));
        assert!(allowed("http://[::1]:80", "http://[::1]/x"));
    }

    #[test]
    fn scheme_port_and_suffix_count() {
        assert!(allowed("https://*.example.com", "https://a.example.com/"));
        assert!(!allowed("https://*.example.com", "https://example.com/"));
        assert!(!allowed("https://*.example.com", "https://badexample.com/"));
        assert!(!allowed("https://*.example.com", "http://a.example.com/"));
        assert!(!allowed("https://example.com", "https://example.com:8443/"));
        assert!(!allowed("", "https://example.com/"));
        assert!(!allowed("nonsense,https://", "https://example.com/"));
    }

    #[test]
    fn a_connection_goes_where_the_list_says_for_tcp() {
        let list = "https://*:*,tcp://*:587,tcp://*.example.com:2525,tcp://127.0.0.1:*";
        for (host, port, expected) in [
            ("smtp.example.org", 587, Reach::Public),
            ("smtp.example.org", 443, Reach::None),
            ("smtp.example.com", 2525, Reach::Public),
            ("example.com", 2525, Reach::None),
            ("127.0.0.1", 25, Reach::Any),
            ("127.0.0.1", 587, Reach::Any),
            ("2130706433", 25, Reach::Any),
            ("127.0.0.2", 587, Reach::None),
            ("localhost", 587, Reach::None),
            ("10.0.0.1", 587, Reach::None),
            ("0xa.1", 587, Reach::None),
            ("[::1]", 587, Reach::None),
            ("[::ffff:10.0.0.1]", 587, Reach::None),
            ("relay.internal", 587, Reach::None),
            ("a b", 587, Reach::None),
            ("", 587, Reach::None),
        ] {
            assert_eq!(reach(list, host, port), expected, "{host}:{port}");
        }
        assert_eq!(reach("https://*:*,http://127.0.0.1:*", "127.0.0.1", 587), Reach::None);
    }

    #[test]
    fn this_machine_is_known_by_all_its_names() {
        for host in ["127.0.0.1", "127.1", "127.9.9.9", "[::1]", "localhost"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["10.0.0.1", "localhost.example.com", "example.com", "[::2]", ""] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
