//! The port: accepts connections until told to stop, then lets what runs come to its end.

use std::{
    convert::Infallible,
    io::{self, Write as _},
    net::SocketAddr,
    pin::pin,
    sync::Arc,
    time::Duration,
};

use anyhow::Context as _;
use hyper::{server::conn::http1, service::service_fn};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
    time::{Instant, sleep, timeout_at},
};
use wasmtime_wasi_http::io::TokioIo;

use crate::{app::App, logs::say, tick::Tick};

/// How long running requests may go on after a stop.
const STOP_WAIT: Duration = Duration::from_secs(5);

/// How often a stop looks whether all is done.
const STOP_LOOK: Duration = Duration::from_millis(20);

/// How long to leave a listener alone that has no file descriptors left.
const ACCEPT_WAIT: Duration = Duration::from_millis(100);

/// A port that is ours.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
}

/// Somebody else has the port.
#[derive(Debug)]
pub struct Busy(SocketAddr);

impl std::error::Error for Busy {}

impl std::fmt::Display for Busy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (ip, port) = (self.0.ip(), self.0.port());
        write!(
            f,
            "port {port} is in use; choose another with --listen {ip}:{}, or --listen {ip}:0 \
             for any free one",
            port.checked_add(1).unwrap_or(3000),
        )
    }
}

impl Server {
    /// Takes the port.
    pub async fn bind(listen: SocketAddr) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(listen).await.map_err(|err| match err.kind() {
            io::ErrorKind::AddrInUse => anyhow::Error::new(Busy(listen)),
            _ => anyhow::Error::new(err).context(format!("listening on {listen}")),
        })?;
        let address = listener.local_addr().context("asking for the port")?;
        Ok(Self { listener, address })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until a signal says stop.
    pub async fn run(self, app: Arc<App>, tick: Option<Tick>) -> anyhow::Result<()> {
        let mut stop = pin!(stop_signal()?);
        let (stopping, stopped) = watch::channel(false);
        let mut connections = JoinSet::new();
        let tick = tick.map(|tick| tokio::spawn(tick.run(app.clone())));
        writeln!(io::stdout(), "ready http://{}", self.address).context("saying ready")?;
        io::stdout().flush().context("saying ready")?;
        loop {
            tokio::select! {
                () = &mut stop => break,
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, client)) => {
                        let connection = serve(stream, client, app.clone(), stopped.clone());
                        connections.spawn(connection);
                    }
                    Err(err) => {
                        say(format!("a connection was not accepted: {err}"));
                        sleep(ACCEPT_WAIT).await;
                    }
                },
                // Forgets those that have ended.
                Some(_) = connections.join_next() => {}
            }
        }
        drop(self.listener);
        if let Some(tick) = tick {
            tick.abort();
        }
        let _ = stopping.send(true);
        finish(connections, &app).await;
        Ok(())
    }
}

async fn serve(
    stream: TcpStream,
    client: SocketAddr,
    app: Arc<App>,
    mut stopped: watch::Receiver<bool>,
) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| {
        let app = app.clone();
        async move { Ok::<_, Infallible>(app.answer(request, client).await) }
    });
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    // A client that hangs up, or that does not speak HTTP, is no news.
    tokio::select! {
        _ = connection.as_mut() => {}
        _ = stopped.changed() => {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
    }
}

/// Waits for the connections, and for what goes on after an answer.
async fn finish(mut connections: JoinSet<()>, app: &App) {
    let deadline = Instant::now() + STOP_WAIT;
    let all = async {
        while connections.join_next().await.is_some() {}
        while !app.activity.is_idle() {
            sleep(STOP_LOOK).await;
        }
    };
    if timeout_at(deadline, all).await.is_err() {
        say("some requests had not ended and were cut off");
    }
}

#[cfg(unix)]
fn stop_signal() -> anyhow::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};

    let mut interrupt = signal(SignalKind::interrupt()).context("listening for Ctrl-C")?;
    let mut terminate = signal(SignalKind::terminate()).context("listening for SIGTERM")?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

#[cfg(not(unix))]
fn stop_signal() -> anyhow::Result<impl Future<Output = ()>> {
    Ok(async {
        let _ = tokio::signal::ctrl_c().await;
    })
}
