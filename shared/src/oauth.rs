//! Access tokens by client credentials (RFC 6749, section 4.4). Whoever asks keeps them sealed.

use std::time::Duration;

use data_encoding::BASE64;
use serde::Deserialize;
use url::{Url, form_urlencoded};

use crate::{
    domain::Timestamp,
    http::{HeaderMap, HeaderValue, Method, header},
    ports::HttpRequest,
};

/// How long the token's server has to answer.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How much of its answer is read: some list all that the token permits.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// How long before its end a token is replaced.
const MARGIN: Duration = Duration::from_secs(60);
/// How long a token is kept that does not say when it ends (RFC 6749 leaves that open).
const LIFE_DEFAULT: u64 = 300;
/// How long one is kept at most.
const LIFE_MAX: u64 = 24 * 60 * 60;

/// An access token.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Token {
    /// What is sent as `Authorization: Bearer`.
    pub text: String,
    /// Until when it is used, by the real clock, which is that of the token's server.
    pub until: Timestamp,
}

/// What a token's server answers, as far as it matters.
#[derive(Deserialize)]
struct Answer {
    access_token: String,
    #[serde(default)]
    expires_in: Option<u64>,
}

/// The request for a token: who asks, by id and secret, and for what.
pub fn request(url: Url, (id, secret): (&str, &str), scope: Option<&str>) -> HttpRequest {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("grant_type", "client_credentials");
    if let Some(scope) = scope {
        form.append_pair("scope", scope);
    }
    let mut headers = HeaderMap::new();
    let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
    headers.insert(header::CONTENT_TYPE, kind);
    headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    // Section 2.3.1: both are form-encoded before they are put together.
    let encoded = |it: &str| form_urlencoded::byte_serialize(it.as_bytes()).collect::<String>();
    let basic = BASE64.encode(format!("{}:{}", encoded(id), encoded(secret)).as_bytes());
    // Base64 is always the value of a header.
    if let Ok(mut basic) = HeaderValue::from_str(&format!("Basic {basic}")) {
        basic.set_sensitive(true);
        headers.insert(header::AUTHORIZATION, basic);
    }
    HttpRequest {
        method: Method::POST,
        url,
        headers,
        body: form.finish().into(),
        timeout: TIMEOUT,
        answer_bytes_max: ANSWER_BYTES_MAX,
    }
}

/// Reads a token from the body of a good answer to what was asked at this moment.
pub fn read(body: &[u8], asked_at: Timestamp) -> Option<Token> {
    let answer: Answer = serde_json::from_slice(body).ok()?;
    let life = Duration::from_secs(answer.expires_in.unwrap_or(LIFE_DEFAULT).min(LIFE_MAX));
    Some(Token { text: answer.access_token, until: asked_at + life.saturating_sub(MARGIN) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asks_is_encoded_before_it_is_put_together() {
        let url = Url::parse("https://tokens.example/t").unwrap();
        let it = request(url, ("a b", "c:d"), Some("read write"));
        let basic = it.headers[header::AUTHORIZATION].to_str().unwrap();
        let basic = basic.strip_prefix("Basic ").unwrap();
        assert_eq!(BASE64.decode(basic.as_bytes()).unwrap(), b"a+b:c%3Ad");
        assert_eq!(&it.body[..], b"grant_type=client_credentials&scope=read+write");
    }

    #[test]
    fn a_token_is_replaced_before_its_end_and_kept_a_day_at_most() {
        let until = |body: &str| read(body.as_bytes(), Timestamp(0)).map(|it| it.until.0);
        assert_eq!(until(r#"{"access_token":"t","expires_in":3600}"#), Some(3_540_000));
        assert_eq!(until(r#"{"access_token":"t","expires_in":30}"#), Some(0));
        assert_eq!(until(r#"{"access_token":"t"}"#), Some(240_000));
        assert_eq!(until(r#"{"access_token":"t","expires_in":999999999}"#), Some(86_340_000));
        assert_eq!(until(r#"{"error":"invalid_client"}"#), None);
    }
}
