//! Whether the service is up, the API document, and its reference page.

pub mod schema;

use serde::Serialize;
use shared::{
    function::Function,
    http::{HeaderName, Response, StatusCode, header, json, respond, with_header},
    ports::{Edge, Tenant},
    problem::Problem,
    route::{Access, Call, Route},
};
use utoipa::ToSchema;

shared::serve!(Docs);

/// The capability.
pub struct Docs;

const ROUTES: &[Route] = &[
    Route::new("GET", "/v1/health", "getHealth", Access::Public),
    Route::new("GET", "/openapi.json", "getApiDocument", Access::Public),
    Route::new("GET", "/docs", "getReference", Access::Public),
    Route::new("GET", "/docs/{file}", "getReferenceFile", Access::Public),
];

/// The document, made from the types and held to them by a test.
const DOCUMENT: &str = include_str!("../../../fixtures/openapi.json");
/// What the reference page is made of: files of `build/assets/docs`.
const FILES: [(&str, &str); 3] = [
    ("reference.js", "text/javascript; charset=utf-8"),
    ("swagger-ui-bundle.js", "text/javascript; charset=utf-8"),
    ("swagger-ui.css", "text/css; charset=utf-8"),
];

/// That the service is up.
#[derive(Debug, Serialize, ToSchema)]
pub struct Health {
    /// `ok`
    pub status: &'static str,
}

impl Function for Docs {
    const NAME: &'static str = "docs";

    fn routes() -> impl Iterator<Item = &'static Route> {
        ROUTES.iter()
    }

    async fn handle(_: &impl Tenant, _: &Call) -> Result<Response, Problem> {
        Err(Problem::not_found())
    }

    async fn edge(edge: &impl Edge, call: &Call) -> Result<Response, Problem> {
        match call.operation() {
            "getHealth" => Ok(json(StatusCode::OK, &Health { status: "ok" })),
            "getApiDocument" => Ok(respond(StatusCode::OK, "application/json", DOCUMENT)),
            "getReference" => file(edge, "index.html", "text/html; charset=utf-8").await,
            "getReferenceFile" => {
                let known = FILES.iter().find(|(name, _)| *name == call.param());
                let (name, kind) = known.ok_or_else(Problem::not_found)?;
                file(edge, name, kind).await
            }
            _ => Err(Problem::not_found()),
        }
    }
}

async fn file(edge: &impl Edge, name: &str, kind: &'static str) -> Result<Response, Problem> {
    let found = edge.asset(&format!("docs/{name}")).await?;
    let body = found.ok_or_else(|| {
        Problem::not_found().detail("the reference page was not built; see the README")
    })?;
    let response = respond(StatusCode::OK, kind, body);
    let response = with_header(response, header::CACHE_CONTROL, "no-cache");
    // Nothing on these pages comes from anywhere else, and nobody may frame them.
    let policy = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                  frame-ancestors 'none'";
    Ok(with_header(response, HeaderName::from_static("content-security-policy"), policy))
}
