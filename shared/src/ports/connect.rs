//! Connections of TCP, with TLS from the start or later.

use std::time::Duration;

/// Opens connections.
pub trait Connect {
    /// Connects to a host, and encrypts at once if that is asked for.
    ///
    /// Only to hosts that the operator allows for `tcp`; never to a private, loopback or link-local
    /// address unless the operator names it. Who it is that answers is checked when TLS begins: by a
    /// certificate for the host's own name that leads to a root that browsers trust, or to one that
    /// the operator adds (`tls_roots`, where TLS is ours).
    ///
    /// # Errors
    /// Why there is no connection.
    async fn connect(&self, to: &Destination) -> Result<impl Connection, ConnectError>;
}

/// A connection. Dropping it ends it.
pub trait Connection {
    /// What has come: at least a byte, and no more than [`READ_BYTES_MAX`]; nothing when the other
    /// side has ended.
    ///
    /// # Errors
    /// When it broke, or nothing came within the time.
    async fn read(&mut self, timeout: Duration) -> Result<Vec<u8>, ConnectError>;

    /// Hands all of it over.
    ///
    /// # Errors
    /// When it broke, or the other side took too long. Some of it may have arrived.
    async fn write(&mut self, bytes: &[u8], timeout: Duration) -> Result<(), ConnectError>;

    /// Encrypts what follows. Nothing that was sent before it may be unread.
    ///
    /// # Errors
    /// When the other side is not who it should be, or cannot do it. The connection is of no use
    /// then.
    async fn start_tls(&mut self, timeout: Duration) -> Result<(), ConnectError>;
}

/// The most that is read at once, in bytes.
pub const READ_BYTES_MAX: usize = 16 * 1024;

/// Where to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Destination {
    /// A name or an address, as in a URL: in lower case, IPv6 in brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    /// Whether it is encrypted from the start.
    pub tls: bool,
    /// How long to wait for the connection, and for TLS if that is asked for.
    pub timeout: Duration,
}

/// Why there is no connection, or none any more, in words that the tenant may read.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ConnectError {
    /// It is not one that may be connected to.
    #[error("{0}")]
    Refused(&'static str),
    /// The name leads nowhere.
    #[error("its name has no address: {0}")]
    Unknown(String),
    /// It took too long.
    #[error("nothing within {} ms", .0.as_millis())]
    Timeout(Duration),
    /// No connection, or it broke.
    #[error("the connection failed")]
    Broken(String),
    /// Whoever answers is not who it should be, or speaks no TLS that we do.
    #[error("no TLS: {0}")]
    Distrusted(String),
}

impl ConnectError {
    /// As it is for a host that the operator does not allow.
    pub const NOT_ALLOWED: Self = Self::Refused("the operator does not allow this address");
}
