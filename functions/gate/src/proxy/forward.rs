//! The walk of a request that is handed on: decided, sent to the origin while it comes, and
//! answered while the origin answers.

use std::{cell::Cell, pin::pin, rc::Rc, time::Duration};

use futures_util::{
    StreamExt,
    future::{Either, select},
    stream,
};
use http::request;
use shared::{
    domain::Principal,
    door,
    http::{Body, Broken, Chunks, HeaderValue, Method, Response, StatusCode, header},
    ports::{Edge, FetchError},
    problem::Problem,
    route::Call,
};

use super::{
    app::{self, App},
    header::{back, is_websocket, onward},
    identify::identify,
    passage::Passage,
    target,
};
use crate::limits::{answer, asked::Asked, check};

/// What is handed on. `CONNECT` and `TRACE` are for the proxy itself, and not every runtime can
/// send others.
const METHODS: [Method; 7] = [
    Method::GET,
    Method::HEAD,
    Method::POST,
    Method::PUT,
    Method::PATCH,
    Method::DELETE,
    Method::OPTIONS,
];

/// How far the body of a request has come.
#[derive(Default)]
struct Progress {
    bytes: Cell<u64>,
    is_too_large: Cell<bool>,
    is_broken: Cell<bool>,
}

/// Hands a request on, and the answer back.
///
/// # Errors
/// The problem to answer with in place of the origin.
pub async fn forward(
    edge: &impl Edge,
    principal: &Principal,
    call: &Call,
    body: Option<Chunks>,
) -> Result<Response, Problem> {
    let began = edge.now();
    let found = app::find(edge, principal, call.param()).await?;
    let app = found.ok_or_else(Problem::not_found)?;
    let (parts, ()) = call.request.clone().map(drop).into_parts();
    let mut out = http::Request::new(None);
    *out.uri_mut() = target::address(&app.origin, &app.path_prefix, &parts.uri)?;
    refuse_unfit(&app, &parts)?;
    let checked = check::decide(edge, principal, &asked(edge, &app, &parts)?).await?;
    if let Some(why) = &checked.key_refused {
        let problem = why.problem();
        return Err(match problem.status() {
            StatusCode::UNAUTHORIZED => door::slow_down(edge, &parts.headers, problem).await,
            _ => problem,
        });
    }
    if !checked.allowed {
        return Ok(answer::of(&checked, app.legacy_headers));
    }
    let mut passage = Passage::new(edge, principal, checked.receipt.clone().unwrap_or_default());
    *out.headers_mut() = onward(edge, &app, &parts);
    *out.method_mut() = parts.method;
    let outcome = send(edge, &app, out, body).await;
    let answer = match outcome {
        Ok(it) => it,
        Err(problem) => {
            passage.void(problem.status().as_u16());
            return Err(problem);
        }
    };
    let latency = edge.now().0.saturating_sub(began.0);
    passage.answered(answer.status().as_u16(), u64::try_from(latency).unwrap_or_default());
    // What holds nothing is settled now, and a lease when the body has ended.
    let held = checked.lease.is_some().then_some(passage);
    Ok(answer::with_fields(handed_back(answer, held), &checked, app.legacy_headers))
}

/// Refuses what cannot be handed on, before anything is taken for it.
fn refuse_unfit(app: &App, parts: &request::Parts) -> Result<(), Problem> {
    if !METHODS.contains(&parts.method) {
        return Err(Problem::method_not_allowed(&METHODS));
    }
    if is_websocket(&parts.headers) {
        let title = "The gate hands no WebSockets on";
        let problem = Problem::new(StatusCode::NOT_IMPLEMENTED, "/problems/gate/upgrade", title);
        return Err(problem.detail("connect to the origin itself, or use server-sent events"));
    }
    let length = parts.headers.get(header::CONTENT_LENGTH).and_then(|it| it.to_str().ok());
    let length = length.and_then(|it| it.parse().ok()).unwrap_or(0u64);
    if length > app.body_bytes_max {
        return Err(too_large(app));
    }
    if length > 0 && is_bodiless(&parts.method) {
        let why = format!("a {} with a body is not handed on: use POST", parts.method);
        return Err(Problem::invalid().detail(why));
    }
    Ok(())
}

/// Not every runtime can send a body with it, and no body has a meaning there (RFC 9110, 9.3.1).
fn is_bodiless(method: &Method) -> bool {
    *method == Method::GET || *method == Method::HEAD
}

fn too_large(app: &App) -> Problem {
    Problem::too_large(usize::try_from(app.body_bytes_max).unwrap_or(usize::MAX))
}

