//! A receiver of deliveries on loopback: it remembers what came, and answers by the path.
//!
//! `/fail` is answered with 500, `/flaky` with 500 the first time, anything else with 200. An
//! `OPTIONS` of `/welcome` is answered as somebody does who takes 30 CloudEvents a minute.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

/// The largest body that is read, in bytes.
const BODY_BYTES_MAX: usize = 2 * 1024 * 1024;
/// How long a connection may say nothing.
const TIMEOUT: Duration = Duration::from_secs(10);

/// What came.
#[derive(Clone, Debug)]
pub struct Delivered {
    /// The method.
    pub method: String,
    /// The path.
    pub path: String,
    /// The headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// When it had come.
    pub at: Instant,
}

/// The receiver. Its thread ends with the process.
#[derive(Clone)]
pub struct Sink {
    url: String,
    delivered: Arc<Mutex<Vec<Delivered>>>,
}

impl Delivered {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(it, _)| it == name).map(|(_, it)| it.as_str())
    }
}

impl Sink {
    /// Starts a receiver on a port of its own.
    ///
    /// # Panics
    /// When there is no port to be had.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let address = listener.local_addr().expect("a bound listener has an address");
        let delivered = Arc::<Mutex<Vec<Delivered>>>::default();
        let sink = Self { url: format!("http://{address}"), delivered: Arc::clone(&delivered) };
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let delivered = Arc::clone(&delivered);
                std::thread::spawn(move || serve(&stream, &delivered));
            }
        });
        sink
    }

    /// Where it listens.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// How many came so far.
    ///
    /// # Panics
    /// When a connection's thread did.
    pub fn count(&self) -> usize {
        self.delivered.lock().expect("no thread panics while it holds this").len()
    }

    /// What came so far.
    ///
    /// # Panics
    /// When a connection's thread did.
    pub fn delivered(&self) -> Vec<Delivered> {
        self.delivered.lock().expect("no thread panics while it holds this").clone()
    }
}

fn serve(stream: &TcpStream, delivered: &Mutex<Vec<Delivered>>) {
    let _ = stream.set_read_timeout(Some(TIMEOUT));
    let mut reader = BufReader::new(stream);
    while let Some(request) = read(&mut reader) {
        let Ok(mut all) = delivered.lock() else { return };
        let seen = all.iter().any(|it| it.path == request.path);
        let status = match request.path.as_str() {
            "/fail" => "500 Internal Server Error",
            "/flaky" if !seen => "500 Internal Server Error",
            _ => "200 OK",
        };
        let allowed = match (request.method.as_str(), request.path.as_str()) {
            ("OPTIONS", "/welcome") => "webhook-allowed-origin: *\r\nwebhook-allowed-rate: 30\r\n",
            _ => "",
        };
        all.push(request);
        drop(all);
        let answer = format!("HTTP/1.1 {status}\r\n{allowed}content-length: 2\r\n\r\nok");
        if (&mut &*stream).write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

/// Reads one request; nothing when there is none.
pub fn read(reader: &mut impl BufRead) -> Option<Delivered> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|it| *it > 0)?;
    let mut words = line.split(' ');
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|it| *it > 0)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut request = Delivered { method, path, headers, body: Vec::new(), at: Instant::now() };
    request.body = if request.header("transfer-encoding") == Some("chunked") {
        chunked(reader)?
    } else {
        let length = request.header("content-length").and_then(|it| it.parse().ok());
        exactly(reader, length.unwrap_or(0))?
    };
    request.at = Instant::now();
    Some(request)
}

fn exactly(reader: &mut impl Read, length: usize) -> Option<Vec<u8>> {
    let mut body = vec![0; length.min(BODY_BYTES_MAX)];
    reader.read_exact(&mut body).ok()?;
    Some(body)
}

fn chunked(reader: &mut impl BufRead) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let length = usize::from_str_radix(line.trim(), 16).ok()?;
        body.extend(exactly(reader, length)?);
        let mut end = String::new();
        reader.read_line(&mut end).ok()?;
        if length == 0 || body.len() > BODY_BYTES_MAX {
            return Some(body);
        }
    }
}
