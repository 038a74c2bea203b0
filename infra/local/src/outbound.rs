//! Requests that components send: checked, then chained to another component or sent.

use std::{
    future::Future,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;
use hyper::{body::Incoming, client::conn::http1};
use tokio::{task::JoinHandle, time::Sleep};
use wasmtime_wasi::sockets::SocketAddrUse;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks, io::TokioIo};

use crate::{
    allowed_hosts::AllowedHosts, blocked_networks::BlockedNetworks, components::Components,
    headers::INTERNAL_DOMAIN, logs::say, target::Target,
};

/// How long a peer may be silent when the component does not say. As in Spin.
const SILENCE_SECONDS: u64 = 600;

/// What a component may reach.
#[derive(Clone)]
pub struct Outbound {
    /// By the component's manifest.
    pub allowed: Arc<AllowedHosts>,
    /// By the operator.
    pub blocked: Arc<BlockedNetworks>,
    /// By `http://NAME.spin.internal`.
    pub components: Components,
}

/// What drives the connection of an answer.
type Driver = Box<dyn Future<Output = Result<(), Error>> + Send>;

/// An answer, and what drives its connection.
type Sent = Result<(Response<WasiBody>, Driver), Error>;

impl WasiHttpHooks for Outbound {
    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _: Driver,
    ) -> Box<dyn Future<Output = Sent> + Send> {
        let outbound = self.clone();
        Box::new(async move { outbound.send(request, options.unwrap_or_default()).await })
    }
}

impl Outbound {
    /// Whether a socket may be used like this: to connect to an address that the manifest allows by
    /// the scheme `tcp`, and that is not blocked. As in Spin, which compares addresses and no names.
    pub fn allows_socket(&self, address: SocketAddr, usage: SocketAddrUse) -> bool {
        let host = match address {
            SocketAddr::V4(it) => it.ip().to_string(),
            SocketAddr::V6(it) => format!("[{}]", it.ip()),
        };
        match usage {
            // What the system does by itself for a socket that connects.
            SocketAddrUse::TcpBind => address.ip().is_unspecified() && address.port() == 0,
            SocketAddrUse::TcpConnect => {
                let allowed = self.allowed.allows("tcp", &host, address.port());
                if !allowed {
                    say(format!("tcp://{address} is not in allowed_outbound_hosts"));
                }
                allowed && !self.blocked.contains(address.ip())
            }
            _ => false,
        }
    }

    async fn send(self, request: Request<WasiBody>, options: RequestOptions) -> Sent {
        let target = Target::of(request.uri()).ok_or(Error::HttpRequestUriInvalid)?;
        if !self.allowed.allows(&target.scheme, &target.host, target.port) {
            let Target { scheme, host, port } = target;
            say(format!("{scheme}://{host}:{port} is not in allowed_outbound_hosts"));
            return Err(Error::HttpRequestDenied);
        }
        if let Some(name) = target.host.strip_suffix(INTERNAL_DOMAIN) {
            let answer = self.components.chain(name, request).await?;
            return Ok((answer, Box::new(std::future::ready(Ok(())))));
        }
        send(&target, &self.blocked, request, options).await
    }
}

/// Sends the request on a connection of its own. Redirects are answers like any other.
async fn send(
    target: &Target,
    blocked: &BlockedNetworks,
    mut request: Request<WasiBody>,
    options: RequestOptions,
) -> Sent {
    let silence = Duration::from_secs(SILENCE_SECONDS);
    let stream = target.connect(blocked, options.connect_timeout).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let connection = Connection(tokio::spawn(connection));

    let path = request.uri().path_and_query().cloned();
    *request.uri_mut() = path.map(Uri::from).unwrap_or_default();
    let first_byte = options.first_byte_timeout.unwrap_or(silence);
    let answer = tokio::time::timeout(first_byte, sender.send_request(request)).await;
    let answer = answer.map_err(|_| Error::ConnectionReadTimeout)??;

    let between_bytes = options.between_bytes_timeout.unwrap_or(silence);
    let answer = answer.map(|body| TimedBody::new(body, between_bytes).boxed_unsync());
    Ok((answer, Box::new(connection)))
}

/// Ends the connection when nobody waits for it any more.
struct Connection(JoinHandle<hyper::Result<()>>);

impl Future for Connection {
    type Output = Result<(), Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let ended = ready!(Pin::new(&mut self.0).poll(context));
        Poll::Ready(ended.map_or(Ok(()), |result| result.map_err(Error::from)))
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A body that fails when its peer is silent for too long.
struct TimedBody {
    body: Incoming,
    silence: Duration,
    deadline: Pin<Box<Sleep>>,
}

impl TimedBody {
    fn new(body: Incoming, silence: Duration) -> Self {
        Self { body, silence, deadline: Box::pin(tokio::time::sleep(silence)) }
    }
}

impl Body for TimedBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
            let deadline = tokio::time::Instant::now() + self.silence;
            self.deadline.as_mut().reset(deadline);
            return Poll::Ready(frame.map(|frame| frame.map_err(Error::from)));
        }
        ready!(self.deadline.as_mut().poll(context));
        Poll::Ready(Some(Err(Error::ConnectionReadTimeout)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outbound(hosts: &[&str], blocked: &[&str]) -> Outbound {
        let owned = |list: &[&str]| list.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
        Outbound {
            allowed: Arc::new(AllowedHosts::parse(&owned(hosts)).unwrap()),
            blocked: Arc::new(BlockedNetworks::parse(&owned(blocked)).unwrap()),
            components: Components::default(),
        }
    }

    #[test]
    fn a_socket_connects_where_the_manifest_says_for_tcp() {
        let outbound = outbound(&["https://*:*", "tcp://*:587", "tcp://127.0.0.1:*"], &[]);
        for (address, allowed) in [
            ("192.0.2.1:587", true),
            ("[2001:db8::1]:587", true),
            ("192.0.2.1:443", false),
            ("192.0.2.1:25", false),
            ("127.0.0.1:2525", true),
            ("127.0.0.2:2525", false),
        ] {
            let connect = SocketAddrUse::TcpConnect;
            let allows = outbound.allows_socket(address.parse().unwrap(), connect);
            assert_eq!(allows, allowed, "{address}");
        }
    }

    #[test]
    fn a_blocked_address_is_not_connected_to_whatever_the_manifest_says() {
        let outbound = outbound(&["tcp://*:*"], &["private"]);
        for (address, allowed) in [
            ("127.0.0.1:587", false),
            ("10.0.0.1:587", false),
            ("[::1]:587", false),
            ("[::ffff:10.0.0.1]:587", false),
            ("1.1.1.1:587", true),
        ] {
            let connect = SocketAddrUse::TcpConnect;
            let allows = outbound.allows_socket(address.parse().unwrap(), connect);
            assert_eq!(allows, allowed, "{address}");
        }
    }

    #[test]
    fn nobody_listens_or_sends_datagrams() {
        let outbound = outbound(&["tcp://*:*", "udp://*:*"], &[]);
        let address = "127.0.0.1:0".parse().unwrap();
        for usage in [
            SocketAddrUse::TcpBind,
            SocketAddrUse::TcpListen,
            SocketAddrUse::TcpAccept,
            SocketAddrUse::UdpBind,
            SocketAddrUse::UdpSend,
            SocketAddrUse::UdpReceive,
        ] {
            assert!(!outbound.allows_socket(address, usage), "{usage:?}");
        }
    }
}
