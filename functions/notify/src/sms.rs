//! Short messages: the account at the provider that carries them, and what it is asked.
//!
//! The provider is Twilio, by its API of 2010-04-01. Another one is another [`SmsKind`]: what it
//! wants is in [`request`], and what its answer means in [`understood`].

use std::time::Duration;

use data_encoding::BASE64;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use shared::{
    domain::{Draft, Id, Phone, Timestamp},
    http::{
        HeaderMap, HeaderValue, Method, Response, StatusCode, empty, etag, header,
        json as json_response, with_header,
    },
    outbound,
    ports::{HttpRequest, HttpResponse, PortError, Tenant},
    problem::Problem,
    route::Call,
};
use url::{Url, form_urlencoded};
use utoipa::ToSchema;

use crate::{
    mail_api::{NO_REASON, Sent, not_taken},
    provider::{KEY, is_key},
    store,
};

/// Where Twilio answers.
const HOME: &str = "https://api.twilio.com";
/// How long it has for its answer.
const TIMEOUT: Duration = Duration::from_secs(15);
/// How much of an answer is read.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// How long a message is at most, in characters: what Twilio takes.
pub const TEXT_CHARS_MAX: usize = 1_600;

/// The account at a provider, by which a tenant's short messages go.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[schema(as = SmsAccount)]
pub struct SmsAccount {
    /// Whose API it is.
    pub kind: SmsKind,
    /// Twilio's `AC…`.
    pub account: String,
    /// Who sends: a number, a name, or a service `MG…`.
    pub from: String,
    /// Where it answers, if not at its own address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    /// When it was last put.
    pub updated_at: Timestamp,
    /// Counts its changes; its ETag.
    #[serde(skip)]
    pub version: i64,
    /// Its token, sealed.
    #[serde(skip)]
    pub sealed: String,
}

/// By whom a tenant's short messages go.
#[derive(Debug, Serialize, ToSchema)]
pub struct SmsProvider {
    /// Absent while there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<SmsAccount>,
}

/// Whose API it is.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SmsKind {
    /// Twilio.
    Twilio,
}

/// What an account is made from.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SmsAccountText)]
pub struct SmsText {
    /// Whose API it is.
    pub kind: SmsKind,
    /// Twilio's `AC…`.
    pub account: String,
    /// The account's token. It is shown never again, and stays when it is left out.
    #[serde(default)]
    pub token: Option<String>,
    /// A number as +4930123456, a name of up to 11 letters and digits, or a service `MG…`.
    pub from: String,
    /// Where it answers, if not at its own address: for tests.
    #[serde(default)]
    pub base_url: Option<String>,
}

impl SmsText {
    fn check(&self) -> Result<(), Problem> {
        if !is_sid(&self.account, "AC") {
            return Err(Problem::unfitting("account", "Twilio's account SID: AC and 32 digits"));
        }
        let is_name = (1..=11).contains(&self.from.len())
            && self.from.bytes().all(|it| it.is_ascii_alphanumeric() || it == b' ')
            && self.from.bytes().any(|it| it.is_ascii_alphabetic());
        if Phone::parse(&self.from).is_err() && !is_sid(&self.from, "MG") && !is_name {
            let why = "a number as +4930123456, a name of up to 11 letters and digits, or MG…";
            return Err(Problem::unfitting("from", why));
        }
        if !self.token.as_deref().is_none_or(is_key) {
            return Err(Problem::unfitting("token", KEY));
        }
        if !self.base_url.as_deref().is_none_or(outbound::is_origin) {
            let why = "an http or https address, without a path or a password";
            return Err(Problem::unfitting("base_url", why));
        }
        Ok(())
    }
}

fn is_sid(text: &str, kind: &str) -> bool {
    let hex = text.strip_prefix(kind).filter(|it| it.len() == 32);
    hex.is_some_and(|it| it.bytes().all(|it| it.is_ascii_hexdigit()))
}

/// The request that hands a message over. `None` when its address is none.
pub fn request(it: &SmsAccount, token: &str, to: &Phone, text: &str) -> Option<HttpRequest> {
    let home: Url = it.base_url.as_deref().unwrap_or(HOME).parse().ok()?;
    let from = if is_sid(&it.from, "MG") { "MessagingServiceSid" } else { "From" };
    let mut body = form_urlencoded::Serializer::new(String::new());
    body.append_pair("To", to.as_str()).append_pair(from, &it.from).append_pair("Body", text);
    let mut headers = HeaderMap::new();
    let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
    headers.insert(header::CONTENT_TYPE, kind);
    let shown = BASE64.encode(format!("{}:{token}", it.account).as_bytes());
    let mut shown = HeaderValue::from_str(&format!("Basic {shown}")).ok()?;
    shown.set_sensitive(true);
    headers.insert(header::AUTHORIZATION, shown);
    Some(HttpRequest {
        method: Method::POST,
        url: home.join(&format!("/2010-04-01/Accounts/{}/Messages.json", it.account)).ok()?,
        headers,
        body: body.finish().into(),
        timeout: TIMEOUT,
        answer_bytes_max: ANSWER_BYTES_MAX,
    })
}

