//! The server that takes a tenant's mail by SMTP, and how it is spoken to.

use serde::{Deserialize, Serialize};
use shared::{outbound, problem::Problem};
use url::Host;
use utoipa::ToSchema;

/// The operator's setting: to which servers a password may go without TLS, as `host:port`,
/// comma-separated.
pub const PLAIN_HOSTS: &str = "smtp_plain_hosts";
/// The port of message submission (RFC 6409).
const SUBMISSION: u16 = 587;
/// The same, encrypted from the start (RFC 8314).
const SUBMISSIONS: u16 = 465;
/// The longest user name, in bytes.
const USER_BYTES_MAX: usize = 255;

/// A server that takes mail by SMTP.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SmtpServer)]
pub struct Relay {
    /// Its name, which its certificate has, or its address. Private ones are for the operator to
    /// allow.
    #[schema(example = "smtp.example.com")]
    pub host: String,
    /// 587 when left out, or 465. To 25 nobody can connect from Workers.
    #[serde(default = "submission")]
    #[schema(default = 587)]
    pub port: u16,
    /// How it is encrypted; for 465 from the start, else by STARTTLS, when left out.
    #[serde(default)]
    #[schema(required = false)]
    pub security: Option<Security>,
    /// Who logs in, with the key as the password, by AUTH PLAIN or LOGIN. Left out where nobody
    /// needs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
}

/// How a connection is encrypted. On Spin it is by TLS 1.3.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = SmtpSecurity)]
pub enum Security {
    /// From the start.
    Tls,
    /// Before anything that matters is said. A server that cannot is told nothing.
    Starttls,
    /// Not at all: on the machine itself, and for servers that the operator names.
    None,
}

fn submission() -> u16 {
    SUBMISSION
}

impl Relay {
    /// How it is encrypted.
    pub fn security(&self) -> Security {
        self.security.unwrap_or(match self.port {
            SUBMISSIONS => Security::Tls,
            _ => Security::Starttls,
        })
    }

    /// Whether nobody on the way reads what is said to it: it is encrypted, or there is no way, or
    /// the operator has said so.
    pub fn is_safe(&self, plain_hosts: &str) -> bool {
        let name = format!("{}:{}", self.host, self.port);
        self.security() != Security::None
            || outbound::is_loopback(&self.host)
            || plain_hosts.split(',').any(|it| it.trim() == name)
    }

    /// The same as it is kept.
    ///
    /// # Errors
    /// What about it cannot be.
    pub fn checked(self, plain_hosts: &str) -> Result<Self, Problem> {
        let host = match Host::parse(&self.host) {
            Ok(it @ (Host::Ipv4(_) | Host::Ipv6(_))) => it.to_string(),
            Ok(Host::Domain(it)) if is_name(&it) => it,
            _ => return Err(Problem::unfitting("smtp.host", "a name such as smtp.example.com")),
        };
        if self.port == 0 {
            return Err(Problem::unfitting("smtp.port", "1 to 65535, and mostly 587 or 465"));
        }
        let fits = |it: &String| {
            (1..=USER_BYTES_MAX).contains(&it.len()) && !it.chars().any(char::is_control)
        };
        if !self.user.as_ref().is_none_or(fits) {
            let why = format!("1 to {USER_BYTES_MAX} bytes, without controls");
            return Err(Problem::unfitting("smtp.user", why));
        }
        let it = Self { host, security: Some(self.security()), ..self };
        match it.is_safe(plain_hosts) {
            true => Ok(it),
            false => Err(Problem::unfitting(
                "smtp.security",
                "tls or starttls: without, only on this machine, or where the operator says so in \
                 smtp_plain_hosts",
            )),
        }
    }
}

/// Whether it can be the name of somebody else's server. Spin's components call each other by one
/// that ends with `.internal`.
fn is_name(it: &str) -> bool {
    let it = it.trim_end_matches('.');
    !it.is_empty() && it.len() <= 253 && !it.ends_with(".internal")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn relay(host: &str, port: u16, security: Option<Security>) -> Relay {
        Relay { host: host.to_owned(), port, security, user: Some("ada".to_owned()) }
    }

    #[test]
    fn the_port_says_how_it_is_encrypted() {
        assert_eq!(relay("a.example", 465, None).security(), Security::Tls);
        assert_eq!(relay("a.example", 587, None).security(), Security::Starttls);
        assert_eq!(
            relay("a.example", 465, Some(Security::Starttls)).security(),
            Security::Starttls
        );
        assert_eq!(serde_json::from_str::<Relay>(r#"{"host":"a.example"}"#).unwrap().port, 587);
    }

    #[test]
    fn without_tls_it_is_this_machine_or_one_that_the_operator_names() {
        let plain = Some(Security::None);
        for (host, port, plain_hosts, fits) in [
            ("smtp.example.com", 587, "", false),
            ("127.0.0.1", 587, "", true),
            ("localhost", 2525, "", true),
            ("[::1]", 2525, "", true),
            ("10.0.0.1", 25, "10.0.0.1:25", true),
            ("10.0.0.1", 587, "10.0.0.1:25", false),
            ("10.0.0.1", 25, "x.example:25, 10.0.0.1:25", true),
        ] {
            let checked = relay(host, port, plain).checked(plain_hosts);
            assert_eq!(checked.is_ok(), fits, "{host}:{port} {plain_hosts}");
        }
    }

    #[test]
    fn a_host_is_kept_as_everybody_reads_it() {
        for (given, kept) in [
            ("SMTP.Example.com", Some("smtp.example.com")),
            ("bücher.example", Some("xn--bcher-kva.example")),
            ("0x7f.1", Some("127.0.0.1")),
            ("[::1]", Some("[::1]")),
            ("::1", None),
            ("a b", None),
            ("", None),
            ("https://a.example", None),
            ("a.example:25", None),
            ("notify.spin.internal", None),
        ] {
            let checked = relay(given, 587, None).checked("").ok();
            assert_eq!(checked.as_ref().map(|it| it.host.as_str()), kept, "{given}");
        }
    }
}
