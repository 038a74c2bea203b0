//! Where a request goes, and the connection to it.

use std::{
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, OnceLock},
    time::Duration,
};

use http::Uri;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::{
    TlsConnector,
    rustls::{ClientConfig, RootCertStore, crypto::ring, pki_types::ServerName},
};
use wasmtime_wasi_http::Error;

use crate::{blocked_networks::BlockedNetworks, logs::say};

/// How long a connection may take when the component does not say. As in Spin.
const CONNECT_SECONDS: u64 = 600;

/// A scheme, a host and a port.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// `http` or `https`.
    pub scheme: String,
    /// A name or an address; IPv6 in brackets.
    pub host: String,
    /// Its own, or that of the scheme.
    pub port: u16,
}

/// A stream of bytes to somewhere.
pub trait Stream: AsyncRead + AsyncWrite + Send {}

impl<T: AsyncRead + AsyncWrite + Send> Stream for T {}

impl Target {
    /// Where a request with this address goes.
    pub fn of(uri: &Uri) -> Option<Self> {
        let scheme = uri.scheme_str().unwrap_or("https");
        let well_known = if scheme == "http" { 80 } else { 443 };
        Some(Self {
            scheme: scheme.to_owned(),
            host: uri.host()?.to_ascii_lowercase(),
            port: uri.port_u16().unwrap_or(well_known),
        })
    }

    /// Connects, unless all that the name resolves to is blocked.
    pub async fn connect(
        &self,
        blocked: &BlockedNetworks,
        timeout: Option<Duration>,
    ) -> Result<Pin<Box<dyn Stream>>, Error> {
        let timeout = timeout.unwrap_or(Duration::from_secs(CONNECT_SECONDS));
        let connect = async {
            let stream = self.connect_tcp(blocked).await?;
            match self.scheme.as_str() {
                "https" => self.start_tls(stream).await,
                _ => Ok(Box::pin(stream) as Pin<Box<dyn Stream>>),
            }
        };
        tokio::time::timeout(timeout, connect).await.unwrap_or(Err(Error::ConnectionTimeout))
    }

    /// The address that was checked is the address that is used: a name that resolves otherwise
    /// a moment later gains nothing.
    async fn connect_tcp(&self, blocked: &BlockedNetworks) -> Result<TcpStream, Error> {
        let mut last = Error::DestinationIpProhibited;
        for address in self.resolve().await? {
            if blocked.contains(address.ip()) {
                say(format!("{} is {address}, which is blocked", self.host));
                continue;
            }
            match TcpStream::connect(address).await {
                Ok(stream) => {
                    let _ = stream.set_nodelay(true);
                    return Ok(stream);
                }
                Err(err) => last = Error::Connect(err),
            }
        }
        Err(last)
    }

    async fn resolve(&self) -> Result<Vec<SocketAddr>, Error> {
        let name = self.host.trim_start_matches('[').trim_end_matches(']');
        let found = tokio::net::lookup_host((name, self.port)).await;
        let unknown = || Error::DnsError { rcode: Some("no such name".into()), info_code: None };
        Ok(found.map_err(|_| unknown())?.collect())
    }

    async fn start_tls(&self, stream: TcpStream) -> Result<Pin<Box<dyn Stream>>, Error> {
        let name = self.host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let name = ServerName::try_from(name)?;
        Ok(Box::pin(connector().connect(name, stream).await.map_err(Error::Tls)?))
    }
}

fn connector() -> &'static TlsConnector {
    static CONNECTOR: OnceLock<TlsConnector> = OnceLock::new();
    CONNECTOR.get_or_init(|| {
        let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        // Named, because another crate of the build may bring a second provider.
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("ring speaks TLS 1.2 and 1.3")
            .with_root_certificates(roots)
            .with_no_client_auth();
        TlsConnector::from(Arc::new(config))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_scheme_host_and_port() {
        for (uri, scheme, host, port) in [
            ("http://Example.com/a", "http", "example.com", 80),
            ("https://example.com", "https", "example.com", 443),
            ("http://user@127.0.0.1:81/", "http", "127.0.0.1", 81),
            ("http://[::1]:82/", "http", "[::1]", 82),
        ] {
            let target = Target::of(&uri.parse().unwrap()).unwrap();
            assert_eq!((&*target.scheme, &*target.host, target.port), (scheme, host, port));
        }
    }

    #[tokio::test]
    async fn no_spelling_leads_to_a_blocked_address() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let private = BlockedNetworks { private: true, ..Default::default() };

        for host in ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "127.1"] {
            let target = Target { scheme: "http".into(), host: host.into(), port };
            assert!(target.connect(&private, None).await.is_err(), "{host}");
        }
        let target = Target { scheme: "http".into(), host: "127.0.0.1".into(), port };
        assert!(target.connect(&BlockedNetworks::default(), None).await.is_ok());
    }
}
