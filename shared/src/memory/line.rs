//! Connections of the host in memory: real ones, as far as its setting `outbound_hosts` allows.

use std::{
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream, ToSocketAddrs},
    time::{Duration, Instant},
};

use super::Memory;
use crate::{
    outbound::{self, Reach},
    ports::{Connect, ConnectError, Connection, Destination, Edge, READ_BYTES_MAX},
    tls::{Line, Wire},
};

impl Connect for Memory {
    async fn connect(&self, to: &Destination) -> Result<impl Connection, ConnectError> {
        let list = self.setting("outbound_hosts").await.ok().flatten().unwrap_or_default();
        let stream = stream(to, outbound::reach(&list, &to.host, to.port))?;
        let roots = self.setting("tls_roots").await.ok().flatten();
        let wire = Socket { stream, until: after(to.timeout), timeout: to.timeout };
        let mut line = Line::new(wire, to, roots.as_deref(), self.now())?;
        if to.tls {
            line.start_tls().await?;
        }
        Ok(MemoryConnection(line))
    }
}

/// The address that is checked is the one that is connected to.
fn stream(to: &Destination, reach: Reach) -> Result<TcpStream, ConnectError> {
    let name = to.host.trim_start_matches('[').trim_end_matches(']');
    if reach == Reach::None {
        return Err(ConnectError::NOT_ALLOWED);
    }
    let found = (name, to.port).to_socket_addrs();
    let found = found.map_err(|it| ConnectError::Unknown(it.to_string()))?;
    let may = |it: &SocketAddr| reach == Reach::Any || outbound::is_public(it.ip());
    let mut last = ConnectError::NOT_ALLOWED;
    for address in found.filter(may) {
        match TcpStream::connect_timeout(&address, to.timeout) {
            Ok(stream) => return Ok(stream),
            Err(err) => last = ConnectError::Broken(err.to_string()),
        }
    }
    Err(last)
}

struct MemoryConnection(Line<Socket>);

impl MemoryConnection {
    fn within(&mut self, timeout: Duration) -> &mut Line<Socket> {
        (self.0.wire.until, self.0.wire.timeout) = (after(timeout), timeout);
        &mut self.0
    }
}

impl Connection for MemoryConnection {
    async fn read(&mut self, timeout: Duration) -> Result<Vec<u8>, ConnectError> {
        self.within(timeout).read().await
    }

    async fn write(&mut self, bytes: &[u8], timeout: Duration) -> Result<(), ConnectError> {
        self.within(timeout).write(bytes).await
    }

    async fn start_tls(&mut self, timeout: Duration) -> Result<(), ConnectError> {
        self.within(timeout).start_tls().await
    }
}

/// A socket, and when what is being done with it has to be done.
struct Socket {
    stream: TcpStream,
    until: Instant,
    timeout: Duration,
}

#[expect(clippy::disallowed_methods, reason = "a real peer takes real time")]
fn after(timeout: Duration) -> Instant {
    Instant::now() + timeout
}

impl Socket {
    #[expect(clippy::disallowed_methods, reason = "a real peer takes real time")]
    fn left(&self) -> Result<Option<Duration>, ConnectError> {
        let left = self.until.saturating_duration_since(Instant::now());
        (!left.is_zero()).then_some(Some(left)).ok_or(ConnectError::Timeout(self.timeout))
    }

    fn failed(&self, err: &std::io::Error) -> ConnectError {
        match err.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => ConnectError::Timeout(self.timeout),
            _ => ConnectError::Broken(err.to_string()),
        }
    }
}

impl Wire for Socket {
    async fn read(&mut self) -> Result<Vec<u8>, ConnectError> {
        let mut bytes = vec![0; READ_BYTES_MAX];
        let left = self.left()?;
        let read = self.stream.set_read_timeout(left).and_then(|()| self.stream.read(&mut bytes));
        bytes.truncate(read.map_err(|it| self.failed(&it))?);
        Ok(bytes)
    }

    async fn write(&mut self, bytes: Vec<u8>) -> Result<(), ConnectError> {
        let left = self.left()?;
        let written = self.stream.set_write_timeout(left);
        written.and_then(|()| self.stream.write_all(&bytes)).map_err(|it| self.failed(&it))
    }
}
