//! Signatures of mail that we send ourselves: DKIM (RFC 6376) by Ed25519 (RFC 8463) and RSA. Pure.
//!
//! Both canonicalisations are relaxed, which is what mail survives on its way. Of the same mail the
//! signature is the same, whenever it is tried again: its time is the mail's own.

pub mod canonical;
#[cfg(test)]
mod tests;

use data_encoding::BASE64;
use ed25519_dalek::Signer as _;
use rsa::{
    Pkcs1v15Sign, RsaPrivateKey,
    rand_core::{TryCryptoRng, TryRng},
    traits::SignatureScheme as _,
};
use sha2::{Digest, Sha256};
use shared::{domain::Timestamp, ports::PortError};

use canonical::{Field, body, field, fields};

/// The fields of a head that are signed, as often as there are any of that name.
const SIGNED: [&str; 13] = [
    "From",
    "To",
    "Subject",
    "Date",
    "Message-ID",
    "In-Reply-To",
    "References",
    "Reply-To",
    "MIME-Version",
    "Content-Type",
    "Auto-Submitted",
    "List-Unsubscribe",
    "List-Unsubscribe-Post",
];
/// Those that are signed once more than there are any, so that nobody adds another one.
const CLOSED: [&str; 4] = ["From", "To", "Subject", "Date"];
/// How many names there are in a line of a field.
const NAMES_IN_LINE: usize = 5;
/// The longest line of base64 in a field, in characters.
const LINE_CHARS: usize = 72;

/// By which key a domain signs.
pub struct Signer {
    /// The domain that answers for the mail.
    pub domain: String,
    /// Under which name below `_domainkey` its public key is.
    pub selector: String,
    /// The key.
    pub key: PrivateKey,
}

/// A private key.
pub enum PrivateKey {
    /// Ed25519.
    Ed25519(Box<ed25519_dalek::SigningKey>),
    /// RSA.
    Rsa(Box<RsaPrivateKey>),
}

/// Where chance comes from: the runtime.
pub trait Chance {
    /// Fills `bytes` with randomness fit for keys.
    ///
    /// # Errors
    /// When there is none.
    fn fill(&self, bytes: &mut [u8]) -> Result<(), PortError>;
}

impl PrivateKey {
    /// The algorithm, as a signature names it.
    fn algorithm(&self) -> &'static str {
        match self {
            Self::Ed25519(_) => "ed25519-sha256",
            Self::Rsa(_) => "rsa-sha256",
        }
    }

    /// The signature of what has this hash.
    ///
    /// RSA is blinded: what the key is multiplied with is never what somebody else chose, so how
    /// long it takes tells nothing of the key (RUSTSEC-2023-0071).
    fn sign(&self, hash: &[u8], chance: &impl Chance) -> Result<Vec<u8>, PortError> {
        match self {
            // RFC 8463, 3: the hash is what is signed, and hashed again.
            Self::Ed25519(key) => Ok(key.sign(hash).to_bytes().to_vec()),
            Self::Rsa(key) => {
                let padding = Pkcs1v15Sign::new::<Sha256>();
                let signature = padding.sign(Some(&mut Source(chance)), key, hash);
                signature.map_err(|it| PortError::new("dkim", it))
            }
        }
    }
}

/// The mail with a signature by each of these in front of it. `mail` is lines that end with CR LF.
///
/// # Errors
/// When there is no chance to be had.
pub fn signed(
    mail: &[u8],
    signers: &[Signer],
    at: Timestamp,
    chance: &impl Chance,
) -> Result<Vec<u8>, PortError> {
    let mut out = vec![];
    for it in signers {
        out.extend(it.signature(mail, at, chance)?.bytes());
    }
    out.extend(mail);
    Ok(out)
}

impl Signer {
    /// The field that signs the mail, with its end.
    fn signature(
        &self,
        mail: &[u8],
        at: Timestamp,
        chance: &impl Chance,
    ) -> Result<String, PortError> {
        let end = mail.windows(4).position(|it| it == b"\r\n\r\n").map_or(mail.len(), |it| it + 2);
        let (head, rest) = mail.split_at(end);
        let body_hash = Sha256::digest(body(rest.get(2..).unwrap_or_default()));
        let all = fields(head);
        let mut names = vec![];
        for name in SIGNED {
            let once_more = usize::from(CLOSED.contains(&name));
            let count = all.iter().filter(|it| it.is(name)).count() + once_more;
            names.extend(std::iter::repeat_n(name, count));
        }
        let unsigned = format!(
            "DKIM-Signature: v=1; a={}; c=relaxed/relaxed;\r\n d={}; s={}; t={};\r\n h={};\r\n \
             bh={};\r\n b=",
            self.key.algorithm(),
            self.domain,
            self.selector,
            at.seconds(),
            names.chunks(NAMES_IN_LINE).map(|it| it.join(":")).collect::<Vec<_>>().join(":\r\n  "),
            BASE64.encode(&body_hash),
        );
        let hash = head_hash(&all, &names, &unsigned);
        let signature = BASE64.encode(&self.key.sign(&hash, chance)?);
        Ok(format!("{unsigned}{}\r\n", folded(&signature)))
    }
}

/// The hash of the fields of these names, and of the signature's own, which has no signature yet
/// (RFC 6376, 3.7).
fn head_hash(all: &[Field<'_>], names: &[&str], own: &str) -> Vec<u8> {
    let mut text = vec![];
    for (at, name) in names.iter().enumerate() {
        // The same name again is the one before it; one that is not there is nothing (5.4.2).
        let is_same = |it: &&&str| it.eq_ignore_ascii_case(name);
        let before = names.iter().take(at).filter(is_same).count();
        let found = all.iter().rev().filter(|it| it.is(name)).nth(before);
        text.extend(found.map(field).unwrap_or_default());
    }
    let own = fields(own.as_bytes()).first().map(field).unwrap_or_default();
    text.extend(own.strip_suffix(b"\r\n").unwrap_or(&own));
    Sha256::digest(&text).to_vec()
}

/// Base64 in lines that a field can have.
fn folded(text: &str) -> String {
    let lines = text.as_bytes().chunks(LINE_CHARS).map(String::from_utf8_lossy);
    lines.collect::<Vec<_>>().join("\r\n  ")
}

/// The runtime's chance, as `rsa` asks for it.
struct Source<'a, C>(&'a C);

impl<C: Chance> TryRng for Source<'_, C> {
    type Error = PortError;

    fn try_next_u32(&mut self) -> Result<u32, PortError> {
        let mut bytes = [0; 4];
        self.0.fill(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, PortError> {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), PortError> {
        self.0.fill(bytes)
    }
}

impl<C: Chance> TryCryptoRng for Source<'_, C> {}
