//! Handshakes: whether a request is one, and what its provider wants to hear.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use data_encoding::{BASE64, HEXLOWER};
use serde_json::Value;
use sha2::{Digest, Sha256};
use shared::hosts;
use subtle::{Choice, ConstantTimeEq};
use url::Url;

use super::{Incoming, Refusal, SECRETS_MAX, check, header::SignatureText, incoming::Lookup};
use crate::recipe::{
    Algorithm, Answer, Challenge, ChallengeMethod, Condition, Expected, Key, Recipe,
};

/// Most characters of the text in a handshake.
pub const TOKEN_CHARS_MAX: usize = 1024;
/// Longest address that a handshake has us visit, in bytes.
pub const ADDRESS_BYTES_MAX: usize = 2048;

/// What to answer to a handshake.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// 200 with this as text/plain.
    Text(String),
    /// 200 with this JSON.
    Json(Value),
    /// 200 with these headers.
    Headers(BTreeMap<String, String>),
    /// 204.
    Empty,
    /// 200, and then this address is visited.
    Visit(Url),
}

/// The answer to a handshake that is no POST: `None` when the recipe knows none by this method.
///
/// # Errors
/// When it is not one that the recipe answers.
pub fn answer(
    recipe: &Recipe,
    secrets: &[String],
    incoming: &Incoming,
) -> Result<Option<Reply>, Refusal> {
    let asked = |it: &&Challenge| {
        it.method != ChallengeMethod::Post && it.method.as_str() == incoming.method
    };
    let Some(challenge) = recipe.challenge.as_ref().filter(asked) else { return Ok(None) };
    let secrets = secrets.get(..SECRETS_MAX).unwrap_or(secrets);
    let lookup = Lookup { incoming, text: &SignatureText::none(&recipe.signature), json: None };
    reply(recipe, challenge, secrets, &lookup).map(Some).ok_or(Refusal::BadHandshake)
}

/// The answer to a request with a good signature, if it is a handshake.
///
/// # Errors
/// When it has us visit an address that is not the provider's.
pub(super) fn of_event(
    recipe: &Recipe,
    secrets: &[String],
    lookup: &Lookup,
) -> Result<Option<Reply>, Refusal> {
    let posted = |it: &&Challenge| it.method == ChallengeMethod::Post;
    let Some(challenge) = recipe.challenge.as_ref().filter(posted) else { return Ok(None) };
    match &challenge.answer {
        Answer::Visit(_) if is_one(recipe, challenge, secrets, lookup) => {
            let address = challenge.token.as_ref().and_then(|it| lookup.find(it));
            let url = address.and_then(|it| visited(recipe, &it)).ok_or(Refusal::VisitAddress)?;
            Ok(Some(Reply::Visit(url)))
        }
        _ => Ok(reply(recipe, challenge, secrets, lookup)),
    }
}

/// The address that a handshake has us visit, if it is one of the provider's.
pub fn visited(recipe: &Recipe, address: &str) -> Option<Url> {
    let Some(Answer::Visit(on)) = recipe.challenge.as_ref().map(|it| &it.answer) else {
        return None;
    };
    let url = Url::parse(address).ok().filter(|it| hosts::region(it, on).is_some())?;
    (address.len() <= ADDRESS_BYTES_MAX).then_some(url)
}

fn is_one(recipe: &Recipe, challenge: &Challenge, secrets: &[String], lookup: &Lookup) -> bool {
    challenge.when.iter().all(|it| holds(it, recipe, secrets, lookup))
}

fn reply(
    recipe: &Recipe,
    challenge: &Challenge,
    secrets: &[String],
    lookup: &Lookup,
) -> Option<Reply> {
    if !is_one(recipe, challenge, secrets, lookup) {
        return None;
    }
    let token = match &challenge.token {
        Some(place) => lookup.find(place)?,
        None => String::new(),
    };
    let is_short = token.chars().count() <= TOKEN_CHARS_MAX && !token.contains(char::is_control);
    // What is signed for whoever asks must not be an event that somebody made up.
    if !is_short || challenge.signs_for_strangers() && !is_word(token.as_bytes()) {
        return None;
    }
    fill(&challenge.answer, &Filling::new(recipe, secrets, token)?)
}

fn holds(condition: &Condition, recipe: &Recipe, secrets: &[String], lookup: &Lookup) -> bool {
    let Some(text) = lookup.find(&condition.at) else { return false };
    match &condition.is {
        Expected::Text(expected) => text == *expected,
        Expected::Number(expected) => text == expected.to_string(),
        Expected::Secret => is_secret(recipe, secrets, &text),
    }
}

/// Whether this is one of the source's secrets.
pub(super) fn is_secret(recipe: &Recipe, secrets: &[String], text: &str) -> bool {
    // Hashes of equal length, so that the time says nothing of the secret's.
    let hash = |it: &str| Sha256::digest(it.as_bytes());
    let usable = secrets.iter().filter(|it| recipe.key(it).is_ok());
    let found = usable.fold(Choice::from(0), |found, it| {
        found | hash(it).as_slice().ct_eq(hash(text).as_slice())
    });
    found.into()
}

/// What is put into an answer.
struct Filling {
    token: String,
    hmac: Option<Vec<u8>>,
}

impl Filling {
    fn new(recipe: &Recipe, secrets: &[String], token: String) -> Option<Self> {
        let signs = recipe.challenge.as_ref().is_some_and(|it| it.answer.mentions("{hmac_"));
        let hmac = match signs {
            false => None,
            true => match secrets.iter().find_map(|it| recipe.key(it).ok())? {
                Key::Bytes(key) => Some(check::tag(Algorithm::HmacSha256, &key, token.as_bytes())),
                _ => None,
            },
        };
        Some(Self { token, hmac })
    }

    fn text(&self, text: &str) -> String {
        let hmac = self.hmac.as_deref().unwrap_or_default();
        // The token last: what is in it is nobody's placeholder.
        text.replace("{hmac_hex}", &HEXLOWER.encode(hmac))
            .replace("{hmac_base64}", &BASE64.encode(hmac))
            .replace("{token}", &self.token)
    }

    fn json(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.text(text)),
            Value::Array(items) => Value::Array(items.iter().map(|it| self.json(it)).collect()),
            Value::Object(fields) => {
                fields.iter().map(|(name, it)| (name.clone(), self.json(it))).collect()
            }
            other => other.clone(),
        }
    }
}

fn fill(answer: &Answer, with: &Filling) -> Option<Reply> {
    Some(match answer {
        Answer::Text(text) => Reply::Text(with.text(text)),
        Answer::Json(value) => Reply::Json(with.json(value)),
        Answer::Headers(headers) => {
            Reply::Headers(headers.iter().map(|(name, it)| (name.clone(), with.text(it))).collect())
        }
        Answer::Empty => Reply::Empty,
        // Only by `of_event`, which knows where it may lead.
        Answer::Visit(_) => return None,
    })
}

/// Whether this is one word, as the texts of handshakes are, and no event is.
pub(super) fn is_word(text: &[u8]) -> bool {
    text.iter().all(|it| it.is_ascii_alphanumeric() || b"-_=.+/".contains(it))
}
