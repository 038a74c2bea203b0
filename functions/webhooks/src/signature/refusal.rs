//! Why a request is not believed, in sentences for the operator of the source.

use shared::x509::Distrust;

use crate::recipe::TimeFormat;

/// Why a request is not believed; one variant for each thing an operator can act on.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// A header of the provider is not there.
    #[error("there is no {name} header: check that the sender signs, and the source's recipe")]
    MissingHeader {
        /// The header's name.
        name: String,
    },
    /// A header is there, and cannot be read.
    #[error("the {name} header {why}: check what the sender, or a proxy before us, puts in it")]
    MalformedHeader {
        /// The header's name.
        name: String,
        /// What is wrong with it, as the rest of a sentence.
        why: &'static str,
    },
    /// The header has no signature of the kind that counts.
    #[error("the {name} header has no signature marked {label:?}: check the source's recipe")]
    NoSignature {
        /// The header's name.
        name: String,
        /// The prefix, key or label of the signatures that count.
        label: String,
    },
    /// The request does not say when it was signed.
    #[error("the request does not say when it was signed: check the source's recipe")]
    TimestampMissing,
    /// The request says when it was signed, in words of its own.
    #[error("the timestamp is not {}: check the source's recipe", words(*.format))]
    TimestampMalformed {
        /// How it should be written.
        format: TimeFormat,
    },
    /// Something that is needed to check the signature is not there.
    #[error("there is no {place}: check that the sender signs, and the source's recipe")]
    NotInRequest {
        /// What, as the end of a sentence.
        place: String,
    },
    /// The id that is signed is no id.
    #[error("the id that is signed is not 1 to 256 printable characters: check the recipe")]
    BadId,
    /// The sender's type of body is not among those of the recipe.
    #[error("the body is not of a type that the source takes: send {accepted}")]
    WrongContentType {
        /// Those of the recipe.
        accepted: String,
    },
    /// The address is signed, and we do not know ours.
    #[error("the address is signed and ours is not known: say public_url in the overrides")]
    UrlUnknown,
    /// The body is neither signed nor hashed.
    #[error("there is no parameter {name} with the hash of the body: check the source's recipe")]
    BodyHashMissing {
        /// The parameter's name.
        name: String,
    },
    /// A field that could be read in two ways.
    #[error(
        "the body has the field {name:?} twice, and only one can be signed: check what is on the way"
    )]
    FieldTwice {
        /// Its name.
        name: String,
    },
    /// A field that is signed is not as it can be signed.
    #[error("the field {name} of the body is no text, or has line breaks that could hide others")]
    BadField {
        /// Its name.
        name: String,
    },
    /// The provider signs in another way.
    #[error("the signature is not of version {expected}: {otherwise}")]
    OtherVersion {
        /// The version of the recipe.
        expected: String,
        /// What to do.
        otherwise: String,
    },
    /// The message is signed, and somebody else's.
    #[error(
        "the {name} of the message is no secret of the source: check the secret, and what the \
         provider sends here"
    )]
    SomebodyElses {
        /// The field that says whose it is.
        name: String,
    },
    /// A handshake that has us visit a stranger.
    #[error("the address to visit is not https on a host that the recipe names: nobody visits it")]
    VisitAddress,
    /// The certificate is at an address that is not the provider's.
    #[error("the address at {name} is not https on a host that the recipe names")]
    KeyAddress {
        /// The header's name, or the pointer.
        name: String,
    },
    /// The certificate could not be fetched.
    #[error("the provider's certificate could not be fetched: have the provider send it again")]
    KeyUnavailable,
    /// What was fetched cannot be used.
    #[error("the provider's certificate {why}: check the names and roots of key_url in the recipe")]
    BadCertificate {
        /// What is wrong with it.
        why: Distrust,
    },
    /// A handshake that says something else than the recipe does.
    #[error("the handshake is not as the recipe says: check the secret that the provider has")]
    BadHandshake,
    /// A replay, a very late delivery, or a clock that is wrong.
    #[error("signed {seconds} seconds ago, which is too long: have the provider send it again")]
    TooOld {
        /// The age of the signature.
        seconds: i64,
    },
    /// A clock that is wrong.
    #[error("signed {seconds} seconds in the future: the sender's clock is wrong")]
    TooNew {
        /// How far ahead of our clock the signature is.
        seconds: i64,
    },
    /// The source has no secret that fits its recipe.
    #[error("the source has no usable secret: add the one that the provider shows")]
    NoSecret,
    /// None of the secrets made this signature.
    #[error(
        "no secret of the source made this signature: copy the provider's secret again, and check \
         that nothing on the way changes the body"
    )]
    BadSignature,
}

impl Refusal {
    /// A stable word for logs, metrics and clients.
    pub fn code(&self) -> &'static str {
        match self {
            Self::MissingHeader { .. } => "missing-header",
            Self::MalformedHeader { .. } => "malformed-header",
            Self::NoSignature { .. } => "no-signature",
            Self::TimestampMissing => "timestamp-missing",
            Self::TimestampMalformed { .. } => "timestamp-malformed",
            Self::NotInRequest { .. } => "not-in-request",
            Self::BadId => "bad-id",
            Self::WrongContentType { .. } => "wrong-content-type",
            Self::UrlUnknown => "url-unknown",
            Self::BodyHashMissing { .. } => "body-hash-missing",
            Self::FieldTwice { .. } => "field-twice",
            Self::BadField { .. } => "bad-field",
            Self::OtherVersion { .. } => "other-version",
            Self::SomebodyElses { .. } => "somebody-elses",
            Self::VisitAddress => "visit-address",
            Self::KeyAddress { .. } => "key-address",
            Self::KeyUnavailable => "key-unavailable",
            Self::BadCertificate { .. } => "bad-certificate",
            Self::BadHandshake => "bad-handshake",
            Self::TooOld { .. } => "too-old",
            Self::TooNew { .. } => "too-new",
            Self::NoSecret => "no-secret",
            Self::BadSignature => "bad-signature",
        }
    }

    pub(super) fn malformed(name: &str, why: &'static str) -> Self {
        Self::MalformedHeader { name: name.to_owned(), why }
    }
}

fn words(format: TimeFormat) -> &'static str {
    match format {
        TimeFormat::Seconds => "in whole seconds since 1970",
        TimeFormat::Milliseconds => "in whole milliseconds since 1970",
        TimeFormat::Rfc3339 => "a time of RFC 3339",
    }
}
