//! What may be asked: method, path, and who may ask.

use std::borrow::Cow;

use http::Method;
use percent_encoding::percent_decode_str;
use serde::de::DeserializeOwned;

use crate::{
    domain::{Cursor, Id, LIMIT_DEFAULT, LIMIT_MAX},
    http::{BODY_BYTES_MAX, Request, header, read_json},
    problem::Problem,
};

/// One line of a function's table of routes.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    /// The method; `*` is any.
    pub method: &'static str,
    /// The path; `{name}` stands for one segment, and `{name*}` at the end for all that follow.
    pub path: &'static str,
    /// The word for it: what the function matches on, and the operation's id in the API document.
    pub operation: &'static str,
    /// Who may ask.
    pub access: Access,
    /// How many bytes of body are read.
    pub body_bytes_max: usize,
    /// Whether it is answered without opening the tenant.
    pub at_edge: bool,
    /// Whether its body is handed on as it comes, and not read: [`crate::function::Function::stream`].
    pub streamed: bool,
}

/// Who may ask, and how the tenant is found.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Access {
    /// Anybody; no tenant is opened.
    Public,
    /// The operator; no tenant is opened.
    Operator,
    /// A tenant's key or signed link with this scope, or the operator in the tenant's name.
    Scope(&'static str),
    /// As [`Access::Scope`], and whoever acts for one of the tenant's customers: the function shows
    /// and changes what is that customer's only.
    Customer(&'static str),
    /// The operator's own tenant, by the operator's key.
    OperatorTenant,
    /// Whoever the request shows: a key, a link, or the tenant's host name.
    Whoever,
    /// Whoever posts to an inbound address of this kind: the first parameter of the path is its
    /// name, and leads to the tenant. The function verifies the sender.
    Address(&'static str),
}

impl Route {
    /// A route with the usual limit for its body.
    pub const fn new(
        method: &'static str,
        path: &'static str,
        operation: &'static str,
        access: Access,
    ) -> Self {
        let body_bytes_max = BODY_BYTES_MAX;
        Self { method, path, operation, access, body_bytes_max, at_edge: false, streamed: false }
    }

    /// The same, answered where the request arrives: [`crate::function::Function::at_edge`]. Who
    /// may ask is remembered for a second.
    pub const fn at_edge(self) -> Self {
        Self { at_edge: true, ..self }
    }

    /// The same, answered where the request arrives and while its body comes.
    pub const fn streamed(self) -> Self {
        Self { at_edge: true, streamed: true, ..self }
    }

    /// The same with another limit for its body.
    pub const fn body(self, bytes_max: usize) -> Self {
        Self { body_bytes_max: bytes_max, ..self }
    }

    /// The parameters when `path` fits this route's pattern.
    pub fn params(&self, path: &str) -> Option<Vec<String>> {
        // Most routes differ before their first parameter, and this is asked of all of them.
        let fixed = self.path.split('{').next().unwrap_or_default();
        if !path.starts_with(fixed) {
            return None;
        }
        let mut params = Vec::new();
        let mut given = segments(path);
        for expected in segments(self.path) {
            let it = given.next()?;
            if expected.ends_with("*}") {
                return Some(params);
            }
            if expected.starts_with('{') {
                params.push(percent_decode_str(it).decode_utf8_lossy().into_owned());
            } else if expected != it {
                return None;
            }
        }
        given.next().is_none().then_some(params)
    }
}

fn segments(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').skip(1)
}

/// A request on its route.
#[derive(Debug)]
pub struct Call {
    /// The route.
    pub route: &'static Route,
    /// The request, its body read.
    pub request: Request,
    /// What stood in place of each `{name}`.
    params: Vec<String>,
}

impl Call {
    /// A request on the route that it fits.
    pub fn new(route: &'static Route, request: Request) -> Option<Self> {
        let params = route.params(request.uri().path())?;
        Some(Self { route, request, params })
    }

    /// The operation that is asked for.
    pub fn operation(&self) -> &'static str {
        self.route.operation
    }

    /// The first parameter of the path.
    pub fn param(&self) -> &str {
        self.params.first().map_or("", String::as_str)
    }

    /// The parameter of the path with this number, from 0.
    pub fn param_at(&self, number: usize) -> &str {
        self.params.get(number).map_or("", String::as_str)
    }

    /// The first parameter of the path as an id with this prefix.
    ///
    /// # Errors
    /// The same 404 as for an id that is well formed and unknown.
    pub fn id(&self, prefix: &str) -> Result<Id, Problem> {
        Id::parse(prefix, self.param()).ok_or_else(Problem::not_found)
    }

    /// The body as JSON; see [`read_json`].
    ///
    /// # Errors
    /// As [`read_json`].
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        read_json(&self.request)
    }

    /// The value of a query parameter, the first one of that name.
    pub fn query(&self, name: &str) -> Option<Cow<'_, str>> {
        let query = self.request.uri().query()?;
        form_urlencoded::parse(query.as_bytes()).find(|(it, _)| it == name).map(|(_, it)| it)
    }

    /// The version that the client has read, from `If-Match`; `None` when any will do.
    ///
    /// # Errors
    /// 412 when the header holds no tag of ours.
    pub fn if_match(&self) -> Result<Option<i64>, Problem> {
        let Some(value) = self.request.headers().get(header::IF_MATCH) else { return Ok(None) };
        let tag = value.to_str().unwrap_or("").trim();
        if tag == "*" {
            return Ok(None);
        }
        let version = tag.strip_prefix('"').and_then(|it| it.strip_suffix('"'));
        version.and_then(|it| it.parse().ok()).map(Some).ok_or_else(Problem::changed_meanwhile)
    }

    /// Which page is asked for: `limit` and `cursor`.
    ///
    /// # Errors
    /// 400 when either makes no sense.
    pub fn page(&self) -> Result<(u32, Option<Cursor>), Problem> {
        let limit = match self.query("limit") {
            None => LIMIT_DEFAULT,
            Some(it) => match it.parse() {
                Ok(it) if (1..=LIMIT_MAX).contains(&it) => it,
                _ => {
                    return Err(Problem::invalid().detail(format!("limit is 1 to {LIMIT_MAX}")));
                }
            },
        };
        let cursor = match self.query("cursor") {
            None => None,
            Some(it) => Some(Cursor::decode(&it).ok_or_else(|| {
                Problem::invalid().detail("cursor is what the page before gave as next")
            })?),
        };
        Ok((limit, cursor))
    }
}

