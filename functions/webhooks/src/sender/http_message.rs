//! HTTP Message Signatures (RFC 9421) with a `Content-Digest` (RFC 9530), next to or instead of the
//! headers of Standard Webhooks. Pure.

use data_encoding::BASE64;
use ed25519_dalek::{Signer, SigningKey};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use shared::{problem::Problem, signing::Seed};
use utoipa::ToSchema;

use super::standard::{hmac, secret_bytes};

/// How deliveries are signed.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize, ToSchema)]
#[serde(transparent)]
pub struct Signatures(Vec<SignatureKind>);

/// One way to sign.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SignatureKind {
    /// The `webhook-signature` of Standard Webhooks 1.0.
    Standard,
    /// The `signature` of RFC 9421.
    HttpMessage,
}

impl Default for Signatures {
    fn default() -> Self {
        Self(vec![SignatureKind::Standard])
    }
}

impl Signatures {
    /// Whether they are those of an endpoint that says nothing.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Whether deliveries are signed in this way.
    pub fn has(&self, kind: SignatureKind) -> bool {
        self.0.contains(&kind)
    }

    /// Refuses none at all, and one named twice.
    ///
    /// # Errors
    /// 422 with what it has to be.
    pub fn check(&self) -> Result<(), Problem> {
        match self.0.as_slice() {
            [_] => Ok(()),
            [one, other] if one != other => Ok(()),
            _ => Err(Problem::unfitting("signatures", "standard, http_message, or both")),
        }
    }
}

/// What is signed of a request.
pub struct Message<'a> {
    /// The whole address, without a fragment.
    pub target_uri: &'a str,
    /// The `content-type`.
    pub content_type: &'a str,
    /// The `webhook-id`.
    pub id: &'a str,
    /// The `webhook-timestamp`, which is also when it was signed.
    pub timestamp_seconds: i64,
    /// The body.
    pub body: &'a [u8],
}

/// What signs, under the name by which the receiver knows it.
pub enum Key<'a> {
    /// Shared with the receiver.
    Hmac { id: &'a str, secret: Vec<u8> },
    /// Public half in the tenant's key directory.
    Ed25519 { id: &'a str, seed: &'a [u8; 32] },
}

/// The three headers.
#[derive(Debug, PartialEq)]
pub struct Headers {
    /// `content-digest`
    pub content_digest: String,
    /// `signature-input`
    pub signature_input: String,
    /// `signature`
    pub signature: String,
}

/// The keys that sign for an endpoint, the newest first: those of the tenant, which the receiver
/// finds in the key directory; else the endpoint's secrets, under the endpoint's id.
pub fn keys<'a>(seeds: &'a [Seed], secrets: &[String], endpoint: &'a str) -> Vec<Key<'a>> {
    if seeds.is_empty() {
        let secrets = secrets.iter().filter_map(|it| secret_bytes(it));
        return secrets.map(|secret| Key::Hmac { id: endpoint, secret }).collect();
    }
    seeds.iter().map(|it| Key::Ed25519 { id: it.id.as_str(), seed: &it.bytes }).collect()
}

/// The signature of each key, under the labels sig1, sig2 …
pub fn sign(message: &Message, keys: &[Key]) -> Headers {
    let content_digest = content_digest(message.body);
    let timestamp = message.timestamp_seconds.to_string();
    let covered = [
        ("@method", "POST"),
        ("@target-uri", message.target_uri),
        ("content-digest", &content_digest),
        ("content-type", message.content_type),
        ("webhook-id", message.id),
        ("webhook-timestamp", &timestamp),
    ];
    let (mut inputs, mut signatures) = (Vec::new(), Vec::new());
    for (key, label) in keys.iter().zip(1..) {
        let (id, alg) = key.named();
        let rest = format!(";created={timestamp};keyid=\"{id}\";alg=\"{alg}\"");
        let params = parameters(&covered, &rest);
        let signature = BASE64.encode(&key.sign(base(&covered, &params).as_bytes()));
        inputs.push(format!("sig{label}={params}"));
        signatures.push(format!("sig{label}=:{signature}:"));
    }
    let (signature_input, signature) = (inputs.join(", "), signatures.join(", "));
    Headers { content_digest, signature_input, signature }
}

impl Key<'_> {
    fn named(&self) -> (&str, &'static str) {
        match self {
            Self::Hmac { id, .. } => (id, "hmac-sha256"),
            Self::Ed25519 { id, .. } => (id, "ed25519"),
        }
    }

    fn sign(&self, base: &[u8]) -> Vec<u8> {
        match self {
            Self::Hmac { secret, .. } => hmac(secret, base),
            Self::Ed25519 { seed, .. } => SigningKey::from_bytes(seed).sign(base).to_vec(),
        }
    }
}

