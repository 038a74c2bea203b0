//! Who asks, by the headers of a request.

use serde::{Deserialize, Serialize};
use shared::{
    domain::sha256_hex,
    http::{HeaderMap, header},
    problem::Problem,
};
use utoipa::ToSchema;

use super::app::check_header;
use crate::limits::asked::Asked;

/// Where a request says who asks.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Identify {
    /// The header with the customer's API key: `authorization`, of which the bearer's token is
    /// taken (RFC 6750), or another, as `x-api-key`, which is taken whole.
    #[serde(default = "authorization")]
    pub key_header: String,
    /// The header with the user. Only where the origin's own front sets it: any client can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_header: Option<String>,
    /// The header with the number of the network that the client is in, as `AS64500` or `64500`.
    /// Only where the origin's own front sets it, whatever the client sends: then that is what
    /// counts, and not what the runtime says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asn_header: Option<String>,
    /// What happens to a request without a key.
    #[serde(default)]
    pub when_missing: Missing,
    /// Whose keys they are.
    #[serde(default, skip_serializing_if = "Keys::is_own")]
    pub keys: Keys,
}

/// Whose keys the customers of an app have.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = AppKeys)]
pub enum Keys {
    /// The origin's: it verifies them, and policies know them by a hash.
    #[default]
    Own,
    /// Those that the tenant has made at `/v1/keys` for its customers: they are verified, and one
    /// that does not hold is answered with 401 before the origin is asked.
    Backplane,
}

impl Keys {
    fn is_own(&self) -> bool {
        *self == Self::Own
    }
}

/// What happens to a request that shows no key.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = MissingKey)]
pub enum Missing {
    /// It is answered with 401.
    #[default]
    Refuse,
    /// It is decided without a key.
    Admit,
}

fn authorization() -> String {
    header::AUTHORIZATION.to_string()
}

impl Default for Identify {
    fn default() -> Self {
        let (when_missing, keys) = (Missing::default(), Keys::default());
        let key_header = authorization();
        Self { key_header, user_header: None, asn_header: None, when_missing, keys }
    }
}

impl Identify {
    /// Whether its headers can be headers.
    ///
    /// # Errors
    /// Which one cannot.
    pub fn check(&self) -> Result<(), Problem> {
        check_header("identify.key_header", &self.key_header)?;
        for (field, name) in
            [("identify.user_header", &self.user_header), ("identify.asn_header", &self.asn_header)]
        {
            name.as_deref().map_or(Ok(()), |it| check_header(field, it))?;
        }
        Ok(())
    }
}

/// Fills in who asks.
///
/// # Errors
/// 401 when nobody does, and that is refused.
pub fn identify(rule: &Identify, headers: &HeaderMap, asked: &mut Asked) -> Result<(), Problem> {
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    let shown = text(&rule.key_header).and_then(|it| match rule.key_header.as_str() {
        it_is if it_is.eq_ignore_ascii_case(header::AUTHORIZATION.as_str()) => bearer(it),
        _ => Some(it).filter(|it| !it.is_empty()),
    });
    if let Some(name) = &rule.asn_header {
        asked.asn = network(headers, name);
    }
    asked.user = rule.user_header.as_deref().and_then(text).map(str::to_owned);
    match shown {
        Some(secret) if rule.keys == Keys::Backplane => asked.secret = Some(secret.to_owned()),
        // A secret is not for policies, usage or logs: what they see of it is its hash.
        Some(secret) => asked.api_key = Some(hashed(secret)),
        None if rule.when_missing == Missing::Admit => {}
        None => {
            let how = match rule.key_header.eq_ignore_ascii_case(header::AUTHORIZATION.as_str()) {
                true => "send your API key as Authorization: Bearer".to_owned(),
                false => format!("send your API key in the header {}", rule.key_header),
            };
            return Err(Problem::unauthorized(&how));
        }
    }
    Ok(())
}

