//! Addresses of e-mail: which text can be one. Pure.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The longest address, in bytes (RFC 5321, 4.5.3.1.3, less the angle brackets).
const BYTES_MAX: usize = 254;
/// The longest part before the `@` (RFC 5321, 4.5.3.1.1).
const LOCAL_BYTES_MAX: usize = 64;
/// The longest label of a domain (RFC 1035, 2.3.4).
const LABEL_BYTES_MAX: usize = 63;

/// An address that mail can be sent to: a dot-atom and a domain (RFC 5322, 3.4.1), in ASCII, with
/// its domain in lower case. Quoted parts and addresses in brackets are left out: nobody has one,
/// and who writes one is mistaken or has something in mind.
#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Address(String);

/// The text is no address.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("write an address of e-mail as somebody@example.com")]
pub struct NoAddress;

impl Address {
    /// Reads an address.
    ///
    /// # Errors
    /// When the text cannot be one.
    pub fn parse(text: &str) -> Result<Self, NoAddress> {
        let (local, domain) = text.rsplit_once('@').ok_or(NoAddress)?;
        let domain = domain.to_ascii_lowercase();
        let fits = text.len() <= BYTES_MAX && is_local(local) && is_domain(&domain);
        fits.then(|| Self(format!("{local}@{domain}"))).ok_or(NoAddress)
    }

    /// The address as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What it is known by where it must not be sent to: nobody tells addresses apart by case.
    pub fn key(&self) -> String {
        self.0.to_ascii_lowercase()
    }

    /// What is after the `@`.
    pub fn domain(&self) -> &str {
        self.0.rsplit('@').next().unwrap_or_default()
    }
}

fn is_local(text: &str) -> bool {
    let is_atom = |it: &str| {
        let is_char = |it: u8| it.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&it);
        !it.is_empty() && it.bytes().all(is_char)
    };
    text.len() <= LOCAL_BYTES_MAX && text.split('.').all(is_atom)
}

fn is_domain(text: &str) -> bool {
    let is_label = |it: &str| {
        let plain = it.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'-');
        (1..=LABEL_BYTES_MAX).contains(&it.len())
            && plain
            && !it.starts_with('-')
            && !it.ends_with('-')
    };
    let last = text.rsplit('.').next().unwrap_or_default();
    // A last label of digits would be an address of IP.
    text.contains('.')
        && text.split('.').all(is_label)
        && !last.bytes().all(|it| it.is_ascii_digit())
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Address {
    type Error = NoAddress;

    fn try_from(text: String) -> Result<Self, NoAddress> {
        Self::parse(&text)
    }
}

impl From<Address> for String {
    fn from(it: Address) -> Self {
        it.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_can_be_an_address_is_one() {
        for good in ["ada@example.com", "a.b+c@sub.example.org", "o'neil@xn--bcher-kva.example"] {
            assert_eq!(Address::parse(good).unwrap().as_str(), good);
        }
        assert_eq!(Address::parse("Ada@EXAMPLE.com").unwrap().as_str(), "Ada@example.com");
        assert_eq!(Address::parse("Ada@EXAMPLE.com").unwrap().key(), "ada@example.com");
    }

    #[test]
    fn what_cannot_be_an_address_is_none() {
        let long = format!("{}@example.com", "a".repeat(LOCAL_BYTES_MAX + 1));
        for bad in [
            "",
            "ada",
            "@example.com",
            "ada@",
            "ada@localhost",
            "a b@example.com",
            "ada@-a.com",
            ".ada@example.com",
            "a..b@example.com",
            "ada@example..com",
            "ada@1.2.3.4",
            "ada@[1.2.3.4]",
            "\"a\"@example.com",
            "ada@exa_mple.com",
            "ada@example.com\r\nBcc: x@y.zz",
            "Ada <ada@example.com>",
            "ädä@example.com",
            &long,
        ] {
            assert_eq!(Address::parse(bad), Err(NoAddress), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn an_address_reads_back(text in "[a-zA-Z0-9.@<> -]{0,40}") {
            if let Ok(address) = Address::parse(&text) {
                prop_assert_eq!(Address::parse(address.as_str()), Ok(address));
            }
        }
    }
}
