//! An event: something was used. It comes as CloudEvents 1.0 by HTTP, in any of the three modes.

use std::collections::BTreeMap;

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{json, value::RawValue};
use shared::{
    domain::{Timestamp, canonical, sha256_hex},
    http::{HeaderMap, Request, header, read_json},
    problem::Problem,
};
use utoipa::ToSchema;

use super::{
    amount::Decimal,
    meter::{NAME_CHARS_MAX, is_name},
};

/// The largest body, of an event or of a batch, in bytes.
pub const EVENTS_BYTES_MAX: usize = 512 * 1024;
/// How many events a batch may have.
pub const BATCH_MAX: usize = 100;
/// The longest source or id, in characters.
pub const ID_CHARS_MAX: usize = 200;
/// The longest subject or value of a dimension, in characters.
pub const WORD_CHARS_MAX: usize = 128;
/// How many dimensions an event may have.
pub const DIMENSIONS_MAX: usize = 8;
/// What begins the sources that the gate itself speaks for.
pub const GATE: &str = "gate:";

const SPEC_VERSION: &str = "1.0";
const BATCH: &str = "application/cloudevents-batch+json";
const STRUCTURED: &str = "application/cloudevents+json";

/// An event as it is sent.
#[derive(Debug, Deserialize, ToSchema)]
pub struct CloudEvent {
    /// `1.0`
    pub specversion: String,
    /// Of the sender's choice. The same again, of the same source, is counted once.
    pub id: String,
    /// Who says so.
    pub source: String,
    /// The name of a meter.
    #[serde(rename = "type")]
    pub kind: String,
    /// Which of your customers used it; empty for nobody in particular.
    #[serde(default)]
    pub subject: String,
    /// When; now when left out.
    #[serde(default)]
    pub time: Option<Timestamp>,
    /// The id of an event of the same source whose value this one replaces. Time, subject and
    /// dimensions stay those of the event that it corrects.
    #[serde(default)]
    pub corrects: Option<String>,
    /// How much, and of what.
    #[serde(default)]
    pub data: UsageData,
}

/// How much, and of what.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UsageData {
    /// How much: an integer, or a decimal with up to six places. A meter that counts, or counts
    /// different values, needs none.
    #[serde(default)]
    #[schema(value_type = Option<f64>)]
    pub value: Option<Decimal>,
    /// Up to eight short texts: `key`, `route`, `member` and others.
    #[serde(default)]
    pub dimensions: BTreeMap<String, String>,
}

/// For whom and where something was used; together with meter and time, which counter it is in.
#[derive(Clone, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct Place {
    /// The tenant's customer.
    pub subject: String,
    /// The customer's member.
    pub member: String,
    /// The API key.
    pub key: String,
    /// The route.
    pub route: String,
}

/// An event that makes sense by itself.
#[derive(Clone, Debug)]
pub struct Event {
    /// Who says so.
    pub source: String,
    /// The sender's id for it.
    pub id: String,
    /// The name of a meter, known or not.
    pub meter: String,
    /// For whom and where.
    pub place: Place,
    /// All dimensions.
    pub dimensions: BTreeMap<String, String>,
    /// How much, in millionths.
    pub value: Option<i64>,
    /// When, if the sender says so.
    pub time: Option<Timestamp>,
    /// Which event's value it replaces.
    pub corrects: Option<String>,
    /// By which a repetition is told from another event under the same id.
    pub hash: String,
}

/// What a body holds.
pub enum Sent {
    /// One event.
    One(Box<Event>),
    /// Several, each good or not.
    Batch(Vec<Result<Event, Problem>>),
}

impl Event {
    /// Checks what was sent.
    pub fn of(sent: CloudEvent) -> Result<Self, Problem> {
        if sent.specversion != SPEC_VERSION {
            return Err(Problem::unfitting("specversion", format!("send {SPEC_VERSION}")));
        }
        check_text("id", &sent.id, 1, ID_CHARS_MAX)?;
        check_text("source", &sent.source, 1, ID_CHARS_MAX)?;
        if sent.source.starts_with(GATE) {
            return Err(Problem::unfitting("source", "gate: is the gate's own: send another one"));
        }
        if !is_name(&sent.kind) {
            return Err(Problem::unfitting("type", "the name of a meter"));
        }
        check_text("subject", &sent.subject, 0, WORD_CHARS_MAX)?;
        if let Some(it) = &sent.corrects {
            check_text("corrects", it, 1, ID_CHARS_MAX)?;
        }
        let UsageData { value, dimensions } = sent.data;
        check_dimensions(&dimensions)?;
        let value = value.map(|it| it.0);
        let said = json!([sent.kind, sent.subject, sent.time, sent.corrects, value, dimensions]);
        let text = canonical(&said).map_err(|err| Problem::internal().caused_by(err))?;
        let dimension = |name: &str| dimensions.get(name).cloned().unwrap_or_default();
        Ok(Self {
            place: Place {
                subject: sent.subject,
                member: dimension("member"),
                key: dimension("key"),
                route: dimension("route"),
            },
            source: sent.source,
            id: sent.id,
            meter: sent.kind,
            dimensions,
            value,
            time: sent.time,
            corrects: sent.corrects,
            hash: sha256_hex(text.as_bytes()),
        })
    }
}

fn check_text(field: &str, text: &str, min: usize, max: usize) -> Result<(), Problem> {
    let fits = (min..=max).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    let why = || format!("{min} to {max} characters, and none of control");
    if fits { Ok(()) } else { Err(Problem::unfitting(field, why())) }
}

