//! Feedback: what providers' events say of addresses that take no mail. Pure.
//!
//! Only what is for good counts: a mailbox that is full today is not. What cannot be read says
//! nothing, for these are somebody else's words, and new ones come.

#[cfg(test)]
mod tests;

use serde_json::Value;

use shared::domain::Address;

use crate::{mail_api::TAG, provider::Kind, suppression::Reason};

/// How much of a provider's words is kept, in characters.
const DETAIL_CHARS_MAX: usize = 300;

/// An address that takes no mail.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Feedback {
    /// Which.
    pub address: Address,
    /// Why.
    pub reason: Reason,
    /// In the provider's words.
    pub detail: String,
    /// The delivery that it came of, if the provider says so.
    pub delivery: Option<String>,
}

/// What the body of a provider's webhook says.
pub fn read(kind: Kind, body: &[u8]) -> Vec<Feedback> {
    let Ok(body) = serde_json::from_slice::<Value>(body) else { return Vec::new() };
    match kind {
        Kind::Resend => resend(&body),
        Kind::Postmark => postmark(&body).into_iter().collect(),
        Kind::Sendgrid => body.as_array().into_iter().flatten().filter_map(sendgrid).collect(),
        Kind::Ses => ses(&body),
        // A server of mail tells of what bounces by mail.
        Kind::Smtp => vec![],
    }
}

fn word<'a>(it: &'a Value, path: &str) -> &'a str {
    it.pointer(path).and_then(Value::as_str).unwrap_or_default()
}

fn feedback(address: &str, reason: Reason, detail: &str, delivery: &str) -> Option<Feedback> {
    let address = Address::parse(address).ok()?;
    let detail = detail.chars().filter(|it| !it.is_control()).take(DETAIL_CHARS_MAX).collect();
    let delivery = Some(delivery.to_owned()).filter(|it| !it.is_empty());
    Some(Feedback { address, reason, detail, delivery })
}

fn resend(it: &Value) -> Vec<Feedback> {
    let (reason, detail) = match word(it, "/type") {
        "email.bounced" if word(it, "/data/bounce/type") == "Permanent" => {
            (Reason::Bounced, word(it, "/data/bounce/message"))
        }
        "email.complained" => (Reason::Complained, ""),
        _ => return Vec::new(),
    };
    // As an object of names and values, and once as a list of pairs.
    let tags = it.pointer("/data/tags");
    let listed = tags.and_then(Value::as_array).into_iter().flatten();
    let listed = listed.filter(|it| word(it, "/name") == TAG).map(|it| word(it, "/value")).next();
    let named = tags.map(|it| word(it, &format!("/{TAG}"))).unwrap_or_default();
    let delivery = listed.unwrap_or(named);
    let to = it.pointer("/data/to").and_then(Value::as_array).into_iter().flatten();
    to.filter_map(|it| feedback(it.as_str()?, reason, detail, delivery)).collect()
}

fn postmark(it: &Value) -> Option<Feedback> {
    let delivery = word(it, &format!("/Metadata/{TAG}"));
    let is = |path: &str| it.pointer(path).and_then(Value::as_bool).unwrap_or_default();
    let (address, reason, detail) = match word(it, "/RecordType") {
        "Bounce" if is("/Inactive") || word(it, "/Type") == "HardBounce" => {
            (word(it, "/Email"), Reason::Bounced, word(it, "/Description"))
        }
        "SpamComplaint" => (word(it, "/Email"), Reason::Complained, word(it, "/Description")),
        "SubscriptionChange" if is("/SuppressSending") => {
            let reason = match word(it, "/SuppressionReason") {
                "HardBounce" => Reason::Bounced,
                "SpamComplaint" => Reason::Complained,
                _ => Reason::Unsubscribed,
            };
            (word(it, "/Recipient"), reason, "")
        }
        _ => return None,
    };
    feedback(address, reason, detail, delivery)
}

fn sendgrid(it: &Value) -> Option<Feedback> {
    let detail = word(it, "/reason");
    let reason = match (word(it, "/event"), detail) {
        // What was blocked may go through another day.
        ("bounce", _) if word(it, "/type") == "blocked" => return None,
        ("bounce", _) | ("dropped", "Bounced Address") => Reason::Bounced,
        ("spamreport", _) | ("dropped", "Spam Reporting Address") => Reason::Complained,
        ("unsubscribe" | "group_unsubscribe", _) | ("dropped", "Unsubscribed Address") => {
            Reason::Unsubscribed
        }
        _ => return None,
    };
    feedback(word(it, "/email"), reason, detail, word(it, &format!("/{TAG}")))
}

fn ses(it: &Value) -> Vec<Feedback> {
    // SNS puts the event as text into its own envelope, unless it is told to send it raw. It signs
    // that text, and nothing that stands beside it.
    let inner = match it.get("Message") {
        None => it.clone(),
        Some(it) => it.as_str().and_then(|it| serde_json::from_str(it).ok()).unwrap_or_default(),
    };
    let it = &inner;
    let kind = [word(it, "/notificationType"), word(it, "/eventType")].concat();
    let delivery = word(it, &format!("/mail/tags/{TAG}/0"));
    let (reason, list) = match kind.as_str() {
        "Bounce" if word(it, "/bounce/bounceType") == "Permanent" => {
            (Reason::Bounced, "/bounce/bouncedRecipients")
        }
        "Complaint" => (Reason::Complained, "/complaint/complainedRecipients"),
        _ => return Vec::new(),
    };
    let found = it.pointer(list).and_then(Value::as_array).into_iter().flatten();
    let of = |it: &Value| {
        feedback(word(it, "/emailAddress"), reason, word(it, "/diagnosticCode"), delivery)
    };
    found.filter_map(of).collect()
}
