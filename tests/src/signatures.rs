//! Reads the signatures of a mail as its reader does (RFC 6376), by the records of its keys.

use std::collections::BTreeMap;

use data_encoding::BASE64;
use ed25519_dalek::{Signature, Verifier as _, VerifyingKey};
use rsa::{Pkcs1v15Sign, RsaPublicKey, pkcs8::DecodePublicKey};
use sha2::{Digest, Sha256};

/// The selectors of the good signatures of a mail, by what the DNS says: names and values.
///
/// # Panics
/// When it is no mail.
pub fn verified(mail: &[u8], records: &BTreeMap<String, String>) -> Vec<String> {
    let mail = String::from_utf8(mail.to_vec()).expect("our mail is ASCII");
    let (head, body) = mail.split_once("\r\n\r\n").expect("it has a head and a body");
    let fields = fields(head);
    let own = fields.iter().filter(|it| it.0.eq_ignore_ascii_case("dkim-signature"));
    own.filter_map(|it| verify(it, &fields, body, records)).collect()
}

fn fields(head: &str) -> Vec<(String, String)> {
    let unfolded = head.replace("\r\n ", " ").replace("\r\n\t", " ");
    let pairs = unfolded.split("\r\n").filter_map(|it| it.split_once(':'));
    pairs.map(|(name, value)| (name.trim().to_owned(), value.to_owned())).collect()
}

fn blanks_once(text: &str) -> String {
    text.split([' ', '\t']).filter(|it| !it.is_empty()).collect::<Vec<_>>().join(" ")
}

fn tags(text: &str) -> BTreeMap<String, String> {
    let pairs = text.split(';').filter_map(|it| it.split_once('='));
    let plain = |it: &str| it.replace([' ', '\t'], "");
    pairs.map(|(name, value)| (plain(name), plain(value))).collect()
}

fn canonical_body(body: &str) -> String {
    let mut lines: Vec<_> = body
        .split("\r\n")
        .map(|it| {
            // What is in front of a line stays one blank.
            let front = if it.starts_with([' ', '\t']) { " " } else { "" };
            format!("{front}{}", blanks_once(it)).trim_end().to_owned()
        })
        .collect();
    while lines.last().is_some_and(String::is_empty) {
        lines.pop();
    }
    lines.iter().map(|it| format!("{it}\r\n")).collect()
}

fn verify(
    (name, value): &(String, String),
    fields: &[(String, String)],
    body: &str,
    records: &BTreeMap<String, String>,
) -> Option<String> {
    let tags = tags(value);
    let tag = |name: &str| tags.get(name).map(String::as_str);
    if tag("bh")? != BASE64.encode(&Sha256::digest(canonical_body(body))) {
        return None;
    }
    let line = |name: &str, value: &str| format!("{}:{}", name.to_lowercase(), blanks_once(value));
    let mut left: Vec<_> = fields.iter().collect();
    let mut text = String::new();
    for wanted in tag("h")?.split(':') {
        if let Some(at) = left.iter().rposition(|it| it.0.eq_ignore_ascii_case(wanted)) {
            let (name, value) = left.remove(at);
            text += &(line(name, value) + "\r\n");
        }
    }
    let at = value.rfind("b=")? + 2;
    text += &line(name, value.get(..at)?);
    let hash = Sha256::digest(text.as_bytes());
    let record = records.get(&format!("{}._domainkey.{}", tag("s")?, tag("d")?))?;
    let record = self::tags(record);
    let key = BASE64.decode(record.get("p")?.as_bytes()).ok()?;
    let signature = BASE64.decode(tag("b")?.as_bytes()).ok()?;
    let is_good = match (tag("a")?, record.get("k")?.as_str()) {
        ("ed25519-sha256", "ed25519") => {
            let key = VerifyingKey::from_bytes(&key.try_into().ok()?).ok()?;
            key.verify(&hash, &Signature::from_slice(&signature).ok()?).is_ok()
        }
        ("rsa-sha256", "rsa") => {
            let key = RsaPublicKey::from_public_key_der(&key).ok()?;
            key.verify(Pkcs1v15Sign::new::<Sha256>(), &hash, &signature).is_ok()
        }
        _ => false,
    };
    is_good.then(|| tag("s").unwrap_or_default().to_owned())
}
