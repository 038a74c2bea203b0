//! Resend: `POST /emails`. The same key gives the same answer for a day, and sends nothing more.

use serde_json::{Map, Value, json};
use shared::http::{HeaderName, HeaderValue, header};

use super::{Post, TAG, headers, shown, text, with, with_files};
use crate::{mail::Mail, provider::Secrets};

/// Where it answers.
pub const HOME: &str = "https://api.resend.com";

pub(super) fn post(mail: &Mail<'_>, secrets: &Secrets) -> Post {
    let own: Map<String, Value> = mail
        .own_headers()
        .into_iter()
        .map(|(name, value)| (name.to_owned(), json!(value)))
        .collect();
    let placed = mail.placed();
    let mut body = json!({
        "from": shown(mail.from),
        "to": [shown(mail.to)],
        "subject": mail.words.subject,
        "text": mail.words.text,
        "html": placed.page,
        "headers": own,
        "tags": [{"name": TAG, "value": mail.id}],
    });
    if let (Some(reply_to), Some(body)) = (mail.reply_to, body.as_object_mut()) {
        body.insert("reply_to".to_owned(), json!(reply_to));
    }
    with_files(&mut body, "attachments", mail, &placed, |it, content, id| {
        let file = json!({"filename": it.name, "content": content, "content_type": it.kind});
        with(file, "content_id", id.map(|id| json!(id)))
    });
    let mut headers = headers(header::AUTHORIZATION, &format!("Bearer {}", secrets.key));
    if let Ok(key) = HeaderValue::from_str(mail.id.as_str()) {
        headers.insert(HeaderName::from_static("idempotency-key"), key);
    }
    Post { path: "/emails", headers, body: body.to_string().into_bytes() }
}

/// Why, and whether it may take it later all the same.
pub(super) fn refusal(body: &Value) -> (Option<String>, bool) {
    // The first call with our key is still at work.
    let is_later = text(body, "name").is_some_and(|it| it == "concurrent_idempotent_requests");
    (text(body, "message"), is_later)
}
