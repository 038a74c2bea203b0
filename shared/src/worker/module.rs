//! The module's entry: the door at the edge, and the way to the tenant's object.

use bytes::Bytes;
use http::{Request, request::Parts};
use http_body_util::Full;
use worker::{Context, Env, HttpRequest, Response, ResponseBuilder};

use super::{
    Worker,
    object::{self, ERRAND},
    streamed,
};
use crate::{
    domain::{OPERATOR, Principal},
    door,
    function::Function,
    http::{Body, Response as Answer, empty},
    ports::Edge,
    problem::Problem,
    route, serve,
};

/// What came of a request at the edge: an answer of ours, or one of the tenant's object.
enum Outcome {
    Ours(Answer),
    Objects(Response),
}

/// Answers a request.
///
/// # Errors
/// When the answer cannot be handed to JavaScript.
pub async fn fetch<F: Function>(
    request: HttpRequest,
    env: Env,
    context: Context,
) -> worker::Result<Response> {
    let edge = Worker::within(env, context);
    let method = request.method().clone();
    match answer::<F>(&edge, request).await {
        Ok(Outcome::Objects(response)) => Ok(response),
        Ok(Outcome::Ours(response)) => write(serve::finish(&edge, &method, Ok(response))),
        Err(problem) => write(serve::finish(&edge, &method, Err(problem))),
    }
}

async fn answer<F: Function>(edge: &Worker, request: HttpRequest) -> Result<Outcome, Problem> {
    let (parts, body) = request.into_parts();
    let (method, uri) = (parts.method.clone(), parts.uri.clone());
    refuse_undeployed::<F>(edge, &parts).await?;
    let admitted = serve::admit::<F>(edge, &method, &uri, &parts.headers).await?;
    let Some(principal) = admitted.principal else {
        let call = serve::call(admitted.route, parts, body).await?;
        return F::edge(edge, &call).await.map(Outcome::Ours);
    };
    if admitted.route.at_edge {
        let answer = streamed::answer::<F>(edge, &principal, admitted.route, parts, body).await;
        return answer.map(Outcome::Ours);
    }
    let body = door::read_body(&parts.headers, body, admitted.route.body_bytes_max).await?;
    at_object(edge, &principal, parts, body).await.map(Outcome::Objects)
}

/// The answer of the tenant's object.
pub(super) async fn at_object(
    edge: &Worker,
    principal: &Principal,
    mut parts: Parts,
    body: Bytes,
) -> Result<Response, Problem> {
    let broken = |err: &dyn std::fmt::Display| Problem::unavailable().caused_by(err);
    let errand = object::errand(principal)?;
    let errand = errand.parse().map_err(|err| broken(&err))?;
    // Whatever the client put there is gone.
    parts.headers.insert(ERRAND, errand);
    parts.extensions.clear();
    let request = Request::from_parts(parts, Full::new(body));
    let request = request.try_into().map_err(|err: worker::Error| broken(&err))?;
    let response = object::send(&edge.0, &principal.tenant, request).await;
    let response = response.map_err(|err| broken(&err))?;
    let kind = response.headers().get("content-type").ok().flatten();
    if response.status_code() >= 500 && kind.is_none_or(|it| !it.ends_with("json")) {
        // The runtime's own words for an object that broke.
        return Err(Problem::internal().caused_by("the tenant's object broke"));
    }
    Ok(response)
}

/// One build can be deployed as several Workers, each with some of the functions: the setting
/// `functions` names them, comma-separated. All of them are there when it is not set.
pub(super) async fn refuse_undeployed<F: Function>(
    edge: &Worker,
    parts: &Parts,
) -> Result<(), Problem> {
    let Some(names) = edge.setting("functions").await? else { return Ok(()) };
    let route = route::find(F::routes(), &parts.method, parts.uri.path())?;
    let deployed = F::owners().into_iter().any(|(name, routes)| {
        names.split(',').any(|it| it.trim() == name)
            && routes.iter().any(|it| it.operation == route.operation)
    });
    if deployed { Ok(()) } else { Err(Problem::not_found()) }
}

