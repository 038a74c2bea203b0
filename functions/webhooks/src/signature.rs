//! Who signed a request: checks the signature of a webhook. No I/O.

mod certificate;
mod check;
mod fields;
mod handshake;
mod header;
mod incoming;
mod message;
mod refusal;
mod sign;
mod timestamp;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod providers;
#[cfg(test)]
mod sns;
#[cfg(test)]
mod tests;

use data_encoding::HEXLOWER;
use http::HeaderMap;
use serde_json::Value;
use sha2::{Digest, Sha256};
use shared::certificates::may_fetch;
use subtle::Choice;
use url::Url;

pub use self::{
    handshake::{Reply, answer, visited},
    incoming::Incoming,
    refusal::Refusal,
    sign::{sign, sign_request},
};
use self::{header::SignatureText, incoming::Lookup, message::Sent};
use crate::recipe::{Algorithm, ChallengeMethod, Key, Part, Place, Recipe};

/// Most secrets that a source has at a time: one in use, the others being rotated in or out.
pub const SECRETS_MAX: usize = 5;
/// Most characters of a message's id and of an event's type.
pub const NAME_CHARS_MAX: usize = 256;

/// What a request with a good signature says of itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Verified {
    /// What a second delivery of the same message has again: the provider's id, 1 to 256
    /// characters, or `sha256:` and the hash of the body in lower-case hex.
    pub message: String,
    /// The provider's name for what happened, 1 to 256 characters.
    pub event_type: Option<String>,
    /// What to answer, when the request is a handshake and no event.
    pub reply: Option<Reply>,
    /// When the request was signed, in seconds since 1970, if the provider says.
    pub signed_at_seconds: Option<i64>,
}

/// Checks that the holder of one of `secrets` signed this request, and not too long ago.
///
/// The first five secrets count, and those of another shape than the recipe's are passed over.
/// Which of them signed is neither told nor timed.
pub fn verify(
    recipe: &Recipe,
    secrets: &[String],
    incoming: &Incoming,
    now_seconds: i64,
) -> Result<Verified, Refusal> {
    check_content_type(recipe, incoming.headers)?;
    let secrets = secrets.get(..SECRETS_MAX).unwrap_or(secrets);
    // What only a signature proves is parsed before it where the signature itself is in there.
    let early = match reads_body_first(recipe) {
        true => parse(recipe, incoming)?,
        false => None,
    };
    let text = SignatureText::read(&recipe.signature, incoming.headers, early.as_ref())?;
    let lookup = Lookup { incoming, text: &text, json: early.as_ref() };
    if recipe.signature.algorithm != Algorithm::None {
        check_version(recipe, &lookup)?;
        check_owner(recipe, secrets, lookup.json)?;
        check_body_hash(recipe, incoming)?;
        let sent = Sent {
            id: signed_id(recipe, &lookup)?,
            timestamp: sent_timestamp(recipe, &lookup)?,
            incoming,
            json: lookup.json,
        };
        check_signature(recipe, secrets, &text, &sent, now_seconds)?;
    }

    // Only now is the body known to be the provider's, and worth parsing.
    let late = match &early {
        None if reads_body(recipe) => parse(recipe, incoming)?,
        _ => None,
    };
    let lookup = Lookup { incoming, text: &text, json: early.as_ref().or(late.as_ref()) };
    let signed_at_seconds = match &recipe.timestamp {
        Some(signed_at) => Some(timestamp::check(signed_at, &lookup, now_seconds)?),
        None => None,
    };
    Ok(Verified {
        message: lookup.name(&recipe.id).unwrap_or_else(|| hash(incoming.body)),
        event_type: lookup.name(&recipe.event_type),
        reply: handshake::of_event(recipe, secrets, &lookup)?,
        signed_at_seconds,
    })
}

