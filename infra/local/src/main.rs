//! Runs the components of a `spin.toml` where the Spin CLI is not installed: for development and
//! for tests. It adds nothing that Spin lacks.

// What the operator writes.
mod manifest;
mod options;
mod runtime_config;
mod template;
mod variables;

// Who may be reached, from where.
mod allowed_hosts;
mod blocked_networks;
mod headers;
mod network;
mod route;

// What a component sees.
mod bindings;
mod key_value;
mod logs;
mod missing;
mod outbound;
mod redis;
mod sqlite;
mod state;
mod target;

// What runs them.
mod activity;
mod app;
mod component;
mod components;
mod engine;
mod loader;
mod server;
mod tick;

use std::{process::ExitCode, sync::Arc};

use anyhow::Context as _;

use crate::{app::App, logs::say, options::Options, server::Server, tick::Tick};

/// Threads of the runtime. A component that computes holds one until its next epoch.
const WORKER_THREADS: usize = 4;

fn main() -> ExitCode {
    match start() {
        Ok(()) => ExitCode::SUCCESS,
        Err(err) => {
            say(format!("{err:#}"));
            let misuse = err.is::<server::Busy>() || err.is::<options::Misuse>();
            ExitCode::from(if misuse { 2 } else { 1 })
        }
    }
}

fn start() -> anyhow::Result<()> {
    let Some(options) = Options::parse(std::env::args().skip(1))? else {
        print!("{}", options::HELP);
        return Ok(());
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKER_THREADS)
        .enable_all()
        .build()
        .context("starting the async runtime")?;
    let result = runtime.block_on(serve(&options));
    // Left as it is: dropping it would end idle instances as if they had panicked, and a query that
    // waits for a lock would hold the exit back. SQLite survives a kill, and this is less.
    std::mem::forget(runtime);
    result
}

async fn serve(options: &Options) -> anyhow::Result<()> {
    // The port first: who finds it busy should not wait for the compiler.
    let server = Server::bind(options.listen).await?;
    if !options.quiet {
        say("this stands in for the Spin CLI: for development and tests only");
    }
    let app = Arc::new(App::load(options, server.address()).await?);
    let tick = Tick::of(&app, options);
    server.run(app, tick).await
}
