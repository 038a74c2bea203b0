//! Who acts, for which tenant, and what they may do.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Id, Timestamp};

/// The id of the operator's own tenant. Its log holds the life of all other tenants.
pub const OPERATOR: &str = "ten_operator";

/// Who did something, as it stands in the log.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(tag = "kind", content = "id", rename_all = "snake_case")]
pub enum Actor {
    /// The operator of this Backplane, by the operator's key.
    Operator,
    /// An app of the tenant, by this API key.
    Key(Id),
    /// Whoever holds a signed link, made by this key or by the operator.
    Link(String),
    /// One of the tenant's own customers, by a signed link.
    Customer(String),
    /// A provider that posts to this inbound address.
    Address(String),
    /// Somebody who asked by the tenant's host name and showed nothing else.
    Visitor,
    /// A job or a follower of ours.
    System,
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Operator => f.write_str("operator"),
            Self::Key(id) => id.fmt(f),
            Self::Link(by) => write!(f, "link:{by}"),
            Self::Customer(name) => write!(f, "customer:{name}"),
            Self::Address(name) => write!(f, "address:{name}"),
            Self::Visitor => f.write_str("visitor"),
            Self::System => f.write_str("system"),
        }
    }
}

/// What a principal may do: words as `webhooks:read`, `webhooks:*` or `*`.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Scopes(pub Vec<String>);

impl Scopes {
    /// Everything that a tenant may do.
    pub fn all() -> Self {
        Self(vec!["*".to_owned()])
    }

    /// Whether `scope`, as `webhooks:read`, is among them, itself or by a wildcard.
    pub fn allow(&self, scope: &str) -> bool {
        self.0.iter().any(|it| {
            it == "*"
                || it == scope
                || it.strip_suffix('*').is_some_and(|p| p.ends_with(':') && scope.starts_with(p))
        })
    }

    /// Whether each of `others` is allowed here: nobody hands on more than they have.
    pub fn cover(&self, others: &Self) -> bool {
        others.0.iter().all(|it| self.allow(it))
    }
}

/// A verified caller and the one tenant that it may touch. Only the door makes one.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Principal {
    /// The tenant's id.
    pub tenant: String,
    /// Whether the tenant is a sandbox, which may move its own clock.
    pub sandbox: bool,
    /// Who acts.
    pub actor: Actor,
    /// What they may do.
    pub scopes: Scopes,
    /// For which one of the tenant's own customers they act; `None` for the tenant itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<String>,
    /// Until when they are let in, by the real clock: what lasts longer ends then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

impl Principal {
    /// Backplane itself, at work in this tenant.
    pub fn system(tenant: &str, sandbox: bool) -> Self {
        let (actor, scopes) = (Actor::System, Scopes::all());
        Self { tenant: tenant.to_owned(), sandbox, actor, scopes, customer: None, until: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scopes(words: &[&str]) -> Scopes {
        Scopes(words.iter().map(|it| (*it).to_owned()).collect())
    }

    #[test]
    fn a_wildcard_covers_its_noun_and_no_other() {
        let granted = scopes(&["webhooks:*", "log:read"]);

        assert!(granted.allow("webhooks:write"));
        assert!(granted.allow("log:read"));
        assert!(!granted.allow("log:write"));
        assert!(!granted.allow("webhook:read"));
    }

    #[test]
    fn half_a_word_is_no_wildcard() {
        assert!(!scopes(&["web*"]).allow("webhooks:read"));
        assert!(!scopes(&[""]).allow("webhooks:read"));
    }

    #[test]
    fn nobody_hands_on_more_than_they_have() {
        assert!(scopes(&["webhooks:*"]).cover(&scopes(&["webhooks:read"])));
        assert!(!scopes(&["webhooks:*"]).cover(&scopes(&["*"])));
        assert!(!scopes(&["webhooks:read"]).cover(&scopes(&["webhooks:*"])));
    }
}
