//! A server of SMTP on loopback (RFC 5321), as far as the tests go: with and without TLS, with a
//! login or none, and with faults.

use std::{
    collections::VecDeque,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use data_encoding::BASE64;
use rustls::{
    ServerConfig, ServerConnection, StreamOwned,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    version::{TLS12, TLS13},
};
use serde_json::{Value, json};

/// Who may log in, and the password.
pub const USER: &str = "ada@relay";
/// The password.
pub const PASSWORD: &str = "pass wörd 1234";
/// How long a connection may say nothing.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The longest line that is read, in bytes.
const LINE_BYTES_MAX: usize = 2048;

/// How it speaks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Tls {
    /// In the clear.
    None,
    /// In the clear until STARTTLS.
    Offered,
    /// TLS from the start.
    Implicit,
    /// STARTTLS, and nothing newer than TLS 1.2.
    Old,
    /// It says more than it was asked before TLS begins.
    Injected,
}

/// What it does once, when it comes to that.
#[derive(Clone, Debug)]
pub enum Fault {
    /// Answers this to the command that begins with that word; `.` is the final dot, and nothing is
    /// the beginning.
    Say(&'static str, &'static str),
    /// Hangs up instead of an answer to it, with no effect.
    HangUp(&'static str),
    /// Takes the mail, and hangs up instead of saying so.
    Lost,
}

/// A mail that it took.
#[derive(Clone, Debug, PartialEq)]
pub struct Arrived {
    /// By which name the client came.
    pub name: String,
    /// Who logged in.
    pub user: Option<String>,
    /// Whether it came by TLS.
    pub is_encrypted: bool,
    /// `MAIL FROM`, with its parameters.
    pub from: String,
    /// `RCPT TO`.
    pub to: String,
    /// The mail, without the dots that were added to it.
    pub mime: Vec<u8>,
}

/// The server. Its threads end with the process.
#[derive(Clone)]
pub struct FakeSmtp {
    /// Where it listens, on 127.0.0.1.
    pub port: u16,
    tls: Tls,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    arrived: Vec<Arrived>,
    faults: VecDeque<Fault>,
    /// What was said to it that anybody could read.
    in_the_clear: String,
    connections: usize,
    ways: &'static str,
}

impl FakeSmtp {
    /// Starts one with a certificate of `fixtures/tls`, that lets in whoever logs in.
    ///
    /// # Panics
    /// When there is no port to be had.
    pub fn start(tls: Tls, certificate: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let port = listener.local_addr().expect("a bound listener has an address").port();
        let state = Arc::new(Mutex::new(State { ways: "PLAIN LOGIN", ..State::default() }));
        let fake = Self { port, tls, state };
        let (config, server) = (Arc::new(config(certificate, tls)), fake.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (config, server) = (Arc::clone(&config), server.clone());
                std::thread::spawn(move || server.serve(stream, config));
            }
        });
        fake
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no thread panics while it holds this")
    }

    /// What it does the next times, in this order.
    pub fn fail(&self, faults: &[Fault]) {
        self.state().faults.extend(faults.iter().cloned());
    }

    /// Which ways to log in it offers; none lets anybody in.
    pub fn offer(&self, ways: &'static str) {
        self.state().ways = ways;
    }

    /// The mails so far.
    pub fn arrived(&self) -> Vec<Arrived> {
        self.state().arrived.clone()
    }

    /// What was said to it that anybody on the way could read.
    pub fn in_the_clear(&self) -> String {
        self.state().in_the_clear.clone()
    }

    /// How often somebody connected.
    pub fn connections(&self) -> usize {
        self.state().connections
    }

    /// A provider that is this server.
    pub fn provider(&self, security: &str) -> Value {
        json!({"name": "relay", "kind": "smtp", "key": PASSWORD,
            "rate": {"count": 1000, "seconds": 1},
            "smtp": {"host": "127.0.0.1", "port": self.port, "security": security, "user": USER}})
    }

    fn serve(&self, stream: TcpStream, config: Arc<ServerConfig>) -> Option<()> {
        let _ = stream.set_read_timeout(Some(TIMEOUT));
        let _ = stream.set_nodelay(true);
        self.state().connections += 1;
        if self.tls == Tls::Implicit {
            let mut stream = encrypted(stream, config)?;
            return Session::new(self, true).greet(&mut stream).map(drop);
        }
        let mut stream = stream;
        if Session::new(self, false).greet(&mut stream)? {
            let mut stream = encrypted(stream, config)?;
            Session::new(self, true).talk(&mut stream)?;
        }
        Some(())
    }

    /// The next fault, if it is about this.
    fn fault(&self, word: &str) -> Option<Fault> {
        let mut state = self.state();
        let is_now = state.faults.front().is_some_and(|it| match it {
            Fault::Say(at, _) | Fault::HangUp(at) => *at == word,
            Fault::Lost => word == ".",
        });
        is_now.then(|| state.faults.pop_front()).flatten()
    }
}

