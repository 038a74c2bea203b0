//! Backplane on workerd, through `infra/workers/harness.mjs`. Needs `cargo xtask build workers`.

use std::{
    fmt::Display,
    fs::{self, File},
    io::{BufRead as _, BufReader, Write as _},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{self, Receiver},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

/// How long a start, and a command, may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a stop may take before it is made one.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(20);
/// How much of the log an error shows, in lines.
const LOG_LINES_SHOWN: usize = 40;

/// A workerd of one's own. It ends with this value.
pub struct Workerd {
    child: Child,
    /// Commands go here. Its end is how the harness is told to stop.
    input: Option<ChildStdin>,
    lines: Receiver<Value>,
    url: String,
    log: PathBuf,
    last_command: u64,
    is_over: bool,
}

impl Workerd {
    /// Starts one that keeps its state, and its log, in a folder. The port is a free one.
    ///
    /// # Panics
    /// When it does not start; the end of its log says why.
    pub fn start(state_dir: &Path, vars: &[(&str, &str)]) -> Self {
        Self::try_start(state_dir, vars, &[]).unwrap_or_else(|err| panic!("workerd: {err}"))
    }

    /// The same with public addresses only, as on Cloudflare.
    ///
    /// # Panics
    /// When it does not start; the end of its log says why.
    pub fn start_public(state_dir: &Path, vars: &[(&str, &str)]) -> Self {
        Self::try_start(state_dir, vars, &["--public"])
            .unwrap_or_else(|err| panic!("workerd: {err}"))
    }

    fn try_start(state_dir: &Path, vars: &[(&str, &str)], more: &[&str]) -> Result<Self, String> {
        fs::create_dir_all(state_dir).map_err(text)?;
        let log = state_dir.join("workerd.log");
        let mut child = command(state_dir, vars)
            .args(more)
            .stderr(File::create(&log).map_err(text)?)
            .spawn()
            .map_err(|err| format!("starting node: {err}"))?;
        let input = child.stdin.take();
        let lines = lines_of(&mut child);
        let url = String::new();
        let mut started = Self { child, input, lines, url, log, last_command: 0, is_over: false };
        let first = started.lines.recv_timeout(ANSWER_TIMEOUT);
        let first = first.map_err(|_| started.told("it said nothing"))?;
        match first.get("url").and_then(Value::as_str) {
            Some(url) => started.url = url.to_owned(),
            None => {
                let why = first.get("error").and_then(Value::as_str).unwrap_or_default();
                return Err(started.told(why));
            }
        }
        Ok(started)
    }

    /// The group of its processes.
    pub fn group(&self) -> u32 {
        self.child.id()
    }

    /// Where it answers: `http://127.0.0.1:` and a port.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Fires the cron.
    pub fn cron(&mut self) -> Result<Value, String> {
        self.command(json!({ "cmd": "cron" }))
    }

    /// Hands a mail to the Worker, as Email Routing does. The answer has its status and a text.
    ///
    /// # Errors
    /// What the harness says.
    pub fn email(&mut self, from: &str, to: &str, raw: &str) -> Result<Value, String> {
        self.command(json!({"cmd": "email", "from": from, "to": to, "raw": raw}))
    }

    /// Asks the directory's database.
    pub fn sql(&mut self, sql: &str) -> Result<Value, String> {
        self.command(json!({ "cmd": "sql", "sql": sql }))
    }

    /// A command of the harness, and what it answers.
    pub fn command(&mut self, mut command: Value) -> Result<Value, String> {
        self.last_command += 1;
        let id = json!(self.last_command);
        command["id"] = id.clone();
        let input = self.input.as_mut().ok_or("it was stopped")?;
        writeln!(input, "{command}").map_err(text)?;
        let answer = self.lines.recv_timeout(ANSWER_TIMEOUT);
        let mut answer = answer.map_err(|_| self.told("no answer"))?;
        if answer.get("id") != Some(&id) {
            return Err(self.told(&format!("an answer to something else: {answer}")));
        }
        match answer.get("error") {
            Some(err) => Err(err.as_str().unwrap_or_default().to_owned()),
            None => Ok(answer["ok"].take()),
        }
    }

    /// Stops it in good order; its state stays for the next.
    pub fn stop(mut self) {
        self.end();
    }

    /// Kills it at once, as a power cut would; what it had not written is gone.
    pub fn kill(mut self) {
        self.kill_group();
    }

    fn end(&mut self) {
        drop(self.input.take());
        let end = Instant::now() + STOP_TIMEOUT;
        while self.is_alive() && Instant::now() < end {
            std::thread::sleep(PAUSE);
        }
        self.kill_group();
    }

    fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Node alone would leave its workerd running, and holding the port.
    fn kill_group(&mut self) {
        if std::mem::replace(&mut self.is_over, true) {
            return;
        }
        let group = format!("-{}", self.child.id());
        // After a stop in good order there is nobody left to kill, which `kill` need not say.
        let mut kill = Command::new("kill");
        let _ = kill.args(["-KILL", "--", &group]).stderr(Stdio::null()).status();
        let _ = self.child.wait();
    }

    /// An error with the end of the log.
    fn told(&self, what: &str) -> String {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        let shown = lines.len().saturating_sub(LOG_LINES_SHOWN);
        format!("{what}\n{}:\n{}", self.log.display(), lines.split_at(shown).1.join("\n"))
    }
}

impl Drop for Workerd {
    fn drop(&mut self) {
        self.end();
    }
}

fn command(state_dir: &Path, vars: &[(&str, &str)]) -> Command {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut command = Command::new("node");
    command
        .arg(root.join("infra/workers/harness.mjs"))
        .arg("--persist")
        .arg(state_dir)
        .arg("--migrations")
        .arg(root.join("infra/migrations/directory"))
        // Of servers on loopback that speak TLS. Miniflare has workerd trust it too.
        .env("NODE_EXTRA_CA_CERTS", root.join("fixtures/tls/root.pem"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        // A group of its own, so that it can be killed whole.
        .process_group(0);
    for (name, value) in vars {
        command.arg("--var").arg(format!("{name}={value}"));
    }
    command
}

/// What the harness says, line by line.
fn lines_of(child: &mut Child) -> Receiver<Value> {
    let (sender, lines) = mpsc::channel();
    if let Some(out) = child.stdout.take() {
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                let Ok(value) = serde_json::from_str(&line) else { continue };
                if sender.send(value).is_err() {
                    return;
                }
            }
        });
    }
    lines
}

fn text(err: impl Display) -> String {
    err.to_string()
}
