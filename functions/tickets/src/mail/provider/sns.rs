//! Messages of Amazon SNS, and who signed them: by SHA-256 and the key of a certificate whose chain
//! leads to a root that browsers trust.

use data_encoding::BASE64;
use rsa::{Pkcs1v15Sign, RsaPublicKey, pkcs8::DecodePublicKey, traits::PublicKeyParts};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use shared::{certificates::may_fetch, domain::Timestamp, hosts, x509};
use url::Url;

use super::Refused;

/// The hosts of SNS.
pub const HOSTS: &[&str] = &["sns.*.amazonaws.com", "sns.*.amazonaws.com.cn"];
/// The names on its certificates.
const NAMES: &[&str] = &[
    "sns.amazonaws.com",
    "sns.*.amazonaws.com",
    "sns-signing.*.amazonaws.com",
    "sns-us-gov-west-1.amazonaws.com",
    "sns-*.amazonaws.com.cn",
    "sns.*.amazonaws.com.cn",
];
/// Fewest bytes of an RSA modulus: 2048 bits.
const RSA_BYTES_MIN: usize = 256;
/// How old a message may be: SNS tries for an hour.
const AGE_SECONDS_MAX: i64 = 2 * 60 * 60;

/// A message. A field that is there twice, or is no text, is refused when it is read; what is not
/// named here is not signed.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Message {
    /// `Notification`, or that a subscription is to be confirmed.
    #[serde(rename = "Type")]
    pub kind: String,
    /// By what it is known.
    pub message_id: String,
    /// From which topic.
    pub topic_arn: String,
    /// What it says.
    pub message: String,
    #[serde(default)]
    subject: Option<String>,
    timestamp: String,
    signature_version: String,
    signature: String,
    #[serde(rename = "SigningCertURL")]
    signing_cert_url: String,
    /// By which address a subscription is confirmed.
    #[serde(default, rename = "SubscribeURL")]
    pub subscribe_url: Option<String>,
    #[serde(default)]
    token: Option<String>,
}

/// The kind of a message that asks to confirm.
pub const CONFIRMATION: &str = "SubscriptionConfirmation";
/// The kind of all others that we take.
pub const NOTIFICATION: &str = "Notification";

impl Message {
    /// Reads a message.
    ///
    /// # Errors
    /// When it is none.
    pub fn parse(body: &[u8]) -> Result<Self, Refused> {
        let it: Self = serde_json::from_slice(body).map_err(|err| {
            Refused::unfit(format!("send a message of SNS, with raw delivery off: {err}"))
        })?;
        // A line break in one of these would make another message of the same signature.
        let lines = [&it.kind, &it.message_id, &it.topic_arn, &it.timestamp];
        let is_plain = lines.iter().all(|it| !it.contains('\n'));
        match is_plain && matches!(&*it.kind, CONFIRMATION | NOTIFICATION) {
            true => Ok(it),
            false => Err(Refused::unfit("send a Notification of SNS")),
        }
    }

    /// Where its certificate is, if that is a host of SNS.
    ///
    /// # Errors
    /// When it is elsewhere.
    pub fn certificate(&self) -> Result<Url, Refused> {
        let url = Url::parse(&self.signing_cert_url).ok().filter(|it| may_fetch(it, HOSTS));
        url.ok_or(Refused::Unsigned("SigningCertURL is not on a host of SNS"))
    }

    /// Whether this certificate is one of SNS at this moment.
    pub fn is_certificate(&self, pem: &[u8], roots: Option<&str>, now_seconds: i64) -> bool {
        self.key(pem, roots, now_seconds).is_some()
    }

    fn key(&self, pem: &[u8], roots: Option<&str>, now_seconds: i64) -> Option<RsaPublicKey> {
        let url = self.certificate().ok()?;
        let region = hosts::region(&url, HOSTS)?;
        let names: Vec<String> = NAMES.iter().map(|it| hosts::with_region(it, region)).collect();
        let der = x509::trusted_key(pem, &names, roots, now_seconds).ok()?;
        RsaPublicKey::from_public_key_der(&der).ok().filter(|it| it.size() >= RSA_BYTES_MIN)
    }

    /// Checks who signed it. `pem` is what is at [`Message::certificate`]; `topic` is the only one
    /// that is taken.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn verify(
        &self,
        topic: &str,
        pem: &[u8],
        roots: Option<&str>,
        now_seconds: i64,
    ) -> Result<(), Refused> {
        if self.topic_arn != topic {
            return Err(Refused::Unsigned("the mailbox takes messages of another topic"));
        }
        if self.signature_version != "2" {
            return Err(Refused::Unsigned("set the topic's attribute SignatureVersion to 2"));
        }
        let wrong = Refused::Unsigned("the signature is not by SNS");
        let key = self.key(pem, roots, now_seconds);
        let key = key.ok_or(Refused::Unsigned("the certificate is not one of SNS"))?;
        let signature = BASE64.decode(self.signature.as_bytes()).map_err(|_| wrong.clone())?;
        let hash = Sha256::digest(self.signed().as_bytes());
        key.verify(Pkcs1v15Sign::new::<Sha256>(), &hash, &signature).map_err(|_| wrong)?;
        let at = Timestamp::parse(&self.timestamp).map(Timestamp::seconds);
        let is_young =
            at.is_some_and(|it| now_seconds.saturating_sub(it).saturating_abs() <= AGE_SECONDS_MAX);
        if is_young { Ok(()) } else { Err(Refused::Unsigned("the message is too old")) }
    }

    /// What SNS signs of it: names and values, in the order of the names.
    fn signed(&self) -> String {
        let confirms = self.kind == CONFIRMATION;
        let fields = [
            ("Message", Some(&self.message)),
            ("MessageId", Some(&self.message_id)),
            ("Subject", self.subject.as_ref().filter(|_| !confirms)),
            ("SubscribeURL", self.subscribe_url.as_ref().filter(|_| confirms)),
            ("Timestamp", Some(&self.timestamp)),
            ("Token", self.token.as_ref().filter(|_| confirms)),
            ("TopicArn", Some(&self.topic_arn)),
            ("Type", Some(&self.kind)),
        ];
        let there = fields.into_iter().filter_map(|(name, it)| Some((name, it?)));
        there.map(|(name, it)| format!("{name}\n{it}\n")).collect()
    }
}
