//! The local Spin host, as a child of the test.

use std::{
    fs::OpenOptions,
    io::{BufRead, BufReader},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc,
    time::{Duration, Instant},
};

use crate::redis::RedisServer;

/// How long a start may take: the first one compiles the components.
const START_TIMEOUT: Duration = Duration::from_secs(240);
/// How long a stop may take before it is made one.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// Which build of the host is started, from the root of the repository.
const PROGRAM: &str = "BACKPLANE_LOCAL";

/// A running host. It ends with this value.
pub struct LocalHost {
    child: Child,
    url: String,
    redis: Option<RedisServer>,
}

impl LocalHost {
    /// Starts a host with its state in this folder, and waits until it answers.
    ///
    /// # Panics
    /// When it does not start; its log is in the message.
    pub fn start(state: &Path, variables: &[(&str, &str)]) -> Self {
        Self::start_as("infra/spin/development.toml", state, variables)
    }

    /// The same with limits by a Redis of its own.
    ///
    /// # Panics
    /// When one of them does not start; its log is in the message.
    pub fn start_with_redis(state: &Path, variables: &[(&str, &str)]) -> Self {
        let redis = RedisServer::start(&state.join("redis"));
        let url = redis.url();
        let more = [("redis_url", &*url), ("redis_host", &*url)];
        let mut host = Self::start(state, &[&more, variables].concat());
        host.redis = Some(redis);
        host
    }

    /// The same with this configuration of the runtime.
    ///
    /// # Panics
    /// When it does not start; its log is in the message.
    pub fn start_as(configuration: &str, state: &Path, variables: &[(&str, &str)]) -> Self {
        std::fs::create_dir_all(state).expect("the state's folder can be made");
        let log = state.join("host.log");
        let appended = OpenOptions::new().create(true).append(true).open(&log);
        let built = std::env::var(PROGRAM).unwrap_or("target/debug/backplane-local".to_owned());
        let mut command = Command::new(root().join(built));
        command
            .current_dir(root())
            .args(["--from", "spin.toml", "--listen", "127.0.0.1:0"])
            .args(["--runtime-config", configuration])
            .arg("--state-dir")
            .arg(state)
            .args(variables.iter().flat_map(|(k, v)| ["--variable".to_owned(), format!("{k}={v}")]))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(appended.expect("the state's folder can be written"))
            .process_group(0);
        let mut child = command.spawn().expect("run `cargo build -p local` first");
        let lines = lines(&mut child);
        let ready = lines.recv_timeout(START_TIMEOUT).unwrap_or_default();
        match ready.strip_prefix("ready ") {
            Some(url) => Self { url: url.to_owned(), child, redis: None },
            None => {
                let _ = child.kill();
                panic!("no start: {}", std::fs::read_to_string(&log).unwrap_or_default());
            }
        }
    }

    /// The group of its processes.
    pub fn group(&self) -> u32 {
        self.child.id()
    }

    /// Where it answers.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The Redis that it has to itself.
    ///
    /// # Panics
    /// When it has none.
    pub fn redis(&self) -> &RedisServer {
        self.redis.as_ref().expect("it was started with one")
    }

    /// Kills it where it stands.
    pub fn kill(&mut self) {
        signal(&self.child, "-KILL");
        let _ = self.child.wait();
    }

    /// Stops it as an operator would.
    pub fn stop(&mut self) {
        signal(&self.child, "-TERM");
        let end = Instant::now() + STOP_TIMEOUT;
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(20));
        }
        if matches!(self.child.try_wait(), Ok(None)) {
            self.kill();
        }
    }
}

impl Drop for LocalHost {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.kill();
        }
    }
}

/// What the child says, line by line, read to its end so that it never waits for a reader.
fn lines(child: &mut Child) -> mpsc::Receiver<String> {
    let (sender, lines) = mpsc::channel();
    if let Some(out) = child.stdout.take() {
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
    }
    lines
}

/// Signals the child's whole group.
fn signal(child: &Child, signal: &str) {
    let group = format!("-{}", child.id());
    let _ = Command::new("kill").args([signal, "--", &group]).stderr(Stdio::null()).status();
}

/// The root of the repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}
