//! SendGrid: `POST /v3/mail/send`.

use serde_json::{Map, Value, json};
use shared::http::header;

use super::{Post, TAG, headers, text, with, with_files};
use crate::{
    mail::{Mail, Mailbox},
    provider::Secrets,
};

/// Where it answers.
pub const HOME: &str = "https://api.sendgrid.com";

pub(super) fn post(mail: &Mail<'_>, secrets: &Secrets) -> Post {
    let own: Map<String, Value> = mail
        .own_headers()
        .into_iter()
        .map(|(name, value)| (name.to_owned(), json!(value)))
        .collect();
    let placed = mail.placed();
    let mut body = json!({
        "personalizations": [{"to": [person(mail.to)], "custom_args": {TAG: mail.id}}],
        "from": person(mail.from),
        "subject": mail.words.subject,
        // Plain text first: it takes them in the order of how well they are shown.
        "content": [
            {"type": "text/plain", "value": mail.words.text},
            {"type": "text/html", "value": placed.page},
        ],
        "headers": own,
        // Our link to unsubscribe is in the headers, and says no in our preferences.
        "tracking_settings": {"subscription_tracking": {"enable": false}},
    });
    if let (Some(reply_to), Some(body)) = (mail.reply_to, body.as_object_mut()) {
        body.insert("reply_to".to_owned(), json!({"email": reply_to}));
    }
    with_files(&mut body, "attachments", mail, &placed, |it, content, id| {
        let shown = if id.is_some() { "inline" } else { "attachment" };
        let file = json!({"filename": it.name, "content": content, "type": it.kind,
            "disposition": shown});
        with(file, "content_id", id.map(|id| json!(id)))
    });
    let headers = headers(header::AUTHORIZATION, &format!("Bearer {}", secrets.key));
    Post { path: "/v3/mail/send", headers, body: body.to_string().into_bytes() }
}

fn person(it: &Mailbox) -> Value {
    match it.plain_name() {
        Some(name) => json!({"email": it.address, "name": name}),
        None => json!({"email": it.address}),
    }
}

/// Why, and whether it may take it later all the same.
pub(super) fn refusal(body: &Value) -> (Option<String>, bool) {
    (body.pointer("/errors/0").and_then(|it| text(it, "message")), false)
}