/// Where the certificate is that this request names, if its recipe asks for one: https, on one of
/// the recipe's hosts.
///
/// # Errors
/// When it is elsewhere, or the request would be refused with the best of certificates.
pub fn key_url(
    recipe: &Recipe,
    secrets: &[String],
    incoming: &Incoming,
) -> Result<Option<Url>, Refusal> {
    let Some(at) = &recipe.signature.key_url else { return Ok(None) };
    let place = match (&at.header, &at.pointer) {
        (Some(header), _) => Place::Header(header.clone()),
        (None, pointer) => Place::Pointer(pointer.clone().unwrap_or_default()),
    };
    let json = match place.is_in_body() || reads_body_first(recipe) {
        true => parse(recipe, incoming)?,
        false => None,
    };
    let text = &SignatureText::none(&recipe.signature);
    let lookup = Lookup { incoming, text, json: json.as_ref() };
    let address = lookup.required(&place)?;
    // A stranger's message is not worth a request.
    check_version(recipe, &lookup)?;
    check_owner(recipe, secrets.get(..SECRETS_MAX).unwrap_or(secrets), lookup.json)?;
    let url = Url::parse(&address).ok().filter(|it| may_fetch(it, &at.hosts));
    let name = at.header.as_ref().or(at.pointer.as_ref()).cloned().unwrap_or_default();
    url.map(Some).ok_or(Refusal::KeyAddress { name })
}

/// Whether a certificate from this address can be used at this moment.
pub fn is_certificate(recipe: &Recipe, url: &Url, certificate: &[u8], now_seconds: i64) -> bool {
    recipe.signature.key_url.as_ref().is_some_and(|at| {
        certificate::key(recipe.signature.algorithm, at, url, certificate, now_seconds).is_ok()
    })
}

/// Checks that the provider signs in the way that the recipe is about.
fn check_version(recipe: &Recipe, lookup: &Lookup) -> Result<(), Refusal> {
    let Some(version) = &recipe.signature.version else { return Ok(()) };
    if lookup.find(&version.at).is_some_and(|it| it == version.is) {
        return Ok(());
    }
    let (expected, otherwise) = (version.is.clone(), version.otherwise.clone());
    Err(Refusal::OtherVersion { expected, otherwise })
}

/// Checks that the message is of somebody whom the source has as a secret, where a field says so.
fn check_owner(recipe: &Recipe, secrets: &[String], json: Option<&Value>) -> Result<(), Refusal> {
    let fields = recipe.signature.fields.as_ref();
    let Some(name) = fields.and_then(|it| it.secret.as_ref()) else { return Ok(()) };
    let owner = json.and_then(|it| it.get(name)).and_then(Value::as_str);
    let owner = owner
        .ok_or_else(|| Refusal::NotInRequest { place: format!("field {name} in its body") })?;
    match handshake::is_secret(recipe, secrets, owner) {
        true => Ok(()),
        false => Err(Refusal::SomebodyElses { name: name.clone() }),
    }
}

fn check_content_type(recipe: &Recipe, headers: &HeaderMap) -> Result<(), Refusal> {
    let kind = incoming::content_type(headers);
    match recipe.content_types.is_empty() || recipe.content_types.contains(&kind) {
        true => Ok(()),
        false => Err(Refusal::WrongContentType { accepted: recipe.content_types.join(", ") }),
    }
}

/// Checks the hash of a body of which the fields are not signed.
fn check_body_hash(recipe: &Recipe, incoming: &Incoming) -> Result<(), Refusal> {
    let Some(name) = &recipe.signature.body_sha256_query else { return Ok(()) };
    if incoming.is_form() && recipe.signature.signs(&Part::Params) {
        return Ok(());
    }
    let expected = incoming.query(name);
    if expected.is_none() && incoming.body.is_empty() {
        return Ok(());
    }
    let expected = expected.ok_or_else(|| Refusal::BodyHashMissing { name: name.clone() })?;
    let actual = HEXLOWER.encode(&Sha256::digest(incoming.body));
    // The hash is signed and no secret.
    if expected.eq_ignore_ascii_case(&actual) { Ok(()) } else { Err(Refusal::BadSignature) }
}

/// The id, if it is part of the signed string.
fn signed_id(recipe: &Recipe, lookup: &Lookup) -> Result<String, Refusal> {
    match recipe.id.first() {
        Some(place) if recipe.signature.signs(&Part::Id) || recipe.signature.fields.is_some() => {
            let id = lookup.required(place)?;
            match (is_name(&id), place) {
                (true, _) => Ok(id),
                (false, Place::Header(name)) => {
                    Err(Refusal::malformed(name, "is not 1 to 256 printable characters"))
                }
                (false, _) => Err(Refusal::BadId),
            }
        }
        _ => Ok(String::new()),
    }
}

