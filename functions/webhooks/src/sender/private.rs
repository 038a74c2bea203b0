//! What of an endpoint is sealed: how we show who we are, and headers of its own. Pure.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use shared::{
    http::{HeaderName, HeaderValue},
    problem::Problem,
};
use utoipa::ToSchema;

use super::trace::{TRACEPARENT, TRACESTATE};
use crate::source;

/// How many headers of its own an endpoint has.
pub const HEADERS_MAX: usize = 20;
/// The longest value of one, in characters.
pub const HEADER_CHARS_MAX: usize = 1024;

/// How we show an endpoint who we are. It is sealed, and never shown again.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Auth {
    /// By the signature alone.
    #[default]
    None,
    /// RFC 7617.
    Basic {
        /// The name.
        username: String,
        /// The password.
        password: String,
    },
    /// RFC 6750.
    Bearer {
        /// The token.
        token: String,
    },
    /// The client credentials of RFC 6749, section 4.4.
    ClientCredentials {
        /// Where tokens are had.
        token_url: String,
        /// The client.
        client_id: String,
        /// Its secret.
        client_secret: String,
        /// What to ask for, if anything.
        #[serde(default)]
        scope: Option<String>,
    },
}

/// What of an endpoint is sealed.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Private {
    /// How we show who we are.
    pub auth: Auth,
    /// Headers of its own.
    pub headers: BTreeMap<String, String>,
}

impl Private {
    /// What is sealed of an endpoint, if all of it makes sense.
    ///
    /// # Errors
    /// 422 with the field and what it has to be.
    pub fn checked(self) -> Result<Self, Problem> {
        if self.headers.len() > HEADERS_MAX {
            return Err(Problem::unfitting("headers", format!("at most {HEADERS_MAX}")));
        }
        for (name, value) in &self.headers {
            let known = HeaderName::from_bytes(name.as_bytes()).ok();
            let ours = known.as_ref().is_none_or(|it| is_ours(it.as_str()));
            let fits = value.len() <= HEADER_CHARS_MAX && HeaderValue::from_str(value).is_ok();
            if ours || !fits {
                let why = "a header is a name that is not ours and up to 1024 plain characters";
                return Err(Problem::unfitting(&format!("headers.{name}"), why));
            }
        }
        if let Auth::ClientCredentials { token_url, .. } = &self.auth {
            source::target(Some(token_url), "auth.token_url")?;
        }
        Ok(self)
    }
}

impl Auth {
    /// Its word in answers.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Basic { .. } => "basic",
            Self::Bearer { .. } => "bearer",
            Self::ClientCredentials { .. } => "client_credentials",
        }
    }
}

/// Headers that we write, or that are about the connection.
pub fn is_ours(name: &str) -> bool {
    const CONNECTION: [&str; 6] =
        ["host", "content-length", "content-type", "transfer-encoding", "connection", "upgrade"];
    const SIGNED: [&str; 3] = ["content-digest", "signature-input", "signature"];
    const TRACED: [&str; 2] = [TRACEPARENT, TRACESTATE];
    name.starts_with("webhook-")
        || SIGNED.contains(&name)
        || TRACED.contains(&name)
        || CONNECTION.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_of_ours_is_no_header_of_an_endpoint() {
        for (name, fits) in [
            ("x-key", true),
            ("Traceparent", false),
            ("tracestate", false),
            ("webhook-id", false),
            ("host", false),
        ] {
            let headers = [(name.to_owned(), "1".to_owned())].into();
            let checked = Private { headers, ..Private::default() }.checked();
            assert_eq!(checked.is_ok(), fits, "{name}");
        }
    }
}
