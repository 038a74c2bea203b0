//! The catalogue from an OpenAPI document: each of its `webhooks` is a type of events.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use shared::{
    domain::{Commit, Draft, Id},
    http::{Response, StatusCode, json as json_response},
    ports::Tenant,
    problem::Problem,
};
use utoipa::ToSchema;

use super::{
    event_type::{DESCRIPTION_CHARS_MAX, EventType, SAMPLE_BYTES_MAX},
    settings::is_word,
    store,
};

/// The largest document, in bytes.
pub const DOCUMENT_BYTES_MAX: usize = 1024 * 1024;
/// How many webhooks a document may have.
pub const WEBHOOKS_MAX: usize = 200;
/// How deep a schema is followed to make a sample of it.
const DEPTH_MAX: usize = 16;
/// How many parts a sample that is made of a schema has at most.
const PARTS_MAX: usize = 1_000;

/// An OpenAPI 3.1 document, of which only the webhooks and what they refer to are read.
#[derive(Debug, Deserialize, ToSchema)]
pub struct OpenApiDocument {
    /// By name: each is a path item whose `post` says what is sent.
    #[schema(value_type = Object)]
    pub webhooks: Map<String, Value>,
    /// What they refer to.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub components: Value,
}

/// What was put into the catalogue.
#[derive(Debug, Serialize, ToSchema)]
pub struct ImportedEventTypes {
    /// The types, by name.
    pub items: Vec<EventType>,
}

/// Puts each webhook of a document into the catalogue, or replaces it there.
pub async fn import(at: &impl Tenant, document: OpenApiDocument) -> Result<Response, Problem> {
    if document.webhooks.is_empty() || document.webhooks.len() > WEBHOOKS_MAX {
        return Err(Problem::unfitting("webhooks", format!("1 to {WEBHOOKS_MAX}")));
    }
    let whole = json!({"components": document.components});
    let (mut items, mut commit) = (Vec::new(), Commit::new());
    for (name, item) in &document.webhooks {
        let mut put = event_type(name, item, &whole)?;
        let before = store::find_event_type(at, name).await?.map(|it| it.version);
        put.version = before.map_or(1, |it| it + 1);
        let entry = Draft::new("event_type.put", &Id::trusted(name.clone()))
            .with(json!({"description": put.description}));
        commit = commit.and(store::put_event_type(&put, before)).entry(entry);
        items.push(put);
    }
    let response = json_response(StatusCode::OK, &ImportedEventTypes { items });
    at.answer(commit, response, Problem::changed_meanwhile).await
}

fn event_type(name: &str, item: &Value, whole: &Value) -> Result<EventType, Problem> {
    if !is_word(name) {
        let why = format!("{name:?} is not 1 to 128 of A-Z a-z 0-9 . _ - : /");
        return Err(Problem::unfitting("webhooks", why));
    }
    let post = item.get("post").unwrap_or(&Value::Null);
    let text = |field: &str| post.get(field).and_then(Value::as_str);
    let description = text("description").or(text("summary")).unwrap_or_default();
    let description = description.chars().take(DESCRIPTION_CHARS_MAX).collect();
    let sample = sample(post, whole);
    if sample.to_string().len() > SAMPLE_BYTES_MAX {
        let why = format!("the sample of {name} is larger than {SAMPLE_BYTES_MAX} bytes");
        return Err(Problem::unfitting("webhooks", why));
    }
    Ok(EventType { name: name.to_owned(), description, sample, version: 1 })
}

/// The example that the document gives, or one made of the schema. Of a body that is an event as
/// a whole, as Standard Webhooks has it, the sample is its `data`.
fn sample(post: &Value, whole: &Value) -> Value {
    let body = resolved(post.get("requestBody").unwrap_or(&Value::Null), whole);
    let media = body.pointer("/content/application~1json").unwrap_or(&Value::Null);
    let named = media.get("examples").and_then(Value::as_object).and_then(|it| it.values().next());
    let named = named.map(|it| resolved(it, whole)).and_then(|it| it.get("value"));
    let sample = match media.get("example").or(named) {
        Some(it) => it.clone(),
        None => {
            let schema = media.get("schema").unwrap_or(&Value::Null);
            made(schema, whole, DEPTH_MAX, &mut PARTS_MAX.clone())
        }
    };
    match (sample.get("type"), sample.get("data")) {
        (Some(_), Some(data)) => data.clone(),
        _ => sample,
    }
}

/// What a `$ref` within the document leads to.
fn resolved<'a>(value: &'a Value, whole: &'a Value) -> &'a Value {
    let mut value = value;
    // A chain of references that leads back to itself ends as well.
    for _ in 0..DEPTH_MAX {
        let Some(reference) = value.get("$ref").and_then(Value::as_str) else { return value };
        let pointer = reference.strip_prefix('#').unwrap_or("/");
        value = whole.pointer(pointer).unwrap_or(&Value::Null);
    }
    &Value::Null
}

