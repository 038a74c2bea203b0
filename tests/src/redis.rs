//! A `redis-server` of one's own, as a child of the test, on loopback.

use std::{
    cell::RefCell,
    fs::File,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use redis::{Client, Connection, FromRedisValue, Value};
use shared::{
    limits::redis::{Redis, Reply},
    ports::PortError,
};

const PROGRAM: &str = "redis-server";
/// How long a start may take.
const START_TIMEOUT: Duration = Duration::from_secs(20);
/// How often a port is tried that another was faster to take.
const TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_millis(20);

/// A running server, which keeps on disk whatever it answers. It ends with this value.
pub struct RedisServer {
    child: RefCell<Child>,
    port: u16,
    folder: PathBuf,
    connection: RefCell<Option<Connection>>,
}

impl RedisServer {
    /// Whether the program is here.
    pub fn is_installed() -> bool {
        let version = Command::new(PROGRAM).arg("--version").stdout(Stdio::null()).status();
        version.is_ok_and(|it| it.success())
    }

    /// Starts one on a free port, with its data in this folder.
    ///
    /// # Panics
    /// When it does not start; the end of its log says why.
    pub fn start(folder: &Path) -> Self {
        std::fs::create_dir_all(folder).expect("the data's folder can be made");
        for _ in 0..TRIES {
            let free = TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr());
            let port = free.expect("loopback has a free port").port();
            let (child, connection) = (spawn(folder, port).into(), RefCell::new(None));
            let server = Self { child, port, folder: folder.to_owned(), connection };
            if server.is_up() {
                return server;
            }
        }
        let log = std::fs::read_to_string(folder.join("redis.log")).unwrap_or_default();
        panic!("no start: {log}");
    }

    /// Its address, also as an entry of the hosts that may be called.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Kills it where it stands.
    pub fn kill(&self) {
        let mut child = self.child.borrow_mut();
        let _ = child.kill();
        let _ = child.wait();
        self.connection.take();
    }

    /// Starts it again on the same port, with what it kept.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start_again(&self) {
        *self.child.borrow_mut() = spawn(&self.folder, self.port);
        assert!(self.is_up(), "it starts again");
    }

    /// Lets it be silent: it takes connections, and answers nothing.
    pub fn hold(&self) {
        self.signal("-STOP");
    }

    /// Lets it answer again.
    pub fn release(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let id = self.child.borrow().id().to_string();
        let sent = Command::new("kill").args([signal, &id]).status();
        assert!(sent.is_ok_and(|it| it.success()), "{signal}");
    }

    /// Asks it something.
    ///
    /// # Panics
    /// When it does not answer, or with something else.
    pub fn ask<T: FromRedisValue>(&self, words: &[&str]) -> T {
        self.try_ask(words).unwrap_or_else(|err| panic!("{words:?}: {err}"))
    }

    /// The names of all its keys, in order.
    pub fn keys(&self) -> Vec<String> {
        let mut keys: Vec<String> = self.ask(&["KEYS", "*"]);
        keys.sort();
        keys
    }

    fn try_ask<T: FromRedisValue>(&self, words: &[&str]) -> redis::RedisResult<T> {
        let mut connection = self.connection.borrow_mut();
        if connection.is_none() {
            *connection = Some(Client::open(self.url())?.get_connection()?);
        }
        let asked = connection.as_mut().expect("it was opened above");
        let answer = redis::cmd(words[0]).arg(&words[1..]).query(asked);
        if answer.is_err() {
            connection.take();
        }
        answer
    }

    fn is_up(&self) -> bool {
        let end = Instant::now() + START_TIMEOUT;
        while matches!(self.child.borrow_mut().try_wait(), Ok(None)) && Instant::now() < end {
            if self.try_ask::<String>(&["PING"]).is_ok() {
                return true;
            }
            std::thread::sleep(PAUSE);
        }
        false
    }
}

/// `everysec` syncs the disk each second, but what is answered was written to the file before: a
/// process that is killed loses nothing of it.
fn spawn(folder: &Path, port: u16) -> Child {
    let log = File::options().create(true).append(true).open(folder.join("redis.log"));
    let log = log.expect("the data's folder can be written");
    let mut command = Command::new(PROGRAM);
    command
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--daemonize", "no"])
        .args(["--save", "", "--appendonly", "yes", "--appendfsync", "everysec"])
        .arg("--dir")
        .arg(folder)
        .stdin(Stdio::null())
        .stdout(log.try_clone().expect("a file has a second handle"))
        .stderr(log);
    command.spawn().expect("it is installed: apt-get install redis-server")
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        // Also one that is held.
        self.kill();
    }
}

/// As the scripts of the limiter ask.
impl Redis for &RedisServer {
    async fn call(&self, command: &str, args: Vec<String>) -> Result<Vec<Reply>, PortError> {
        let words: Vec<_> =
            std::iter::once(command).chain(args.iter().map(String::as_str)).collect();
        let answer = self.try_ask(&words).map_err(|err| PortError::new("redis", err))?;
        let mut replies = vec![];
        flatten(answer, &mut replies);
        Ok(replies)
    }
}

fn flatten(value: Value, into: &mut Vec<Reply>) {
    match value {
        Value::Array(all) => all.into_iter().for_each(|it| flatten(it, into)),
        Value::Nil => into.push(Reply::Nil),
        Value::Int(it) => into.push(Reply::Integer(it)),
        Value::BulkString(it) => {
            into.push(Reply::Text(String::from_utf8(it).expect("ours are texts")));
        }
        other => panic!("no script of ours answers {other:?}"),
    }
}
