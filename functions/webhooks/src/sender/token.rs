//! Access tokens of endpoints that ask for OAuth 2 (RFC 6749, section 4.4), kept until they end.

use shared::{
    domain::Id,
    oauth::{self, Token},
    ports::{CommitError, PortError, Tenant},
};
use url::Url;

use super::{private::Auth, store};

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
    let token = match ask(at, url, client, scope.as_deref()).await {
        Ok(token) => token,
        Err(why) => return Ok(Err(format!("no access token: {why}"))),
    };
    let sealed = at.seal(token.text.as_bytes()).await?;
    match at.commit(store::put_token(endpoint, &sealed, token.until)).await {
        Ok(()) | Err(CommitError::Conflict) => Ok(Ok(Some(token.text))),
        Err(CommitError::Port(err)) => Err(err),
    }
}

async fn ask(
    at: &impl Tenant,
    url: Url,
    client: (&str, &str),
    scope: Option<&str>,
) -> Result<Token, String> {
    let asked_at = at.real_now();
    let request = oauth::request(url, client, scope);
    let answer = at.fetch(request).await.map_err(|err| err.to_string())?;
    if !answer.status.is_success() {
        return Err(format!("its server answered {}", answer.status.as_u16()));
    }
    let token = oauth::read(&answer.body, asked_at);
    token.ok_or_else(|| "its server answered no token".to_owned())
}
