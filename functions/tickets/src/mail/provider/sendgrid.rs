//! SendGrid's Inbound Parse: a form, with the mail in `email` where "POST the raw, full MIME
//! message" is on, and else taken apart.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{
    Handed, Refused,
    compose::{self, Composer},
    form::Form,
};
use crate::mail::{Envelope, Found, Verdict};

#[derive(Default, Deserialize)]
#[serde(default)]
struct Route {
    from: Option<String>,
    to: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Info {
    #[serde(rename = "content-id")]
    content_id: Option<String>,
    filename: Option<String>,
    r#type: Option<String>,
}

/// The mail in what SendGrid posted.
///
/// # Errors
/// When it is something else.
pub fn sendgrid(content_type: &str, body: &[u8]) -> Result<Handed, Refused> {
    let form = Form::parse(content_type, body)?;
    let route: Route = serde_json::from_str(&form.text("envelope")).unwrap_or_default();
    let mut verdict = Verdict::default();
    if let Some(it) = Found::parse(&form.text("SPF")) {
        verdict.add("spf", it);
    }
    // `{@example.com : pass, @example.net : fail}`
    let dkim = form.text("dkim");
    for it in dkim.trim_matches(['{', '}', ' ']).split(',') {
        if let Some(it) = it.rsplit(':').next().and_then(Found::parse) {
            verdict.add("dkim", it);
        }
    }
    if verdict != Verdict::default() {
        "sendgrid".clone_into(&mut verdict.by);
    }
    let raw = match form.bytes("email") {
        Some(it) => it.to_vec().into(),
        None => composed(&form)?.into(),
    };
    Ok(Handed { raw, envelope: Envelope { from: route.from, to: route.to }, verdict })
}

fn composed(form: &Form<'_>) -> Result<Vec<u8>, Refused> {
    if form.bytes("headers").is_none() && form.bytes("from").is_none() {
        return Err(Refused::unfit("send an inbound mail: email, or headers and text"));
    }
    let mut header = Composer::default();
    for name in ["from", "to", "cc", "subject"] {
        header.field(name, &form.text(name));
    }
    let written =
        form.text("headers").replace("\r\n", "\n").replace("\n ", " ").replace("\n\t", " ");
    for (name, value) in written.lines().filter_map(|it| it.split_once(':')) {
        header.field(name, value);
    }
    let charsets: BTreeMap<String, String> =
        serde_json::from_str(&form.text("charsets")).unwrap_or_default();
    let charset = |name: &str| charsets.get(name).map_or("utf-8", String::as_str);
    let infos: BTreeMap<String, Info> =
        serde_json::from_str(&form.text("attachment-info")).unwrap_or_default();
    let text = |name: &str| form.bytes(name).unwrap_or_default();
    let texts = [("plain", charset("text"), text("text")), ("html", charset("html"), text("html"))];
    Ok(compose::mail(header, &texts, |mail| {
        for (name, file) in form.files() {
            let info = infos.get(name);
            let called = info.and_then(|it| it.filename.as_deref()).or(file.file.as_deref());
            let kind = info.and_then(|it| it.r#type.as_deref()).unwrap_or(&file.kind);
            let id = info.and_then(|it| it.content_id.as_deref());
            mail.file(called.unwrap_or(""), kind, id, &file.bytes);
        }
    }))
}
