//! Requests to others. Which hosts may be called, the manifest says and the runtime enforces,
//! private addresses included.

use std::pin::pin;

use bytes::{Bytes, BytesMut};
use futures_util::{
    StreamExt,
    future::{Either, select},
};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody};
use spin_sdk::wasip3::http::types::ErrorCode;

use super::{Spin, Written};
use crate::{
    http::{Body, Broken, Chunks, Response},
    ports::{Fetch, FetchError, Forward, HttpRequest, HttpResponse},
    serve,
};

impl Fetch for Spin {
    async fn fetch(&self, request: HttpRequest) -> Result<HttpResponse, FetchError> {
        fetch(request).await
    }
}

impl Forward for Spin {
    async fn forward(
        &self,
        request: http::Request<Option<Chunks>>,
    ) -> Result<Response, FetchError> {
        let request = request.map(|it| match it {
            Some(chunks) => body(chunks),
            None => full(Bytes::new()),
        });
        let answer = spin_sdk::http::send(request).await.map_err(failed)?;
        Ok(answer.map(|it| Body::Stream(serve::chunks(it.map_err(|err| err.to_string())))))
    }
}

/// A body that is all there.
pub(super) fn full(bytes: Bytes) -> Written {
    Box::pin(Full::new(bytes).map_err(|it| -> Broken { match it {} }))
}

/// A body of ours as one of the SDK's.
pub(super) fn body(chunks: Chunks) -> Written {
    Box::pin(StreamBody::new(chunks.map(|it| it.map(Frame::data))))
}

pub(super) async fn fetch(request: HttpRequest) -> Result<HttpResponse, FetchError> {
    let timeout = request.timeout;
    let timer = pin!(spin_sdk::time::sleep(timeout));
    match select(pin!(send(request)), timer).await {
        Either::Left((answer, _)) => answer,
        Either::Right(_) => Err(FetchError::Timeout(timeout)),
    }
}

async fn send(request: HttpRequest) -> Result<HttpResponse, FetchError> {
    let limit = request.answer_bytes_max;
    let mut out = http::Request::new(Full::new(request.body));
    *out.method_mut() = request.method;
    *out.headers_mut() = request.headers;
    *out.uri_mut() = request.url.as_str().parse().map_err(|_| FetchError::Refused)?;
    let answer = spin_sdk::http::send(out).await.map_err(failed)?;
    let (parts, body) = answer.into_parts();
    let (body, cut) = start_of(body, limit).await;
    Ok(HttpResponse { status: parts.status, headers: parts.headers, body, cut })
}

/// The first bytes of a body, and whether it broke off before its end.
async fn start_of<B>(body: B, limit: usize) -> (Bytes, bool)
where
    B: http_body::Body<Data = Bytes>,
{
    let mut body = pin!(body);
    let (mut start, mut cut) = (BytesMut::new(), false);
    while start.len() < limit && !cut {
        let Some(frame) = body.frame().await else { break };
        match frame.map(http_body::Frame::into_data) {
            Ok(Ok(data)) => start.extend_from_slice(&data),
            Ok(Err(_)) => {} // Trailers.
            Err(_) => cut = true,
        }
    }
    start.truncate(limit);
    (start.freeze(), cut)
}

fn failed(err: ErrorCode) -> FetchError {
    match err {
        ErrorCode::HttpRequestDenied
        | ErrorCode::DestinationIpProhibited
        | ErrorCode::HttpRequestUriInvalid => FetchError::Refused,
        other => FetchError::Unreachable(other.to_string()),
    }
}
