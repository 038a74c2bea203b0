//! Whom a component may send requests to: `allowed_outbound_hosts`.

use std::{net::IpAddr, ops::Range};

use anyhow::{Context as _, bail};

use crate::network::Network;

/// The list of one component.
#[derive(Debug, Default)]
pub struct AllowedHosts(Vec<AllowedHost>);

#[derive(Debug)]
struct AllowedHost {
    /// `None` is any.
    scheme: Option<String>,
    host: Host,
    /// `None` is any.
    ports: Option<Range<u32>>,
}

#[derive(Debug)]
enum Host {
    Any,
    /// With the dot in front.
    Below(String),
    In(Network),
    /// The application itself by a relative address, which this host does not offer.
    Itself,
    Named(String),
}

impl AllowedHosts {
    /// Reads the list, templates expanded.
    pub fn parse(list: &[String]) -> anyhow::Result<Self> {
        let allowed = list.iter().map(|entry| {
            AllowedHost::parse(entry).with_context(|| format!("in allowed_outbound_hosts: {entry}"))
        });
        Ok(Self(allowed.collect::<Result<_, _>>()?))
    }

    /// Whether a request may go there.
    pub fn allows(&self, scheme: &str, host: &str, port: u16) -> bool {
        self.0.iter().any(|allowed| allowed.allows(scheme, host, port))
    }
}

impl AllowedHost {
    fn parse(text: &str) -> anyhow::Result<Self> {
        let (scheme, authority) =
            text.trim().split_once("://").context("it lacks a scheme, such as https://")?;
        let authority = authority.strip_suffix('/').unwrap_or(authority);
        let (host, port) = split_port(authority);
        let scheme = (scheme != "*").then(|| scheme.to_ascii_lowercase());
        let ports = match port {
            Some("*") => None,
            Some(port) => Some(port_range(port)?),
            None => Some(well_known_port(scheme.as_deref())?),
        };
        Ok(Self { scheme, host: Host::parse(host)?, ports })
    }

    fn allows(&self, scheme: &str, host: &str, port: u16) -> bool {
        self.scheme.as_deref().is_none_or(|allowed| allowed == scheme)
            && self.host.allows(&host.to_ascii_lowercase())
            && self.ports.as_ref().is_none_or(|ports| ports.contains(&u32::from(port)))
    }
}

/// The colons of `[::1]` do not start a port.
fn split_port(authority: &str) -> (&str, Option<&str>) {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (authority, None),
    }
}

/// One port, or `from..to` without `to`, as in Spin.
fn port_range(text: &str) -> anyhow::Result<Range<u32>> {
    let port = |text: &str| {
        text.parse::<u16>().map(u32::from).with_context(|| format!("{text} is not a port"))
    };
    match text.split_once("..") {
        Some((from, to)) => Ok(port(from)?..port(to)?),
        None => port(text).map(|port| port..port + 1),
    }
}

fn well_known_port(scheme: Option<&str>) -> anyhow::Result<Range<u32>> {
    match scheme {
        Some("http") => Ok(80..81),
        Some("https") => Ok(443..444),
        Some("redis") => Ok(6379..6380),
        Some("postgres") => Ok(5432..5433),
        Some("mysql") => Ok(3306..3307),
        Some("mqtt") => Ok(1883..1884),
        _ => bail!("it lacks a port, and the scheme has none of its own"),
    }
}

impl Host {
    fn parse(text: &str) -> anyhow::Result<Self> {
        let text = text.to_ascii_lowercase();
        if text == "*" {
            return Ok(Self::Any);
        }
        if let Ok(network) = text.parse() {
            return Ok(Self::In(network));
        }
        if text.is_empty() || text.contains('/') {
            bail!("it is not a host");
        }
        let below = text.strip_prefix('*').filter(|domain| domain.starts_with('.'));
        match below {
            Some(domain) if !domain.contains('*') => Ok(Self::Below(domain.to_owned())),
            None if text == "self" => Ok(Self::Itself),
            None if !text.contains('*') => Ok(Self::Named(text)),
            _ => bail!("* stands alone, or in front of a domain"),
        }
    }

    fn allows(&self, host: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Below(domain) => host.len() > domain.len() && host.ends_with(domain),
            Self::In(network) => {
                let address = host.trim_start_matches('[').trim_end_matches(']');
                address.parse::<IpAddr>().is_ok_and(|address| network.contains(address))
            }
            Self::Itself => false,
            Self::Named(name) => name == host,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_entry_allows_what_it_says() {
        for (entry, scheme, host, port, allowed) in [
            ("https://example.com", "https", "example.com", 443, true),
            ("https://example.com/", "https", "example.com", 443, true),
            ("https://Example.com", "https", "eXample.com", 443, true),
            ("https://example.com", "https", "www.example.com", 443, false),
            ("https://example.com", "https", "example.com", 8443, false),
            ("https://example.com", "http", "example.com", 443, false),
            ("https://*.example.com", "https", "a.b.example.com", 443, true),
            ("https://*.example.com", "https", "example.com", 443, false),
            ("https://*.example.com", "https", "badexample.com", 443, false),
            ("http://*.spin.internal", "http", "tea.spin.internal", 80, true),
            ("http://tea.spin.internal", "http", "kettle.spin.internal", 80, false),
            ("*://*:*", "http", "10.0.0.1", 81, true),
            ("https://*:*", "http", "example.com", 443, false),
            ("http://127.0.0.1:80..90", "http", "127.0.0.1", 80, true),
            ("http://127.0.0.1:80..90", "http", "127.0.0.1", 90, false),
            ("http://127.0.0.1:*", "http", "127.0.0.1", 9, true),
            ("http://10.0.0.0/8:80", "http", "10.1.2.3", 80, true),
            ("http://10.0.0.0/8:80", "http", "11.1.2.3", 80, false),
            ("http://[::1]", "http", "[::1]", 80, true),
            ("http://[::1]:81", "http", "[::1]", 81, true),
            ("http://self", "http", "self", 80, false),
        ] {
            let hosts = AllowedHosts::parse(&[entry.to_owned()]).unwrap();
            assert_eq!(hosts.allows(scheme, host, port), allowed, "{entry} {scheme}://{host}");
        }
    }

    #[test]
    fn an_empty_list_allows_nothing() {
        assert!(!AllowedHosts::default().allows("https", "example.com", 443));
    }

    #[test]
    fn what_is_not_an_entry_is_refused() {
        for entry in [
            "example.com",
            "https://",
            "https://a.*.com",
            "https://*example.com",
            "https://example.com/path",
            "https://example.com:port",
            "gopher://example.com",
            "insecure:allow-all",
        ] {
            assert!(AllowedHosts::parse(&[entry.to_owned()]).is_err(), "{entry}");
        }
    }
}
