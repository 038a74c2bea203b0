//! Connections of TCP: the runtime's sockets, which do TLS themselves.

use std::{
    future::poll_fn,
    io,
    pin::{Pin, pin},
    time::Duration,
};

use futures_util::{
    FutureExt,
    future::{Either, select},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use worker::{Delay, SecureTransport, Socket};

use super::Worker;
use crate::{
    outbound::{self, Reach},
    ports::{Connect, ConnectError, Connection, Destination, Edge, READ_BYTES_MAX},
};

/// The port to which Cloudflare lets nobody connect.
const MAIL_BETWEEN_SERVERS: u16 = 25;

impl Connect for Worker {
    async fn connect(&self, to: &Destination) -> Result<impl Connection, ConnectError> {
        let list = self.setting("outbound_hosts").await.ok().flatten().unwrap_or_default();
        if outbound::reach(&list, &to.host, to.port) == Reach::None {
            return Err(ConnectError::NOT_ALLOWED);
        }
        if to.port == MAIL_BETWEEN_SERVERS {
            let why = "Workers connect to no port 25: use 465 or 587";
            return Err(ConnectError::Refused(why));
        }
        let transport = match to.tls {
            true => SecureTransport::On,
            false => SecureTransport::StartTls,
        };
        let host = to.host.trim_start_matches('[').trim_end_matches(']');
        let socket = Socket::builder().secure_transport(transport).connect(host, to.port);
        let line = WorkerConnection(Some(socket.map_err(broken)?));
        line.opened(to.timeout).await?;
        Ok(line)
    }
}

/// A socket; none when it could not be upgraded.
struct WorkerConnection(Option<Socket>);

impl WorkerConnection {
    async fn opened(&self, timeout: Duration) -> Result<(), ConnectError> {
        let Some(socket) = &self.0 else { return Err(gone()) };
        within(timeout, async { socket.opened().await.map(drop).map_err(broken) }).await
    }
}

impl Connection for WorkerConnection {
    async fn read(&mut self, timeout: Duration) -> Result<Vec<u8>, ConnectError> {
        let Some(socket) = &mut self.0 else { return Err(gone()) };
        let mut bytes = vec![0; READ_BYTES_MAX];
        let mut room = ReadBuf::new(&mut bytes);
        let read = poll_fn(|cx| Pin::new(&mut *socket).poll_read(cx, &mut room));
        within(timeout, read.map(|it| it.map_err(|it| failed(&it)))).await?;
        let count = room.filled().len();
        bytes.truncate(count);
        Ok(bytes)
    }

    async fn write(&mut self, bytes: &[u8], timeout: Duration) -> Result<(), ConnectError> {
        let Some(socket) = &mut self.0 else { return Err(gone()) };
        // A write of the runtime takes all of it.
        let written = poll_fn(|cx| Pin::new(&mut *socket).poll_write(cx, bytes));
        within(timeout, written.map(|it| it.map(drop).map_err(|it| failed(&it)))).await
    }

    async fn start_tls(&mut self, timeout: Duration) -> Result<(), ConnectError> {
        let socket = self.0.take().ok_or_else(gone)?;
        self.0 = Some(socket.start_tls());
        self.opened(timeout).await
    }
}

impl Drop for WorkerConnection {
    fn drop(&mut self) {
        if let Some(mut socket) = self.0.take() {
            // It is asked to close at once; when it has, nobody needs to know.
            let _ = pin!(socket.close()).now_or_never();
        }
    }
}

async fn within<T>(
    timeout: Duration,
    work: impl Future<Output = Result<T, ConnectError>>,
) -> Result<T, ConnectError> {
    match select(pin!(work), Delay::from(timeout)).await {
        Either::Left((done, _)) => done,
        Either::Right(_) => Err(ConnectError::Timeout(timeout)),
    }
}

fn gone() -> ConnectError {
    ConnectError::Broken("there is no connection any more".into())
}

fn broken(err: worker::Error) -> ConnectError {
    ConnectError::Broken(err.to_string())
}

fn failed(err: &io::Error) -> ConnectError {
    ConnectError::Broken(err.to_string())
}