fn config(certificate: &str, tls: Tls) -> ServerConfig {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/tls");
    let chain = CertificateDer::pem_file_iter(folder.join(format!("{certificate}.pem")));
    let chain = chain.and_then(Iterator::collect).expect("it is a certificate");
    let key = PrivateKeyDer::from_pem_file(folder.join(format!("{certificate}.key")));
    let versions = if tls == Tls::Old { [&TLS12] } else { [&TLS13] };
    ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&versions)
        .expect("ring speaks both")
        .with_no_client_auth()
        .with_single_cert(chain, key.expect("it is a key"))
        .expect("the key is the certificate's")
}

fn encrypted(
    stream: TcpStream,
    config: Arc<ServerConfig>,
) -> Option<StreamOwned<ServerConnection, TcpStream>> {
    let mut stream = StreamOwned::new(ServerConnection::new(config).ok()?, stream);
    // So that a client that finds fault with us is heard.
    stream.conn.complete_io(&mut stream.sock).ok()?;
    Some(stream)
}

/// One client, until it hangs up or TLS begins.
struct Session<'a> {
    server: &'a FakeSmtp,
    is_encrypted: bool,
    name: String,
    user: Option<String>,
    from: String,
    to: String,
}

impl<'a> Session<'a> {
    fn new(server: &'a FakeSmtp, is_encrypted: bool) -> Self {
        let (name, from, to) = Default::default();
        Self { server, is_encrypted, name, user: None, from, to }
    }

    fn greet(self, stream: &mut (impl Read + Write)) -> Option<bool> {
        // A greeting of several lines, in pieces.
        self.answer(stream, "", "220-relay.example\r\n220 ESMTP, no spam please")?;
        self.talk(stream)
    }

    /// Whether TLS is to begin.
    fn talk(mut self, stream: &mut (impl Read + Write)) -> Option<bool> {
        loop {
            let line = self.hear(stream)?;
            let word = line.split(' ').next().unwrap_or_default().to_ascii_uppercase();
            let rest = line.get(word.len()..).unwrap_or_default().trim();
            match word.as_str() {
                "EHLO" => {
                    rest.clone_into(&mut self.name);
                    self.answer(stream, "EHLO", &self.offers())?;
                }
                "STARTTLS" if self.server.tls != Tls::None && !self.is_encrypted => {
                    let injected = match self.server.tls {
                        Tls::Injected => "220 go ahead\r\n250 what somebody else says",
                        _ => "220 2.0.0 go ahead",
                    };
                    return self.answer(stream, "STARTTLS", injected).map(|()| true);
                }
                "AUTH" => self.login(stream, rest)?,
                "QUIT" => return Some(false),
                _ if self.user.is_none() && !self.server.state().ways.is_empty() => {
                    self.answer(stream, &word, "530 5.7.0 log in first")?;
                }
                "MAIL" => {
                    rest.clone_into(&mut self.from);
                    self.answer(stream, "MAIL", "250 2.1.0 ok")?;
                }
                "RCPT" => {
                    rest.clone_into(&mut self.to);
                    self.answer(stream, "RCPT", "250 2.1.5 ok")?;
                }
                "DATA" => self.data(stream)?,
                _ => self.answer(stream, &word, "500 5.5.1 what")?,
            }
        }
    }

