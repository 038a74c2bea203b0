//! A POST without a body, over WASI 0.2.

use std::time::Duration;

use wasip2::{
    clocks::monotonic_clock::subscribe_duration,
    http::{
        outgoing_handler,
        types::{Fields, Method, OutgoingRequest, RequestOptions, Scheme},
    },
    io::poll::poll,
};

use crate::address::Address;

/// How long the connection may take.
const CONNECT: Duration = Duration::from_secs(5);
/// How long the answer may take. It comes when the work is done, and some ticks have much to do.
const FIRST_BYTE: Duration = Duration::from_secs(60);

/// Sends it and gives the status. Nobody needs the body of the answer, so it is not read.
pub fn post(address: &Address, path: &str, authorization: &str) -> Result<u16, String> {
    let request = request(address, path, authorization)?;
    let options = Some(options()?);
    let answer = outgoing_handler::handle(request, options).map_err(|err| failed(&err))?;
    // For what the host's own time-outs leave out, such as TLS: the plugin calls again anyway, and
    // each call that hangs would keep an instance.
    let deadline = subscribe_duration(nanos(CONNECT + FIRST_BYTE));
    poll(&[&answer.subscribe(), &deadline]);
    let answer = answer.get().and_then(Result::ok).ok_or("POST failed: there is no answer")?;
    Ok(answer.map_err(|err| failed(&err))?.status())
}

fn request(
    address: &Address,
    path: &str,
    authorization: &str,
) -> Result<OutgoingRequest, &'static str> {
    let header = |name: &str, value: &str| (name.to_owned(), value.as_bytes().to_vec());
    // Some proxies refuse a POST that does not say its length, and not every host says it.
    let headers = [header("authorization", authorization), header("content-length", "0")];
    let headers =
        Fields::from_list(&headers).map_err(|_| "operator_key cannot be sent in a header")?;
    let request = OutgoingRequest::new(headers);
    let scheme = if address.is_secure { Scheme::Https } else { Scheme::Http };
    request.set_method(&Method::Post).map_err(|()| "the method is refused")?;
    request.set_scheme(Some(&scheme)).map_err(|()| "the scheme is refused")?;
    request.set_authority(Some(address.authority)).map_err(|()| "backplane_url has a bad host")?;
    request.set_path_with_query(Some(path)).map_err(|()| "the path is refused")?;
    Ok(request)
}

fn options() -> Result<RequestOptions, &'static str> {
    let options = RequestOptions::new();
    let refused = "the host has no time-outs";
    options.set_connect_timeout(Some(nanos(CONNECT))).map_err(|()| refused)?;
    options.set_first_byte_timeout(Some(nanos(FIRST_BYTE))).map_err(|()| refused)?;
    Ok(options)
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn failed(err: &impl std::fmt::Debug) -> String {
    format!("POST failed: {err:?}")
}
