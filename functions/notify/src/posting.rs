//! Posting: a delivery on its way to a hook, in the form that its kind reads.

use std::time::Duration;

use data_encoding::BASE64;
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::Sha256;
use shared::{
    domain::{Commit, Failure, Id, Job, NewJob, Retry, Timestamp},
    http::{HeaderMap, HeaderName, HeaderValue, Method, header},
    ports::{FetchError, HttpRequest, HttpResponse, Tenant},
};

use crate::{
    delivery::{self, State},
    hook::{HookKind, HookText, KEY},
    notice::{Notice, amend::Amendment},
    store,
    template::Rendered,
};

/// Posts to a hook.
pub const SEND: &str = "notify.hook";
/// How long it has for its answer.
const TIMEOUT: Duration = Duration::from_secs(15);
/// How much of an answer is read.
const ANSWER_BYTES_MAX: usize = 4 * 1024;
/// The longest wait that it can ask for, in seconds.
const RETRY_AFTER_MAX: u64 = 3_600;

/// What is posted, as it is kept: each try is the same.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct HookLetter {
    kind: String,
    about: Option<String>,
    url: Option<String>,
    words: Rendered,
    at: Timestamp,
    /// What became of the notice since it was posted first, and which revision that is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    amends: Option<(Amendment, i64)>,
}

impl HookLetter {
    /// The delivery as a letter.
    pub fn new(notice: &Notice, words: Rendered, at: Timestamp) -> Self {
        let (kind, about, url) = (notice.kind.clone(), notice.about.clone(), notice.url.clone());
        Self { kind, about, url, words, at, amends: None }
    }

    /// The same to whoever has it already.
    pub fn amending(self, how: Amendment, revision: i64) -> Self {
        Self { amends: Some((how, revision)), ..self }
    }

    /// The body that this kind of hook reads.
    fn body(&self, kind: HookKind, id: &Id) -> Value {
        let (subject, text) = (&self.words.subject, &self.words.text);
        match kind {
            HookKind::Slack => {
                let link = self.url.iter().map(|it| format!("\n<{}>", escaped(it)));
                let link: String = link.collect();
                json!({"text": format!("*{}*\n{}{link}", escaped(subject), escaped(text))})
            }
            HookKind::Teams => {
                let actions: Vec<_> = self
                    .url
                    .iter()
                    .map(|it| json!({"type": "Action.OpenUrl", "title": subject, "url": it}))
                    .collect();
                let block = |text: &str, weight: &str| json!({"type": "TextBlock", "text": text, "weight": weight, "wrap": true});
                let card = json!({
                    "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                    "type": "AdaptiveCard", "version": "1.4", "actions": actions,
                    "body": [block(subject, "Bolder"), block(text, "Default")],
                });
                let kind = "application/vnd.microsoft.card.adaptive";
                json!({"type": "message",
                    "attachments": [{"contentType": kind, "content": card}]})
            }
            HookKind::Webhook => {
                let mut body = json!({
                    "id": id, "type": self.kind, "about": self.about, "url": self.url,
                    "subject": subject, "text": text, "html": self.words.html, "at": self.at,
                });
                if let (Some((how, _)), Some(all)) = (self.amends, body.as_object_mut()) {
                    all.insert("change".to_owned(), json!(how));
                }
                body
            }
        }
    }
}

/// What Slack would read as a link, a mention or an entity is text.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// The letter with its job. One that amends takes the place of one before that is on its way.
pub fn queued(id: &Id, letter: &HookLetter) -> Commit {
    let job = NewJob::new(SEND, format!("{SEND}:{id}"), json!({"id": id}));
    let kept = match letter.amends {
        Some(_) => store::put_outgoing(id, letter),
        None => store::insert_outgoing(id, letter),
    };
    kept.job(job)
}

