//! Requests to others, and to our own static files.

use std::{cell::RefCell, future::pending, pin::pin, rc::Rc};

use bytes::{Bytes, BytesMut};
use futures_util::{
    StreamExt,
    future::{Either, select},
};
use http_body_util::BodyExt;
use worker::{
    AbortController, AbortSignal, Delay, Env, HttpResponse as Incoming, Request, RequestInit,
    RequestRedirect,
};

use super::{ASSETS, Worker, streamed};
use crate::{
    http::{Body, Chunks, Response, header},
    outbound,
    ports::{Edge, Fetch, FetchError, Forward, HttpRequest, HttpResponse, PortError},
    serve,
};

/// The largest static file, in bytes.
const ASSET_BYTES_MAX: usize = 4 * 1024 * 1024;

impl Fetch for Worker {
    async fn fetch(&self, request: HttpRequest) -> Result<HttpResponse, FetchError> {
        let list = self.setting("outbound_hosts").await.ok().flatten().unwrap_or_default();
        if !outbound::allows(&list, &request.url) {
            return Err(FetchError::Refused);
        }
        let timeout = request.timeout;
        let stop = AbortController::default();
        let signal = stop.signal();
        let outcome = {
            let answer = pin!(send(request, &signal));
            match select(answer, Delay::from(timeout)).await {
                Either::Left((answer, _)) => Some(answer),
                Either::Right(_) => None,
            }
        };
        match outcome {
            Some(answer) => answer.map_err(|err| FetchError::Unreachable(err.to_string())),
            None => {
                stop.abort();
                Err(FetchError::Timeout(timeout))
            }
        }
    }
}

/// Ends an exchange when nobody waits for it any more.
struct Stop(RefCell<Option<AbortController>>);

impl Stop {
    fn now(&self) {
        if let Some(it) = self.0.take() {
            it.abort();
        }
    }
}

impl Drop for Stop {
    fn drop(&mut self) {
        self.now();
    }
}

/// A body that ends the whole exchange when it breaks off: the runtime would end the body alone, as
/// if that were all of it.
fn all_or_nothing(chunks: Chunks, stop: &Rc<Stop>) -> Chunks {
    let stop = Rc::downgrade(stop);
    Box::pin(chunks.then(move |it| {
        let stop = stop.clone();
        async move {
            if it.is_err() {
                if let Some(stop) = stop.upgrade() {
                    stop.now();
                }
                pending::<()>().await;
            }
            it
        }
    }))
}

impl Forward for Worker {
    async fn forward(
        &self,
        request: http::Request<Option<Chunks>>,
    ) -> Result<Response, FetchError> {
        let list = self.setting("outbound_hosts").await.ok().flatten().unwrap_or_default();
        let url = request.uri().to_string();
        if !url.parse().is_ok_and(|it| outbound::allows(&list, &it)) {
            return Err(FetchError::Refused);
        }
        let answer = forward(&url, request).await;
        answer.map_err(|err| FetchError::Unreachable(err.to_string()))
    }
}

async fn forward(url: &str, request: http::Request<Option<Chunks>>) -> worker::Result<Response> {
    let (mut parts, body) = request.into_parts();
    let controller = AbortController::default();
    let (signal, stop) = (controller.signal(), Rc::new(Stop(RefCell::new(Some(controller)))));
    let mut init = RequestInit::new();
    if let Some(chunks) = body {
        let chunks = all_or_nothing(chunks, &stop);
        let body = streamed::readable(chunks, streamed::length(&parts.headers))?;
        init.with_body(Some(body.into()));
    }
    parts.headers.remove(header::CONTENT_LENGTH);
    init.with_method(worker::Method::from(parts.method.as_str().to_owned()))
        .with_headers(streamed::headers(&parts.headers))
        .with_redirect(RequestRedirect::Manual);
    let out = Request::new_with_init(url, &init)?;
    let answer = worker::Fetch::Request(out).send_with_signal(&signal).await?;
    let answer: Incoming = answer.try_into()?;
    let (mut parts, body) = answer.into_parts();
    if parts.headers.contains_key(header::CONTENT_ENCODING) {
        // The runtime decodes it, and encodes it again for the client.
        parts.headers.remove(header::CONTENT_LENGTH);
    }
    let chunks = serve::chunks(body).inspect(move |_| {
        let _ = &stop; // As long as the body is read.
    });
    Ok(http::Response::from_parts(parts, Body::Stream(Box::pin(chunks))))
}

async fn send(request: HttpRequest, signal: &AbortSignal) -> worker::Result<HttpResponse> {
    let mut init = RequestInit::new();
    let headers = streamed::headers(&request.headers);
    init.with_method(worker::Method::from(request.method.as_str().to_owned()))
        .with_headers(headers)
        .with_redirect(RequestRedirect::Manual);
    if !request.body.is_empty() {
        let body = js_sys::Uint8Array::from(request.body.as_ref());
        init.with_body(Some(body.into()));
    }
    let out = Request::new_with_init(request.url.as_str(), &init)?;
    let answer = worker::Fetch::Request(out).send_with_signal(signal).await?;
    let answer: Incoming = answer.try_into()?;
    let (parts, body) = answer.into_parts();
    let (body, cut) = start_of(body, request.answer_bytes_max).await;
    Ok(HttpResponse { status: parts.status, headers: parts.headers, body, cut })
}

/// The first bytes of a body, and whether it broke off before its end.
async fn start_of(body: worker::Body, limit: usize) -> (Bytes, bool) {
    let mut chunks = pin!(body.into_data_stream());
    let (mut start, mut cut) = (BytesMut::new(), false);
    while start.len() < limit && !cut {
        match chunks.next().await {
            Some(Ok(chunk)) => start.extend_from_slice(&chunk),
            Some(Err(_)) => cut = true,
            None => break,
        }
    }
    start.truncate(limit);
    (start.freeze(), cut)
}

/// A static file, which the runtime keeps beside the module.
pub(super) async fn asset(env: &Env, path: &str) -> Result<Option<Bytes>, PortError> {
    let failed = |err: worker::Error| PortError::new("assets", err);
    let assets = env.assets(ASSETS).map_err(failed)?;
    // The runtime serves `index.html` under its folder's name only.
    let path = path.strip_suffix("index.html").unwrap_or(path);
    let answer = assets.fetch(format!("http://assets/{path}"), None).await.map_err(failed)?;
    if !answer.status().is_success() {
        return Ok(None);
    }
    match start_of(answer.into_body(), ASSET_BYTES_MAX).await {
        (file, false) => Ok(Some(file)),
        (_, true) => Err(PortError::new("assets", "the file broke off")),
    }
}
