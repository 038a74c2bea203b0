//! Connections of TCP: wasi:sockets, with our own TLS. Which addresses may be connected to, the
//! manifest says and the runtime enforces, private ones included.
//!
//! Spin resolves no names for sockets (its issue 2181). What it learns to, it is asked first; till
//! then the operator's resolver is (`dns_url`, RFC 8484). One that lies leads nowhere that a
//! certificate does not let it.

use std::{net::IpAddr, pin::pin, time::Duration};

use data_encoding::BASE64URL_NOPAD;
use futures_util::future::{Either, select};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use spin_sdk::wasip3::{
    sockets::{
        ip_name_lookup::resolve_addresses,
        types::{
            ErrorCode, IpAddress, IpAddressFamily, IpSocketAddress, Ipv4SocketAddress,
            Ipv6SocketAddress, TcpSocket,
        },
    },
    wit_bindgen::{StreamReader, StreamResult, StreamWriter},
    wit_stream,
};
use url::{Host, Url};

use super::{Spin, outside};
use crate::{
    dns::{self, Family},
    ports::{
        Connect, ConnectError, Connection, Destination, Edge, HttpRequest, PortError,
        READ_BYTES_MAX,
    },
    tls::{Line, Wire},
};

impl Connect for Spin {
    async fn connect(&self, to: &Destination) -> Result<impl Connection, ConnectError> {
        within(to.timeout, open(to)).await.map(SpinConnection)
    }
}

async fn open(to: &Destination) -> Result<Line<Socket>, ConnectError> {
    let roots = Spin.setting("tls_roots").await.map_err(broken)?;
    let mut last = ConnectError::Unknown(to.host.clone());
    for address in addresses(to).await? {
        match Socket::connect(address, to.port).await {
            Ok(wire) => {
                let mut line = Line::new(wire, to, roots.as_deref(), Spin.now())?;
                if to.tls {
                    line.start_tls().await?;
                }
                return Ok(line);
            }
            Err(err) => last = err,
        }
    }
    Err(last)
}

async fn within<T>(
    timeout: Duration,
    work: impl Future<Output = Result<T, ConnectError>>,
) -> Result<T, ConnectError> {
    match select(pin!(work), pin!(spin_sdk::time::sleep(timeout))).await {
        Either::Left((done, _)) => done,
        Either::Right(_) => Err(ConnectError::Timeout(timeout)),
    }
}

struct SpinConnection(Line<Socket>);

impl Connection for SpinConnection {
    async fn read(&mut self, timeout: Duration) -> Result<Vec<u8>, ConnectError> {
        within(timeout, self.0.read()).await
    }

    async fn write(&mut self, bytes: &[u8], timeout: Duration) -> Result<(), ConnectError> {
        within(timeout, self.0.write(bytes)).await
    }

    async fn start_tls(&mut self, timeout: Duration) -> Result<(), ConnectError> {
        within(timeout, self.0.start_tls()).await
    }
}

/// A socket of the runtime. What is last in it goes last.
struct Socket {
    input: StreamReader<u8>,
    output: StreamWriter<u8>,
    _socket: TcpSocket,
}

impl Socket {
    async fn connect(address: IpAddr, port: u16) -> Result<Self, ConnectError> {
        let family = match address {
            IpAddr::V4(_) => IpAddressFamily::Ipv4,
            IpAddr::V6(_) => IpAddressFamily::Ipv6,
        };
        let socket = TcpSocket::create(family).map_err(|it| failed(&it))?;
        socket.connect(with_port(address, port)).await.map_err(|it| failed(&it))?;
        let (output, outgoing) = wit_stream::new();
        // How sending ended is seen by what comes back, or does not.
        drop(socket.send(outgoing));
        let (input, _) = socket.receive();
        Ok(Self { input, output, _socket: socket })
    }
}