/// The timestamp as it was sent, if it is part of the signed string.
fn sent_timestamp(recipe: &Recipe, lookup: &Lookup) -> Result<String, Refusal> {
    match &recipe.timestamp {
        Some(it) if recipe.signature.signs(&Part::Timestamp) => match &it.at {
            Place::Header(_) => lookup.required(&it.at),
            other => lookup.find_once(other)?.ok_or(Refusal::TimestampMissing),
        },
        _ => Ok(String::new()),
    }
}

fn check_signature(
    recipe: &Recipe,
    secrets: &[String],
    text: &SignatureText,
    sent: &Sent,
    now_seconds: i64,
) -> Result<(), Refusal> {
    let signature = &recipe.signature;
    let candidates = text.candidates()?;
    let values = sent.values(recipe)?;
    let url = key_url(recipe, secrets, sent.incoming)?;
    let fetched = match (&signature.key_url, url, sent.incoming.certificate) {
        (Some(at), Some(url), Some(it)) => {
            Some(certificate::key(signature.algorithm, at, &url, it, now_seconds)?)
        }
        (Some(_), _, _) => return Err(Refusal::KeyUnavailable),
        (None, _, _) => None,
    };
    let usable = |it: &String| recipe.key(it).ok().map(|key| (it.clone(), key));
    let keys: Vec<(String, Key)> = secrets.iter().filter_map(usable).collect();
    if keys.is_empty() {
        return Err(Refusal::NoSecret);
    }
    // Every candidate meets every key, so that the time does not say which one fitted.
    let mut is_signed = Choice::from(0);
    for (secret, key) in &keys {
        let message = values.message(signature.signed.as_ref(), secret);
        if is_oracles(recipe, &message) {
            return Err(Refusal::BadSignature);
        }
        let key = fetched.as_ref().unwrap_or(key);
        is_signed |= check::is_signed(signature.algorithm, key, &message, &candidates);
    }
    if bool::from(is_signed) { Ok(()) } else { Err(Refusal::BadSignature) }
}

/// Whether a stranger could have had this signed by the handshake that signs for strangers, which
/// takes [`handshake::is_word`] only.
fn is_oracles(recipe: &Recipe, message: &[u8]) -> bool {
    let answers = recipe.challenge.as_ref().is_some_and(|it| it.signs_for_strangers());
    answers && handshake::is_word(message)
}

fn places(recipe: &Recipe) -> impl Iterator<Item = &Place> {
    let timestamp = recipe.timestamp.as_ref().map(|it| &it.at);
    recipe.id.iter().chain(&recipe.event_type).chain(timestamp)
}

fn reads_body(recipe: &Recipe) -> bool {
    let asks = recipe.challenge.as_ref().is_some_and(|it| it.method == ChallengeMethod::Post);
    asks || places(recipe).any(Place::is_in_body)
}

/// Whether the body has what is needed to check its signature.
fn reads_body_first(recipe: &Recipe) -> bool {
    let signature = &recipe.signature;
    let is_in_body = |it: Option<&Place>| it.is_some_and(Place::is_in_body);
    let timestamp = recipe.timestamp.as_ref().map(|it| &it.at);
    signature.pointer.is_some()
        || signature.fields.is_some()
        || signature.version.as_ref().is_some_and(|it| it.at.is_in_body())
        || signature.signs(&Part::Id) && is_in_body(recipe.id.first())
        || signature.signs(&Part::Timestamp) && is_in_body(timestamp)
}

/// The body as JSON, if it is any.
fn parse(recipe: &Recipe, incoming: &Incoming) -> Result<Option<Value>, Refusal> {
    match recipe.signature.fields {
        Some(_) => fields::parse(incoming.body),
        None => Ok(serde_json::from_slice(incoming.body).ok()),
    }
}

fn is_name(text: &str) -> bool {
    (1..=NAME_CHARS_MAX).contains(&text.chars().count()) && !text.contains(char::is_control)
}

fn hash(body: &[u8]) -> String {
    format!("sha256:{}", HEXLOWER.encode(&Sha256::digest(body)))
}
