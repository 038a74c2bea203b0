//! Who sends a push: VAPID, RFC 8292. Pure.
//!
//! The token is the JWT of one fixed kind, made of the curve that is here anyway. `jwt-simple`
//! would bring another generation of it.

use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use p256::ecdsa::{Signature, SigningKey, signature::Signer as _};
use serde_json::json;
use shared::domain::{Address, Timestamp};
use url::Url;

/// For how long a token is good: half of the most that RFC 8292, 2 allows, for clocks that differ.
const TOKEN_LIFE: Duration = Duration::from_secs(12 * 60 * 60);
const HEAD: &str = r#"{"typ":"JWT","alg":"ES256"}"#;

/// The key of a tenant. A browser that subscribed under it takes messages of no other.
pub struct Signer(SigningKey);

/// Whom a push service may ask about a sender. RFC 8292 lets it be left out; Apple's service
/// refuses what has none.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Contact(String);

/// The text is no contact.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("write a contact as mailto:somebody@example.com or https://example.com/contact")]
pub struct NoContact;

impl Contact {
    /// Reads a contact: `mailto:` or `https:`.
    ///
    /// # Errors
    /// When it is neither.
    pub fn parse(text: &str) -> Result<Self, NoContact> {
        let is_mail = text.strip_prefix("mailto:").is_some_and(|it| Address::parse(it).is_ok());
        let is_page = Url::parse(text).is_ok_and(|it| it.scheme() == "https");
        (is_mail || is_page).then(|| Self(text.to_owned())).ok_or(NoContact)
    }
}

impl Signer {
    /// From 32 random bytes, or those of before. `None` for about one in 2^32, which are no key:
    /// take others.
    pub fn parse(key: &[u8; 32]) -> Option<Self> {
        SigningKey::from_slice(key).ok().map(Self)
    }

    /// What a browser subscribes under, its `applicationServerKey`: the point that is not
    /// compressed, in base64url.
    pub fn public_key(&self) -> String {
        BASE64URL_NOPAD.encode(self.0.verifying_key().to_sec1_point(false).as_bytes())
    }

    /// The field `Authorization` for a message to this endpoint (RFC 8292, 3).
    pub fn authorization(&self, endpoint: &Url, contact: &Contact, now: Timestamp) -> String {
        let input = signing_input(endpoint, contact, now + TOKEN_LIFE);
        let signature: Signature = self.0.sign(input.as_bytes());
        let signature = BASE64URL_NOPAD.encode(&signature.to_bytes());
        format!("vapid t={input}.{signature}, k={}", self.public_key())
    }
}

/// What is signed: the audience is the origin of the endpoint.
fn signing_input(endpoint: &Url, contact: &Contact, expires: Timestamp) -> String {
    let audience = endpoint.origin().ascii_serialization();
    let claims = json!({ "aud": audience, "exp": expires.seconds(), "sub": contact.0 }).to_string();
    let encode = |text: &str| BASE64URL_NOPAD.encode(text.as_bytes());
    format!("{}.{}", encode(HEAD), encode(&claims))
}

#[cfg(test)]
mod tests {
    use p256::ecdsa::{VerifyingKey, signature::Verifier};

    use super::*;

    fn verifies(authorization: &str) -> bool {
        let (token, key) =
            authorization.strip_prefix("vapid t=").and_then(|it| it.split_once(", k=")).unwrap();
        let (input, signature) = token.rsplit_once('.').unwrap();
        let decode = |text: &str| BASE64URL_NOPAD.decode(text.as_bytes()).unwrap();
        let key = VerifyingKey::from_sec1_bytes(&decode(key)).unwrap();
        key.verify(input.as_bytes(), &Signature::from_slice(&decode(signature)).unwrap()).is_ok()
    }

    /// RFC 8292, section 2.4. A signature of ECDSA may differ each time, so what is compared is
    /// what was signed, and its signature is verified.
    #[test]
    fn the_example_of_rfc_8292() {
        let token = "eyJ0eXAiOiJKV1QiLCJhbGciOiJFUzI1NiJ9.eyJhdWQiOiJodHRwczovL3B1c2guZXhhbXBsZS\
             5uZXQiLCJleHAiOjE0NTM1MjM3NjgsInN1YiI6Im1haWx0bzpwdXNoQGV4YW1wbGUuY29tIn0.i3CYb7t4xf\
             xCDquptFOepC9GAu_HLGkMlMuCGSK2rpiUfnK9ojFwDXb1JrErtmysazNjjvW2L9OkSSHzvoD1oA";
        let key = "BA1Hxzyi1RUM1b5wjxsn7nGxAszw2u61m164i3MrAIxHF6YK5h4SDYic-dRuU_RCPCfA5aq9ojSwk5\
             Y2EmClBPs";
        let endpoint =
            "https://push.example.net/p/JzLQ3raZJfFBR0aqvOMsLrt54w4rJUsV".parse().unwrap();
        let contact = Contact::parse("mailto:push@example.com").unwrap();

        let input = signing_input(&endpoint, &contact, Timestamp(1_453_523_768_000));

        assert_eq!(Some(input.as_str()), token.rsplit_once('.').map(|it| it.0));
        assert!(verifies(&format!("vapid t={token}, k={key}")));
    }

    #[test]
    fn what_is_signed_here_verifies_and_expires_within_a_day() {
        let (endpoint, now) = ("https://push.example.net:8443/p".parse().unwrap(), Timestamp(0));
        let contact = Contact::parse("https://example.com/contact").unwrap();

        let authorization =
            Signer::parse(&[7; 32]).unwrap().authorization(&endpoint, &contact, now);

        assert!(verifies(&authorization));
        let claims = authorization.split('.').nth(1).unwrap();
        let claims = BASE64URL_NOPAD.decode(claims.as_bytes()).unwrap();
        let claims: serde_json::Value = serde_json::from_slice(&claims).unwrap();
        assert_eq!(claims["aud"], "https://push.example.net:8443");
        assert_eq!(claims["exp"], 12 * 3600);
    }

    #[test]
    fn a_contact_is_an_address_or_a_page() {
        for bad in ["", "ops@example.com", "mailto:", "mailto:ops", "http://example.com", "tel:1"] {
            assert_eq!(Contact::parse(bad), Err(NoContact), "{bad}");
        }
    }
}