    fn offers(&self) -> String {
        let mut lines = vec!["relay.example greets you".to_owned(), "8BITMIME".to_owned()];
        if self.server.tls != Tls::None && !self.is_encrypted {
            lines.push("STARTTLS".to_owned());
        }
        let ways = self.server.state().ways;
        if !ways.is_empty() {
            lines.push(format!("AUTH {ways}"));
        }
        lines.push("SIZE 1000000".to_owned());
        let last = lines.len() - 1;
        let line =
            |(at, it): (usize, &String)| format!("250{}{it}", if at < last { '-' } else { ' ' });
        lines.iter().enumerate().map(line).collect::<Vec<_>>().join("\r\n")
    }

    fn login(&mut self, stream: &mut (impl Read + Write), rest: &str) -> Option<()> {
        let words = |text: &str| {
            let bytes = BASE64.decode(text.as_bytes()).unwrap_or_default();
            String::from_utf8(bytes).unwrap_or_default()
        };
        let given = match rest.split_once(' ') {
            Some(("PLAIN", text)) => words(text),
            _ => {
                self.answer(stream, "LOGIN", "334 VXNlcm5hbWU6")?;
                let user = words(&self.hear(stream)?);
                self.answer(stream, "LOGIN", "334 UGFzc3dvcmQ6")?;
                format!("\0{user}\0{}", words(&self.hear(stream)?))
            }
        };
        if given != format!("\0{USER}\0{PASSWORD}") {
            return self.answer(stream, "AUTH", "535 5.7.8 wrong user or password");
        }
        self.user = Some(USER.to_owned());
        self.answer(stream, "AUTH", "235 2.7.0 welcome")
    }

    fn data(&mut self, stream: &mut (impl Read + Write)) -> Option<()> {
        self.answer(stream, "DATA", "354 go on, and end with a dot")?;
        let mut mime = vec![];
        loop {
            let line = read_line(stream)?;
            match line.as_slice() {
                b"." => break,
                [b'.', rest @ ..] => mime.extend(rest),
                all => mime.extend(all),
            }
            mime.extend(b"\r\n");
        }
        let fault = self.server.fault(".");
        match fault {
            Some(Fault::HangUp(_)) => return None,
            Some(Fault::Say(_, words)) => return say(stream, words),
            Some(Fault::Lost) | None => {}
        }
        let mut state = self.server.state();
        state.arrived.push(Arrived {
            name: self.name.clone(),
            user: self.user.clone(),
            is_encrypted: self.is_encrypted,
            from: self.from.clone(),
            to: self.to.clone(),
            mime,
        });
        let count = state.arrived.len();
        drop(state);
        match fault {
            None => say(stream, &format!("250-2.0.0 queued as {count}\r\n250 2.0.0 thanks")),
            Some(_) => None,
        }
    }

    fn hear(&self, stream: &mut impl Read) -> Option<String> {
        let line = String::from_utf8_lossy(&read_line(stream)?).into_owned();
        if !self.is_encrypted {
            self.server.state().in_the_clear += &format!("{line}\n");
        }
        Some(line)
    }

    /// Answers, or does what the fault says that is next.
    fn answer(&self, stream: &mut impl Write, word: &str, words: &str) -> Option<()> {
        match self.server.fault(word) {
            Some(Fault::Say(_, other)) => say(stream, other),
            Some(_) => None,
            None => say(stream, words),
        }
    }
}

/// In two pieces, as a network does it.
fn say(stream: &mut impl Write, words: &str) -> Option<()> {
    let words = format!("{words}\r\n");
    let (first, second) = words.split_at(words.len() / 2);
    for piece in [first, second] {
        stream.write_all(piece.as_bytes()).ok()?;
        stream.flush().ok()?;
    }
    Some(())
}

fn read_line(stream: &mut impl Read) -> Option<Vec<u8>> {
    let (mut line, mut byte) = (vec![], [0]);
    while line.len() < LINE_BYTES_MAX {
        stream.read_exact(&mut byte).ok()?;
        line.extend(byte);
        if let Some(all) = line.strip_suffix(b"\r\n") {
            return Some(all.to_vec());
        }
    }
    None
}
