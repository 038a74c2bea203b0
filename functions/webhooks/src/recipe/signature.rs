//! Where a signature is, what it signs, and how.

use serde::{Deserialize, Serialize};
use shared::hosts::with_region;
use utoipa::ToSchema;

use super::{Fields, Part, Place, Template};

/// Where the signature is and what it signs.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Signature {
    /// The header that carries it, 1 to 64 characters in any case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<String>,
    /// In place of a header, the JSON pointer at which the body carries it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
    /// How the header is split. Not at all when left out.
    #[serde(default, skip_serializing_if = "Form::is_whole")]
    pub form: Form,
    /// What stands between pairs: one of `,`, `;` and `&`. A comma when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub separator: Option<char>,
    /// How the bytes of the signature are written. Left out where there is no signature: with
    /// `token`, `basic` and `none`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoding: Option<Encoding>,
    /// How the signature is made.
    pub algorithm: Algorithm,
    /// What is signed: literals around `{id}`, `{timestamp}`, `{body}` and others, at most 256
    /// bytes. Left out where there is no signature.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "{timestamp}.{body}")]
    pub signed: Option<Template>,
    /// The provider signs no body, only an id and a timestamp. Both must be in the signed string
    /// then, so that a signature counts once.
    #[serde(default, skip_serializing_if = "is_false")]
    pub unsigned_body: bool,
    /// The parameter of the query in which the SHA-256 of a body is, in hex. Every body needs it
    /// that is not the form of which `{params}` are signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_sha256_query: Option<String>,
    /// What `{fields}` stands for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fields: Option<Fields>,
    /// Of several ways to sign, the one that this recipe is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<Version>,
    /// The provider's key is in a certificate that the request names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_url: Option<KeyUrl>,
}

/// The way to sign that a recipe is about, where the provider has several and says which.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Version {
    /// Where the provider says so.
    pub at: Place,
    /// What it says there, 1 to 32 characters.
    pub is: String,
    /// What to do when it says something else, 1 to 120 characters.
    pub otherwise: String,
}

/// How the header of a signature is split.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// The header is the signature.
    #[default]
    Whole,
    /// The signature comes after this text, such as `sha256=`.
    Prefix(String),
    /// Pairs with commas between, such as `t=1492774577,v1=5257a8`; those with this key count.
    Pairs(String),
    /// Labels and signatures with spaces between, such as `v1,g0hM9S v1a,hnO3f9`; those with
    /// this label count.
    Labelled(String),
}

/// How the bytes of a signature are written.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    /// Two digits a byte, in either case (RFC 4648, section 8).
    Hex,
    /// Base64 (RFC 4648, section 4), with or without padding.
    Base64,
}

/// How a signature is made.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Algorithm {
    /// HMAC (RFC 2104) with SHA-256.
    HmacSha256,
    /// HMAC with SHA-1, for old providers. HMAC does not need the collisions that SHA-1 lost.
    HmacSha1,
    /// HMAC with SHA-512.
    HmacSha512,
    /// Ed25519 (RFC 8032). The secret is the provider's public key, of 32 bytes.
    Ed25519,
    /// ECDSA on P-256 with SHA-256, the signature in DER. The secret is the provider's public
    /// key as SubjectPublicKeyInfo, in base64 or PEM.
    EcdsaP256Sha256,
    /// RSA with PKCS #1 v1.5 and SHA-256. The secret is the public key as above, of 2048 bits or
    /// more, unless the key is in a certificate.
    RsaSha256,
    /// None: the secret itself is sent.
    Token,
    /// None: HTTP's Basic authentication (RFC 7617). The secret is `user:password`.
    Basic,
    /// None: anybody may send.
    None,
}

/// Where the certificate with the provider's key is. It is fetched, and kept until it expires.
///
/// Its chain must lead to a root that browsers trust, or to one of `roots`. The secret of the
/// source is the text of `{secret}` then.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyUrl {
    /// The header with its address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<String>,
    /// In place of a header, the JSON pointer at which the body has its address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
    /// The hosts from which it may come, by https on the usual port; 1 to 4. A label that is `*`
    /// stands for a region such as `eu-west-1`.
    pub hosts: Vec<String>,
    /// The names of which the certificate has one, up to 8; those of the hosts if there are none.
    /// A `*` is the region that stands in the address.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
    /// Roots that are trusted beside the usual ones: up to eight certificates in PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roots: Option<String>,
}

impl KeyUrl {
    /// The names of which a certificate has one that comes from this region.
    pub fn names(&self, region: &str) -> Vec<String> {
        let names = if self.names.is_empty() { &self.hosts } else { &self.names };
        names.iter().map(|it| with_region(it, region)).collect()
    }
}

impl Signature {
    /// Whether `part` is in the signed string.
    pub fn signs(&self, part: &Part) -> bool {
        self.signed.as_ref().is_some_and(|it| it.mentions(part))
    }

    /// What stands between pairs.
    pub fn separator(&self) -> char {
        self.separator.unwrap_or(',')
    }
}

impl Form {
    fn is_whole(&self) -> bool {
        *self == Self::Whole
    }
}

impl Algorithm {
    /// Whether there is a signature, rather than a secret that is sent or nothing at all.
    pub fn signs(self) -> bool {
        !matches!(self, Self::Token | Self::Basic | Self::None)
    }

    /// Whether the secret is a key of the provider that everybody may know.
    pub fn is_public(self) -> bool {
        matches!(self, Self::Ed25519 | Self::EcdsaP256Sha256 | Self::RsaSha256)
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
fn is_false(it: &bool) -> bool {
    !it
}