fn check_dimensions(dimensions: &BTreeMap<String, String>) -> Result<(), Problem> {
    let field = "data.dimensions";
    if dimensions.len() > DIMENSIONS_MAX {
        return Err(Problem::unfitting(field, format!("at most {DIMENSIONS_MAX}")));
    }
    for (name, word) in dimensions {
        if !is_name(name) {
            let why = format!("names are 1 to {NAME_CHARS_MAX} of A-Z a-z 0-9 . _ -");
            return Err(Problem::unfitting(field, why));
        }
        check_text(&format!("{field}.{name}"), word, 0, WORD_CHARS_MAX)?;
    }
    Ok(())
}

/// Reads the events of a request: one in binary mode if a header says so, else what the type of
/// the body says.
pub fn read(request: &Request) -> Result<Sent, Problem> {
    let headers = request.headers();
    let kind = text_of(headers, header::CONTENT_TYPE.as_str()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
    if kind == BATCH {
        return batch(request);
    }
    let sent = match text_of(headers, "ce-specversion") {
        Some(version) => binary(request, version)?,
        None if kind == STRUCTURED || kind == "application/json" => read_json(request)?,
        None => return Err(Problem::unsupported_media_type(STRUCTURED)),
    };
    Event::of(sent).map(|it| Sent::One(Box::new(it)))
}

fn batch(request: &Request) -> Result<Sent, Problem> {
    let all: Vec<Box<RawValue>> = read_json(request)?;
    if all.len() > BATCH_MAX {
        return Err(Problem::unfitting("", format!("at most {BATCH_MAX} events at once")));
    }
    let one = |it: Box<RawValue>| parse(it.get()).and_then(Event::of);
    Ok(Sent::Batch(all.into_iter().map(one).collect()))
}

fn parse<T: DeserializeOwned>(text: &str) -> Result<T, Problem> {
    serde_path_to_error::deserialize(&mut serde_json::Deserializer::from_str(text))
        .map_err(|err| Problem::unfitting(&err.path().to_string(), err.inner()))
}

/// Binary mode: attributes in headers, and the data as the body (HTTP binding, section 3.1).
fn binary(request: &Request, specversion: String) -> Result<CloudEvent, Problem> {
    let attribute = |name: &str| text_of(request.headers(), name);
    let needed = |name: &str, field| {
        attribute(name).ok_or_else(|| Problem::unfitting(field, format!("send it as {name}")))
    };
    let time = attribute("ce-time").map(|it| {
        Timestamp::parse(&it).ok_or_else(|| Problem::unfitting("time", "an RFC 3339 time"))
    });
    let data = if request.body().is_empty() { UsageData::default() } else { read_json(request)? };
    Ok(CloudEvent {
        specversion,
        id: needed("ce-id", "id")?,
        source: needed("ce-source", "source")?,
        kind: needed("ce-type", "type")?,
        subject: attribute("ce-subject").unwrap_or_default(),
        time: time.transpose()?,
        corrects: attribute("ce-corrects"),
        data,
    })
}

/// The value of a header, percent-decoded as the HTTP binding has it (section 3.1.3.2).
fn text_of(headers: &HeaderMap, name: &str) -> Option<String> {
    let value = headers.get(name)?.to_str().ok()?;
    Some(percent_encoding::percent_decode_str(value).decode_utf8_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(kind: &str, headers: &[(&str, &str)], body: &str) -> Request {
        let mut request = http::Request::post("/").header("content-type", kind);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(body.to_owned().into()).unwrap()
    }

    fn one(request: &Request) -> Event {
        match read(request) {
            Ok(Sent::One(it)) => *it,
            Ok(Sent::Batch(_)) => panic!("one was sent"),
            Err(problem) => panic!("{problem:?}"),
        }
    }

    const BODY: &str = r#"{"specversion":"1.0","id":"1","source":"app","type":"tokens","subject":"acmé","data":{"value":1.000001,"dimensions":{"key":"k"}}}"#;

    #[test]
    fn binary_and_structured_mode_say_the_same() {
        let headers = [
            ("ce-specversion", "1.0"),
            ("ce-id", "1"),
            ("ce-source", "app"),
            ("ce-type", "tokens"),
            ("ce-subject", "acm%C3%A9"),
        ];
        let data = r#"{"value":"1.000001","dimensions":{"key":"k"}}"#;

        let binary = one(&request("application/json", &headers, data));
        let structured = one(&request("application/cloudevents+json; charset=UTF-8", &[], BODY));

        assert_eq!(binary.hash, structured.hash);
        assert_eq!(structured.value, Some(1_000_001));
        assert_eq!((binary.place.subject.as_str(), binary.place.key.as_str()), ("acmé", "k"));
    }

    #[test]
    fn of_a_batch_the_good_ones_are_read() {
        let body = format!("[{BODY},{{\"id\":1}}]");

        let Ok(Sent::Batch(all)) = read(&request(BATCH, &[], &body)) else { panic!("a batch") };

        assert_eq!(all.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false]);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        for (from, to) in [
            ("\"1.0\"", "\"0.3\""),
            ("\"app\"", "\"gate:app\""),
            ("\"id\":\"1\"", "\"id\":\"\""),
            ("\"tokens\"", "\"no name\""),
            ("1.000001", "1.0000001"),
            ("\"key\":", "\"no name\":"),
            ("\"value\":", "\"valu\":"),
        ] {
            let body = BODY.replace(from, to);
            assert!(read(&request("application/json", &[], &body)).is_err(), "{body}");
        }
        let many = format!("[{}]", vec![BODY; BATCH_MAX + 1].join(","));
        assert!(read(&request(BATCH, &[], &many)).is_err());
        assert!(read(&request("text/plain", &[], BODY)).is_err());
    }
}