fn content_digest(body: &[u8]) -> String {
    format!("sha-256=:{}:", BASE64.encode(&Sha256::digest(body)))
}

/// The value of `@signature-params`: what is covered, and the parameters.
fn parameters(covered: &[(&str, &str)], rest: &str) -> String {
    let names: Vec<_> = covered.iter().map(|(name, _)| format!("\"{name}\"")).collect();
    format!("({}){rest}", names.join(" "))
}

/// The signature base (RFC 9421, section 2.5).
fn base(covered: &[(&str, &str)], params: &str) -> String {
    let lines = covered.iter().map(|(name, value)| format!("\"{name}\": {value}\n"));
    let lines: String = lines.collect();
    format!("{lines}\"@signature-params\": {params}")
}

#[cfg(test)]
mod tests {
    use shared::domain::Id;

    use super::*;

    /// The signature of RFC 9421's example over these, as it stands in appendix B.2.
    fn example(key: &Key, covered: &[(&str, &str)]) -> String {
        let rest = format!(";created=1618884473;keyid=\"{}\"", key.named().0);
        BASE64.encode(&key.sign(base(covered, &parameters(covered, &rest)).as_bytes()))
    }

    #[test]
    fn the_example_with_hmac_is_signed_as_there() {
        // RFC 9421, B.1.5 and B.2.5.
        let secret = "uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtb\
            mHhIDi6pcl8jsasjlTMtDQ==";
        let secret = BASE64.decode(secret.as_bytes()).unwrap();
        let covered = [
            ("date", "Tue, 20 Apr 2021 02:07:55 GMT"),
            ("@authority", "example.com"),
            ("content-type", "application/json"),
        ];

        let signature = example(&Key::Hmac { id: "test-shared-secret", secret }, &covered);

        assert_eq!(signature, "pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=");
    }

    #[test]
    fn the_example_with_ed25519_is_signed_as_there() {
        // RFC 9421, B.1.4 and B.2.6.
        let seed = BASE64.decode(b"n4Ni+HpISpVObnQMW0wOhCKROaIKqKtW/2ZYb2p9KcU=").unwrap();
        let covered = [
            ("date", "Tue, 20 Apr 2021 02:07:55 GMT"),
            ("@method", "POST"),
            ("@path", "/foo"),
            ("@authority", "example.com"),
            ("content-type", "application/json"),
            ("content-length", "18"),
        ];
        let seed: [u8; 32] = seed.try_into().unwrap();

        let signature = example(&Key::Ed25519 { id: "test-key-ed25519", seed: &seed }, &covered);

        let expected = "wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu\
            4A0w6vuQv5lIp5WPpBKRCw==";
        assert_eq!(signature, expected);
    }

    #[test]
    fn the_example_of_a_digest_is_digested_as_there() {
        // RFC 9530, appendix B.
        let digest = content_digest(b"{\"hello\": \"world\"}\n");

        assert_eq!(digest, "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:");
    }

    #[test]
    fn each_key_signs_under_a_label_of_its_own() {
        let message = Message {
            target_uri: "https://example.com/hooks?a=1",
            content_type: "application/json",
            id: "evt_1",
            timestamp_seconds: 5,
            body: b"{}",
        };
        let seeds = ["wsk_2", "wsk_1"]
            .map(|it| Seed { id: Id::trusted(it.to_owned()), bytes: [it.len() as u8; 32] });

        let signed = sign(&message, &keys(&seeds, &[], "end_1"));

        let covered = "(\"@method\" \"@target-uri\" \"content-digest\" \"content-type\" \
            \"webhook-id\" \"webhook-timestamp\")";
        let input = |label: u8, id: &str| {
            format!("sig{label}={covered};created=5;keyid=\"{id}\";alg=\"ed25519\"")
        };
        let expected = format!("{}, {}", input(1, "wsk_2"), input(2, "wsk_1"));
        assert_eq!(signed.signature_input, expected);
        assert!(signed.signature.contains(", sig2=:"), "{}", signed.signature);
    }

    #[test]
    fn without_a_key_of_the_tenant_the_secrets_sign() {
        let secrets = ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned(), "bad".to_owned()];

        let keys = keys(&[], &secrets, "end_1");

        assert!(matches!(&keys[..], [Key::Hmac { id: "end_1", secret }] if secret.len() == 24));
    }
}
