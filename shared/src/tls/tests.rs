//! Conversations with a server that has another implementation of all crypto.

use std::{cell::RefCell, rc::Rc};

use pollster::block_on;
use rustls::{
    CipherSuite, ServerConfig, ServerConnection,
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};

use super::*;

const ROOT: &str = include_str!("../../../fixtures/tls/root.pem");
const NOW: &str = "2030-01-31T12:00:00Z";

/// The other end of a line: a server that says back what it is told.
struct Echo {
    tls: ServerConnection,
    /// What it has said.
    out: Vec<u8>,
    /// How much of that is heard at once.
    piece: usize,
    /// Which byte of what it says is another on its way.
    broken: Option<usize>,
    said: usize,
}

struct Far(Rc<RefCell<Echo>>);

impl Wire for Far {
    async fn read(&mut self) -> Result<Vec<u8>, ConnectError> {
        let mut far = self.0.borrow_mut();
        let count = far.piece.min(far.out.len());
        Ok(far.out.drain(..count).collect())
    }

    async fn write(&mut self, bytes: Vec<u8>) -> Result<(), ConnectError> {
        let mut far = self.0.borrow_mut();
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            far.tls.read_tls(&mut rest).unwrap();
            // What it finds wrong it says in an alert.
            let _ = far.tls.process_new_packets();
            let mut heard = vec![0; 64 * 1024];
            if let Ok(count) = far.tls.reader().read(&mut heard) {
                far.tls.writer().write_all(&heard[..count]).unwrap();
            }
        }
        let mut out = vec![];
        while far.tls.wants_write() {
            far.tls.write_tls(&mut out).unwrap();
        }
        let at = far.broken.and_then(|it| it.checked_sub(far.said));
        if let Some(byte) = at.and_then(|it| out.get_mut(it)) {
            *byte ^= 1;
        }
        far.said += out.len();
        far.out.extend(out);
        Ok(())
    }
}

fn pem(name: &str) -> Vec<u8> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/tls");
    std::fs::read(format!("{folder}/{name}")).unwrap()
}

/// A server with this certificate, and these cipher suites or all of them.
fn server(name: &str, suites: Option<CipherSuite>) -> Echo {
    let all = ring::default_provider();
    let fits = |it: &rustls::SupportedCipherSuite| suites.is_none_or(|suite| suite == it.suite());
    let provider = CryptoProvider {
        cipher_suites: all.cipher_suites.iter().copied().filter(fits).collect(),
        ..all
    };
    let chain = CertificateDer::pem_slice_iter(&pem(&format!("{name}.pem")))
        .collect::<Result<Vec<_>, _>>()
        .unwrap();
    let key = PrivateKeyDer::from_pem_slice(&pem(&format!("{name}.key"))).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let tls = ServerConnection::new(Arc::new(config)).unwrap();
    Echo { tls, out: vec![], piece: usize::MAX, broken: None, said: 0 }
}

fn line(echo: Echo, host: &str, roots: Option<&str>, now: &str) -> Line<Far> {
    let to = Destination {
        host: host.to_owned(),
        port: 465,
        tls: true,
        timeout: Duration::from_secs(1),
    };
    let far = Far(Rc::new(RefCell::new(echo)));
    Line::new(far, &to, roots, Timestamp::parse(now).unwrap()).unwrap()
}

/// Says `bytes`, and hears as many.
fn echoed(line: &mut Line<Far>, bytes: &[u8]) -> Result<Vec<u8>, ConnectError> {
    block_on(async {
        line.write(bytes).await?;
        let mut heard = vec![];
        while heard.len() < bytes.len() {
            let more = line.read().await?;
            assert!(more.len() <= READ_BYTES_MAX);
            if more.is_empty() {
                return Err(ConnectError::Broken("it ended".to_owned()));
            }
            heard.extend(more);
        }
        Ok(heard)
    })
}

#[test]
fn every_cipher_and_every_key_is_understood_by_another_library() {
    let bytes: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    let suites =
        [CipherSuite::TLS13_AES_128_GCM_SHA256, CipherSuite::TLS13_CHACHA20_POLY1305_SHA256];
    for name in ["p256", "p384", "rsa"] {
        for suite in suites {
            for piece in [700, usize::MAX] {
                let echo = Echo { piece, ..server(name, Some(suite)) };
                let mut line = line(echo, "smtp.example.com", Some(ROOT), NOW);

                block_on(line.start_tls()).unwrap();
                let heard = echoed(&mut line, &bytes).unwrap();

                assert!(heard == bytes, "{name} {suite:?} {piece}");
                let used = line.wire.0.borrow().tls.negotiated_cipher_suite().unwrap().suite();
                assert_eq!(used, suite);
            }
        }
    }
}

#[test]
fn an_address_is_a_name_as_well() {
    for host in ["127.0.0.1", "[::1]", "localhost"] {
        let mut line = line(server("p256", None), host, Some(ROOT), NOW);
        assert_eq!(block_on(line.start_tls()), Ok(()), "{host}");
    }
}

#[test]
fn whoever_it_should_not_be_is_not_spoken_to() {
    for (name, host, roots, now, why) in [
        ("p256", "smtp.example.com", None, NOW, "no root"),
        ("stranger", "smtp.example.com", Some(ROOT), NOW, "no root"),
        ("other-name", "smtp.example.com", Some(ROOT), NOW, "another name"),
        ("p256", "smtp.example.org", Some(ROOT), NOW, "another name"),
        ("p256", "127.0.0.2", Some(ROOT), NOW, "another name"),
        ("expired", "smtp.example.com", Some(ROOT), NOW, "at this time"),
        ("p256", "smtp.example.com", Some(ROOT), "2019-12-31T00:00:00Z", "at this time"),
    ] {
        let mut line = line(server(name, None), host, roots, now);

        let failed = block_on(line.start_tls());

        let Err(ConnectError::Distrusted(said)) = failed else { panic!("{name}: {failed:?}") };
        assert!(said.contains(why), "{name} {host}: {said}");
    }
}

#[test]
fn a_byte_that_is_another_ends_it() {
    for at in [0, 3, 60, 200, 700] {
        let echo = Echo { broken: Some(at), ..server("p256", None) };
        let mut line = line(echo, "smtp.example.com", Some(ROOT), NOW);

        assert!(block_on(line.start_tls()).is_err(), "{at}");
    }
    let mut line = line(server("p256", None), "smtp.example.com", Some(ROOT), NOW);
    block_on(line.start_tls()).unwrap();
    let said = line.wire.0.borrow().said;
    line.wire.0.borrow_mut().broken = Some(said + 10);

    assert!(echoed(&mut line, b"hello").is_err());
}

#[test]
fn roots_that_are_none_are_told() {
    let to = Destination {
        host: "a.example".to_owned(),
        port: 465,
        tls: true,
        timeout: Duration::from_secs(1),
    };
    let far = Far(Rc::new(RefCell::new(server("p256", None))));

    let failed = Line::new(far, &to, Some("nonsense"), Timestamp::parse(NOW).unwrap());

    assert!(matches!(failed.err(), Some(ConnectError::Distrusted(why)) if why.contains("roots")));
}
