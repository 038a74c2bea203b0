//! Postmark's inbound webhook: JSON, with the mail in `RawEmail` where the server's setting includes
//! it, and else taken apart.

use data_encoding::BASE64;
use serde::Deserialize;

use super::{
    Handed, Refused,
    compose::{self, Composer},
};
use crate::mail::{Envelope, Verdict};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[derive(Default)]
struct Inbound {
    from: String,
    to: String,
    cc: String,
    reply_to: String,
    subject: String,
    date: String,
    original_recipient: String,
    text_body: String,
    html_body: String,
    headers: Vec<Header>,
    attachments: Vec<Attached>,
    raw_email: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Header {
    name: String,
    value: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[derive(Default)]
struct Attached {
    name: String,
    content: String,
    content_type: String,
    #[serde(rename = "ContentID")]
    content_id: Option<String>,
}

/// The mail in what Postmark posted.
///
/// # Errors
/// When it is something else.
pub fn postmark(body: &[u8]) -> Result<Handed, Refused> {
    let it: Inbound = serde_json::from_slice(body)
        .map_err(|err| Refused::unfit(format!("send JSON as Postmark's inbound webhook: {err}")))?;
    let from = it.headers.iter().find(|it| it.name.eq_ignore_ascii_case("return-path"));
    let envelope = Envelope {
        from: from.map(|it| it.value.trim_matches(['<', '>', ' ']).to_owned()),
        to: vec![it.original_recipient.clone()],
    };
    let raw = if it.raw_email.is_empty() { composed(&it)? } else { it.raw_email.into_bytes() };
    let raw = raw.into();
    Ok(Handed { raw, envelope, verdict: Verdict::default() })
}

fn composed(it: &Inbound) -> Result<Vec<u8>, Refused> {
    if it.from.is_empty() && it.headers.is_empty() {
        return Err(Refused::unfit("send an inbound mail: From and Headers are missing"));
    }
    let mut header = Composer::default();
    for (name, value) in [
        ("From", &it.from),
        ("To", &it.to),
        ("Cc", &it.cc),
        ("Reply-To", &it.reply_to),
        ("Subject", &it.subject),
        ("Date", &it.date),
    ] {
        header.field(name, value);
    }
    for it in &it.headers {
        header.field(&it.name, &it.value);
    }
    let texts =
        [("plain", "utf-8", it.text_body.as_bytes()), ("html", "utf-8", it.html_body.as_bytes())];
    Ok(compose::mail(header, &texts, |mail| {
        for it in &it.attachments {
            // What is no Base64 is kept as it is.
            let bytes = BASE64.decode(it.content.as_bytes());
            let bytes = bytes.unwrap_or_else(|_| it.content.clone().into_bytes());
            let id = it.content_id.as_deref().filter(|it| !it.is_empty());
            mail.file(&it.name, &it.content_type, id, &bytes);
        }
    }))
}
