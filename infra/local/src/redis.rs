//! `spin:redis`: each open is a connection of its own, to whom the component may reach.

use std::{net::SocketAddr, sync::Arc};

use ::redis::{
    AsyncConnectionConfig, Client, Cmd, ErrorKind, FromRedisValue, RedisError, RedisFuture, Value,
    aio::MultiplexedConnection, cmd, io::AsyncDNSResolver,
};
use tokio_rustls::rustls::crypto::ring;
use url::Url;
use wasmtime::component::{Accessor, Resource};

use crate::{
    allowed_hosts::AllowedHosts,
    bindings::redis as spin,
    blocked_networks::BlockedNetworks,
    logs::say,
    state::{Has, State},
};

/// How many connections an instance may have open. As in Spin.
const CONNECTIONS_MAX: usize = 1024;
/// How large an answer may be. As in Spin.
const ANSWER_BYTES_MAX: usize = 128 << 20;

/// A connection that a component has opened. Calls on it do not wait for each other.
#[derive(Clone)]
pub struct Connection(MultiplexedConnection);

/// An answer of the host: trapped, refused by the interface, or fine.
type Answer<T> = wasmtime::Result<Result<T, spin::Error>>;

/// Looks names up, and leaves out what is blocked: what was checked is what is connected to.
struct Resolver(Arc<BlockedNetworks>);

impl AsyncDNSResolver for Resolver {
    fn resolve<'a, 'b: 'a>(
        &'a self,
        host: &'b str,
        port: u16,
    ) -> RedisFuture<'a, Box<dyn Iterator<Item = SocketAddr> + Send + 'a>> {
        Box::pin(async move {
            let name = host.trim_start_matches('[').trim_end_matches(']');
            let mut found: Vec<_> = tokio::net::lookup_host((name, port)).await?.collect();
            found.retain(|it| !self.0.contains(it.ip()));
            if found.is_empty() {
                say(format!("{host} is nowhere, or where it is blocked"));
            }
            Ok(Box::new(found.into_iter()) as Box<dyn Iterator<Item = SocketAddr> + Send>)
        })
    }
}

impl Connection {
    async fn open(
        address: &str,
        allowed: &AllowedHosts,
        blocked: Arc<BlockedNetworks>,
    ) -> Result<Self, spin::Error> {
        if !is_allowed(address, allowed) {
            return Err(spin::Error::InvalidAddress);
        }
        // Its TLS asks for the provider of the process, and finds none if the build has two.
        let _ = ring::default_provider().install_default();
        let client = Client::open(address).map_err(|_| spin::Error::InvalidAddress)?;
        let config = AsyncConnectionConfig::new().set_dns_resolver(Resolver(blocked));
        let connected = client.get_multiplexed_async_connection_with_config(&config).await;
        connected.map(Self).map_err(other)
    }

    async fn ask<T: FromRedisValue>(mut self, command: &Cmd) -> Result<T, RedisError> {
        command.query_async(&mut self.0).await
    }
}

/// Whether the manifest lets the component connect there. What is no address with a host is not.
fn is_allowed(address: &str, allowed: &AllowedHosts) -> bool {
    let Ok(url) = Url::parse(address) else { return false };
    let Some(host) = url.host_str().filter(|it| !it.is_empty()) else { return false };
    let well_known = (url.scheme() == "redis").then_some(6379);
    let Some(port) = url.port().or(well_known) else { return false };
    let is_allowed = allowed.allows(url.scheme(), host, port);
    if !is_allowed {
        say(format!("{}://{host}:{port} is not in allowed_outbound_hosts", url.scheme()));
    }
    is_allowed
}

fn other(err: impl ToString) -> spin::Error {
    spin::Error::Other(err.to_string())
}

/// What Redis says when a key holds something of another kind.
fn typed(err: RedisError) -> spin::Error {
    let wrong = err.kind() == ErrorKind::UnexpectedReturnType || err.code() == Some("WRONGTYPE");
    if wrong { spin::Error::TypeError } else { other(err) }
}

