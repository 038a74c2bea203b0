//! Amazon SES: a notification of SNS whose message has the mail in `content`.

use data_encoding::BASE64;
use serde::Deserialize;

use super::{Handed, Refused, sns::Message};
use crate::mail::{Envelope, Found, Verdict};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Received {
    notification_type: String,
    #[serde(default)]
    content: Option<String>,
    #[serde(default)]
    receipt: Receipt,
    #[serde(default)]
    mail: Mail,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Receipt {
    recipients: Vec<String>,
    spf_verdict: Status,
    dkim_verdict: Status,
    dmarc_verdict: Status,
    action: Action,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Status {
    status: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Action {
    r#type: String,
    encoding: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Mail {
    source: Option<String>,
}

/// The mail in a message whose signature was verified.
///
/// # Errors
/// When there is none in it, as with the action S3, or it is something else.
pub fn ses(message: &Message) -> Result<Handed, Refused> {
    let it: Received = serde_json::from_str(&message.message)
        .map_err(|err| Refused::unfit(format!("the message is no receipt of SES: {err}")))?;
    if it.notification_type != "Received" {
        return Err(Refused::unfit("subscribe the topic of a receipt rule: this is no mail"));
    }
    let Some(content) = it.content else {
        let action = &it.receipt.action.r#type;
        return Err(Refused::unfit(format!(
            "the mail is not in the notification (action {action}): use the action SNS in the \
            receipt rule, which has it; what S3 keeps is not fetched"
        )));
    };
    let raw = match it.receipt.action.encoding.eq_ignore_ascii_case("base64") {
        true => BASE64
            .decode(content.as_bytes())
            .map_err(|_| Refused::unfit("content is not the Base64 that its action says"))?,
        false => content.into_bytes(),
    };
    let mut verdict = Verdict { by: "amazon-ses".to_owned(), ..Verdict::default() };
    for (method, status) in [
        ("spf", &it.receipt.spf_verdict),
        ("dkim", &it.receipt.dkim_verdict),
        ("dmarc", &it.receipt.dmarc_verdict),
    ] {
        // GRAY is that nothing was to be checked.
        let found = match status.status.as_str() {
            "GRAY" => Some(Found::None),
            "PROCESSING_FAILED" => Some(Found::TempError),
            other => Found::parse(other),
        };
        if let Some(it) = found {
            verdict.add(method, it);
        }
    }
    let envelope = Envelope { from: it.mail.source, to: it.receipt.recipients };
    Ok(Handed { raw: raw.into(), envelope, verdict })
}
