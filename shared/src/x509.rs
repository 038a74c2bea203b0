//! A chain of certificates (RFC 5280) that is followed to a root.
//!
//! The roots are those that browsers trust (Mozilla's list, CCADB), and any that the caller adds.
//! Nobody is asked whether a certificate was revoked: it is the chain of a signature that is
//! checked as it comes in, not of a connection, and the lists of revoked ones are far away.

#[cfg(test)]
mod tests;

pub(crate) mod algorithms;

use std::time::Duration;

use rustls_pki_types::{CertificateDer, ServerName, TrustAnchor, UnixTime, pem::PemObject};
use webpki::{EndEntityCert, Error, KeyUsage, anchor_from_trusted_cert};

/// The longest text of certificates that is read, in bytes: a chain of four has some 8 KiB.
pub const PEM_BYTES_MAX: usize = 32 * 1024;
/// Most certificates of a chain, and most roots that are added.
pub const CERTIFICATES_MAX: usize = 8;

/// Certificates in between that their publishers leave out. They add no trust.
const BETWEEN: &[u8] = include_bytes!("x509/between.pem");

/// Why a chain is not believed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Distrust {
    /// It is no chain.
    #[error("is no chain of certificates in PEM")]
    Unreadable,
    /// The roots that were added are none.
    #[error("cannot be checked: the added roots are no certificates in PEM")]
    BadRoots,
    /// It is too early or too late.
    #[error("is not valid at this time")]
    Expired,
    /// It is somebody else's.
    #[error("is of another name")]
    WrongName,
    /// It leads nowhere.
    #[error("leads to no root that is trusted here")]
    UnknownRoot,
    /// Something else is wrong with it.
    #[error("breaks a rule of RFC 5280")]
    Broken,
}

impl Distrust {
    /// A stable word for logs and clients.
    pub fn word(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::BadRoots => "bad-roots",
            Self::Expired => "expired",
            Self::WrongName => "wrong-name",
            Self::UnknownRoot => "unknown-root",
            Self::Broken => "broken",
        }
    }
}

/// The key of the first certificate in `pem`, as a SubjectPublicKeyInfo in DER, if the certificate
/// is good for one of `names` and its chain leads to a root at this moment.
///
/// The rest of `pem` are the certificates in between, in any order; Amazon's are known. `roots` are trusted beside the
/// usual ones, in PEM. `now_seconds` are seconds since 1970.
///
/// # Errors
/// Why the chain is not believed.
pub fn trusted_key(
    pem: &[u8],
    names: &[impl AsRef<str>],
    roots: Option<&str>,
    now_seconds: i64,
) -> Result<Vec<u8>, Distrust> {
    let chain = certificates(pem).ok_or(Distrust::Unreadable)?;
    let added = match roots {
        Some(pem) => certificates(pem.as_bytes()).ok_or(Distrust::BadRoots)?,
        None => Vec::new(),
    };
    let (leaf, between) = chain.split_first().ok_or(Distrust::Unreadable)?;
    let between: Vec<_> =
        between.iter().cloned().chain(certificates(BETWEEN).unwrap_or_default()).collect();
    let leaf = EndEntityCert::try_from(leaf).map_err(|_| Distrust::Unreadable)?;
    let added: Result<Vec<TrustAnchor>, _> = added.iter().map(anchor_from_trusted_cert).collect();
    let mut anchors = added.map_err(|_| Distrust::BadRoots)?;
    anchors.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    let now = u64::try_from(now_seconds).map_err(|_| Distrust::Expired)?;
    let now = UnixTime::since_unix_epoch(Duration::from_secs(now));
    let usage = KeyUsage::server_auth();
    leaf.verify_for_usage(algorithms::ALL, &anchors, &between, now, usage, None, None)
        .map_err(|err| distrust(&err))?;
    match names.iter().any(|name| is_named(&leaf, name.as_ref())) {
        true => Ok(leaf.subject_public_key_info().to_vec()),
        false => Err(Distrust::WrongName),
    }
}

/// Whether these are one to eight certificates in PEM, such as can be added as roots.
pub fn are_roots(pem: &str) -> bool {
    certificates(pem.as_bytes())
        .is_some_and(|all| all.iter().all(|it| anchor_from_trusted_cert(it).is_ok()))
}

fn is_named(leaf: &EndEntityCert, name: &str) -> bool {
    ServerName::try_from(name).is_ok_and(|it| leaf.verify_is_valid_for_subject_name(&it).is_ok())
}

/// One to eight certificates in PEM.
pub(crate) fn certificates(pem: &[u8]) -> Option<Vec<CertificateDer<'static>>> {
    if pem.len() > PEM_BYTES_MAX {
        return None;
    }
    let all: Result<Vec<_>, _> =
        CertificateDer::pem_slice_iter(pem).take(CERTIFICATES_MAX + 1).collect();
    all.ok().filter(|it| (1..=CERTIFICATES_MAX).contains(&it.len()))
}

fn distrust(err: &Error) -> Distrust {
    match err {
        Error::CertExpired { .. } | Error::CertNotValidYet { .. } => Distrust::Expired,
        Error::UnknownIssuer => Distrust::UnknownRoot,
        _ => Distrust::Broken,
    }
}
