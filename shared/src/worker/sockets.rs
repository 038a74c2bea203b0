//! Live feeds over WebSockets. The runtime keeps the connections while the object sleeps: it wakes
//! when something is written in the tenant, and then tells each listener what is new.

use std::{cell::Cell, rc::Rc, time::Duration};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use worker::{
    Response, State, WebSocket, WebSocketPair, WebSocketRequestResponsePair,
    wasm_bindgen_futures::spawn_local,
};

use super::{Worker, object::ObjectStore};
use crate::{
    domain::{Actor, Principal, Timestamp},
    function::Function,
    http::Request,
    live::{News, Sent},
    open::Open,
    ports::Edge,
    problem::Problem,
    route::{self, Call},
};

/// How many of them a tenant has at most.
const SOCKETS_MAX: usize = 200;
/// How long one lasts at most; of who has a key, which can be revoked, less.
const LIFE: Duration = Duration::from_secs(60 * 60);
const LIFE_OF_KEYS: Duration = Duration::from_secs(5 * 60);
/// How often one listener is asked for before the others have their turn.
const LOOKS_MAX: u32 = 20;
/// How long it is waited for more of what was just written, so that much of it is one look.
const GATHER: Duration = Duration::from_millis(100);
/// What a client sends to see whether the connection lives, and what the runtime answers without
/// waking the object.
const PING: (&str, &str) = ("ping", "pong");
/// Close codes (RFC 6455, section 7.4): it lasted, and what was let in is so no longer.
const NORMAL: u16 = 1000;
const POLICY: u16 = 1008;

/// The listeners of an object.
pub(super) struct Sockets {
    state: State,
    /// Whether there may be any.
    some: Cell<bool>,
    /// Whether somebody tells them already.
    telling: Cell<bool>,
}

/// What is kept of a listener while the object sleeps: 2 KiB at most.
#[derive(Deserialize, Serialize)]
struct Listener {
    principal: Principal,
    /// What it listens to.
    path: String,
    /// How far it is.
    place: String,
    until: Timestamp,
}

/// An event as a message.
#[derive(Serialize)]
struct Message<'a> {
    id: &'a str,
    event: &'a str,
    data: &'a RawValue,
}

impl Sockets {
    pub(super) fn new(state: State) -> Self {
        let some = Cell::new(!state.get_websockets().is_empty());
        Self { state, some, telling: Cell::new(false) }
    }

    /// Opens one, which is told `news` first.
    ///
    /// # Errors
    /// 409 when the tenant has as many as it may, 422 when it listens to too long a path.
    pub(super) fn open(
        &self,
        edge: &Worker,
        principal: Principal,
        path: &str,
        news: &News,
    ) -> Result<(Response, Timestamp), Problem> {
        if self.state.get_websockets().len() >= SOCKETS_MAX {
            let most = u32::try_from(SOCKETS_MAX).unwrap_or(u32::MAX);
            return Err(Problem::full_list(most, "live connections", "close one"));
        }
        let broken = |err: worker::Error| Problem::unavailable().caused_by(err);
        let life = match principal.actor {
            Actor::Link(_) => LIFE,
            _ => LIFE_OF_KEYS,
        };
        let end = edge.now() + life;
        let until = principal.until.map_or(end, |it| it.min(end));
        let pair = WebSocketPair::new().map_err(broken)?;
        let place = news.place.clone();
        let listener = Listener { principal, path: path.to_owned(), place, until };
        let kept = pair.server.serialize_attachment(&listener);
        kept.map_err(|_| Problem::unfitting("path", "too long to be kept beside a WebSocket"))?;
        let (ping, pong) = PING;
        if let Ok(pair) = WebSocketRequestResponsePair::new(ping, pong) {
            self.state.set_websocket_auto_response(&pair);
        }
        self.state.accept_web_socket(&pair.server);
        self.some.set(true);
        tell(&pair.server, &news.events).map_err(broken)?;
        Ok((Response::from_websocket(pair.client).map_err(broken)?, until))
    }