/// What an answer means.
pub fn understood(answer: &HttpResponse) -> Sent {
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let word = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
    if answer.status.is_success() {
        return Sent::Taken(word("sid"));
    }
    let code = body.get("code").and_then(Value::as_i64);
    let code = code.map(|it| format!(" {it}")).unwrap_or_default();
    let why = word("message").unwrap_or_else(|| NO_REASON.to_owned());
    not_taken(answer, &format!("twilio: {}{code}: {why}", answer.status.as_u16()), false)
}

/// The account's token.
///
/// # Errors
/// When it cannot be opened.
pub async fn token(at: &impl Tenant, it: &SmsAccount) -> Result<String, PortError> {
    let bytes = at.unseal(&it.sealed).await?;
    String::from_utf8(bytes).map_err(|err| PortError::new("notify", err))
}

fn answer(provider: Option<SmsAccount>) -> Response {
    let version = provider.as_ref().map_or(0, |it| it.version);
    let response = json_response(StatusCode::OK, &SmsProvider { provider });
    with_header(response, header::ETAG, &etag(version))
}

/// Reads it.
pub async fn get(at: &impl Tenant) -> Result<Response, Problem> {
    Ok(answer(store::find_sms(at).await?))
}

/// Puts it, or replaces it.
pub async fn put(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let text: SmsText = call.json()?;
    text.check()?;
    let before = store::find_sms(at).await?;
    let version = before.as_ref().map_or(0, |it| it.version);
    if call.if_match()?.is_some_and(|it| it != version) {
        return Err(Problem::changed_meanwhile());
    }
    let sealed = match (text.token, before) {
        (Some(token), _) => at.seal(token.as_bytes()).await?,
        (None, Some(before)) => before.sealed,
        (None, None) => return Err(Problem::unfitting("token", "a new account has one")),
    };
    let it = SmsAccount {
        kind: text.kind,
        account: text.account,
        from: text.from,
        base_url: text.base_url,
        updated_at: at.now(),
        version: version + 1,
        sealed,
    };
    let entry = Draft::new("notification_sms.put", &Id::trusted("sms".to_owned()))
        .with(json!({"kind": it.kind, "from": it.from}));
    let commit = store::put_sms(&it).entry(entry);
    at.answer(commit, answer(Some(it)), Problem::changed_meanwhile).await
}

/// Deletes it: no short message goes out any more.
pub async fn delete(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let Some(it) = store::find_sms(at).await? else { return Ok(empty(StatusCode::NO_CONTENT)) };
    if call.if_match()?.is_some_and(|version| version != it.version) {
        return Err(Problem::changed_meanwhile());
    }
    let entry = Draft::new("notification_sms.deleted", &Id::trusted("sms".to_owned()));
    let commit = store::delete_sms(&it).entry(entry);
    at.answer(commit, empty(StatusCode::NO_CONTENT), Problem::changed_meanwhile).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(from: &str) -> SmsAccount {
        SmsAccount {
            kind: SmsKind::Twilio,
            account: format!("AC{}", "0".repeat(32)),
            from: from.to_owned(),
            base_url: None,
            updated_at: Timestamp(0),
            version: 1,
            sealed: String::new(),
        }
    }

    #[test]
    fn a_message_is_a_form() {
        let to = Phone::parse("+4930123456").unwrap();
        let asked =
            request(&account("+15005550006"), "secret-token", &to, "Grüße & Küsse").unwrap();

        assert_eq!(
            asked.url.as_str(),
            format!("{HOME}/2010-04-01/Accounts/AC{}/Messages.json", "0".repeat(32))
        );
        let body = "To=%2B4930123456&From=%2B15005550006&Body=Gr%C3%BC%C3%9Fe+%26+K%C3%BCsse";
        assert_eq!(asked.body, body);
        let service = format!("MG{}", "1".repeat(32));
        let asked = request(&account(&service), "secret-token", &to, "x").unwrap();
        assert!(asked.body.starts_with(b"To=%2B4930123456&MessagingServiceSid=MG1"));
    }

    #[test]
    fn who_sends_is_a_number_a_name_or_a_service() {
        let text = |from: &str| SmsText {
            kind: SmsKind::Twilio,
            account: account("").account,
            token: None,
            from: from.to_owned(),
            base_url: None,
        };
        for good in ["+4930123456", "Backplane", "Tea 4 Two", "MG0123456789abcdef0123456789abcdef"]
        {
            assert!(text(good).check().is_ok(), "{good}");
        }
        for bad in ["", "12345", "a name that is long", "Tea&Two", "+49"] {
            assert!(text(bad).check().is_err(), "{bad}");
        }
    }

    #[test]
    fn an_answer_says_whether_another_try_helps() {
        let answer = |status: u16, body: &str| {
            let status = StatusCode::from_u16(status).unwrap();
            let body = body.to_owned().into();
            understood(&HttpResponse { status, headers: HeaderMap::new(), body, cut: false })
        };

        assert_eq!(answer(201, r#"{"sid": "SM1"}"#), Sent::Taken(Some("SM1".to_owned())));
        let stopped = r#"{"code": 21610, "message": "the recipient has unsubscribed"}"#;
        let why = "twilio: 400 21610: the recipient has unsubscribed".to_owned();
        assert_eq!(answer(400, stopped), Sent::Refused(why));
        assert!(matches!(answer(401, "{}"), Sent::Later(..)));
        assert!(matches!(answer(503, "oops"), Sent::Later(..)));
    }
}
