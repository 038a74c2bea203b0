//! What `up` starts: Spin, workerd, or the local stand-in for Spin.

use std::{
    io::{BufRead as _, BufReader},
    os::unix::process::CommandExt as _,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{
        atomic::{AtomicBool, Ordering},
        mpsc::{self, Receiver},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};

use crate::{command, demo, secrets::Secrets};

/// How long a start may take.
const START_TIMEOUT: Duration = Duration::from_secs(120);
/// How long a stop may take before it is made one.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(50);

/// Where Backplane runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Runtime {
    /// The Spin CLI.
    Spin,
    /// workerd, through Miniflare.
    Workers,
    /// `backplane-local`.
    Local,
}

/// A runtime that was started. It ends with this value.
pub struct Running {
    child: Child,
    lines: Receiver<String>,
    /// Whether it has yet to say that it is ready. Spin says nothing of the kind.
    is_awaited: bool,
}

impl Runtime {
    /// The runtime of this name.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Spin, Self::Workers, Self::Local].into_iter().find(|it| it.name() == name)
    }

    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Spin => "spin",
            Self::Workers => "workers",
            Self::Local => "local",
        }
    }

    /// Where it keeps its state.
    pub fn state(self) -> PathBuf {
        PathBuf::from(".backplane").join(self.name())
    }

    /// Starts it.
    pub fn start(self, port: u16, secrets: &Secrets) -> anyhow::Result<Running> {
        let mut command = match self {
            Self::Spin => spin(port, secrets),
            Self::Workers => workers(port, secrets),
            Self::Local => local(port, secrets),
        };
        // Ctrl-C reaches every process of our group. The runtime has a group of its own, so that
        // we are the ones who stop it, and it has the time it needs.
        let child =
            command
                .process_group(0)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .with_context(|| format!("starting {}", command.get_program().to_string_lossy()))?;
        Ok(Running::new(child, self != Self::Spin))
    }
}

fn local(port: u16, secrets: &Secrets) -> Command {
    let mut command = command::words(
        "target/debug/backplane-local --from spin.toml --state-dir .backplane/local \
         --runtime-config infra/spin/development.toml --variable outbound=http://127.0.0.1:*",
    );
    command
        .args(["--listen", &format!("127.0.0.1:{port}")])
        .args(["--variable", &format!("operator_key={}", secrets.operator_key)])
        .args(["--variable", &format!("sealing_keys={}", secrets.sealing_keys)]);
    command
}

fn workers(port: u16, secrets: &Secrets) -> Command {
    let mut command = command::words(
        "node infra/workers/harness.mjs --persist .backplane/workers \
         --migrations infra/migrations/directory --var outbound_hosts=https://*:*,http://127.0.0.1:*",
    );
    command
        .args(["--port", &port.to_string()])
        .args(["--var", &format!("operator_key={}", secrets.operator_key)])
        .args(["--var", &format!("sealing_keys={}", secrets.sealing_keys)]);
    command
}

fn spin(port: u16, secrets: &Secrets) -> Command {
    let mut command = command::words(
        "spin up --from spin.toml --state-dir .backplane/spin \
         --runtime-config-file infra/spin/development.toml",
    );
    command
        .args(["--listen", &format!("127.0.0.1:{port}")])
        .env("SPIN_VARIABLE_OPERATOR_KEY", &secrets.operator_key)
        .env("SPIN_VARIABLE_SEALING_KEYS", &secrets.sealing_keys)
        .env("SPIN_VARIABLE_OUTBOUND", "http://127.0.0.1:*");
    command
}

impl Running {
    fn new(mut child: Child, is_awaited: bool) -> Self {
        let (sender, lines) = mpsc::channel();
        if let Some(out) = child.stdout.take() {
            std::thread::spawn(move || {
                // To its end, or the child would wait for a reader.
                for line in BufReader::new(out).lines().map_while(Result::ok) {
                    let _ = sender.send(line);
                }
            });
        }
        Self { child, lines, is_awaited }
    }

    /// Waits until the service answers at `address`.
    pub fn wait_until_ready(&mut self, address: &str, stop: &AtomicBool) -> anyhow::Result<()> {
        let end = Instant::now() + START_TIMEOUT;
        while Instant::now() < end {
            if stop.load(Ordering::SeqCst) {
                bail!("stopped before it was ready");
            }
            // An answer from another program is none, so ours must be alive as well.
            if let Some(status) = self.child.try_wait()? {
                std::thread::sleep(PAUSE);
                self.pass_on_output();
                bail!("the runtime ended on its own ({status})");
            }
            // workerd answers before the directory has its tables, so its word comes first.
            self.is_awaited = self.is_awaited && !self.lines.try_iter().any(|it| is_ready(&it));
            let health = format!("{address}/v1/health");
            if !self.is_awaited && matches!(demo::get(&health, ""), Ok(200)) {
                return Ok(());
            }
            std::thread::sleep(PAUSE);
        }
        bail!("no answer from {address}/v1/health within {START_TIMEOUT:?}");
    }

    /// Whether it still runs.
    pub fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Passes on what it said on its standard output.
    pub fn pass_on_output(&self) {
        for line in self.lines.try_iter() {
            println!("{line}");
        }
    }

    /// Stops it: kindly first, then with all that it started.
    pub fn stop(&mut self) {
        // The end of its input is how the harness is told.
        drop(self.child.stdin.take());
        self.signal("-TERM");
        let end = Instant::now() + STOP_TIMEOUT;
        while self.is_alive() && Instant::now() < end {
            std::thread::sleep(PAUSE);
        }
        if self.is_alive() {
            self.signal("-KILL");
            let _ = self.child.wait();
        }
    }

    /// Signals the whole group: a child that dies alone may leave the one that holds the port.
    fn signal(&mut self, signal: &str) {
        if !self.is_alive() {
            return;
        }
        let group = format!("-{}", self.child.id());
        let _ = command::program("kill").args([signal, "--", &group]).status();
    }
}

/// `ready http://…` of the local host, `{"event":"ready",…}` of the harness.
fn is_ready(line: &str) -> bool {
    line.starts_with("ready ") || line.contains("\"event\":\"ready\"")
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
    }
}
