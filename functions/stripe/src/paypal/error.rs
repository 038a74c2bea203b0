//! What PayPal's refusals mean: whether to come again, and whether it is a word on the payment.

use std::time::Duration;

use serde_json::Value;
use shared::{
    http::{StatusCode, header},
    ports::HttpResponse,
};

use crate::provider::CallError;

/// The longest wait that PayPal can ask for, in seconds.
const RETRY_AFTER_MAX: u64 = 3_600;
/// Most characters that are kept of what PayPal says.
const DETAIL_CHARS_MAX: usize = 300;

/// What PayPal, or the bank behind it, says of a customer's way to pay. Anything else that it does
/// not take is ours to mend.
const DECLINES: [&str; 16] = [
    "AGREEMENT_ALREADY_CANCELLED",
    "CARD_CLOSED",
    "CARD_EXPIRED",
    "CREDIT_CARD_REFUSED",
    "INSTRUMENT_DECLINED",
    "MAX_NUMBER_OF_PAYMENT_ATTEMPTS_EXCEEDED",
    "PAYER_ACCOUNT_LOCKED_OR_CLOSED",
    "PAYER_ACCOUNT_RESTRICTED",
    "PAYER_ACTION_REQUIRED",
    "PAYER_CANNOT_PAY",
    "PAYMENT_DENIED",
    "PAYMENT_SOURCE_CANNOT_BE_USED",
    "PAYMENT_SOURCE_DECLINED_BY_PROCESSOR",
    "REDIRECT_PAYER_FOR_ALTERNATE_FUNDING",
    "TRANSACTION_REFUSED",
    "VAULT_INSTRUCTION_REQUIRED",
];
/// What is said while another call with the same id is on its way, or of an id that was used for
/// another call: no word on the payment.
const BUSY: [&str; 3] =
    ["DUPLICATE_REQUEST_ID", "PREVIOUS_REQUEST_IN_PROGRESS", "REQUEST_ID_ALREADY_USED"];

/// Why a call has no result.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Failure {
    /// Our own limit on calls: nothing was sent.
    Held(Duration),
    /// Not now; after so many seconds, if PayPal says.
    Later { why: String, after: Option<u64> },
    /// The token is not taken any more.
    Token(String),
    /// PayPal does not do it, and has a word for that.
    Issue { status: StatusCode, issue: String, detail: String },
}

impl Failure {
    pub(super) fn later(why: impl ToString) -> Self {
        Self::Later { why: why.to_string(), after: None }
    }

    /// Whether PayPal's word is this one.
    pub(super) fn is(&self, word: &str) -> bool {
        matches!(self, Self::Issue { issue, .. } if issue == word)
    }

    /// Whether there is no such thing.
    pub(super) fn is_missing(&self) -> bool {
        matches!(self, Self::Issue { status: StatusCode::NOT_FOUND, .. })
    }

    /// Whether the app may not do it.
    pub(super) fn is_forbidden(&self) -> bool {
        matches!(self, Self::Issue { status: StatusCode::FORBIDDEN, .. })
    }

    /// PayPal's word, when it is one on the customer's way to pay.
    pub(super) fn decline(&self) -> Option<&str> {
        match self {
            Self::Issue { issue, .. } if DECLINES.contains(&issue.as_str()) => Some(issue),
            _ => None,
        }
    }
}

impl From<Failure> for CallError {
    fn from(it: Failure) -> Self {
        let is_decline = it.decline().is_some();
        match it {
            Failure::Held(wait) => Self::Held(wait),
            Failure::Later { why, after } => Self::Later { why, after },
            // A key can be mended, and is no word on the payment.
            Failure::Token(why) => Self::Later { why, after: None },
            Failure::Issue { issue, detail, .. } if is_decline => {
                Self::Declined { code: issue, detail, object: None }
            }
            // The app lacks a permission, which can be given.
            Failure::Issue { status: StatusCode::FORBIDDEN, detail, .. } => {
                Self::Later { why: detail, after: None }
            }
            Failure::Issue { issue, detail, .. } => Self::Refused(format!("{issue}: {detail}")),
        }
    }
}

/// What an answer says. An empty one is `null`.
pub(super) fn understood(answer: &HttpResponse) -> Result<Value, Failure> {
    let body: Option<Value> = serde_json::from_slice(&answer.body).ok();
    let status = answer.status;
    if status.is_success() {
        return match body {
            _ if answer.cut => Err(Failure::later("the answer broke off")),
            None if answer.body.is_empty() => Ok(Value::Null),
            None => Err(Failure::later("the answer is no JSON")),
            Some(body) => Ok(body),
        };
    }
    let body = body.unwrap_or_default();
    let (issue, detail) = issue(&body, status);
    match status {
        StatusCode::UNAUTHORIZED => Err(Failure::Token(detail)),
        StatusCode::CONFLICT | StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => {
            Err(Failure::Later { why: detail, after: retry_after(answer) })
        }
        it if it.is_server_error() || BUSY.contains(&issue.as_str()) => {
            Err(Failure::Later { why: detail, after: retry_after(answer) })
        }
        _ => Err(Failure::Issue { status, issue, detail }),
    }
}

/// PayPal's word for what is wrong, and its sentence. The first detail says more than the whole.
fn issue(body: &Value, status: StatusCode) -> (String, String) {
    let text = |path: &str| body.pointer(path).and_then(Value::as_str);
    let word = text("/details/0/issue").or(text("/name")).or(text("/error"));
    let sentence = text("/details/0/description").or(text("/message"));
    let sentence = sentence.or(text("/error_description")).unwrap_or("no reason is given");
    let mut detail = format!("{sentence} (status {}", status.as_u16());
    // By which PayPal's support finds the call.
    match text("/debug_id") {
        Some(id) => detail.push_str(&format!(", debug id {id})")),
        None => detail.push(')'),
    }
    (word.unwrap_or("UNKNOWN").to_owned(), detail.chars().take(DETAIL_CHARS_MAX).collect())
}

fn retry_after(answer: &HttpResponse) -> Option<u64> {
    let text = answer.headers.get(header::RETRY_AFTER)?.to_str().ok()?;
    text.trim().parse::<u64>().ok().map(|it| it.min(RETRY_AFTER_MAX))
}
