//! Postmark: `POST /email`.

use serde_json::{Value, json};
use shared::http::HeaderName;

use super::{Post, TAG, headers, shown, text, with, with_files};
use crate::{
    mail::Mail,
    provider::{Provider, Secrets},
};

/// Where it answers.
pub const HOME: &str = "https://api.postmarkapp.com";
/// The stream of mail that somebody's doing causes.
const STREAM: &str = "outbound";
/// Without it Postmark puts a `Message-ID` of its own in the place of ours.
const KEEP_ID: (&str, &str) = ("X-PM-KeepID", "true");
/// It is in maintenance; the server's key is missing or wrong.
const MENDS: [i64; 2] = [100, 10];

pub(super) fn post(mail: &Mail<'_>, provider: &Provider, secrets: &Secrets) -> Post {
    let own: Vec<Value> = mail
        .own_headers()
        .into_iter()
        .chain([(KEEP_ID.0, KEEP_ID.1.to_owned())])
        .map(|(name, value)| json!({"Name": name, "Value": value}))
        .collect();
    let placed = mail.placed();
    let mut body = json!({
        "From": shown(mail.from),
        "To": shown(mail.to),
        "Subject": mail.words.subject,
        "TextBody": mail.words.text,
        "HtmlBody": placed.page,
        "Headers": own,
        "Metadata": {TAG: mail.id},
        "MessageStream": provider.stream.as_deref().unwrap_or(STREAM),
    });
    if let (Some(reply_to), Some(body)) = (mail.reply_to, body.as_object_mut()) {
        body.insert("ReplyTo".to_owned(), json!(reply_to));
    }
    with_files(&mut body, "Attachments", mail, &placed, |it, content, id| {
        let file = json!({"Name": it.name, "Content": content, "ContentType": it.kind});
        with(file, "ContentID", id.map(|id| json!(format!("cid:{id}"))))
    });
    let headers = headers(HeaderName::from_static("x-postmark-server-token"), &secrets.key);
    Post { path: "/email", headers, body: body.to_string().into_bytes() }
}

/// Why, and whether it may take it later all the same.
pub(super) fn refusal(body: &Value) -> (Option<String>, bool) {
    let code = body.get("ErrorCode").and_then(Value::as_i64);
    (text(body, "Message"), code.is_some_and(|it| MENDS.contains(&it)))
}