/// Finds the route for a request.
///
/// # Errors
/// 404 when no route has this path; 405 with what is allowed when none has this method.
pub fn find(
    routes: impl Iterator<Item = &'static Route>,
    method: &Method,
    path: &str,
) -> Result<&'static Route, Problem> {
    let asked = if *method == Method::HEAD { "GET" } else { method.as_str() };
    let fitting: Vec<_> = routes.filter(|it| it.params(path).is_some()).collect();
    // A literal segment wins over a parameter in its place.
    let best = |it: &&&'static Route| it.path.matches('{').count();
    let asked = |it: &&&'static Route| it.method == asked || it.method == "*";
    if let Some(route) = fitting.iter().filter(asked).min_by_key(best) {
        return Ok(route);
    }
    let mut allowed: Vec<Method> = fitting.iter().filter_map(|it| it.method.parse().ok()).collect();
    allowed.dedup();
    if allowed.is_empty() {
        Err(Problem::not_found())
    } else {
        Err(Problem::method_not_allowed(&allowed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUTES: &[Route] = &[
        Route::new("GET", "/v1/links/{id}", "getLink", Access::Scope("links:read")),
        Route::new("DELETE", "/v1/links/{id}", "deleteLink", Access::Scope("links:write")),
        Route::new("GET", "/v1/links/latest", "getLatest", Access::Scope("links:read")),
        Route::new("*", "/gate/{app}/{rest*}", "forward", Access::Address("gate")).streamed(),
    ];

    #[test]
    fn a_literal_wins_over_a_parameter() {
        let route = find(ROUTES.iter(), &Method::GET, "/v1/links/latest").unwrap();

        assert_eq!(route.operation, "getLatest");
    }

    #[test]
    fn a_known_path_with_another_method_says_what_is_allowed() {
        let problem = find(ROUTES.iter(), &Method::POST, "/v1/links/x").unwrap_err();

        let response = problem.into_response();
        assert_eq!(response.status(), 405);
        assert_eq!(response.headers()["allow"], "GET, DELETE");
    }

    #[test]
    fn all_that_follows_fits_with_any_method() {
        let find = |method, path| find(ROUTES.iter(), &method, path).map(|it| it.operation).ok();

        for path in ["/gate/a/", "/gate/a/b", "/gate/a/b/c//d/"] {
            assert_eq!(find(Method::PATCH, path), Some("forward"), "{path}");
            assert_eq!(ROUTES[3].params(path).unwrap(), ["a"]);
        }
        assert_eq!(find(Method::HEAD, "/gate/a/b"), Some("forward"));
        assert_eq!(find(Method::GET, "/gate/a"), None);
    }

    #[test]
    fn a_parameter_is_decoded() {
        let params = ROUTES[0].params("/v1/links/a%3Ab%2Fc").unwrap();

        assert_eq!(params, ["a:b/c"]);
    }

    #[test]
    fn a_slash_too_many_is_another_path() {
        assert_eq!(find(ROUTES.iter(), &Method::GET, "/v1/links/").unwrap().operation, "getLink");
        assert!(find(ROUTES.iter(), &Method::GET, "/v1/links/x/").is_err());
        assert!(find(ROUTES.iter(), &Method::GET, "/v1//links/x").is_err());
        assert!(find(ROUTES.iter(), &Method::GET, "/").is_err());
    }
}
