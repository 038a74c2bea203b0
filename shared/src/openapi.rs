//! The API document (OpenAPI 3.1), put together from the routes and from the types that they take
//! and give. Nothing of this is left in what is deployed: the document is made by a test.

#![expect(clippy::indexing_slicing, reason = "assigning to a key of a JSON object adds it")]

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use utoipa::{
    ToSchema,
    openapi::{RefOr, Schema},
};

use crate::{
    domain::Page,
    problem::Problem,
    route::{Access, Route},
};

/// What a route of any method is documented with.
const METHODS: [&str; 7] = ["Get", "Put", "Post", "Delete", "Options", "Head", "Patch"];

/// What the document says of one operation, beside its route.
pub struct Operation {
    /// The route's operation.
    id: &'static str,
    /// What it does, in a sentence.
    summary: &'static str,
    /// What its body is, and whether it must have one.
    body: Option<(Named, bool)>,
    /// What it answers when all is well.
    status: u16,
    answer: Answer,
    /// What can stand in its query.
    query: Vec<(&'static str, &'static str)>,
    /// Whether it honours `If-Match`.
    conditional: bool,
}

enum Answer {
    Json(Named),
    Other(&'static str),
    Empty,
}

/// A type with the types that it is made of.
struct Named {
    name: String,
    schema: Value,
    parts: Vec<(String, RefOr<Schema>)>,
}

/// An operation that answers 200 and says no more than this.
pub fn operation(id: &'static str, summary: &'static str) -> Operation {
    let (body, query) = (None, Vec::new());
    Operation { id, summary, body, status: 200, answer: Answer::Empty, query, conditional: false }
}

impl Operation {
    /// It takes a `T`.
    pub fn takes<T: ToSchema>(self) -> Self {
        Self { body: Some((Named::of::<T>(), true)), ..self }
    }

    /// It takes a `T`, or nothing.
    pub fn may_take<T: ToSchema>(self) -> Self {
        Self { body: Some((Named::of::<T>(), false)), ..self }
    }

    /// It gives a `T`.
    pub fn gives<T: ToSchema>(self, status: u16) -> Self {
        Self { status, answer: Answer::Json(Named::of::<T>()), ..self }
    }

    /// It gives a page of `T`.
    pub fn gives_page<T: ToSchema>(mut self) -> Self {
        let mut named = Named::of::<Page<T>>();
        named.name = format!("{}Page", T::name());
        named.parts.push((T::name().into_owned(), T::schema()));
        self.query.push(("limit", "How many items the page has at most: 1 to 200, 50 by default."));
        self.query.push(("cursor", "What the page before gave as next."));
        Self { answer: Answer::Json(named), ..self }
    }

    /// It gives something else than JSON.
    pub fn gives_other(self, kind: &'static str) -> Self {
        Self { answer: Answer::Other(kind), ..self }
    }

    /// It gives nothing.
    pub fn gives_nothing(self) -> Self {
        Self { status: 204, ..self }
    }

    /// This can stand in its query.
    pub fn query(mut self, name: &'static str, what: &'static str) -> Self {
        self.query.push((name, what));
        self
    }

    /// It can be made conditional on the version that the client has read.
    pub fn conditional(self) -> Self {
        Self { conditional: true, ..self }
    }
}

impl Named {
    fn of<T: ToSchema>() -> Self {
        let mut parts = Vec::new();
        T::schemas(&mut parts);
        Self { name: T::name().into_owned(), schema: plain(&T::schema()), parts }
    }
}

fn plain(schema: &RefOr<Schema>) -> Value {
    serde_json::to_value(schema).unwrap_or_default()
}

/// The document for these routes.
///
/// # Errors
/// Names the routes without an operation, operations without a route, and types that share a name.
pub fn document(
    routes: impl Iterator<Item = &'static Route>,
    operations: Vec<Operation>,
) -> Result<Value, String> {
    let mut operations: BTreeMap<_, _> = operations.into_iter().map(|it| (it.id, it)).collect();
    let mut schemas = Schemas::default();
    schemas.add(Named::of::<Problem>())?;
    let mut paths = Map::new();
    for route in routes {
        let operation = operations
            .remove(route.operation)
            .ok_or_else(|| format!("{} is described by no schema.rs", route.operation))?;
        let described = describe(route, operation, &mut schemas)?;
        let path = paths.entry(route.path.replace("*}", "}")).or_insert_with(|| json!({}));
        if route.method == "*" {
            for method in METHODS {
                // Of operations that are alike, each has a name of its own all the same.
                let mut one = described.clone();
                one["operationId"] = json!(format!("{}By{method}", route.operation));
                path[method.to_ascii_lowercase()] = one;
            }
        } else {
            path[route.method.to_ascii_lowercase()] = described;
        }
    }
    match operations.keys().next() {
        Some(id) => Err(format!("{id} is described and has no route")),
        None => Ok(assemble(paths, schemas)),
    }
}

fn assemble(paths: Map<String, Value>, schemas: Schemas) -> Value {
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Backplane",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "The systems every SaaS product lacks, as small functions at the edge. \
                Errors are RFC 9457 problem documents whose type is stable. A POST that creates \
                takes an Idempotency-Key: the same request twice is done once.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": schemas.0,
            "securitySchemes": {
                "key": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "An API key of a tenant (bpk_…), or the operator's key with \
                        the header Backplane-Tenant naming the tenant to act for.",
                },
                "operator": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "The operator's key.",
                },
                "link": {
                    "type": "apiKey",
                    "in": "query",
                    "name": "link",
                    "description": "The token of a signed link to this path.",
                },
            },
        },
    })
}

