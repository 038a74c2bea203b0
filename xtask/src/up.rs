//! Builds Backplane, starts it, makes a demo tenant, and says how to call it.

use std::{
    fs,
    net::TcpListener,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use serde_json::json;

use crate::{
    assets, build,
    command::{self, Misuse},
    demo::{self, Demo},
    runtime::{Running, Runtime},
    secrets::Secrets,
};

/// How often we look whether to stop.
const PAUSE: Duration = Duration::from_millis(100);
/// How often Spin's tick is due. The other runtimes see to it themselves.
const TICK_EVERY: Duration = Duration::from_secs(1);

/// What the command line asks for.
#[derive(Debug)]
pub struct Options {
    runtime: Runtime,
    port: u16,
    is_fresh: bool,
}

impl Options {
    /// Reads the arguments.
    pub fn parse(args: &[&str]) -> Result<Self, Misuse> {
        let runtime = if command::is_installed("spin") { Runtime::Spin } else { Runtime::Local };
        let mut options = Self { runtime, port: 3000, is_fresh: false };
        let mut args = args.iter();
        while let Some(name) = args.next() {
            let mut value = || args.next().copied().unwrap_or_default();
            match *name {
                "--fresh" => options.is_fresh = true,
                "--port" => {
                    let port = value().parse().ok().filter(|it| *it != 0);
                    options.port = port.ok_or(Misuse("--port takes 1 to 65535".into()))?;
                }
                "--runtime" => {
                    let runtime = Runtime::named(value());
                    let known = "--runtime takes spin, workers or local";
                    options.runtime = runtime.ok_or(Misuse(known.into()))?;
                }
                other => return Err(Misuse(format!("up has no option {other}"))),
            }
        }
        Ok(options)
    }
}

/// Brings Backplane up, and keeps it up until Ctrl-C.
pub fn run(options: &Options) -> anyhow::Result<()> {
    let start = Instant::now();
    let stop = stop_flag()?;
    refuse_busy(options.port)?;
    let runtime = options.runtime;
    let mut steps = Steps { start, done: 0 };

    steps.say("the targets of Rust");
    build::add_targets()?;
    steps.say("the packages of npm");
    install_packages(runtime)?;
    steps.say(&format!("the build for {}", runtime.name()));
    build_for(runtime)?;
    steps.say("the static files");
    assets::build()?;
    steps.say("the secrets");
    let secrets = Secrets::load_or_make()?;

    steps.say(&format!("the start of {}", runtime.name()));
    let state = runtime.state();
    if options.is_fresh && state.exists() {
        fs::remove_dir_all(&state).with_context(|| format!("removing {}", state.display()))?;
    }
    fs::create_dir_all(&state).with_context(|| format!("making {}", state.display()))?;
    let address = format!("http://127.0.0.1:{}", options.port);
    let started = Instant::now();
    let mut running = runtime.start(options.port, &secrets)?;
    running.wait_until_ready(&address, &stop)?;
    println!("      ready {:.1} s after its start", started.elapsed().as_secs_f32());

    steps.say("the demo tenant");
    let demo = Demo::load_or_make(&state.join("demo.toml"), &address, &secrets.operator_key)
        .context("no demo tenant (if what an earlier build kept is in the way: --fresh)")?;
    welcome(&address, &demo, start.elapsed());
    if runtime == Runtime::Spin {
        tick(address, secrets.operator_key, stop.clone());
    }
    watch(&mut running, &stop)
}

/// Numbers the steps, and says when each began.
struct Steps {
    start: Instant,
    done: u32,
}

impl Steps {
    fn say(&mut self, what: &str) {
        self.done += 1;
        println!("[{}/7] {:>6.1} s  {what}", self.done, self.start.elapsed().as_secs_f32());
    }
}

/// A flag that Ctrl-C raises. A second Ctrl-C while we build ends us at once.
fn stop_flag() -> anyhow::Result<Arc<AtomicBool>> {
    let flag = Arc::new(AtomicBool::new(false));
    let raised = flag.clone();
    ctrlc::set_handler(move || {
        if raised.swap(true, Ordering::SeqCst) {
            std::process::exit(130);
        }
    })
    .context("watching for Ctrl-C")?;
    Ok(flag)
}

fn refuse_busy(port: u16) -> Result<(), Misuse> {
    match TcpListener::bind(("127.0.0.1", port)) {
        Ok(_) => Ok(()),
        Err(err) => Err(Misuse(format!(
            "Port {port} of this machine cannot be used ({err}). Choose another with --port."
        ))),
    }
}

/// Workers cannot start without npm's packages; elsewhere only the reference page is missing.
fn install_packages(runtime: Runtime) -> anyhow::Result<()> {
    if packages_are_current() {
        return Ok(());
    }
    let npm = "npm ci --ignore-scripts --no-audit --no-fund";
    match command::run(&mut command::words(npm)) {
        Err(err) if runtime != Runtime::Workers => {
            println!("      skipped: {err:#}. There will be no reference page at /docs.");
            Ok(())
        }
        outcome => outcome,
    }
}

/// Whether what is installed is what the lock says. npm notes it when it is done.
fn packages_are_current() -> bool {
    let changed = |path| fs::metadata(path).and_then(|it| it.modified());
    match (changed("node_modules/.package-lock.json"), changed("package-lock.json")) {
        (Ok(installed), Ok(locked)) => installed >= locked,
        _ => false,
    }
}

fn build_for(runtime: Runtime) -> anyhow::Result<()> {
    match runtime {
        Runtime::Workers => build::build_workers(),
        Runtime::Spin => build::build_spin(),
        Runtime::Local => {
            build::build_spin()?;
            build::local()
        }
    }
}

fn welcome(address: &str, demo: &Demo, took: Duration) {
    let key = &demo.key;
    let body = json!({ "name": "orders", "recipe": "standard-webhooks" });
    println!(
        "
Backplane is up after {:.1} s: {address}
  reference   {address}/docs
  tenant      {}
  its key     {key}

The tenant's log, a source of webhooks, and the list of those:
  curl -H 'Authorization: Bearer {key}' {address}/v1/log
  curl -H 'Authorization: Bearer {key}' -H 'Content-Type: application/json' \\
    -d '{body}' {address}/v1/webhooks/sources
  curl -H 'Authorization: Bearer {key}' {address}/v1/webhooks/sources

Ctrl-C stops it.",
        took.as_secs_f32(),
        demo.tenant,
    );
}

/// Does for Spin what a scheduler does in production.
fn tick(address: String, operator_key: String, stop: Arc<AtomicBool>) {
    std::thread::spawn(move || {
        while !stop.load(Ordering::SeqCst) {
            std::thread::sleep(TICK_EVERY);
            // The next one makes up for one that failed.
            let _ = demo::post(&format!("{address}/tick"), &operator_key, None, &json!({}));
        }
    });
}

fn watch(running: &mut Running, stop: &AtomicBool) -> anyhow::Result<()> {
    while !stop.load(Ordering::SeqCst) {
        running.pass_on_output();
        if !running.is_alive() {
            bail!("the runtime ended on its own");
        }
        std::thread::sleep(PAUSE);
    }
    println!("\nstopping");
    running.stop();
    Ok(())
}