/// Adds what is in a value to a flat list. As in Spin.
fn flatten(value: Value, into: &mut Vec<spin::RedisResult>) -> Result<(), spin::Error> {
    into.push(match value {
        Value::Nil => spin::RedisResult::Nil,
        Value::Int(it) => spin::RedisResult::Int64(it),
        Value::Boolean(it) => spin::RedisResult::Int64(it.into()),
        Value::BulkString(it) => spin::RedisResult::Binary(it),
        Value::Double(it) => spin::RedisResult::Binary(it.to_string().into_bytes()),
        Value::SimpleString(it) => spin::RedisResult::Status(it),
        Value::Okay => spin::RedisResult::Status("OK".to_owned()),
        Value::Array(all) | Value::Set(all) => {
            return all.into_iter().try_for_each(|it| flatten(it, into));
        }
        Value::ServerError(err) => return Err(other(err)),
        _ => return Err(other("an answer of a kind that is not supported")),
    });
    Ok(())
}

fn bytes_of(it: &spin::RedisResult) -> usize {
    size_of::<spin::RedisResult>()
        + match it {
            spin::RedisResult::Binary(it) => it.len(),
            spin::RedisResult::Status(it) => it.len(),
            spin::RedisResult::Nil | spin::RedisResult::Int64(_) => 0,
        }
}

/// Asks something by a connection of the component.
async fn ask<T: Send, R: FromRedisValue>(
    access: &Accessor<T, Has>,
    opened: &Resource<Connection>,
    command: &Cmd,
    failed: fn(RedisError) -> spin::Error,
) -> Answer<R> {
    let connection =
        access.with(|mut it| wasmtime::error::Ok(it.get().table.get(opened)?.clone()))?;
    Ok(connection.ask(command).await.map_err(failed))
}

impl spin::Host for State {}

impl spin::HostConnection for State {
    async fn drop(&mut self, opened: Resource<Connection>) -> wasmtime::Result<()> {
        self.table.delete(opened)?;
        self.redis_connections -= 1;
        Ok(())
    }
}

impl<T: Send> spin::HostConnectionWithStore<T> for Has {
    async fn open(access: &Accessor<T, Self>, address: String) -> Answer<Resource<Connection>> {
        let (allowed, blocked) = access.with(|mut it| {
            let outbound = &it.get().outbound;
            (outbound.allowed.clone(), outbound.blocked.clone())
        });
        let opened = match Connection::open(&address, &allowed, blocked).await {
            Ok(it) => it,
            Err(err) => return Ok(Err(err)),
        };
        access.with(|mut access| {
            let state = access.get();
            if state.redis_connections == CONNECTIONS_MAX {
                return Ok(Err(spin::Error::TooManyConnections));
            }
            state.redis_connections += 1;
            Ok(Ok(state.table.push(opened)?))
        })
    }

    async fn publish(
        access: &Accessor<T, Self>,
        opened: Resource<Connection>,
        channel: String,
        payload: Vec<u8>,
    ) -> Answer<()> {
        ask(access, &opened, cmd("PUBLISH").arg(channel).arg(payload), other).await
    }

    async fn get(
        access: &Accessor<T, Self>,
        opened: Resource<Connection>,
        key: String,
    ) -> Answer<Option<Vec<u8>>> {
        ask(access, &opened, cmd("GET").arg(key), other).await
    }

    async fn set(
        access: &Accessor<T, Self>,
        opened: Resource<Connection>,
        key: String,
        value: Vec<u8>,
    ) -> Answer<()> {
        ask(access, &opened, cmd("SET").arg(key).arg(value), other).await
    }

    async fn incr(
        access: &Accessor<T, Self>,
        opened: Resource<Connection>,
        key: String,
    ) -> Answer<i64> {
        ask(access, &opened, cmd("INCR").arg(key), other).await
    }

    async fn del(
        access: &Accessor<T, Self>,
        opened: Resource<Connection>,
        keys: Vec<String>,
    ) -> Answer<u32> {
        ask(access, &opened, cmd("DEL").arg(keys), other).await
    }

    async fn sadd(
        access: &Accessor<T, Self>,
        opened: Resource<Connection>,
        key: String,
        values: Vec<String>,
    ) -> Answer<u32> {
        ask(access, &opened, cmd("SADD").arg(key).arg(values), typed).await
    }

    async fn smembers(
        access: &Accessor<T, Self>,
        opened: Resource<Connection>,
        key: String,
    ) -> Answer<Vec<String>> {
        ask(access, &opened, cmd("SMEMBERS").arg(key), other).await
    }

