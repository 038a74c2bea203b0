//! Amazon SES: `SendEmail` of its second API, with the mail as MIME.

use data_encoding::BASE64;
use serde_json::{Value, json};
use shared::{
    domain::Timestamp,
    http::{HeaderMap, HeaderName, HeaderValue, header},
};

use super::{
    Post, TAG,
    sigv4::{self, Key, Scope},
    text,
};
use crate::{
    mail::Mail,
    provider::{Provider, Secrets},
};

const PATH: &str = "/v2/email/outbound-emails";
/// The region when none is said.
const REGION: &str = "us-east-1";
/// What an account or its domain may not do now: somebody mends it there.
const MENDS: [&str; 6] = [
    "AccountSuspendedException",
    "SendingPausedException",
    "LimitExceededException",
    "MailFromDomainNotVerifiedException",
    "ThrottlingException",
    "TooManyRequestsException",
];

/// Where it answers in a region.
pub fn home(region: Option<&str>) -> String {
    format!("https://email.{}.amazonaws.com", region.unwrap_or(REGION))
}

pub(super) fn post(
    mail: &Mail<'_>,
    provider: &Provider,
    secrets: &Secrets,
    host: &str,
    now: Timestamp,
) -> Post {
    let mut body = json!({
        "FromEmailAddress": mail.from.address,
        "Destination": {"ToAddresses": [mail.to.address]},
        "Content": {"Raw": {"Data": BASE64.encode(&mail.to_mime())}},
        "EmailTags": [{"Name": TAG, "Value": mail.id}],
    });
    if let (Some(stream), Some(body)) = (&provider.stream, body.as_object_mut()) {
        body.insert("ConfigurationSetName".to_owned(), json!(stream));
    }
    let body = body.to_string().into_bytes();
    let region = provider.region.as_deref().unwrap_or(REGION);
    let scope = Scope { region, service: "ses" };
    let key = Key { id: provider.key_id.as_deref().unwrap_or_default(), secret: &secrets.key };
    let signed = sigv4::post(&key, &scope, host, PATH, "application/json", &body, now);
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    for (name, value) in signed {
        // What is signed is hexadecimal, and words that were checked when they were set.
        if let Ok(mut value) = HeaderValue::from_str(&value) {
            value.set_sensitive(name == "authorization");
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    Post { path: PATH, headers, body }
}

/// Why, and whether it may take it later all the same.
pub(super) fn refusal(body: &Value, kind: Option<&str>) -> (Option<String>, bool) {
    // As `MessageRejected:http://…`, or with the namespace before a `#`.
    let kind = kind.map(|it| it.split(':').next().unwrap_or_default());
    let kind = kind.map(|it| it.rsplit('#').next().unwrap_or_default());
    let why = text(body, "message").or_else(|| text(body, "Message"));
    (why.or_else(|| kind.map(str::to_owned)), kind.is_some_and(|it| MENDS.contains(&it)))
}
