//! A live feed of a host, read line by line as it comes.

use std::{
    io::{BufReader, Write},
    net::TcpStream,
    time::Duration,
};

use crate::host::{Host, Sandbox};

/// How long an event may take to come.
pub const PATIENCE: Duration = Duration::from_secs(15);

/// Opens the feed at this path, with one more line in the head, such as `last-event-id: 0`.
///
/// # Panics
/// When the host has no address, or does not answer.
pub fn connect(host: &Host, at: &Sandbox, path: &str, header: &str) -> BufReader<TcpStream> {
    let url = host.url().expect("a started host has an address");
    let address = url.trim_start_matches("http://").to_owned();
    let mut stream = TcpStream::connect(&address).expect("the host answers");
    stream.set_read_timeout(Some(PATIENCE)).expect("it is no time that is none");
    let request = format!(
        "GET {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {}\r\n{header}\r\n\r\n",
        at.key
    );
    stream.write_all(request.as_bytes()).expect("the host reads");
    BufReader::new(stream)
}
