//! Handshakes: what a provider asks before it sends events, and what it wants to hear.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::{
    Algorithm, Error, Form, Part, Place, Signature,
    words::{check_header, check_hosts, check_text},
};

const CONDITIONS_MAX: usize = 4;
const HEADERS_MAX: usize = 4;
const HOSTS_MAX: usize = 4;
const TEXT_CHARS_MAX: usize = 80;
/// What stands for something in an answer.
const PLACEHOLDERS: [&str; 3] = ["{token}", "{hmac_hex}", "{hmac_base64}"];

/// A handshake.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Challenge {
    /// The method by which it is made; POST when left out. Of a POST only one with a good
    /// signature is answered; the others carry none.
    #[serde(default, skip_serializing_if = "ChallengeMethod::is_post")]
    pub method: ChallengeMethod,
    /// What tells a handshake from an event, all of them; at most 4, and one or more for a POST.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub when: Vec<Condition>,
    /// Where the text is for which `{token}` stands in the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<Place>,
    /// What to answer.
    pub answer: Answer,
}

/// The method of a handshake.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ChallengeMethod {
    /// POST, like the events.
    #[default]
    Post,
    /// GET, as of WebSub.
    Get,
    /// OPTIONS, as of CloudEvents.
    Options,
}

/// Something that a handshake says.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    /// Where.
    pub at: Place,
    /// What.
    pub is: Expected,
}

/// What a handshake says there.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Expected {
    /// This text, 1 to 80 characters.
    Text(String),
    /// This number.
    Number(i64),
    /// A secret of the source.
    Secret,
}

/// An answer. In its texts `{token}` stands for the text of the handshake, and `{hmac_hex}` and
/// `{hmac_base64}` for the HMAC-SHA256 of it by the source's newest secret.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// 200 with this as text/plain.
    Text(String),
    /// 200 with this JSON.
    Json(Value),
    /// 200 with these headers, which start with `webhook-`, and no body.
    Headers(BTreeMap<String, String>),
    /// 204.
    Empty,
    /// 200 without a body. The address that the token is, by https on one of these hosts, is
    /// visited soon: 1 to 4, in which a label that is `*` stands for a region such as `eu-west-1`.
    Visit(Vec<String>),
}

impl Challenge {
    /// Where it is looked for.
    pub(super) fn places(&self) -> impl Iterator<Item = &Place> {
        self.when.iter().map(|it| &it.at).chain(&self.token)
    }

    /// Whether a stranger can have something of their choice signed by the source's secret.
    pub fn signs_for_strangers(&self) -> bool {
        self.method != ChallengeMethod::Post && self.answer.mentions("{hmac_")
    }
}

impl ChallengeMethod {
    /// The method as HTTP writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Post => "POST",
            Self::Get => "GET",
            Self::Options => "OPTIONS",
        }
    }

    fn is_post(&self) -> bool {
        *self == Self::Post
    }
}

impl Answer {
    /// Whether `word` is in any of its texts.
    pub fn mentions(&self, word: &str) -> bool {
        self.texts().iter().any(|it| it.contains(word))
    }

    /// All texts in it.
    pub(super) fn texts(&self) -> Vec<&str> {
        match self {
            Self::Text(text) => vec![text],
            Self::Json(value) => {
                let mut texts = Vec::new();
                collect(value, &mut texts);
                texts
            }
            Self::Headers(headers) => headers.values().map(String::as_str).collect(),
            Self::Empty | Self::Visit(_) => Vec::new(),
        }
    }
}

fn collect<'a>(value: &'a Value, texts: &mut Vec<&'a str>) {
    match value {
        Value::String(text) => texts.push(text),
        Value::Array(items) => items.iter().for_each(|it| collect(it, texts)),
        Value::Object(fields) => fields.values().for_each(|it| collect(it, texts)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

impl Challenge {
    /// Says which rule the handshake breaks first, if any.
    pub(super) fn check(&self, signature: &Signature) -> Result<(), Error> {
        for place in self.places() {
            place.check(&Form::Whole)?;
            if self.method != ChallengeMethod::Post && place.is_in_body() {
                return Err(Error::BadChallenge("has no body but in a POST: use header or query"));
            }
        }
        for condition in &self.when {
            if let Expected::Text(text) = &condition.is {
                check_text("challenge.when.is.text", text, TEXT_CHARS_MAX)?;
            }
        }
        if self.when.len() > CONDITIONS_MAX {
            return Err(Error::BadChallenge("has at most 4 conditions in when"));
        }
        if self.method == ChallengeMethod::Post && self.when.is_empty() {
            return Err(Error::BadChallenge("of a POST needs when, else every event is one"));
        }
        self.check_secrets(signature)?;
        self.check_visit(signature)?;
        self.answer.check(self.token.is_some())
    }

    /// An address that we visit is the provider's word, and on its own hosts.
    fn check_visit(&self, signature: &Signature) -> Result<(), Error> {
        let Answer::Visit(hosts) = &self.answer else { return Ok(()) };
        let is_proven = self.method == ChallengeMethod::Post
            && matches!(self.token, Some(Place::Pointer(_)))
            && (signature.signs(&Part::Body) || signature.signs(&Part::Fields));
        match is_proven && check_hosts(hosts, HOSTS_MAX) {
            true => Ok(()),
            false => Err(Error::BadChallenge(
                "visits an address that is signed in the body of a POST, on 1 to 4 hosts in lower \
                 case such as sns.*.amazonaws.com",
            )),
        }
    }

    fn check_secrets(&self, signature: &Signature) -> Result<(), Error> {
        let compares = self.when.iter().any(|it| it.is == Expected::Secret);
        let signs = self.answer.mentions("{hmac_");
        let is_shared = !signature.algorithm.is_public() && signature.algorithm != Algorithm::None;
        match is_shared || !(compares || signs) {
            true => Ok(()),
            false => Err(Error::BadChallenge("uses a secret, and this recipe has none but a key")),
        }
    }
}

impl Answer {
    fn check(&self, has_token: bool) -> Result<(), Error> {
        for text in self.texts() {
            let bare = PLACEHOLDERS.iter().fold(text.to_owned(), |text, it| text.replace(it, ""));
            if bare.contains(['{', '}']) || bare.contains(char::is_control) {
                return Err(Error::BadChallenge(
                    "answers {token}, {hmac_hex} and {hmac_base64} in texts, and no other { or }",
                ));
            }
            if bare != text && !has_token {
                return Err(Error::BadChallenge("has no token to put into its answer: say where"));
            }
        }
        let Self::Headers(headers) = self else { return Ok(()) };
        headers.keys().try_for_each(|name| check_header(name))?;
        let is_ours = |name: &String| name.to_ascii_lowercase().starts_with("webhook-");
        match headers.len() <= HEADERS_MAX && headers.keys().all(is_ours) {
            true => Ok(()),
            false => {
                Err(Error::BadChallenge("answers at most 4 headers, which start with webhook-"))
            }
        }
    }
}
