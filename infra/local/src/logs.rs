//! What components print: a file for each, and our stderr with the component's name in front; and
//! what we say ourselves.

use std::{
    fmt::Display,
    fs::File,
    io::{self, Write as _},
    path::Path,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};

/// Says something to the operator. Unlike `eprintln!` it does not panic when nobody listens any
/// more, as when the test that started us has gone.
pub fn say(message: impl Display) {
    let _ = writeln!(io::stderr().lock(), "backplane-local: {message}");
}

/// A line longer than this is cut.
const LINE_BYTES_MAX: usize = 64 * 1024;

/// One stream, stdout or stderr, of one component.
pub struct Log {
    file: Mutex<File>,
    /// What stands before each line on our stderr; `None` keeps them out of it.
    prefix: Option<String>,
}

impl Log {
    /// Opens `STATE_DIR/logs/COMPONENT_STREAM.txt`, the place where Spin has it.
    pub fn open(folder: &Path, component: &str, stream: &str, quiet: bool) -> io::Result<Self> {
        let path = folder.join(format!("{component}_{stream}.txt"));
        let file = File::options().create(true).append(true).open(path)?;
        Ok(Self { file: Mutex::new(file), prefix: (!quiet).then(|| format!("[{component}] ")) })
    }

    /// Writes a line, which ends in a line break.
    fn write(&self, line: &[u8]) {
        // A full disk must not end the request that only wanted to say something.
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = file.write_all(line);
        if let Some(prefix) = &self.prefix {
            let _ = io::stderr().lock().write_all(&[prefix.as_bytes(), line].concat());
        }
    }
}

/// The stream as one instance sees it. Lines of two instances do not mix.
#[derive(Clone)]
pub struct LogStream(Arc<Mutex<Lines>>);

struct Lines {
    log: Arc<Log>,
    /// What has no line break yet.
    pending: Vec<u8>,
}

impl LogStream {
    /// A stream for a new instance.
    pub fn new(log: &Arc<Log>) -> Self {
        Self(Arc::new(Mutex::new(Lines { log: log.clone(), pending: vec![] })))
    }
}

impl Lines {
    fn push(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
        while let Some(end) = self.pending.iter().position(|byte| *byte == b'\n') {
            let line: Vec<_> = self.pending.drain(..=end).collect();
            self.log.write(&line);
        }
        if self.pending.len() > LINE_BYTES_MAX {
            self.finish();
        }
    }

    fn finish(&mut self) {
        if !self.pending.is_empty() {
            self.pending.push(b'\n');
            self.log.write(&self.pending);
            self.pending.clear();
        }
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        self.finish();
    }
}

impl IsTerminal for LogStream {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for LogStream {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }
}

impl AsyncWrite for LogStream {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_kept_whole() {
        let folder = tempfile::tempdir().unwrap();
        let log = Arc::new(Log::open(folder.path(), "tea", "stderr", true).unwrap());
        let (one, two) = (LogStream::new(&log), LogStream::new(&log));

        one.0.lock().unwrap().push(b"first ");
        two.0.lock().unwrap().push(b"second\nthird");
        one.0.lock().unwrap().push(b"line\n");
        drop(two);

        let text = std::fs::read_to_string(folder.path().join("tea_stderr.txt")).unwrap();
        assert_eq!(text, "second\nfirst line\nthird\n");
    }
}
