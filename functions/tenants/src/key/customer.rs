//! Keys of the tenant's own customers: for the tenant's API, and for nothing of ours.

use serde::{Deserialize, Serialize};
use shared::{
    directory::{
        KeyStage,
        customer_key::{self, CustomerKey},
    },
    domain::{Principal, WORD, is_word},
    http::{Response, StatusCode, json as json_response},
    ports::{self, Edge, PortError},
    problem::Problem,
};
use utoipa::ToSchema;

use super::{Key, NewKey, SCOPE_CHARS_MAX, SCOPES_MAX};

/// How many keys of one customer are in use at a time.
pub const KEYS_MAX: u32 = 100;
/// The longest start of a secret, in characters.
pub const PREFIX_CHARS_MAX: usize = 24;
/// How a secret starts when nothing is said.
const PREFIX: &str = "ck";
/// How secrets of the tenant's own keys start: nobody takes one for the other.
const RESERVED: &str = "bpk";

/// Whose a key of a customer is.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, ToSchema)]
#[schema(as = KeyOwner)]
pub struct Owner {
    /// The tenant's customer; absent when it is the tenant's own key.
    #[schema(required = false)]
    pub customer: String,
    /// Which member of that one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub member: Option<String>,
    /// The one app that it opens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app: Option<String>,
    /// The word that its secret, and those of keys rotated from it, start with.
    #[serde(skip)]
    pub word: Option<String>,
}

/// A secret that somebody has shown to the tenant.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ShownKey {
    /// What was shown.
    pub secret: String,
    /// The app that it was shown to; not looked at when left out.
    #[serde(default)]
    pub app: Option<String>,
    /// What it must be allowed to do.
    #[serde(default)]
    pub scopes: Vec<String>,
}

impl Owner {
    /// Of a new key, if it is one of a customer.
    ///
    /// # Errors
    /// 422 with the field that does not fit.
    pub fn of(new: &NewKey) -> Result<Option<Self>, Problem> {
        let Some(customer) = &new.customer else {
            let [member, app, prefix, sha256] =
                [&new.member, &new.app, &new.prefix, &new.sha256].map(Option::is_some);
            let fields = [(member, "member"), (app, "app"), (prefix, "prefix"), (sha256, "sha256")];
            return match fields.iter().find(|(is_given, _)| *is_given) {
                Some((_, it)) => Err(Problem::unfitting(it, "only a key of a customer has one")),
                None => Ok(None),
            };
        };
        for (field, word) in [
            ("customer", Some(customer)),
            ("member", new.member.as_ref()),
            ("app", new.app.as_ref()),
        ] {
            if word.is_some_and(|it| !is_word(it)) {
                return Err(Problem::unfitting(field, WORD));
            }
        }
        if new.prefix.as_ref().is_some_and(|it| !is_prefix(it)) {
            let why = format!(
                "1 to {PREFIX_CHARS_MAX} of a-z 0-9 _, not _ at an end, and not {RESERVED}…"
            );
            return Err(Problem::unfitting("prefix", why));
        }
        if new.sha256.as_ref().is_some_and(|it| !is_sha256(it)) {
            return Err(Problem::unfitting("sha256", "64 hexadecimal digits"));
        }
        check_scopes(&new.scopes)?;
        Ok(Some(Self {
            customer: customer.clone(),
            member: new.member.clone(),
            app: new.app.clone(),
            word: new.prefix.clone(),
        }))
    }

    /// What the secret starts with.
    pub fn start(&self) -> String {
        format!("{}_", self.word.as_deref().unwrap_or(PREFIX))
    }

    /// Shows the key in the directory as it is now.
    ///
    /// # Errors
    /// When the directory cannot be written.
    pub async fn show(&self, at: &impl ports::Tenant, key: &Key) -> Result<(), PortError> {
        let over = key.revoked_at.is_some() || key.expires_at.is_some_and(|it| it <= at.now());
        let stage = match key.expires_at {
            _ if over => KeyStage::Over,
            Some(it) => KeyStage::Ending(Some(it)),
            None => KeyStage::Lasting,
        };
        let shown = CustomerKey {
            id: key.id.to_string(),
            customer: self.customer.clone(),
            member: self.member.clone(),
            app: self.app.clone(),
            scopes: key.scopes.clone(),
            expires_at: key.expires_at,
        };
        at.projection().show_customer_key(&key.hash, &shown, stage).await
    }
}

