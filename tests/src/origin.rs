//! An origin behind the gate, on loopback. It answers by the path, and counts who came.
//!
//! `/echo` sends the body back while it comes, `/drip` a chunk every now and then until nobody
//! reads, `/hang` nothing, `/moved` a redirect, `/hops` headers of one connection, `/none` a 204;
//! anything else is answered with what came, as JSON.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use serde_json::json;

/// How much is echoed at a time, in bytes.
const PIECE: usize = 64 * 1024;
/// How long a connection may say nothing.
const TIMEOUT: Duration = Duration::from_secs(30);
const DRIP: Duration = Duration::from_millis(100);

/// The origin. Its thread ends with the process.
#[derive(Clone)]
pub struct Origin {
    url: String,
    came: Arc<AtomicUsize>,
}

/// The head of a request, as it was written.
struct Head {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
}

impl Head {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(it, _)| it == name).map(|(_, it)| it.as_str())
    }
}

impl Origin {
    /// Starts an origin on a port of its own.
    ///
    /// # Panics
    /// When there is no port to be had.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let address = listener.local_addr().expect("a bound listener has an address");
        let came = Arc::<AtomicUsize>::default();
        let origin = Self { url: format!("http://{address}"), came: Arc::clone(&came) };
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let came = Arc::clone(&came);
                std::thread::spawn(move || serve(stream, &came));
            }
        });
        origin
    }

    /// Where it listens.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// How many requests came so far.
    pub fn came(&self) -> usize {
        self.came.load(Ordering::SeqCst)
    }
}

/// Answers requests of one connection; one that cannot go on is closed.
fn serve(stream: TcpStream, came: &AtomicUsize) {
    let _ = stream.set_read_timeout(Some(TIMEOUT));
    let Ok(mut out) = stream.try_clone() else { return };
    let mut reader = BufReader::with_capacity(PIECE, stream);
    while let Some(head) = read(&mut reader) {
        came.fetch_add(1, Ordering::SeqCst);
        let path = head.target.split('?').next().unwrap_or_default().to_owned();
        let done = match path.as_str() {
            "/echo" => echo(&mut reader, &mut out, &head),
            "/drip" => drip(&mut out),
            "/hang" => {
                std::thread::sleep(TIMEOUT);
                None
            }
            "/moved" => out.write_all(MOVED).ok(),
            "/hops" => out.write_all(HOPS).ok(),
            "/none" => out.write_all(b"HTTP/1.1 204 No Content\r\nx-none: 1\r\n\r\n").ok(),
            _ => tell(&mut reader, &mut out, &head),
        };
        if done.is_none() {
            return;
        }
    }
}

const MOVED: &[u8] =
    b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/elsewhere\r\ncontent-length: 5\r\n\r\nmoved";
const HOPS: &[u8] = b"HTTP/1.1 200 OK\r\nconnection: keep-alive, x-hop\r\nx-hop: 1\r\n\
    keep-alive: timeout=5\r\nproxy-authenticate: Basic\r\nbackplane-errand: erase\r\n\
    set-cookie: a=1\r\nset-cookie: b=2\r\nx-kept: yes\r\ncontent-length: 2\r\n\r\nok";

fn read(reader: &mut impl BufRead) -> Option<Head> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|it| *it > 0)?;
    let mut words = line.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|it| *it > 0)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    Some(Head { method, target, headers })
}

/// Sends the body back, piece by piece, while it comes.
fn echo(reader: &mut impl BufRead, out: &mut TcpStream, head: &Head) -> Option<()> {
    let framing = match head.header("content-length") {
        Some(it) if it != "0" => format!("content-length: {it}"),
        _ => "transfer-encoding: chunked".to_owned(),
    };
    let kind = "content-type: application/octet-stream";
    out.write_all(format!("HTTP/1.1 200 OK\r\n{kind}\r\n{framing}\r\n\r\n").as_bytes()).ok()?;
    let chunked = framing.starts_with("transfer");
    body(reader, head, |piece| {
        if !chunked {
            return out.write_all(piece).ok();
        }
        out.write_all(format!("{:x}\r\n", piece.len()).as_bytes()).ok()?;
        out.write_all(piece).ok()?;
        out.write_all(b"\r\n").ok()
    })?;
    if chunked { out.write_all(b"0\r\n\r\n").ok() } else { Some(()) }
}

/// Sends for as long as somebody reads.
fn drip(out: &mut TcpStream) -> Option<()> {
    out.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").ok()?;
    loop {
        out.write_all(b"4\r\ndrip\r\n").ok()?;
        std::thread::sleep(DRIP);
    }
}

fn tell(reader: &mut impl BufRead, out: &mut TcpStream, head: &Head) -> Option<()> {
    let mut bytes = 0;
    body(reader, head, |piece| {
        bytes += piece.len();
        Some(())
    })?;
    let text = json!({
        "method": head.method, "target": head.target, "headers": head.headers, "bytes": bytes,
    });
    let (text, length) = (text.to_string(), text.to_string().len());
    let body = if head.method == "HEAD" { "" } else { &text };
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
    );
    out.write_all(format!("{head}{body}").as_bytes()).ok()
}

/// Reads a body in pieces.
fn body(
    reader: &mut impl BufRead,
    head: &Head,
    mut take: impl FnMut(&[u8]) -> Option<()>,
) -> Option<()> {
    if head.header("transfer-encoding") != Some("chunked") {
        let length = head.header("content-length").and_then(|it| it.parse().ok()).unwrap_or(0);
        return pieces(reader, length, &mut take);
    }
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let length = usize::from_str_radix(line.trim(), 16).ok()?;
        pieces(reader, length, &mut take)?;
        let mut end = String::new();
        reader.read_line(&mut end).ok()?;
        if length == 0 {
            return Some(());
        }
    }
}

fn pieces(
    reader: &mut impl Read,
    mut left: usize,
    take: &mut impl FnMut(&[u8]) -> Option<()>,
) -> Option<()> {
    let mut piece = vec![0; PIECE];
    while left > 0 {
        let most = left.min(PIECE);
        let read = reader.read(&mut piece[..most]).ok().filter(|it| *it > 0)?;
        take(&piece[..read])?;
        left -= read;
    }
    Some(())
}
