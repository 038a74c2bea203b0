//! Signs as a provider would. For tests, and for whoever sends.

use data_encoding::{BASE64, HEXLOWER};
use ed25519_dalek::{Signer, SigningKey};
use http::HeaderMap;

use super::{Incoming, Sent, check, timestamp};
use crate::recipe::{Algorithm, Encoding, Error, Form, Place, Recipe, Signature};

/// The headers, name and value, by which the provider would have signed a POST of `body`.
///
/// `secret` is that of the source; of Ed25519 the private key, written as the public one is.
/// `id` is 1 to 256 printable characters of ASCII. An id or a timestamp that the provider puts
/// in the body is left to the body.
pub fn sign(
    recipe: &Recipe,
    secret: &str,
    id: &str,
    timestamp_seconds: i64,
    body: &[u8],
) -> Result<Vec<(String, String)>, Error> {
    let headers = HeaderMap::new();
    sign_request(recipe, secret, id, timestamp_seconds, &Incoming::post(&headers, body))
}

/// As [`sign`], for a request whose method, address or form is signed too.
pub fn sign_request(
    recipe: &Recipe,
    secret: &str,
    id: &str,
    timestamp_seconds: i64,
    request: &Incoming,
) -> Result<Vec<(String, String)>, Error> {
    let format = recipe.timestamp.as_ref().map(|it| it.format).unwrap_or_default();
    let timestamp = timestamp::write(format, timestamp_seconds);
    let incoming = request.clone();
    let json = super::parse(recipe, &incoming).map_err(|_| Error::CannotSign)?;
    let json = json.as_ref();
    let sent = Sent { id: id.to_owned(), timestamp: timestamp.clone(), incoming: &incoming, json };
    let values = sent.values(recipe).map_err(|_| Error::CannotSign)?;
    let message = values.message(recipe.signature.signed.as_ref(), secret);
    let mut text = text(recipe, secret, &message)?;

    let mut headers = Vec::new();
    match recipe.timestamp.as_ref().map(|it| &it.at) {
        Some(Place::Header(name)) => headers.push((name.clone(), timestamp)),
        Some(Place::SignatureKey(key)) => {
            text = format!("{key}={timestamp}{}{text}", recipe.signature.separator());
        }
        _ => {}
    }
    if let Some(Place::Header(name)) = recipe.id.first() {
        headers.push((name.clone(), id.to_owned()));
    }
    if let Some(name) = &recipe.signature.header {
        headers.push((name.clone(), text));
    }
    Ok(headers)
}

/// The text of the header.
fn text(recipe: &Recipe, secret: &str, message: &[u8]) -> Result<String, Error> {
    let signature = &recipe.signature;
    let encoded = match signature.algorithm {
        Algorithm::None => return Ok(String::new()),
        Algorithm::Basic => return Ok(format!("Basic {}", BASE64.encode(secret.as_bytes()))),
        Algorithm::Token => secret.to_owned(),
        Algorithm::HmacSha256 | Algorithm::HmacSha1 | Algorithm::HmacSha512 => {
            let key = recipe.secret.key(secret)?;
            encode(signature, &check::tag(signature.algorithm, &key, message))
        }
        Algorithm::Ed25519 => {
            let key = recipe.secret.key(secret)?;
            let key = SigningKey::try_from(&*key).map_err(|_| Error::CannotSign)?;
            encode(signature, &key.sign(message).to_bytes())
        }
        Algorithm::EcdsaP256Sha256 | Algorithm::RsaSha256 => return Err(Error::CannotSign),
    };
    Ok(match &signature.form {
        Form::Whole => encoded,
        Form::Prefix(prefix) => format!("{prefix}{encoded}"),
        Form::Pairs(key) => format!("{key}={encoded}"),
        Form::Labelled(label) => format!("{label},{encoded}"),
    })
}

fn encode(signature: &Signature, bytes: &[u8]) -> String {
    match signature.encoding {
        Some(Encoding::Base64) => BASE64.encode(bytes),
        Some(Encoding::Hex) | None => HEXLOWER.encode(bytes),
    }
}
