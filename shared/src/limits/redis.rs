//! The book in Redis: states that expire by themselves, and counts that wait to be taken in.
//!
//! What happens at once is a script, and each script can be run again: one whose answer was lost
//! has done what it did once. Scripts answer in a flat list, as Spin flattens what they answer.
//!
//! All names have one hash tag, so a Redis that is a cluster behind a proxy keeps them in one place.

pub mod taking;

use std::sync::LazyLock;

use data_encoding::HEXLOWER;
use sha1::{Digest as _, Sha1};

use super::{
    book::{Book, Entry, Known},
    counts::Counts,
};
use crate::{domain::Timestamp, ports::PortError};

static READ: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("redis/read.lua")));
static WRITE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("redis/write.lua")));

/// Of whom counts wait, and since when.
const WAITING: &str = "{backplane}:waiting";

/// By how much the clocks of those who write may differ: for so long a state is kept longer …
const CLOCKS_DIFFER_MS: i64 = 5 * 1000;
/// … and for so long if its tenant's clock is another than the real one: it may stand still.
const OTHER_CLOCK_MS: i64 = 24 * 60 * 60 * 1000;
/// For how long it is known that something was written: whoever runs a script again does so within
/// seconds.
const MARK_MS: i64 = 10 * 1000;

/// A Redis.
pub trait Redis {
    /// Runs a command, whose arguments are its name's and may be any bytes.
    ///
    /// # Errors
    /// When it cannot be reached, says nothing for too long, or refuses. Then the next command
    /// goes by another connection, and this one may have been done nevertheless.
    async fn call(&self, command: &str, args: Vec<String>) -> Result<Vec<Reply>, PortError>;
}

/// A part of what Redis answers.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// Nothing is there.
    Nil,
    /// A whole number.
    Integer(i64),
    /// A text, or a status.
    Text(String),
}

/// A script, and the hash by which Redis knows it.
pub struct Script {
    text: &'static str,
    hash: String,
}

/// The book of one decision.
pub struct RedisBook<R> {
    redis: R,
    /// The real time.
    now: Timestamp,
    /// The version of what it writes. Drawn by chance, a key never had it, whatever was forgotten
    /// or lost in between.
    version: i64,
    /// The name of what it writes.
    mark: String,
}

impl Script {
    fn new(text: &'static str) -> Self {
        Self { text, hash: HEXLOWER.encode(&Sha1::digest(text)) }
    }

    /// Runs it. If Redis does not know it, or whether it was run is not known, it is sent whole.
    async fn run(
        &self,
        redis: &impl Redis,
        keys: Vec<String>,
        args: Vec<String>,
    ) -> Result<Vec<Reply>, PortError> {
        let line = |script: &str| {
            let head = [script.to_owned(), keys.len().to_string()];
            head.into_iter().chain(keys.clone()).chain(args.clone()).collect()
        };
        match redis.call("EVALSHA", line(&self.hash)).await {
            Ok(replies) => Ok(replies),
            Err(_) => redis.call("EVAL", line(self.text)).await,
        }
    }
}

impl Reply {
    /// The text in it.
    ///
    /// # Errors
    /// When it is anything else.
    pub fn text(self) -> Result<String, PortError> {
        match self {
            Self::Text(it) => Ok(it),
            other => Err(unexpected(&other)),
        }
    }
}

fn unexpected(reply: &Reply) -> PortError {
    PortError::new("redis", format!("an answer that no script of ours gives: {reply:?}"))
}

impl<R: Redis> RedisBook<R> {
    /// A book for one decision, at this real time, with chance of its own.
    pub fn new(redis: R, now: Timestamp, chance: [u8; 16]) -> Self {
        let version = (i64::from_be_bytes(chance.first_chunk().copied().unwrap_or_default())
            & i64::MAX)
            .max(1);
        Self { redis, now, version, mark: HEXLOWER.encode(&chance) }
    }

    /// How long a state is kept. What its tenant's clock will show then is not known if that is
    /// not the real one.
    fn kept_ms(&self, it: &Entry) -> i64 {
        let differs = (it.at.0 - self.now.0).abs() > CLOCKS_DIFFER_MS;
        let longer = if differs { OTHER_CLOCK_MS } else { CLOCKS_DIFFER_MS };
        (it.until.0 - it.at.0).max(0).saturating_add(longer)
    }
}

/// The name under which a state is kept, as its version and itself.
fn state_key(name: &str) -> String {
    format!("{{backplane}}:state:{name}")
}

impl<R: Redis> Book for RedisBook<R> {
    async fn read(&self, names: &[String]) -> Result<Vec<(String, Known)>, PortError> {
        if names.is_empty() {
            return Ok(vec![]);
        }
        let keys: Vec<_> = names.iter().map(|it| state_key(it)).collect();
        let replies = READ.run(&self.redis, keys, vec![]).await?;
        let found = names.iter().zip(replies).filter_map(|(name, reply)| match reply {
            Reply::Nil => None,
            other => Some(known(other).map(|it| (name.clone(), it))),
        });
        found.collect()
    }

    fn version_after(&self, _: i64, _: Timestamp) -> i64 {
        self.version
    }

    async fn write(
        &self,
        entries: &[Entry<'_>],
        counts: &Counts,
        _: Timestamp,
    ) -> Result<bool, PortError> {
        let own = [format!("{{backplane}}:mark:{}", self.mark), WAITING.to_owned()];
        let keys = own.into_iter().chain(entries.iter().map(|it| state_key(it.name)));
        let mut args = vec![MARK_MS.to_string(), self.now.0.to_string()];
        for it in entries {
            let state = serde_json::to_string(&it.known.state).unwrap_or_default();
            let (version, value) = (it.known.version, format!("{} {state}", self.version));
            args.extend([version.to_string(), value, self.kept_ms(it).to_string()]);
        }
        for ([tenant, function, label, field], n) in counts.iter() {
            let whose = taking::whose(tenant, function);
            args.extend([whose, label.clone(), field.clone(), n.to_string()]);
        }
        match WRITE.run(&self.redis, keys.collect(), args).await?.as_slice() {
            [Reply::Integer(written)] => Ok(*written == 1),
            other => Err(unexpected(other.first().unwrap_or(&Reply::Nil))),
        }
    }
}

fn known(reply: Reply) -> Result<Known, PortError> {
    let text = reply.text()?;
    let read = || {
        let (version, state) = text.split_once(' ')?;
        Some(Known { version: version.parse().ok()?, state: serde_json::from_str(state).ok()? })
    };
    read().ok_or_else(|| PortError::new("redis", "a state that nobody of ours has written"))
}
