//! The catalogue: which types of events there are, and what they look like.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use shared::{
    domain::{Draft, Id, Page},
    http::{Response, StatusCode, empty, etag, header, json as json_response, with_header},
    ports::Tenant,
    problem::Problem,
    route::Call,
};
use utoipa::ToSchema;

use super::{settings::is_word, store};

/// The longest description, in characters.
pub const DESCRIPTION_CHARS_MAX: usize = 1000;
/// The largest sample, in bytes of JSON.
pub const SAMPLE_BYTES_MAX: usize = 20 * 1024;

/// A type of events.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct EventType {
    /// As `invoice.paid`.
    pub name: String,
    /// When it is sent, and what it means.
    pub description: String,
    /// Data as such an event has it.
    #[schema(value_type = Object)]
    pub sample: Value,
    /// Counts its changes; its ETag.
    #[serde(skip)]
    pub version: i64,
}

/// What is said of a type.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EventTypeText {
    /// When it is sent, and what it means: up to 1,000 characters.
    #[serde(default)]
    pub description: String,
    /// Data as such an event has it; test events carry it.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub sample: Value,
}

/// Lists the catalogue, by name.
pub async fn list(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let (limit, cursor) = call.page()?;
    let after = cursor.as_ref().map_or("", |it| it.key());
    let types = store::list_event_types(at, after, limit + 1).await?;
    Ok(json_response(StatusCode::OK, &Page::of(types, limit, |it| it.name.clone())))
}

/// Reads one.
pub async fn get(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let found = store::find_event_type(at, call.param()).await?.ok_or_else(Problem::not_found)?;
    let response = json_response(StatusCode::OK, &found);
    Ok(with_header(response, header::ETAG, &etag(found.version)))
}

/// Puts one into the catalogue, or replaces it.
pub async fn put(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let (name, text): (_, EventTypeText) = (call.param().to_owned(), call.json()?);
    if !is_word(&name) {
        return Err(Problem::unfitting("name", "1 to 128 of A-Z a-z 0-9 . _ - : /"));
    }
    if text.description.chars().count() > DESCRIPTION_CHARS_MAX {
        let why = format!("at most {DESCRIPTION_CHARS_MAX} characters");
        return Err(Problem::unfitting("description", why));
    }
    if text.sample.to_string().len() > SAMPLE_BYTES_MAX {
        return Err(Problem::unfitting("sample", format!("at most {SAMPLE_BYTES_MAX} bytes")));
    }
    let before = store::find_event_type(at, &name).await?.map(|it| it.version);
    if call.if_match()?.is_some_and(|it| Some(it) != before) {
        return Err(Problem::changed_meanwhile());
    }
    let version = before.map_or(1, |it| it + 1);
    let put = EventType { name, description: text.description, sample: text.sample, version };
    let entry = Draft::new("event_type.put", &Id::trusted(put.name.clone()))
        .with(json!({"description": put.description}));
    let commit = store::put_event_type(&put, before).entry(entry);
    let response = json_response(StatusCode::OK, &put);
    let response = with_header(response, header::ETAG, &etag(version));
    at.answer(commit, response, Problem::changed_meanwhile).await
}

/// Takes one out of the catalogue. Events of it can still be published.
pub async fn delete(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let name = call.param();
    if store::find_event_type(at, name).await?.is_none() {
        return Err(Problem::not_found());
    }
    let entry = Draft::new("event_type.deleted", &Id::trusted(name.to_owned()));
    let commit = store::delete_event_type(name).entry(entry);
    at.answer(commit, empty(StatusCode::NO_CONTENT), Problem::not_found).await
}