/// The cron: opens the operator's object, so that an alarm of its that was lost is set again.
pub async fn scheduled(env: Env) {
    let edge = Worker::new(env);
    if let Err(err) = wake_operator(&edge).await {
        edge.note(&format!("cron: {err}"));
    }
}

async fn wake_operator(edge: &Worker) -> worker::Result<()> {
    let mut request =
        worker::Request::new("http://object/_alarm", worker::Method::Post)?.clone_mut()?;
    request.headers_mut()?.set(ERRAND, object::WAKE)?;
    object::send(&edge.0, OPERATOR, request).await.map(drop)
}

/// An answer of ours as one of the runtime's.
pub(super) fn write(response: Answer) -> worker::Result<Response> {
    let (parts, body) = response.into_parts();
    let builder = ResponseBuilder::new()
        .with_status(parts.status.as_u16())
        .with_headers(streamed::headers(&parts.headers));
    match body {
        // Some statuses must not have a body, not even an empty one.
        Body::Full(it) if it.is_empty() => Ok(builder.empty()),
        Body::Full(it) => Ok(builder.fixed(it.to_vec())),
        Body::Stream(chunks) => {
            Ok(builder.stream(streamed::readable(chunks, streamed::length(&parts.headers))?))
        }
    }
}

/// An answer without a body, for errands.
pub(super) fn done() -> Answer {
    empty(http::StatusCode::NO_CONTENT)
}

/// Makes `$function` the module: its events and the classes of its objects.
#[macro_export]
macro_rules! worker_module {
    ($function:ty) => {
        use ::wasm_bindgen::prelude::wasm_bindgen;
        use ::worker::{
            Context, DurableObject, Env, HttpRequest, Request, Response, Result, ScheduleContext,
            ScheduledEvent, State, durable_object, event, js_sys as js,
            wasm_bindgen_futures as futures,
        };

        #[event(fetch)]
        async fn fetch(request: HttpRequest, env: Env, context: Context) -> Result<Response> {
            $crate::worker::fetch::<$function>(request, env, context).await
        }

        #[event(scheduled)]
        async fn scheduled(_: ScheduledEvent, env: Env, _: ScheduleContext) {
            $crate::worker::scheduled(env).await;
        }

        /// A mail that Email Routing hands over. Gives why it is refused, or nothing.
        #[wasm_bindgen(js_sys = js, wasm_bindgen_futures = futures)]
        pub async fn mail(
            raw: ::std::vec::Vec<u8>,
            from: ::std::string::String,
            to: ::std::string::String,
            env: Env,
            context: ::worker::worker_sys::Context,
        ) -> ::std::result::Result<
            ::std::option::Option<::std::string::String>,
            ::wasm_bindgen::JsValue,
        > {
            let context = Context::new(context);
            $crate::worker::mail::<$function>(raw, &from, &to, env, context)
                .await
                .map_err(|err| ::wasm_bindgen::JsValue::from_str(&err))
        }

        /// A tenant: its database, its alarm, and the functions that work in it.
        #[durable_object(alarm)]
        pub struct TenantObject($crate::worker::Object);

        impl DurableObject for TenantObject {
            fn new(state: State, env: Env) -> Self {
                Self($crate::worker::Object::new(state, env))
            }

            async fn fetch(&self, request: Request) -> Result<Response> {
                self.0.fetch::<$function>(request).await
            }

            async fn alarm(&self) -> Result<Response> {
                self.0.alarm::<$function>().await
            }
        }

        /// A shard of the limiter.
        #[durable_object(alarm)]
        pub struct Limiter($crate::worker::LimiterState);

        impl DurableObject for Limiter {
            fn new(state: State, env: Env) -> Self {
                Self($crate::worker::LimiterState::new(&state, env))
            }

            async fn fetch(&self, _: Request) -> Result<Response> {
                Response::error("a limiter is asked by its method `decide`", 404)
            }

            async fn alarm(&self) -> Result<Response> {
                self.0.alarm().await
            }
        }

        #[::wasm_bindgen::prelude::wasm_bindgen]
        impl Limiter {
            /// Decides what is asked.
            pub fn decide(
                &self,
                asked: &str,
            ) -> ::std::result::Result<String, ::wasm_bindgen::JsValue> {
                self.0.decide(asked)
            }
        }
    };
}
