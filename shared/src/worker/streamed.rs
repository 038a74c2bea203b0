//! Bodies as they come, in JavaScript's streams; and what becomes of them when the client hangs up.

use std::{
    cell::{Cell, RefCell},
    future::poll_fn,
    pin::pin,
    rc::Rc,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use futures_util::{
    StreamExt,
    future::{Either, select},
    stream,
};
use http::request::Parts;
use js_sys::Array;
use wasm_bindgen::{JsValue, closure::Closure};
use worker::{
    AbortSignal, Cf, Error, FixedLengthStream, Headers, ResponseBody, web_sys::ReadableStream,
    worker_sys,
};

use super::{Worker, database::call};
use crate::{
    domain::Principal,
    function::Function,
    http::{Body, Broken, Chunks, HeaderMap, Response, header},
    problem::Problem,
    route::Route,
    serve,
};

/// Where a function at the edge finds the number of the client's network. The runtime says it beside
/// the request, and not in a header of its own.
pub(super) const ASN: &str = "backplane-client-asn";

/// Answers a request at the edge. When the client hangs up, all that was done for it is dropped:
/// the runtime itself would leave it where it stands.
pub(super) async fn answer<F: Function>(
    edge: &Worker,
    principal: &Principal,
    route: &'static Route,
    mut parts: Parts,
    body: worker::Body,
) -> Result<Response, Problem> {
    say_asn(&mut parts);
    let signal = parts.extensions.remove::<AbortSignal>().filter(|_| route.streamed);
    let Some(signal) = signal else {
        return serve::at_edge::<F, _>(edge, principal, route, parts, body).await;
    };
    let client = Client::watch(&signal);
    let answer = {
        let answer = pin!(serve::at_edge::<F, _>(edge, principal, route, parts, body));
        match select(answer, pin!(client.has_gone())).await {
            Either::Left((answer, _)) => answer?,
            Either::Right(_) => return Err(Problem::unavailable().detail("the client is gone")),
        }
    };
    Ok(answer.map(|body| match body {
        Body::Stream(chunks) => Body::Stream(client.reads(chunks)),
        full @ Body::Full(_) => full,
    }))
}

/// Puts the number of the client's network in its header. Whatever the client put there is gone.
fn say_asn(parts: &mut Parts) {
    parts.headers.remove(ASN);
    if let Some(asn) = parts.extensions.get::<Cf>().and_then(Cf::asn) {
        parts.headers.insert(ASN, asn.into());
    }
}

/// Who waits for an answer.
struct Client {
    state: Rc<State>,
    /// Called when it hangs up.
    _hang_up: Closure<dyn FnMut()>,
}

#[derive(Default)]
struct State {
    has_gone: Cell<bool>,
    waker: RefCell<Option<Waker>>,
    /// What it reads, while nobody reads of it.
    body: RefCell<Option<Chunks>>,
}

impl Client {
    fn watch(signal: &AbortSignal) -> Self {
        let state = Rc::new(State::default());
        let told = Rc::clone(&state);
        let hang_up = Closure::<dyn FnMut()>::new(move || {
            told.has_gone.set(true);
            let (body, waker) = (told.body.take(), told.waker.take());
            drop(body);
            if let Some(it) = waker {
                it.wake();
            }
        });
        let listener: &JsValue = hang_up.as_ref();
        let arguments = Array::of2(&"abort".into(), listener);
        // Where the runtime has no such event, nothing is told.
        let _ = call(signal.as_ref(), "addEventListener", &arguments);
        Self { state, _hang_up: hang_up }
    }

    async fn has_gone(&self) {
        poll_fn(|context| {
            if self.state.has_gone.get() {
                return Poll::Ready(());
            }
            self.state.waker.replace(Some(context.waker().clone()));
            Poll::Pending
        })
        .await;
    }

    /// The body, until its client has gone.
    fn reads(self, chunks: Chunks) -> Chunks {
        self.state.body.replace(Some(chunks));
        Box::pin(stream::poll_fn(move |context| self.next(context)))
    }

    fn next(&self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Broken>>> {
        let Some(mut body) = self.state.body.take() else {
            return Poll::Ready(None);
        };
        let polled = body.poll_next_unpin(context);
        if !matches!(polled, Poll::Ready(None)) {
            self.state.body.replace(Some(body));
        }
        polled
    }
}

/// Chunks as a stream of JavaScript's. One whose length is known is sent with it.
pub(super) fn readable(chunks: Chunks, length: Option<u64>) -> worker::Result<ReadableStream> {
    let bytes = chunks.map(|it| match it {
        Ok(it) => Ok(it.to_vec()),
        Err(err) => Err(Error::from(err.to_string())),
    });
    if let Some(length) = length {
        let fixed = worker_sys::FixedLengthStream::from(FixedLengthStream::wrap(bytes, length));
        return Ok(fixed.readable());
    }
    match worker::Response::from_stream(bytes)?.body() {
        ResponseBody::Stream(it) => Ok(it.clone()),
        _ => Err(Error::from("a stream is no stream")),
    }
}

/// The length that headers name.
pub(super) fn length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Headers as the runtime has them. What is no text is left out: it cannot be said there.
pub(super) fn headers(map: &HeaderMap) -> Headers {
    let text = map.iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
    text.collect()
}