/// A value that fits a schema: its example, default or first choice, else by its type.
fn made(schema: &Value, whole: &Value, depth: usize, parts: &mut usize) -> Value {
    *parts = parts.saturating_sub(1);
    if depth == 0 || *parts == 0 {
        return Value::Null;
    }
    let schema = resolved(schema, whole);
    let first = |field: &str| schema.get(field).and_then(Value::as_array)?.first();
    let given = schema.get("example").or(schema.get("const")).or(schema.get("default"));
    if let Some(it) = given.or(first("examples")).or(first("enum")) {
        return it.clone();
    }
    if let Some(it) = first("oneOf").or(first("anyOf")) {
        return made(it, whole, depth - 1, parts);
    }
    if let Some(all) = schema.get("allOf").and_then(Value::as_array) {
        let mut merged = Map::new();
        for it in all {
            if let Value::Object(it) = made(it, whole, depth - 1, parts) {
                merged.extend(it);
            }
        }
        return merged.into();
    }
    let kind = schema.get("type");
    let kind = kind.and_then(Value::as_str).or_else(|| {
        let kinds = kind?.as_array()?.iter().filter_map(Value::as_str);
        kinds.into_iter().find(|it| *it != "null")
    });
    match kind {
        Some("string") => text(schema.get("format").and_then(Value::as_str)).into(),
        Some("integer") => schema.get("minimum").cloned().unwrap_or_else(|| json!(0)),
        Some("number") => schema.get("minimum").cloned().unwrap_or_else(|| json!(0.5)),
        Some("boolean") => true.into(),
        Some("array") => {
            let items = schema.get("items").unwrap_or(&Value::Null);
            vec![made(items, whole, depth - 1, parts)].into()
        }
        Some("null") => Value::Null,
        _ => object(schema, whole, depth, parts),
    }
}

fn object(schema: &Value, whole: &Value, depth: usize, parts: &mut usize) -> Value {
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
        return json!({});
    };
    let mut object = Map::new();
    for (name, it) in properties {
        object.insert(name.clone(), made(it, whole, depth - 1, parts));
    }
    object.into()
}

fn text(format: Option<&str>) -> &'static str {
    match format {
        Some("date-time") => "2030-01-01T00:00:00Z",
        Some("date") => "2030-01-01",
        Some("email") => "ada@example.com",
        Some("uri" | "url") => "https://example.com/",
        Some("uuid") => "00000000-0000-4000-8000-000000000000",
        _ => "text",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample_of(media: Value) -> Value {
        let post = json!({"requestBody": {"content": {"application/json": media}}});
        let whole = json!({"components": {"schemas": {
            "Money": {"type": "object", "properties": {"amount": {"type": "integer"}}},
            "Loop": {"type": "object", "properties": {"again": {"$ref": "#/components/schemas/Loop"}}},
            "Circle": {"$ref": "#/components/schemas/Circle"},
        }}});
        sample(&post, &whole)
    }

    #[test]
    fn an_example_is_taken_as_it_is_and_a_schema_makes_one() {
        assert_eq!(sample_of(json!({"example": {"n": 1}})), json!({"n": 1}));
        assert_eq!(sample_of(json!({"examples": {"a": {"value": [2]}}})), json!([2]));
        let schema = json!({"schema": {"type": "object", "properties": {
            "type": {"const": "invoice.paid"},
            "data": {"allOf": [
                {"$ref": "#/components/schemas/Money"},
                {"properties": {"mail": {"type": ["null", "string"], "format": "email"}}},
            ]},
        }}});
        assert_eq!(sample_of(schema), json!({"amount": 0, "mail": "ada@example.com"}));
    }

    #[test]
    fn a_schema_without_end_ends() {
        let looped = sample_of(json!({"schema": {"$ref": "#/components/schemas/Loop"}}));
        assert!(looped.to_string().len() < 1000);
        let circle = sample_of(json!({"schema": {"$ref": "#/components/schemas/Circle"}}));
        assert_eq!(circle, json!({}));
        let wide: Map<String, Value> =
            (0..9).map(|n| (n.to_string(), json!({"$ref": "#/components/schemas/Wide"}))).collect();
        let whole = json!({"components": {"schemas": {"Wide": {"properties": wide}}}});
        let schema = json!({"$ref": "#/components/schemas/Wide"});
        let made = made(&schema, &whole, DEPTH_MAX, &mut PARTS_MAX.clone());
        assert!(made.to_string().len() < 100_000);
    }
}