fn is_prefix(text: &str) -> bool {
    let plain = |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'_';
    (1..=PREFIX_CHARS_MAX).contains(&text.len())
        && text.bytes().all(plain)
        && !text.starts_with('_')
        && !text.ends_with('_')
        && !text.starts_with(RESERVED)
}

fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|it| it.is_ascii_hexdigit())
}

/// Whether these can be scopes of a customer's key: each a scope-token of RFC 6749, 3.3.
///
/// # Errors
/// 422 when one cannot, or there are too many.
fn check_scopes(scopes: &[String]) -> Result<(), Problem> {
    let is_token = |it: &String| {
        (1..=SCOPE_CHARS_MAX).contains(&it.len())
            && it.bytes().all(|it| it.is_ascii_graphic() && it != b'"' && it != b'\\')
    };
    if scopes.len() > SCOPES_MAX || !scopes.iter().all(is_token) {
        let why = format!(
            "up to {SCOPES_MAX}, each 1 to {SCOPE_CHARS_MAX} visible characters without \" and \\"
        );
        return Err(Problem::unfitting("scopes", why));
    }
    Ok(())
}

/// Says whose a secret is.
///
/// # Errors
/// 401 when it is no key that works, 403 when it lacks a scope.
pub async fn verify(
    edge: &impl Edge,
    principal: &Principal,
    shown: ShownKey,
) -> Result<Response, Problem> {
    check_scopes(&shown.scopes)?;
    let app = shown.app.as_deref();
    let found = customer_key::verify(edge, principal, &shown.secret, app, &shown.scopes).await?;
    found.map(|it| json_response(StatusCode::OK, &it)).map_err(|it| it.problem())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn owner(more: Value) -> Result<Option<Owner>, Problem> {
        let mut new = json!({"name": "x"});
        new.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        Owner::of(&serde_json::from_value(new).unwrap())
    }

    #[test]
    fn a_key_without_a_customer_is_the_tenants_own_and_has_nothing_of_one() {
        assert!(owner(json!({})).unwrap().is_none());
        for field in ["member", "app", "prefix", "sha256"] {
            assert!(owner(json!({field: "a"})).is_err(), "{field}");
        }
    }

    #[test]
    fn a_secret_starts_with_the_word_that_was_asked_for_and_never_like_ours() {
        let start = |more| owner(more).unwrap().unwrap().start();
        assert_eq!(start(json!({"customer": "a"})), "ck_");
        assert_eq!(start(json!({"customer": "a", "prefix": "acme_live"})), "acme_live_");
        for bad in ["", "_a", "a_", "Acme", "a-b", "bpk", "bpk_x", &"a".repeat(25)] {
            assert!(owner(json!({"customer": "a", "prefix": bad})).is_err(), "{bad}");
        }
    }

    #[test]
    fn scopes_are_the_tenants_own_words() {
        let fits = |scopes: Value| owner(json!({"customer": "a", "scopes": scopes})).is_ok();
        assert!(fits(json!([])) && fits(json!(["Orders.Read", "https://x/y"])));
        for bad in [json!([""]), json!(["a b"]), json!(["a\"b"]), json!(["é"]), json!(["\\"])] {
            assert!(!fits(bad.clone()), "{bad}");
        }
        assert!(!fits(json!(vec!["a"; SCOPES_MAX + 1])));
    }

    #[test]
    fn a_hash_is_in_hex() {
        let fits = |it: &str| owner(json!({"customer": "a", "sha256": it})).is_ok();
        assert!(fits(&"aB".repeat(32)));
        assert!(!fits(&"a".repeat(63)) && !fits(&"g".repeat(64)));
    }
}
