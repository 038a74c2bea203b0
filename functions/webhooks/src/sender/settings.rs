//! What an endpoint wants: which events, in which shape, how fast. Pure.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use shared::{
    expression::{Expression, Trouble},
    problem::Problem,
};
use utoipa::ToSchema;

use super::{
    batch::{self, Batch},
    event::Event,
    handshake::HandshakeKind,
    http_message::Signatures,
};
use crate::source;

/// The longest description, in characters.
pub const DESCRIPTION_CHARS_MAX: usize = 256;
/// How many types, channels or versions an endpoint names.
pub const WORDS_MAX: usize = 100;
/// The longest of them, in characters.
pub const WORD_CHARS_MAX: usize = 128;
/// The highest rate, in attempts a second.
pub const RATE_MAX: u32 = 1000;

/// What an endpoint wants.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Where to deliver: an http or https address. Without one the receiver polls.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// What people call it, up to 256 characters.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Which types of events, as `invoice.paid` or `invoice.*`; all of them when empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub types: Vec<String>,
    /// Only events of one of these channels; all when empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub channels: Vec<String>,
    /// Only events of one of these versions of their payload; all when empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub versions: Vec<String>,
    /// Only events for which this CEL expression holds, as `event.data.amount > 100`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    /// What is sent instead of the event: the value of this CEL expression.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transform: Option<String>,
    /// How much of an event is sent.
    pub payload: Payload,
    /// Whether order matters.
    pub order: Order,
    /// At most this many attempts a second, 1 to 1000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate_per_second: Option<u32>,
    /// How its deliveries are signed: `standard`, `http_message` or both; `standard` when left out.
    #[serde(skip_serializing_if = "Signatures::is_default")]
    pub signatures: Signatures,
    /// That it takes several events in one request, as a JSON array; only where the order is fifo.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch: Option<Batch>,
    /// The handshake that it wants before anything is sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub handshake: Option<HandshakeKind>,
}

/// How much of an event is sent.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Payload {
    /// Type, time and data.
    #[default]
    Full,
    /// Type, time and the event's id: the receiver asks for the rest.
    Thin,
}

/// Whether order matters.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// Several at a time; one that fails holds up no other.
    #[default]
    Parallel,
    /// One after the other, by their numbers; one that fails holds up those after it.
    Fifo,
}

/// Whether an event is for an endpoint.
#[derive(Debug, PartialEq)]
pub enum Match {
    /// It is.
    Yes,
    /// It is not.
    No,
    /// It cannot be said: the filter failed on it.
    Unclear(String),
}

impl Settings {
    /// The settings, if all of them make sense.
    ///
    /// # Errors
    /// 422 with the field and what it has to be.
    pub fn checked(mut self) -> Result<Self, Problem> {
        self.url = source::target(self.url.as_deref(), "url")?;
        if self.description.chars().count() > DESCRIPTION_CHARS_MAX {
            let why = format!("at most {DESCRIPTION_CHARS_MAX} characters");
            return Err(Problem::unfitting("description", why));
        }
        check_words("types", &self.types, is_pattern)?;
        check_words("channels", &self.channels, is_word)?;
        check_words("versions", &self.versions, is_word)?;
        check_expression("filter", self.filter.as_deref())?;
        check_expression("transform", self.transform.as_deref())?;
        self.signatures.check()?;
        batch::check(&self)?;
        if self.rate_per_second.is_some_and(|it| !(1..=RATE_MAX).contains(&it)) {
            return Err(Problem::unfitting("rate_per_second", format!("1 to {RATE_MAX}")));
        }
        Ok(self)
    }

    /// Whether this event is for an endpoint with these settings.
    pub fn matches(&self, event: &Event) -> Match {
        let type_fits = self.types.is_empty() || self.types.iter().any(|it| fits(it, &event.kind));
        let channel_fits =
            self.channels.is_empty() || self.channels.iter().any(|it| event.channels.contains(it));
        let version_fits = self.versions.is_empty()
            || event.version.as_ref().is_some_and(|it| self.versions.contains(it));
        if !(type_fits && channel_fits && version_fits) {
            return Match::No;
        }
        let Some(filter) = &self.filter else { return Match::Yes };
        match expression(filter).and_then(|it| it.holds(&[("event", &event.document())])) {
            Ok(true) => Match::Yes,
            Ok(false) => Match::No,
            Err(err) => Match::Unclear(format!("the filter: {err}")),
        }
    }

    /// What is sent of this event.
    ///
    /// # Errors
    /// When the transform fails, in words for whoever wrote it.
    pub fn body(&self, event: &Event) -> Result<Value, String> {
        if let Some(transform) = &self.transform {
            let made =
                expression(transform).and_then(|it| it.evaluate(&[("event", &event.document())]));
            return made.map_err(|err| format!("the transform: {err}"));
        }
        let data = match self.payload {
            Payload::Full => event.data.clone(),
            Payload::Thin => json!({"id": event.id}),
        };
        Ok(json!({"type": event.kind, "timestamp": event.timestamp, "data": data}))
    }
}