/// What the limits are asked of this request.
fn asked(edge: &impl Edge, app: &App, parts: &request::Parts) -> Result<Asked, Problem> {
    let named = |name: &String| {
        let value = parts.headers.get(name)?.to_str().ok()?;
        Some((name.clone(), value.into()))
    };
    let mut asked = Asked {
        app: app.name.clone(),
        ip: door::client_address(edge, &parts.headers).map(|it| it.to_string()),
        asn: door::client_asn(edge, &parts.headers),
        method: Some(parts.method.to_string()),
        route: Some(target::route(&app.routes, target::below(parts.uri.path()))),
        headers: app.policy_headers.iter().filter_map(named).collect(),
        meters: app.meters.clone(),
        receipt: true,
        ..Asked::default()
    };
    identify(&app.identify, &parts.headers, &mut asked)?;
    Ok(asked)
}

/// Sends a request to the origin while its body comes.
async fn send(
    edge: &impl Edge,
    app: &App,
    mut out: http::Request<Option<Chunks>>,
    body: Option<Chunks>,
) -> Result<Response, Problem> {
    let progress = Rc::new(Progress::default());
    let body = body.filter(|_| !is_bodiless(out.method()));
    let body = body.map(|it| limited(it, app.body_bytes_max, Rc::clone(&progress)));
    let exchange = async {
        *out.body_mut() = begun(body).await;
        if out.body().is_none() {
            out.headers_mut().remove(header::CONTENT_LENGTH);
            if !is_bodiless(out.method()) {
                out.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
            }
        }
        edge.forward(out).await
    };
    let silence = Duration::from_secs(app.forward_timeout_seconds.into());
    let answer = until_silent(edge, silence, &progress.bytes, exchange).await;
    answer.map_err(|err| match err {
        _ if progress.is_too_large.get() => too_large(app),
        _ if progress.is_broken.get() => Problem::invalid().detail("the body broke off"),
        other => no_answer(&other),
    })
}

fn no_answer(err: &FetchError) -> Problem {
    let (status, kind, title) = match err {
        FetchError::Refused => (
            StatusCode::BAD_GATEWAY,
            "/problems/gate/origin-refused",
            "The origin is not one that may be called",
        ),
        FetchError::Unreachable(_) => (
            StatusCode::BAD_GATEWAY,
            "/problems/gate/origin-unreachable",
            "The origin cannot be reached",
        ),
        FetchError::Timeout(_) => (
            StatusCode::GATEWAY_TIMEOUT,
            "/problems/gate/origin-timeout",
            "The origin has not answered in time",
        ),
    };
    let problem = Problem::new(status, kind, title);
    match err {
        FetchError::Unreachable(why) => problem.detail("nothing was counted").caused_by(why),
        _ => problem.detail("nothing was counted"),
    }
}

/// A body that has begun; none when it ends before it has. Not every runtime says beforehand
/// whether there is one.
async fn begun(body: Option<Chunks>) -> Option<Chunks> {
    let mut body = body?;
    let first = body.next().await?;
    Some(Box::pin(stream::iter([first]).chain(body)))
}

/// A body that breaks off when it is larger than this, in bytes.
fn limited(body: Chunks, bytes_max: u64, progress: Rc<Progress>) -> Chunks {
    Box::pin(body.map(move |it| {
        let chunk = it.inspect_err(|_| progress.is_broken.set(true))?;
        let bytes = progress.bytes.get().saturating_add(chunk.len() as u64);
        progress.bytes.set(bytes);
        if bytes > bytes_max {
            progress.is_too_large.set(true);
            return Err(Broken("it is too large".to_owned()));
        }
        Ok(chunk)
    }))
}

/// What comes of an exchange, unless nothing moves for so long.
async fn until_silent<T>(
    edge: &impl Edge,
    silence: Duration,
    moved: &Cell<u64>,
    exchange: impl Future<Output = Result<T, FetchError>>,
) -> Result<T, FetchError> {
    let mut exchange = pin!(exchange);
    loop {
        let before = moved.get();
        match select(exchange.as_mut(), pin!(edge.sleep(silence))).await {
            Either::Left((outcome, _)) => return outcome,
            Either::Right(_) if moved.get() == before => return Err(FetchError::Timeout(silence)),
            Either::Right(_) => {}
        }
    }
}

/// The answer as the client gets it; what is held is let go of with its body.
fn handed_back<E: Edge>(mut answer: Response, held: Option<Passage<E>>) -> Response {
    *answer.headers_mut() = back(answer.headers());
    // A runtime may refuse even an empty body with these (RFC 9110, 15.3.5, 15.3.6 and 15.4.5).
    if matches!(answer.status().as_u16(), 204 | 205 | 304) {
        return answer.map(|_| Body::default());
    }
    answer.map(|body| {
        Body::Stream(Box::pin(body.into_chunks().inspect(move |_| {
            let _ = &held;
        })))
    })
}
