//! Whether PayPal sent a webhook, found out without asking it. Pure.
//!
//! PayPal signs `transmissionId|time|webhookId|crc32`, where the last is the CRC-32 (IEEE 802.3) of
//! the body as it was sent, in decimal. The key is in a certificate at an address that the request
//! names. A CRC is no proof of a body: so an event is a hint, and its object is fetched.
//! Source: developer.paypal.com/api/rest/webhooks/rest (message verification).

use data_encoding::BASE64;
use rsa::{Pkcs1v15Sign, RsaPublicKey, pkcs8::DecodePublicKey, traits::SignatureScheme};
use sha2::{Digest, Sha256};
use shared::{
    certificates::may_fetch,
    domain::Timestamp,
    http::HeaderMap,
    x509::{self, Distrust},
};
use url::Url;

/// The hosts from which PayPal's certificates come.
pub const HOSTS: [&str; 4] =
    ["api.paypal.com", "api-m.paypal.com", "api.sandbox.paypal.com", "api-m.sandbox.paypal.com"];
/// The names of the certificates by which PayPal signs: live, and in its sandbox.
pub const NAMES: [&str; 2] =
    ["messageverificationcerts.paypal.com", "messageverificationcerts.sandbox.paypal.com"];
/// How far the time of a transmission may be away, in seconds. PayPal tries for three days, and
/// does not say whether a later try has a time of its own.
pub const TOLERANCE_SECONDS: u32 = 3 * 86_400;

/// What PayPal's simulator signs in place of a webhook's id.
pub const SIMULATOR: &str = "WEBHOOK_ID";
/// The one algorithm that PayPal names.
const ALGORITHM: &str = "SHA256withRSA";
/// Most characters of a header that is signed.
const CHARS_MAX: usize = 255;

/// Whom an account believes.
#[derive(Clone, Debug)]
pub struct Trust {
    /// PayPal's id of the webhook, from the app's page.
    pub webhook_id: String,
    /// Roots that are trusted beside those of browsers, in PEM: for tests.
    pub roots: Option<String>,
    /// How far the time of a transmission may be away, either way, in seconds.
    pub tolerance_seconds: u32,
}

/// Why a webhook is not believed, in words for whoever set it up.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// Nobody has told the account the id of its webhook.
    #[error("the account has no webhook_id: enter the one that PayPal shows beside the webhook")]
    NoWebhook,
    /// A header is missing, doubled, or cannot be read.
    #[error(
        "the {0} header is missing, doubled or malformed: check that PayPal sends it, and what a proxy does to it"
    )]
    Header(&'static str),
    /// Another algorithm.
    #[error("the paypal-auth-algo header is not {ALGORITHM}, the only one that PayPal documents")]
    Algorithm,
    /// The certificate is somewhere else.
    #[error("the address in the paypal-cert-url header is not https on a host of PayPal's")]
    CertificateAddress,
    /// The certificate is not to be trusted.
    #[error("the certificate at paypal-cert-url {0}: have PayPal send the event again")]
    Certificate(Distrust),
    /// A replay, a very late delivery, or a clock that is wrong.
    #[error("sent {0} seconds ago, which is too long: resend it from PayPal's dashboard")]
    TooOld(i64),
    /// A clock that is wrong.
    #[error("sent {0} seconds in the future: a clock is wrong")]
    TooNew(i64),
    /// It is PayPal's simulator.
    #[error(
        "the event is the webhooks simulator's, which signs for no account's webhook: cause a real \
         event in PayPal's sandbox instead"
    )]
    Simulator,
    /// Another webhook's, or something on the way changed it.
    #[error(
        "the signature is not one of this body for this webhook: check the webhook's id, and that \
         nothing on the way writes the body anew"
    )]
    Signature,
    /// PayPal was asked, and says so.
    #[error("PayPal says that it did not send this: check the webhook's id")]
    Denied,
}

impl Refusal {
    /// A stable word for logs and counts.
    pub fn word(self) -> &'static str {
        match self {
            Self::NoWebhook => "no-webhook",
            Self::Header(_) => "header",
            Self::Algorithm => "algorithm",
            Self::CertificateAddress => "certificate-address",
            Self::Certificate(_) => "certificate",
            Self::TooOld(_) => "too-old",
            Self::TooNew(_) => "too-new",
            Self::Simulator => "simulator",
            Self::Signature => "signature",
            Self::Denied => "denied",
        }
    }
}

