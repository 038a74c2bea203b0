//! What is answered to a check: the fields of draft-ietf-httpapi-ratelimit-headers-10, and the
//! problem types that it registers.

use data_encoding::{BASE64, HEXLOWER};
use serde_json::json;
use shared::http::{
    HeaderName, Response, StatusCode, header, json as json_response, respond, with_header,
};

use super::{
    check::{Checked, PolicyStanding},
    policy::Refusal,
};
use crate::quota::shown::UsedUp;

/// Where the problem types are registered.
const TYPES: &str = "https://iana.org/assignments/http-problem-types#";

const QUOTA_EXCEEDED: &str = "Request cannot be satisfied as assigned quota has been exceeded";

/// The answer: 200 when it may go on, and otherwise 429 with the problem; 401 or 403 when a key was
/// shown that does not hold.
pub fn of(checked: &Checked, legacy: bool) -> Response {
    if let Some(why) = &checked.key_refused {
        return why.problem().into_response();
    }
    if !checked.used_up.is_empty() {
        return used_up(checked);
    }
    let response =
        if checked.allowed { json_response(StatusCode::OK, checked) } else { refused(checked) };
    with_fields(response, checked, legacy)
}

/// Adds to any response how the keys stand.
pub fn with_fields(mut response: Response, checked: &Checked, legacy: bool) -> Response {
    let counting: Vec<_> = checked.policies.iter().filter(|it| !it.shadow).collect();
    if counting.is_empty() {
        return response;
    }
    let list = |field: fn(&PolicyStanding) -> String| {
        counting.iter().map(|it| field(it)).collect::<Vec<_>>().join(", ")
    };
    response = with_header(response, HeaderName::from_static("ratelimit-policy"), &list(policy));
    response = with_header(response, HeaderName::from_static("ratelimit"), &list(standing));
    if let Some(it) = checked.retry_after_seconds {
        response = with_header(response, header::RETRY_AFTER, &it.to_string());
    }
    if legacy && let Some(tightest) = counting.iter().min_by_key(|it| it.remaining) {
        for (name, value) in [
            ("x-ratelimit-limit", tightest.limit),
            ("x-ratelimit-remaining", tightest.remaining),
            ("x-ratelimit-reset", wait(tightest)),
        ] {
            response = with_header(response, HeaderName::from_static(name), &value.to_string());
        }
    }
    response
}

/// `"name";q=100;w=60;pk=:…:`
fn policy(it: &PolicyStanding) -> String {
    let window = it.period_seconds.map(|it| format!(";w={it}")).unwrap_or_default();
    format!("\"{}\";q={}{window};pk={}", it.policy, it.limit, partition(it))
}

/// `"name";r=50;t=30;pk=:…:`
fn standing(it: &PolicyStanding) -> String {
    format!("\"{}\";r={};t={};pk={}", it.policy, it.remaining, wait(it), partition(it))
}

/// Until there is quota: for what was refused not later than `Retry-After`.
fn wait(it: &PolicyStanding) -> i64 {
    it.retry_after_seconds.unwrap_or(it.reset_seconds)
}

/// The partition key, as a byte sequence of RFC 9651: the first bytes of a hash.
fn partition(it: &PolicyStanding) -> String {
    let bytes = HEXLOWER.decode(it.key.as_bytes()).unwrap_or_default();
    format!(":{}:", BASE64.encode(bytes.get(..12).unwrap_or(&bytes)))
}

/// A hard quota of the customer is used up.
fn used_up(checked: &Checked) -> Response {
    let names: Vec<_> = checked.used_up.iter().map(|it| it.quota.as_str()).collect();
    let detail = |it: &UsedUp| match &it.member {
        Some(member) => format!("{} of the member {member}", it.quota),
        None => it.quota.clone(),
    };
    let details: Vec<_> = checked.used_up.iter().map(detail).collect();
    let body = json!({
        "type": format!("{TYPES}quota-exceeded"),
        "title": QUOTA_EXCEEDED,
        "status": 429,
        "detail": format!("used up: {}", details.join(", ")),
        "violated-policies": names,
        "used_up": checked.used_up,
    });
    let status = StatusCode::TOO_MANY_REQUESTS;
    let response = respond(status, "application/problem+json", body.to_string());
    let wait = checked.retry_after_seconds.unwrap_or(1);
    with_header(response, header::RETRY_AFTER, &wait.to_string())
}

fn refused(checked: &Checked) -> Response {
    let violated: Vec<_> = checked.policies.iter().filter(|it| !it.allowed && !it.shadow).collect();
    let kind = violated.iter().map(|it| it.refusal).max_by_key(|it| match it {
        Refusal::QuotaExceeded => 0,
        Refusal::TemporaryReducedCapacity => 1,
        Refusal::AbnormalUsageDetected => 2,
    });
    let (kind, title) = match kind.unwrap_or_default() {
        Refusal::QuotaExceeded => ("quota-exceeded", QUOTA_EXCEEDED),
        Refusal::TemporaryReducedCapacity => (
            "temporary-reduced-capacity",
            "Request cannot be satisfied due to temporary server capacity constraints",
        ),
        Refusal::AbnormalUsageDetected => (
            "abnormal-usage-detected",
            "Request not satisfied due to detection of abnormal request pattern",
        ),
    };
    let detail = match checked.retry_after_seconds {
        Some(it) => format!("try again in {it} s"),
        None if violated.iter().any(|it| it.banned) => {
            "the key is on a list of those that are refused".to_owned()
        }
        None => "this costs more than there ever is at once: ask for less".to_owned(),
    };
    let names: Vec<_> = violated.iter().map(|it| it.policy.as_str()).collect();
    let body = json!({
        "type": format!("{TYPES}{kind}"),
        "title": title,
        "status": 429,
        "detail": detail,
        "violated-policies": names,
        "policies": checked.policies,
    });
    respond(StatusCode::TOO_MANY_REQUESTS, "application/problem+json", body.to_string())
}
