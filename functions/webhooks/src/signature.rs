//! Who signed a request: checks the signature of a webhook, and makes one. No I/O.

mod header;
mod refusal;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

use data_encoding::{BASE64, HEXLOWER};
use hmac::{Hmac, KeyInit, Mac};
use http::HeaderMap;
use serde_json::Value;
use sha1::Sha1;
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

use self::header::SignatureHeader;
pub use self::refusal::Refusal;
use crate::recipe::{
    Algorithm, Challenge, Encoding, Error, Form, Part, Place, Recipe, SignedAt, Template,
};

/// Most secrets that a source has at a time: one in use, the others being rotated in or out.
pub const SECRETS_MAX: usize = 5;
/// Most characters of a message's id and of an event's type.
pub const NAME_CHARS_MAX: usize = 256;
/// Most characters of the answer to a handshake.
pub const CHALLENGE_CHARS_MAX: usize = 1024;

/// What a request with a good signature says of itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Verified {
    /// What a second delivery of the same message has again: the provider's id, 1 to 256
    /// characters, or `sha256:` and the hash of the body in lower-case hex.
    pub message: String,
    /// The provider's name for what happened, 1 to 256 characters.
    pub event_type: Option<String>,
    /// What to answer as text/plain, when the request is a handshake and no event.
    pub challenge: Option<String>,
    /// When the request was signed, in seconds since 1970, if the provider says.
    pub signed_at_seconds: Option<i64>,
}

/// Checks that the holder of one of `secrets` signed this body, and not too long ago.
///
/// `body` is as it was sent, byte for byte. The first five secrets count, and those of another
/// shape than the recipe's are passed over. Which of them signed is neither told nor timed.
pub fn verify(
    recipe: &Recipe,
    secrets: &[String],
    headers: &HeaderMap,
    body: &[u8],
    now_seconds: i64,
) -> Result<Verified, Refusal> {
    let header = SignatureHeader::read(&recipe.signature, headers)?;
    let id = signed_id(recipe, headers)?;
    let timestamp = sent_timestamp(recipe, headers, &header)?;
    let message = pieces(&recipe.signature.signed, id, timestamp.unwrap_or_default(), body);
    check_signature(recipe, secrets, &header.candidates()?, &message)?;

    // Only now is the body known to be the provider's, and worth parsing.
    let json = reads_body(recipe).then(|| serde_json::from_slice(body).ok()).flatten();
    let request = Request { headers, header: &header, json: json.as_ref() };
    let signed_at_seconds = match &recipe.timestamp {
        Some(signed_at) => Some(check_age(signed_at, &request, now_seconds)?),
        None => None,
    };
    Ok(Verified {
        message: request.name(&recipe.id).unwrap_or_else(|| hash(body)),
        event_type: request.name(&recipe.event_type),
        challenge: recipe.challenge.as_ref().and_then(|it| answer(it, json.as_ref()?)),
        signed_at_seconds,
    })
}

/// The headers, name and value, by which the provider would have signed `body`.
///
/// `id` is 1 to 256 printable characters of ASCII. An id or a timestamp that the provider puts
/// in the body is left to the body.
pub fn sign(
    recipe: &Recipe,
    secret: &str,
    id: &str,
    timestamp_seconds: i64,
    body: &[u8],
) -> Result<Vec<(String, String)>, Error> {
    let key = recipe.secret.key(secret)?;
    let timestamp = timestamp_seconds.to_string();
    let message = pieces(&recipe.signature.signed, id, &timestamp, body);
    let tag = tag(recipe.signature.algorithm, &key, &message);

    let mut signature = write(&recipe.signature.form, &encode(recipe.signature.encoding, &tag));
    let mut headers = Vec::new();
    match recipe.timestamp.as_ref().map(|it| &it.at) {
        Some(Place::Header(name)) => headers.push((name.clone(), timestamp)),
        Some(Place::SignatureKey(key)) => signature = format!("{key}={timestamp},{signature}"),
        Some(Place::Pointer(_)) | None => {}
    }
    if let Some(Place::Header(name)) = recipe.id.first() {
        headers.push((name.clone(), id.to_owned()));
    }
    headers.push((recipe.signature.header.clone(), signature));
    Ok(headers)
}

/// A request, for looking things up in it.
struct Request<'a> {
    headers: &'a HeaderMap,
    header: &'a SignatureHeader<'a>,
    json: Option<&'a Value>,
}

impl Request<'_> {
    /// The first of `places` that holds a usable name. Numbers count as their digits.
    fn name(&self, places: &[Place]) -> Option<String> {
        places.iter().filter_map(|place| self.find(place)).find(|name| is_name(name))
    }

    fn find(&self, place: &Place) -> Option<String> {
        match place {
            Place::Header(name) => header::only(self.headers, name).ok().map(str::to_owned),
            Place::SignatureKey(key) => self.header.only(key).ok().flatten().map(str::to_owned),
            Place::Pointer(pointer) => match self.json?.pointer(pointer)? {
                Value::String(text) => Some(text.clone()),
                Value::Number(number) => Some(number.to_string()),
                _ => None,
            },
        }
    }
}

/// The id, if it is part of the signed string.
fn signed_id<'a>(recipe: &Recipe, headers: &'a HeaderMap) -> Result<&'a str, Refusal> {
    match recipe.id.first() {
        Some(Place::Header(name)) if recipe.signature.signed.mentions(&Part::Id) => {
            let id = header::only(headers, name)?;
            match is_name(id) {
                true => Ok(id),
                false => Err(Refusal::malformed(name, "is not 1 to 256 printable characters")),
            }
        }
        _ => Ok(""),
    }
}

