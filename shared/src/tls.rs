//! TLS 1.3 over a connection that has none of its own: on Spin, and in memory. Workers do TLS
//! themselves, and have nothing of this in their module.
//!
//! The protocol is rustls, the crypto RustCrypto ([`crypto`]), the roots are those that browsers
//! trust and those that the operator adds. There is no TLS 1.2: whoever speaks nothing newer is
//! told so.

mod cipher;
mod crypto;
mod pss;
#[cfg(test)]
mod tests;

use std::{
    io::{ErrorKind, Read, Write},
    sync::Arc,
    time::Duration,
};

use rustls::{
    CertificateError, ClientConfig, ClientConnection, Error, RootCertStore,
    client::Resumption,
    pki_types::{ServerName, UnixTime},
    time_provider::TimeProvider,
    version::TLS13,
};

use crate::{
    domain::Timestamp,
    ports::{ConnectError, Destination, READ_BYTES_MAX},
    x509,
};

/// A stream of bytes, as a runtime has it.
pub trait Wire {
    /// What has come, at least a byte; nothing at its end.
    async fn read(&mut self) -> Result<Vec<u8>, ConnectError>;
    /// Hands all of it over.
    async fn write(&mut self, bytes: Vec<u8>) -> Result<(), ConnectError>;
}

/// A stream of bytes that can be encrypted.
pub struct Line<W> {
    /// What is under it.
    pub wire: W,
    config: Arc<ClientConfig>,
    host: String,
    tls: Option<Box<ClientConnection>>,
    /// What came, and TLS has not read.
    unread: Vec<u8>,
}

/// The time by which certificates are valid.
#[derive(Debug)]
struct Now(UnixTime);

impl TimeProvider for Now {
    fn current_time(&self) -> Option<UnixTime> {
        Some(self.0)
    }
}

impl<W: Wire> Line<W> {
    /// The line to there. `roots` are trusted beside the usual ones, in PEM.
    ///
    /// # Errors
    /// When the roots are none.
    pub fn new(
        wire: W,
        to: &Destination,
        roots: Option<&str>,
        now: Timestamp,
    ) -> Result<Self, ConnectError> {
        let host = to.host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let config = Arc::new(config(roots, now)?);
        Ok(Self { wire, config, host, tls: None, unread: vec![] })
    }

    /// Encrypts what follows.
    ///
    /// # Errors
    /// When the other side is not who it should be, or cannot do it.
    pub async fn start_tls(&mut self) -> Result<(), ConnectError> {
        let name = ServerName::try_from(self.host.clone());
        let name = name.map_err(|_| ConnectError::Distrusted("the host is no name".into()))?;
        let tls =
            ClientConnection::new(Arc::clone(&self.config), name).map_err(|it| failed(&it))?;
        self.tls = Some(Box::new(tls));
        self.flush().await?;
        while self.tls.as_ref().is_some_and(|it| it.is_handshaking()) {
            self.hear().await?;
        }
        Ok(())
    }

    /// What has come, at most [`READ_BYTES_MAX`]; nothing when the other side has ended.
    ///
    /// # Errors
    /// When it broke.
    pub async fn read(&mut self) -> Result<Vec<u8>, ConnectError> {
        loop {
            let Some(tls) = &mut self.tls else { return self.wire.read().await };
            let mut plain = vec![0; READ_BYTES_MAX];
            match tls.reader().read(&mut plain) {
                Ok(count) => {
                    plain.truncate(count);
                    return Ok(plain);
                }
                Err(err) if err.kind() == ErrorKind::WouldBlock => self.hear().await?,
                Err(err) => return Err(ConnectError::Broken(err.to_string())),
            }
        }
    }

    /// Hands all of it over.
    ///
    /// # Errors
    /// When it broke.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), ConnectError> {
        if self.tls.is_none() {
            return self.wire.write(bytes.to_vec()).await;
        }
        // As much at a time as TLS keeps for us.
        for chunk in bytes.chunks(READ_BYTES_MAX) {
            if let Some(tls) = &mut self.tls {
                let written = tls.writer().write_all(chunk);
                written.map_err(|it| ConnectError::Broken(it.to_string()))?;
            }
            self.flush().await?;
        }
        Ok(())
    }

    /// Reads one piece of what comes, and answers it.
    async fn hear(&mut self) -> Result<(), ConnectError> {
        if self.unread.is_empty() {
            self.unread = self.wire.read().await?;
        }
        let Some(tls) = &mut self.tls else { return Ok(()) };
        let mut rest = self.unread.as_slice();
        let ended = rest.is_empty();
        tls.read_tls(&mut rest).map_err(|it| ConnectError::Broken(it.to_string()))?;
        let read = self.unread.len() - rest.len();
        self.unread.drain(..read);
        let heard = tls.process_new_packets().map(|_| ()).map_err(|it| failed(&it));
        if ended && tls.is_handshaking() && heard.is_ok() {
            return Err(ConnectError::Broken("it ended while TLS began".into()));
        }
        // An alert says why, and is sent whatever becomes of it.
        let flushed = self.flush().await;
        heard.and(flushed)
    }

    async fn flush(&mut self) -> Result<(), ConnectError> {
        let Some(tls) = &mut self.tls else { return Ok(()) };
        let mut out = vec![];
        while tls.wants_write() {
            tls.write_tls(&mut out).map_err(|it| ConnectError::Broken(it.to_string()))?;
        }
        match out.is_empty() {
            true => Ok(()),
            false => self.wire.write(out).await,
        }
    }
}

fn config(roots: Option<&str>, now: Timestamp) -> Result<ClientConfig, ConnectError> {
    let bad = || ConnectError::Distrusted("the operator's roots are no certificates".into());
    let mut store = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    if let Some(pem) = roots {
        for root in x509::certificates(pem.as_bytes()).ok_or_else(bad)? {
            store.add(root).map_err(|_| bad())?;
        }
    }
    let seconds = u64::try_from(now.seconds()).unwrap_or_default();
    let now = Now(UnixTime::since_unix_epoch(Duration::from_secs(seconds)));
    let config = ClientConfig::builder_with_details(Arc::new(crypto::provider()), Arc::new(now));
    let config = config.with_protocol_versions(&[&TLS13]).map_err(|it| failed(&it))?;
    let mut config = config.with_root_certificates(store).with_no_client_auth();
    // Each connection is one of its own: nothing is remembered of the ones before.
    config.resumption = Resumption::disabled();
    Ok(config)
}

/// Why there is no TLS, in words for whoever chose the host.
fn failed(err: &Error) -> ConnectError {
    let why = match err {
        Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => "its certificate is for another name",
        Error::InvalidCertificate(
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. },
        ) => "its certificate is not valid at this time",
        Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
            "its certificate leads to no root that is trusted here"
        }
        Error::InvalidCertificate(_) => "its certificate is not valid",
        Error::PeerIncompatible(_) | Error::AlertReceived(_) => {
            "it does not speak TLS 1.3 as we do"
        }
        Error::InvalidMessage(_) => "what it says is no TLS: is this the port for it?",
        other => return ConnectError::Distrusted(other.to_string()),
    };
    ConnectError::Distrusted(why.to_owned())
}