#[derive(Default)]
struct Schemas(BTreeMap<String, Value>);

impl Schemas {
    /// Adds a type and its parts, and gives the reference to it.
    fn add(&mut self, named: Named) -> Result<Value, String> {
        for (name, schema) in &named.parts {
            self.put(name, plain(schema))?;
        }
        self.put(&named.name, named.schema)?;
        Ok(json!({"$ref": format!("#/components/schemas/{}", named.name)}))
    }

    fn put(&mut self, name: &str, schema: Value) -> Result<(), String> {
        match self.0.get(name) {
            Some(other) if *other != schema => Err(format!("two types are called {name}")),
            _ => {
                self.0.insert(name.to_owned(), schema);
                Ok(())
            }
        }
    }
}

fn describe(route: &Route, operation: Operation, schemas: &mut Schemas) -> Result<Value, String> {
    let mut described = json!({
        "operationId": operation.id,
        "summary": operation.summary,
        "tags": [tag(route.path)],
        "parameters": parameters(route, &operation),
        "security": security(route.access),
    });
    if let Access::Scope(scope) | Access::Customer(scope) = route.access {
        described["x-scope"] = json!(scope);
    }
    if let Some((body, required)) = operation.body {
        let schema = schemas.add(body)?;
        described["requestBody"] =
            json!({"required": required, "content": {"application/json": {"schema": schema}}});
    }
    let content = match operation.answer {
        Answer::Json(named) => json!({"application/json": {"schema": schemas.add(named)?}}),
        Answer::Other(kind) => json!({kind: {}}),
        Answer::Empty => json!({}),
    };
    let problem = json!({
        "description": "A problem, with what to do.",
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
    });
    let mut answers = json!({"default": problem});
    answers[operation.status.to_string()] = json!({"description": "Done.", "content": content});
    described["responses"] = answers;
    Ok(described)
}

/// The noun that a path is about.
fn tag(path: &str) -> &str {
    let mut segments = path.split('/').filter(|it| !it.is_empty());
    match segments.next() {
        Some("v1") => segments.next().unwrap_or("service"),
        Some("in") => "webhooks",
        Some("gate") => "limits",
        _ => "service",
    }
}

fn security(access: Access) -> Value {
    match access {
        Access::Public | Access::Address(_) => json!([]),
        Access::Operator | Access::OperatorTenant => json!([{"operator": []}]),
        Access::Scope(_) | Access::Customer(_) => json!([{"key": []}, {"link": []}]),
        Access::Whoever => json!([{"key": []}, {"link": []}, {}]),
    }
}

fn parameters(route: &Route, operation: &Operation) -> Vec<Value> {
    let text = |at: &str, name: &str, what: &str, required: bool| {
        json!({
            "name": name, "in": at, "required": required, "description": what,
            "schema": {"type": "string"},
        })
    };
    let mut parameters: Vec<_> = route
        .path
        .split('/')
        .filter_map(|it| it.strip_prefix('{')?.strip_suffix('}'))
        .map(|name| match name.strip_suffix('*') {
            Some(rest) => text("path", rest, "All that follows.", true),
            None => text("path", name, "Which one.", true),
        })
        .collect();
    parameters.extend(operation.query.iter().map(|(name, what)| text("query", name, what, false)));
    if route.method == "POST"
        && matches!(route.access, Access::Scope(_) | Access::Customer(_) | Access::OperatorTenant)
    {
        let what = "Any word of yours: the same request twice is done once.";
        parameters.push(text("header", "Idempotency-Key", what, false));
    }
    if operation.conditional {
        let what = "The ETag that you have read: 412 when it was changed since.";
        parameters.push(text("header", "If-Match", what, false));
    }
    parameters
}
