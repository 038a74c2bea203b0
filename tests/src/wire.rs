//! An answer of HTTP/1.1, read from its connection byte by byte while it comes.

use std::{io::Read, net::TcpStream};

/// Reads the head of an answer, and gives it in lower case.
///
/// # Panics
/// When it does not come.
pub fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        assert_eq!(
            stream.read(&mut byte).expect("the answer goes on"),
            1,
            "{}",
            String::from_utf8_lossy(&head)
        );
        head.push(byte[0]);
    }
    String::from_utf8(head).expect("the answer goes on").to_ascii_lowercase()
}

/// A body on the wire, of a length or in chunks.
pub struct Body {
    chunked: bool,
    left: usize,
}

impl Body {
    /// The body after this head, in lower case.
    pub fn of(head: &str) -> Self {
        let chunked = head.contains("transfer-encoding: chunked");
        Self { chunked, left: if chunked { 0 } else { usize::MAX } }
    }

    /// Whether it comes in chunks.
    pub fn is_chunked(&self) -> bool {
        self.chunked
    }

    /// Reads until all of `into` came.
    ///
    /// # Panics
    /// When it does not come.
    pub fn read(&mut self, stream: &mut TcpStream, into: &mut [u8]) {
        let mut at = 0;
        while at < into.len() {
            if self.left == 0 {
                self.left = size(stream);
            }
            let most = (into.len() - at).min(self.left);
            stream.read_exact(&mut into[at..at + most]).expect("the answer goes on");
            at += most;
            self.left -= most;
            if self.chunked && self.left == 0 {
                stream.read_exact(&mut [0; 2]).expect("the answer goes on");
            }
        }
    }
}

/// Reads the size of the next chunk.
///
/// # Panics
/// When it does not come.
pub fn size(stream: &mut TcpStream) -> usize {
    let (mut line, mut byte) = (Vec::new(), [0]);
    while !line.ends_with(b"\r\n") {
        stream.read_exact(&mut byte).expect("the answer goes on");
        line.push(byte[0]);
    }
    let line = String::from_utf8(line).expect("the answer goes on");
    usize::from_str_radix(line.trim(), 16).expect("the answer goes on")
}
