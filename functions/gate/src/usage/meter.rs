//! Meters: what is counted, and how events of it add up.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::json;
use shared::{
    domain::{Draft, Page},
    http::{Response, StatusCode, empty, etag, header, json as json_response, with_header},
    ports::Tenant,
    problem::Problem,
    route::Call,
};
use utoipa::ToSchema;

use super::store;

/// How many meters a tenant may have, deleted ones included.
pub const METERS_MAX: usize = 100;
/// The longest name of a meter or of a dimension, in characters.
pub const NAME_CHARS_MAX: usize = 64;
/// The longest unit, in characters.
pub const UNIT_CHARS_MAX: usize = 32;
/// The longest description, in characters.
pub const DESCRIPTION_CHARS_MAX: usize = 1000;

/// What the gate counts by itself: requests that passed.
pub const REQUESTS: &str = "gate.requests";
/// Requests that were refused.
pub const BLOCKED: &str = "gate.blocked";
/// What the requests that passed cost.
pub const UNITS: &str = "gate.units";
/// What the names of the meters that are built in begin with.
const BUILT_IN: &str = "gate.";

/// How events add up.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Aggregation {
    /// Their values, added.
    Sum,
    /// How many there are.
    Count,
    /// The largest value.
    Max,
    /// How many different values a dimension has.
    Unique,
}

/// Something that is counted.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Meter {
    /// The `type` of its events.
    pub name: String,
    /// How they add up.
    pub aggregation: Aggregation,
    /// Whose values are told apart, for `unique`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub dimension: String,
    /// What one of it is called, as `token`.
    pub unit: String,
    /// What it means.
    pub description: String,
    /// Counts its changes; its ETag.
    #[serde(skip)]
    pub version: i64,
    /// Whether it takes no events any more.
    #[serde(skip)]
    pub deleted: bool,
}

/// What is said of a meter.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MeterText {
    /// How events add up. It stays what it was at first, even if the meter is deleted meanwhile.
    pub aggregation: Aggregation,
    /// The dimension whose different values are counted, for `unique`. It stays as well.
    #[serde(default)]
    pub dimension: String,
    /// What one of it is called: up to 32 characters.
    #[serde(default)]
    pub unit: String,
    /// What it means: up to 1,000 characters.
    #[serde(default)]
    pub description: String,
}

/// Meters by their names.
pub type Meters = BTreeMap<String, Meter>;

impl Aggregation {
    /// As it is written.
    pub fn word(self) -> &'static str {
        match self {
            Self::Sum => "sum",
            Self::Count => "count",
            Self::Max => "max",
            Self::Unique => "unique",
        }
    }
}

/// The meters that every tenant has.
pub fn built_in() -> [Meter; 3] {
    let meter = |name: &str, unit: &str, description: &str| Meter {
        name: name.to_owned(),
        aggregation: Aggregation::Sum,
        dimension: String::new(),
        unit: unit.to_owned(),
        description: description.to_owned(),
        version: 1,
        deleted: false,
    };
    [
        meter(BLOCKED, "request", "Requests that the gate refused."),
        meter(REQUESTS, "request", "Requests that passed the gate."),
        meter(UNITS, "unit", "What the requests that passed the gate cost."),
    ]
}

/// 1 to 64 of A-Z a-z 0-9 . _ -
pub fn is_name(text: &str) -> bool {
    let part = |it: u8| it.is_ascii_alphanumeric() || b"._-".contains(&it);
    (1..=NAME_CHARS_MAX).contains(&text.len()) && text.bytes().all(part)
}

impl MeterText {
    fn check(&self) -> Result<(), Problem> {
        let has_dimension = !self.dimension.is_empty();
        if has_dimension != (self.aggregation == Aggregation::Unique) {
            return Err(Problem::unfitting("dimension", "unique, and nothing else, has one"));
        }
        if has_dimension && !is_name(&self.dimension) {
            return Err(bad_name("dimension"));
        }
        for (field, text, max) in [
            ("unit", &self.unit, UNIT_CHARS_MAX),
            ("description", &self.description, DESCRIPTION_CHARS_MAX),
        ] {
            if text.chars().count() > max {
                return Err(Problem::unfitting(field, format!("at most {max} characters")));
            }
        }
        Ok(())
    }
}

fn bad_name(field: &str) -> Problem {
    Problem::unfitting(field, format!("1 to {NAME_CHARS_MAX} of A-Z a-z 0-9 . _ -"))
}

fn is_built_in() -> Problem {
    let kind = "/problems/usage/built-in";
    Problem::new(StatusCode::CONFLICT, kind, "The meter is built in")
        .detail("names that begin with gate. are of the gate itself: choose another one")
}

fn kept() -> Problem {
    let kind = "/problems/usage/meter-kept";
    Problem::new(StatusCode::CONFLICT, kind, "The meter counts in another way")
        .detail("what was counted under a name keeps its meaning: choose another name")
}

