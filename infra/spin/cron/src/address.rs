//! Where Backplane is: a scheme and a host.

/// A setting such as `https://backplane.example.com`, taken apart.
#[derive(Debug, PartialEq)]
pub struct Address<'a> {
    /// Whether it is `https`.
    pub is_secure: bool,
    /// The host, and the port if it is not the usual one.
    pub authority: &'a str,
}

impl<'a> Address<'a> {
    /// Reads the setting. It has no path, for `allowed_outbound_hosts` takes none either.
    pub fn parse(url: &'a str) -> Option<Self> {
        let (is_secure, rest) = match url.strip_prefix("https://") {
            Some(rest) => (true, rest),
            None => (false, url.strip_prefix("http://")?),
        };
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        let is_bare = !authority.is_empty() && !authority.contains(['/', '?', '#', '@']);
        is_bare.then_some(Self { is_secure, authority })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_scheme_and_a_host() {
        let address = |is_secure, authority| Some(Address { is_secure, authority });

        assert_eq!(Address::parse("https://one.example"), address(true, "one.example"));
        assert_eq!(Address::parse("https://one.example/"), address(true, "one.example"));
        assert_eq!(Address::parse("http://127.0.0.1:3000"), address(false, "127.0.0.1:3000"));
    }

    #[test]
    fn what_is_not_an_address_is_refused() {
        for url in ["", "one.example", "ftp://one.example", "https://", "https://one.example/tick"]
        {
            assert_eq!(Address::parse(url), None, "{url}");
        }
        assert_eq!(
            Address::parse("https://me:secret@one.example"),
            None,
            "a key belongs elsewhere"
        );
    }
}
