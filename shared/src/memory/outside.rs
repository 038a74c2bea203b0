//! Requests to others: to the network that the test made up.

use std::time::Duration;

use bytes::BytesMut;
use futures_util::TryStreamExt;

use super::Memory;
use crate::{
    http::{Body, Chunks, Response},
    ports::{Fetch, FetchError, Forward, HttpRequest, HttpResponse},
};

impl Fetch for Memory {
    async fn fetch(&self, request: HttpRequest) -> Result<HttpResponse, FetchError> {
        (self.0.network.borrow_mut())(request)
    }
}

impl Forward for Memory {
    /// The network of a test takes a whole request, and gives a whole answer.
    async fn forward(
        &self,
        request: http::Request<Option<Chunks>>,
    ) -> Result<Response, FetchError> {
        let (parts, body) = request.into_parts();
        let body = match body {
            Some(it) => it.try_collect::<BytesMut>().await,
            None => Ok(BytesMut::new()),
        };
        let answer = self.fetch(HttpRequest {
            method: parts.method,
            url: parts.uri.to_string().parse().map_err(|_| FetchError::Refused)?,
            headers: parts.headers,
            body: body.map_err(|err| FetchError::Unreachable(err.to_string()))?.freeze(),
            timeout: Duration::MAX,
            answer_bytes_max: usize::MAX,
        });
        let HttpResponse { status, headers, body, .. } = answer.await?;
        let body = Body::Stream(Body::Full(body).into_chunks());
        let mut response = http::Response::new(body);
        (*response.status_mut(), *response.headers_mut()) = (status, headers);
        Ok(response)
    }
}