impl Wire for Socket {
    async fn read(&mut self) -> Result<Vec<u8>, ConnectError> {
        let (result, bytes) = self.input.read(Vec::with_capacity(READ_BYTES_MAX)).await;
        match result {
            StreamResult::Complete(_) => Ok(bytes),
            StreamResult::Dropped | StreamResult::Cancelled => Ok(vec![]),
        }
    }

    async fn write(&mut self, bytes: Vec<u8>) -> Result<(), ConnectError> {
        match self.output.write_all(bytes).await.is_empty() {
            true => Ok(()),
            false => Err(ConnectError::Broken("the other side takes no more".into())),
        }
    }
}

fn with_port(address: IpAddr, port: u16) -> IpSocketAddress {
    match address {
        IpAddr::V4(it) => {
            let [a, b, c, d] = it.octets();
            IpSocketAddress::Ipv4(Ipv4SocketAddress { port, address: (a, b, c, d) })
        }
        IpAddr::V6(it) => {
            let [a, b, c, d, e, f, g, h] = it.segments();
            let address = (a, b, c, d, e, f, g, h);
            IpSocketAddress::Ipv6(Ipv6SocketAddress { port, flow_info: 0, address, scope_id: 0 })
        }
    }
}

async fn addresses(to: &Destination) -> Result<Vec<IpAddr>, ConnectError> {
    let name = match Host::parse(&to.host) {
        Ok(Host::Ipv4(it)) => return Ok(vec![it.into()]),
        Ok(Host::Ipv6(it)) => return Ok(vec![it.into()]),
        Ok(Host::Domain(name)) => name,
        Err(_) => return Err(ConnectError::NOT_ALLOWED),
    };
    if let Ok(found) = resolve_addresses(name.clone()).await {
        return Ok(found.into_iter().take(dns::ADDRESSES_MAX).map(address).collect());
    }
    let Some(resolver) = Spin.setting("dns_url").await.map_err(broken)? else {
        return Err(ConnectError::Unknown("the operator has set no dns_url".into()));
    };
    for family in [Family::V4, Family::V6] {
        let found = asked(&resolver, &name, family, to.timeout).await;
        match found {
            Some(found) if found.is_empty() => {}
            Some(found) => return Ok(found),
            None => return Err(ConnectError::Unknown("the resolver did not answer".into())),
        }
    }
    Err(ConnectError::Unknown(name))
}

fn address(it: IpAddress) -> IpAddr {
    match it {
        IpAddress::Ipv4((a, b, c, d)) => IpAddr::from([a, b, c, d]),
        IpAddress::Ipv6((a, b, c, d, e, f, g, h)) => IpAddr::from([a, b, c, d, e, f, g, h]),
    }
}

/// What the operator's resolver answers; nothing when it does not.
async fn asked(
    resolver: &str,
    name: &str,
    family: Family,
    timeout: Duration,
) -> Option<Vec<IpAddr>> {
    let mut url: Url = resolver.parse().ok()?;
    let question = BASE64URL_NOPAD.encode(&dns::question(name, family)?);
    url.query_pairs_mut().append_pair("dns", &question);
    let mut headers = HeaderMap::new();
    headers.insert(header::ACCEPT, HeaderValue::from_static(dns::MEDIA_TYPE));
    let request = HttpRequest {
        method: Method::GET,
        url,
        headers,
        body: Default::default(),
        timeout,
        answer_bytes_max: dns::ANSWER_BYTES_MAX,
    };
    let answer = outside::fetch(request).await.ok().filter(|it| it.status == StatusCode::OK)?;
    dns::addresses(&answer.body, family)
}

fn failed(err: &ErrorCode) -> ConnectError {
    match err {
        ErrorCode::AccessDenied => ConnectError::NOT_ALLOWED,
        other => ConnectError::Broken(other.to_string()),
    }
}

fn broken(err: PortError) -> ConnectError {
    ConnectError::Broken(err.to_string())
}