    /// Closes those whose time is over, and says when that of the next one is.
    pub(super) fn close_ended(&self, now: Timestamp) -> Option<Timestamp> {
        // One that was closed is listed until its client has answered.
        let (over, left): (Vec<_>, Vec<_>) =
            self.all().into_iter().partition(|(_, it)| it.until <= now);
        over.iter().for_each(|(socket, _)| close(socket, NORMAL, "ask again"));
        left.iter().map(|(_, it)| it.until).min()
    }

    fn all(&self) -> Vec<(WebSocket, Listener)> {
        if !self.some.get() {
            return Vec::new();
        }
        let sockets = self.state.get_websockets();
        self.some.set(!sockets.is_empty());
        let listener = |it: WebSocket| {
            let kept = it.deserialize_attachment().ok().flatten()?;
            Some((it, kept))
        };
        sockets.into_iter().filter_map(listener).collect()
    }
}

/// Tells the listeners what is written in the tenant, for as long as there are any. Once is enough
/// for an object: another call does nothing.
pub(super) fn keep_telling<F: Function>(sockets: &Rc<Sockets>, edge: &Worker, store: &ObjectStore) {
    if !sockets.some.get() || sockets.telling.replace(true) {
        return;
    }
    let (sockets, edge, store) = (Rc::clone(sockets), edge.clone(), store.clone());
    spawn_local(async move {
        loop {
            // Heard from before the look on: what is written meanwhile is not missed.
            let written = store.listen();
            let all = sockets.all();
            if all.is_empty() {
                break;
            }
            let mut more = false;
            for (socket, listener) in all {
                more |= tell_one::<F>(&edge, &store, &socket, listener).await;
            }
            if !more {
                // It is never sent anything: that it ends is what is heard.
                let _ = written.await;
                edge.sleep(GATHER).await;
            }
        }
        sockets.telling.set(false);
    });
}

/// Tells one listener what is new, and whether there is more of it.
async fn tell_one<F: Function>(
    edge: &Worker,
    store: &ObjectStore,
    socket: &WebSocket,
    mut listener: Listener,
) -> bool {
    if listener.until <= edge.now() {
        close(socket, NORMAL, "ask again");
        return false;
    }
    for _ in 0..LOOKS_MAX {
        let news = match look::<F>(edge, store, &listener).await {
            Ok(Some(news)) => news,
            // What it listens to is gone, or cannot be read now: a client that asks again is told.
            Ok(None) => return gone(socket),
            Err(problem) => {
                edge.note(&format!("live: {}", problem.words()));
                return gone(socket);
            }
        };
        if news.events.is_empty() {
            return false;
        }
        listener.place = news.place;
        let told = tell(socket, &news.events).and_then(|()| socket.serialize_attachment(&listener));
        if told.is_err() {
            // It is closing: its client comes back to where it was.
            return gone(socket);
        }
    }
    true
}

fn gone(socket: &WebSocket) -> bool {
    close(socket, POLICY, "ask again");
    false
}

async fn look<F: Function>(
    edge: &Worker,
    store: &ObjectStore,
    listener: &Listener,
) -> Result<Option<News>, Problem> {
    let request = http::Request::get(&listener.path).body(Bytes::new());
    let request: Request = request.map_err(|err| Problem::internal().caused_by(err))?;
    let route = route::find(F::routes(), request.method(), request.uri().path())?;
    let call = Call::new(route, request).ok_or_else(Problem::not_found)?;
    let open = Open::new(edge, store, listener.principal.clone(), None).await?;
    F::news(&open, &call, Some(&listener.place)).await
}

fn tell(socket: &WebSocket, events: &[Sent]) -> worker::Result<()> {
    for Sent { id, event, data } in events {
        let data: &RawValue = serde_json::from_str(data)?;
        socket.send_with_str(serde_json::to_string(&Message { id, event, data })?)?;
    }
    Ok(())
}

fn close(socket: &WebSocket, code: u16, why: &str) {
    // One that is closed already stays so.
    let _ = socket.close(Some(code), Some(why));
}