/// Posts it.
///
/// # Errors
/// The failure, and whether to try again.
pub async fn work(at: &impl Tenant, job: &Job) -> Result<Commit, Failure> {
    let id = job.subject()?;
    let delivery = store::find_delivery(at, &id).await?;
    let outgoing = store::find_outgoing::<HookLetter>(at, &id).await?;
    let Some(outgoing) = outgoing else { return Ok(Commit::new()) };
    let amends = outgoing.letter.amends.is_some();
    let awaited = if amends { State::Sent } else { State::Waiting };
    let Some(delivery) = delivery.filter(|it| it.state == awaited) else {
        return Ok(store::delete_outgoing(&id));
    };
    // The delivery was over before it was amended.
    let over = |it: Commit| match amends {
        true => Ok(store::delete_outgoing(&id)),
        false => Ok(it.and(store::delete_outgoing(&id))),
    };
    let name = delivery.recipient.strip_prefix(KEY).unwrap_or_default();
    let Some(hook) = store::find_hook(at, name).await? else {
        return over(delivery::ended(at, delivery, State::Withheld, "the hook is gone"));
    };
    let text = hook.opened(at).await?;
    let request = request(&text, &outgoing.letter, &id, at.real_now());
    let answer = match request {
        Some(it) => at.fetch(it).await,
        None => Err(FetchError::Refused),
    };
    let (why, wait) = match answer {
        Ok(it) if it.status.is_success() => {
            return over(delivery::over(&delivery.is_sent(at.now())));
        }
        Ok(it) if it.status.is_client_error() && it.status.as_u16() != 429 => {
            let why = format!("{}: {}", hook.host, it.status);
            return over(delivery::ended(at, delivery, State::Failed, &why));
        }
        Ok(it) => (format!("{}: {}", hook.host, it.status), retry_after(&it)),
        Err(why) => (format!("{}: {why}", hook.host), None),
    };
    if job.is_last() {
        return over(delivery::ended(at, delivery, State::Failed, &why));
    }
    let retry = wait.map_or(Retry::Schedule, Retry::After);
    Err(Failure { retry, ..Failure::again(why) })
}

fn request(text: &HookText, letter: &HookLetter, id: &Id, now: Timestamp) -> Option<HttpRequest> {
    let body = letter.body(text.kind, id).to_string();
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let mut set = |name: &'static str, value: String| {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    };
    if text.kind == HookKind::Webhook {
        // Another message than the first one, which whoever takes it has seen.
        let message = match letter.amends {
            Some((_, revision)) => Id::trusted(format!("{id}_{revision}")),
            None => id.clone(),
        };
        set("webhook-id", message.to_string());
        set("webhook-timestamp", now.seconds().to_string());
        if let Some(secret) = &text.secret {
            set("webhook-signature", signature(secret, &message, now.seconds(), &body)?);
        }
    }
    Some(HttpRequest {
        method: Method::POST,
        url: text.url.parse().ok()?,
        headers,
        body: body.into(),
        timeout: TIMEOUT,
        answer_bytes_max: ANSWER_BYTES_MAX,
    })
}

/// By Standard Webhooks 1.0: `v1`, HMAC-SHA-256 over id, time and body.
fn signature(secret: &str, id: &Id, seconds: i64, body: &str) -> Option<String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).ok()?;
    mac.update(format!("{id}.{seconds}.{body}").as_bytes());
    Some(format!("v1,{}", BASE64.encode(&mac.finalize().into_bytes())))
}

fn retry_after(answer: &HttpResponse) -> Option<Duration> {
    let text = answer.headers.get(header::RETRY_AFTER)?.to_str().ok()?;
    text.parse().ok().map(|it: u64| Duration::from_secs(it.min(RETRY_AFTER_MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(text: &str) -> HookLetter {
        let words = Rendered {
            language: None,
            subject: "S".to_owned(),
            text: text.to_owned(),
            html: String::new(),
        };
        let url = Some("https://example.com/?a=1&b=2".to_owned());
        let kind = "k".to_owned();
        HookLetter { kind, about: None, url, words, at: Timestamp(0), amends: None }
    }

    /// The signature was made by Python's `hmac`.
    #[test]
    fn a_webhook_is_signed() {
        let id = Id::trusted("dlv_1".to_owned());
        let body = "{\"test\": 2432232314}";

        let made = signature("0123456789abcdef01234567", &id, 1_614_265_330, body);

        assert_eq!(made.unwrap(), "v1,TRL5iI9ak/0UbLn3MGQnMl1dgyj8a9tdybY6R4GcgvU=");
    }

    #[test]
    fn nobody_is_mentioned_in_slack_by_what_a_notice_says() {
        let body = letter("<!channel> & <https://evil.example|here>")
            .body(HookKind::Slack, &Id::trusted("dlv_1".to_owned()));

        let text = body["text"].as_str().unwrap();
        assert!(text.contains("&lt;!channel&gt; &amp; &lt;https"), "{text}");
        assert!(text.ends_with("<https://example.com/?a=1&amp;b=2>"), "{text}");
    }
}