    async fn srem(
        access: &Accessor<T, Self>,
        opened: Resource<Connection>,
        key: String,
        values: Vec<String>,
    ) -> Answer<u32> {
        ask(access, &opened, cmd("SREM").arg(key).arg(values), other).await
    }

    async fn execute(
        access: &Accessor<T, Self>,
        opened: Resource<Connection>,
        command: String,
        arguments: Vec<spin::RedisParameter>,
    ) -> Answer<Vec<spin::RedisResult>> {
        let mut asked = cmd(&command);
        for argument in arguments {
            match argument {
                spin::RedisParameter::Int64(it) => asked.arg(it),
                spin::RedisParameter::Binary(it) => asked.arg(it),
            };
        }
        let value = match ask(access, &opened, &asked, other).await? {
            Ok(value) => value,
            Err(err) => return Ok(Err(err)),
        };
        let mut results = vec![];
        if let Err(err) = flatten(value, &mut results) {
            return Ok(Err(err));
        }
        if results.iter().map(bytes_of).sum::<usize>() > ANSWER_BYTES_MAX {
            return Ok(Err(other(format!("the answer exceeds {ANSWER_BYTES_MAX} bytes"))));
        }
        Ok(Ok(results))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redis_is_reached_if_the_manifest_says_so() {
        for (entry, address, allowed) in [
            ("redis://127.0.0.1:7000", "redis://127.0.0.1:7000", true),
            ("redis://127.0.0.1:7000", "redis://user:secret@127.0.0.1:7000/3", true),
            ("redis://127.0.0.1:7000", "redis://127.0.0.1:7001", false),
            ("redis://127.0.0.1:7000", "rediss://127.0.0.1:7000", false),
            ("redis://redis.example", "redis://redis.example", true),
            ("rediss://redis.example:6380", "rediss://redis.example:6380", true),
            ("rediss://redis.example:6379", "rediss://redis.example", false),
            ("https://*:*", "redis://127.0.0.1:7000", false),
            ("*://*:*", "redis+unix:///run/redis.sock", false),
            ("*://*:*", "unix:///run/redis.sock", false),
            ("*://*:*", "127.0.0.1:7000", false),
        ] {
            let hosts = AllowedHosts::parse(&[entry.to_owned()]).unwrap();
            assert_eq!(is_allowed(address, &hosts), allowed, "{entry} {address}");
        }
    }

    #[tokio::test]
    async fn a_blocked_address_is_not_connected_to() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let everywhere = AllowedHosts::parse(&["redis://*:*".to_owned()]).unwrap();
        let private = BlockedNetworks { private: true, ..Default::default() };

        for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]"] {
            let address = format!("redis://{host}:{port}");
            let opened = Connection::open(&address, &everywhere, Arc::new(private.clone())).await;
            assert!(opened.is_err(), "{host}");
        }
        let untouched = tokio::time::timeout(std::time::Duration::ZERO, listener.accept()).await;
        assert!(untouched.is_err(), "somebody connected");
    }

    #[tokio::test]
    async fn tls_to_somebody_who_does_not_speak_it_is_an_error() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("rediss://{}", listener.local_addr().unwrap());
        let everywhere = AllowedHosts::parse(&["rediss://*:*".to_owned()]).unwrap();
        let hang_up = tokio::spawn(async move { listener.accept().await.map(drop) });

        let opened = Connection::open(&address, &everywhere, Arc::default()).await;

        assert!(matches!(opened.err(), Some(spin::Error::Other(_))));
        hang_up.await.unwrap().unwrap();
    }

    #[test]
    fn answers_are_flat_as_in_spin() {
        let value = Value::Array(vec![
            Value::Int(1),
            Value::Nil,
            Value::Array(vec![Value::BulkString(b"a".to_vec()), Value::Okay]),
        ]);
        let mut results = vec![];

        flatten(value, &mut results).unwrap();

        let text = format!("{results:?}");
        assert_eq!(results.len(), 4, "{text}");
        assert!(matches!(&results[3], spin::RedisResult::Status(it) if it == "OK"), "{text}");
        assert!(flatten(Value::Map(vec![]), &mut results).is_err());
    }
}