/// An expression that was checked when it was written.
fn expression(text: &str) -> Result<Expression, Trouble> {
    Expression::parse(text).map_err(|err| Trouble::Failed(err.to_string()))
}

/// Whether the event's type is the pattern, or begins as it does.
fn fits(pattern: &str, kind: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => kind.starts_with(start),
        None => kind == pattern,
    }
}

fn check_words(
    field: &'static str,
    words: &[String],
    is_good: impl Fn(&str) -> bool,
) -> Result<(), Problem> {
    if words.len() > WORDS_MAX {
        return Err(Problem::unfitting(field, format!("at most {WORDS_MAX}")));
    }
    match words.iter().find(|it| !is_good(it)) {
        None => Ok(()),
        Some(it) => {
            let why = format!("{it:?} is not 1 to {WORD_CHARS_MAX} of A-Z a-z 0-9 . _ - : /");
            Err(Problem::unfitting(field, why))
        }
    }
}

/// Whether it is a word: of a type, a channel, a version or a customer.
pub fn is_word(text: &str) -> bool {
    let plain = text.bytes().all(|it| it.is_ascii_alphanumeric() || b"._-:/".contains(&it));
    (1..=WORD_CHARS_MAX).contains(&text.len()) && plain
}

/// A word, or the start of some, as `invoice.*`.
fn is_pattern(text: &str) -> bool {
    is_word(text.strip_suffix('*').filter(|it| !it.is_empty()).unwrap_or(text))
}

fn check_expression(field: &'static str, text: Option<&str>) -> Result<(), Problem> {
    match text.map(Expression::parse) {
        Some(Err(mistake)) => Err(Problem::unfitting(field, mistake)),
        Some(Ok(_)) | None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use shared::domain::{Id, Timestamp};

    use super::*;
    use crate::sender::trace::Trace;

    fn event(kind: &str, data: Value) -> Event {
        Event {
            id: Id::trusted("evt_1".to_owned()),
            kind: kind.to_owned(),
            customer: Some("acme".to_owned()),
            channels: vec!["eu".to_owned()],
            version: Some("v2".to_owned()),
            data,
            timestamp: Timestamp(0),
            trace: Trace::of_event(&Id::trusted("evt_1".to_owned())),
        }
    }

    fn settings(value: Value) -> Settings {
        serde_json::from_value::<Settings>(value).unwrap().checked().unwrap()
    }

    #[test]
    fn types_channels_versions_and_content_all_have_to_fit() {
        let paid = event("invoice.paid", json!({"amount": 120}));
        let fits = |it: Value| settings(it).matches(&paid) == Match::Yes;

        assert!(fits(json!({})));
        assert!(fits(json!({"types": ["ticket.opened", "invoice.*"]})));
        assert!(!fits(json!({"types": ["invoice.paid.twice"]})));
        assert!(fits(json!({"channels": ["us", "eu"], "versions": ["v2"]})));
        assert!(!fits(json!({"channels": ["us"]})));
        assert!(!fits(json!({"versions": ["v1"]})));
        assert!(fits(json!({"filter": "event.data.amount > 100"})));
        assert!(!fits(json!({"filter": "event.data.amount > 200"})));
    }

    #[test]
    fn a_filter_that_fails_on_an_event_is_unclear() {
        let filter = settings(json!({"filter": "event.data.amount > 100"}));

        let outcome = filter.matches(&event("invoice.paid", json!({})));

        assert!(matches!(outcome, Match::Unclear(_)), "{outcome:?}");
    }

    #[test]
    fn what_cannot_be_is_refused_with_its_field() {
        for (bad, field) in [
            (json!({"url": "ftp://example.com"}), "url"),
            (json!({"url": "http://webhooks.spin.internal/x"}), "url"),
            (json!({"types": ["*"]}), "types"),
            (json!({"filter": "event.data."}), "filter"),
            (json!({"transform": "{"}), "transform"),
            (json!({"rate_per_second": 0}), "rate_per_second"),
            (json!({"signatures": []}), "signatures"),
            (json!({"signatures": ["standard", "standard"]}), "signatures"),
        ] {
            let settings = serde_json::from_value::<Settings>(bad.clone()).unwrap();
            let problem = settings.checked().unwrap_err();
            assert!(format!("{problem:?}").contains(field), "{bad}: {problem:?}");
        }
    }

    #[test]
    fn a_thin_payload_has_the_id_only_and_a_transform_is_all_there_is() {
        let paid = event("invoice.paid", json!({"amount": 120}));

        let thin = settings(json!({"payload": "thin"})).body(&paid).unwrap();
        assert_eq!(thin["data"], json!({"id": "evt_1"}));

        let made = settings(json!({"transform": "{'sum': event.data.amount * 2}"})).body(&paid);
        assert_eq!(made.unwrap(), json!({"sum": 240}));
    }
}
