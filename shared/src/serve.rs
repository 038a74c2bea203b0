//! From a request to its answer, the same on every runtime.

use bytes::Bytes;
use futures_util::TryStreamExt;
use http::{HeaderMap, Method, Request, StatusCode, Uri, request::Parts};
use http_body_util::BodyDataStream;

use crate::{
    domain::Principal,
    door,
    function::Function,
    http::{Body, Broken, Chunks, Response},
    idempotency::Key,
    last_use,
    open::Open,
    ports::{Edge, Store},
    problem::Problem,
    route::{self, Call, Route},
    work,
};

/// The longest address that is read, in characters.
const URI_CHARS_MAX: usize = 8 * 1024;

/// A request that the door has let in.
pub struct Admitted {
    /// The route.
    pub route: &'static Route,
    /// Whose tenant to open; `None` for a route without one.
    pub principal: Option<Principal>,
}

/// Finds the route of a request and who asks.
///
/// # Errors
/// The problem to answer with.
pub async fn admit<F: Function>(
    edge: &impl Edge,
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
) -> Result<Admitted, Problem> {
    if uri.path_and_query().is_some_and(|it| it.as_str().len() > URI_CHARS_MAX) {
        return Err(Problem::new(
            StatusCode::URI_TOO_LONG,
            "/problems/uri-too-long",
            "The address is too long",
        ));
    }
    let route = route::find(F::routes(), method, uri.path())?;
    let principal = door::admit(edge, route, uri, headers).await?;
    Ok(Admitted { route, principal })
}

/// The call, its body read within the route's limit.
///
/// # Errors
/// The problem to answer with.
pub async fn call<B>(route: &'static Route, parts: Parts, body: B) -> Result<Call, Problem>
where
    B: http_body::Body<Data = bytes::Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let body = door::read_body(&parts.headers, body, route.body_bytes_max).await?;
    Call::new(route, Request::from_parts(parts, body)).ok_or_else(Problem::not_found)
}

/// Answers a request where it arrives: with its body read, or while that comes.
///
/// # Errors
/// The problem to answer with.
pub async fn at_edge<F: Function, B>(
    edge: &impl Edge,
    principal: &Principal,
    route: &'static Route,
    parts: Parts,
    body: B,
) -> Result<Response, Problem>
where
    B: http_body::Body<Data = Bytes> + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    if !route.streamed {
        let call = call(route, parts, body).await?;
        return F::at_edge(edge, principal, &call).await;
    }
    let body = (!body.is_end_stream()).then(|| chunks(body));
    let call = Call::new(route, Request::from_parts(parts, Bytes::new()));
    F::stream(edge, principal, &call.ok_or_else(Problem::not_found)?, body).await
}

/// A body as it comes. What trails it is left out.
pub fn chunks<B>(body: B) -> Chunks
where
    B: http_body::Body<Data = Bytes> + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    Box::pin(BodyDataStream::new(body).map_err(|err| Broken(err.into().to_string())))
}

/// Runs a call in the tenant of its principal: once for each idempotency key.
///
/// # Errors
/// The problem to answer with.
pub async fn run<F: Function, E: Edge, S: Store>(
    edge: &E,
    store: &S,
    principal: Principal,
    call: &Call,
) -> Result<Response, Problem> {
    let key = Key::of(&call.request, &principal.actor)?;
    let open = Open::new(edge, store, principal, key.clone()).await?;
    if let Some(key) = &key
        && let Some(replayed) = key.replay(&open).await?
    {
        return Ok(replayed);
    }
    let outcome = F::handle(&open, call).await;
    if let (Err(_), Some(key)) = (&outcome, &key)
        && let Some(replayed) = key.replay(&open).await?
    {
        // The same request was a moment faster.
        return Ok(replayed);
    }
    work::try_now::<F, _, _>(&open).await;
    last_use::remember(&open).await;
    outcome
}

/// Turns a problem into an answer, and tells the log what caused it. A HEAD is answered as a GET
/// is, without the body (RFC 9110, section 9.3.2).
pub fn finish(edge: &impl Edge, method: &Method, outcome: Result<Response, Problem>) -> Response {
    let response = outcome.unwrap_or_else(|problem| {
        if let Some(cause) = problem.cause() {
            edge.note(&format!("{} {}: {cause}", problem.status().as_u16(), problem.kind()));
        }
        problem.into_response()
    });
    if *method == Method::HEAD { response.map(|_| Body::default()) } else { response }
}

/// Makes a mounted function the module of Workers. Elsewhere it is nothing.
#[macro_export]
macro_rules! serve_worker {
    ($function:ident) => {
        #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
        mod module {
            use super::$function;
            $crate::worker_module!($function);
        }
    };
}

/// Makes a function the entry point of its component on Spin. Elsewhere it is nothing: on
/// Workers all functions are mounted in one module.
#[macro_export]
macro_rules! serve {
    ($function:ty) => {
        #[cfg(target_os = "wasi")]
        #[::spin_sdk::http_service]
        async fn serve(request: ::spin_sdk::http::Request) -> impl ::spin_sdk::http::IntoResponse {
            Ok::<_, String>($crate::spin::serve::<$function>(request).await)
        }
    };
}
