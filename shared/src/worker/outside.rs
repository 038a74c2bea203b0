//! Requests to others, and to our own static files.

use std::pin::pin;

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

use super::{ASSETS, Worker};
use crate::{
    outbound,
    ports::{Edge, Fetch, FetchError, HttpRequest, HttpResponse, PortError},
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

async fn send(request: HttpRequest, signal: &AbortSignal) -> worker::Result<HttpResponse> {
    let mut init = RequestInit::new();
    let headers = worker::Headers::from(request.headers);
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
