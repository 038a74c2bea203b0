//! Why a request is not believed, in sentences for the operator of the source.

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
    #[error("the timestamp is not in whole seconds since 1970: check the source's recipe")]
    TimestampMalformed,
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
            Self::TimestampMalformed => "timestamp-malformed",
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