fn too_many() -> Problem {
    let kind = "/problems/usage/too-many-meters";
    Problem::new(StatusCode::CONFLICT, kind, "There are too many meters")
        .detail(format!("at most {METERS_MAX}, deleted ones included"))
}

/// The meters of these names, built in or not; a deleted one is not among them.
///
/// # Errors
/// When they cannot be read.
pub async fn named(at: &impl Tenant, names: &[&str]) -> Result<Meters, Problem> {
    let built_in = built_in().into_iter().filter(|it| names.contains(&it.name.as_str()));
    let own = store::meters(at, names).await?;
    let all = own.into_iter().filter(|it| !it.deleted).chain(built_in);
    Ok(all.map(|it| (it.name.clone(), it)).collect())
}

/// Lists the meters, by name.
pub async fn list(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let (limit, cursor) = call.page()?;
    let after = cursor.as_ref().map_or("", |it| it.key());
    let mut all: Vec<_> = store::all_meters(at).await?;
    all.retain(|it| !it.deleted);
    all.extend(built_in());
    all.retain(|it| it.name.as_str() > after);
    all.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(json_response(StatusCode::OK, &Page::of(all, limit, |it| it.name.clone())))
}

/// Reads one.
pub async fn get(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let meter = named(at, &[call.param()]).await?.remove(call.param());
    let meter = meter.ok_or_else(Problem::not_found)?;
    let response = json_response(StatusCode::OK, &meter);
    Ok(with_header(response, header::ETAG, &etag(meter.version)))
}

/// Makes a meter, or changes what is said of it.
pub async fn put(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let (name, text): (_, MeterText) = (call.param().to_owned(), call.json()?);
    if !is_name(&name) {
        return Err(bad_name("name"));
    }
    if name.starts_with(BUILT_IN) {
        return Err(is_built_in());
    }
    text.check()?;
    let all = store::all_meters(at).await?;
    let before = all.iter().find(|it| it.name == name);
    let current = before.filter(|it| !it.deleted).map(|it| it.version);
    if call.if_match()?.is_some_and(|it| Some(it) != current) {
        return Err(Problem::changed_meanwhile());
    }
    match before {
        Some(it) if (it.aggregation, &it.dimension) != (text.aggregation, &text.dimension) => {
            return Err(kept());
        }
        None if all.len() >= METERS_MAX => return Err(too_many()),
        _ => {}
    }
    let version = before.map_or(1, |it| it.version + 1);
    let MeterText { aggregation, dimension, unit, description } = text;
    let meter = Meter { name, aggregation, dimension, unit, description, version, deleted: false };
    let said =
        json!({"aggregation": aggregation, "unit": meter.unit, "description": meter.description});
    let entry = Draft { action: "meter.put", subject: meter.name.clone(), data: said };
    let commit = store::put_meter(&meter, before.map(|it| it.version)).entry(entry);
    let response = json_response(StatusCode::OK, &meter);
    let response = with_header(response, header::ETAG, &etag(version));
    at.answer(commit, response, Problem::changed_meanwhile).await
}

/// Lets a meter take no more events. What it has counted stays, and so does its name.
pub async fn delete(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let name = call.param();
    let meter = named(at, &[name]).await?.remove(name).ok_or_else(Problem::not_found)?;
    if name.starts_with(BUILT_IN) {
        return Err(is_built_in());
    }
    if call.if_match()?.is_some_and(|it| it != meter.version) {
        return Err(Problem::changed_meanwhile());
    }
    let entry = Draft { action: "meter.deleted", subject: meter.name.clone(), data: json!({}) };
    let gone = Meter { version: meter.version + 1, deleted: true, ..meter };
    let commit = store::put_meter(&gone, Some(gone.version - 1)).entry(entry);
    at.answer(commit, empty(StatusCode::NO_CONTENT), Problem::changed_meanwhile).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(aggregation: Aggregation, dimension: &str) -> MeterText {
        let (unit, description) = (String::new(), String::new());
        MeterText { aggregation, dimension: dimension.to_owned(), unit, description }
    }

    #[test]
    fn only_unique_names_a_dimension() {
        assert!(text(Aggregation::Unique, "user").check().is_ok());
        assert!(text(Aggregation::Sum, "").check().is_ok());
        assert!(text(Aggregation::Unique, "").check().is_err());
        assert!(text(Aggregation::Max, "user").check().is_err());
    }

    #[test]
    fn a_name_is_short_and_plain() {
        assert!(is_name("tokens.in_v-2"));
        assert!(!is_name(""));
        assert!(!is_name("a b"));
        assert!(!is_name(&"a".repeat(NAME_CHARS_MAX + 1)));
    }

    #[test]
    fn the_words_of_aggregations_are_those_on_the_wire() {
        for it in [Aggregation::Sum, Aggregation::Count, Aggregation::Max, Aggregation::Unique] {
            assert_eq!(json!(it), it.word());
        }
    }
}
