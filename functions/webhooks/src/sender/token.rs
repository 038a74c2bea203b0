//! Access tokens of endpoints that ask for OAuth 2 (RFC 6749, section 4.4), kept until they end.

use std::time::Duration;

use data_encoding::BASE64;
use serde::Deserialize;
use shared::{
    domain::Id,
    http::{HeaderMap, HeaderValue, Method, header},
    ports::{CommitError, HttpRequest, PortError, Tenant},
};

use super::{private::Auth, store};

/// How long the token's server has to answer.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How much of its answer is read.
const ANSWER_BYTES_MAX: usize = 16 * 1024;
/// How long before its end a token is replaced.
const MARGIN: Duration = Duration::from_secs(60);
/// How long a token is kept that does not say when it ends (RFC 6749 leaves that open).
const LIFE_DEFAULT: u64 = 300;
/// How long one is kept at most.
const LIFE_MAX: u64 = 24 * 60 * 60;

/// What the token's server answers, as far as it matters.
#[derive(Deserialize)]
struct Answer {
    access_token: String,
    #[serde(default)]
    expires_in: Option<u64>,
}

/// The access token to use, if the endpoint asks for one; or why there is none.
///
/// # Errors
/// When the database fails.
pub async fn token(
    at: &impl Tenant,
    endpoint: &Id,
    auth: &Auth,
) -> Result<Result<Option<String>, String>, PortError> {
    let Auth::ClientCredentials { token_url, client_id, client_secret, scope } = auth else {
        return Ok(Ok(None));
    };
    // By the real clock: that of the token's server.
    if let Some(sealed) = store::find_token(at, endpoint, at.real_now()).await? {
        let token = at.unseal(&sealed).await?;
        return Ok(Ok(String::from_utf8(token).ok()));
    }
    let Ok(url) = token_url.parse() else { return Ok(Err("the token's address is none".into())) };
    let client = (client_id.as_str(), client_secret.as_str());
    let answer = match ask(at, url, client, scope.as_deref()).await {
        Ok(answer) => answer,
        Err(why) => return Ok(Err(format!("no access token: {why}"))),
    };
    let life = answer.expires_in.unwrap_or(LIFE_DEFAULT).min(LIFE_MAX);
    let until = at.real_now() + Duration::from_secs(life).saturating_sub(MARGIN);
    let sealed = at.seal(answer.access_token.as_bytes()).await?;
    match at.commit(store::put_token(endpoint, &sealed, until)).await {
        Ok(()) | Err(CommitError::Conflict) => Ok(Ok(Some(answer.access_token))),
        Err(CommitError::Port(err)) => Err(err),
    }
}

async fn ask(
    at: &impl Tenant,
    url: url::Url,
    (id, secret): (&str, &str),
    scope: Option<&str>,
) -> Result<Answer, String> {
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    form.append_pair("grant_type", "client_credentials");
    if let Some(scope) = scope {
        form.append_pair("scope", scope);
    }
    // RFC 6749, section 2.3.1: both are form-encoded before they are put together.
    let encoded =
        |it: &str| url::form_urlencoded::byte_serialize(it.as_bytes()).collect::<String>();
    let basic = BASE64.encode(format!("{}:{}", encoded(id), encoded(secret)).as_bytes());
    let mut headers = HeaderMap::new();
    let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
    headers.insert(header::CONTENT_TYPE, kind);
    headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    let basic = HeaderValue::from_str(&format!("Basic {basic}")).map_err(|err| err.to_string())?;
    headers.insert(header::AUTHORIZATION, basic);
    let request = HttpRequest {
        method: Method::POST,
        url,
        headers,
        body: form.finish().into(),
        timeout: TIMEOUT,
        answer_bytes_max: ANSWER_BYTES_MAX,
    };
    let answer = at.fetch(request).await.map_err(|err| err.to_string())?;
    if !answer.status.is_success() {
        return Err(format!("its server answered {}", answer.status.as_u16()));
    }
    serde_json::from_slice(&answer.body).map_err(|_| "its server answered no token".to_owned())
}
