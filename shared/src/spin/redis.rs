//! The Redis that the setting `redis_url` names, by Spin's own client. All requests of an instance
//! use one connection.
//!
//! A Redis that says nothing is given up after a moment, and for another moment it is not asked
//! again: those who wait behind each other do not wait for it one after the other.

use std::{
    cell::{Cell, RefCell},
    pin::pin,
    rc::Rc,
    time::Duration,
};

use futures_util::future::{Either, select};
use spin_sdk::redis::{Connection, Error, RedisParameter, RedisResult};

use super::{Database, Spin, wakes};
use crate::{
    domain::{Id, Timestamp},
    ingest,
    limits::redis::{Redis, RedisBook, Reply, taking},
    ports::{Edge, PortError, Statement, Wake},
};

/// How long Redis may take to be connected to and to answer.
const TIMEOUT: Duration = Duration::from_secs(1);
/// How long an instance leaves it alone that it could not reach.
const REST: Duration = Duration::from_secs(1);

thread_local! {
    /// Its address, or that there is none, once that is known.
    static ADDRESS: RefCell<Option<Option<Rc<str>>>> = const { RefCell::new(None) };
    static CONNECTION: RefCell<Option<Rc<Connection>>> = const { RefCell::new(None) };
    static RESTS_UNTIL: Cell<Timestamp> = const { Cell::new(Timestamp(0)) };
}

/// A Redis, by its address.
pub(super) struct Server(Rc<str>);

/// Why it did not answer.
enum Failed {
    /// It cannot be reached, or not in time.
    Away(String),
    /// It refused, or the connection broke.
    Broken(String),
}

/// The Redis of the operator, if there is one.
pub(super) async fn server() -> Result<Option<Server>, PortError> {
    if let Some(known) = ADDRESS.with_borrow(Clone::clone) {
        return Ok(known.map(Server));
    }
    let address: Option<Rc<str>> = Spin.setting("redis_url").await?.map(Into::into);
    ADDRESS.set(Some(address.clone()));
    Ok(address.map(Server))
}

/// Its book for one decision.
pub(super) fn book(server: Server) -> Result<RedisBook<Server>, PortError> {
    let mut chance = [0; 16];
    Spin.random(&mut chance)?;
    Ok(RedisBook::new(server, Spin.now(), chance))
}

/// The statements that ask for a wake of those whose counts have waited for long enough.
pub(super) async fn ask_for_counts(now: Timestamp) -> Result<Vec<Statement>, PortError> {
    let Some(server) = server().await? else { return Ok(vec![]) };
    let waiting = taking::waiting(&server, now - ingest::FOLD_AFTER).await?;
    let ask =
        |(tenant, function): (String, String)| wakes::ask(&tenant, Wake { function, at: now });
    Ok(waiting.into_iter().map(ask).collect())
}

/// Leaves what was counted for a function of a tenant in its queue.
pub(super) async fn bring_counts(tenant: &str, function: &str) -> Result<(), PortError> {
    let Some(server) = server().await? else { return Ok(()) };
    let new_id = || {
        let mut random = [0; 10];
        Spin.random(&mut random)?;
        Ok(Id::new("tly", Spin.now(), &random))
    };
    taking::bring(&server, &Database::Safe, (tenant, function), Spin.now(), new_id).await
}

/// Forgets what was counted for a tenant.
pub(super) async fn forget(tenant: &str) -> Result<(), PortError> {
    match server().await? {
        Some(server) => taking::forget(&server, tenant).await,
        None => Ok(()),
    }
}

impl Redis for Server {
    async fn call(&self, command: &str, args: Vec<String>) -> Result<Vec<Reply>, PortError> {
        if Spin.now() < RESTS_UNTIL.get() {
            return Err(PortError::new("redis", "it could not be reached a moment ago"));
        }
        let timer = pin!(spin_sdk::time::sleep(TIMEOUT));
        let failed = match select(pin!(self.exchange(command, args)), timer).await {
            Either::Left((Ok(replies), _)) => return replies.into_iter().map(reply).collect(),
            Either::Left((Err(failed), _)) => failed,
            Either::Right(_) => Failed::Away(format!("it said nothing for {TIMEOUT:?}")),
        };
        CONNECTION.take();
        let why = match failed {
            Failed::Broken(why) => why,
            Failed::Away(why) => {
                RESTS_UNTIL.set(Spin.now() + REST);
                why
            }
        };
        Err(PortError::new("redis", why))
    }
}

impl Server {
    async fn exchange(&self, command: &str, args: Vec<String>) -> Result<Vec<RedisResult>, Failed> {
        let connection = self.connection().await?;
        let args = args.into_iter().map(|it| RedisParameter::Binary(it.into_bytes()));
        connection.execute(command, args).await.map_err(|err| Failed::Broken(said(err)))
    }

    async fn connection(&self) -> Result<Rc<Connection>, Failed> {
        if let Some(it) = CONNECTION.with_borrow(Option::clone) {
            return Ok(it);
        }
        let opened = Connection::open(&*self.0).await.map_err(|err| Failed::Away(said(err)))?;
        let opened = Rc::new(opened);
        // Of several that open one at the same time, the last stays.
        CONNECTION.set(Some(Rc::clone(&opened)));
        Ok(opened)
    }
}

fn said(err: Error) -> String {
    match err {
        Error::InvalidAddress => "redis_url is no address, or redis_host is another".to_owned(),
        Error::TooManyConnections => "too many connections".to_owned(),
        Error::TypeError => "a key of ours holds something else".to_owned(),
        Error::Other(why) => why,
    }
}

fn reply(it: RedisResult) -> Result<Reply, PortError> {
    Ok(match it {
        RedisResult::Nil => Reply::Nil,
        RedisResult::Int64(it) => Reply::Integer(it),
        RedisResult::Status(it) => Reply::Text(it),
        RedisResult::Binary(it) => {
            Reply::Text(String::from_utf8(it).map_err(|err| PortError::new("redis", err))?)
        }
    })
}
