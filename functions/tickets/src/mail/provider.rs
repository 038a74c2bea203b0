//! What providers of mail hand on: each in its own shape, and out of each comes the mail as RFC 5322
//! has it. Where a provider has taken it apart, it is put together again, so that there is one way
//! by which mail is read, and an original to keep.

mod compose;
mod form;
mod mailgun;
mod postmark;
mod sendgrid;
mod ses;
pub mod sns;

use bytes::Bytes;

use super::{Envelope, Verdict};

pub use self::{mailgun::mailgun, postmark::postmark, sendgrid::sendgrid, ses::ses};

/// The largest request that hands on a mail, in bytes: Base64 in JSON is a third more than the mail.
pub const REQUEST_BYTES_MAX: usize = 36 * 1024 * 1024;

/// A mail that a provider handed on.
#[derive(Debug, Default)]
pub struct Handed {
    /// The mail.
    pub raw: Bytes,
    /// What the provider knows of its envelope.
    pub envelope: Envelope,
    /// What the provider found, where it says so beside the mail.
    pub verdict: Verdict,
}

/// Why what a provider sent is not taken.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Refused {
    /// It is not signed by whom it says.
    #[error("{0}")]
    Unsigned(&'static str),
    /// It is not what this provider sends, or not all of it.
    #[error("{0}")]
    Unfit(String),
}

impl Refused {
    fn unfit(why: impl ToString) -> Self {
        Self::Unfit(why.to_string())
    }
}

#[cfg(test)]
mod tests;
