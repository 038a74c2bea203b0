//! Mailgun's routes: a form, with the mail in `body-mime` where the address ends in `mime`, and else
//! taken apart. It signs a timestamp and a token, and not the mail.

use data_encoding::HEXLOWER_PERMISSIVE;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::{
    Handed, Refused,
    compose::{self, Composer},
    form::Form,
};
use crate::mail::{Envelope, Verdict};

/// How old a signature may be: Mailgun tries again for eight hours.
const AGE_SECONDS_MAX: i64 = 12 * 60 * 60;

/// The mail in what Mailgun posted. `key` is the HTTP webhook signing key, where the mailbox has
/// one.
///
/// # Errors
/// When it is not signed by the key, or something else.
pub fn mailgun(
    content_type: &str,
    body: &[u8],
    key: Option<&str>,
    now_seconds: i64,
) -> Result<Handed, Refused> {
    let form = Form::parse(content_type, body)?;
    if let Some(key) = key {
        verify(&form, key, now_seconds)?;
    }
    let envelope = Envelope {
        from: Some(form.text("sender").into_owned()).filter(|it| !it.is_empty()),
        to: form.text("recipient").split(',').map(|it| it.trim().to_owned()).collect(),
    };
    let raw = match form.bytes("body-mime") {
        Some(it) => it.to_vec().into(),
        None => composed(&form)?.into(),
    };
    Ok(Handed { raw, envelope, verdict: Verdict::default() })
}

fn verify(form: &Form<'_>, key: &str, now_seconds: i64) -> Result<(), Refused> {
    let (timestamp, token) = (form.text("timestamp"), form.text("token"));
    let signature = HEXLOWER_PERMISSIVE.decode(form.text("signature").trim().as_bytes());
    let wrong = Refused::Unsigned("the signature is not by the mailbox's Mailgun signing key");
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key.as_bytes()) else { return Err(wrong) };
    mac.update(timestamp.as_bytes());
    mac.update(token.as_bytes());
    let is_signed = signature.is_ok_and(|it| mac.verify_slice(&it).is_ok());
    if !is_signed || token.is_empty() {
        return Err(wrong);
    }
    let age =
        timestamp.trim().parse::<i64>().map(|it| now_seconds.saturating_sub(it).saturating_abs());
    match age {
        Ok(it) if it <= AGE_SECONDS_MAX => Ok(()),
        _ => Err(Refused::Unsigned("the signature is too old")),
    }
}

fn composed(form: &Form<'_>) -> Result<Vec<u8>, Refused> {
    let mut header = Composer::default();
    let fields: Vec<(String, String)> =
        serde_json::from_str(&form.text("message-headers")).unwrap_or_default();
    for (name, value) in &fields {
        header.field(name, value);
    }
    header.field("From", &form.text("from"));
    header.field("Subject", &form.text("subject"));
    let (plain, html) = (form.text("body-plain"), form.text("body-html"));
    if fields.is_empty() && form.text("from").is_empty() && plain.is_empty() {
        return Err(Refused::unfit("send an inbound mail: body-mime, or from and body-plain"));
    }
    // `{"<cid>": "attachment-1"}`
    let ids: std::collections::BTreeMap<String, String> =
        serde_json::from_str(&form.text("content-id-map")).unwrap_or_default();
    let texts = [("plain", "utf-8", plain.as_bytes()), ("html", "utf-8", html.as_bytes())];
    Ok(compose::mail(header, &texts, |mail| {
        for (name, file) in form.files() {
            let id = ids.iter().find(|it| it.1 == name).map(|it| it.0.as_str());
            mail.file(file.file.as_deref().unwrap_or(""), &file.kind, id, &file.bytes);
        }
    }))
}