/// What the headers of a webhook say.
#[derive(Clone, Debug)]
pub struct Transmission<'a> {
    /// Its id.
    pub id: &'a str,
    /// When it was sent, as it is signed.
    pub time: &'a str,
    /// The signature, in base64.
    pub signature: &'a str,
    /// The algorithm.
    pub algorithm: &'a str,
    /// Where the certificate is.
    pub certificate: Url,
}

impl<'a> Transmission<'a> {
    /// Reads the headers, and checks the address of the certificate before anybody goes there.
    ///
    /// # Errors
    /// Which header is wrong.
    pub fn read(headers: &'a HeaderMap) -> Result<Self, Refusal> {
        let address = only(headers, "paypal-cert-url")?;
        let certificate = Url::parse(address).ok().filter(|it| may_fetch(it, &HOSTS));
        let it = Self {
            id: only(headers, "paypal-transmission-id")?,
            time: only(headers, "paypal-transmission-time")?,
            signature: only(headers, "paypal-transmission-sig")?,
            algorithm: only(headers, "paypal-auth-algo")?,
            certificate: certificate.ok_or(Refusal::CertificateAddress)?,
        };
        let parts = [("paypal-transmission-id", it.id), ("paypal-transmission-time", it.time)];
        match parts.into_iter().find(|(_, text)| text.contains('|') || text.len() > CHARS_MAX) {
            Some((name, _)) => Err(Refusal::Header(name)),
            None if it.algorithm != ALGORITHM => Err(Refusal::Algorithm),
            None => Ok(it),
        }
    }

    /// Checks that it was sent at about this time.
    ///
    /// # Errors
    /// How far it is away.
    pub fn is_timely(&self, tolerance_seconds: u32, now: Timestamp) -> Result<(), Refusal> {
        let time = Timestamp::parse(self.time);
        let time = time.ok_or(Refusal::Header("paypal-transmission-time"))?;
        let age = now.seconds().saturating_sub(time.seconds());
        match age {
            _ if age > i64::from(tolerance_seconds) => Err(Refusal::TooOld(age)),
            _ if -age > i64::from(tolerance_seconds) => Err(Refusal::TooNew(-age)),
            _ => Ok(()),
        }
    }

    /// What PayPal signs for the webhook with this id.
    pub fn message(&self, webhook_id: &str, body: &[u8]) -> String {
        format!("{}|{}|{webhook_id}|{}", self.id, self.time, crc32fast::hash(body))
    }
}

/// The one value of a header.
fn only<'a>(headers: &'a HeaderMap, name: &'static str) -> Result<&'a str, Refusal> {
    let mut all = headers.get_all(name).iter();
    let one = all.next().and_then(|it| it.to_str().ok()).filter(|it| !it.is_empty());
    one.filter(|_| all.next().is_none()).ok_or(Refusal::Header(name))
}

/// Whether a chain of certificates can be used at this moment.
pub fn is_good(chain: &[u8], trust: &Trust, now: Timestamp) -> bool {
    x509::trusted_key(chain, &NAMES, trust.roots.as_deref(), now.seconds()).is_ok()
}

/// Checks that PayPal signed this body for the account's webhook, at about this time. `chain` is
/// what is at the address of the certificate, in PEM; `now` is by the real clock, which is
/// PayPal's.
///
/// # Errors
/// Why it is not believed.
pub fn verify(
    headers: &HeaderMap,
    body: &[u8],
    trust: &Trust,
    chain: &[u8],
    now: Timestamp,
) -> Result<(), Refusal> {
    let it = Transmission::read(headers)?;
    it.is_timely(trust.tolerance_seconds, now)?;
    let key = x509::trusted_key(chain, &NAMES, trust.roots.as_deref(), now.seconds());
    let key = key.map_err(Refusal::Certificate)?;
    let key = RsaPublicKey::from_public_key_der(&key)
        .map_err(|_| Refusal::Certificate(Distrust::Broken))?;
    let signature = BASE64.decode(it.signature.as_bytes());
    let signature = signature.map_err(|_| Refusal::Header("paypal-transmission-sig"))?;
    let is_signed = |webhook_id: &str| {
        let hash = Sha256::digest(it.message(webhook_id, body));
        Pkcs1v15Sign::new::<Sha256>().verify(&key, &hash, &signature).is_ok()
    };
    match trust.webhook_id != SIMULATOR && is_signed(&trust.webhook_id) {
        true => Ok(()),
        false if is_signed(SIMULATOR) => Err(Refusal::Simulator),
        false => Err(Refusal::Signature),
    }
}