/// The timestamp as it was sent, if it is not in the body.
fn sent_timestamp<'a>(
    recipe: &Recipe,
    headers: &'a HeaderMap,
    header: &SignatureHeader<'a>,
) -> Result<Option<&'a str>, Refusal> {
    match recipe.timestamp.as_ref().map(|it| &it.at) {
        Some(Place::Header(name)) => header::only(headers, name).map(Some),
        Some(Place::SignatureKey(key)) => match header.only(key)? {
            Some(text) => Ok(Some(text)),
            None => Err(Refusal::TimestampMissing),
        },
        Some(Place::Pointer(_)) | None => Ok(None),
    }
}

/// When the request was signed, unless that is too far from now.
fn check_age(signed_at: &SignedAt, request: &Request, now_seconds: i64) -> Result<i64, Refusal> {
    let text = request.find(&signed_at.at).ok_or(Refusal::TimestampMissing)?;
    // Digits only: `parse` would take a sign too, and no provider sends one.
    if !text.bytes().all(|it| it.is_ascii_digit()) {
        return Err(Refusal::TimestampMalformed);
    }
    let seconds: i64 = text.parse().map_err(|_| Refusal::TimestampMalformed)?;
    let age_seconds = now_seconds.saturating_sub(seconds);
    let tolerance_seconds = i64::from(signed_at.tolerance_seconds);
    if age_seconds > tolerance_seconds {
        Err(Refusal::TooOld { seconds: age_seconds })
    } else if age_seconds < -tolerance_seconds {
        Err(Refusal::TooNew { seconds: age_seconds.saturating_neg() })
    } else {
        Ok(seconds)
    }
}

fn check_signature(
    recipe: &Recipe,
    secrets: &[String],
    candidates: &[Vec<u8>],
    message: &[&[u8]],
) -> Result<(), Refusal> {
    let secrets = secrets.iter().take(SECRETS_MAX);
    let keys: Vec<_> = secrets.filter_map(|it| recipe.secret.key(it).ok()).collect();
    if keys.is_empty() {
        return Err(Refusal::NoSecret);
    }
    // Every candidate meets every key, so that the time does not say which one fitted.
    let mut is_signed = Choice::from(0);
    for key in &keys {
        let tag = tag(recipe.signature.algorithm, key, message);
        for candidate in candidates {
            is_signed |= candidate.as_slice().ct_eq(&tag);
        }
    }
    if bool::from(is_signed) { Ok(()) } else { Err(Refusal::BadSignature) }
}

fn pieces<'a>(
    signed: &'a Template,
    id: &'a str,
    timestamp: &'a str,
    body: &'a [u8],
) -> Vec<&'a [u8]> {
    let piece = |part: &'a Part| match part {
        Part::Literal(text) => text.as_bytes(),
        Part::Id => id.as_bytes(),
        Part::Timestamp => timestamp.as_bytes(),
        Part::Body => body,
    };
    signed.parts().iter().map(piece).collect()
}

fn tag(algorithm: Algorithm, key: &[u8], message: &[&[u8]]) -> Vec<u8> {
    match algorithm {
        Algorithm::HmacSha256 => mac::<Hmac<Sha256>>(key, message),
        Algorithm::HmacSha1 => mac::<Hmac<Sha1>>(key, message),
    }
}

fn mac<M: Mac + KeyInit>(key: &[u8], message: &[&[u8]]) -> Vec<u8> {
    let mut mac = <M as KeyInit>::new_from_slice(key).expect("HMAC takes keys of any length");
    message.iter().for_each(|piece| mac.update(piece));
    mac.finalize().into_bytes().to_vec()
}

fn encode(encoding: Encoding, tag: &[u8]) -> String {
    match encoding {
        Encoding::Hex => HEXLOWER.encode(tag),
        Encoding::Base64 => BASE64.encode(tag),
    }
}

fn write(form: &Form, signature: &str) -> String {
    match form {
        Form::Whole => signature.to_owned(),
        Form::Prefix(prefix) => format!("{prefix}{signature}"),
        Form::Pairs(key) => format!("{key}={signature}"),
        Form::Labelled(label) => format!("{label},{signature}"),
    }
}

fn reads_body(recipe: &Recipe) -> bool {
    let timestamp = recipe.timestamp.as_ref().map(|it| &it.at);
    let mut places = recipe.id.iter().chain(&recipe.event_type).chain(timestamp);
    recipe.challenge.is_some() || places.any(|place| matches!(place, Place::Pointer(_)))
}

fn answer(challenge: &Challenge, json: &Value) -> Option<String> {
    let is_handshake = json.pointer(&challenge.when)?.as_str()? == challenge.equals;
    let text = json.pointer(&challenge.answer)?.as_str()?;
    let is_short = text.chars().count() <= CHALLENGE_CHARS_MAX;
    (is_handshake && is_short).then(|| text.to_owned())
}

fn is_name(text: &str) -> bool {
    (1..=NAME_CHARS_MAX).contains(&text.chars().count()) && !text.contains(char::is_control)
}

fn hash(body: &[u8]) -> String {
    format!("sha256:{}", HEXLOWER.encode(&Sha256::digest(body)))
}