/// The number of a network, as a front says it. Of several it is not known which is the front's.
fn network(headers: &HeaderMap, name: &str) -> Option<u32> {
    let mut all = headers.get_all(name).iter();
    let (Some(only), None) = (all.next(), all.next()) else { return None };
    let text = only.to_str().ok()?.trim();
    let digits = match text.get(..2) {
        Some(it) if it.eq_ignore_ascii_case("AS") => text.get(2..)?,
        _ => text,
    };
    let is_number = !digits.is_empty() && digits.bytes().all(|it| it.is_ascii_digit());
    digits.parse().ok().filter(|it| is_number && *it > 0)
}

fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    Some(token.trim()).filter(|it| scheme.eq_ignore_ascii_case("bearer") && !it.is_empty())
}

fn hashed(secret: &str) -> String {
    let hash = sha256_hex(secret.as_bytes());
    format!("sha256:{}", hash.get(..32).unwrap_or(&hash))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(rule: &Identify, headers: &[(&'static str, &'static str)]) -> Result<Asked, Problem> {
        let headers = headers.iter().map(|(name, value)| {
            (name.parse().unwrap(), shared::http::HeaderValue::from_static(value))
        });
        let mut asked = Asked::default();
        identify(rule, &headers.collect(), &mut asked).map(|()| asked)
    }

    #[test]
    fn a_key_comes_from_where_the_rule_says_and_never_in_the_clear() {
        let bearer = Identify::default();
        let header = Identify { key_header: "X-Api-Key".to_owned(), ..bearer.clone() };

        let one = asked(&bearer, &[("authorization", "bearer  s3cret ")]).unwrap().api_key;
        let same = asked(&header, &[("x-api-key", "s3cret")]).unwrap().api_key;

        assert!(one.is_some() && one == same && !one.unwrap().contains("s3cret"));
        assert_ne!(same, asked(&header, &[("x-api-key", "other")]).unwrap().api_key);
    }

    #[test]
    fn a_key_of_ours_is_given_on_to_be_verified() {
        let rule = Identify { keys: Keys::Backplane, ..Identify::default() };

        let it = asked(&rule, &[("authorization", "Bearer ck_1")]).unwrap();

        assert_eq!((it.secret.as_deref(), it.api_key), (Some("ck_1"), None));
        assert_eq!(asked(&rule, &[]).unwrap_err().status(), 401);
    }

    #[test]
    fn a_front_says_the_network_only_where_the_app_says_that_it_does() {
        let rule = Identify { when_missing: Missing::Admit, ..Identify::default() };
        let fronted = Identify { asn_header: Some("X-Asn".to_owned()), ..rule.clone() };
        let asn = |rule: &Identify, values: &[&'static str]| {
            let headers: Vec<_> = values.iter().map(|it| ("x-asn", *it)).collect();
            asked(rule, &headers).unwrap().asn
        };

        assert_eq!(asn(&rule, &["64500"]), None);
        for said in ["64500", "AS64500", " as64500 "] {
            assert_eq!(asn(&fronted, &[said]), Some(64_500), "{said}");
        }
        assert_eq!(asn(&fronted, &["4294967295"]), Some(u32::MAX));
        let unknown = ["", "AS", "0", "-1", "+1", "1.2", "4294967296", "ASN1", "64500, 64501"];
        for said in unknown {
            assert_eq!(asn(&fronted, &[said]), None, "{said}");
        }
        assert_eq!(asn(&fronted, &[]), None);
        assert_eq!(asn(&fronted, &["64500", "64501"]), None);
    }

    #[test]
    fn who_shows_nothing_is_refused_or_nobody() {
        let rule = Identify::default();
        for headers in
            [&[][..], &[("authorization", "Basic eDp5")], &[("authorization", "Bearer ")]]
        {
            assert_eq!(asked(&rule, headers).unwrap_err().status(), 401);
        }
        let rule = Identify {
            when_missing: Missing::Admit,
            user_header: Some("X-User".to_owned()),
            ..rule
        };

        let asked = asked(&rule, &[("x-user", "u1")]).unwrap();

        assert_eq!((asked.api_key, asked.user.as_deref()), (None, Some("u1")));
    }
}
